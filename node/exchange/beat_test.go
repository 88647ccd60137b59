package exchange_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// Who dialled answers the hub's BEAT and says nothing else; where none comes it speaks by itself, and a hub that does not stop is not answered each time.
func TestBeatIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		hub, ended := hostile(t, lan, a, &exchange.Link{State: a.state(true)})
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

// How long the way takes is news when it changed much: on a LAN it is never the same twice, and for news all that is shown is drawn.
func TestTripIsNewsWhenItChangedMuch(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		var told, newer []time.Duration
		hub, ended := hostile(t, lan, a, &exchange.Link{State: a.state(true), Trip: func(d time.Duration, news bool) {
			told = append(told, d/time.Microsecond)
			if news {
				newer = append(newer, d/time.Microsecond)
			}
		}})
		measured := []time.Duration{400, 900, 300, 1200, 30_000, 33_000, 20_000, 400}
		for _, µs := range measured {
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Mark: 1, Trip: uint32(µs)})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if !slices.Equal(told, measured) {
			t.Errorf("told %d, not %d µs", told, measured)
		}
		if want := []time.Duration{400, 30_000, 20_000, 400}; !slices.Equal(newer, want) {
			t.Errorf("%d µs were news, not %d", newer, want)
		}
		stands(t, ended)
	})
}

// Roots over other groups than this end's are no difference, unless the lists go on to differ.
func TestOtherGroups(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		state := a.state(true)
		root, err := a.journal.Root(message.Public, 0, a.journal.Today())
		if err != nil {
			t.Fatal(err)
		}
		state.Groups[0].Sum = root
		hub, ended := hostile(t, lan, a, &exchange.Link{State: state})
		hub.Await(time.Second, wire.TypeState, new(wire.State))
		beat := func(covers uint64) (again bool) {
			time.Sleep(time.Second)
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Root: &message.Hash{1}, Covers: covers})
			for {
				f, _, err := hub.Next(time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if f == wire.TypeState || f == wire.TypeBeat {
					return f == wire.TypeState
				}
			}
		}
		for range 2 {
			if beat(7) {
				t.Error("other groups are a difference at once")
			}
		}
		if !beat(7) {
			t.Error("other groups are never a difference")
		}
		stands(t, ended)
	})
}
