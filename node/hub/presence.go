package hub

import (
	"bytes"
	"slices"

	"earshot/node/identity"
	"earshot/node/wire"
)

// What is told of who is here is the same for all links: it is encoded once. A link is told the whole presence first, and after that each batch of changes.

// slice is how many bytes of presence go at once: of thousands it is a megabyte, and messages go before the rest of it.
const slice = 64 << 10

// entry is one of those linked, as everyone is told of it: encoded once.
type entry struct {
	wire.Person
	mark        [8]byte // of the profile; zero: there is none
	told        bool    // who was told all batches has the profile
	whole, bare []byte  // with the profile, and without
}

// newEntry returns the entry that follows was, which is nil where there was none.
func newEntry(p wire.Person, was *entry) *entry {
	e := &entry{Person: p, whole: wire.EncodePerson(&p)}
	if len(p.Profile) > 0 {
		e.mark = wire.ProfileMark(p.Profile)
	}
	e.told = was != nil && was.told && was.mark == e.mark
	if e.bare = e.whole; len(p.Profile) > 0 {
		p.Profile = nil
		e.bare = wire.EncodePerson(&p)
	}
	return e
}

// A telling is the whole presence, or a batch of changes.
type telling struct {
	number uint64 // of the batch, or of the last one before it
	full   bool
	here   []named
	gone   []identity.Session
	fresh  int // how many of here are

	// As frames, once they are asked for: with the profiles that are fresh, and with none.
	whole, bare [][]byte
}

type named struct {
	*entry
	fresh bool // who was told the batches before does not have the profile by that
}

func (t *telling) size() int { return len(t.here) + len(t.gone) }

// add adds a person.
func (t *telling) add(e *entry) {
	fresh := e.mark != [8]byte{} && (t.full || !e.told)
	if fresh {
		t.fresh++
	}
	t.here = append(t.here, named{e, fresh})
}

// framesFor returns what to send to a link that has the profiles with these marks, ascending. They are most of a presence, and after a change of hub everyone has them.
func (t *telling) framesFor(known [][8]byte) [][]byte {
	lacks := func(e named) bool {
		_, has := slices.BinarySearchFunc(known, e.mark, func(a, b [8]byte) int { return bytes.Compare(a[:], b[:]) })
		return e.fresh && !has
	}
	lacking := t.fresh
	if lacking > 0 && len(known) > 0 {
		lacking = 0
		for _, e := range t.here {
			if lacks(e) {
				lacking++
			}
		}
	}
	switch lacking {
	case 0:
		if t.bare == nil {
			t.bare = t.frames(func(named) bool { return false })
		}
		return t.bare
	case t.fresh:
		if t.whole == nil {
			t.whole = t.frames(func(e named) bool { return e.fresh })
		}
		return t.whole
	}
	return t.frames(lacks)
}

// frames encodes it. whole says who goes with the profile.
func (t *telling) frames(whole func(named) bool) (frames [][]byte) {
	people, gone := t.here, t.gone
	for first := true; first || len(people)+len(gone) > 0; first = false {
		var here [][]byte
		size := 0
		for len(people) > 0 && len(here) < wire.MaxPeople && size < wire.MaxFrame/2 {
			one := people[0].bare
			if whole(people[0]) {
				one = people[0].whole
			}
			here, people, size = append(here, one), people[1:], size+len(one)
		}
		n := min(len(gone), wire.MaxPeople-len(here))
		frames = append(frames, wire.AppendPresence(nil, t.full && first, t.full && len(people) > 0, here, gone[:n]))
		gone = gone[n:]
	}
	return frames
}

// closeLocked makes a batch of the changes that wait.
func (h *Hub) closeLocked() {
	if len(h.waiting) == 0 {
		return
	}
	h.batch++
	t := &telling{number: h.batch}
	seen := make(map[identity.Session]struct{}, len(h.waiting))
	for _, s := range h.waiting {
		if _, twice := seen[s]; twice {
			continue
		}
		seen[s] = struct{}{}
		if e := h.people[s]; e != nil {
			t.add(e)
		} else {
			t.gone = append(t.gone, s)
		}
	}
	for _, e := range t.here {
		e.told = true
	}
	h.waiting, h.batches, h.kept = nil, append(h.batches, t), h.kept+t.size()
	for h.kept > kept && len(h.batches) > 1 {
		h.kept -= h.batches[0].size()
		h.batches = slices.Delete(h.batches, 0, 1)
	}
}

// wholeLocked returns the whole presence. Where there is a crowd it may be a little old: what came since is told with the batches, which may name again who is in it.
func (h *Hub) wholeLocked() *telling {
	if old := h.changed - h.wholeAt; h.whole != nil && (old == 0 || h.links >= aCrowd && old <= uint64(h.links)/stale && h.whole.number >= h.batch-uint64(len(h.batches))) {
		return h.whole
	}
	h.closeLocked()
	h.whole, h.wholeAt = &telling{number: h.batch, full: true}, h.changed
	for _, e := range h.people {
		h.whole.add(e)
	}
	return h.whole
}

// presenceLocked appends the whole presence the first time or when too much was missed, and then each batch; some of it at once.
func (m *member) presenceLocked(b []byte) []byte {
	h, end := m.hub, len(b)+slice
	for m.told < h.batch || len(m.rest) > 0 {
		if len(b) >= end {
			m.poke() // who writes looks again when this is sent
			break
		}
		switch oldest := h.batch - uint64(len(h.batches)); {
		case len(m.rest) > 0:
			b, m.rest = append(b, m.rest[0]...), m.rest[1:]
		case m.told == 0 || m.told < oldest:
			t := h.wholeLocked()
			m.told, m.rest = t.number, t.framesFor(m.known)
		default:
			t := h.batches[m.told-oldest]
			m.told, m.rest = t.number, t.framesFor(m.known)
		}
	}
	if len(m.rest) == 0 {
		m.rest = nil
	}
	return b
}
