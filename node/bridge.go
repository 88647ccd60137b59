package node

import (
	"slices"
	"time"

	"earshot/node/election"
	"earshot/node/identity"
)

const (
	// bridgeFor is how long this machine goes on ranking above the others when nobody seems to need it any more: a link that breaks is up again by then.
	bridgeFor = 30 * time.Second
	// bridgeRest is how long it does not try again where that was of no use, doubled each time up to bridgeRestMax.
	bridgeRest, bridgeRestMax = time.Minute, time.Hour
)

// A bridge is what a machine with cards in two networks knows of them. Discovery tells on which interfaces an instance was heard: two that were heard on different ones reach each other
// only if something routes between them. Where one is the hub, and the other says that it cannot reach it, this machine should be the hub, and says so by its class (election.Bridge) for as
// long as it has followers on both sides. That somebody cannot reach the hub is not enough: where all are in one network a firewall or a broken cable is in between, which
// does not move the hub. All of it is under seat.mu.
type bridge struct {
	links map[identity.Session][]string // the interfaces an instance was heard on
	until time.Time                     // it ranks above the others till then
	used  bool                          // and had followers on both sides
	rest  time.Duration
	next  time.Time // not to be tried before
}

// heardOnLocked notes on which interfaces an instance was heard, and reports whether that is news: it may come after all else that says that this machine is needed.
func (s *seat) heardOnLocked(id identity.Session, links []string) (news bool) {
	if len(links) == 0 || id == (identity.Session{}) {
		return false
	}
	was, ok := s.bridge.links[id]
	if !ok && len(s.bridge.links) >= maxHints {
		clear(s.bridge.links) // they are heard again
	}
	links = slices.Sorted(slices.Values(links))
	s.bridge.links[id] = links
	return !slices.Equal(was, links)
}

// apart reports whether two instances were heard, and on no interface both.
func (b *bridge) apart(x, y election.ID) bool {
	of, other := b.links[identity.Session(x)], b.links[identity.Session(y)]
	return len(of) > 0 && len(other) > 0 && !slices.ContainsFunc(of, func(l string) bool { return slices.Contains(other, l) })
}

// bridgesLocked reports whether this machine is to rank above the others.
func (s *seat) bridgesLocked(in election.Input, serving bool) bool {
	b, now := &s.bridge, time.Now()
	up := now.Before(b.until)
	switch {
	case serving && up && b.joins(in):
		b.until, b.used = now.Add(bridgeFor), true
	case !serving && (up || !now.Before(b.next)) && b.missed(in):
		b.until = now.Add(bridgeFor)
	case !up && b.used:
		b.used, b.rest, b.until = false, 0, time.Time{}
	case !up && !b.until.IsZero():
		b.rest = min(max(2*b.rest, bridgeRest), bridgeRestMax)
		b.until, b.next = time.Time{}, now.Add(b.rest)
	}
	if now.Before(b.next) {
		s.retryAt(b.next) // nobody says again what was lost
	}
	if up = now.Before(b.until); up {
		s.retryAt(b.until)
	}
	return up
}

// class is what this machine ranks as now.
func (s *seat) class() election.Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.node.config.class(); c == election.Never || !time.Now().Before(s.bridge.until) {
		return c
	}
	return election.Bridge
}

// joins reports whether followers of this hub are in different networks.
func (b *bridge) joins(in election.Input) bool {
	for i, m := range in.Members {
		if m.Linked && slices.ContainsFunc(in.Members[:i], func(o election.Member) bool { return o.Linked && b.apart(m.ID, o.ID) }) {
			return true
		}
	}
	return false
}

// missed reports whether a hub is out of the reach of somebody in another network.
func (b *bridge) missed(in election.Input) bool {
	for _, hub := range in.Members {
		if hub.Hub && slices.ContainsFunc(in.Members, func(m election.Member) bool { return m.Lost.Hub == hub.ID && b.apart(hub.ID, m.ID) }) {
			return true
		}
	}
	return false
}
