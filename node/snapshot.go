package node

import (
	"net/netip"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Snapshot is how things stand now. It shares nothing with the node.
type Snapshot struct {
	Me      Person
	Network string
	Closed  bool
	Port    int
	Hub     HubChanged
	Since   time.Time // of Hub
	People  []Person  // who is here, this one included, sorted by nick; not those who are ignored
	Ignored []Person  // by this person, here or not, sorted by nick
	Rooms   []Room    // joined, the lobby first; invitations; direct conversations; then public ones that others are in
	Realms  []RealmInfo
	// Undecided: no gathering joined yet; what is said waits here.
	Undecided bool
	Address   netip.Addr    // this node's, as others are told; invalid: no network interface
	Latency   time.Duration // to the hub and back; 0: not known, or this is the hub
	Typing    []Typist      // others, in the rooms joined
	Silent    bool          // the others are not told when this person types
	Receipts  bool          // the other of a direct conversation is told what this person has seen
	// Key is how far a change of the network's key is; nil: there is none that is not done.
	Key *Progress
	// Members of the roster: for /hub.
	Candidates []Candidate
}

// A Person is here with one instance or more.
type Person struct {
	ID      identity.PeerID
	Nick    string // clean, unambiguous
	Warning string // why the nick has a tag, said of this person: "is not the alice you met first, …"; empty: it has none
	// Verified: the user has compared their fingerprint. Ignored: what they say and do is not shown. Gone, of those who are ignored: they are not here.
	Verified, Ignored, Gone bool
	Me                      bool
	Hub                     bool
	Away                    bool
	Why                     string        // of Away, in one clean line; empty: not said
	Server                  bool          // --server-only: a box, not a person
	Latency                 time.Duration // to the hub and back where this is a follower, or to this one from the hub; 0 unknown
	Address                 []string      // of their instances, as far as known, at most wire.MaxAddress
}

// A Typist is typing in a room.
type Typist struct {
	Room string
	ID   identity.PeerID
	Nick string
}

// A Room that is joined, or that is known.
type Room struct {
	Name   string // "#name" or "@nick": what it is called in commands and messages; RoomRenamed tells where that changes
	ID     message.RoomID
	Kind   RoomKind
	Joined bool
	Last   time.Time
	Topic  Topic // empty text: none
	Muted  bool  // it does not ask for attention
	// Of a private room. By is who invited this person, who has not answered; Out: this person was removed, and can only read.
	Owner   Named
	Members int
	By      Named
	Out     bool
	// With is the other of a direct conversation.
	With Named
}

// RoomKind says who can read what is said in a room.
type RoomKind uint8

const (
	PublicRoom  RoomKind = iota // everyone in the network
	PrivateRoom                 // its members: end-to-end encrypted
	DirectRoom                  // the two
)

// A Member of a private room.
type Member struct {
	Named
	Owner, Moderator, Me, Here bool
}

// RealmInfo is one gathering of an open network whose history is kept here.
type RealmInfo struct {
	ID      string // short, hex
	Current bool
	Last    time.Time
}

// A Candidate is an instance that could be the hub, and why it is or is not.
type Candidate struct {
	Session identity.Session
	ID      identity.PeerID
	Nick    string
	Address string
	Class   uint8 // as package election has them
	Hub     bool
	Weight  uint8
	Term    uint64
	Me      bool
}
