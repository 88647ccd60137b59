package node

import (
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Event is something to show. It is one of the types below.
type Event interface{ event() }

// Ready is the first event.
type Ready struct {
	Nick    string
	ID      identity.PeerID
	Session identity.Session
	Port    int
	Network string
	Closed  bool
}

// HubState is where this node stands.
type HubState string

const (
	Searching HubState = "searching"
	Linked    HubState = "linked"
	Serving   HubState = "serving"
	Lost      HubState = "lost"
)

// HubChanged: another hub, or another relation to it. Hub and HubID are empty while none is known.
type HubChanged struct {
	State HubState
	Hub   string // nick
	HubID identity.PeerID
	Term  uint64
}

// PeerState is what a person did.
type PeerState string

const (
	Joined PeerState = "joined"
	Left   PeerState = "left"
	Away   PeerState = "away"
	Back   PeerState = "back"
)

// PeerChanged: someone came, went, or is away. Peers counts the people here, this one included.
type PeerChanged struct {
	State PeerState
	Nick  string
	ID    identity.PeerID
	Peers int
	Why   string // of Away, as they said
}

// TypingChanged: someone else is typing in a room, or has stopped.
type TypingChanged struct {
	Typist
	On bool
}

// Said is a message in order of arrival. Text is clean (message.CleanText). History: it was there before this process started, or
// came by catching up rather than live. Unread: another said it, and this person has not seen it (Seen), in this process or before; of stored history only Resume tells that.
type Said struct {
	Message
	History, Unread bool
}

// Passed: of that many messages, of what is said and what becomes of it, Console has not told, because there were too many.
type Passed struct {
	Room  string // "#name"; empty: they were of several
	Count int
}

// Message is one line of a conversation, fit to be shown.
type Message struct {
	ID     message.ID
	Room   string // "#name" or, a direct conversation, "@nick"
	RoomID message.RoomID
	Key    Key // its place
	Kind   message.Kind
	Nick   string // clean; made unambiguous with a tag where it is another's, or nobody's in particular
	Author identity.PeerID
	Text   string
	At     time.Time
	Mine   bool  // by this person, here or on another machine
	Here   bool  // said in this process: Delivered tells how far it got
	Copies int   // of own messages of this process, as far as known: machines, this one included; 0 unknown
	All    bool  // there are no more machines
	Sealed bool  // end-to-end encrypted: in a direct conversation, or a private room
	Read   bool  // of own messages in a direct conversation: the other has seen it, as it says
	Quote  Quote // what it answers, if its ID is not zero
	// Verified: the user has compared the author's fingerprint.
	Verified bool
	// Edited: Text is what the author changed it to. Redacted: the author deleted it, there is no text.
	Edited, Redacted bool
	Reactions        []Reaction // the most shown first
	// Again, where it is not zero, is a message of this process that this one says again, because it was dated by a wrong clock: that is Withdrawn, where it was told.
	Again message.ID
}

// Ref names the message to commands.
func (m *Message) Ref() message.Ref {
	return message.Ref{Log: m.Key.Log, Seq: m.Key.Seq, ID: m.ID}
}

// A Quote is what a message answers: its first words, in one line. They are empty where that is not known here, or was deleted.
type Quote struct {
	ID   message.ID
	Nick string
	Text string
}

// A Reaction is an emoji with those who show it beside a message; of many not all are named.
type Reaction struct {
	Emoji string
	Count int
	Mine  bool
	Nicks []string
}

// A Topic is what a room is about, and who said so.
type Topic struct {
	ID     message.ID
	Text   string
	Nick   string
	Author identity.PeerID
	At     time.Time
}

// Key orders messages the same on every machine.
type Key struct {
	HLC uint64
	Log message.LogID
	Seq uint64
}

// Delivered: an own message is on that many machines' disks. All: there are no more machines. No copies: it will not be delivered, whatever was told before; Resend
// says it again.
type Delivered struct {
	ID     message.ID
	Copies int
	All    bool
}

// Withdrawn: a message that was told does not count any more, and is shown to nobody: its author's machine was copied while it ran, and the copy said something else, or
// a liar said two things at once. An own one that was not delivered is withdrawn when it has been said again.
type Withdrawn struct {
	Message
	// Restated: its author dated it by a wrong clock, and has said it again.
	Restated bool
}

// Edited, Redacted and Reacted give a message as it is from now on; they may come again with what was told, and of messages that were never told. Edited: its text is another; where it was
// redacted, it is no longer. What quotes it is not told again. Reacted: someone shows Emoji beside it, or no longer (On).
type (
	Edited   struct{ Message }
	Redacted struct{ Message }
	Reacted  struct {
		Message
		Emoji string
		By    string // nick
		ByID  identity.PeerID
		On    bool
	}
)

// TopicChanged: what a room is about. It comes after the stored history for every room joined that has a topic.
type TopicChanged struct {
	Room string
	Topic
}

// RoomRenamed: a room is called something else from now on, because the other of a direct conversation is, or a private room's owner or another room made it so.
type RoomRenamed struct {
	ID       message.RoomID
	Old, New string
}

// Invited: someone would like this person in a private room, which Room.Name says; Join accepts, Leave does not.
type Invited struct {
	Room string
	By   Named
}

// Members: a private room has other members, or another owner (if its nick is not empty). Out: this person is no longer one.
type Members struct {
	Room         string
	Added, Taken []Named
	Owner        Named
	Out          bool
}

// Answered: who was invited to a private room accepts, or declines, or has left. Who became the owner after that is not told which of the latter.
type Answered struct {
	Room                string
	By                  Named
	Yes, Left, Declined bool
}

// Read: the other of a direct conversation has seen it up to a message of this person's, as it says.
type Read struct {
	Room string
	By   Named
	ID   message.ID
	Up   Key
}

// Named is a person as shown.
type Named struct {
	Nick string
	ID   identity.PeerID
}

// Renamed: someone goes by another nick.
type Renamed struct {
	ID       identity.PeerID
	Old, New string
}

// A Mark is what the user made of a person.
type Mark struct{ Verified, Ignored bool }

// Marked: the user made something else of a person. What an ignored one said is not shown any more, and what one said who no longer is comes with Page again; it is not told anew.
type Marked struct {
	ID   identity.PeerID
	Nick string
	Mark
}

// CaughtUp: what the others had has come; what follows is live. It comes once, and once more after each RealmChanged.
type CaughtUp struct{}

// RealmChanged: this node entered a gathering whose history is another than what was shown; its history follows as Said.
type RealmChanged struct{}

// Notice is one sentence for the user, and what can be done about it, or nothing.
type Notice struct {
	Text, Hint string
}

func (Ready) event()         {}
func (HubChanged) event()    {}
func (PeerChanged) event()   {}
func (Said) event()          {}
func (Passed) event()        {}
func (Delivered) event()     {}
func (Withdrawn) event()     {}
func (Renamed) event()       {}
func (Edited) event()        {}
func (Redacted) event()      {}
func (Reacted) event()       {}
func (TopicChanged) event()  {}
func (TypingChanged) event() {}
func (CaughtUp) event()      {}
func (RealmChanged) event()  {}
func (Notice) event()        {}
func (RoomRenamed) event()   {}
func (Invited) event()       {}
func (Members) event()       {}
func (Answered) event()      {}
func (Read) event()          {}
func (Marked) event()        {}
