package exchange_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/seal"
	"earshot/node/wire"
)

// A keyring is a Vault that seals nothing: what is said is its own ciphertext. Its person is in the rooms it has, and in conversations that somebody has begun with them.
type keyring struct {
	me    identity.PeerID
	asked atomic.Int64 // how often whose a group is

	mu     sync.Mutex // protects what follows
	groups []message.GroupID
}

func (k *keyring) Own(g message.GroupID, author identity.PeerID) bool {
	k.asked.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.groups, g) || author != k.me && concerns(g, author, k.me)
}

func (k *keyring) Groups() []message.GroupID {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.groups)
}

func (k *keyring) join(groups ...message.GroupID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.groups = append(k.groups, groups...)
}

func (k *keyring) leave(g message.GroupID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.groups = slices.DeleteFunc(k.groups, func(o message.GroupID) bool { return o == g })
}

func (k *keyring) Learn(journal.Place, []byte) {}
func (k *keyring) Open(journal.Place, []byte, bool) (message.Kind, []byte, bool) {
	return 0, nil, false
}
func (k *keyring) Seal(_ journal.Place, _ message.Kind, plain []byte) ([]byte, error) {
	return plain, nil
}

func concerns(g message.GroupID, author, p identity.PeerID) bool {
	return author == p || g == message.GroupID(seal.Direct(identity.NetworkID{1}, author, p))
}

// A member is a replica of somebody who is in groups.
type member struct {
	*replica
	keys *keyring
}

func newMember(t *testing.T, lan *nodetest.LAN, name string, groups ...message.GroupID) *member {
	t.Helper()
	k := &keyring{me: frames.Identity(t, name).ID(), groups: groups}
	m := &member{newReplicaOf(t, lan, name, journal.Config{Dir: t.TempDir(), Vault: k}), k}
	m.x = exchange.New(exchange.Config{Journal: m.journal, Host: hostID(name), Groups: k.Groups, Concerns: concerns})
	return m
}

// in says something in a group.
func (m *member) in(g message.GroupID) {
	m.t.Helper()
	if _, _, _, err := m.author.Write(m.t.Context(), g, message.RoomID(g), "", message.Text, fmt.Appendf(nil, "%s at %d", m.name, time.Now().UnixNano())); err != nil {
		m.t.Fatal(err)
	}
}

// to says something to somebody alone.
func (m *member) to(o *member) message.GroupID {
	m.t.Helper()
	g := direct(m, o)
	if !slices.Contains(m.keys.Groups(), g) {
		m.keys.join(g)
	}
	m.in(g)
	return g
}

func direct(a, b *member) message.GroupID {
	return message.GroupID(seal.Direct(identity.NetworkID{1}, a.who.ID(), b.who.ID()))
}

// watches makes those the witnesses of hub, and all others none.
func (hub *member) watches(others []*member, witnesses ...*member) {
	synctest.Wait() // for links that are about to be
	var sessions []identity.Session
	for _, w := range witnesses {
		sessions = append(sessions, w.session)
	}
	hub.x.Witnesses(sessions)
	for _, o := range others {
		o.x.Witness(slices.Contains(witnesses, o))
	}
}

// holds returns how many messages of a group m holds.
func (m *member) holds(g message.GroupID) (n int) {
	m.t.Helper()
	days, err := m.journal.Days(g, 0, 1<<31)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, d := range days {
		heads, more, err := m.journal.Heads(g, d.Day, message.LogID{}, 1000)
		if err != nil || more {
			m.t.Fatal(more, err)
		}
		for _, h := range heads {
			n += int(h.Seq)
		}
	}
	return n
}

// have fails unless those hold n messages of g, the same.
func have(t *testing.T, g message.GroupID, n int, members ...*member) {
	t.Helper()
	var first message.Hash
	for i, m := range members {
		if got := m.holds(g); got != n {
			t.Errorf("%s holds %d messages of %x, want %d", m.name, got, g[0], n)
		}
		root, err := m.journal.Root(g, 0, 1<<31)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = root
		}
		if root != first {
			t.Errorf("%s and %s differ in %x", m.name, members[0].name, g[0])
		}
	}
}

// counted links m to hub and counts the STATEs, both ways.
func (m *member) counted(hub *member) (states *atomic.Int64, end func()) {
	m.t.Helper()
	states = new(atomic.Int64)
	here, there := ends(m.t, m.lan, m.name, hub.replica)
	return states, m.join(hub.replica, counting{here, wire.TypeState, states}, counting{there, wire.TypeState, states})
}

