package exchange_test

import (
	"net"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest"
	"earshot/node/wire"
)

// hasty writes without waiting, all of it or nothing, and counts the lines.
type hasty struct {
	net.Conn
	takes  bool
	asked  atomic.Int64
	times  atomic.Int64
	behind []byte
}

func (c *hasty) WriteNow(b []byte) (bool, error) {
	c.times.Add(1)
	if wire.Type(b[wire.HeaderLen-1]) == wire.TypeRun {
		c.asked.Add(1)
	}
	if c.behind = append(c.behind, b...); !c.takes {
		return false, nil
	}
	c.SetWriteDeadline(time.Time{}) // what does not wait minds none
	return true, c.Flush()
}

func (c *hasty) Write(b []byte) (int, error) {
	c.times.Add(1)
	return c.Conn.Write(b)
}

func (c *hasty) Flush() error {
	b := c.behind
	c.behind = nil
	if len(b) == 0 {
		return nil
	}
	_, err := c.Conn.Write(b)
	return err
}

// A line that comes by itself is written to each link by who brought it, also where the system does not take it; what comes together is left to goroutines.
func TestLineIsPassedOnByWhoBroughtIt(t *testing.T) {
	for _, takes := range []bool{true, false} {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
			a.link(hub)
			here, there := ends(t, lan, "b", hub)
			to := &hasty{Conn: there, takes: takes}
			b.join(hub, here, to)
			time.Sleep(3 * time.Second)
			const alone = 5
			for range alone {
				a.say(1)
				time.Sleep(10 * time.Millisecond)
			}
			synctest.Wait()
			equal(t, alone, hub, b)
			if n := to.asked.Load(); n != alone {
				t.Errorf("takes %v: %d of %d lines were written at once", takes, n, alone)
			}
		})
	}
}

// A listening connection notes the longest time in which nothing was written to it.
type listening struct {
	*hasty
	mu   sync.Mutex // protects what follows
	last time.Time
	most time.Duration
}

func (c *listening) WriteNow(b []byte) (bool, error) {
	c.heard()
	return c.hasty.WriteNow(b)
}

func (c *listening) Write(b []byte) (int, error) {
	c.heard()
	return c.hasty.Write(b)
}

func (c *listening) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.most, c.last = max(c.most, now.Sub(c.last)), now
}

// longest returns that time since it was asked last.
func (c *listening) longest() time.Duration {
	c.heard()
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.most
	c.most = 0
	return most
}

// Who talks is not written to by that: there are PINGs for it.
func TestWhoTalksHearsPings(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, b := newReplica(t, lan, "hub"), newReplica(t, lan, "b")
		here, there := ends(t, lan, "b", hub)
		to := &listening{hasty: &hasty{Conn: there, takes: true}}
		b.join(hub, here, to)
		time.Sleep(3 * time.Second)
		to.longest()
		for range 200 {
			b.say(1)
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		if most := to.longest(); most > 450*time.Millisecond {
			t.Errorf("nothing was written for %v", most)
		}
		equal(t, 200, hub, b)
	})
}

// Where lines go all the time, BEAT goes with one and there is no PING: each link is written to as often as there are lines.
func TestBeatGoesWithLines(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		a.link(hub)
		here, there := ends(t, lan, "b", hub)
		to := &hasty{Conn: there, takes: true}
		var in, out atomic.Int64
		b.join(hub, counted{here, &in, &out}, to)
		time.Sleep(3 * time.Second)
		to.times.Store(0)
		out.Store(0)
		const lines = 200
		for range lines {
			a.say(1)
			time.Sleep(50 * time.Millisecond)
		}
		if n := to.times.Load(); n > lines {
			t.Errorf("written to %d times for %d lines", n, lines)
		}
		if n := out.Load(); n < 9*40 {
			t.Errorf("%d bytes were answered to the BEATs of 10 s", n)
		}
		synctest.Wait()
		equal(t, lines, hub, a, b)
	})
}

// slow takes its time with what is written without waiting.
type slow struct {
	net.Conn
	takes time.Duration
}

func (c slow) WriteNow(b []byte) (bool, error) {
	time.Sleep(c.takes)
	_, err := c.Conn.Write(b)
	return true, err
}

func (c slow) Flush() error { return nil }

// Who said something hears that it is on the hub's disk when it is, also where that is before it was written to all links.
func TestStableWhileItIsPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplicaIn(t, lan, "hub", t.TempDir()), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		hub.commits()
		a.link(hub)
		here, there := ends(t, lan, "b", hub)
		b.join(hub, here, slow{there, 100 * time.Millisecond})
		time.Sleep(3*time.Second + 450*time.Millisecond)
		a.say(1)
		time.Sleep(50 * time.Millisecond)
		if a.told(1) != 1 {
			t.Error("the author was not told within 50 ms")
		}
		time.Sleep(time.Second)
		equal(t, 1, hub, a, b)
	})
}

// A link at rest has no goroutine but the one that reads.
func TestRestingLinkHasNoWriter(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		a.link(hub)
		a.say(3)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		var all strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
			t.Fatal(err)
		}
		if s := all.String(); strings.Contains(s, "(*peer).write") || strings.Contains(s, "(*peer).send") || !strings.Contains(s, "(*peer).read") {
			t.Errorf("goroutines:\n%s", s)
		}
	})
}
