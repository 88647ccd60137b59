// Package frames is one end of a link driven by a test, frame by frame: a peer that does what no honest program would.
//
// It has no goroutine: what a Peer has to say the test says, and what comes waits in the connection until the test asks for it. All it cannot do fails the test.
package frames

import (
	"net"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// A Peer is that end.
type Peer struct {
	net.Conn
	t testing.TB
	r *wire.Reader
}

// Over drives a connection that stands; it is closed when the test ends.
func Over(t testing.TB, c net.Conn) *Peer {
	p := &Peer{Conn: c, t: t, r: wire.NewReader(c)}
	t.Cleanup(p.Hangup)
	return p
}

// Dial connects from a host of the LAN as who, and is admitted to the open network.
func Dial(t testing.TB, lan *nodetest.LAN, host string, who *identity.Identity, address string) *Peer {
	t.Helper()
	raw, err := lan.Host(host).Net().Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Gate(t, who).Dial(t.Context(), raw, identity.ProtoChat, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Over(t, c)
}

// Identity is the person of that name, the same each time.
func Identity(t testing.TB, name string) *identity.Identity {
	t.Helper()
	seed := make([]byte, 32)
	copy(seed, name)
	who, err := identity.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// Gate admits who to the open network.
func Gate(t testing.TB, who *identity.Identity) *identity.Gate {
	t.Helper()
	open, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := identity.NewGate(who, open)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Hangup closes the connection without a word.
func (p *Peer) Hangup() {
	c := p.Conn
	if t, ok := c.(*identity.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

// Send sends a control frame.
func (p *Peer) Send(t wire.Type, v any) {
	p.t.Helper()
	p.Bytes(wire.Append(nil, t, v))
}

// Bytes sends frames in one write.
func (p *Peer) Bytes(b []byte) {
	p.t.Helper()
	p.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := p.Write(b); err != nil {
		p.t.Fatalf("write %d bytes: %v", len(b), err)
	}
}

// Next returns the next frame, or why there is none within that time. The body is valid until the following call.
func (p *Peer) Next(within time.Duration) (wire.Type, []byte, error) {
	p.SetReadDeadline(time.Now().Add(within))
	return p.r.Next()
}

// Await skips frames until one of type t comes, and decodes it into v unless that is nil.
func (p *Peer) Await(within time.Duration, t wire.Type, v any) {
	p.t.Helper()
	for end := time.Now().Add(within); ; {
		got, body, err := p.Next(time.Until(end))
		if err != nil {
			p.t.Fatalf("no frame %d within %v: %v", t, within, err)
		}
		if got != t {
			continue
		}
		if v != nil {
			if err := wire.Decode(body, v); err != nil {
				p.t.Fatal(err)
			}
		}
		return
	}
}
