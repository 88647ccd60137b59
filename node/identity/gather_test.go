package identity

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// patience is the deadline of what must not wait for ever: with the race detector, on a machine that is busy with other things, a hundred megabytes take a while.
const patience = 2 * time.Minute

// over admits over the loopback and returns both ends.
func over(t *testing.T) (d, l *Conn) {
	t.Helper()
	n := network(t, "lobby", "")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan *Conn, 1)
	go func() {
		defer close(accepted)
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		if c, err := gate(t, seeded(t, 2), n).Accept(t.Context(), raw, ProtoChat); err == nil {
			accepted <- c
		}
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if d, err = gate(t, seeded(t, 1), n).Dial(t.Context(), raw, ProtoChat, nil); err != nil {
		t.Fatal(err)
	}
	if l = <-accepted; l == nil {
		t.Fatal("not admitted")
	}
	t.Cleanup(func() { d.NetConn().Close(); l.NetConn().Close() })
	return d, l
}

// Writing without waiting does not wait for a reader that does not read, and what it left comes with Flush, in order.
func TestWriteNow(t *testing.T) {
	if !canWriteNow {
		t.Skip("not on this system")
	}
	d, l := over(t)
	line := bytes.Repeat([]byte("0123456789abcdef"), 256)
	var sent bytes.Buffer
	for all := true; all; {
		if sent.Len() > 64<<20 {
			t.Fatal("the system takes everything")
		}
		var err error
		if all, err = l.WriteNow(line); err != nil {
			t.Fatal(err)
		}
		sent.Write(line)
	}
	l.SetWriteDeadline(time.Now().Add(patience))
	more := bytes.Repeat([]byte("and more"), 4<<20) // more than it takes meanwhile
	if all, err := l.WriteNow(more); all || err != nil {
		t.Errorf("written behind what waits: %v, %v", all, err)
	}
	sent.Write(more)
	got, b := make(chan []byte), make([]byte, sent.Len()+len(" end"))
	go func() {
		d.SetReadDeadline(time.Now().Add(patience))
		n, _ := io.ReadFull(d, b)
		got <- b[:n]
	}()
	l.SetWriteDeadline(time.Now().Add(patience))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write([]byte(" end")); err != nil {
		t.Fatal(err)
	}
	sent.WriteString(" end")
	if b = <-got; !bytes.Equal(b, sent.Bytes()) {
		t.Errorf("%d bytes came, not the %d that were written", len(b), sent.Len())
	}
}

// calls counts the writes of a connection.
type calls struct {
	net.Conn
	n int
}

func (c *calls) Write(b []byte) (int, error) {
	c.n++
	return c.Conn.Write(b)
}

// The records of one Write leave together.
func TestWriteGathers(t *testing.T) {
	d, l := over(t)
	under := &calls{Conn: l.out.Conn}
	l.out.Conn = under
	body := make([]byte, 128<<10)
	go func() { l.Write(body) }()
	d.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(d, make([]byte, len(body))); err != nil {
		t.Fatal(err)
	}
	if under.n != 1 {
		t.Errorf("%d bytes left in %d writes", len(body), under.n)
	}
}
