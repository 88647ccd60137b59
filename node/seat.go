package node

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"sync"
	"time"

	"earshot/node/election"
	"earshot/node/hub"
	"earshot/node/identity"
	"earshot/node/link"
	"earshot/node/message"
	"earshot/node/roster"
	"earshot/node/wire"
)

// A seat runs the election for a node, and plays the role that comes of it: it serves the hub, or works the way to it. Its goroutine (run) alone steps the election and starts and
// stops roles; everything else reports into the fields under mu and asks it to look.
type seat struct {
	node     *Node
	election *election.Election
	began    time.Time
	kick     chan struct{} // room for one

	// What follows belongs to run.
	published *roster.Status // nil: nothing yet
	retry     time.Time      // when to look again: a way that ended may be tried then

	// role protects what follows: accept must not serve a hub that is being closed.
	role    sync.Mutex
	owners  map[identity.Session]identity.PeerID // of all whom the roster has shown, also of those who are away: for the next hub, which the last one's memory ends with
	hub     *hub.Hub
	serving bool
	term    uint64
	open    chan struct{} // closed while serving: callers are held until then

	// mu protects what follows.
	mu      sync.Mutex
	way     *way
	order   wire.Order
	sent    identity.Session              // to it the last who answered by hand sent this node
	hints   map[identity.Session][]string // addresses by instance, as discovery, goodbyes and redirects told
	learned []string                      // addresses of those who could be the hub, for who cannot find them otherwise
	met     map[netip.AddrPort]time.Time
	strange bool      // this machine may be in another place than the gathering,
	movedAt time.Time // since then
	beyond  beyond
	bridge  bridge
	handed  time.Time // until then the way to the next hub, which the last one named or was left for, is no loss

	// patience is for the next dial: twice what the last one took, or what was not enough. Across a slow network it takes four round trips, and who called each hub lost meanwhile would let none become one.
	patience time.Duration
}

const (
	// hold is how long a caller waits for a node that is about to be the hub.
	hold = 500 * time.Millisecond
	// maxHints bounds the instances whose addresses are remembered.
	maxHints = 1024
	// maxMet bounds the addresses kept for the next start.
	maxMet = 32
	// handover is how long a handover may take before it counts as a loss.
	handover = time.Second
	// settled is after how long a link that is still up shows that a machine whose addresses changed is where it was: a dead one has ended by then.
	settled = 6 * time.Second
	// overslept is a delay of run that is worth a line in the log: the election mistrusts a seat after it.
	overslept = 700 * time.Millisecond
	// maxPatience bounds that: round trips of half a second.
	maxPatience = 8 * link.Patience
	// again is how long a way that ended rests before the same is tried again.
	again = 150 * time.Millisecond
)

func newSeat(n *Node) *seat {
	now := time.Now()
	return &seat{node: n, election: election.New(election.ID(n.session), n.config.class(), now), began: now, kick: make(chan struct{}, 1), open: make(chan struct{}),
		owners: map[identity.Session]identity.PeerID{}, hints: map[identity.Session][]string{}, met: map[netip.AddrPort]time.Time{}, bridge: bridge{links: map[identity.Session][]string{}}}
}

// look asks run to look at what is known.
func (s *seat) look() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run plays until ctx ends, then says goodbye.
func (s *seat) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		leaving := ctx.Err() != nil
		s.retry = time.Time{}
		in := s.input(leaving)
		action, wake := s.election.Step(time.Now(), in)
		s.play(ctx, action, in)
		if leaving {
			s.quit()
			return
		}
		if !s.retry.IsZero() && (wake.IsZero() || s.retry.Before(wake)) {
			wake = s.retry
		}
		var due <-chan time.Time
		if !wake.IsZero() {
			wake = s.node.roster.Round(wake)
			timer.Reset(time.Until(wake))
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-s.kick:
		case <-due:
		}
		if late := time.Since(wake); !wake.IsZero() && late > overslept {
			s.node.log.Info("this process did not run", "for", late.Round(time.Millisecond))
		}
	}
}