// The hub and its witness keep for bob what alice said to him alone while he was away; the hub dies, and he gets it from the witness. It is his own from then on, and carol never held it.
func TestDirectMessageWaits(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, w, alice, bob, carol := newMember(t, lan, "hub"), newMember(t, lan, "w"), newMember(t, lan, "alice"), newMember(t, lan, "bob"), newMember(t, lan, "carol")
		hub.watches([]*member{w})
		var ended []func()
		for _, m := range []*member{w, alice, carol} {
			ended = append(ended, m.link(hub.replica))
		}
		hub.watches([]*member{w, alice, carol}, w)
		time.Sleep(3 * time.Second)
		g := alice.to(bob)
		time.Sleep(50 * time.Millisecond)
		have(t, g, 1, alice, hub, w) // live, though nobody knew of it
		alice.in(g)
		time.Sleep(3 * time.Second)
		have(t, g, 2, alice, hub, w)
		for _, end := range ended {
			end()
		}
		w.x.Witness(false)
		for _, m := range []*member{carol, bob} {
			m.link(w.replica)
		}
		time.Sleep(3 * time.Second)
		have(t, g, 2, bob, w)
		if n := carol.holds(g); n != 0 {
			t.Errorf("carol holds %d messages", n)
		}
		alice.link(w.replica)
		bob.in(g)
		time.Sleep(3 * time.Second)
		have(t, g, 3, bob, w, alice)
	})
}

// The first direct message reaches somebody who is linked and knows nothing of it at once; so do the next, also where no list ever has it.
func TestFirstDirectMessage(t *testing.T) {
	for _, knows := range []bool{true, false} {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			hub, alice, bob, carol := newMember(t, lan, "hub"), newMember(t, lan, "alice"), newMember(t, lan, "bob"), newMember(t, lan, "carol")
			for _, m := range []*member{alice, bob, carol} {
				m.link(hub.replica)
			}
			time.Sleep(3 * time.Second)
			g := alice.to(bob)
			time.Sleep(20 * time.Millisecond)
			have(t, g, 1, alice, hub, bob)
			if knows {
				bob.keys.join(g)
			}
			alice.in(g)
			time.Sleep(5 * time.Second)
			bob.in(g)
			hub.to(bob)
			time.Sleep(20 * time.Millisecond)
			have(t, g, 3, alice, hub, bob)
			have(t, direct(hub, bob), 1, hub, bob)
			if n := carol.holds(g) + carol.holds(direct(hub, bob)); n != 0 {
				t.Errorf("carol holds %d messages", n)
			}
		})
	}
}

// Nor does who is linked wait for a first direct message that comes with so much else that it is not relayed.
func TestFirstDirectMessageOfMany(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		room := message.GroupID{9}
		hub, alice, bob, carol := newMember(t, lan, "hub"), newMember(t, lan, "alice", room), newMember(t, lan, "bob"), newMember(t, lan, "carol")
		for _, m := range []*member{bob, carol} {
			m.link(hub.replica)
		}
		time.Sleep(3 * time.Second)
		alice.keys.leave(room)
		g := alice.to(bob) // the list has what was used last first
		alice.keys.join(room)
		for range 100 {
			alice.in(room)
		}
		alice.link(hub.replica)
		time.Sleep(5 * time.Second)
		have(t, room, 100, alice, hub)
		have(t, g, 1, alice, hub, bob)
		if n := carol.holds(g) + carol.holds(room) + bob.holds(room); n != 0 {
			t.Errorf("others hold %d messages", n)
		}
	})
}

// A private room is replicated by its members, the hub and the witness; to who joins it comes whole, and to who leaves it no further.
func TestPrivateRoom(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		g := message.GroupID{9}
		hub, w, carol := newMember(t, lan, "hub"), newMember(t, lan, "w"), newMember(t, lan, "carol")
		a, b, c := newMember(t, lan, "a", g), newMember(t, lan, "b", g), newMember(t, lan, "c", g)
		for range 3 { // apart, in several days, and more than is relayed
			for range 30 {
				a.in(g)
				b.in(g)
			}
			time.Sleep(24 * time.Hour)
		}
		all := []*member{w, carol, a, b, c}
		var endB func()
		for _, m := range all {
			if end := m.link(hub.replica); m == b {
				endB = end
			}
		}
		hub.watches(all, w)
		time.Sleep(5 * time.Second)
		have(t, g, 180, hub, w, a, b, c)
		c.in(g)
		time.Sleep(20 * time.Millisecond)
		have(t, g, 181, hub, w, a, b, c)
		if n := carol.holds(g); n != 0 {
			t.Errorf("carol holds %d messages", n)
		}
		carol.keys.join(g)
		time.Sleep(3 * time.Second)
		have(t, g, 181, hub, carol)
		b.keys.leave(g)
		time.Sleep(3 * time.Second)
		a.in(g)
		time.Sleep(3 * time.Second)
		have(t, g, 182, hub, w, a, c, carol)
		if n := b.holds(g); n != 181 {
			t.Errorf("who left holds %d messages", n)
		}
		time.Sleep(3 * time.Second)
		endB()
		b.link(hub.replica)
		time.Sleep(3 * time.Second)
		c.in(g)
		time.Sleep(3 * time.Second)
		have(t, g, 183, hub, w, a, c, carol)
		if n := b.holds(g); n != 181 {
			t.Errorf("who left and came again holds %d messages", n)
		}
	})
}

