package exchange_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// count links r to hub and counts the frames of one type that each end sends.
func (r *replica) count(hub *replica, of wire.Type) (up, down *atomic.Int64) {
	r.t.Helper()
	up, down = new(atomic.Int64), new(atomic.Int64)
	here, there := ends(r.t, r.lan, r.name, hub)
	r.join(hub, counting{here, of, up}, counting{there, of, down})
	return up, down
}

// commits lets r count anew whenever its journal has committed, as a hub does.
func (r *replica) commits() {
	changed, stop := r.journal.Watch()
	go func() {
		defer stop()
		for {
			select {
			case <-changed:
				r.x.Committed()
			case <-r.t.Context().Done():
				return
			}
		}
	}()
}

// told is what r was told of its own messages: on how many other machines' disks each is.
func (r *replica) told(seq uint64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stable[seq]
}

// What a follower says is sent to all but itself, and what the hub relays does not come back to it.
func TestNoEcho(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		upA, downA := a.count(hub, wire.TypeRun)
		upB, downB := b.count(hub, wire.TypeRun)
		time.Sleep(time.Second)
		for range 5 {
			a.say(1)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		equal(t, 5, hub, a, b)
		for _, c := range []struct {
			name string
			n    *atomic.Int64
			want int64
		}{{"a to the hub", upA, 5}, {"the hub to a", downA, 0}, {"b to the hub", upB, 0}, {"the hub to b", downB, 5}} {
			if got := c.n.Load(); got != c.want {
				t.Errorf("%s: %d runs, want %d", c.name, got, c.want)
			}
		}
	})
}

// What is said from the moment at which both ends have told what they hold comes with the tail, at once, and waits for no comparison; nor for a gap that is noticed.
func TestTailBeginsWithState(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		a.link(hub)
		time.Sleep(50 * time.Millisecond)
		hub.say(1)
		a.say(1)
		time.Sleep(20 * time.Millisecond)
		equal(t, 2, hub, a)
	})
}

// A gap in what another link is bringing is filled when that brings nothing.
func TestGapIsFilledLater(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		log := newChain(t, "bob", hub.journal.Today(), 6)
		evil, _ := hostile(t, lan, hub, &exchange.Link{Hub: true})
		hub.claim(evil, log.head(6))
		good, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		good.Bytes(log.frame(wire.TypeRun, 3, 6))
		for range 8 {
			time.Sleep(time.Second)
			for _, p := range []interface{ Send(wire.Type, any) }{evil, good} {
				p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
			}
		}
		var want wire.Want
		good.Await(2*time.Second, wire.TypeWant, &want)
		if w := (wire.WantLog{Log: log.whole.Log, From: 1}); len(want.Wants) != 1 || want.Wants[0] != w {
			t.Fatalf("wanted %v, want %v", want.Wants, w)
		}
		stands(t, ended)
	})
}

// However often the hub counts, it tells an author what it counted once; and once more where the author asks, with every BEAT.
func TestToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		hub.commits()
		_, told := a.count(hub, wire.TypeStable)
		b.link(hub) // it could hold a copy, and as long as it is no witness does not say so
		time.Sleep(2500 * time.Millisecond)
		a.say(1)
		for range 40 {
			b.say(1)
			time.Sleep(10 * time.Millisecond)
		}
		if a.told(1) != 1 {
			t.Errorf("a was told of %d machines, want the hub", a.told(1))
		}
		if n := told.Load(); n != 1 {
			t.Errorf("the hub told a %d times, want once", n)
		}
	})
}

// An author that was told of a message on all disks that there are is not told of it again with the next.
func TestToldOnceEach(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		hub.commits()
		_, told := a.count(hub, wire.TypeStable)
		time.Sleep(2500 * time.Millisecond)
		const lines = 20
		for range lines {
			a.say(1)
			time.Sleep(10 * time.Millisecond)
		}
		if a.told(lines) != 1 {
			t.Errorf("a was told of %d machines, want the hub", a.told(lines))
		}
		if n := told.Load(); n != lines {
			t.Errorf("the hub told a %d times of %d lines", n, lines)
		}
	})
}

