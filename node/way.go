package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"earshot/node/election"
	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/link"
	"earshot/node/message"
	"earshot/node/wire"
)

// A way is one link to one hub, or to whoever answers at addresses given by hand, as the election sees it.
type way struct {
	owner *seat
	link  *link.Link
	hand  bool             // whoever answers will do
	via   identity.Session // where who answered by hand sent this node last
	stop  context.CancelFunc
	ended chan struct{}

	// What follows is under seat.mu.
	tries     int
	seat      election.Seat
	state     election.LinkState
	since     time.Time
	successor election.ID
	peer      identity.PeerID
	nick      string
	complain  string // told the user already
	trip      time.Duration
}

func (w *way) linked() bool {
	w.owner.mu.Lock()
	defer w.owner.mu.Unlock()
	return w.linkedLocked()
}

// follow works the way that the election wants, or the one given by hand where there is no other.
func (s *seat) follow(ctx context.Context, a election.Action) {
	s.mu.Lock()
	w := s.way
	s.mu.Unlock()
	hand := len(s.node.config.Join) > 0
	over := false
	if w != nil {
		select {
		case <-w.ended:
			over = true
		default:
		}
	}
	switch {
	case a.Follow.Hub != election.ID{}:
		far := !s.member(a.Follow.Hub)
		if w != nil && !over && w.hand == far && w.aims(a.Follow.Hub) {
			return
		}
		s.resume(ctx, w, over, a.Follow, far)
	case hand && !(a.Hub && a.Claim.Weight > 0):
		if w != nil && !over && w.hand {
			return
		}
		s.resume(ctx, w, over, election.Seat{}, true)
	default:
		s.drop()
	}
}

// resume begins a way. One that ended to the same aim rests first.
func (s *seat) resume(ctx context.Context, old *way, over bool, to election.Seat, hand bool) {
	if old != nil && over && old.aims(to.Hub) {
		if till := old.last().Add(again); time.Now().Before(till) {
			s.retryAt(till)
			return
		}
	}
	if old != nil && !over {
		s.leave(old)
	}
	s.drop()
	if ctx.Err() != nil {
		return
	}
	s.settle()
	n := s.node
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // quit says goodbye first
	w := &way{owner: s, hand: hand, stop: stop, ended: make(chan struct{}), seat: to, state: election.Dialing, since: time.Now()}
	c := link.Config{
		Dial: func(ctx context.Context, address string) (*identity.Conn, error) {
			if s.own(address) {
				return nil, fmt.Errorf("dial %s, which is this instance's own: %w", address, syscall.ECONNREFUSED)
			}
			began := time.Now()
			c, err := n.port.Dial(ctx, address, identity.ProtoChat, s.expected(w))
			if err == nil {
				s.suffice(2 * time.Since(began))
			}
			return c, err
		},
		Patience: func() time.Duration {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.patience
		},
		Addresses: func() []string { return s.route(w) },
		Hello:     func() wire.Hello { return s.hello(w) },
		Enter: func(ctx context.Context, hub *wire.Hello, r identity.Realm) (*exchange.Exchange, error) {
			return s.enter(hub, r)
		},
		Report: func(r link.Report) { s.report(w, r) },
		Presence: func(p wire.Presence) {
			n.people.presence(p)
			s.learn(p)
		},
		Order: func(o wire.Order) {
			at, _ := n.gather.now()
			at.exchange.Witness(slices.Contains(o.Witnesses, n.session))
			s.mu.Lock()
			s.order = o
			s.mu.Unlock()
			s.look()
		},
		CaughtUp: n.complete,
		Notes:    n.note,
		Typing:   n.typing.since,
		Typist:   n.typing.heard,
		Trip:     func(trip time.Duration, news bool) { s.tripped(w, trip, news) },
		Log:      n.log,
	}
	if !hand {
		c.Hub = identity.Session(to.Hub)
	}
	w.link = link.New(c)
	s.mu.Lock()
	s.way, w.via = w, s.sent
	s.mu.Unlock()
	go func() {
		w.link.Run(ctx)
		stop()
		close(w.ended)
		s.look()
	}()
}

// suffice sets how long the next dial may take.
func (s *seat) suffice(patience time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patience = min(patience, maxPatience)
}

// tripped takes how long a word takes to the hub and back.
func (s *seat) tripped(w *way, trip time.Duration, news bool) {
	s.mu.Lock()
	w.trip = trip
	s.mu.Unlock()
	if news {
		s.node.watch.wake()
	}
}

// leave notes that a way that works is given up for another: nothing is lost by that.
func (s *seat) leave(w *way) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.linkedLocked() {
		s.handed = time.Now().Add(handover)
	}
}

// aims reports whether the way leads to that hub.
func (w *way) aims(hub election.ID) bool {
	w.owner.mu.Lock()
	defer w.owner.mu.Unlock()
	return w.seat.Hub == hub
}

func (w *way) last() time.Time {
	w.owner.mu.Lock()
	defer w.owner.mu.Unlock()
	return w.since
}

// drop ends the way under way, if there is one.
func (s *seat) drop() {
	s.mu.Lock()
	w := s.way
	s.way = nil
	s.mu.Unlock()
	if w != nil {
		w.stop()
		<-w.ended
	}
}

