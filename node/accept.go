package node

import (
	"context"
	"time"

	"earshot/node/hub"
	"earshot/node/identity"
	"earshot/node/wire"
)

// greeting bounds the exchange of HELLO.
const greeting = 5 * time.Second

// accept takes a link that another node dialled: it greets, and returns what serves it if this node is the hub, or says who is, and nil.
func (n *Node) accept(ctx context.Context, c *identity.Conn) (serve func() error) {
	r, hello := wire.NewReader(c), new(wire.Hello)
	h, greeting := n.greet(ctx, c, r, hello)
	if h == nil {
		c.NetConn().Close()
		return nil
	}
	serve, _ = h.Begin(ctx, c, r, hello, greeting)
	return serve
}

// greet reads HELLO, and returns the hub with its own to be sent; nil: the link is not served, and has been told so.
func (n *Node) greet(ctx context.Context, c *identity.Conn, r *wire.Reader, hello *wire.Hello) (*hub.Hub, []byte) {
	ctx, cancel := context.WithTimeout(ctx, greeting) // who dialled waits no longer, and dials again
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.NetConn().Close() })
	defer stop()
	t, body, err := r.Next()
	if err != nil || t != wire.TypeHello {
		return nil, nil
	}
	if err := wire.Decode(body, hello); err != nil {
		n.log.Info("link refused", "err", err)
		return nil, nil
	}
	if hello.Session == n.session {
		return nil, nil // this very process
	}
	if hello.Look {
		c.Write(n.look())
		return nil, nil
	}
	if err := wire.CheckVersion(hello); err != nil {
		mine := n.seat.hello(nil)
		c.Write(wire.Append(nil, wire.TypeHello, &mine)) // so that the other end can say it too
		n.differ(err.Error())
		return nil, nil
	}
	h := n.seat.hold(ctx, c.Peer, hello)
	if ctx.Err() != nil {
		return nil, nil
	}
	mine := n.seat.hello(nil)
	mine.Term = n.seat.claimed()
	b := wire.Append(nil, wire.TypeHello, &mine)
	if h == nil {
		to := n.seat.elsewhere()
		c.Write(wire.Append(b, wire.TypeRedirect, &to))
		return nil, nil
	}
	return h, b
}

// hold returns the hub, waiting a moment where this node may be about to be it; nil: it is not. A hub that has no realm yet settles on one now that somebody comes.
func (s *seat) hold(ctx context.Context, from identity.PeerID, h *wire.Hello) *hub.Hub {
	s.role.Lock()
	open := s.open
	s.role.Unlock()
	if !s.follows(h.Term) {
		select {
		case <-open:
		case <-ctx.Done():
		case <-time.After(hold):
		}
	}
	for ctx.Err() == nil && s.isServing() && s.unsure(from, h) { // who is told that there is no hub here would make one
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	if !s.isServing() {
		return nil
	}
	if at, _ := s.node.gather.now(); at.alone {
		if _, err := s.node.gather.settle(func(at *gathering) identity.Realm { return s.realm(at, from, h) }); err != nil {
			s.node.log.Warn("cannot enter a realm", "err", err)
			return nil
		}
	}
	var stale *hub.Hub
	defer func() { end(stale) }()
	s.role.Lock()
	defer s.role.Unlock()
	at, _ := s.node.gather.now()
	if !s.serving || at.alone {
		return nil // that has just changed again
	}
	stale = s.staleLocked(at)
	if s.hub == nil {
		s.openLocked(at)
		s.look()
	}
	return s.hub
}

// unsure reports whether somebody who is not of this node's gathering has to wait until it shows whether this machine is still with that. Where nobody is linked it is not, and departs from it.
func (s *seat) unsure(from identity.PeerID, h *wire.Hello) bool {
	s.mu.Lock()
	strange := s.strange
	s.mu.Unlock()
	at, _ := s.node.gather.now()
	if !strange || at.alone {
		return false
	}
	if r, _, ok := s.node.gather.recognised(h.Session, from, h.Tags); ok && r == at.realm {
		return false
	}
	if h := s.current(); h != nil && h.Followers() > 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.departLocked()
	return false
}

// realm is the one in which somebody is met who says h of themselves.
func (s *seat) realm(at *gathering, from identity.PeerID, h *wire.Hello) identity.Realm {
	switch {
	case !at.alone:
		return at.realm // another came first
	case h.Realm != identity.Realm{}:
		return h.Realm
	}
	if r, ok := s.recognise(from, h); ok {
		return r
	}
	return identity.NewRealm()
}

// follows reports whether this node is linked to a hub of that term or a later one.
func (s *seat) follows(term uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way != nil && s.way.linkedLocked() && term <= s.way.seat.Term
}

func (s *seat) claimed() uint64 {
	s.role.Lock()
	defer s.role.Unlock()
	if !s.serving {
		return 0
	}
	return s.term
}

// elsewhere says who the hub is, as far as this node knows.
func (s *seat) elsewhere() wire.Redirect {
	s.mu.Lock()
	w := s.way
	var to wire.Redirect
	if w != nil && w.linkedLocked() {
		to.Hub, to.Term = identity.Session(w.seat.Hub), w.seat.Term
	}
	s.mu.Unlock()
	to.Address = s.addresses(to.Hub)
	return to
}
