package node_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// Of three machines one, the hub or another, has a clock that is an hour ahead, and then two behind: what is said there stands among what the others say at the time.
func TestOneWrongClock(t *testing.T) {
	for _, neverHub := range []bool{false, true} {
		t.Run(fmt.Sprint("neverHub=", neverHub), func(t *testing.T) { testOneWrongClock(t, neverHub) })
	}
}

func testOneWrongClock(t *testing.T, neverHub bool) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var wrong atomic.Int64
		carol := instance.Start(t, lan, "carol", node.Config{NeverHub: neverHub, Clock: func() time.Time { return time.Now().Add(time.Duration(wrong.Load())) }})
		time.Sleep(2 * time.Second)
		all := append(start(t, lan, "alice", "bob"), carol)
		if hub := instance.Meet(t, 5*time.Second, all...); (hub == carol) == neverHub {
			t.Fatalf("%s is the hub", hub.Name)
		}
		for i, set := range []time.Duration{time.Hour, -2 * time.Hour} {
			wrong.Store(int64(set))
			time.Sleep(3 * time.Second)
			began := time.Now()
			for _, who := range all {
				who.Say(fmt.Sprint(who.Name, i))
				time.Sleep(2 * time.Second)
			}
			same(t, 3*time.Second, 3*i+3, all...)
			page, err := carol.Page(instance.Lobby, node.Key{}, 3)
			if err != nil {
				t.Fatal(err)
			}
			for n, m := range page {
				if want := began.Add(time.Duration(n) * 2 * time.Second); m.Text != fmt.Sprint(all[n].Name, i) || m.At.Before(want.Add(-time.Second)) || m.At.After(want.Add(time.Second)) {
					t.Errorf("%v ahead: %s said at %v: %q; it was %v", set, m.Nick, m.At, m.Text, want)
				}
			}
		}
	})
}
