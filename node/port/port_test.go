package port

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
)

func gate(t testing.TB, seed byte, secret string) *identity.Gate {
	t.Helper()
	i, err := identity.FromSeed(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	n, err := identity.NewNetwork("lobby", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	g, err := identity.NewGate(i, n)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func open(t testing.TB, c Config) *Port {
	t.Helper()
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// run runs p until the test ends, or stop is called, which returns what Run returned.
func run(t testing.TB, p *Port) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	ended := make(chan struct{})
	go func() { defer close(ended); err = p.Run(ctx) }()
	stop = func() error { cancel(); <-ended; return err }
	t.Cleanup(func() { stop() })
	return stop
}

// echo is a handler: it says back what it hears until the other side or ctx ends.
func echo(ctx context.Context, c *identity.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.NetConn().Close() })()
	io.Copy(c, c)
}

// hub returns a running port with an echo on host "hub" of lan, and where it is.
func hub(t *testing.T, lan *nodetest.LAN, c Config) (p *Port, address string) {
	t.Helper()
	h := lan.Host("hub")
	c.Net = h.Net()
	if c.Gate == nil {
		c.Gate = gate(t, 1, "")
	}
	p = open(t, c)
	p.Handle(identity.ProtoChat, echo)
	run(t, p)
	return p, netip.AddrPortFrom(h.IP(), uint16(p.Number())).String()
}

// client returns a port on host name that only dials.
func client(t *testing.T, lan *nodetest.LAN, name string) *Port {
	t.Helper()
	return open(t, Config{Gate: gate(t, 2, ""), Net: lan.Host(name).Net()})
}

func chat(t testing.TB, p *Port, address string) *identity.Conn {
	t.Helper()
	c, err := p.Dial(t.Context(), address, identity.ProtoChat, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.NetConn().Close() })
	return c
}

func hears(t testing.TB, c *identity.Conn) {
	t.Helper()
	b := make([]byte, 5)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Fatal(string(b), err)
	}
}

// The whole of it on the real network: both families, both protocols, and what is left after Run.
func TestLoopback(t *testing.T) {
	p := open(t, Config{Gate: gate(t, 1, ""), Number: -1})
	p.Handle(identity.ProtoChat, echo)
	p.Handle(identity.ProtoGossip, func(_ context.Context, c *identity.Conn) { io.WriteString(c, "gossip"); c.Close() })
	got := make(chan netip.AddrPort, 1)
	p.HandlePackets(0xe1, func(b []byte, from netip.AddrPort) {
		if string(b) != "\xe1hello" {
			t.Errorf("got %q", b)
		}
		got <- from
	})
	stop := run(t, p)
	q := open(t, Config{Gate: gate(t, 2, ""), Number: -1})
	for _, ip := range []string{"127.0.0.1", "::1"} {
		if l, err := net.Listen("tcp", net.JoinHostPort(ip, "0")); err != nil {
			t.Logf("no %s here: %v", ip, err)
			continue
		} else {
			l.Close()
		}
		address := net.JoinHostPort(ip, strconv.Itoa(p.Number()))
		c := chat(t, q, address)
		hears(t, c)
		if want := gate(t, 1, "").Identity().ID(); c.Peer != want || c.Proto != identity.ProtoChat {
			t.Error("wrong peer or protocol", c.Peer, c.Proto)
		}
		g, err := q.Dial(t.Context(), address, identity.ProtoGossip, &c.Peer)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(g); err != nil || string(b) != "gossip" {
			t.Errorf("%q, %v", b, err)
		}
		g.Close()
		if err := q.Send([]byte("\xe1hello"), netip.MustParseAddrPort(address)); err != nil {
			t.Fatal(err)
		}
		if from := <-got; from != netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(q.Number())) {
			t.Errorf("a packet from %v came from %v", ip, from)
		}
	}
	chat(t, q, net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number()))) // still open when Run ends
	if err := stop(); err != nil {
		t.Error(err)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, own := range []string{"port.(*Port).admit", "port.(*Port).packets", "port.(*Port).accept", "port.echo("} {
		if bytes.Contains(stacks, []byte(own)) {
			t.Errorf("%s was left behind Run:\n%s", own, stacks)
		}
	}
	again := open(t, Config{Gate: gate(t, 1, ""), Number: p.Number()})
	if again.Number() != p.Number() {
		t.Error("the port was not free after Run")
	}
}

func TestProtocolNobodyHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		_, address := hub(t, lan, Config{})
		if c, err := client(t, lan, "a").Dial(t.Context(), address, identity.ProtoFile, nil); err == nil {
			t.Error("admitted to", c.Proto)
		}
	})
}

// A handler keeps Run until it has returned; its context ends with Run's.
func TestRunWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p := open(t, Config{Gate: gate(t, 1, ""), Net: lan.Host("hub").Net()})
		var returned atomic.Bool
		p.Handle(identity.ProtoChat, func(ctx context.Context, c *identity.Conn) {
			defer c.NetConn().Close()
			<-ctx.Done()
			time.Sleep(3 * time.Second)
			returned.Store(true)
		})
		stop := run(t, p)
		chat(t, client(t, lan, "a"), "hub:4327")
		synctest.Wait()
		if err := stop(); err != nil || !returned.Load() {
			t.Error("Run returned before its handler", err)
		}
	})
}

