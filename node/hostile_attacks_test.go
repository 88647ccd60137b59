package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/wire"
)

// An attack is somebody who means harm to a real node over real sockets; its number is that of the list of attacks that this program is built against.
type attack struct {
	name string
	run  func(*testing.T)
}

// TestAttack runs several at once, whatever -parallel says: they wait most of the time. They are few, and nothing else runs beside it, because a node in real time that gets no processor for most of a second
// gives up its seat. What needs many machines, or days, is in hostile_rooms_test.go, in simulated time.
func TestAttack(t *testing.T) {
	c := node.Config{}
	if !manyAddresses {
		c.PerIP = -1
	}
	one := stand(t, c)
	var all sync.WaitGroup
	places := make(chan struct{}, 4)
	begin := func(name string, run func(*testing.T)) {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(name, run)
		})
	}
	for i, a := range linkAttacks { // all on one node, each from an address of its own
		begin(a.name, func(t *testing.T) { a.run(t, one.in(t), from(byte(10+i))) })
	}
	for _, a := range slices.Concat(saidAttacks, localAttacks, sealedAttacks) {
		begin(a.name, a.run)
	}
	all.Wait()
}

// manyAddresses: all of 127.0.0.0/8 is this machine. Elsewhere there is only one loopback address.
const manyAddresses = runtime.GOOS == "linux" || runtime.GOOS == "windows"

// from is somebody at 127.0.0.n, who would be let in.
func from(n byte) *hostile.Client {
	c := as(fmt.Sprint("mallory ", n))
	if manyAddresses {
		c.Net.IP = netip.AddrFrom4([4]byte{127, 0, 0, n})
	}
	return c
}

// patience is how long what must happen may take where the machine is busy with other things.
const patience = 20 * time.Second

// A victim is a node in real time, on the loopback interface.
type victim struct {
	*node.Node
	t    *testing.T
	at   string // host:port
	dir  string
	log  *written
	stop func()
	told *events
}

// events are what a node told.
type events struct {
	mu   sync.Mutex
	list []node.Event
	news chan struct{} // has room for one
}

// in is the same node in another test.
func (v victim) in(t *testing.T) *victim {
	v.t = t
	return &v
}

// written is what a node logged.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// stand starts a node of a closed network, where none is given, which is the hub when this returns where it is not to join another. It keeps its history in memory: many of them would wait for one disk.
func stand(t *testing.T, c node.Config) *victim {
	t.Helper()
	c.NoHistory = true
	if c.Network == nil {
		c.Network = closedNetwork(t)
	}
	if c.Nick == "" {
		c.Nick = "alice"
	}
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), c.Nick)
	}
	v := &victim{t: t, dir: c.Dir, log: new(written), told: &events{news: make(chan struct{}, 1)}}
	c.Net, c.Port = hostile.Net{}, -1
	c.Log = slog.New(slog.NewTextHandler(v.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	v.Node, v.at = n, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(n.Port())).String()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for list := range n.Events(ctx, -1) {
			v.told.mu.Lock()
			v.told.list = append(v.told.list, list...)
			v.told.mu.Unlock()
			select {
			case v.told.news <- struct{}{}:
			default:
			}
		}
	})
	work.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Errorf("%s ended: %v", c.Nick, err)
		}
	})
	v.stop = func() { cancel(); work.Wait() }
	t.Cleanup(func() {
		v.stop()
		if t.Failed() {
			t.Logf("%s logged:\n%s", c.Nick, v.log)
		}
	})
	n.Moved([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})})
	if len(c.Join) == 0 {
		v.until(patience, "serves", func() bool { return n.Hub().State == node.Serving })
	}
	return v
}

