package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// differences counts how often a node found that its history differs from another's.
type differences struct {
	slog.Handler
	n atomic.Int64
}

func (d *differences) Enabled(context.Context, slog.Level) bool { return true }

func (d *differences) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "journals differ" {
		d.n.Add(1)
	}
	return nil
}

// Those who keep history for 30 days and those who keep it for a year hold the same of what both keep, and have nothing to talk about, whoever is the hub.
func TestHorizons(t *testing.T) {
	const day = 24 * time.Hour
	for _, short := range []string{"harry", "fred"} {
		t.Run(short+" keeps less", func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				count := differences{Handler: slog.DiscardHandler}
				var all []*instance.Instance
				again := func(after time.Duration) {
					t.Helper()
					for _, i := range all {
						i.Stop()
					}
					time.Sleep(after)
					all = nil
					for _, name := range []string{"harry", "fred", "otto"} {
						c := node.Config{NeverHub: name != "harry", Log: slog.New(&count)}
						if name == short {
							c.Keep = 30 * day
						}
						all = append(all, instance.Start(t, lan, name, c))
					}
					instance.Meet(t, 5*time.Second, all...)
					time.Sleep(15 * time.Second) // until what is old is forgotten
				}
				for n, after := range []time.Duration{0, 10 * day, 25 * day, 10 * day} {
					again(after)
					for _, i := range all {
						i.Say(fmt.Sprint(i.Name, n))
					}
					time.Sleep(2 * time.Second)
				}
				count.n.Store(0)
				// One with a year comes back with an empty disk: it gets what whoever is linked to it keeps.
				lost := instance.Start(t, lan, "lost", node.Config{NeverHub: true, Log: slog.New(&count)})
				instance.Meet(t, 5*time.Second, append(all, lost)...)
				time.Sleep(2 * time.Minute)
				const year, month = 12, 6
				for _, i := range append(all, lost) {
					want := year
					if i.Name == short || i == lost && short == "harry" {
						want = month
					}
					lines := i.Lines(instance.Lobby)
					if full := all[2].Lines(instance.Lobby); len(lines) != want || len(full) != year || !slices.Equal(lines, full[year-want:]) {
						t.Errorf("%s shows %q, want the last %d of %q", i.Name, lines, want, full)
					}
					delivered(t, i)
				}
				if n := count.n.Load(); n > 1 {
					t.Errorf("histories were found to differ %d times", n)
				}
			})
		})
	}
}

// What is too old is forgotten also in the store of a realm that was left.
func TestHorizonOfWhatWasLeft(t *testing.T) {
	const day = 24 * time.Hour
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		start := func(name string) *instance.Instance {
			return instance.Start(t, lan, name, node.Config{NeverHub: name == "bob", Keep: 30 * day})
		}
		alice, bob := start("alice"), start("bob")
		instance.Meet(t, 5*time.Second, alice, bob)
		alice.Say("long ago")
		time.Sleep(5 * time.Second)
		alice.Stop()
		bob.Stop()
		time.Sleep(40 * day)
		// Alice goes elsewhere.
		alice = start("alice")
		others := []*instance.Instance{alice, start("carol"), start("dave")}
		instance.Meet(t, 5*time.Second, others...)
		network, err := identity.NewNetwork(message.Lobby, nil)
		if err != nil {
			t.Fatal(err)
		}
		kept := func() (n int) {
			t.Helper()
			history, err := node.OpenHistory(alice.Dir(), network)
			if err != nil {
				t.Fatal(err)
			}
			defer history.Close()
			found, err := history.Search(t.Context(), "ago", "", 9)
			if err != nil {
				t.Fatal(err)
			}
			return len(found.Hits)
		}
		if kept() != 1 {
			t.Fatal("it was not kept")
		}
		time.Sleep(2*time.Minute + 10*time.Second) // there are two stores
		if kept() != 0 {
			t.Error("what is too old is kept")
		}
	})
}

// What a long catch-up brought the hub is not sent on to the others: they find that they lack it, also one that keeps more than the hub, and is asked each second whether it has it on disk.
func TestLongCatchUpReachesWhoKeepsMore(t *testing.T) {
	const lines = 70
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		harry := instance.Start(t, lan, "harry", node.Config{Keep: 30 * 24 * time.Hour})
		fred := instance.Start(t, lan, "fred", node.Config{NeverHub: true})
		instance.Meet(t, 5*time.Second, harry, fred) // two clocks vouch for no time: both keep everything, until there are three
		otto := instance.Start(t, lan, "otto", node.Config{NeverHub: true, Rate: -1})
		instance.Meet(t, 5*time.Second, harry, fred, otto)
		time.Sleep(5 * time.Second)
		lan.Cut("otto")
		for n := range lines {
			otto.Say(fmt.Sprint(n))
		}
		time.Sleep(10 * time.Second)
		lan.Heal("otto")
		instance.Meet(t, 20*time.Second, harry, fred, otto)
		same(t, 5*time.Second, lines, harry, fred, otto)
		instance.Until(t, 5*time.Second, "all that otto said is on three disks", func() bool {
			n := 0
			for _, e := range otto.Events() {
				if d, ok := e.(node.Delivered); ok && d.Copies == 3 {
					n++
				}
			}
			return n == lines
		})
	})
}

// Who comes back to a private room reads what is said there, though the room has changed meanwhile and that was longer ago than anybody keeps history: what the room is, is said again.
func TestRoomOutlivesHistory(t *testing.T) {
	const day = 24 * time.Hour
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var clock wrongClock
		start := func(name string) *instance.Instance {
			return instance.Start(t, lan, name, node.Config{Keep: day, Clock: clock.now})
		}
		alice, bob, carol, dave := start("alice"), start("bob"), start("carol"), start("dave")
		instance.Meet(t, 10*time.Second, alice, bob, carol, dave)
		holdsKeys(t, alice, bob, dave)
		do(t, alice, node.NewRoom{Name: "plans"})
		joinPlans(t, alice, dave)
		say(t, alice, "#plans", "hello")
		reads(t, dave, "#plans", "hello")
		dave.Stop()
		joinPlans(t, alice, bob)
		for n := range 2 { // in seven days there is another epoch in any case
			time.Sleep(2 * time.Minute)
			clock.set(time.Duration(n+1) * 5 * day / 2)
			time.Sleep(3 * time.Minute)
		}
		dave = start("dave")
		instance.Meet(t, 20*time.Second, alice, bob, carol, dave)
		later(t, alice, "welcome back")
		reads(t, bob, "#plans", "welcome back")
		reads(t, dave, "#plans", "welcome back")
	})
}
