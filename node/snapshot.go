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
	Address   netip.Addr    // this node's, as others are told; invalid: no network interface
	Latency   time.Duration // to the hub and back; 0: not known, or this is the hub
	Typing    []Typist      // others, in the rooms joined
	Silent    bool          // the others are not told when this person types
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
	Why     string        // of Away, in one clean line; empty: not said
	Server  bool          // --server-only: a box, not a person
	Latency time.Duration // to the hub and back where this is a follower, or to this one from the hub; 0 unknown
	Address []string      // of their instances, as far as known
}

// A Typist is typing in a room.
type Typist struct {
	Room string
	ID   identity.PeerID
	Nick string
}

// A Room that is joined, or that is known.
type Room struct {
	Name   string // "#name"
	Joined bool
	Last   time.Time
	Topic  Topic // empty text: none
	Muted  bool  // it does not ask for attention
	Count  int   // messages held
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
