package node_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// Where nothing can be found, an address given by hand is enough: for chat, for history, and for the next hub.
func TestByHand(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Mute("harry")
		hub := instance.Start(t, lan, "harry", node.Config{})
		instance.Until(t, time.Second, "the hub serves", hub.Serving)
		hub.Say("before")
		far := instance.Start(t, lan, "far", node.Config{Join: []string{address(lan, hub)}})
		instance.Meet(t, 3*time.Second, hub, far)
		far.Say("from afar")
		same(t, 2*time.Second, 2, hub, far)
		hub.Crash()
		far.Say("nobody there")
		hub = instance.Start(t, lan, "harry", node.Config{})
		instance.Meet(t, 10*time.Second, hub, far)
		same(t, 3*time.Second, 3, hub, far)
		far.Stop()
	})
}

// The one whose address is known is not the hub. Whoever serves alone in the meantime is sent on to the hub as soon as there is one, and until then does not dial without a pause.
func TestByHandOfAnother(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Mute("far")
		lan.Cut("far")
		anna := instance.Start(t, lan, "anna", node.Config{NeverHub: true})
		far := instance.Start(t, lan, "far", node.Config{Join: []string{address(lan, anna)}})
		instance.Until(t, 3*time.Second, "it serves alone", far.Serving)
		far.Say("alone")
		before := lan.Opened()
		lan.Heal("far")
		time.Sleep(10 * time.Second)
		if n := lan.Opened() - before; n > 150 {
			t.Errorf("%d connections in 10 s", n)
		}
		hub := instance.Start(t, lan, "harry", node.Config{})
		if got := instance.Meet(t, 5*time.Second, anna, far, hub); got != hub && got != far {
			t.Errorf("%s is the hub", got.Name)
		}
		same(t, 3*time.Second, 1, anna, far, hub)
	})
}

// Where all are never the hub each is told so, once. What they say meanwhile is heard when somebody comes who can be.
func TestNobodyIsEverTheHub(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := []*instance.Instance{instance.Start(t, lan, "anna", node.Config{NeverHub: true}), instance.Start(t, lan, "bob", node.Config{NeverHub: true})}
		all[0].Say("hello?")
		time.Sleep(time.Minute)
		for _, i := range all {
			if told := notices(i); len(told) != 1 || !strings.Contains(told[0], "--never-hub") {
				t.Errorf("%s was told %q", i.Name, told)
			}
		}
		all = append(all, instance.Start(t, lan, "carol", node.Config{}))
		instance.Meet(t, 5*time.Second, all...)
		same(t, 3*time.Second, 1, all...)
		time.Sleep(10 * time.Second)
		for _, i := range all {
			if n := len(notices(i)); n > 1 {
				t.Errorf("%s was told %d things", i.Name, n)
			}
		}
	})
}

func address(lan *nodetest.LAN, i *instance.Instance) string {
	return netip.AddrPortFrom(lan.Host(i.Name).IP(), uint16(i.Port())).String()
}

// Of more at one address than the hub takes from there, those whom it turns away are told why nobody is there.
func TestTooManyAtOneAddress(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := instance.Start(t, lan, "anna", node.Config{PerIP: 2})
		instance.Until(t, 2*time.Second, "it is the hub", hub.Serving)
		var all []*instance.Instance
		for i := range 3 {
			all = append(all, instance.Start(t, lan, "office", node.Config{Nick: fmt.Sprint("person", i)}))
		}
		time.Sleep(time.Minute)
		told := 0
		for _, i := range all {
			linked := len(i.Snapshot().People) > 1
			if toldOf(i, func(n node.Notice) bool { return strings.Contains(n.Hint, "--per-ip") }) == linked {
				t.Errorf("%s, linked: %v, was told of %v", i.Name, linked, i.Events())
			}
			if !linked {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%d are turned away", told)
		}
	})
}
