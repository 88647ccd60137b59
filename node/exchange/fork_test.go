package exchange_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// fork returns another chain with the same first n messages.
func (c *chain) fork(n, length int, word string) *chain {
	o := &chain{who: c.who, whole: c.whole}
	o.whole.Records = append(o.whole.Records[:n:n], make([]message.Record, length-n)...)
	for i := n; i < length; i++ {
		o.whole.Records[i] = message.Body(c.whole.Records[0].HLC+uint64(i), message.Text, []byte(fmt.Sprint(word, " ", i)))
	}
	o.hashes = o.whole.Hashes()
	return o
}

// found is how often a fork was found.
func (r *replica) found() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.forks
}

// A log that is found to be forked at the hub ends there for everyone at once, with nothing compared: the proof comes with the tail. Who held one way of it has it
// cut off, and so has who was told the other, and after that there is nothing to say.
func TestForkEndsEverywhereAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		log := newChain(t, "bob", hub.journal.Today(), 6)
		other := log.fork(4, 8, "other")
		all := []*replica{hub}
		for i := range 4 {
			r := newReplica(t, lan, fmt.Sprint("f", i))
			all = append(all, r)
			r.link(hub)
		}
		one, endedOne := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: log.who.ID()})
		two, endedTwo := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: log.who.ID()})
		for _, p := range []interface{ Send(wire.Type, any) }{one, two} {
			p.Send(wire.TypeState, hub.state(false))
		}
		time.Sleep(3 * time.Second)
		one.Bytes(log.frame(wire.TypeRun, 1, 6))
		time.Sleep(10 * time.Millisecond)
		equal(t, 6, all...)
		two.Bytes(other.frame(wire.TypeRun, 1, 8))
		time.Sleep(10 * time.Millisecond)
		equal(t, 4, all...)
		for _, r := range all {
			if h, _ := r.journal.Head(log.whole.Log); h.Fork != 5 || r.found() != 1 {
				t.Errorf("at %s the log forks at %d, found %d times; want at 5, once", r.name, h.Fork, r.found())
			}
		}
		// Whoever said which, both are told.
		one.Await(time.Second, wire.TypeProof, nil)
		two.Await(time.Second, wire.TypeProof, nil)
		for err := error(nil); err == nil; { // who said the other is asked for the whole log, before it is told or after
			_, _, err = two.Next(10 * time.Millisecond)
		}
		stands(t, endedOne)
		stands(t, endedTwo)
		// Both go on as they were, and nobody listens.
		two.Bytes(other.frame(wire.TypeRun, 7, 8))
		one.Bytes(log.frame(wire.TypeRun, 5, 6))
		time.Sleep(time.Second)
		equal(t, 4, all...)
		for _, p := range []interface {
			Next(time.Duration) (wire.Type, []byte, error)
		}{one, two} {
			for end := time.Now().Add(3 * time.Second); ; {
				kind, _, err := p.Next(time.Until(end))
				if err != nil {
					break
				}
				switch kind {
				case wire.TypeProof, wire.TypeWant, wire.TypeState, wire.TypeRun:
					t.Errorf("a frame %d although all is said", kind)
				}
			}
		}
	})
}

// A liar who forks a log of his own at one number after the other, from the end down, is heard at his rate and no faster, whether he says that he was asked or not.
func TestForkAfterForkIsLimited(t *testing.T) {
	for _, kind := range []wire.Type{wire.TypeRun, wire.TypePulled, wire.TypeProof} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T, lan *nodetest.LAN) {
				const length, burst = 200, 20
				hub := newReplica(t, lan, "hub")
				hub.limited(1, burst)
				log := newChain(t, "liar", hub.journal.Today(), length)
				hub.give(log.run(1, length))
				evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
				if kind == wire.TypePulled {
					hub.claim(evil, wire.Head{Log: log.whole.Log, Seq: length, Tip: message.Hash{1}})
				}
				for at := length - 1; at > 0; at-- {
					other := log.fork(at, at+1, "other")
					if kind == wire.TypeProof {
						one := log.run(uint64(at+1), uint64(at+1))
						evil.Bytes(wire.AppendFrame(nil, wire.TypeProof, message.AppendProof(nil, one, other.run(uint64(at+1), uint64(at+1)))))
						continue
					}
					evil.Bytes(other.frame(kind, uint64(at+1), uint64(at+1)))
				}
				time.Sleep(time.Second)
				stands(t, ended)
				if n := hub.found(); n > burst+3 {
					t.Errorf("%d forks were taken within a second, with a burst of %d", n, burst)
				}
			})
		})
	}
}

