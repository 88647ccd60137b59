package exchange

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
)

// deafened fails the test where a goroutine is woken to write.
type deafened struct {
	spoken
	t *testing.T
}

func (d *deafened) SetWriteDeadline(time.Time) error { return nil }

func (d *deafened) Write(b []byte) (int, error) {
	d.t.Error("a goroutine was woken to write")
	return len(b), nil
}

// line appends n messages under one signature, as a link does.
func line(t *testing.T, x *Exchange, name string, n int) {
	t.Helper()
	who := frames.Identity(t, name)
	o := &message.Opening{Room: message.Room(message.Lobby), Author: who.ID(), Day: x.journal.Today(), Nick: name, Name: message.Lobby}
	r := &message.Run{Log: o.Log(), First: 1, Opening: o}
	for i := range n {
		r.Records = append(r.Records, message.Body(uint64(time.Now().UnixMilli())<<16+uint64(i), message.Text, []byte("hello, all of you")))
	}
	r.Sign(who)
	if _, err := x.journal.Append(t.Context(), r, x.journal.NewOrigin(), journal.Live); err != nil {
		t.Fatal(err)
	}
}

// linked has n links of the hub, all through c, that take what arrives.
func linked(x *Exchange, n int, c net.Conn) {
	for range n {
		p := newPeer(x, &Link{Conn: c, Hub: true, Ping: time.Second / 3})
		p.tailing, p.cursor = true, *x.journal.Follow(x.journal.Last())
		p.theirs = listed{message.Public: 0}
		p.turn.set(true)
		x.relay.set(append(x.relay.all(), p))
	}
}

// What is committed while a line is brought wakes nobody for that line: who brings it writes it.
func TestCommitWhileALineIsBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := unlinked(t, journal.Config{})
		conn := &deafened{t: t}
		linked(x, 3, conn)
		time.Sleep(time.Second)
		x.bring()
		line(t, x, "a", 1)
		x.changed(0)
		x.brought(1)
		synctest.Wait()
		if n := conn.times.Load(); n != 3 {
			t.Errorf("written %d times", n)
		}
	})
}

// Several messages that came together are written to a crowd by who brought them; that what comes next was there already changes nothing.
func TestCrowdIsWrittenToAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := unlinked(t, journal.Config{})
		conn := &deafened{t: t}
		const links = 2*share + 1
		linked(x, links, conn)
		time.Sleep(time.Second)
		for i, n := range []int{1, 10, 3} {
			conn.times.Store(0)
			x.bring()
			line(t, x, fmt.Sprint(i), n)
			x.brought(n)
			synctest.Wait()
			if n := conn.times.Load(); n != links {
				t.Errorf("written %d times", n)
			}
		}
	})
}

// roused takes nothing until it is let.
type roused struct {
	spoken
	gate   chan struct{}
	writes atomic.Int64
}

func (r *roused) SetWriteDeadline(time.Time) error { return nil }

func (r *roused) WriteNow(b []byte) (bool, error) {
	defer func() { <-r.gate }()
	return r.spoken.WriteNow(b)
}

func (r *roused) Write(b []byte) (int, error) {
	r.writes.Add(1)
	return len(b), nil
}

// A flood is left to goroutines, one for some links each, also for a crowd, and who brings it goes on reading: they take together what comes until they run. What comes while they do is written, too.
func TestFloodIsLeftToGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := unlinked(t, journal.Config{})
		conn := &roused{gate: make(chan struct{})}
		const links = 2*share + 1
		linked(x, links, conn)
		time.Sleep(time.Second)
		flood := func(who string) {
			x.bring()
			line(t, x, who, 250) // 20 bytes each
			x.brought(250)
		}
		flood("a")
		synctest.Wait()
		if n := conn.times.Load(); n == 0 || n > links/10 {
			t.Errorf("%d goroutines began to write to %d links", n, links)
		}
		flood("b")
		synctest.Wait()
		close(conn.gate)
		synctest.Wait()
		for _, p := range x.relay.all() {
			if at := p.cursor.Arrival(); at != x.journal.Last() {
				t.Fatalf("a link was written to up to %d of %d", at, x.journal.Last())
			}
		}
		if n := conn.writes.Load(); n > links/some+1 {
			t.Errorf("%d links had a goroutine of their own", n)
		}
	})
}
