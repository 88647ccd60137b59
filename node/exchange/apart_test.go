package exchange_test

import (
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/message"
	"earshot/node/nodetest"
)

// apart is a member who takes nothing of public rooms.
func newApart(t *testing.T, lan *nodetest.LAN, name string) *member {
	t.Helper()
	m := newMember(t, lan, name)
	m.x = exchange.New(exchange.Config{Journal: m.journal, Host: hostID(name), Groups: m.keys.Groups, Concerns: concerns, Apart: true})
	return m
}

// Who is apart hands direct messages over and holds nothing of public rooms, neither what was said nor what is, and the link is at rest.
func TestApart(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, c := newMember(t, lan, "hub"), newMember(t, lan, "a"), newApart(t, lan, "c")
		for range 40 {
			hub.sayText("before")
		}
		states, _ := c.counted(hub)
		a.link(hub.replica)
		time.Sleep(5 * time.Second)
		g := c.to(a)
		time.Sleep(5 * time.Second)
		have(t, g, 1, hub, a, c)
		before := states.Load()
		for range 20 {
			a.sayText("meanwhile")
			time.Sleep(3 * time.Second)
		}
		if n := states.Load() - before; n > 1 { // a told of its day
			t.Errorf("%d STATEs at rest", n)
		}
		have(t, message.Public, 60, hub, a)
		if n := c.holds(message.Public); n != 0 {
			t.Errorf("who is apart holds %d public messages", n)
		}
		c.to(a)
		time.Sleep(3 * time.Second)
		have(t, g, 2, hub, a, c)
	})
}

// As the hub of those who cannot be it passes direct messages on, and nothing public.
func TestApartAsHub(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, c := newApart(t, lan, "hub"), newMember(t, lan, "a"), newApart(t, lan, "c")
		a.sayText("before")
		a.link(hub.replica)
		c.link(hub.replica)
		time.Sleep(5 * time.Second)
		g, h := c.to(a), hub.to(a)
		a.sayText("meanwhile")
		time.Sleep(5 * time.Second)
		have(t, g, 1, hub, a, c)
		have(t, h, 1, hub, a)
		if n := hub.holds(message.Public) + c.holds(message.Public); n != 0 {
			t.Errorf("those who are apart hold %d public messages", n)
		}
	})
}
