package exchange_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/journal"
	"earshot/node/nodetest"
)

// counted counts what passes.
type counted struct {
	net.Conn
	in, out *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

// traffic links r to hub and counts the bytes at the hub's end.
func (r *replica) traffic(hub *replica, in, out *atomic.Int64) {
	r.t.Helper()
	here, there := ends(r.t, r.lan, r.name, hub)
	r.join(hub, here, counted{there, in, out})
}

// An empty hub gets each message from one of six who all have it, and echoes none: the figures are of the order of one copy, not of six.
func TestEmptyHubIsFilledOnce(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		const messages = 1500
		first := newReplica(t, lan, "r0")
		first.say(messages)
		all := []*replica{first}
		var copied, back atomic.Int64
		for i := 1; i < 6; i++ {
			r := newReplica(t, lan, fmt.Sprintf("r%d", i))
			r.traffic(first, &back, &copied)
			all = append(all, r)
			time.Sleep(2 * time.Second)
		}
		equal(t, messages, all...)
		one := copied.Load() / 5 // what a whole copy takes, with all that is said around it

		hub := newReplica(t, lan, "hub")
		var in, out atomic.Int64
		for _, r := range all {
			r.traffic(hub, &in, &out)
		}
		time.Sleep(5 * time.Second)
		equal(t, messages, append(all, hub)...)
		t.Logf("one copy takes %d bytes; the hub got %d and sent %d to six", one, in.Load(), out.Load())
		if in.Load() > one*5/4 {
			t.Errorf("the hub got %d bytes, one copy is %d", in.Load(), one)
		}
		if out.Load() > one/4 {
			t.Errorf("the hub sent %d bytes to those who have everything", out.Load())
		}
	})
}

// A reconnect with everything equal says little, however much there is.
func TestReconnectSaysLittle(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		for range 40 { // days
			hub.say(10)
			time.Sleep(24 * time.Hour)
		}
		end := a.link(hub)
		time.Sleep(5 * time.Second)
		equal(t, 400, hub, a)
		end()
		hub.say(1)
		var in, out atomic.Int64
		a.traffic(hub, &in, &out)
		time.Sleep(3 * time.Second)
		equal(t, 401, hub, a)
		t.Logf("%d bytes one way, %d the other", in.Load(), out.Load())
		if in.Load() > 4<<10 || out.Load() > 4<<10 {
			t.Errorf("%d bytes one way, %d the other for one message", in.Load(), out.Load())
		}
	})
}

// What a link that takes nothing has not been sent is kept in memory as long as it lasts, and no longer.
func TestTailWaitsForTheSlowest(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, b := newReplicaIn(t, lan, "hub", ""), newReplicaIn(t, lan, "b", "")
		b.link(hub)
		time.Sleep(2 * time.Second)
		tail := func(n int) int {
			for range n {
				hub.sayText(strings.Repeat("x", 16000))
			}
			time.Sleep(100 * time.Millisecond)
			return hub.journal.Tail()
		}
		const little = 4 << 20
		tail(300)
		if n := tail(1); n > little { // it is looked at when something is committed
			t.Errorf("%d bytes are kept of what all have", n)
		}
		lan.Cut("b")
		if n := tail(350); n < 350*16000-1<<19 {
			t.Errorf("%d bytes are kept of what one has not", n)
		}
		time.Sleep(10 * time.Second) // it is cut off
		if n := tail(1); n > little {
			t.Errorf("%d bytes are kept when that one is gone", n)
		}
	})
}

// A hub that has forgotten what a log begins with is not asked for it at each line that comes of it, and what it says is followed where it can be.
func TestForgottenIsAskedForSeldom(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplicaOf(t, lan, "hub", journal.Config{Memory: 1 << 20})
		a, b, c := newReplicaIn(t, lan, "a", ""), newReplicaIn(t, lan, "b", ""), newReplicaIn(t, lan, "c", "")
		a.link(hub)
		c.link(hub)
		c.say(3)
		for n := range 300 {
			a.sayText(fmt.Sprint(n, strings.Repeat("x", 16000)))
		}
		time.Sleep(5 * time.Second)
		equal(t, 303, a, c)
		var in, out atomic.Int64
		b.traffic(hub, &in, &out)
		time.Sleep(5 * time.Second)
		equal(t, 3, b)
		before := in.Load()
		for range 300 {
			a.say(1)
			time.Sleep(10 * time.Millisecond)
		}
		c.say(1)
		time.Sleep(2 * time.Second)
		equal(t, 604, a, c)
		equal(t, 4, b)
		t.Logf("b said %d bytes", in.Load()-before)
		if n := in.Load() - before; n > 5<<10 {
			t.Errorf("b said %d bytes about 300 lines it cannot have", n)
		}
	})
}

// A hub with little memory is brought the newest days, as many as fit; of the others it asks for none, and then there is nothing to talk about.
func TestHubTakesWhatFits(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		const days, lines = 60, 5
		for range days { // 4.8 MB
			for n := range lines {
				a.sayText(fmt.Sprint(time.Now().Unix(), n, strings.Repeat("x", 16000)))
			}
			time.Sleep(24 * time.Hour)
		}
		clock := journal.NewClock(nil)
		clock.Vouch(time.Now())
		hub := newReplicaOf(t, lan, "hub", journal.Config{Memory: 1 << 20, Clock: clock})
		var in, out atomic.Int64
		a.traffic(hub, &in, &out)
		time.Sleep(10 * time.Second)
		all := a.texts()
		if got := hub.texts(); len(got) < 7*lines || len(got) > 13*lines || !slices.Equal(got, all[len(all)-len(got):]) {
			t.Errorf("the hub has %d lines, which are to be the newest that fit into a megabyte", len(got))
		}
		if n := in.Load(); n > 2<<20 {
			t.Errorf("the hub was brought %d bytes to hold a megabyte", n)
		}
		before := in.Load() + out.Load()
		time.Sleep(2 * time.Minute)
		if n := in.Load() + out.Load() - before; n > 80<<10 {
			t.Errorf("%d bytes in two minutes in which nothing was said", n)
		}
		a.sayText("live")
		time.Sleep(time.Second)
		if got := hub.texts(); got[len(got)-1] != "live" {
			t.Error("the hub has not heard what was said now")
		}
	})
}
