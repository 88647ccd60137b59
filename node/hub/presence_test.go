package hub

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/wire"
)

// A listener is the other end of a link, as far as presence goes: what it was told, and the profiles that it has.
type listener struct {
	*member
	t        *testing.T
	poked    atomic.Bool
	coming   []wire.Person // a whole presence, until all of it has come
	whole    bool
	here     map[identity.Session]wire.Person
	profiles map[[8]byte][]byte
	bytes    int
}

// arrive adds a link without a connection.
func arrive(t *testing.T, h *Hub, p wire.Person, knows ...[]byte) *listener {
	l := &listener{t: t, here: map[identity.Session]wire.Person{}, profiles: map[[8]byte][]byte{}}
	l.member = &member{hub: h, person: p}
	for _, profile := range knows {
		l.known = append(l.known, wire.ProfileMark(profile))
		l.profiles[wire.ProfileMark(profile)] = profile
	}
	slices.SortFunc(l.known, func(a, b [8]byte) int { return bytes.Compare(a[:], b[:]) })
	if _, err := h.join(l.member); err != nil {
		t.Fatal(err)
	}
	l.Begin(func() { l.poked.Store(true) })
	return l
}

// listen takes what there is to be told now: round after round, as long as the hub wishes.
func (l *listener) listen() {
	l.t.Helper()
	for l.poked.Store(true); l.poked.Swap(false); {
		b := l.Next(nil, true)
		if l.bytes += len(b); len(b) > slice+wire.MaxFrame {
			l.t.Fatalf("%d bytes at once", len(b))
		}
		for r := wire.NewReader(bytes.NewReader(b)); ; {
			kind, body, err := r.Next()
			if err != nil {
				break
			}
			var f wire.Presence
			if kind != wire.TypePresence {
				continue
			}
			if err := wire.Decode(body, &f); err != nil {
				l.t.Fatal(err)
			}
			l.take(f)
		}
	}
}

// take does what package node does with it.
func (l *listener) take(f wire.Presence) {
	if l.whole = l.whole || f.Full; l.whole {
		l.coming = append(l.coming, f.Here...)
		if f.More {
			return
		}
		clear(l.here)
		f.Here, l.coming, l.whole = l.coming, nil, false
	}
	for _, s := range f.Gone {
		delete(l.here, s)
	}
	for _, p := range f.Here {
		if len(p.Profile) > 0 {
			l.profiles[wire.ProfileMark(p.Profile)] = p.Profile
			p.Profile = nil
		}
		l.here[p.Session] = p
	}
}

// check fails unless l knows of everybody, with the profile.
func (l *listener) check() {
	l.t.Helper()
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	if len(l.here) != len(l.hub.people) {
		l.t.Errorf("%s knows of %d, there are %d", l.person.Nick, len(l.here), len(l.hub.people))
	}
	for _, p := range l.hub.people {
		got := l.here[p.Session]
		if got.Nick != p.Nick || got.Away != p.Away {
			l.t.Errorf("%s was told %v %v, want %v %v", l.person.Nick, got.Nick, got.Away, p.Nick, p.Away)
		}
		if _, has := l.profiles[p.mark]; !has && len(p.Profile) > 0 {
			l.t.Errorf("%s lacks the profile of %s", l.person.Nick, p.Nick)
		}
	}
}

func presence(t *testing.T, f func(h *Hub)) {
	synctest.Test(t, func(t *testing.T) {
		f(New(Config{Self: wire.Person{Session: identity.NewSession(), Nick: "hub"}}))
		synctest.Wait()
	})
}

func somebody(i int) wire.Person {
	return wire.Person{Session: identity.NewSession(), Nick: fmt.Sprint("client", i), Profile: profile(i % 300)}
}

func profile(i int) []byte { return fmt.Appendf(nil, "profile %400d", i) }

// People come and go, change and come again, few or many, and who listens listens when it likes: in the end each knows everybody, and whoever it is told of it has the profile of.
func TestEverybodyKnowsEverybody(t *testing.T) {
	for seed := range uint64(3) {
		presence(t, func(h *Hub) {
			r := rand.New(rand.NewPCG(seed, 1))
			most := []int{20, aCrowd + 20, 2 * aCrowd}[seed%3]
			var here []*listener
			for i := range 2000 {
				switch n := r.IntN(10); {
				case n < 3 && len(here) < most || len(here) == 0:
					p := somebody(r.IntN(600))
					var knows [][]byte
					for k := range r.IntN(4) * 100 {
						knows = append(knows, profile(k))
					}
					here = append(here, arrive(t, h, p, knows...))
				case n < 4 && (len(here) == most || r.IntN(4) == 0):
					k := r.IntN(len(here))
					h.leave(here[k].member, nil)
					here = slices.Delete(here, k, k+1)
				case n < 5:
					m := here[r.IntN(len(here))].member
					away := !m.person.Away
					if err := m.Receive(wire.TypeNote, wire.Append(nil, wire.TypeNote, &wire.Note{Nick: fmt.Sprint("renamed", i), Away: &away})[wire.HeaderLen:]); err != nil {
						t.Fatal(err)
					}
				case n < 9:
					here[r.IntN(len(here))].listen()
				default:
					time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
				}
			}
			time.Sleep(2 * batchMax)
			for _, l := range here {
				l.listen()
				l.check()
			}
		})
	}
}

// Of thousands who come one after the other everybody is told of each once, or nearly, and what is told is encoded once for all.
func TestCrowdIsToldOnce(t *testing.T) {
	presence(t, func(h *Hub) {
		const crowd = 400
		var here []*listener
		for i := range crowd {
			p := somebody(i)
			p.Profile = nil
			here = append(here, arrive(t, h, p))
			here[i].listen()
			if time.Sleep(time.Millisecond); i%100 == 99 {
				for _, l := range here {
					l.listen()
				}
			}
		}
		time.Sleep(2 * batchMax)
		one, told, frames := len(wire.EncodePerson(&here[crowd-1].person)), 0, map[*byte]struct{}{}
		for _, l := range here {
			l.listen()
			l.check()
			told += l.bytes
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, b := range h.batches {
			for _, f := range b.framesFor(nil) {
				frames[&f[0]] = struct{}{}
			}
		}
		if most := crowd * crowd * one * 3 / 2; told > most {
			t.Errorf("%d bytes were told, want at most %d", told, most)
		}
		if len(frames) > aCrowd+crowd/8 {
			t.Errorf("%d frames were encoded of %d changes", len(frames), crowd)
		}
	})
}

// Who is behind by more than is kept is told everything again, and what is kept is bounded.
func TestFarBehind(t *testing.T) {
	presence(t, func(h *Hub) {
		slow := arrive(t, h, somebody(0))
		slow.listen()
		other := arrive(t, h, somebody(1))
		for i := range 2 * kept {
			away := i%2 == 0
			if err := other.Receive(wire.TypeNote, wire.Append(nil, wire.TypeNote, &wire.Note{Nick: fmt.Sprint("n", i), Away: &away})[wire.HeaderLen:]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(batch + 3*batchLink)
		}
		h.mu.Lock()
		n := len(h.batches)
		h.mu.Unlock()
		if n > kept {
			t.Errorf("%d batches are kept", n)
		}
		slow.here = map[identity.Session]wire.Person{}
		slow.listen()
		slow.check()
		if n := len(slices.Collect(maps.Keys(slow.here))); n != 3 {
			t.Errorf("told of %d", n)
		}
	})
}