// Run's end closes who is in admission and who waits, at once. That no goroutine is left the bubble checks itself.
func TestRunEndsAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p := open(t, Config{Gate: gate(t, 1, ""), Net: lan.Host("hub").Net()})
		stop := run(t, p)
		conns := silent(t, lan, "a", 20)
		synctest.Wait()
		start := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Run took %v to end", d)
		}
		for _, c := range conns {
			closed(t, c, time.Second)
		}
	})
}

// silent connects n times from a host and says nothing.
func silent(t *testing.T, lan *nodetest.LAN, host string, n int) []net.Conn {
	t.Helper()
	process := lan.Host(host).Net()
	var conns []net.Conn
	for range n {
		c, err := process.Dial(t.Context(), "hub:4327")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns = append(conns, c)
	}
	return conns
}

// closed checks that the other side closes c within d.
func closed(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, c); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("a connection is still open")
	}
}

func TestRunWhenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p := open(t, Config{Gate: gate(t, 1, ""), Net: lan.Host("hub").Net()})
		p.Handle(identity.ProtoChat, echo)
		time.AfterFunc(time.Second, func() { lan.Crash("hub") })
		if err := p.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestClose(t *testing.T) {
	p := open(t, Config{Gate: gate(t, 1, ""), Number: -1})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Gate: gate(t, 1, ""), Number: p.Number()})
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p := open(t, Config{Gate: gate(t, 1, ""), Net: lan.Host("hub").Net()})
		var got [][]byte
		p.HandlePackets(0xe1, func(b []byte, from netip.AddrPort) {
			if from.Addr() != lan.Host("a").IP() {
				t.Error("from", from)
			}
			got = append(got, b)
		})
		p.HandlePackets(0xe2, func(b []byte, _ netip.AddrPort) { got = append(got, b) })
		run(t, p)
		q := client(t, lan, "a")
		to := netip.AddrPortFrom(lan.Host("hub").IP(), uint16(p.Number()))
		sent := []string{"\xe1one", "", "\xe3unknown", "\xe2two", "\xe1", "\xe1" + string(make([]byte, 60000))}
		for _, s := range sent {
			if err := q.Send([]byte(s), to); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // of fake time: packets overtake each other otherwise
		}
		synctest.Wait()
		want := []string{sent[0], sent[3], sent[4], sent[5]}
		if len(got) != len(want) {
			t.Fatalf("%d packets", len(got))
		}
		for i := range want { // after all have come: a slice that was used again would show
			if string(got[i]) != want[i] {
				t.Errorf("packet %d: %.10q, want %.10q", i, got[i], want[i])
			}
		}
	})
}

func TestSendErrors(t *testing.T) {
	p := open(t, Config{Gate: gate(t, 1, ""), Number: -1})
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p.Number()))
	if err := p.Send(make([]byte, 70000), to); err == nil {
		t.Error("sent more than a packet holds")
	}
	p.Close()
	if err := p.Send([]byte{1}, to); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// An error of accept or receive that may pass ends nothing.
func TestPassingErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		n := &flaky{Net: lan.Host("hub").Net()}
		p := open(t, Config{Gate: gate(t, 1, ""), Net: n})
		p.Handle(identity.ProtoChat, echo)
		received := make(chan struct{}, 1)
		p.HandlePackets(0xe1, func([]byte, netip.AddrPort) { received <- struct{}{} })
		stop := run(t, p)
		q := client(t, lan, "a")
		hears(t, chat(t, q, "hub:4327"))
		if err := q.Send([]byte{0xe1}, netip.AddrPortFrom(lan.Host("hub").IP(), 4327)); err != nil {
			t.Fatal(err)
		}
		<-received
		if err := stop(); err != nil {
			t.Error(err)
		}
		if n.accepts.Load() < 5 || n.reads.Load() < 5 {
			t.Error("no errors were met")
		}
	})
}

// flaky fails the first accepts and reads.
type flaky struct {
	Net
	net.Listener
	net.PacketConn
	accepts, reads atomic.Int32
}

func (f *flaky) Listen(port int) (net.Listener, net.PacketConn, error) {
	var err error
	f.Listener, f.PacketConn, err = f.Net.Listen(port)
	return flakyListener{f.Listener, f}, flakySocket{f.PacketConn, f}, err
}

func (f *flaky) Dial(ctx context.Context, address string) (net.Conn, error) {
	return f.Net.Dial(ctx, address)
}

type flakyListener struct {
	net.Listener
	f *flaky
}

func (l flakyListener) Accept() (net.Conn, error) {
	if l.f.accepts.Add(1) <= 5 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

type flakySocket struct {
	net.PacketConn
	f *flaky
}

func (s flakySocket) ReadFrom(b []byte) (int, net.Addr, error) {
	if s.f.reads.Add(1) <= 5 {
		return 0, nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return s.PacketConn.ReadFrom(b)
}
