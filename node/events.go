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
}

// Said is a message in order of arrival. Text is clean (message.CleanText). History: it was there before this process started, or
// came by catching up rather than live.
type Said struct {
	Message
	History bool
}

// Message is one line of a conversation, fit to be shown.
type Message struct {
	ID     message.ID
	Room   string // "#name" or, a direct conversation, "@nick"
	RoomID message.RoomID
	Key    Key // its place
	Kind   message.Kind
	Nick   string // clean; made unambiguous with a tag where two people here share it
	Author identity.PeerID
	Text   string
	At     time.Time
	Mine   bool
	Copies int // of own messages of this process, as far as known: machines, this one included; 0 unknown
	Sealed bool
}

// Key orders messages the same on every machine.
type Key struct {
	HLC uint64
	Log message.LogID
	Seq uint64
}

// Delivered: an own message is on that many machines' disks. All: there are no more machines.
type Delivered struct {
	ID     message.ID
	Copies int
	All    bool
}

// Renamed: someone goes by another nick.
type Renamed struct {
	ID       identity.PeerID
	Old, New string
}

// CaughtUp: what the others had has come; what follows is live.
type CaughtUp struct{}

// RealmChanged: this node entered a gathering whose history is another than what was shown; its history follows as Said.
type RealmChanged struct{}

// Notice is one sentence for the user, and what can be done about it, or nothing.
type Notice struct {
	Text, Hint string
}

func (Ready) event()        {}
func (HubChanged) event()   {}
func (PeerChanged) event()  {}
func (Said) event()         {}
func (Delivered) event()    {}
func (Renamed) event()      {}
func (CaughtUp) event()     {}
func (RealmChanged) event() {}
func (Notice) event()       {}