// until waits until cond holds; it is looked at after each event, and a few times a second besides.
func (v *victim) until(within time.Duration, what string, cond func() bool) {
	v.t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-v.told.news:
		case <-again.C:
		case <-late.C:
			v.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// toldTo are the events of one type so far.
func toldTo[E node.Event](v *victim) (out []E) {
	v.told.mu.Lock()
	defer v.told.mu.Unlock()
	for _, e := range v.told.list {
		if x, ok := e.(E); ok {
			out = append(out, x)
		}
	}
	return out
}

// page is what a room shows.
func (v *victim) page(room string) (texts []string) {
	v.t.Helper()
	page, err := v.Page(room, node.Key{}, 10_000)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, m := range page {
		texts = append(texts, m.Text)
	}
	return texts
}

// shows waits until a room shows exactly these texts.
func (v *victim) shows(room string, texts ...string) {
	v.t.Helper()
	var got []string
	late := time.Now().Add(patience)
	v.until(2*patience, "shows something", func() bool {
		got = v.page(room)
		return slices.Equal(got, texts) || time.Now().After(late)
	})
	if !slices.Equal(got, texts) {
		v.t.Fatalf("%s shows %q, want %q", room, got, texts)
	}
}

func (v *victim) do(c node.Command) {
	v.t.Helper()
	if err := v.Do(v.t.Context(), c); err != nil {
		v.t.Fatalf("%+v: %v", c, err)
	}
}

// keepsOut fails where who attacks has been let in.
func (v *victim) keepsOut(c *hostile.Client) {
	v.t.Helper()
	for _, p := range v.Snapshot().People {
		if p.ID == frames.Identity(v.t, c.Who).ID() {
			v.t.Errorf("here is %+v", p)
		}
	}
}

// serves fails unless a node lets an honest client in and takes what it says: whatever was done to it before.
func (v *victim) serves(c *hostile.Client) {
	v.t.Helper()
	honest := *c
	honest.Who, honest.Edit = "honest", nil
	v.enter(&honest, "honest").Hangup()
}

const lobby = "#lobby"

// enter links to a hub, and is where its STATE has come.
func (v *victim) enter(c *hostile.Client, nick string) *frames.Peer {
	v.t.Helper()
	p, _, _ := v.meet(c, wire.Hello{Nick: nick})
	return p
}

// greet is enter that returns the hub's STATE.
func (v *victim) greet(c *hostile.Client, h wire.Hello) (*frames.Peer, *wire.State) {
	v.t.Helper()
	p, _, s := v.meet(c, h)
	return p, s
}

// meet is enter with more in HELLO; it returns the hub's and its STATE.
func (v *victim) meet(c *hostile.Client, h wire.Hello) (*frames.Peer, *wire.Hello, *wire.State) {
	v.t.Helper()
	h.Version, h.Class = wire.Version, 1
	if h.Session == (identity.Session{}) {
		h.Session = identity.NewSession()
	}
	p := c.Admitted(v.t, v.at)
	p.Send(wire.TypeHello, &h)
	theirs, s := new(wire.Hello), new(wire.State)
	p.Await(patience, wire.TypeHello, theirs)
	p.Await(patience, wire.TypeState, s)
	keep(v.t, p)
	return p, theirs, s
}

// keep says PING about once a second, until the test ends, or a hub would cut off a link over which a test says nothing.
func keep(t *testing.T, p *frames.Peer) {
	done := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			p.SetWriteDeadline(time.Now().Add(patience))
			if _, err := p.Write(wire.AppendFrame(nil, wire.TypePing, nil)); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); p.Hangup(); <-done })
}

// cut waits until a node has ended a link, and fails where it does not: before HELLO it would after five seconds without a reason.
func cut(t *testing.T, p *frames.Peer) {
	t.Helper()
	const within = 4500 * time.Millisecond
	for end := time.Now().Add(within); ; {
		_, _, err := p.Next(time.Until(end))
		var late interface{ Timeout() bool }
		if errors.As(err, &late) && late.Timeout() {
			t.Fatalf("the link still stands after %v", within)
		}
		if err != nil {
			return
		}
	}
}

// stands waits until what was sent has been taken: a node that is asked for days answers in order.
func stands(t *testing.T, p *frames.Peer) {
	t.Helper()
	p.Send(wire.TypeAskDays, &wire.AskDays{From: 1 << 31})
	var d wire.Days
	for p.Await(patience, wire.TypeDays, &d); d.From != 1<<31; {
		p.Await(patience, wire.TypeDays, &d)
	}
}

// silent fails unless the read ended without a byte and without an alert: whoever was refused learns nothing.
func silent(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("let in")
	} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !reset(err) {
		t.Errorf("refused with a reason: %v", err)
	}
}

// reset reports whether a connection was closed with bytes unread.
func reset(err error) bool {
	return bytes.Contains(fmt.Append(nil, err), []byte("reset")) || bytes.Contains(fmt.Append(nil, err), []byte("broken pipe"))
}
