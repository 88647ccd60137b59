package nodetest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest"
)

func TestDialErrors(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		p := lan.Host("a").Net()
		lan.Host("b")
		_, err := p.Dial(t.Context(), "10.0.0.2:4327")
		wantErr(t, "no listener", err, syscall.ECONNREFUSED)
		_, err = p.Dial(t.Context(), "10.0.0.99:4327")
		wantErr(t, "no host", err, syscall.EHOSTUNREACH)
		_, err = p.Dial(t.Context(), "10.0.0.2")
		if err == nil {
			t.Error("dialled without a port")
		}
		var unknown *net.DNSError
		if _, err = p.Dial(t.Context(), "nobody:4327"); !errors.As(err, &unknown) {
			t.Errorf("unknown name: %v", err)
		}
	})
}

func TestDialIsBoundByItsContextAndByHeal(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		l, _ := listen(t, lan.Host("b").Net())
		p := lan.Host("a").Net()
		lan.Cut("b")
		start := time.Now()
		_, err := p.Dial(within(t, 2*time.Second), "b:4327")
		wantElapsed(t, start, 2*time.Second, 2*time.Second)
		wantErr(t, "dial", err, context.DeadlineExceeded)
		var n net.Error
		if !errors.As(err, &n) || !n.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = p.Dial(ctx, "b:4327")
		wantErr(t, "dial", err, context.Canceled)

		time.AfterFunc(time.Minute, func() { lan.Heal("b") })
		start = time.Now()
		c := dial(t, p, "b:4327")
		wantElapsed(t, start, time.Minute, time.Minute+3*time.Millisecond)
		accepted, err := l.Accept()
		if err != nil || accepted.RemoteAddr().String() != c.LocalAddr().String() {
			t.Fatalf("accepted %v, %v; an abandoned dial must not be there", accepted, err)
		}
	})
}

func TestFullBacklogMakesDiallersWait(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		l, _ := listen(t, lan.Host("b").Net())
		p := lan.Host("a").Net()
		for range 128 {
			dial(t, p, "b:4327")
		}
		_, err := p.Dial(within(t, 10*time.Second), "b:4327")
		wantErr(t, "the 129th", err, context.DeadlineExceeded)
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		dial(t, p, "b:4327")
	})
}

func TestSplitAndJoin(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		for _, h := range []string{"a", "b", "c"} {
			listen(t, lan.Host(h).Net())
		}
		reach := func(from, to string) error {
			c, err := lan.Host(from).Net().Dial(within(t, time.Second), to+":4327")
			if err == nil {
				c.Close()
			}
			return err
		}
		lan.Split([]string{"a"}, []string{"b", "c"})
		wantErr(t, "a to b", reach("a", "b"), context.DeadlineExceeded)
		wantErr(t, "c to a", reach("c", "a"), context.DeadlineExceeded)
		wantErr(t, "b to c", reach("b", "c"), nil)
		lan.Cut("c")
		wantErr(t, "b to c, cut", reach("b", "c"), context.DeadlineExceeded)
		wantErr(t, "c to itself", reach("c", "c"), nil)
		lan.Join()
		wantErr(t, "a to b, joined", reach("a", "b"), nil)
		wantErr(t, "a to c, still cut", reach("a", "c"), context.DeadlineExceeded)
		lan.Heal("c")
		wantErr(t, "a to c, healed", reach("a", "c"), nil)
	})
}

func TestPackets(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		_, a := listen(t, lan.Host("a").Net())
		_, b := listen(t, lan.Host("b").Net())
		send := func(n int) {
			t.Helper()
			for i := range n {
				if _, err := a.WriteTo(fmt.Append(nil, i), b.LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
		}
		receive := func() (got []string) {
			t.Helper()
			b.SetReadDeadline(time.Now().Add(time.Second))
			buf := make([]byte, 100)
			for {
				n, from, err := b.ReadFrom(buf)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return got
				}
				if _, ok := from.(*net.UDPAddr); err != nil || !ok || from.String() != "10.0.0.1:4327" {
					t.Fatalf("from %v: %v", from, err)
				}
				got = append(got, string(buf[:n]))
			}
		}
		send(50)
		got := receive()
		if len(got) != 50 || slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
			t.Errorf("%d of 50 packets, or all in order: %v", len(got), got)
		}
		send(1000)
		time.Sleep(time.Second)
		if got := receive(); len(got) != 128 {
			t.Errorf("a queue of %d packets; want 128", len(got))
		}
		lan.Loss(30)
		arrived := 0
		for range 20 {
			send(100)
			arrived += len(receive())
		}
		if arrived < 1300 || arrived > 1500 {
			t.Errorf("%d of 2000 packets arrived under 30 %% loss", arrived)
		}
		lan.Loss(0)
		send(10)
		lan.Cut("b") // on their way, and lost all the same
		if got := receive(); len(got) != 0 {
			t.Errorf("%v came through a cut cable", got)
		}
		send(10)
		lan.Heal("b")
		if got := receive(); len(got) != 0 {
			t.Errorf("%v were kept for after the cut", got)
		}
		if _, err := a.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 77), Port: 1}); err != nil {
			t.Errorf("to nobody: %v", err)
		}
	})
}