// Two witnesses on one machine are one disk, one on the author's machine is none that is not counted already, and a hub that keeps nothing has none.
func TestDisksAreCountedByMachine(t *testing.T) {
	for _, c := range []struct {
		name     string
		keeps    bool // the hub
		machines [2]string
		want     int  // beside the author's
		forgets  bool // the author
	}{
		{"the hub and one of two", true, [2]string{"w1", "w2"}, 2, false},
		{"both at the author's", true, [2]string{"a", "a"}, 1, false},
		{"both at the hub's", true, [2]string{"hub", "hub"}, 1, false},
		{"apart", false, [2]string{"w1", "w2"}, 2, false},
		{"on one machine", false, [2]string{"w1", "w1"}, 1, false},
		{"one at the author's", false, [2]string{"a", "w2"}, 1, false},
		{"none", false, [2]string{"a", "a"}, 0, false},
		{"one at that of an author who keeps nothing", false, [2]string{"a", "w2"}, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, lan *nodetest.LAN) {
				dir := ""
				if c.keeps {
					dir = t.TempDir()
				}
				hub, a := newReplicaIn(t, lan, "hub", dir), newReplica(t, lan, "a")
				if c.forgets {
					a = newReplicaIn(t, lan, "a", "")
				}
				hub.commits()
				a.link(hub)
				newReplica(t, lan, "another").link(hub) // could hold a copy, and is not asked
				time.Sleep(100 * time.Millisecond)      // the hub knows of it
				var witnesses []identity.Session
				for i, machine := range c.machines {
					w := newReplica(t, lan, fmt.Sprint("witness", i))
					w.name = machine
					witnesses = append(witnesses, w.session)
					hub.x.Witnesses(witnesses)
					w.link(hub)
					w.x.Witness(true)
				}
				time.Sleep(100 * time.Millisecond)
				a.say(1)
				time.Sleep(3 * time.Second)
				if n := a.told(1); n != c.want {
					t.Errorf("told of %d machines, want %d", n, c.want)
				}
			})
		})
	}
}

// Who is no witness is not believed when it says what it holds, and neither is a witness that holds something else.
func TestHaveIsOfWitnessesAndOfThis(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		hub.commits()
		a.link(hub)
		w, session := wire.Hello{Session: identity.NewSession(), Host: hostID("w")}, identity.NewSession()
		witness, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Session: w.Session, Host: w.Host})
		stranger, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Session: session, Host: hostID("stranger")})
		hub.x.Witnesses([]identity.Session{w.Session})
		durable := hub.state(false)
		durable.Durable = true
		witness.Send(wire.TypeState, durable)
		time.Sleep(100 * time.Millisecond)
		k := a.sayText("mine")
		time.Sleep(100 * time.Millisecond)
		tip, _ := a.journal.Hash(k.Log, 1)
		stranger.Send(wire.TypeHave, &wire.Have{Heads: []wire.Head{{Log: k.Log, Seq: 1, Tip: tip}}})
		witness.Send(wire.TypeHave, &wire.Have{Heads: []wire.Head{{Log: k.Log, Seq: 1, Tip: message.Hash{1}}}})
		time.Sleep(100 * time.Millisecond)
		if n := a.told(1); n != 1 {
			t.Errorf("told of %d machines, want the hub's alone", n)
		}
		witness.Send(wire.TypeHave, &wire.Have{Heads: []wire.Head{{Log: k.Log, Seq: 1, Tip: tip}}})
		time.Sleep(100 * time.Millisecond)
		if n := a.told(1); n != 2 {
			t.Errorf("told of %d machines, want the hub's and the witness's", n)
		}
	})
}

// A witness that keeps nothing has nothing on its disk, asked or not.
func TestForgetfulWitness(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, w := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplicaIn(t, lan, "w", "")
		newReplica(t, lan, "another").link(hub)
		hub.commits()
		hub.x.Witnesses([]identity.Session{w.session})
		a.link(hub)
		w.link(hub)
		time.Sleep(100 * time.Millisecond)
		w.x.Witness(true)
		k := a.sayText("mine")
		time.Sleep(3 * time.Second)
		if n := a.told(1); n != 1 || w.has(k.Log) != 1 {
			t.Errorf("told of %d machines, want the hub's alone", n)
		}
	})
}

// An author that asks is told what was counted, although it was told before: it may have been too early for it.
func TestAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		hub.commits()
		newReplica(t, lan, "another").link(hub) // could hold a copy, and is not asked
		time.Sleep(100 * time.Millisecond)      // the hub knows of it
		log := newChain(t, "bob", hub.journal.Today(), 1)
		bob, ended := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: log.who.ID()})
		bob.Send(wire.TypeState, hub.state(false))
		bob.Bytes(log.frame(wire.TypeRun, 1, 1))
		for range 3 {
			var s wire.Stable
			bob.Await(time.Second, wire.TypeStable, &s)
			if want := (wire.StableLog{Log: log.whole.Log, Seq: 1, Tip: log.hashes[0], Copies: 1}); len(s.Logs) != 1 || s.Logs[0] != want {
				t.Errorf("told %v, want %v", s.Logs, want)
			}
			bob.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Waiting: []wire.Head{log.head(1)}})
		}
		stands(t, ended)
	})
}
