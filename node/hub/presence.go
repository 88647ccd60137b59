package hub

import (
	"bytes"
	"slices"

	"earshot/node/identity"
	"earshot/node/wire"
)

// entry is one of those linked, as everyone is told of it: encoded once.
type entry struct {
	wire.Person
	mark        [8]byte // of the profile
	whole, bare []byte  // with the profile, and without
}

func newEntry(p wire.Person) entry {
	e := entry{Person: p, mark: wire.ProfileMark(p.Profile), whole: wire.EncodePerson(&p)}
	p.Profile = nil
	e.bare = wire.EncodePerson(&p)
	return e
}

// delta is whom the changes between two numbers are of, each once: most links were told the same last.
type delta struct {
	after, until uint64
	sessions     []identity.Session
}

// changedSinceLocked returns whom the changes after a number are of.
func (h *Hub) changedSinceLocked(told uint64) []identity.Session {
	if h.delta.after == told && h.delta.until == h.rev {
		return h.delta.sessions
	}
	h.delta = delta{after: told, until: h.rev}
	seen := map[identity.Session]bool{}
	for _, s := range h.changes[uint64(len(h.changes))-(h.rev-told):] {
		if !seen[s] {
			seen[s] = true
			h.delta.sessions = append(h.delta.sessions, s)
		}
	}
	return h.delta.sessions
}

// presenceLocked appends the whole presence the first time or when too much was missed, and the changes otherwise, each session once.
func (m *member) presenceLocked(b []byte) []byte {
	h := m.hub
	if m.told == h.rev || h.waking && m.told > 0 {
		return b
	}
	full := m.told == 0 || h.rev-m.told > uint64(len(h.changes))
	var sessions []identity.Session
	if full {
		for s := range h.people {
			sessions = append(sessions, s)
		}
	} else {
		sessions = h.changedSinceLocked(m.told)
	}
	m.told = h.rev
	for first := true; first || len(sessions) > 0; first = false {
		var here [][]byte
		var gone []identity.Session
		k := 0
		for size := 0; k < min(len(sessions), wire.MaxPeople) && size < wire.MaxFrame/2; k++ {
			s := sessions[k]
			e, is := h.people[s]
			if !is {
				gone = append(gone, s)
				continue
			}
			one := e.bare
			if m.learns(e.mark) {
				one = e.whole
			}
			here = append(here, one)
			size += len(one)
		}
		sessions = sessions[k:]
		b = wire.AppendPresence(b, full && first, full && len(sessions) > 0, here, gone)
	}
	return b
}

// learns reports whether a profile is new to the follower, which has it from then on. They are most of a presence, and after a change of hub everyone has them.
func (m *member) learns(mark [8]byte) bool {
	i, knows := slices.BinarySearchFunc(m.known, mark, func(a, b [8]byte) int { return bytes.Compare(a[:], b[:]) })
	if len(m.known) >= maxMarks {
		m.known, i = nil, 0 // somebody comes and goes with ever new ones; telling again is no harm
	}
	if !knows {
		m.known = slices.Insert(m.known, i, mark)
	}
	return !knows
}