// input collects what is known.
func (s *seat) input(leaving bool) election.Input {
	n := s.node
	at, _ := n.gather.now()
	in := election.Input{Leaving: leaving, Slept: slept(s.began), Unfit: at.journal.Err() != nil || n.config.Beside != nil}
	members := n.roster.Members()
	s.ascribe(members)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range members {
		in.Members = append(in.Members, election.Member{ID: election.ID(m.Session), Class: election.Class(m.Class), Hub: m.Hub, Weight: m.Weight, Term: m.Term,
			Lost: election.Seat{Hub: election.ID(m.LostHub), Term: m.LostTerm}, Since: m.Since})
		s.meetLocked(m.Address)
	}
	if h := s.current(); h != nil {
		linked := h.Linked()
		for i, m := range in.Members {
			in.Members[i].Linked = linked[identity.Session(m.ID)]
		}
		in.Followers = len(linked)
	}
	if w := s.way; w != nil {
		in.Link, in.Seat, in.Since, in.Successor = w.state, w.seat, w.since, w.successor
		if s.isServing() && w.state != election.Linked {
			in.Link, in.Seat = election.Idle, election.Seat{}
		}
	}
	for _, o := range s.order.Successors {
		in.Order = append(in.Order, election.ID(o))
	}
	if s.strange {
		s.placeLocked(in)
	}
	in.Bridge = s.bridgesLocked(in, s.isServing())
	return in
}

// ascribe notes whose sessions these are: the first's who had one. The roster forgets after a minute.
func (s *seat) ascribe(members []roster.Member) {
	s.role.Lock()
	defer s.role.Unlock()
	for _, m := range members {
		if _, known := s.owners[m.Session]; !known {
			if len(s.owners) >= maxPeople {
				clear(s.owners)
			}
			s.owners[m.Session] = m.ID
		}
	}
}

// placeLocked finds out whether this machine, which moved, is still with its gathering: links that are up much later than it takes to notice a dead one say so, and
// when nobody is left it is not.
func (s *seat) placeLocked(in election.Input) {
	with := in.Followers > 0 || in.Link == election.Linked
	switch known := s.movedAt.Add(settled); {
	case with && !time.Now().Before(known):
		s.strange = false
	case with:
		s.retryAt(known)
	case len(in.Members) == 0:
		s.departLocked()
	}
}

// retryAt has run look again at t at the latest.
func (s *seat) retryAt(t time.Time) {
	if s.retry.IsZero() || t.Before(s.retry) {
		s.retry = t
	}
}

// departLocked leaves the gathering of another place.
func (s *seat) departLocked() {
	s.strange = false
	if err := s.node.gather.depart(); err != nil {
		s.node.broke(err)
		return
	}
	s.role.Lock()
	at, _ := s.node.gather.now()
	stale := s.staleLocked(at)
	s.role.Unlock()
	end(stale)
	if at.alone {
		s.node.people.serve(nil) // nobody tells any more who is there
	}
}

// play does what the election says.
func (s *seat) play(ctx context.Context, a election.Action, in election.Input) {
	if a.Hub {
		s.serve(a)
	} else {
		s.yield(a, in.Leaving)
	}
	s.follow(ctx, a)
	s.publish(roster.Status{Class: uint8(a.Claim.Class), Hub: a.Hub, Weight: a.Claim.Weight, Term: a.Claim.Term, LostHub: identity.Session(a.Lost.Hub),
		LostTerm: a.Lost.Term, Tags: s.node.gather.tags(s.node.session)})
	s.show(a)
	s.tellBeyond(in)
}

// publish tells the roster what is new. A term that rose is not worth a message of its own while this node does not claim.
func (s *seat) publish(status roster.Status) {
	if s.published != nil {
		old := *s.published
		if !status.Hub {
			old.Term = status.Term
		}
		if reflect.DeepEqual(old, status) {
			return
		}
	}
	s.published = &status
	s.node.roster.Publish(status)
}

// serve takes or keeps the seat.
func (s *seat) serve(a election.Action) {
	var stale *hub.Hub
	defer func() { end(stale) }()
	s.role.Lock()
	defer s.role.Unlock()
	if !s.serving {
		s.serving = true
		close(s.open)
		s.node.log.Info("serving as the hub", "term", a.Claim.Term)
	}
	s.term = a.Claim.Term
	at, _ := s.node.gather.now()
	stale = s.staleLocked(at)
	if s.hub == nil && !at.alone {
		s.openLocked(at)
	}
	if s.hub != nil {
		var successors []identity.Session
		for _, id := range a.Order {
			successors = append(successors, identity.Session(id))
		}
		s.hub.SetOrder(a.Claim.Term, successors)
	}
}