// report takes in how the link stands.
func (s *seat) report(w *way, r link.Report) {
	s.mu.Lock()
	defer s.look()
	defer s.mu.Unlock()
	if s.way != w {
		return // given up
	}
	states := map[link.State]election.LinkState{link.Dialing: election.Dialing, link.Linked: election.Linked, link.Refused: election.Refused,
		link.Silent: election.Silent, link.Parted: election.Parted, link.Rejected: election.Silent}
	state := states[r.State]
	if state == election.Dialing && (w.state == election.Refused || w.state == election.Silent) {
		return // it goes on trying: that is no news
	}
	if r.State == link.Linked || r.State == link.Parted {
		w.peer, w.nick = r.Peer, message.ShowNick(r.Hello.Nick)
		w.seat = election.Seat{Hub: election.ID(r.Hello.Session), Term: r.Hello.Term}
		w.successor = election.ID(r.Successor)
		s.hintLocked(r.Successor, r.Address)
		if w.hand {
			s.sent = r.Successor
		}
	}
	if r.Leaving {
		s.node.people.left(r.Hello.Session)
	}
	if r.State == link.Parted && w.successor != (election.ID{}) {
		s.handed = time.Now().Add(handover)
	}
	if r.State == link.Linked {
		s.strange, s.handed = false, time.Time{}
		w.complain = ""
		s.node.people.linger() // now: who is with that hub by now is told before this node shows that it follows it
	}
	if w.state != state {
		w.state, w.since = state, time.Now()
		if r.State == link.Silent {
			s.patience = min(2*max(s.patience, link.Patience), maxPatience)
		}
	}
	if r.State == link.Rejected {
		s.complainLocked(w, r.Err)
	} else if w.hand && s.beyond.from == "" && (r.State == link.Silent || r.State == link.Refused) && r.Err != nil && !errors.Is(r.Err, context.DeadlineExceeded) {
		s.beyond.told = true
		s.complainLocked(w, fmt.Errorf("cannot reach the address given by hand: %w", r.Err))
	}
}

// complainLocked tells the user once.
func (s *seat) complainLocked(w *way, err error) {
	hint := "check the address and that earshot runs there; it goes on trying"
	switch {
	case errors.Is(err, wire.ErrVersion) && !w.hand:
		s.node.differ(err.Error())
		return
	case errors.Is(err, wire.ErrVersion):
		hint = sameVersion
	case errors.Is(err, identity.ErrProof):
		if !w.hand {
			return // another network: nothing that concerns this one
		}
		hint = "the other side may be in another network, or use another key: compare earshot key show"
	case errors.Is(err, link.ErrTurnedAway):
		hint = "more may run at this machine's address than it takes from one: start those that may be the hub with a higher --per-ip; earshot goes on trying"
	}
	if w.complain == err.Error() {
		return
	}
	w.complain = err.Error()
	s.node.notice(err.Error(), hint)
}

// hello is what this node says of itself to the hub at the other end of w, or where that is nil to who has dialled it.
func (s *seat) hello(w *way) wire.Hello {
	n := s.node
	at, _ := n.gather.now()
	h := wire.Hello{Version: wire.Version, Software: Software, Session: n.session, Host: n.host, Nick: n.Nick(), Class: uint8(n.config.class()), Port: uint16(n.port.Number()),
		Tags: n.gather.tags(n.session)}
	h.Profile = n.met.shown()
	if w != nil { // a hub is told what it need not say; to tell everyone who comes it would go through all it has met
		h.Known = n.met.marks()
	}
	if now, sure := n.gather.clock.Sure(); sure {
		h.Net = now.UnixMilli()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !at.alone && !s.strange {
		h.Realm = at.realm
	}
	if w != nil {
		h.Term = w.seat.Term
	}
	if w != nil && w.hand {
		h.Class, h.LinkOnly = 0, true
	}
	return h
}

// enter is link.Config.Enter: the hub is in that realm.
func (s *seat) enter(hub *wire.Hello, r identity.Realm) (*exchange.Exchange, error) {
	s.node.gather.learn(hub.Net)
	at, err := s.node.gather.enter(r)
	if err != nil {
		return nil, err
	}
	return at.exchange, nil
}

// settle enters a realm that another instance here knows too, before this node links to a hub that may not know it.
func (s *seat) settle() {
	if at, _ := s.node.gather.now(); !at.alone {
		return
	}
	if r, ok := s.recognise(identity.PeerID{}, nil); ok {
		if _, err := s.node.gather.enter(r); err != nil {
			s.node.log.Warn("cannot enter a realm", "err", err)
		}
	}
}

// recognise returns the most recent realm shared with any instance present, and with the one that from is and h describes.
func (s *seat) recognise(from identity.PeerID, h *wire.Hello) (best identity.Realm, ok bool) {
	var last time.Time
	consider := func(id identity.Session, p identity.PeerID, tags [][8]byte) {
		if r, t, shared := s.node.gather.recognised(id, p, tags); shared && (!ok || t.After(last)) {
			best, last, ok = r, t, true
		}
	}
	for _, m := range s.node.roster.Members() {
		consider(m.Session, m.ID, m.Tags)
	}
	if h != nil {
		consider(h.Session, from, h.Tags)
	}
	return best, ok
}
