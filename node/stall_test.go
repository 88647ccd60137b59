package node_test

import (
	"fmt"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// A follower that did not run for a while, or a machine on which nothing did, does not take its own absence for the hub's.
func TestStalls(t *testing.T) {
	for name, stalled := range map[string]func(all []*instance.Instance, hub *instance.Instance) []*instance.Instance{
		"a follower": func(all []*instance.Instance, hub *instance.Instance) []*instance.Instance {
			return others(all, hub)[:1]
		},
		"the others": others,
		"all":        func(all []*instance.Instance, hub *instance.Instance) []*instance.Instance { return all },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "alice", "bob", "carol", "dave")
				hub := instance.Meet(t, 3*time.Second, all...)
				time.Sleep(3 * time.Second)
				seen := map[*instance.Instance]int{}
				for _, i := range all {
					seen[i] = len(i.Events())
				}
				for long := 500 * time.Millisecond; long < 1300*time.Millisecond; long += 80 * time.Millisecond {
					for _, i := range stalled(all, hub) {
						i.Freeze()
					}
					time.Sleep(long)
					for _, i := range others(stalled(all, hub), hub) {
						i.Thaw()
					}
					if long > 850*time.Millisecond {
						time.Sleep(100 * time.Millisecond) // what kept them back keeps the hub back a little longer
					}
					hub.Thaw()
					time.Sleep(1200 * time.Millisecond)
				}
				for _, i := range all {
					for _, e := range i.Events()[seen[i]:] {
						if h, ok := e.(node.HubChanged); ok {
							t.Errorf("%s: %+v", i.Name, h)
						}
					}
				}
			})
		})
	}
}

// A hub that was silent for a moment, and is there when it is dialled again, was not lost.
func TestSilentForAMoment(t *testing.T) {
	for phase := range 4 {
		t.Run(fmt.Sprint(phase), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "alice", "bob")
				hub := instance.Meet(t, 3*time.Second, all...)
				follower := others(all, hub)[0]
				time.Sleep(2*time.Second + time.Duration(phase)*80*time.Millisecond)
				seen := len(follower.Events())
				lan.Cut(hub.Name)
				time.Sleep(650 * time.Millisecond)
				lan.Heal(hub.Name)
				time.Sleep(time.Second)
				for _, e := range follower.Events()[seen:] {
					t.Errorf("%T%+v", e, e)
				}
				hub.Crash()
				instance.Until(t, 2*time.Second, "another serves", follower.Serving)
			})
		})
	}
}
