package wire

import (
	"crypto/sha256"

	"earshot/node/identity"
	"earshot/node/message"
)

// Hello says who is at this end. The keys of Version and Nick are the same in every version, so that two that cannot talk can say so. Tags are those of the realms known most recently (identity.Realm.Tag), for a hub that has not settled on a realm.
type Hello struct {
	Version  int              `cbor:"1,keyasint"`
	Software string           `cbor:"2,keyasint"` // for people: "earshot 1.0"
	Session  identity.Session `cbor:"3,keyasint"`
	Host     identity.HostID  `cbor:"4,keyasint"`
	Nick     string           `cbor:"5,keyasint"`
	Class    uint8            `cbor:"6,keyasint"`
	LinkOnly bool             `cbor:"7,keyasint,omitempty"`
	Port     uint16           `cbor:"8,keyasint"`
	Tags     [][8]byte        `cbor:"9,keyasint,omitempty"`  // at most 4
	Profile  []byte           `cbor:"10,keyasint,omitempty"` // at most MaxProfile
	// Term is the listener's, if it is the hub; the dialer's is that of the hub it looks for: where that is still to come, the listener holds the caller until it is.
	Term uint64 `cbor:"11,keyasint,omitempty"`
	// Realm is the dialer's, where it settled on one here: a hub that has not takes it.
	Realm identity.Realm `cbor:"12,keyasint,omitzero"`
	// Net is the time that the sender vouches for, as in Beat; 0: it does not. The dialer goes by the hub's; the hub not by one dialer's.
	Net int64 `cbor:"13,keyasint,omitempty"`
	// Look: the dialer only looks, and is answered with HELLO, VIEW and the end. It takes no part, and nobody is told of it.
	Look bool `cbor:"14,keyasint,omitempty"`
	// Known are the marks of profiles that the dialer has: a hub leaves these out of what it tells. At most MaxKnown, ascending.
	Known [][8]byte `cbor:"15,keyasint,omitempty"`
}

// ProfileMark names a profile in Hello.Known: H(profile)[:8].
func ProfileMark(profile []byte) [8]byte {
	h := sha256.Sum256(profile)
	return [8]byte(h[:8])
}

// State says what this end holds in the realm, of the groups that are replicated on this link, at most MaxGroups (package exchange): for each group the horizon (no older day is kept or wanted), the root of the days before Today, and today's sum.
type State struct {
	Realm  identity.Realm `cbor:"1,keyasint"`
	Store  [16]byte       `cbor:"2,keyasint"`
	Groups []GroupState   `cbor:"3,keyasint"`
	// Durable is false where nothing is kept on disk: such a participant's copies are not counted.
	Durable bool `cbor:"4,keyasint"`
	// Reply asks for the other end's State in return.
	Reply bool `cbor:"5,keyasint,omitempty"`
}

type GroupState struct {
	Group   message.GroupID `cbor:"1,keyasint"`
	Horizon uint32          `cbor:"2,keyasint"`
	Today   uint32          `cbor:"3,keyasint"`
	Root    message.Hash    `cbor:"4,keyasint"`
	Sum     message.Hash    `cbor:"5,keyasint"`
}

// AskDays asks for the sums of the days from From on; Days answers, ascending; More says that it did not fit.
type AskDays struct {
	Group message.GroupID `cbor:"1,keyasint"`
	From  uint32          `cbor:"2,keyasint"`
}

type Days struct {
	Group message.GroupID `cbor:"1,keyasint"`
	From  uint32          `cbor:"2,keyasint"`
	Days  []DaySum        `cbor:"3,keyasint"`
	More  bool            `cbor:"4,keyasint,omitempty"`
}

type DaySum struct {
	_   struct{} `cbor:",toarray"`
	Day uint32
	Sum message.Hash
}

// AskHeads asks for the heads of the logs of one day whose ids are above After; Heads answers, ascending by id. Parts, if it is there, has PartBytes of the
// sum over the asker's heads for each of the Parts that the day's logs fall into by the first bits of their ids: heads in parts that are equal may be left out.
type AskHeads struct {
	Group message.GroupID `cbor:"1,keyasint"`
	Day   uint32          `cbor:"2,keyasint"`
	After message.LogID   `cbor:"3,keyasint"`
	Parts []byte          `cbor:"4,keyasint,omitempty"`
}

type Heads struct {
	Group message.GroupID `cbor:"1,keyasint"`
	Day   uint32          `cbor:"2,keyasint"`
	Heads []Head          `cbor:"3,keyasint"`
	More  bool            `cbor:"4,keyasint,omitempty"`
}

// Head is how far a log goes: its last number before Fork (where Fork is not 0), and the hash of that header.
type Head struct {
	_    struct{} `cbor:",toarray"`
	Log  message.LogID
	Seq  uint64
	Tip  message.Hash
	Fork uint64
}

// Want asks for logs from a number on; the answer is runs, then Done with the same logs.
type Want struct {
	Wants []WantLog `cbor:"1,keyasint"`
}

type WantLog struct {
	_    struct{} `cbor:",toarray"`
	Log  message.LogID
	From uint64
}

type Done struct {
	Logs []message.LogID `cbor:"1,keyasint"`
}