func TestPacketSocketDeadlineAndClose(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		_, s := listen(t, lan.Host("a").Net())
		start := time.Now()
		s.SetReadDeadline(start.Add(time.Minute))
		_, _, err := s.ReadFrom(nil)
		wantTimeout(t, err)
		wantElapsed(t, start, time.Minute, time.Minute)
		s.SetReadDeadline(time.Time{})
		result := make(chan error)
		go func() {
			_, _, err := s.ReadFrom(nil)
			result <- err
		}()
		synctest.Wait()
		lan.Crash("a")
		wantErr(t, "read", <-result, net.ErrClosed)
		_, err = s.WriteTo(nil, s.LocalAddr())
		wantErr(t, "write", err, net.ErrClosed)
	})
}

// heard is what one instance was told.
type heard struct {
	mu    sync.Mutex
	found map[byte][]time.Duration // when, since the start
	gone  []byte
}

func announce(p *nodetest.Process, session byte) (*heard, func()) {
	start := time.Now()
	h := &heard{found: map[byte][]time.Duration{}}
	bye := p.Announce([8]byte{session}, testPort, func(s [8]byte, at []netip.AddrPort) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(at) != 1 || at[0].Port() != testPort || at[0].Addr().As4()[3] != s[0] {
			panic(fmt.Sprint(s, at))
		}
		h.found[s[0]] = append(h.found[s[0]], time.Since(start).Truncate(time.Second))
	}, func(s [8]byte) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.gone = append(h.gone, s[0])
	})
	return h, bye
}

func (h *heard) take() (map[byte][]time.Duration, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, g := h.found, h.gone
	h.found, h.gone = map[byte][]time.Duration{}, nil
	return f, g
}

func TestAnnounce(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, _ := announce(lan.Host("a").Net(), 1)
		b, bye := announce(lan.Host("b").Net(), 2)
		c, _ := announce(lan.Host("c").Net(), 3)
		time.Sleep(12 * time.Second)
		for name, h := range map[string]*heard{"a": a, "b": b, "c": c} {
			found, _ := h.take()
			if len(found) != 2 {
				t.Errorf("%s heard of %v", name, found)
			}
			for s, at := range found {
				if !slices.Equal(at, []time.Duration{0, 5 * time.Second, 10 * time.Second}) {
					t.Errorf("%s heard of %d at %v", name, s, at)
				}
			}
		}
		lan.Cut("c")
		time.Sleep(10 * time.Second)
		a.take()
		if found, _ := c.take(); len(found) != 0 {
			t.Errorf("cut off, and told of %v", found)
		}
		lan.Heal("c")
		time.Sleep(10 * time.Millisecond)
		if found, _ := c.take(); len(found) != 2 {
			t.Errorf("healed, and told of %v", found)
		}
		lan.Mute("c")
		time.Sleep(time.Second)
		c.take()
		a.take()
		time.Sleep(10 * time.Second)
		if found, _ := c.take(); len(found) != 0 {
			t.Errorf("mute, and told of %v", found)
		}
		if found, _ := a.take(); len(found) != 1 || found[2] == nil {
			t.Errorf("with a mute in the network, told of %v", found)
		}
		bye()
		time.Sleep(10 * time.Millisecond)
		if _, gone := a.take(); !slices.Equal(gone, []byte{2}) {
			t.Errorf("goodbyes heard: %v", gone)
		}
		b.take()
		lan.Crash("c")
		time.Sleep(20 * time.Second)
		if found, gone := a.take(); len(found)+len(gone) != 0 {
			t.Errorf("alone, and told of %v and %v", found, gone)
		}
		if found, gone := b.take(); len(found)+len(gone) != 0 {
			t.Errorf("after its goodbye told of %v and %v", found, gone)
		}
	})
}
