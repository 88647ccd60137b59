package node_test

import (
	"net/netip"
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

func address(lan *nodetest.LAN, i *instance.Instance) string {
	return netip.AddrPortFrom(lan.Host(i.Name).IP(), uint16(i.Port())).String()
}
