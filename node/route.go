package node

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"earshot/node/election"
	"earshot/node/identity"
	"earshot/node/wire"
)

// Where instances may be reached: as the roster, discovery, goodbyes, redirects and the hub's presence tell.

// expected is the person at the end of w, as far as the roster knows.
func (s *seat) expected(w *way) *identity.PeerID {
	s.mu.Lock()
	hub := identity.Session(w.seat.Hub)
	s.mu.Unlock()
	for _, m := range s.node.roster.Members() {
		if !w.hand && m.Session == hub {
			return &m.ID
		}
	}
	return nil
}

// member reports whether the roster has an instance: who is not in it is out of its reach.
func (s *seat) member(id election.ID) bool {
	for _, m := range s.node.roster.Members() {
		if m.Session == identity.Session(id) {
			return true
		}
	}
	return len(s.node.config.Join) == 0 // without an address given by hand there is no other way to have heard of it
}

// route lists where the hub that w leads to may be reached, best first.
func (s *seat) route(w *way) []string {
	s.mu.Lock()
	to, hand := identity.Session(w.seat.Hub), w.hand
	if to == (identity.Session{}) {
		to = w.via
	}
	learned := slices.Clone(s.learned)
	w.tries++
	every := w.tries%2 == 0
	s.mu.Unlock()
	out := s.addresses(to)
	if hand && (every || len(out) == 0) { // every other time: who is nearer than the hub would only send us on to it
		out = append(append(out, s.node.config.Joins()...), learned...)
	}
	return unique(out)
}

// own reports whether this very process listens at an address. One that was killed and started again finds itself where the roster still has the dead one.
func (s *seat) own(address string) bool {
	a, err := netip.ParseAddrPort(address)
	if err != nil || int(a.Port()) != s.node.port.Number() {
		return false
	}
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	return slices.ContainsFunc(s.node.moved, func(b netip.Addr) bool { return a.Addr().WithZone("") == b.WithZone("") })
}

// addresses lists where an instance may be reached.
func (s *seat) addresses(id identity.Session) []string {
	if id == (identity.Session{}) {
		return nil
	}
	var out []string
	for _, m := range s.node.roster.Members() {
		if m.Session == id {
			out = s.node.roster.Addresses(m)
		}
	}
	s.mu.Lock()
	out = append(out, s.hints[id]...)
	s.mu.Unlock()
	if p, ok := s.node.people.instance(id); ok {
		out = append(out, p.Address...)
	}
	return onWire(out)
}

// places is hub.Config's.
func (s *seat) places(id identity.Session, from string) []string {
	return onWire(append([]string{from}, s.addresses(id)...))
}

// onWire is a list of addresses as it is told to others, and bounded.
func onWire(addresses []string) []string {
	list := unique(addresses)
	return list[:min(len(list), wire.MaxAddress)]
}

func unique(list []string) []string {
	var out []string
	for _, a := range list {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// learn keeps the addresses of those who could be the next hub.
func (s *seat) learn(p wire.Presence) {
	if len(s.node.config.Join) == 0 {
		return
	}
	learned := s.node.people.addresses()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(learned) > 0 {
		s.learned = learned[:min(len(learned), maxMet)]
	}
	for _, q := range p.Here {
		s.hintLocked(q.Session, q.Address)
	}
}

// found remembers where an instance may be reached.
func (s *seat) found(id identity.Session, addresses []netip.AddrPort, links []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heardOnLocked(id, links) {
		s.look()
	}
	var hint []string
	for _, a := range addresses {
		hint = append(hint, a.String())
	}
	s.hintLocked(id, hint)
}

func (s *seat) hintLocked(id identity.Session, addresses []string) {
	if len(addresses) == 0 || id == (identity.Session{}) {
		return
	}
	if _, ok := s.hints[id]; !ok && len(s.hints) >= maxHints {
		clear(s.hints) // the roster knows those that matter
	}
	s.hints[id] = addresses
}

func (s *seat) meetLocked(a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	s.met[a] = time.Now()
	for len(s.met) > 2*maxMet {
		oldest := a
		for b, t := range s.met {
			if t.Before(s.met[oldest]) {
				oldest = b
			}
		}
		delete(s.met, oldest)
	}
}

// remember returns the addresses met, the newest first.
func (s *seat) remember() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.SortedFunc(maps.Keys(s.met), func(a, b netip.AddrPort) int { return cmp.Or(s.met[b].Compare(s.met[a]), a.Compare(b)) })
	return out[:min(len(out), maxMet)]
}