// Who is made a witness gets all mail, and who is one no longer gets no more.
func TestWitnessChanges(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, v, w, alice, bob := newMember(t, lan, "hub"), newMember(t, lan, "v"), newMember(t, lan, "w"), newMember(t, lan, "alice"), newMember(t, lan, "bob")
		others := []*member{v, w, alice}
		for _, m := range others {
			m.link(hub.replica)
		}
		hub.watches(others, v)
		time.Sleep(3 * time.Second)
		g := alice.to(bob)
		time.Sleep(20 * time.Millisecond)
		have(t, g, 1, alice, hub, v)
		hub.watches(others, w)
		time.Sleep(4 * time.Second)
		have(t, g, 1, alice, hub, v, w)
		alice.in(g)
		time.Sleep(4 * time.Second)
		have(t, g, 2, alice, hub, w)
		if n := v.holds(g); n != 1 {
			t.Errorf("who is no witness any more holds %d messages", n)
		}
	})
}

// Two halves with hubs of their own become one: the mail of both is with the hub that is left, and with whom it is for.
func TestMailOfTwoHalves(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		room := message.GroupID{9}
		h1, h2 := newMember(t, lan, "h1"), newMember(t, lan, "h2")
		a, b, c, d := newMember(t, lan, "a", room), newMember(t, lan, "b"), newMember(t, lan, "c", room), newMember(t, lan, "d")
		a.link(h1.replica)
		b.link(h1.replica)
		endC, endD := c.link(h2.replica), d.link(h2.replica)
		time.Sleep(2 * time.Second)
		a.in(room)
		c.in(room)
		toC, toB, toA := b.to(c), d.to(b), c.to(a)
		time.Sleep(2 * time.Second)
		endC()
		endD()
		others := []*member{a, b, c, d, h2}
		for _, m := range others[2:] {
			m.link(h1.replica)
		}
		h1.watches(others, h2)
		time.Sleep(5 * time.Second)
		have(t, room, 2, h1, h2, a, c)
		have(t, toC, 1, h1, h2, b, c)
		have(t, toB, 1, h1, h2, d, b)
		have(t, toA, 1, h1, h2, c, a)
		have(t, message.Mail, 5, h1, h2)
		if n := d.holds(room) + b.holds(toA) + a.holds(toB); n != 0 {
			t.Errorf("%d messages are where they do not belong", n)
		}
	})
}

// Two halves become one, where the hub that gives up is not even a witness: it hands over what it kept for others, and gets nothing that is not for it.
func TestMailIsHandedOver(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		h1, h2, a, b, c := newMember(t, lan, "h1"), newMember(t, lan, "h2"), newMember(t, lan, "a"), newMember(t, lan, "b"), newMember(t, lan, "c")
		end := a.link(h2.replica)
		time.Sleep(2 * time.Second)
		g := a.to(b)
		own := a.to(h2)
		time.Sleep(2 * time.Second)
		end()
		c.link(h1.replica)
		b.link(h1.replica)
		time.Sleep(2 * time.Second)
		other := c.to(a)
		time.Sleep(time.Second) // what h1 hears of while h2 hands over goes to h2, too
		states, _ := h2.counted(h1)
		time.Sleep(5 * time.Second)
		have(t, g, 1, h2, h1, b)
		have(t, own, 1, h2)
		c.in(other)
		time.Sleep(5 * time.Second)
		have(t, other, 2, h1, c)
		if n := states.Load(); n > 6 {
			t.Errorf("%d STATEs, want one each way, with mail; the hub's, with that; one each way without; and one where there is news of a conversation in between", n)
		}
		if n := h2.holds(other); n != 0 {
			t.Errorf("it holds %d messages that are not for it", n)
		}
		before := states.Load()
		time.Sleep(time.Minute)
		if n := states.Load() - before; n != 0 {
			t.Errorf("%d STATEs at rest", n)
		}
	})
}