// What the hub counted of one way of a log says nothing of the other: an author whose lines are past the fork hears of no copies of them, and of those before it as ever.
// And the witnesses are not asked for them for ever.
func TestForkIsNotCounted(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, another := newReplica(t, lan, "hub"), newReplica(t, lan, "another")
		hub.commits()
		another.link(hub)
		log := newChain(t, "bob", hub.journal.Today(), 6)
		other := log.fork(4, 6, "other")
		bob, ended := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: log.who.ID()})
		w := wire.Hello{Session: identity.NewSession(), Host: hostID("w")}
		witness, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Session: w.Session, Host: w.Host})
		hub.x.Witnesses([]identity.Session{w.Session})
		durable := hub.state(false)
		durable.Durable = true
		witness.Send(wire.TypeState, durable)
		bob.Send(wire.TypeState, hub.state(false))
		time.Sleep(100 * time.Millisecond)
		bob.Bytes(log.frame(wire.TypeRun, 1, 6)) // and waits for all of them
		bob.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Waiting: []wire.Head{log.head(6)}})
		var first wire.Stable
		bob.Await(time.Second, wire.TypeStable, &first) // the hub's own disk
		// It may be told twice, as long as it is so.
		for {
			if _, _, err := bob.Next(100 * time.Millisecond); err != nil {
				break
			}
		}
		if _, err := hub.journal.Append(t.Context(), other.run(1, 6), hub.journal.NewOrigin(), journal.Live); !errors.Is(err, journal.ErrConflict) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		bob.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Waiting: []wire.Head{log.head(4)}})
		time.Sleep(100 * time.Millisecond)
		copies := func(heads ...wire.Head) (n uint8) {
			t.Helper()
			witness.Send(wire.TypeHave, &wire.Have{Heads: heads})
			for end := time.Now().Add(time.Second); ; {
				kind, body, err := bob.Next(time.Until(end))
				if err != nil {
					return n
				}
				var s wire.Stable
				if kind != wire.TypeStable {
					continue
				}
				if err := wire.Decode(body, &s); err != nil {
					t.Fatal(err)
				}
				for _, l := range s.Logs {
					if l.Seq > 4 || l.Tip != log.hashes[l.Seq-1] {
						t.Errorf("told of %+v", l)
					}
					n = max(n, l.Copies)
				}
			}
		}
		if n := copies(other.head(6)); n > 1 {
			t.Errorf("the other way counts: %d copies", n)
		}
		if n := copies(log.head(4)); n != 2 {
			t.Errorf("%d copies of what was said before the fork", n)
		}
		stands(t, ended)
		for end := time.Now().Add(3 * time.Second); ; {
			kind, body, err := witness.Next(time.Until(end))
			if err != nil {
				break
			}
			var b wire.Beat
			if kind == wire.TypeBeat && time.Until(end) < 2*time.Second {
				if err := wire.Decode(body, &b); err != nil {
					t.Fatal(err)
				}
				if len(b.Waiting) > 0 {
					t.Errorf("the witness is asked for %v", b.Waiting)
				}
			}
		}
	})
}

// A log that its author ended before the first message reaches who never had it as well, and then there is no difference to talk about.
func TestVoidReachesWhoNeverHadIt(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		key := a.sayText("said again")
		if err := a.author.Restate(t.Context(), key.Log, func([]journal.Restated) {}); err != nil {
			t.Fatal(err)
		}
		var states atomic.Int64
		here, there := ends(t, lan, "a", hub)
		a.join(hub, counting{here, wire.TypeState, &states}, counting{there, wire.TypeState, &states})
		time.Sleep(20 * time.Second)
		equal(t, 1, hub, a)
		if h, ok := hub.journal.Head(key.Log); !ok || h.Fork != 1 {
			t.Errorf("the hub has %+v", h)
		}
		if n := states.Load(); n != 2 {
			t.Errorf("STATE was sent %d times, want once each way", n)
		}
	})
}
