package port

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
)

// full is a Net on which some numbers are taken.
type full struct {
	Net
	taken func(port int) error
}

func (f full) Listen(port int) (net.Listener, net.PacketConn, error) {
	if err := f.taken(port); err != nil {
		return nil, nil, err
	}
	return f.Net.Listen(port)
}

func TestNumber(t *testing.T) {
	inUse := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	below := func(n int) func(int) error {
		return func(port int) error {
			if port < n {
				return inUse
			}
			return nil
		}
	}
	for _, v := range []struct {
		name   string
		number int
		taken  func(int) error
		want   int    // 0: an error
		says   string // in the error
	}{
		{"default", 0, below(0), Default, ""},
		{"default taken", 0, below(Default + 3), Default + 3, ""},
		{"the last spare", 0, below(Default + 20), Default + 20, ""},
		{"all taken", 0, below(Default + 21), 0, "ports 4327 to 4347: another program uses it"},
		{"asked for", 5000, below(0), 5000, ""},
		{"asked for and taken", 5000, below(5001), 0, "port 5000: another program uses it"},
		{"forbidden", 0, func(int) error { return os.ErrPermission }, 0, "port 4327: permission denied"},
		{"too large", 65536, below(0), 0, "end at 65535"},
	} {
		t.Run(v.name, func(t *testing.T) {
			p, err := Open(Config{Gate: gate(t, 1, ""), Number: v.number, Net: full{nodetest.New(1).Host("a").Net(), v.taken}})
			if err == nil {
				defer p.Close()
				if p.Number() != v.want {
					t.Errorf("bound %d", p.Number())
				}
				return
			}
			if v.want != 0 || !strings.Contains(err.Error(), v.says) {
				t.Error(err)
			}
			if isTaken := strings.Contains(v.says, "uses it"); errors.Is(err, ErrTaken) != isTaken || errors.Is(err, syscall.EADDRINUSE) != isTaken {
				t.Errorf("%v wraps the wrong error", err)
			}
		})
	}
}

// A number counts as free only where both TCP and UDP are, and what was bound on the way is let go.
func TestTakenOnTheSystem(t *testing.T) {
	for _, network := range []string{"tcp", "udp", "tcp4", "udp4"} {
		t.Run(network, func(t *testing.T) {
			number, free := occupy(t, network)
			_, err := Open(Config{Gate: gate(t, 1, ""), Number: number})
			if !errors.Is(err, ErrTaken) || !taken(err) {
				t.Fatal(err)
			}
			free()
			if p := open(t, Config{Gate: gate(t, 1, ""), Number: number}); p.Number() != number {
				t.Error(p.Number())
			}
		})
	}
}

// occupy takes a number for one protocol alone, and finds out that the other is free.
func occupy(t *testing.T, network string) (number int, free func()) {
	t.Helper()
	l, s, err := System{}.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	number = int(addrPort(l.Addr()).Port())
	l.Close()
	s.Close()
	address := ":" + strconv.Itoa(number)
	if strings.HasPrefix(network, "tcp") {
		l, err = net.Listen(network, address)
		free = func() { l.Close() }
	} else {
		s, err = net.ListenPacket(network, address)
		free = func() { s.Close() }
	}
	if err != nil {
		t.Fatal(err)
	}
	return number, free
}

func TestRefused(t *testing.T) {
	q := open(t, Config{Gate: gate(t, 2, ""), Number: -1})
	p := open(t, Config{Gate: gate(t, 1, ""), Number: -1})
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number()))
	p.Close()
	_, err := q.Dial(t.Context(), address, identity.ProtoChat, nil)
	if !Refused(err) || !strings.HasPrefix(err.Error(), "dial "+address+": ") {
		t.Errorf("nothing listens: %v", err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.(*net.TCPConn).SetLinger(0) // a reset
		c.Close()
	}()
	if _, err := q.Dial(t.Context(), l.Addr().String(), identity.ProtoChat, nil); err == nil || Refused(err) {
		t.Errorf("reset: %v", err)
	}

	for _, err := range []error{nil, errors.New("x"), os.ErrDeadlineExceeded, context.DeadlineExceeded, identity.ErrProof, syscall.ECONNRESET, syscall.EHOSTUNREACH} {
		if Refused(err) {
			t.Errorf("%v counts as refused", err)
		}
	}
}

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		_, address := hub(t, lan, Config{})
		stranger := open(t, Config{Gate: gate(t, 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), Net: lan.Host("stranger").Net()})
		if _, err := stranger.Dial(t.Context(), address, identity.ProtoChat, nil); !errors.Is(err, identity.ErrProof) || Refused(err) {
			t.Error("another network:", err)
		}
		q := client(t, lan, "a")
		if _, err := q.Dial(t.Context(), address, identity.ProtoChat, &identity.PeerID{1}); !errors.Is(err, identity.ErrUnexpected) {
			t.Error("another identity:", err)
		}

		start := time.Now()
		lan.Cut("hub")
		if _, err := q.Dial(t.Context(), address, identity.ProtoChat, nil); !errors.Is(err, context.DeadlineExceeded) || Refused(err) {
			t.Error("unreachable:", err)
		}
		if d := time.Since(start); d != identity.AdmissionTimeout {
			t.Errorf("gave up after %v", d)
		}

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := q.Dial(ctx, address, identity.ProtoChat, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if d := time.Since(start); d != 300*time.Millisecond {
			t.Errorf("gave up after %v", d)
		}

		lan.Heal("hub")
		l, s, err := lan.Host("mute").Net().Listen(4327)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		defer s.Close()
		start = time.Now()
		if _, err := q.Dial(t.Context(), "mute:4327", identity.ProtoChat, nil); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a listener that is silent:", err)
		}
		if d := time.Since(start); d != identity.AdmissionTimeout {
			t.Errorf("connecting and admission took %v", d)
		}
		lan.Crash("hub")
		if _, err := q.Dial(t.Context(), address, identity.ProtoChat, nil); !Refused(err) {
			t.Error("crashed:", err)
		}
	})
}
