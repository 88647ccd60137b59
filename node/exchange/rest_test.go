package exchange_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// overTCP are both ends of an admitted connection over the loopback, here's through what is put around it. Those of a simulated LAN cannot be waited for without reading.
func overTCP(t *testing.T, from, to *replica, around ...func(net.Conn) net.Conn) (here, there *identity.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan *identity.Conn, 1)
	go func() {
		defer close(accepted)
		if raw, err := l.Accept(); err == nil {
			if c, err := frames.Gate(t, to.who).Accept(context.Background(), raw, identity.ProtoChat); err == nil {
				accepted <- c
			}
		}
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, put := range around {
		raw = put(raw)
	}
	if here, err = frames.Gate(t, from.who).Dial(t.Context(), raw, identity.ProtoChat, nil); err != nil {
		t.Fatal(err)
	}
	if there = <-accepted; there == nil {
		t.Fatal("not admitted")
	}
	return here, there
}

// until waits for what is to become so when a journal has changed.
func (r *replica) until(what string, is func() bool) {
	r.t.Helper()
	changed := make(chan struct{}, 1)
	defer r.journal.Hear(func(journal.Origin) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	for end := time.After(20 * time.Second); !is(); {
		select {
		case <-changed:
		case <-end:
			r.t.Fatalf("%s: not %s", r.name, what)
		}
	}
}

// Over real connections, on which a reader at rest waits without reading, everything comes: what was said before, much at once and a line by itself; and then each link waits again.
func TestRealLinks(t *testing.T) {
	lan := nodetest.New(1)
	hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
	a.say(100)
	for _, r := range []*replica{a, b} {
		here, there := overTCP(t, r, hub)
		r.join(hub, here, there)
	}
	said := 100
	for _, n := range []int{1, 500, 1} {
		b.until("up to date", func() bool { return len(b.texts()) == said })
		a.say(n)
		said += n
	}
	b.until("up to date", func() bool { return len(b.texts()) == said })
	equal(t, said, hub, a, b)
	if runtime.GOOS == "windows" {
		return // a link waits in a read there
	}
	at := func() string {
		var all strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&all, 2); err != nil {
			t.Fatal(err)
		}
		return all.String()
	}
	for end := time.Now().Add(10 * time.Second); ; {
		s := at()
		if strings.Count(s, "identity.(*Conn).Await") == 4 && !strings.Contains(s, "(*peer).take") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines:\n%s", s)
		}
	}
}

// One that says nothing is silent after as long over a real connection.
func TestRealSilence(t *testing.T) {
	lan := nodetest.New(1)
	a, b := newReplica(t, lan, "a"), newReplica(t, lan, "b")
	here, there := overTCP(t, a, b)
	defer here.NetConn().Close()
	began := time.Now()
	err := b.x.Run(t.Context(), &exchange.Link{Conn: there, Reader: wire.NewReader(there), Silence: 300 * time.Millisecond})
	if took := time.Since(began); !errors.Is(err, exchange.ErrSilent) || took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// waits counts the writes that may wait, each of which takes a goroutine, a deadline and a word to the scheduler.
type waits struct {
	*net.TCPConn
	n atomic.Int64
}

func (w *waits) Write(b []byte) (int, error) {
	w.n.Add(1)
	return w.TCPConn.Write(b)
}

// A follower at rest answers a BEAT from where it read it, without waiting.
func TestBeatIsAnsweredAtOnce(t *testing.T) {
	lan := nodetest.New(1)
	hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
	var w waits
	here, there := overTCP(t, a, hub, func(c net.Conn) net.Conn { w.TCPConn = c.(*net.TCPConn); return &w })
	if !there.Awaits() {
		t.Skip("nothing is written without waiting on this system")
	}
	answered := make(chan struct{}, 1)
	run := func(x *exchange.Exchange, l exchange.Link) func() {
		l.Reader, l.Silence = wire.NewReader(l.Conn), 10*time.Second
		return func() { x.Run(t.Context(), &l) }
	}
	var ended sync.WaitGroup
	ended.Go(run(hub.x, exchange.Link{Conn: there, Hub: true, Peer: a.who.ID(), Ping: time.Second / 3, Trip: func(time.Duration, bool) { answered <- struct{}{} }}))
	ended.Go(run(a.x, exchange.Link{Conn: here, Peer: hub.who.ID()}))
	defer ended.Wait()
	defer here.NetConn().Close()
	<-answered // by then each has said what it holds
	before := w.n.Load()
	<-answered
	if n := w.n.Load() - before; n > 0 {
		t.Errorf("%d writes for an answer", n)
	}
}

// A corked connection keeps back what is written to it until it is told.
type corked struct {
	net.Conn
	mu   sync.Mutex
	cork bool
	kept []byte
}

func (c *corked) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cork {
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// set has what is written kept back, or sends what was.
func (c *corked) set(cork bool) {
	c.mu.Lock()
	c.cork = cork
	kept := c.kept
	c.mu.Unlock()
	if !cork {
		c.Conn.Write(kept)
	}
}

// Runs that lie there together are taken as one, also where each came in a record of its own.
func TestRunsInRecordsThatCameTogether(t *testing.T) {
	lan := nodetest.New(1)
	hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
	var cork corked
	here, there := overTCP(t, a, hub, func(c net.Conn) net.Conn { cork.Conn = c; return &cork })
	if !there.Awaits() {
		t.Skip("a read waits on this system")
	}
	c := newChain(t, "evil", hub.journal.Today(), 10)
	var ended sync.WaitGroup
	ended.Go(func() {
		hub.x.Run(t.Context(), &exchange.Link{Conn: there, Reader: wire.NewReader(there), Hub: true, Peer: c.who.ID(), Ping: time.Second / 3})
	})
	defer ended.Wait()
	defer here.NetConn().Close()
	here.Write(wire.Append(nil, wire.TypeState, hub.state(false)))
	before := hub.journal.Last()
	cork.set(true)
	for i := range uint64(10) {
		here.Write(c.frame(wire.TypeRun, i+1, i+1))
	}
	cork.set(false)
	hub.until("all of it", func() bool { return hub.has(c.whole.Log) == 10 })
	if n := hub.journal.Last() - before; n > 5 { // the first reads are small
		t.Errorf("ten runs that came together are %d", n)
	}
}
