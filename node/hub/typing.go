package hub

import (
	"time"

	"earshot/node/identity"
	"earshot/node/wire"
)

// Who is typing is passed on as it comes, to who is linked at that moment: the latest of each person alone is kept, and for a moment.

const (
	// typingEvery is how often a link is listened to about that: a follower says it every three seconds.
	typingEvery = 2500 * time.Millisecond
	// typingFor is how long it is passed on.
	typingFor = 3 * time.Second
	// maxTyping bounds the people of whom it is kept.
	maxTyping = 64
)

// typed is what one person does.
type typed struct {
	wire.Typing
	at time.Time
	n  uint64 // counts what was passed on
}

// Typing says that someone is typing: this node, where it is not a follower that says so.
func (h *Hub) Typing(t wire.Typing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.typingLocked(t)
}

func (h *Hub) typingLocked(t wire.Typing) {
	now := time.Now()
	for id, t := range h.typing {
		if now.Sub(t.at) > typingFor {
			delete(h.typing, id)
		}
	}
	if _, ok := h.typing[t.Who]; !ok && len(h.typing) >= maxTyping {
		return
	}
	h.typed++
	h.typing[t.Who] = typed{t, now, h.typed}
	h.nudgeLocked()
}

// heardTyping takes a follower's word.
func (m *member) heardTyping(t wire.Typing) {
	t.Who = m.person.ID // whatever it says
	h := m.hub
	h.mu.Lock()
	fresh := h.newestLocked(m.person.Session) == m && time.Since(m.typedAt) >= typingEvery
	if fresh {
		m.typedAt = time.Now()
		h.typingLocked(t)
	}
	h.mu.Unlock()
	if fresh && h.config.Typing != nil {
		h.config.Typing(t)
	}
}

// typingLocked appends what m was not told yet.
func (m *member) typingLocked(b []byte) []byte {
	h := m.hub
	if m.typed == h.typed {
		return b
	}
	for who, t := range h.typing {
		if t.n > m.typed && who != m.person.ID && time.Since(t.at) <= typingFor {
			b = wire.Append(b, wire.TypeTyping, &t.Typing)
		}
	}
	m.typed = h.typed
	return b
}

// tripped takes how long a word takes to m and back.
func (m *member) tripped(trip time.Duration, news bool) {
	m.trip.Store(int64(trip))
	if news && m.hub.config.Measured != nil {
		m.hub.config.Measured()
	}
}

// Trips returns how long a word takes to each follower and back, where that is known.
func (h *Hub) Trips() map[identity.Session]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	trips := map[identity.Session]time.Duration{}
	for s := range h.members {
		if trip := h.newestLocked(s).trip.Load(); trip > 0 {
			trips[s] = time.Duration(trip)
		}
	}
	return trips
}
