package node_test

import (
	"fmt"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// copies is what an author was told last of a line of its own: how many machines have it, and whether there are more.
func copies(i *instance.Instance, text string) (n int, all bool) {
	var id message.ID
	for _, e := range i.Events() {
		switch e := e.(type) {
		case node.Said:
			if e.Mine && e.Text == text {
				id = e.ID
			}
		}
	}
	for _, e := range i.Events() {
		if d, ok := e.(node.Delivered); ok && d.ID == id {
			n, all = d.Copies, d.All
		}
	}
	return n, all
}

// ticked lets each say a line and waits until its author is told of exactly that many copies, and whether these are all there can be.
func ticked(t *testing.T, want int, all bool, authors ...*instance.Instance) {
	t.Helper()
	for k, i := range authors {
		text := fmt.Sprintf("%s asks at %v: is it safe?", i.Name, time.Now().UnixNano()+int64(k))
		i.Say(text)
		time.Sleep(5 * time.Second)
		if n, a := copies(i, text); n != want || a != all {
			t.Errorf("%s was told of %d copies (all: %v), want %d (all: %v)", i.Name, n, a, want, all)
		}
		page, err := i.Page(instance.Lobby, node.Key{}, 1)
		if err != nil || len(page) != 1 || page[0].Text != text {
			t.Fatalf("%s shows %+v last, %v", i.Name, page, err)
		}
		if m := page[0]; m.Copies != max(want, 1) || m.All != all {
			t.Errorf("%s shows %d copies (all: %v), want %d (all: %v)", i.Name, m.Copies, m.All, max(want, 1), all)
		}
	}
}

// A tick is a disk of another machine: none alone, as many as there are with two, three with three and with more.
func TestTicksAreMachines(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "a")
		instance.Meet(t, 3*time.Second, all...)
		ticked(t, 0, false, all...)
		for n, name := range []string{"b", "c", "d"} {
			all = append(all, start(t, lan, name)...)
			instance.Meet(t, 5*time.Second, all...)
			ticked(t, min(n+2, 3), n < 2, all...)
		}
		all[3].Stop()
		all[2].Stop()
		instance.Meet(t, 8*time.Second, all[:2]...)
		ticked(t, 2, true, all[:2]...)
	})
}

// Two profiles on one machine share its disk, whether one of them is the hub or not.
func TestTwoProfilesAreOneDisk(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		two := []*instance.Instance{instance.Start(t, lan, "box", node.Config{Nick: "one"}), instance.Start(t, lan, "box", node.Config{Nick: "two"})}
		instance.Meet(t, 5*time.Second, two...)
		ticked(t, 0, false, two...)
		other := start(t, lan, "other")[0]
		instance.Meet(t, 5*time.Second, append(two, other)...)
		ticked(t, 2, true, append(two, other)...)
	})
}

// A hub that keeps nothing is no disk, and the other profile on its machine is one.
func TestHubWithoutHistoryIsNoDisk(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := instance.Start(t, lan, "box", node.Config{Nick: "first", NoHistory: true})
		instance.Until(t, 2*time.Second, "it serves", hub.Serving)
		author := start(t, lan, "author")[0]
		if instance.Meet(t, 5*time.Second, hub, author) != hub {
			t.Fatal("the first is not the hub")
		}
		ticked(t, 0, false, author)
		other := instance.Start(t, lan, "box", node.Config{Nick: "other"})
		instance.Meet(t, 5*time.Second, hub, author, other)
		ticked(t, 2, true, author)
	})
}

// Who keeps nothing is not waited for.
func TestForgetfulIsNoDisk(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "a", "b")
		instance.Meet(t, 5*time.Second, all...)
		all = append(all, instance.Start(t, lan, "c", node.Config{NoHistory: true}))
		instance.Meet(t, 5*time.Second, all...)
		ticked(t, 2, true, all[:2]...)
		ticked(t, 2, true, all[2])
	})
}

// Who reached the hub by hand is counted like everybody else, and counts.
func TestLinkOnlyIsADisk(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := alone(t, lan, "harry")
		far := alone(t, lan, "far", address(lan, hub))
		instance.Meet(t, 5*time.Second, hub, far)
		ticked(t, 2, true, hub, far)
	})
}
