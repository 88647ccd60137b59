package exchange_test

import (
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// Who claims a log again and again keeps it from nobody either.
func TestClaimedAgainAndAgain(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		k := a.sayText("said apart")
		evil, _ := hostile(t, lan, hub, &exchange.Link{Hub: true})
		want := hub.claim(evil, wire.Head{Log: k.Log, Seq: 1000})
		a.link(hub)
		for range 8 {
			time.Sleep(2 * time.Second)
			evil.Send(wire.TypeDone, &wire.Done{Logs: []message.LogID{want.Wants[0].Log}})
			time.Sleep(5 * time.Millisecond)
			want = hub.claim(evil, wire.Head{Log: k.Log, Seq: 1000})
		}
		equal(t, 1, a, hub)
	})
}

// Claims of what does not exist keep honest journals from being compared for half a minute, not for ever.
func TestBusyEnds(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		evil, _ := hostile(t, lan, hub, &exchange.Link{Hub: true})
		a.link(hub)
		b.say(100) // more than is relayed: a has to compare
		for i := range byte(20) {
			l := message.LogID{255, i}
			hub.claim(evil, wire.Head{Log: l, Seq: 1000})
			if i == 0 {
				b.link(hub)
			}
			time.Sleep(2 * time.Second)
			evil.Send(wire.TypeDone, &wire.Done{Logs: []message.LogID{l}})
			time.Sleep(5 * time.Millisecond)
		}
		equal(t, 100, b, hub, a)
	})
}

// What the hub does not take for its day is offered ever more rarely.
func TestRefusedDayIsNotOfferedForEver(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		for _, name := range []string{"b", "c"} {
			newReplica(t, lan, name).link(hub)
		}
		time.Sleep(3 * time.Second) // the clock is vouched for
		a.give(newChain(t, "early", hub.journal.Today()+3, 1).run(1, 1))
		var states atomic.Int64
		here, there := ends(t, lan, "a", hub)
		a.join(hub, counting{here, wire.TypeState, &states}, counting{there, wire.TypeState, &states})
		time.Sleep(100 * time.Second)
		if n := states.Load(); n > 40 {
			t.Errorf("STATE was sent %d times in 100 s", n)
		}
	})
}
