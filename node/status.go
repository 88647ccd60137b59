package node

import (
	"net/netip"
	"slices"
	"time"

	"earshot/node/election"
	"earshot/node/identity"
	"earshot/node/wire"
)

func (w *way) linkedLocked() bool { return w.state == election.Linked }

// show makes of the role what people see.
func (s *seat) show(a election.Action) {
	n := s.node
	status := HubChanged{State: Searching}
	s.mu.Lock()
	w := s.way
	switch {
	case a.Hub:
		status = HubChanged{State: Serving, HubID: n.who.ID(), Term: a.Claim.Term}
	case w != nil && w.linkedLocked():
		status = HubChanged{State: Linked, Hub: w.nick, HubID: w.peer, Term: w.seat.Term}
	}
	handed, redials := s.handed, w != nil && w.state == election.Dialing && w.peer != (identity.PeerID{})
	s.mu.Unlock()
	switch {
	case status.State != Searching:
	case redials:
		return // it shows in a moment whether the hub is there: where packets are lost it mostly is
	case time.Now().Before(handed):
		s.retryAt(handed)
		return // the next hub is known: nothing is lost
	}
	n.mu.Lock()
	old := n.status
	if status.State == Searching && old.State != Searching { // it had one
		status = HubChanged{State: Lost, Hub: old.Hub, HubID: old.HubID, Term: old.Term}
	}
	if status == old {
		n.mu.Unlock()
		return
	}
	n.status, n.since = status, time.Now()
	n.mu.Unlock()
	if status.HubID != old.HubID || (status.State == Lost) != (old.State == Lost) {
		id := status.HubID
		if status.State == Lost {
			id = identity.PeerID{}
		}
		n.people.follow(id)
		if status.State == Serving {
			s.tell()
		}
	}
	if status.State == Serving && s.current() == nil {
		n.caught() // nobody to exchange with
	}
	n.watch.wake()
}

// complete: what the hub had has come.
func (n *Node) complete() {
	at, _ := n.gather.now()
	at.meet()
	n.caught()
}

// caught: what the others had has come, or there are none.
func (n *Node) caught() {
	_, version := n.gather.now()
	n.mu.Lock()
	n.caughtUp = version + 1
	n.mu.Unlock()
	n.watch.wake()
}

// note gives this node's own note where it changed since.
func (n *Node) note(since uint64) (*wire.Note, uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.noted == since {
		return nil, since
	}
	away := n.away
	return &wire.Note{Nick: n.nick, Away: &away, Why: n.why}, n.noted
}

// trips is how long a word takes to people and back, as this node knows as the hub: to the nearest of their instances.
func (n *Node) trips() map[identity.PeerID]time.Duration {
	h := n.seat.current()
	if h == nil {
		return nil
	}
	trips := map[identity.PeerID]time.Duration{}
	for session, trip := range h.Trips() {
		if p, ok := n.people.instance(session); ok && (trips[p.ID] == 0 || trip < trips[p.ID]) {
			trips[p.ID] = trip
		}
	}
	return trips
}

// Hub says who the hub is, Here how many people there are with this one, Peers how many other instances the roster has, Address this node's own, as others are told it: what is asked often
// or again and again, of all that Snapshot says.
func (n *Node) Hub() HubChanged {
	n.mu.Lock()
	status := n.status
	n.mu.Unlock()
	return n.asShown(status)
}

func (n *Node) Here() int {
	list, _ := n.people.all()
	return len(list)
}

func (n *Node) Peers() int { return len(n.roster.Members()) }

func (n *Node) Address() (a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.moved) > 0 {
		a = n.moved[0]
	}
	return a
}

// asShown gives a hub the nick that it is shown by now: it may have another than when this node came to it, or one that is somebody else's.
func (n *Node) asShown(h HubChanged) HubChanged {
	switch p, here := n.people.person(h.HubID); {
	case h.HubID == n.who.ID():
		h.Hub = n.Nick()
	case here:
		h.Hub = p.Nick
	case h.Hub != "":
		h.Hub = n.people.name(h.HubID, h.Hub)
	}
	return h
}

// Snapshot says how things stand.
func (n *Node) Snapshot() Snapshot {
	at, _ := n.gather.now()
	people, _ := n.people.all()
	s := Snapshot{Network: n.network.Name(), Closed: n.network.Closed(), Port: n.port.Number(), People: slices.Clone(people), Rooms: n.rooms(), Realms: n.gather.realms(), Undecided: at.alone}
	n.mu.Lock()
	s.Hub, s.Since = n.status, n.since
	n.mu.Unlock()
	s.Hub = n.asShown(s.Hub)
	s.Address, s.Ignored = n.Address(), n.ignored()
	s.Latency, s.Typing, s.Silent, s.Receipts = n.seat.trip(), n.typists(), n.profile.get().Silent, !n.profile.get().Discreet
	n.rekey.mu.Lock()
	s.Key = n.rekey.here.progress(time.Now())
	n.rekey.mu.Unlock()
	trips := n.trips()
	for i := range s.People {
		p := &s.People[i]
		if p.Latency = trips[p.ID]; p.Hub && !p.Me {
			p.Latency = s.Latency
		}
		if p.Me {
			s.Me = *p
		}
	}
	me := Candidate{Session: n.session, ID: n.who.ID(), Nick: s.Me.Nick, Class: uint8(n.seat.class()), Hub: s.Hub.State == Serving, Term: s.Hub.Term, Me: true}
	if s.Address.IsValid() {
		me.Address = netip.AddrPortFrom(s.Address, uint16(s.Port)).String()
	}
	s.Candidates = []Candidate{me}
	for _, m := range n.roster.Members() {
		c := Candidate{Session: m.Session, ID: m.ID, Address: m.Address.String(), Class: m.Class, Hub: m.Hub, Weight: m.Weight, Term: m.Term, Nick: "?"}
		if p, ok := n.people.instance(m.Session); ok {
			c.Nick = n.people.name(p.ID, p.Nick)
		}
		s.Candidates = append(s.Candidates, c)
	}
	return s
}
