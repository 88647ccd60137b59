package nodetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest"
	"earshot/node/port"
)

var _ port.Net = (*nodetest.Process)(nil)

const testPort = 4327

// bubble runs f in fake time on a LAN of its own.
func bubble(t *testing.T, f func(t *testing.T, lan *nodetest.LAN)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, nodetest.New(1)) })
}

func listen(t *testing.T, p *nodetest.Process) (net.Listener, net.PacketConn) {
	t.Helper()
	l, s, err := p.Listen(testPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); s.Close() })
	return l, s
}

func dial(t *testing.T, p *nodetest.Process, to string) net.Conn {
	t.Helper()
	c, err := p.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pair connects a host named a with one named b.
func pair(t *testing.T, lan *nodetest.LAN) (a, b net.Conn) {
	t.Helper()
	l, _ := listen(t, lan.Host("b").Net())
	a = dial(t, lan.Host("a").Net(), l.Addr().String())
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b, err, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v; want %v", what, err, want)
	}
}

func wantTimeout(t *testing.T, err error) {
	t.Helper()
	var n net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &n) || !n.Timeout() {
		t.Fatalf("%v; want a timeout", err)
	}
}

func wantElapsed(t *testing.T, since time.Time, low, high time.Duration) {
	t.Helper()
	if d := time.Since(since); d < low || d > high {
		t.Fatalf("took %v; want %v to %v", d, low, high)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// pattern is n bytes that show where they belong.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func wantPattern(t *testing.T, r io.Reader, n int) {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, pattern(n)) {
		t.Fatal("the stream is not in order")
	}
}
