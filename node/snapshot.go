package node

import (
	"net/netip"
	"time"

	"earshot/node/identity"
)

// Snapshot is how things stand now. It shares nothing with the node.
type Snapshot struct {
	Me      Person
	Network string
	Closed  bool
	Port    int
	Hub     HubChanged
	Since   time.Time // of Hub
	People  []Person  // who is here, this one included, sorted by nick
	Rooms   []Room    // joined, the lobby first
	Realms  []RealmInfo
	// Undecided: no gathering joined yet; what is said waits here.
	Undecided bool
	Address   netip.Addr // this node's, as others are told; invalid: no network interface
	// Members of the roster: for /hub.
	Candidates []Candidate
}

// A Person is here with one instance or more.
type Person struct {
	ID      identity.PeerID
	Nick    string // clean, unambiguous
	Me      bool
	Hub     bool
	Away    bool
	Server  bool          // --server-only: a box, not a person
	Latency time.Duration // to the hub or from it; 0 unknown
}

// A Room that is joined, or that is known.
type Room struct {
	Name   string // "#name"
	Joined bool
	Last   time.Time
	Topic  Topic // empty text: none
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