// staleLocked takes away a hub whose gathering this node has left. It is to be ended without the lock: that takes a moment.
func (s *seat) staleLocked(at *gathering) (stale *hub.Hub) {
	if s.hub != nil && s.hub.Exchange() != at.exchange {
		stale, s.hub = s.hub, nil
		s.node.serving.Store(false)
	}
	return stale
}

func end(stale *hub.Hub) {
	if stale != nil {
		stale.Close(wire.Bye{})
	}
}

// openLocked makes the hub of a gathering.
func (s *seat) openLocked(at *gathering) {
	n := s.node
	s.hub = hub.New(hub.Config{Exchange: at.exchange, Self: s.self(), Places: s.places, Owners: s.owners, Log: n.log, Changed: func() {
		s.tell()
		s.look()
	}, Typing: n.typing.heard, Measured: n.watch.wake, CaughtUp: at.meet})
	n.serving.Store(true)
	n.caught()
}

// tell says who is here as this node's hub has it, if there is one: under the lock, so that it comes neither after what is newer nor after what the next hub says.
func (s *seat) tell() {
	s.role.Lock()
	defer s.role.Unlock()
	if s.hub != nil {
		s.node.people.serve(s.hub.People())
	}
}

// yield gives the seat up, if this node had it.
func (s *seat) yield(a election.Action, leaving bool) {
	s.role.Lock()
	if !s.serving {
		s.role.Unlock()
		return
	}
	h := s.hub
	s.hub, s.serving, s.open = nil, false, make(chan struct{})
	s.node.serving.Store(false)
	s.role.Unlock()
	to := identity.Session(a.HandOver)
	s.node.log.Info("no longer the hub", "successor", to)
	if to != (identity.Session{}) {
		s.mu.Lock()
		s.handed = time.Now().Add(handover)
		s.mu.Unlock()
	}
	if h != nil {
		h.Close(wire.Bye{Successor: to, Address: s.addresses(to), Leaving: leaving})
	}
}

func (s *seat) current() *hub.Hub {
	s.role.Lock()
	defer s.role.Unlock()
	return s.hub
}

func (s *seat) isServing() bool {
	s.role.Lock()
	defer s.role.Unlock()
	return s.serving
}

// self is this node's entry in the presence.
func (s *seat) self() wire.Person {
	n := s.node
	n.mu.Lock()
	defer n.mu.Unlock()
	p := wire.Person{Session: n.session, ID: n.who.ID(), Nick: n.nick, Away: n.away, Why: n.why, Host: n.host, Class: uint8(n.config.class())}
	p.Profile = n.met.shown()
	for _, a := range n.moved[:min(len(n.moved), wire.MaxAddress)] {
		p.Address = append(p.Address, net.JoinHostPort(a.String(), strconv.Itoa(n.port.Number())))
	}
	return p
}

// noted spreads a changed nick or absence.
func (s *seat) noted() {
	if h := s.current(); h != nil {
		h.SetSelf(s.self())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way != nil {
		s.way.link.Poke()
	}
}

// typed says that the user types.
func (s *seat) typed(room message.RoomID) {
	if h := s.current(); h != nil {
		h.Typing(wire.Typing{Room: room, Who: s.node.who.ID()})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way != nil {
		s.way.link.Poke()
	}
}

// trip is how long a word takes to the hub and back; 0: that is not known, or this is the hub.
func (s *seat) trip() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way == nil || !s.way.linkedLocked() {
		return 0
	}
	return s.way.trip
}

// quit says goodbye to the hub, if there is one, and waits a moment for that to be heard.
func (s *seat) quit() {
	s.mu.Lock()
	w := s.way
	s.mu.Unlock()
	if w == nil {
		return
	}
	if w.linked() {
		w.link.Leave()
		select {
		case <-w.ended:
		case <-time.After(hold):
		}
	}
	s.drop()
}

// with reports whether this node is linked to anybody.
func (s *seat) with() bool {
	h := s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	return h != nil && h.Followers() > 0 || s.way != nil && s.way.linkedLocked()
}

// moved: the addresses of this machine changed; elsewhere: it may be in another place.
func (s *seat) moved(elsewhere bool) {
	if elsewhere {
		s.mu.Lock()
		s.strange, s.movedAt = true, time.Now()
		s.mu.Unlock()
	}
	s.look()
}
