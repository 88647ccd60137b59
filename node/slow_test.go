package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// A disk that takes three seconds for every sync keeps the hub neither from its seat nor from relaying, and who comes meanwhile is given what was said just now.
func TestSlowDiskAtTheHub(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var all []*instance.Instance
		disks := map[string]*disk.Disk{}
		for _, name := range []string{"alice", "bob", "carol"} {
			dir := t.TempDir()
			disks[name] = disk.Under(t, dir)
			all = append(all, instance.Start(t, lan, name, node.Config{Dir: dir}))
		}
		hub := instance.Meet(t, 3*time.Second, all...)
		all[0].Say("hello")
		same(t, 2*time.Second, 1, all...)
		speakers := others(all, hub)
		before := map[*instance.Instance]int{}
		for _, i := range speakers {
			before[i] = len(i.Events())
		}
		disks[hub.Name].Slow(3 * time.Second)
		synced := disks[hub.Name].Syncs()
		heard := func(i *instance.Instance, text string) bool { return slices.Contains(i.Heard(instance.Lobby), text) }
		for n := range 20 {
			text := fmt.Sprint("line ", n)
			speakers[n%2].Say(text)
			began := time.Now()
			instance.Until(t, time.Second, text+" is heard", func() bool { return heard(speakers[1-n%2], text) && heard(hub, text) })
			if took := time.Since(began); took > 50*time.Millisecond {
				t.Errorf("%q took %v", text, took)
			}
			time.Sleep(500 * time.Millisecond)
			if n == 10 {
				dave := instance.Start(t, lan, "dave", node.Config{})
				instance.Until(t, 2*time.Second, "dave has what was said", func() bool { return len(dave.Heard(instance.Lobby)) == 12 })
				before[dave] = len(dave.Events())
				all = append(all, dave)
			}
		}
		for _, i := range others(all, hub) {
			for _, e := range i.Events()[before[i]:] {
				if h, ok := e.(node.HubChanged); ok {
					t.Errorf("%s saw %+v", i.Name, h)
				}
			}
		}
		if s := disks[hub.Name].Syncs() - synced; s < 3 || s > 6 {
			t.Errorf("%d syncs of 3 s each in 10 s", s)
		}
		disks[hub.Name].Slow(0)
		same(t, 5*time.Second, 21, all...)
	})
}

// What the author's own disk has not taken yet is not counted as if it had, however many lines before it are there.
func TestOwnDiskIsSlow(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		others := start(t, lan, "bob", "carol")
		instance.Meet(t, 5*time.Second, others...)
		dir := t.TempDir()
		d := disk.Under(t, dir)
		alice := instance.Start(t, lan, "alice", node.Config{Dir: dir})
		instance.Meet(t, 5*time.Second, append(others, alice)...)
		delivered := func(copies int) (n int) {
			for _, e := range alice.Events() {
				if e, ok := e.(node.Delivered); ok && e.Copies == copies {
					n++
				}
			}
			return n
		}
		alice.Say("one")
		instance.Until(t, 3*time.Second, "it is on all three disks", func() bool { return delivered(3) == 1 })
		d.Slow(3 * time.Second)
		alice.Say("two")
		two := delivered(2)
		instance.Until(t, 2*time.Second, "the second is on two", func() bool { return delivered(2) == two+1 })
		time.Sleep(500 * time.Millisecond)
		if n := delivered(3); n != 1 {
			t.Error("the second is on three disks, it is said, and alice's has not taken it")
		}
		d.Slow(0)
		instance.Until(t, 3*time.Second, "the second is on all three", func() bool { return delivered(3) == 2 })
	})
}

// Where a packet takes longer to come back than a dial usually does, there is one hub all the same, and the next when that one is gone.
func TestSlowNetwork(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Delay(200 * time.Millisecond)
		all := start(t, lan, "alice", "bob", "carol", "dave", "erin", "frank")
		for i := range 3 {
			hub := instance.Meet(t, 15*time.Second, all...)
			all[0].Say(fmt.Sprint("hello ", i))
			same(t, 5*time.Second, i+1, all...)
			hub.Crash()
			all = others(all, hub)
		}
	})
}
