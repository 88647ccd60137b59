package roster

import (
	"context"
	"crypto/cipher"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"earshot/node/identity"
	"earshot/node/port"
)

const (
	// packetQueue is how many packets may wait for memberlist; it needs a few microseconds for each.
	packetQueue = 128
	// probeTime is the longest that a probe takes: memberlist stretches its 500 ms by up to AwarenessMaxMultiplier.
	probeTime = 2 * time.Second
	// stagger is how long one place is tried before the next is tried beside it.
	stagger = 150 * time.Millisecond
)

// A transport is memberlist's way to the port: packets sealed, streams admitted.
type transport struct {
	roster *Roster
	port   *port.Port
	seal   cipher.AEAD
	addr   netip.Addr // advertised

	packets chan *memberlist.Packet
	conns   chan net.Conn
	ctx     context.Context // ends with Shutdown
	cancel  context.CancelFunc

	mu      sync.Mutex // guards all below
	watched map[netip.AddrPort]error
	pings   map[uint32]time.Time // sent in the last probeTime, by sequence number
}

func newTransport(r *Roster, addr netip.Addr) *transport {
	t := &transport{roster: r, port: r.config.Port, seal: r.seal, addr: addr, packets: make(chan *memberlist.Packet, packetQueue), conns: make(chan net.Conn), watched: make(map[netip.AddrPort]error), pings: make(map[uint32]time.Time)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// receive takes a packet from the port. It never waits: what there is no room for is lost, as UDP is.
func (t *transport) receive(b []byte, from netip.AddrPort) {
	p := &memberlist.Packet{Buf: b, From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
	if t.ctx.Err() != nil {
		return
	}
	select {
	case t.packets <- p:
	default:
	}
}

// serve hands an admitted connection to memberlist and returns when that is done with it: until then it counts against its host's places.
func (t *transport) serve(ctx context.Context, c *identity.Conn) {
	s := newStream(t.ctx, c)
	defer s.Close()
	defer c.NetConn().Close() // before it, so that it waits for nothing
	select {
	case t.conns <- s:
	case <-t.ctx.Done():
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-s.closed: // memberlist has deadlines of 2 s on all it does with a stream
	case <-t.ctx.Done():
	case <-ctx.Done():
	}
}

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.WithZone("").AsSlice(), t.port.Number(), nil
}

func (t *transport) WriteTo(b []byte, to string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: to})
}

func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	a, err := t.parse(to.Addr)
	if err != nil {
		return time.Time{}, err
	}
	p, err := seal(t.seal, b)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if t.ping(b, now); t.ctx.Err() != nil {
		return now, net.ErrClosed
	}
	err = t.port.Send(p, a)
	if o, ok := t.roster.detour(to.Name, a); ok && t.port.Send(p, o) == nil {
		return now, nil
	}
	return now, err
}

// ping remembers the sequence number of a ping for as long as memberlist may wait for its answer.
func (t *transport) ping(b []byte, now time.Time) {
	seq, ok := pingSeq(b)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, at := range t.pings {
		if now.Sub(at) > probeTime {
			delete(t.pings, s)
		}
	}
	t.pings[seq] = now
}

func (t *transport) DialTimeout(to string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: to}, timeout)
}

func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	a, err := t.parse(to.Addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	c, err := t.dial(ctx, to.Name, a)
	t.mu.Lock()
	if _, ok := t.watched[a]; ok {
		t.watched[a] = err
	}
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return newStream(t.ctx, c), nil
}

// dial connects to the node of a name at the address it advertises, or where else it may be: to one place a moment after the other, or when that failed. The first that answers serves.
func (t *transport) dial(ctx context.Context, name string, a netip.AddrPort) (*identity.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		at  netip.AddrPort
		c   *identity.Conn
		err error
	}
	results, open := make(chan result), 0
	defer func() {
		cancel()
		for range open {
			if r := <-results; r.err == nil {
				r.c.NetConn().Close()
			}
		}
	}()
	turn := time.NewTicker(stagger)
	defer turn.Stop()
	var failed error
	for next := t.roster.places(name, a); len(next)+open > 0; {
		if len(next) > 0 {
			at := next[0]
			next, open = next[1:], open+1
			go func() {
				c, err := t.port.Dial(ctx, at.String(), identity.ProtoGossip, nil)
				results <- result{at, c, err}
			}()
		}
		select {
		case <-turn.C:
		case r := <-results:
			open--
			if r.err == nil {
				t.roster.answered(name, a, r.at)
				return r.c, nil
			}
			if r.at == a {
				failed = r.err
			}
		}
	}
	return nil, failed
}

// watch returns a function that returns the error of the last dial to a since then: memberlist passes on no more than its text.
func (t *transport) watch(a netip.AddrPort) (dialled func() error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watched[a] = nil
	return func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		defer delete(t.watched, a)
		return t.watched[a]
	}
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.conns }

// Shutdown ends all streams and dials under way, and sends nothing more. memberlist's own Shutdown, which calls this, does not wait for a probe that it is in,
// and that waits for an answer for up to two seconds: it gets one here.
func (t *transport) Shutdown() error {
	t.cancel()
	t.mu.Lock()
	var acks []*memberlist.Packet
	for seq := range t.pings {
		acks = append(acks, &memberlist.Packet{Buf: ack(seq), From: &net.UDPAddr{}, Timestamp: time.Now()})
	}
	t.mu.Unlock()
	if len(acks) == 0 {
		return nil
	}
	for _, a := range acks {
		t.packets <- a
	}
	for range packetQueue + 1 { // when the queue has gone round, they have been read
		t.packets <- acks[0]
	}
	return nil
}

// parse reads an address of memberlist's, which has no place for the zone that a link-local one needs: that is the one it was found with, where it is being joined, or that of the address
// advertised.
func (t *transport) parse(text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return a, fmt.Errorf("gossip to %q: %w", text, err)
	}
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if a.Addr().IsLinkLocalUnicast() && a.Addr().Zone() == "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		for w := range t.watched {
			if w.Addr().WithZone("") == a.Addr() && w.Port() == a.Port() {
				return w, nil
			}
		}
	}
	return netip.AddrPortFrom(zoned(a.Addr(), t.addr), a.Port()), nil
}

// zoned puts a link-local address on the link of own.
func zoned(a, own netip.Addr) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" {
		return a.WithZone(own.Zone())
	}
	return a
}
