// Package probe looks at an instance from outside, without taking part: it dials, is admitted, reads HELLO and VIEW, and is gone. Nobody there is told, no profile is needed and none
// is locked, so it works beside a running instance of this very person.
//
// Each Prober has an identity of its own that is never used again: who is admitted is decided by the network's key, and who looks is nobody. Of a peer it tells what that peer claims;
// only Peer, the key that it holds, is proven.
//
// Look may be called from any goroutine, also several at once; it owns no goroutine when it has returned. It takes no longer than ctx or five seconds.
package probe

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/port"
	"earshot/node/wire"
)

// limit is for dialling, admission and greeting together, as for any link.
const limit = 5 * time.Second

// Refusal is why there is no View.
type Refusal string

const (
	None    Refusal = ""
	Closed  Refusal = "closed"  // the machine is up, and nothing listens there
	Silent  Refusal = "silent"  // nothing answered in time: the machine is off, or a firewall drops what is sent to it
	Barred  Refusal = "barred"  // the network in between says that there is no way, or the system that it may not be sent
	Network Refusal = "network" // an earshot of another network, or with another key
	Version Refusal = "version" // it speaks another protocol; Err says in a sentence who must upgrade
	Foreign Refusal = "foreign" // something listens there that is no earshot, or breaks off
	Name    Refusal = "name"    // the host has no address
)

// An Answer is what came of a look. What is said below of a peer is zero where Refusal says that it was not heard.
type Answer struct {
	Address string // as asked
	Refusal Refusal
	Err     error         // with Refusal
	Took    time.Duration // from dialling to the end

	// Of the peer, from HELLO. Nick is fit to be shown.
	Peer     identity.PeerID
	Session  identity.Session
	Nick     string
	Software string
	Class    uint8
	// Hub: it serves now, in Term.
	Hub  bool
	Term uint64
	// Vouched is the time that at least three clocks there vouch for, zero where they do not; Clock is the peer's own. Both as of this machine's monotonic Asked, the middle of
	// the exchange.
	Vouched, Clock, Asked time.Time
	// View is whom it sees; its nicks are fit to be shown.
	View wire.View
}

// Sentence returns what Err says to a user: where Refusal is Version the sentence alone.
func (a Answer) Sentence() string {
	err := a.Err
	for a.Refusal == Version && errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// Config of a Prober.
type Config struct {
	Network *identity.Network
	// Net is the operating system's where nil.
	Net port.Net
}

// A Prober looks at instances of one network.
type Prober struct {
	gate    *identity.Gate
	net     port.Net
	session identity.Session
}

// New makes an identity that lasts as long as the Prober.
func New(c Config) (*Prober, error) {
	seed := make([]byte, 32)
	rand.Read(seed) // never fails (crypto/rand)
	who, err := identity.FromSeed(seed)
	if err != nil {
		return nil, err
	}
	gate, err := identity.NewGate(who, c.Network)
	if err != nil {
		return nil, err
	}
	if c.Net == nil {
		c.Net = port.System{}
	}
	return &Prober{gate, c.Net, identity.NewSession()}, nil
}

// Look dials host:port and says what is there.
func (p *Prober) Look(ctx context.Context, address string) Answer {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a := Answer{Address: address}
	began := time.Now()
	err := p.look(ctx, &a)
	a.Took = time.Since(began)
	if err != nil {
		a.Refusal, a.Err = cmp.Or(a.Refusal, classify(err)), err
	}
	return a
}

func (p *Prober) look(ctx context.Context, a *Answer) error {
	raw, err := p.net.Dial(ctx, a.Address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", a.Address, err)
	}
	c, err := p.gate.Dial(ctx, raw, identity.ProtoChat, nil)
	if err != nil {
		if !errors.Is(err, identity.ErrProof) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			a.Refusal = Foreign
		}
		return fmt.Errorf("dial %s: %w", a.Address, err)
	}
	defer context.AfterFunc(ctx, func() { c.NetConn().Close() })()
	defer c.NetConn().Close()
	a.Peer = c.Peer
	if at, ok := ctx.Deadline(); ok {
		c.SetDeadline(at)
	}
	if err := p.greet(c, a); err != nil {
		return fmt.Errorf("look at %s: %w", a.Address, cmp.Or(ctx.Err(), err))
	}
	return nil
}

// greet exchanges HELLO and reads the VIEW.
func (p *Prober) greet(c *identity.Conn, a *Answer) error {
	asked := time.Now()
	if _, err := c.Write(wire.Append(nil, wire.TypeHello, &wire.Hello{Version: wire.Version, Session: p.session, Look: true})); err != nil {
		return err
	}
	r := wire.NewReader(c)
	var h wire.Hello
	if err := next(r, wire.TypeHello, &h); err != nil {
		return err
	}
	a.Asked = asked.Add(time.Since(asked) / 2)
	a.Session, a.Nick, a.Software, a.Class = h.Session, message.ShowNick(h.Nick), h.Software, h.Class
	a.Hub, a.Term = h.Term > 0, h.Term
	if h.Net != 0 {
		a.Vouched = time.UnixMilli(h.Net)
	}
	if err := wire.CheckVersion(&h); err != nil {
		return err
	}
	if err := next(r, wire.TypeView, &a.View); err != nil {
		return err
	}
	a.Clock = time.UnixMilli(a.View.Clock)
	for i := range a.View.Here {
		a.View.Here[i].Nick = message.ShowNick(a.View.Here[i].Nick)
	}
	return nil
}

func next(r *wire.Reader, want wire.Type, v any) error {
	t, body, err := r.Next()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("frame %d instead of %d: %w", t, want, wire.ErrFrame)
	}
	return wire.Decode(body, v)
}

// classify says what an error means for people.
func classify(err error) Refusal {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, wire.ErrVersion):
		return Version
	case errors.Is(err, identity.ErrProof):
		return Network
	case errors.As(err, &dns):
		return Name
	case port.Refused(err):
		return Closed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Silent
	case port.Barred(err):
		return Barred
	}
	return Foreign
}