// Mail is kept by others for thirty days, and is not talked about for ever then; who said it still has it.
func TestOldMail(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, w, alice, bob := newMember(t, lan, "hub"), newMember(t, lan, "w"), newMember(t, lan, "alice"), newMember(t, lan, "bob")
		link := func() (end func()) {
			ends := []func(){w.link(hub.replica), alice.link(hub.replica)}
			hub.watches([]*member{w, alice}, w)
			return func() {
				for _, end := range ends {
					end()
				}
			}
		}
		end := link()
		time.Sleep(2 * time.Second)
		g := alice.to(bob)
		time.Sleep(2 * time.Second)
		have(t, g, 1, alice, hub, w)
		end()
		time.Sleep(20 * 24 * time.Hour)
		alice.in(g)
		end = link()
		time.Sleep(5 * time.Second)
		have(t, g, 2, alice, hub, w)
		end()
		time.Sleep(11 * 24 * time.Hour)
		end = link()
		time.Sleep(30 * time.Second) // the clocks vouch for each other, and it is forgotten
		end()
		states, end := alice.counted(hub)
		defer end()
		also, end := w.counted(hub)
		defer end()
		hub.watches([]*member{w, alice}, w)
		time.Sleep(5 * time.Second)
		before := states.Load() + also.Load()
		time.Sleep(time.Minute)
		if n := states.Load() + also.Load(); n != before || n > 10 {
			t.Errorf("%d STATEs, then %d more at rest", before, n-before)
		}
		have(t, g, 2, alice)
		have(t, g, 1, hub, w)
		bob.link(hub.replica)
		time.Sleep(3 * time.Second)
		have(t, g, 1, bob)
	})
}

// At rest nobody says STATE, whatever is listed; a change of what is one's own is said once, and a new day too.
func TestStatesAtRest(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newMember(t, lan, "hub", message.GroupID{1}), newMember(t, lan, "a"), newMember(t, lan, "b")
		for i := range byte(30) {
			a.keys.join(message.GroupID{i + 1})
			a.in(message.GroupID{i + 1})
			hub.in(message.GroupID{i + 10})
		}
		b.to(a)
		time.Sleep(24*time.Hour - 2*time.Minute)
		states, _ := a.counted(hub)
		b.link(hub.replica)
		time.Sleep(5 * time.Second)
		hub.watches([]*member{a, b}, b)
		time.Sleep(5 * time.Second)
		rest := func(what string, want int64, d time.Duration) {
			t.Helper()
			before := states.Load()
			time.Sleep(d)
			if n := states.Load() - before; n > want {
				t.Errorf("%s: %d STATEs", what, n)
			}
		}
		rest("nothing changes", 0, time.Minute)
		a.keys.join(message.GroupID{77})
		before := states.Load()
		rest("a group more", 3, 10*time.Second) // the hub's answer has the conversation with b, which a did not list yet
		if states.Load() < before+2 {
			t.Error("it was not said")
		}
		a.in(message.GroupID{77})
		b.in(message.GroupID{200})
		a.sayText("public")
		rest("a message", 0, 10*time.Second)
		day := hub.journal.Today()
		rest("a new day", 3, 2*time.Minute)
		if hub.journal.Today() == day {
			t.Error("it is still the same day")
		}
	})
}

// A peer may list as many groups as fit, none of which exist: that takes some memory, and nothing else.
func TestMadeUpGroups(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newMember(t, lan, "hub")
		state := hub.state(false)
		for i := range wire.MaxGroups - 1 {
			state.Groups = append(state.Groups, wire.GroupState{Group: message.GroupID{1, byte(i), byte(i >> 8)}, Root: message.Hash{1}, Sum: message.Hash{2}, Today: uint32(i)})
		}
		heap := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		var evils []*frames.Peer
		before := heap()
		for range 20 {
			evil, ended := hostile(t, lan, hub.replica, &exchange.Link{Hub: true})
			evil.Send(wire.TypeState, state)
			evil.Await(time.Second, wire.TypeState, new(wire.State))
			var second wire.State
			evil.Await(time.Second, wire.TypeState, &second)
			if len(second.Groups) != wire.MaxGroups {
				t.Fatalf("the hub lists %d groups", len(second.Groups))
			}
			asked := 0
			for range wire.MaxGroups { // it asks about them some at a time
				var ask wire.AskDays
				evil.Await(time.Second, wire.TypeAskDays, &ask)
				evil.Send(wire.TypeDays, &wire.Days{Group: ask.Group, From: ask.From})
				asked++
			}
			stands(t, ended)
			evils = append(evils, evil)
		}
		synctest.Wait()
		each := (heap() - before) / int64(len(evils))
		t.Logf("%d KB for each such link", each>>10)
		if each > 1<<20 {
			t.Errorf("each takes %d bytes", each)
		}
		if n := len(hub.journal.Mailboxes(0)); n != 0 {
			t.Errorf("%d mailboxes", n)
		}
	})
}

