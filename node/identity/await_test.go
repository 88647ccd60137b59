package identity

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// awaiting are both ends of a connection of which l waits only in Await.
func awaiting(t *testing.T) (d, l *Conn) {
	t.Helper()
	if !canWriteNow {
		t.Skip("not on this system")
	}
	d, l = over(t)
	d.SetDeadline(time.Now().Add(patience))
	l.SetDeadline(time.Now().Add(patience))
	if !l.Awaits() {
		t.Fatal("cannot be waited for")
	}
	return d, l
}

// What comes in a record, in several, and in many more than fit a read is read to the end, without waiting in Read.
func TestAwait(t *testing.T) {
	d, l := awaiting(t)
	b := make([]byte, 4<<10)
	if n, err := l.Read(b); n > 0 || !errors.Is(err, ErrNothing) {
		t.Fatalf("read of nothing: %d, %v", n, err)
	}
	var want, got bytes.Buffer
	go func() { // what follows is more than the system takes of it while nobody reads
		for n := 1; n < 1<<20; n = 3*n + 1 {
			d.Write(bytes.Repeat([]byte{byte(n)}, n))
		}
		d.Write([]byte("one"))
		d.Write([]byte("after the other"))
	}()
	for n := 1; n < 1<<20; n = 3*n + 1 {
		want.Write(bytes.Repeat([]byte{byte(n)}, n))
	}
	want.WriteString("oneafter the other")
	for got.Len() < want.Len() {
		if err := l.Await(); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := l.Read(b)
			got.Write(b[:n])
			if errors.Is(err, ErrNothing) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("something else came")
	}
}

// What was there before Await was called does not wait for more, and a deadline that passes harms nothing.
func TestAwaitWhatIsThere(t *testing.T) {
	d, l := awaiting(t)
	l.SetReadDeadline(time.Now().Add(time.Millisecond))
	if err := l.Await(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("waiting for nothing: %v", err)
	}
	l.SetReadDeadline(time.Now().Add(patience))
	if _, err := d.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has been there since before
		if err := l.Await(); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 100)
	if n, err := l.Read(b); string(b[:n]) != "hello" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	d.Close()
	if err := l.Await(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Read(b); n > 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
}

// A read that fills what it is given does not have the next one wait.
func TestAwaitFullRead(t *testing.T) {
	d, l := awaiting(t)
	if _, err := d.out.Conn.Write([]byte("12345678")); err != nil { // below TLS
		t.Fatal(err)
	}
	if err := l.Await(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	for _, want := range []string{"1234", "5678"} {
		if n, err := l.out.Read(b); string(b[:n]) != want || err != nil {
			t.Fatalf("read %q, %v", b[:n], err)
		}
	}
	if n, err := l.out.Read(b); n > 0 || err != ErrNothing {
		t.Errorf("read %d bytes more, %v", n, err)
	}
}

// A connection that was reset, or closed by this end, is told from one that has nothing to read.
func TestAwaitBroken(t *testing.T) {
	d, l := awaiting(t)
	d.out.Conn.(*net.TCPConn).SetLinger(0)
	d.NetConn().Close()
	if err := l.Await(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Read(make([]byte, 100)); n > 0 || err != io.EOF && !errors.Is(err, syscall.ECONNRESET) { // to look whether something is there takes the error
		t.Errorf("read after a reset: %d, %v", n, err)
	}
	d, l = awaiting(t)
	if _, err := d.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := l.Await(); err != nil {
		t.Fatal(err)
	}
	l.NetConn().Close()
	if n, err := l.Read(make([]byte, 100)); n > 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after closing: %d, %v", n, err)
	}
}
