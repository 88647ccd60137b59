package exchange_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		a.link(hub)
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
		tail(600)
		if n := tail(1); n > little { // it is looked at when something is committed
			t.Errorf("%d bytes are kept of what all have", n)
		}
		lan.Cut("b")
		if n := tail(600); n < 600*16000-1<<20 {
			t.Errorf("%d bytes are kept of what one has not", n)
		}
		time.Sleep(10 * time.Second) // it is cut off
		if n := tail(1); n > little {
			t.Errorf("%d bytes are kept when that one is gone", n)
		}
	})
}