// A hub that lists one group of others again and again has it looked at once.
func TestOneGroupManyTimes(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		alice, who, g := newMember(t, lan, "alice"), frames.Identity(t, "stranger"), message.GroupID{9}
		o := &message.Opening{Network: identity.NetworkID{1}, Group: g, Room: message.RoomID(g), Author: who.ID(), Day: alice.journal.Today()}
		run := &message.Run{Log: o.Log(), First: 1, Opening: o, Records: []message.Record{message.Body(1, message.Sealed, []byte("not for alice"))}}
		run.Sign(who)
		alice.give(run)
		hub, ended := hostile(t, lan, alice.replica, &exchange.Link{})
		s := alice.state(true)
		for len(s.Groups) < wire.MaxGroups {
			s.Groups = append(s.Groups, wire.GroupState{Group: g, Today: s.Groups[0].Today})
		}
		before := alice.keys.asked.Load()
		hub.Send(wire.TypeState, s)
		hub.Await(time.Second, wire.TypeState, nil)
		if n := alice.keys.asked.Load() - before; n > 10 {
			t.Errorf("it was asked %d times whose the group is", n)
		}
		stands(t, ended)
	})
}

// Members of rooms and conversations speak while hubs, witnesses and links change at random. When all have met again, everybody who is to have something has it, and
// nobody has anything else who was neither hub nor witness.
func TestGroupsConverge(t *testing.T) {
	for seed := range uint64(3) {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			rooms := []message.GroupID{{1}, {2}, {3}}
			in := map[message.GroupID][]*member{}
			said := map[message.GroupID]int{}
			var all []*member
			for i := range 7 {
				m := newMember(t, lan, fmt.Sprintf("m%d", i))
				for _, g := range rooms {
					if rnd.IntN(2) == 0 {
						m.keys.join(g)
						in[g] = append(in[g], m)
					}
				}
				all = append(all, m)
			}
			plain := all[5:] // are never hub nor witness
			for range 4 {
				var ends []func()
				perm := rnd.Perm(5)
				h1, h2, w := all[perm[0]], all[perm[1]], all[perm[2]]
				for _, m := range all {
					if m == h1 || m == h2 || rnd.IntN(4) == 0 {
						continue
					}
					hub := h1
					if m != w && rnd.IntN(3) == 0 {
						hub = h2
					}
					ends = append(ends, m.link(hub.replica))
				}
				h1.watches(all, w)
				for range 40 {
					time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
					m := all[rnd.IntN(len(all))]
					switch own := m.keys.Groups(); {
					case rnd.IntN(4) == 0:
						m.say(1)
					case rnd.IntN(2) == 0 && len(own) > 0:
						g := own[rnd.IntN(len(own))]
						m.in(g)
						said[g]++
					default:
						o := all[rnd.IntN(len(all))]
						if o == m {
							continue
						}
						g := m.to(o)
						said[g]++
						in[g] = []*member{m, o}
					}
				}
				for _, end := range ends {
					end()
				}
				time.Sleep(time.Duration(rnd.IntN(30)) * time.Hour)
			}
			hub := all[rnd.IntN(5)]
			var states []*atomic.Int64
			for _, m := range all {
				if m != hub {
					n, _ := m.counted(hub)
					states = append(states, n)
				}
			}
			hub.watches(all)
			time.Sleep(20 * time.Second)
			equalPublic(t, all)
			for g, n := range said {
				have(t, g, n, append([]*member{hub}, in[g]...)...)
				for _, m := range plain {
					if !slices.Contains(in[g], m) && m.holds(g) > 0 {
						t.Errorf("%s holds something of %x", m.name, g[0])
					}
				}
			}
			before := int64(0)
			for _, n := range states {
				before += n.Load()
			}
			time.Sleep(time.Minute)
			for _, n := range states {
				before -= n.Load()
			}
			if before != 0 {
				t.Errorf("%d STATEs at rest", -before)
			}
		})
	}
}

func equalPublic(t *testing.T, all []*member) {
	t.Helper()
	have(t, message.Public, all[0].holds(message.Public), all...)
}
