package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

const (
	// typingEvery is how often it is said that the user types.
	typingEvery = 3 * time.Second
	// typingFor is how long others count as typing after they said so.
	typingFor = 6 * time.Second
	// maxTyping bounds the people of whom it is known.
	maxTyping = 64
)

// typing is who types, and where: told by the hub, and by the user's front ends. Nothing of it is kept.
type typing struct {
	changed func() // must not block

	mu     sync.Mutex // protects what follows
	room   message.RoomID
	at     time.Time // when room was said last
	n      uint64    // counts that
	others map[typist]time.Time
	timer  *time.Timer
}

// A typist is one person in one room.
type typist struct {
	id   identity.PeerID
	room message.RoomID
}

func newTyping(changed func()) *typing {
	return &typing{changed: changed, others: map[typist]time.Time{}}
}

// here notes that the user types in a room, and reports whether that is to be said.
func (t *typing) here(room message.RoomID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < typingEvery {
		return false
	}
	t.room, t.at = room, time.Now()
	t.n++
	return true
}

// since returns what is to be said where that is newer than number n, and its number.
func (t *typing) since(n uint64) (*wire.Typing, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == n || time.Since(t.at) >= typingEvery {
		return nil, t.n
	}
	return &wire.Typing{Room: t.room}, t.n
}

// heard takes what another does.
func (t *typing) heard(w wire.Typing) {
	t.mu.Lock()
	k := typist{w.Who, w.Room}
	_, known := t.others[k]
	if known || len(t.others) < maxTyping {
		t.others[k] = time.Now().Add(typingFor)
	}
	if t.timer == nil {
		t.timer = time.AfterFunc(typingFor, t.expire)
	}
	t.mu.Unlock()
	if !known {
		t.changed()
	}
}

// said: who types has said it.
func (t *typing) said(who identity.PeerID, room message.RoomID) {
	t.mu.Lock()
	_, known := t.others[typist{who, room}]
	delete(t.others, typist{who, room})
	t.mu.Unlock()
	if known {
		t.changed()
	}
}

// expire forgets who has stopped.
func (t *typing) expire() {
	t.mu.Lock()
	now, gone, next := time.Now(), false, time.Time{}
	for k, until := range t.others {
		switch {
		case !until.After(now):
			delete(t.others, k)
			gone = true
		case next.IsZero() || until.Before(next):
			next = until
		}
	}
	t.timer = nil
	if !next.IsZero() {
		t.timer = time.AfterFunc(next.Sub(now), t.expire)
	}
	t.mu.Unlock()
	if gone {
		t.changed()
	}
}

// list returns who types, each once a room.
func (t *typing) list() []typist {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Collect(maps.Keys(t.others))
	sort.Slice(list, func(i, j int) bool {
		return cmp.Or(slices.Compare(list[i].room[:], list[j].room[:]), slices.Compare(list[i].id[:], list[j].id[:])) < 0
	})
	return list
}

func (t *typing) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// It is said where the user does not mind. In which room somebody types is told to everyone, so of sealed ones it is not said.
func (c Typing) do(_ context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil || !r.public() || n.profile.get().Silent || n.Here() < 2 {
		return err
	}
	if n.typing.here(r.id) {
		n.seat.typed(r.id)
	}
	return nil
}

// typists returns who types in the rooms joined.
func (n *Node) typists() (out []Typist) {
	for _, t := range n.typing.list() {
		for _, name := range n.profile.rooms() {
			if message.Room(name) != t.room || t.id == n.who.ID() {
				continue
			}
			if nick, here := n.people.nick(t.id); here {
				out = append(out, Typist{Room: "#" + name, ID: t.id, Nick: nick})
			}
		}
	}
	return out
}
