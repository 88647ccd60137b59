package exchange_test

import (
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/journal"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// A wrongClock is off by what it holds.
type wrongClock struct{ atomic.Int64 }

func (w *wrongClock) set(off time.Duration) { w.Store(int64(off)) }

func (w *wrongClock) clock() *journal.Clock {
	return journal.NewClock(func() time.Time { return time.Now().Add(time.Duration(w.Load())) })
}

const year = 365 * 24 * time.Hour

// knows fails unless r has the right time, and that it is vouched for is as told.
func (r *replica) knows(vouched bool) {
	r.t.Helper()
	if now, ok := r.journal.Clock().Now(); time.Until(now).Abs() > time.Second || ok != vouched {
		r.t.Errorf("the clock of %s is %v off, vouched %v", r.name, time.Until(now), ok)
	}
}

// Whatever is done to the hub's clock, and whenever it is looked at, nobody is told another time.
func TestHubsClockLeaps(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		var wrong wrongClock
		hub, a, b := newReplicaBy(t, lan, "hub", wrong.clock()), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		a.link(hub)
		b.link(hub)
		time.Sleep(3 * time.Second)
		for _, off := range []time.Duration{year, time.Hour, 0, -time.Hour, -year, 40 * 24 * time.Hour} {
			wrong.set(off)
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				a.knows(true)
				b.knows(true)
			}
			hub.knows(true)
		}
	})
}

// Who did not run for a while finds what others sent it in the meantime: the time in that is not the time now.
func TestTimeAfterAStall(t *testing.T) {
	for stalled, long := range []time.Duration{4400 * time.Millisecond, 8 * time.Second} { // a link ends after 5 s without a word
		t.Run([]string{"hub", "follower"}[stalled], func(t *testing.T) {
			bubble(t, func(t *testing.T, lan *nodetest.LAN) {
				var wrong wrongClock // the median is not the hub's own
				wrong.set(-time.Hour)
				all := []*replica{newReplicaBy(t, lan, "hub", wrong.clock()), newReplica(t, lan, "a"), newReplica(t, lan, "b")}
				l, _, err := all[0].host.Listen(0)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				for _, r := range all[1:] {
					here, err := r.host.Dial(t.Context(), l.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					there, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					r.join(all[0], here, there)
				}
				time.Sleep(3 * time.Second)
				all[stalled].host.Freeze()
				time.Sleep(long)
				all[stalled].host.Thaw()
				for range 100 {
					time.Sleep(30 * time.Millisecond)
					all[stalled].knows(true)
				}
			})
		})
	}
}

// What three vouched for, one of them passes on to another who knows no better, as its hub or as its follower; not to one who knows as well.
func TestTimeIsPassedOn(t *testing.T) {
	for _, serves := range []bool{false, true} {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			var wrong, set wrongClock
			wrong.set(-year)
			one, two, three := newReplicaBy(t, lan, "one", set.clock()), newReplica(t, lan, "two"), newReplica(t, lan, "three")
			ends := []func(){two.link(one), three.link(one)}
			time.Sleep(3 * time.Second)
			for _, end := range ends {
				end()
			}
			set.set(-year) // and it still knows
			late := newReplicaBy(t, lan, "late", wrong.clock())
			hub, other := late, one
			if serves {
				hub, other = one, late
			}
			other.link(hub)
			time.Sleep(3 * time.Second)
			one.knows(true)
			late.knows(true)
			late.sayText("when it was")
			time.Sleep(time.Second)
			equal(t, 1, one, late)
		})
	}
}

// A follower that lies about what was vouched for is believed by a hub that knows no better only while it is linked, and that hub's other followers never hear of it.
func TestOnesWordEndsWithItsLink(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, liar, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "liar"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		liar.journal.Clock().Vouch(time.Now().Add(-2 * year))
		end := liar.link(hub)
		time.Sleep(3 * time.Second)
		if now, ok := hub.journal.Clock().Now(); time.Since(now).Round(time.Second) != 2*year || !ok {
			t.Errorf("the hub's clock is %v off, vouched %v", time.Until(now), ok)
		}
		end()
		a.link(hub)
		time.Sleep(3 * time.Second)
		hub.knows(false)
		a.knows(false)
		b.link(hub)
		time.Sleep(3 * time.Second)
		liar.link(hub)
		time.Sleep(3 * time.Second)
		for _, r := range []*replica{hub, a, b} {
			r.knows(true)
		}
	})
}

// Two clocks are none: both go by their own.
func TestTwoClocksVouchForNothing(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		var wrong wrongClock
		wrong.set(year)
		hub, a := newReplica(t, lan, "hub"), newReplicaBy(t, lan, "a", wrong.clock())
		a.link(hub)
		time.Sleep(3 * time.Second)
		hub.knows(false)
		if now, ok := a.journal.Clock().Now(); time.Until(now).Round(time.Second) != year || ok {
			t.Errorf("the clock of a is %v off, vouched %v", time.Until(now), ok)
		}
		a.sayText("next year")
		hub.sayText("this year")
		time.Sleep(time.Second)
		equal(t, 2, hub, a)
		if texts := hub.texts(); texts[1] != "next year" {
			t.Errorf("what is a year ahead does not sort last: %q", texts)
		}
	})
}

// What was taken while nobody vouched for the time, and is of a day to come, is no difference to talk about with those who would not take it, until its day has come.
func TestDaysToCome(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		for _, r := range []*replica{hub, b} { // they know the time already
			r.journal.Clock().Vouch(time.Now())
		}
		a.give(newChain(t, "early", a.journal.Today()+3, 3).run(1, 3))
		parted := []func(){b.link(hub)}
		var states atomic.Int64
		here, there := ends(t, lan, "a", hub)
		parted = append(parted, a.join(hub, counting{here, wire.TypeState, &states}, counting{there, wire.TypeState, &states}))
		time.Sleep(time.Minute)
		if n := states.Load(); n > 4 {
			t.Errorf("STATE was sent %d times", n)
		}
		late := newReplica(t, lan, "late")
		parted = append(parted, late.link(a))
		time.Sleep(time.Second)
		equal(t, 0, hub, b, late)
		equal(t, 3, a)
		for _, end := range parted {
			end()
		}
		var asked atomic.Int64
		here, there = ends(t, lan, "a", hub)
		end := a.join(hub, counting{here, wire.TypeAskDays, &asked}, counting{there, wire.TypeAskDays, &asked})
		time.Sleep(5 * time.Second)
		if n := asked.Load(); n > 0 {
			t.Errorf("days were asked for %d times", n)
		}
		end()
		time.Sleep(2 * 24 * time.Hour)
		a.link(hub)
		b.link(hub)
		time.Sleep(5 * time.Second)
		equal(t, 3, hub, a, b)
	})
}
