package roster

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"earshot/node/identity"
)

const (
	maxMembers = 1024
	// maxNodes bounds what one push/pull brings and what is remembered: members, and those that left lately.
	maxNodes = 2 * maxMembers
	// goneFor is how long one that left is remembered, so that its age and serial hold when it comes back.
	goneFor = time.Minute
	// carryFor is how long members stay after the address changed, until the new Memberlist has found them again.
	carryFor = 3 * time.Second
)

// A list is this package's own copy of who is there, kept by memberlist's callbacks. Those run under memberlist's lock: they take list's and return.
type list struct {
	network identity.NetworkID
	version uint8
	self    identity.Session
	person  identity.PeerID
	foreign func(netip.AddrPort) // Config.Foreign

	mu      sync.Mutex // guards all below
	entries map[string]*entry
	current *generation // whose callbacks count
	moves   int         // the counter in this process's newest name
}

// move: this process is about to have a name with that counter.
func (l *list) move(moves int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moves = moves
}

// copied reports whether a name of this process's is one that it never had: a copy of it has moved.
func (l *list) copied(moves int, n *memberlist.Node, at netip.AddrPort) bool {
	l.mu.Lock()
	known := moves <= l.moves
	l.mu.Unlock()
	if known {
		return false
	}
	st, err := verifyMeta(l.network, n.Name, at, n.Meta)
	return err == nil && st.person == l.person
}

// An entry is one node of memberlist.
type entry struct {
	Member
	moves  int // the counter in its name
	serial uint32
	alive  bool
	gone   time.Time   // since when it is not
	of     *generation // that said so
	// meta is what was verified last, with the address: gossip repeats itself, and a signature costs 50 µs.
	meta []byte
	at   netip.AddrPort
}

var (
	errSelf = errors.New("names this process")
	errFull = fmt.Errorf("more than %d nodes", maxNodes)
	errKey  = errors.New("the session is another person's")
	errOld  = errors.New("an older status than the one known")

	errVersion = errors.New("another version of the protocol")
)

