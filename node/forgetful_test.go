package node_test

import (
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// The hub and the two next in line keep no history; what is said is on two disks all the same, and known to be.
func TestWitnessesKeepHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var all []*instance.Instance
		for _, name := range []string{"first", "second", "third"} {
			all = append(all, instance.Start(t, lan, name, node.Config{NoHistory: true}))
			time.Sleep(2 * time.Second)
		}
		all = append(all, start(t, lan, "alice", "bob")...)
		if instance.Meet(t, 5*time.Second, all...) != all[0] {
			t.Fatal("the first is not the hub")
		}
		alice := all[3]
		alice.Say("is it safe?")
		instance.Until(t, 3*time.Second, "alice's line is on two disks", func() bool {
			return slices.ContainsFunc(alice.Events(), func(e node.Event) bool { d, ok := e.(node.Delivered); return ok && d.Copies == 2 })
		})
	})
}

// The hub keeps no history: what anybody says is known to be on three disks, also who is one of the witnesses, and nobody asks for that any more.
func TestThreeDisksBesideAHubThatKeepsNone(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := instance.Start(t, lan, "first", node.Config{NoHistory: true})
		time.Sleep(2 * time.Second)
		all := start(t, lan, "alice", "bob", "carol", "dave")
		if instance.Meet(t, 5*time.Second, append(all, hub)...) != hub {
			t.Fatal("the first is not the hub")
		}
		for _, i := range all {
			i.Say("is it safe?")
			instance.Until(t, 3*time.Second, i.Name+"'s line is on three disks", func() bool {
				return slices.ContainsFunc(i.Events(), func(e node.Event) bool { d, ok := e.(node.Delivered); return ok && d.Copies == 3 })
			})
		}
	})
}

// Of two machines one keeps no history: what it says is on one disk, and is on two when a third comes.
func TestSaidWithoutHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{NoHistory: true})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 5*time.Second, alice, bob)
		alice.Say("is it safe?")
		time.Sleep(3 * time.Second)
		ticked := func() bool {
			return slices.ContainsFunc(alice.Events(), func(e node.Event) bool { d, ok := e.(node.Delivered); return ok && d.Copies == 2 })
		}
		if ticked() {
			t.Fatal("ticked with one disk")
		}
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 5*time.Second, alice, bob, carol)
		instance.Until(t, 3*time.Second, "alice's line is on two disks", ticked)
	})
}
