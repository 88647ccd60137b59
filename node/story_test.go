package node_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// story runs f in a time of its own, beside other stories. It returns when f has.
func story(t *testing.T, f func(t *testing.T, lan *nodetest.LAN)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, nodetest.New(1)) })
}

func start(t *testing.T, lan *nodetest.LAN, hosts ...string) []*instance.Instance {
	t.Helper()
	var all []*instance.Instance
	for _, h := range hosts {
		all = append(all, instance.Start(t, lan, h, node.Config{}))
	}
	return all
}

// same waits until all show the same lines of the lobby, n of them, and none twice.
func same(t *testing.T, within time.Duration, n int, all ...*instance.Instance) {
	t.Helper()
	instance.Until(t, within, fmt.Sprintf("all show the same %d lines", n), func() bool {
		first := all[0].Lines(instance.Lobby)
		return len(first) == n && !slices.ContainsFunc(all[1:], func(i *instance.Instance) bool { return !slices.Equal(i.Lines(instance.Lobby), first) })
	})
	for _, i := range all {
		heard := slices.Sorted(slices.Values(i.Heard(instance.Lobby)))
		if len(slices.Compact(heard)) != len(i.Heard(instance.Lobby)) {
			t.Errorf("%s was told a line twice: %q", i.Name, i.Heard(instance.Lobby))
		}
	}
}

func others(all []*instance.Instance, not *instance.Instance) []*instance.Instance {
	return slices.DeleteFunc(slices.Clone(all), func(i *instance.Instance) bool { return i == not })
}

func TestThreeMeet(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		for _, i := range all {
			i.Say("hello from " + i.Name)
		}
		same(t, time.Second, 3, all...)
		instance.Until(t, 5*time.Second, "every line is on three disks", func() bool {
			for _, i := range all {
				if !slices.ContainsFunc(i.Events(), func(e node.Event) bool { d, ok := e.(node.Delivered); return ok && d.Copies == 3 }) {
					return false
				}
			}
			return true
		})
	})
}

func TestAloneIsHubWithinASecond(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		instance.Until(t, time.Second, "alice is the hub", alice.Serving)
	})
}

func TestFiveStartAtOnce(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var all []*instance.Instance
		for i := range 5 {
			all = append(all, instance.Start(t, lan, fmt.Sprint("host", i), node.Config{}))
			time.Sleep(20 * time.Millisecond)
		}
		hub := instance.Meet(t, 3*time.Second, all...)
		time.Sleep(5 * time.Second)
		if instance.Meet(t, 0, all...) != hub {
			t.Error("the hub moved without a reason")
		}
	})
}

// The hub is killed while two people type; nobody loses a line, and the killed one comes back with its history and does not take the seat.
func TestHubCrashes(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		rest := others(all, hub)
		n := 0
		say := func() {
			for _, i := range rest {
				i.Say(fmt.Sprintf("%s says %d", i.Name, n))
				n++
			}
			time.Sleep(50 * time.Millisecond)
		}
		for range 10 {
			say()
		}
		hub.Crash()
		for range 20 {
			say()
		}
		next := instance.Meet(t, 8*time.Second, rest...)
		same(t, 3*time.Second, n, rest...)
		for _, i := range rest {
			for _, e := range i.Events() {
				if p, ok := e.(node.PeerChanged); ok && p.State == node.Left && p.Nick != hub.Name {
					t.Errorf("%s saw %s leave", i.Name, p.Nick)
				}
			}
		}
		back := instance.Start(t, lan, hub.Name, node.Config{})
		now := append(slices.Clone(rest), back)
		if instance.Meet(t, 5*time.Second, now...) != next {
			t.Error("the one that came back took the seat")
		}
		same(t, 3*time.Second, n, now...)
	})
}

// A hub that is killed and started again at once is told of itself by the others: it must not wait for it.
func TestHubIsBackAtOnce(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave", "eve")
		hub := instance.Meet(t, 3*time.Second, all...)
		time.Sleep(5 * time.Second) // all know what the hub claims
		hub.Crash()
		rest := others(all, hub)
		instance.Until(t, time.Second, "another serves", func() bool { return slices.ContainsFunc(rest, (*instance.Instance).Serving) })
		next := rest[slices.IndexFunc(rest, (*instance.Instance).Serving)]
		back := instance.Start(t, lan, hub.Name, node.Config{})
		instance.Until(t, time.Second, "it is with the new hub", func() bool { return back.Snapshot().Hub.State == node.Linked })
		if instance.Meet(t, 3*time.Second, append(rest, back)...) != next {
			t.Error("the one that came back took the seat")
		}
	})
}

func TestHandover(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		hub.Say("goodbye")
		hub.Stop()
		began := time.Now()
		rest := others(all, hub)
		instance.Until(t, 2*time.Second, "the others are at a new hub", func() bool {
			serving := 0
			for _, i := range rest {
				if s := i.Snapshot().Hub.State; s == node.Serving {
					serving++
				} else if s != node.Linked {
					return false
				}
			}
			return serving == 1
		})
		t.Logf("handed over within %v", time.Since(began))
		rest[0].Say("still here")
		same(t, 2*time.Second, 2, rest...)
	})
}

func TestServerOnlyTakesTheSeat(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		all[0].Say("before")
		box := instance.Start(t, lan, "box", node.Config{ServerOnly: true})
		all = append(all, box)
		instance.Until(t, 5*time.Second, "the box is the hub", box.Serving)
		if instance.Meet(t, 3*time.Second, all...) != box {
			t.Error("the box is not the hub")
		}
		all[1].Say("after")
		same(t, 2*time.Second, 2, all...)
		box.Stop()
		instance.Meet(t, 8*time.Second, all[:3]...)
		all[2].Say("without it")
		same(t, 2*time.Second, 3, all[:3]...)
	})
}

func TestNewcomerGetsHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		instance.Until(t, time.Second, "alice is the hub", alice.Serving)
		for i := range 20 {
			alice.Say(fmt.Sprintf("line %d, nobody here", i))
		}
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 3*time.Second, alice, bob)
		same(t, 2*time.Second, 20, alice, bob)
		for _, e := range bob.Events() {
			if s, ok := e.(node.Said); ok && !s.History {
				t.Errorf("bob was told %q as live", s.Text)
			}
		}
	})
}

func TestRestartKeepsHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		names := []string{"alice", "bob", "carol"}
		all := start(t, lan, names...)
		instance.Meet(t, 3*time.Second, all...)
		for k := range 5 {
			for _, i := range all {
				i.Say(fmt.Sprintf("%s's line %d", i.Name, k))
			}
		}
		same(t, 3*time.Second, 15, all...)
		before := all[0].Lines(instance.Lobby)
		for _, i := range all {
			i.Stop()
		}
		alone := instance.Start(t, lan, "bob", node.Config{})
		instance.Until(t, time.Second, "the history is there alone", func() bool { return slices.Equal(alone.Lines(instance.Lobby), before) })
		alone.Stop()
		all = start(t, lan, names...)
		instance.Meet(t, 3*time.Second, all...)
		all[1].Say("back")
		same(t, 3*time.Second, 16, all...)
		if got := all[2].Lines(instance.Lobby)[:15]; !slices.Equal(got, before) {
			t.Errorf("history after a restart: %q, want %q", got, before)
		}
	})
}

func TestClosedAndOpenSideBySide(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		secret, err := identity.NewNetwork("lobby", []byte("0123456789abcdef0123456789"))
		if err != nil {
			t.Fatal(err)
		}
		var open, closed []*instance.Instance
		for i := range 2 {
			open = append(open, instance.Start(t, lan, fmt.Sprint("open", i), node.Config{}))
			closed = append(closed, instance.Start(t, lan, fmt.Sprint("closed", i), node.Config{Network: secret}))
		}
		instance.Meet(t, 4*time.Second, open...)
		instance.Meet(t, 4*time.Second, closed...)
		open[0].Say("for everyone")
		closed[0].Say("for us")
		same(t, time.Second, 1, open...)
		same(t, time.Second, 1, closed...)
		time.Sleep(10 * time.Second)
		instance.Meet(t, 0, open...)
		instance.Meet(t, 0, closed...)
		for _, i := range append(open, closed...) {
			for _, e := range i.Events() {
				if n, ok := e.(node.Notice); ok {
					t.Errorf("%s was told %q", i.Name, n.Text)
				}
			}
		}
	})
}

// A laptop leaves the office, meets strangers in a café, and comes back: nothing of one is told to the other.
func TestRealms(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		office := start(t, lan, "desk", "laptop")
		instance.Meet(t, 3*time.Second, office...)
		office[0].Say("the office's secret")
		office[1].Say("mine too")
		same(t, 2*time.Second, 2, office...)
		office[1].Stop()

		lan.Split([]string{"desk"}, []string{"laptop", "stranger"})
		stranger := instance.Start(t, lan, "stranger", node.Config{})
		instance.Until(t, time.Second, "the stranger is the hub", stranger.Serving)
		stranger.Say("the café's gossip")
		laptop := instance.Start(t, lan, "laptop", node.Config{})
		instance.Meet(t, 3*time.Second, stranger, laptop)
		laptop.Say("hello café")
		same(t, 2*time.Second, 2, stranger, laptop)
		laptop.Stop()
		for _, l := range stranger.Lines(instance.Lobby) {
			if strings.Contains(l, "secret") || strings.Contains(l, "mine") {
				t.Errorf("the stranger has %q", l)
			}
		}

		lan.Split([]string{"desk", "laptop"}, []string{"stranger"})
		laptop = instance.Start(t, lan, "laptop", node.Config{})
		instance.Meet(t, 8*time.Second, office[0], laptop)
		laptop.Say("back at work")
		same(t, 3*time.Second, 3, office[0], laptop)
		if n := len(laptop.Snapshot().Realms); n != 2 {
			t.Errorf("the laptop knows %d realms, want the office's and the café's", n)
		}
	})
}

// Two halves chat on apart, and are one again after the cable is back.
func TestPartitionHeals(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "a", "b", "c", "d")
		instance.Meet(t, 3*time.Second, all...)
		all[0].Say("together")
		same(t, time.Second, 1, all...)
		lan.Split([]string{"a", "b"}, []string{"c", "d"})
		instance.Meet(t, 20*time.Second, all[0], all[1])
		instance.Meet(t, 20*time.Second, all[2], all[3])
		all[0].Say("left")
		all[2].Say("right")
		same(t, 2*time.Second, 2, all[0], all[1])
		same(t, 2*time.Second, 2, all[2], all[3])
		lan.Join()
		instance.Meet(t, 20*time.Second, all...)
		same(t, 5*time.Second, 3, all...)
	})
}

func TestOneProfileTwice(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{Dir: t.TempDir()})
		_ = alice
		dir := t.TempDir()
		first := instance.Start(t, lan, "bob", node.Config{Dir: dir})
		_, err := node.New(node.Config{Dir: dir, Net: lan.Host("carol").Net()})
		var e *node.Error
		if !errors.As(err, &e) || !errors.Is(err, node.ErrInUse) || !strings.Contains(e.Hint, "--profile") {
			t.Errorf("the second process on a profile: %v", err)
		}
		first.Stop()
		second, err := node.New(node.Config{Dir: dir, Net: lan.Host("dave").Net()})
		if err != nil {
			t.Fatalf("after the first ended: %v", err)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
}
