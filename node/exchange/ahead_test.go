package exchange_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// Runs that lie there together are taken as one, under the last signature.
func TestRunsThatCameTogether(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, b := newReplica(t, lan, "hub"), newReplica(t, lan, "b")
		b.link(hub)
		c := newChain(t, "evil", hub.journal.Today(), 12)
		p, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: c.who.ID()})
		p.Send(wire.TypeState, hub.state(false))
		time.Sleep(10 * time.Millisecond)
		before := hub.journal.Last()
		var frames []byte
		for i := range uint64(10) {
			frames = append(frames, c.frame(wire.TypeRun, i+1, i+1)...)
		}
		p.Write(frames)
		time.Sleep(time.Millisecond)
		if n := hub.journal.Last() - before; n > 2 { // the first read is a small one
			t.Errorf("ten runs that came together are %d", n)
		}
		p.Write(append(c.frame(wire.TypeRun, 12, 12), c.frame(wire.TypeRun, 11, 12)...)) // does not continue what is there, and then does
		time.Sleep(5 * time.Second)
		synctest.Wait()
		equal(t, 12, hub, b)
	})
}

// What does not verify is refused, and what came before it is not.
func TestRunsThatCameWithAFalseOne(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		c := newChain(t, "evil", hub.journal.Today(), 3)
		p, ended := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: c.who.ID()})
		p.Send(wire.TypeState, hub.state(false))
		time.Sleep(10 * time.Millisecond)
		forged := c.run(3, 3)
		forged.Sig[0] ^= 1
		p.Write(append(append(c.frame(wire.TypeRun, 1, 1), c.frame(wire.TypeRun, 2, 2)...), wire.AppendFrame(nil, wire.TypeRun, forged.Append(nil))...))
		if err := <-ended; !errors.Is(err, message.ErrSignature) {
			t.Errorf("the link ended with %v", err)
		}
		equal(t, 2, hub)
	})
}

// A limit counts all messages of a run, also where they are more than its burst.
func TestLimitOfLongRuns(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		hub.limited(10, 5)
		const n = 105
		c := newChain(t, "evil", hub.journal.Today(), n+1)
		p, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Peer: c.who.ID()})
		p.Send(wire.TypeState, hub.state(false))
		time.Sleep(10 * time.Millisecond)
		p.Write(c.frame(wire.TypeRun, 1, n))
		time.Sleep(10 * time.Millisecond)
		p.Write(c.frame(wire.TypeRun, n+1, n+1))
		for range 19 {
			time.Sleep(500 * time.Millisecond)
			p.Send(wire.TypeBeat, &wire.Beat{})
		}
		synctest.Wait()
		if h, _ := hub.journal.Head(c.whole.Log); h.Seq != n {
			t.Errorf("the hub holds %d messages 9.5 s after %d came, of which it reads 10 a second", h.Seq, n)
		}
		time.Sleep(2 * time.Second)
		equal(t, n+1, hub)
	})
}
