package node_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
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

// A hub that keeps nothing on disk forgets what is too much for its memory. Who is there hears everything all the same, and has nothing to talk about with it; who comes then has what others than
// the one who said so much said, is not told over and over what cannot be had, and gets that, too, from the hub after it.
func TestForgetfulHub(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		count := differences{Handler: slog.DiscardHandler}
		hub := instance.Start(t, lan, "box", node.Config{NoHistory: true, Memory: 1 << 20, ServerOnly: true, Rate: -1, Log: slog.New(&count)})
		all := start(t, lan, "alice", "bob")
		flood := instance.Start(t, lan, "flood", node.Config{Rate: -1})
		all = append(all, flood)
		if instance.Meet(t, 5*time.Second, append(all, hub)...) != hub {
			t.Fatal("the box is not the hub")
		}
		all[0].Say("hello")
		text := strings.Repeat("x", 2000)
		const lines = 800
		for n := range lines {
			flood.Say(fmt.Sprint(n, text))
			if n%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		all[1].Say("what was that?")
		same(t, 10*time.Second, lines+2, all...)
		time.Sleep(5 * time.Second)
		if n := len(hub.Lines(instance.Lobby)); n > 500 {
			t.Errorf("the hub holds %d lines of 2 KB in a megabyte", n)
		}
		count.n.Store(0)
		time.Sleep(time.Minute)
		if n := count.n.Load(); n > 0 {
			t.Errorf("the hub found %d times that others hold something else", n)
		}

		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 5*time.Second, append(all, hub, carol)...)
		instance.Until(t, 3*time.Second, "carol has what is to be had", func() bool { return slices.Equal(carol.Heard(instance.Lobby), []string{"hello", "what was that?"}) })
		count.n.Store(0)
		before := lan.Carried()
		for n := range 120 {
			flood.Say(fmt.Sprint("more ", n))
			time.Sleep(time.Second)
		}
		all[0].Say("a flood")
		instance.Until(t, 3*time.Second, "carol hears alice", func() bool { return slices.Contains(carol.Heard(instance.Lobby), "a flood") })
		t.Logf("%d bytes in two minutes, %d differences", lan.Carried()-before, count.n.Load())
		if n := count.n.Load(); n > 12 {
			t.Errorf("the hub and carol found %d times in two minutes that they differ", n)
		}
		hub.Stop()
		all = append(all, carol)
		instance.Meet(t, 10*time.Second, all...)
		same(t, 2*time.Minute, lines+123, all...)
	})
}