// Beat goes both ways every second: the hub sends one, and the other end answers. Received counts the RUN, PULLED, BULK and PROOF frames received on this link. Root
// is set only where the sender is caught up with nothing in flight, over the groups both list, of Public from the later horizon on: then a difference is real if Received equals what was sent.
type Beat struct {
	Clock    int64         `cbor:"1,keyasint"` // raw local clock, ms since 1970
	Received uint64        `cbor:"2,keyasint"`
	Root     *message.Hash `cbor:"3,keyasint,omitempty"`
	From     uint32        `cbor:"4,keyasint,omitempty"` // the horizon Root begins at
	// Waiting is the author's: heads of own logs not yet stable. The hub's: logs whose durable heads it asks for.
	Waiting []Head `cbor:"5,keyasint,omitempty"`
	// Net is the time that at least three clocks vouched for, if Vouched: their median now, at the hub, or what runs on of one since.
	Net     int64 `cbor:"6,keyasint,omitempty"`
	Vouched bool  `cbor:"7,keyasint,omitempty"`
	// Mark is the hub's, a clock of its own in µs; the other end gives it back in its answer, Held µs later. Trip is the way there and back that the hub measured last by that, in µs.
	Mark uint32 `cbor:"8,keyasint,omitempty"`
	Held uint32 `cbor:"9,keyasint,omitempty"`
	Trip uint32 `cbor:"10,keyasint,omitempty"`
	// Covers is a digest of the groups besides Public that Root is over, and from which day each; 0: there are none. Roots of different groups say nothing.
	Covers uint64 `cbor:"11,keyasint,omitempty"`
}

// Have says what is on this end's disk; it goes to the hub.
type Have struct {
	Heads []Head `cbor:"1,keyasint"`
}

// Stable tells an author that its message Seq, whose header hashes to Tip, is on the disks of Copies machines, the author's left out; All: there are no more.
type Stable struct {
	Logs []StableLog `cbor:"1,keyasint"`
}

type StableLog struct {
	_      struct{} `cbor:",toarray"`
	Log    message.LogID
	Seq    uint64
	Tip    message.Hash
	Copies uint8
	All    bool
}

// Presence is the hub's view of who is linked. Full replaces what was known; otherwise Here are added or changed and Gone have left.
type Presence struct {
	Full bool               `cbor:"1,keyasint,omitempty"`
	Here []Person           `cbor:"2,keyasint,omitempty"`
	Gone []identity.Session `cbor:"3,keyasint,omitempty"`
	More bool               `cbor:"4,keyasint,omitempty"` // a Full presence goes on in the next frame
}

type Person struct {
	Session  identity.Session `cbor:"1,keyasint"`
	ID       identity.PeerID  `cbor:"2,keyasint"`
	Nick     string           `cbor:"3,keyasint"`
	Class    uint8            `cbor:"4,keyasint"`
	LinkOnly bool             `cbor:"5,keyasint,omitempty"`
	Away     bool             `cbor:"6,keyasint,omitempty"`
	Host     identity.HostID  `cbor:"7,keyasint"`
	Profile  []byte           `cbor:"8,keyasint,omitempty"`  // left out where the receiver's Hello said that it has it
	Address  []string         `cbor:"9,keyasint,omitempty"`  // host:port, for those who cannot find it themselves
	Why      string           `cbor:"10,keyasint,omitempty"` // of Away, as they said
}

// Order names the hub's successors, and its witnesses, who report what is on their disks: at most two, on machines of their own.
type Order struct {
	Term       uint64             `cbor:"1,keyasint"`
	Successors []identity.Session `cbor:"2,keyasint"`
	Witnesses  []identity.Session `cbor:"3,keyasint"`
}

// Redirect says who the hub is, and that the sender is not; nobody where it does not know.
type Redirect struct {
	Hub     identity.Session `cbor:"1,keyasint"`
	Term    uint64           `cbor:"2,keyasint"`
	Address []string         `cbor:"3,keyasint,omitempty"`
}

// Bye is a graceful end: of a hub, with its successor, or of a link.
type Bye struct {
	Successor identity.Session `cbor:"1,keyasint,omitzero"`
	Address   []string         `cbor:"2,keyasint,omitempty"`
	Reason    string           `cbor:"3,keyasint,omitempty"`
	// Leaving: the sender's process ends; otherwise it only hands over.
	Leaving bool `cbor:"4,keyasint,omitempty"`
}

// Note is relayed to everyone, latest only, and never stored: away, back, a changed nick.
type Note struct {
	Nick string `cbor:"1,keyasint,omitempty"`
	Away *bool  `cbor:"2,keyasint,omitempty"`
	Why  string `cbor:"3,keyasint,omitempty"` // with Away
}

// Typing is relayed to everyone else, not more often from a link than it need be said (package hub), and never stored: someone is typing in a room. Who is set by the hub.
type Typing struct {
	Room message.RoomID  `cbor:"1,keyasint"`
	Who  identity.PeerID `cbor:"2,keyasint,omitzero"`
}

// View is what the sender sees: the hub it is with (itself where it serves; nobody where it has none), and the instances there, itself first. More: not all of them are in it.
type View struct {
	Clock int64            `cbor:"1,keyasint"` // raw local clock, ms since 1970
	Hub   identity.Session `cbor:"2,keyasint,omitzero"`
	Term  uint64           `cbor:"3,keyasint,omitempty"`
	Here  []Instance       `cbor:"4,keyasint"`
	More  bool             `cbor:"5,keyasint,omitempty"`
}

// Instance is one of those a View is of: what it claims, as far as that is known, and where it can be reached (host:port), if it is.
type Instance struct {
	_        struct{} `cbor:",toarray"`
	Session  identity.Session
	ID       identity.PeerID
	Nick     string
	Class    uint8
	Hub      bool
	Weight   uint8
	Term     uint64
	LinkOnly bool
	Away     bool
	Address  string
}
