package exchange_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/wire"
)

// What a hub calls stable is another message where the hash is another: it counts for nothing.
func TestStableIsOfThis(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		k := a.sayText("mine")
		tip, _ := a.journal.Hash(k.Log, 1)
		hub, ended := hostile(t, lan, a, &exchange.Link{})
		for want, h := range []message.Hash{{1}, tip} {
			hub.Send(wire.TypeStable, &wire.Stable{Logs: []wire.StableLog{{Log: k.Log, Seq: 1, Tip: h, Copies: 1}}})
			time.Sleep(100 * time.Millisecond)
			if n := a.told(1); n != want {
				t.Errorf("%d machines, want %d", n, want)
			}
		}
		stands(t, ended)
	})
}

// Whatever is on its way at the moment of a BEAT is no difference: nothing is talked about while two speak without a pause.
func TestTalkIsNoDifference(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		up, down := a.count(hub, wire.TypeState)
		b.link(hub)
		time.Sleep(3 * time.Second)
		before := up.Load() + down.Load()
		lan.Loss(20)
		for range 200 {
			hub.say(1)
			a.say(1)
			time.Sleep(50 * time.Millisecond)
		}
		if n := up.Load() + down.Load() - before; n > 0 {
			t.Errorf("%d times, in 10 s", n)
		}
		lan.Loss(0)
		time.Sleep(time.Second)
		equal(t, 400, hub, a, b)
	})
}

// Who keeps a day is sent nothing that is older.
func TestShorterHorizon(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, b := newReplica(t, lan, "hub"), newReplica(t, lan, "b")
		a := newReplicaOf(t, lan, "a", journal.Config{Dir: t.TempDir(), Keep: 24 * time.Hour})
		b.link(hub)
		end := a.link(hub)
		time.Sleep(5 * time.Second) // three clocks
		end()
		runs, back := a.count(hub, wire.TypeRun)
		time.Sleep(time.Second)
		if a.journal.Horizon(message.Public) == 0 {
			t.Fatal("a keeps everything")
		}
		old := newChain(t, "bob", hub.journal.Today()-3, 3)
		hub.give(old.run(1, 3))
		time.Sleep(10 * time.Second)
		if hub.has(old.whole.Log) != 3 || b.has(old.whole.Log) != 3 || a.has(old.whole.Log) != 0 {
			t.Errorf("the hub has %d, b %d, a %d of a log that is three days old", hub.has(old.whole.Log), b.has(old.whole.Log), a.has(old.whole.Log))
		}
		if n := runs.Load() + back.Load(); n != 0 {
			t.Errorf("%d runs were sent to who does not keep them", n)
		}
	})
}

// A hub that has a message already, from elsewhere, learns from its author's BEAT that it is waited for.
func TestAuthorsAskAgain(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		first, second, a := newReplica(t, lan, "first"), newReplica(t, lan, "second"), newReplica(t, lan, "a")
		k := a.sayText("mine")
		end := a.link(first)
		second.link(first)
		time.Sleep(3 * time.Second)
		end()
		equal(t, 1, first, second, a)
		a.mu.Lock()
		clear(a.stable) // the first hub may have counted: it had the message from its author's own link
		a.mu.Unlock()
		tip, _ := a.journal.Hash(k.Log, 1)
		a.x = exchange.New(exchange.Config{Journal: a.journal, Host: hostID("a"), Stable: func(_ message.LogID, seq uint64, copies int, _ bool) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.stable[seq] = copies
		}, Waiting: func() []wire.Head { return []wire.Head{{Log: k.Log, Seq: 1, Tip: tip}} }})
		a.link(second)
		time.Sleep(3 * time.Second)
		if n := a.told(1); n != 1 {
			t.Errorf("told of %d machines, want the second hub", n)
		}
	})
}

// A witness says what is on its disk as soon as it is, and not with the next BEAT.
func TestHaveComesWithTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		hub, a, w := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplicaIn(t, lan, "w", dir)
		hub.commits()
		a.link(hub)
		hub.x.Witnesses([]identity.Session{w.session})
		w.link(hub)
		newReplica(t, lan, "another").link(hub)
		time.Sleep(3 * time.Second)
		w.x.Witness(true)
		d.Slow(20 * time.Millisecond)
		for seq := uint64(1); seq <= 10; seq++ {
			a.say(1)
			time.Sleep(100 * time.Millisecond)
			if n := a.told(seq); n != 2 {
				t.Errorf("message %d is on %d other machines after 100 ms, want 2", seq, n)
			}
			time.Sleep(time.Duration(seq) * 13 * time.Millisecond)
		}
	})
}

// Who waits for another's message is told nothing: acknowledgements are the author's.
func TestOnlyAuthorsWait(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		hub.commits()
		a.link(hub)
		time.Sleep(time.Second)
		k := a.sayText("mine")
		tip, _ := a.journal.Hash(k.Log, 1)
		b.x = exchange.New(exchange.Config{Journal: b.journal, Host: hostID("b"), Waiting: func() []wire.Head { return []wire.Head{{Log: k.Log, Seq: 1, Tip: tip}} }})
		_, told := b.count(hub, wire.TypeStable)
		hub.say(1) // and commits
		time.Sleep(5 * time.Second)
		if n := told.Load(); n != 0 || a.told(1) != 1 {
			t.Errorf("b was told %d times of what a said, and a of %d machines", n, a.told(1))
		}
	})
}

// Who asks again and again how far its lines got, and does not hear the answers, takes no more memory for that.
func TestAsksAndDoesNotHear(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		hub.commits()
		var beat wire.Beat
		var who *chain
		for i := range wire.MaxHeads {
			who = newChain(t, "liar", hub.journal.Today(), 1)
			who.whole.Opening.Nonce = message.Nonce{byte(i), byte(i >> 8)}
			who.whole.Log = who.whole.Opening.Log()
			who.hashes = who.whole.Hashes()
			hub.give(who.run(1, 1))
			beat.Waiting = append(beat.Waiting, who.head(1))
		}
		time.Sleep(time.Second)
		heap := func() int64 {
			synctest.Wait()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: who.who.ID()})
		evil.Send(wire.TypeState, hub.state(false))
		beat.Clock = time.Now().UnixMilli()
		for range 20 {
			evil.Send(wire.TypeBeat, &beat)
		}
		before := heap()
		for range 100 {
			evil.Send(wire.TypeBeat, &beat)
		}
		if more := heap() - before; more > 1<<20 {
			t.Errorf("it takes %d bytes", more)
		}
		stands(t, ended)
	})
}

// Who says thousands of things that are never whole on any disk keeps nobody else from being told how far their lines got.
func TestAwaitedForEver(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		hub.commits()
		a.link(hub)
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: newChain(t, "liar", 0, 1).who.ID()})
		for i := range 4100 {
			log := newChain(t, "liar", hub.journal.Today(), 1)
			log.whole.Opening.Nonce = message.Nonce{byte(i), byte(i >> 8)}
			log.whole.Log = log.whole.Opening.Log()
			evil.Bytes(log.stripped(wire.TypeRun, 1, 1))
		}
		time.Sleep(time.Second)
		a.say(1)
		time.Sleep(time.Second)
		if n := a.told(1); n != 1 {
			t.Errorf("a was told of %d machines, want the hub", n)
		}
		stands(t, ended)
	})
}
