package node_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// A machine with cards in two networks is the hub of both, whoever was the hub before, and stays it.
func TestTwoNetworks(t *testing.T) {
	for _, tc := range []struct {
		name        string
		left, right int
		first       string // who starts first
		box         bool   // the first of the left is one
	}{
		{"the hub on one side, one on the other", 1, 1, "left", false},
		{"the hub on one side, more on the other", 1, 2, "left", false},
		{"a hub on each side", 2, 1, "both", false},
		{"a hub on each side, one of few", 1, 3, "both", false},
		{"a box on one side", 1, 2, "left", true},
		{"a box that comes late", 2, 1, "middle", true},
		{"all at once", 1, 2, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var left, right []string
				for i := range tc.left {
					left = append(left, fmt.Sprint("left", i))
				}
				for i := range tc.right {
					right = append(right, fmt.Sprint("right", i))
				}
				lan.Split(append([]string{"middle"}, left...), right)
				lan.Bridge("middle")
				var all []*instance.Instance
				begin := func(names ...string) {
					for _, name := range names {
						all = append(all, instance.Start(t, lan, name, node.Config{ServerOnly: tc.box && name == "left0"}))
					}
				}
				rest := 5 * time.Second
				switch tc.first {
				case "left":
					begin(left...)
					time.Sleep(rest)
					begin("middle")
					time.Sleep(rest)
					begin(right...)
				case "both":
					begin(left...)
					begin(right...)
					time.Sleep(rest)
					begin("middle")
				case "middle":
					begin("middle")
					time.Sleep(rest)
					begin(right...)
					time.Sleep(rest)
					begin(left...)
				default:
					begin(slices.Concat(left, []string{"middle"}, right)...)
				}
				if tc.box {
					time.Sleep(10 * time.Second)
				}
				hub := gather(t, "all are at one hub", 12*time.Second, all...)
				if hub.Name != "middle" {
					t.Errorf("%s is the hub", hub.Name)
				}
				stays(t, 45*time.Second, hub, all...) // longer than it ranks so without a need
				for _, i := range all {
					i.Say("hello from " + i.Name)
				}
				same(t, 2*time.Second, len(all), all...)

				// Without it there are two networks, and with it again one.
				hub.Crash()
				sides := [2][]*instance.Instance{}
				for _, i := range others(all, hub) {
					if i.Name[:4] == "left" {
						sides[0] = append(sides[0], i)
					} else {
						sides[1] = append(sides[1], i)
					}
				}
				for _, side := range sides {
					gather(t, "a side has a hub", 15*time.Second, side...)
				}
				all = others(all, hub)
				begin("middle")
				if hub = gather(t, "all are at one hub again", 15*time.Second, all...); hub.Name != "middle" {
					t.Errorf("%s is the hub", hub.Name)
				}
				stays(t, 5*time.Second, hub, all...)
			})
		})
	}
}

// A hub that gets a card in another network is still where it was: the hub there gives way to it once, and both are one network.
func TestSecondCard(t *testing.T) {
	for _, tc := range []struct{ left, right int }{{1, 1}, {2, 2}, {3, 1}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var sides [2][]*instance.Instance
				begin := func(side int, name string) {
					if side == 1 {
						lan.Split(nil, []string{name})
					}
					sides[side] = append(sides[side], instance.Start(t, lan, name, node.Config{}))
					gather(t, "the side has a hub", 3*time.Second, sides[side]...)
				}
				begin(0, "middle")
				for i := range tc.left {
					begin(0, fmt.Sprint("left", i))
				}
				for i := range tc.right {
					begin(1, fmt.Sprint("right", i))
				}
				middle, all := sides[0][0], slices.Concat(sides[0], sides[1])
				time.Sleep(time.Second)
				var from []int
				for _, i := range all {
					from = append(from, len(i.Events()))
				}
				lan.Bridge("middle")
				middle.Moved([]netip.Addr{lan.Host("middle").IP(), netip.MustParseAddr("10.88.0.1")})
				if hub := gather(t, "all are at one hub", time.Second, all...); hub != middle {
					t.Errorf("%s is the hub", hub.Name)
				}
				stays(t, 10*time.Second, middle, all...)
				for k, i := range all {
					linked, lost := moves(i, from[k])
					if i.Name[:5] == "right" {
						linked--
					}
					if linked != 0 || lost > 0 {
						t.Errorf("%s was at %d hubs, and lost %d", i.Name, linked, lost)
					}
				}
			})
		})
	}
}

// Where the machine between the networks must not be the hub, or is of no use as one, nobody is moved for it again and again, and whoever is left out says so.
func TestTwoNetworksLeftApart(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Split([]string{"left", "middle"}, []string{"right"})
		lan.Bridge("middle")
		left := instance.Start(t, lan, "left", node.Config{})
		instance.Until(t, time.Second, "it serves", left.Serving)
		middle := instance.Start(t, lan, "middle", node.Config{NeverHub: true})
		gather(t, "both are at the hub", 3*time.Second, left, middle)
		right := instance.Start(t, lan, "right", node.Config{})
		right.Say("can anybody hear me?")
		stays(t, 2*time.Minute, left, left, middle)
		if s := right.Snapshot().Hub; s.State != node.Searching {
			t.Errorf("left out, it says %+v", s)
		}
		if linked, lost := moves(right, 0); linked+lost > 0 {
			t.Errorf("left out, it was at %d hubs and lost %d", linked, lost)
		}
		lan.Join()
		gather(t, "all are at the hub", 5*time.Second, left, middle, right)
		same(t, 2*time.Second, 1, left, middle, right)
	})
}

// The machine between the networks hears of the hub on a card only after somebody else has lost it: nothing else happens that would have it look again.
func TestTwoNetworksHeardLate(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Split([]string{"left", "middle"}, []string{"right"})
		lan.Bridge("middle")
		lan.Mute("middle")
		hears := func(i, other *instance.Instance, card string) {
			i.Found(other.Session(), []netip.AddrPort{netip.AddrPortFrom(lan.Host(other.Name).IP(), uint16(other.Port()))}, []string{card})
		}
		right := instance.Start(t, lan, "right", node.Config{})
		instance.Until(t, time.Second, "it serves", right.Serving)
		middle := instance.Start(t, lan, "middle", node.Config{})
		hears(right, middle, "card")
		gather(t, "both are at the hub", 3*time.Second, right, middle)
		left := instance.Start(t, lan, "left", node.Config{})
		hears(left, middle, "card")
		hears(middle, left, "card0")
		time.Sleep(5 * time.Second)
		if s := left.Snapshot().Hub; s.State != node.Searching || middle.Serving() {
			t.Fatalf("it is known already: %+v", s)
		}
		hears(middle, right, "card1")
		if hub := gather(t, "all are at one hub", 3*time.Second, left, middle, right); hub != middle {
			t.Errorf("%s is the hub", hub.Name)
		}
	})
}