// admit checks a node that memberlist is about to believe alive. Whoever it refuses is not a member, and not told to others.
func (l *list) admit(g *generation, n *memberlist.Node) error {
	s, moves, err := parseName(n.Name)
	if err != nil {
		return err
	}
	at := g.nodeAddr(n)
	switch {
	case s == l.self && n.Name != g.name:
		if l.copied(moves, n, at) {
			g.roster.config.Copied()
		}
		return errSelf // under its name before it moved, or somebody else's doing
	case !usable(at, g.addr):
		return fmt.Errorf("%w: address %v", errMeta, at)
	case n.PMin != memberlist.ProtocolVersionMin || n.PMax < memberlist.ProtocolVersion2Compatible || n.PCur != memberlist.ProtocolVersion2Compatible || n.DMin != 0 || n.DMax != 0 || n.DCur != 0:
		return fmt.Errorf("%w: protocol version %d", errMeta, n.PCur) // one odd version would keep all others from push/pull
	case len(n.Meta) > 0 && n.Meta[0] != l.version:
		l.foreign(at)
		return errVersion
	case l.verified(n.Name, n.Meta, at):
		return nil
	}
	st, err := verifyMeta(l.network, n.Name, at, n.Meta)
	if err != nil {
		return err
	}
	if s == l.self {
		if st.person != l.person {
			return errSelf
		}
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[n.Name]
	if e == nil {
		if l.forgetLocked(); len(l.entries) >= maxNodes || l.aliveLocked() >= maxMembers {
			return errFull
		}
		e = &entry{Member: Member{Session: s, ID: st.person}, moves: moves, gone: time.Now()}
	}
	for _, o := range l.entries {
		if o.Session == s && o.ID != st.person {
			return errKey
		}
	}
	if st.serial < e.serial {
		return errOld
	}
	e.meta, e.at = bytes.Clone(n.Meta), at
	l.entries[n.Name] = e
	return nil
}

// verified reports whether that very Meta was verified before.
func (l *list) verified(name string, meta []byte, at netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[name]
	return e != nil && e.at == at && bytes.Equal(e.meta, meta)
}

// set takes in that a node is alive with that Meta, which admit has let through.
func (l *list) set(g *generation, n *memberlist.Node) (changed bool) {
	st, _, err := decodeMeta(n.Meta)
	at := g.nodeAddr(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[n.Name]
	if err != nil || e == nil || g != l.current {
		return false // this process itself, for one
	}
	if e.Since.IsZero() || !e.alive && time.Since(e.gone) > goneFor {
		e.Since = time.Now()
	}
	e.Address, e.Status, e.serial, e.alive, e.of = at, st.Status, st.serial, true, g
	return true
}

// remove takes in that a node is dead or left. It returns where it was.
func (l *list) remove(g *generation, n *memberlist.Node) (was Member, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[n.Name]
	if e == nil || g != l.current || !e.alive {
		return Member{}, false
	}
	e.alive, e.gone = false, time.Now()
	return e.Member, true
}

// turn makes g the generation whose callbacks count. Members stay until it has found them or carryFor has passed; none: they go at once.
func (l *list) turn(g *generation) (members []Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = g
	for _, e := range l.entries {
		if g == nil && e.alive {
			e.alive, e.gone = false, time.Now()
		}
	}
	return l.membersLocked()
}

// expire removes members that a generation that is over knew and the current one has not found since at.
func (l *list) expire(at time.Time) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetLocked()
	for _, e := range l.entries {
		if e.alive && e.of != l.current && time.Since(at) >= carryFor {
			e.alive, e.gone, changed = false, time.Now(), true
		}
	}
	return changed
}

// here is who needs not be joined.
type here struct {
	sessions  map[identity.Session]bool
	addresses map[netip.AddrPort]bool
}

// here returns whom the current generation knows.
func (l *list) here() here {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := here{map[identity.Session]bool{}, map[netip.AddrPort]bool{}}
	for _, e := range l.entries {
		if e.alive && e.of == l.current {
			h.sessions[e.Session], h.addresses[e.Address] = true, true
		}
	}
	return h
}

// A node is a member as memberlist knows it.
type node struct {
	name    string
	address netip.AddrPort
}

// some returns at most that many nodes that are alive, any.
func (l *list) some(most int) (nodes []node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.entries {
		if e.alive {
			nodes = append(nodes, node{name, e.Address})
		}
	}
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes[:min(len(nodes), most)]
}

// at returns the node last known at an address.
func (l *list) at(a netip.AddrPort) node {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.entries {
		if e.Address == a {
			return node{name, a}
		}
	}
	return node{address: a}
}

// members returns who is there, by session; of one that moved only where it is now.
func (l *list) members() []Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.membersLocked()
}

func (l *list) membersLocked() []Member {
	newest := make(map[identity.Session]*entry, len(l.entries))
	since := make(map[identity.Session]time.Time)
	for _, e := range l.entries {
		if t, ok := since[e.Session]; !e.Since.IsZero() && (!ok || e.Since.Before(t)) {
			since[e.Session] = e.Since
		}
		if o := newest[e.Session]; e.alive && (o == nil || e.moves > o.moves) {
			newest[e.Session] = e
		}
	}
	out := make([]Member, 0, len(newest))
	for _, s := range slices.SortedFunc(maps.Keys(newest), func(a, b identity.Session) int { return bytes.Compare(a[:], b[:]) }) {
		m := newest[s].Member
		m.Since, m.Tags = since[s], slices.Clone(m.Tags)
		out = append(out, m)
	}
	return out
}

func (l *list) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.aliveLocked()
}

func (l *list) aliveLocked() (n int) {
	for _, e := range l.entries {
		if e.alive {
			n++
		}
	}
	return n
}

// forgetLocked forgets who left long ago.
func (l *list) forgetLocked() {
	for name, e := range l.entries {
		if !e.alive && time.Since(e.gone) > goneFor {
			delete(l.entries, name)
		}
	}
}

// usable reports whether a member may be at that address: gossip goes there on its word.
func usable(at netip.AddrPort, own netip.Addr) bool {
	a := at.Addr()
	return a.IsValid() && at.Port() != 0 && !a.IsUnspecified() && !a.IsMulticast() && (!a.IsLoopback() || own.IsLoopback())
}
