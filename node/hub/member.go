package hub

import (
	"sync/atomic"
	"time"

	"earshot/node/identity"
	"earshot/node/wire"
)

// A member is one link: exchange.Control for it.
type member struct {
	hub     *Hub
	conn    *identity.Conn
	address string // where it is
	poke    func() // nil: not begun

	trip atomic.Int64 // how long a word takes there and back, in ns; 0: not known. Thousands tell it each second, and none is to wait for the others

	// After join only under hub.mu.
	person  wire.Person
	typedAt time.Time // when this follower said last that its user types

	// What follows is the writer's.
	typed   uint64    // number of the last Typing told
	told    uint64    // number of the last batch told, or that the whole presence told goes up to; 0: nothing yet
	rest    [][]byte  // of that, frames that are still to be told
	known   [][8]byte // marks of profiles that the other end had when it came, ascending
	ordered uint64    // Hub.ordered, as told
	bye     bool
}

// Begin has presence told from now on.
func (m *member) Begin(poke func()) {
	m.hub.mu.Lock()
	m.poke = poke
	m.hub.mu.Unlock()
}

// Receive takes what a follower says of itself.
func (m *member) Receive(t wire.Type, body []byte) error {
	switch t {
	case wire.TypeNote:
		var n wire.Note
		if err := wire.Decode(body, &n); err != nil {
			return err
		}
		m.hub.mu.Lock()
		defer m.hub.mu.Unlock()
		if m.hub.newestLocked(m.person.Session) != m {
			return nil // replaced, or spoken for by the other one
		}
		was := m.person
		if n.Nick != "" {
			m.person.Nick = n.Nick
		}
		if n.Away != nil {
			m.person.Away, m.person.Why = *n.Away, n.Why
		}
		if m.person.Nick != was.Nick || m.person.Away != was.Away || m.person.Why != was.Why {
			m.hub.setLocked(m.person)
		}
	case wire.TypeTyping:
		var t wire.Typing
		if err := wire.Decode(body, &t); err != nil {
			return err
		}
		m.heardTyping(t)
	case wire.TypeBye:
		return ErrParted
	}
	return nil
}

// Next appends what changed since the last time.
func (m *member) Next(b []byte, drained bool) []byte {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	b = m.typingLocked(m.presenceLocked(b))
	if m.ordered != h.ordered {
		m.ordered = h.ordered
		b = append(b, h.orders...)
	}
	if h.bye != nil && !m.bye {
		m.bye = true
		b = wire.Append(b, wire.TypeBye, h.bye)
	}
	return b
}
