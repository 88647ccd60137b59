package exchange_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// Who dialled answers the hub's BEAT and says nothing else; where none comes it speaks by itself, and a hub that does not stop is not answered each time.
func TestBeatIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		hub, ended := hostile(t, lan, a, exchange.Link{State: a.state(true)})
		hub.Await(time.Second, wire.TypeState, nil)
		for range 2 {
			began := time.Now()
			hub.Await(2*time.Second, wire.TypeBeat, nil)
			if time.Since(began) < time.Second {
				t.Errorf("a BEAT after %v that nothing asked for", time.Since(began))
			}
		}
		for range 5 {
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
			hub.Await(5*time.Millisecond, wire.TypeBeat, nil)
			if f, _, err := hub.Next(900 * time.Millisecond); err == nil {
				t.Errorf("frame %d between two BEATs", f)
			}
		}
		for range 100 {
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
		}
		hub.Await(time.Second, wire.TypeBeat, nil)
		if f, _, err := hub.Next(300 * time.Millisecond); err == nil {
			t.Errorf("frame %d after a hundred BEATs at once were answered", f)
		}
		stands(t, ended)
	})
}

// How long the way takes is told when it is news: on a LAN it is never the same twice, and whoever is told draws it.
func TestTripIsToldWhenItIsNews(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		var told []time.Duration
		hub, ended := hostile(t, lan, a, exchange.Link{State: a.state(true), Trip: func(d time.Duration) { told = append(told, d) }})
		for _, µs := range []uint32{400, 900, 300, 1200, 30_000, 33_000, 20_000, 400} {
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Mark: 1, Trip: µs})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if want := []time.Duration{400 * time.Microsecond, 30 * time.Millisecond, 20 * time.Millisecond, 400 * time.Microsecond}; !slices.Equal(told, want) {
			t.Errorf("told %v, not %v", told, want)
		}
		stands(t, ended)
	})
}
