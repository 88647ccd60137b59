package node_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

const year = 365 * 24 * time.Hour

// A wrongClock is that far off.
type wrongClock struct{ atomic.Int64 }

func (w *wrongClock) set(off time.Duration) { w.Store(int64(off)) }
func (w *wrongClock) now() time.Time        { return time.Now().Add(time.Duration(w.Load())) }

// notices are what i's user was told.
func notices(i *instance.Instance) (texts []string) {
	for _, e := range i.Events() {
		if n, ok := e.(node.Notice); ok {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// delivered fails unless what i said in this process, and shows, is on another disk too.
func delivered(t *testing.T, i *instance.Instance) {
	t.Helper()
	page, err := i.Page(instance.Lobby, node.Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page {
		if m.Mine && m.Copies == 1 {
			t.Errorf("%s: %q is on no other disk", i.Name, m.Text)
		}
	}
}

// Of two clocks a year apart nobody knows which is right: both people are told, once, and what the one says stands last.
func TestTwoClocksApart(t *testing.T) {
	for _, off := range []time.Duration{year, -year} {
		for _, neverHub := range []bool{false, true} {
			t.Run(fmt.Sprint(off, neverHub), func(t *testing.T) {
				story(t, func(t *testing.T, lan *nodetest.LAN) {
					var wrong wrongClock
					wrong.set(off)
					carol := instance.Start(t, lan, "carol", node.Config{NeverHub: neverHub, Clock: wrong.now})
					time.Sleep(2 * time.Second)
					bob := instance.Start(t, lan, "bob", node.Config{NeverHub: !neverHub})
					instance.Meet(t, 5*time.Second, bob, carol)
					for n := range 3 {
						bob.Say(fmt.Sprint("bob", n))
						carol.Say(fmt.Sprint("carol", n))
						time.Sleep(time.Second)
					}
					want := []string{"bob: bob0", "bob: bob1", "bob: bob2", "carol: carol0", "carol: carol1", "carol: carol2"}
					if off < 0 {
						want = append(want[3:], want[:3]...)
					}
					lan.Cut("bob")
					time.Sleep(5 * time.Second)
					lan.Heal("bob")
					instance.Meet(t, 20*time.Second, bob, carol)
					time.Sleep(10 * time.Second)
					for _, i := range []*instance.Instance{bob, carol} {
						if got := i.Lines(instance.Lobby); !slices.Equal(got, want) {
							t.Errorf("%s shows %q", i.Name, got)
						}
						delivered(t, i)
						if told := notices(i); len(told) != 1 || !strings.Contains(told[0], "1 year apart") {
							t.Errorf("%s was told %q", i.Name, told)
						}
					}
				})
			})
		}
	}
}
