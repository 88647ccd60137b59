// Package port owns the one port everything of a participant goes through: a TCP listener whose connections are admitted and split
// by ALPN, and a UDP socket whose packets are split by their first byte (0xE1 gossip, 0xE2 beacon).
//
// Goroutines: Run accepts and receives; each connection that is let to the gate has one of a few that are kept for the next (package crew)
// for its admission, and then one of its own for its handler. Run returns when the sockets are closed and every handler has returned.
//
// Before admission there are at most 64 connections at once, 16 of them from one IPv6 network (/64) and 4 per IP. More wait their turn, accepted but untouched: a host
// that fills its four places with silence keeps nobody else out, nor do many keep out one that somebody was let in from before, or that Know named: for those there are 64 more places. 1,024 may wait, none for longer than a dialler does; beyond that
// the newest of the host with the most is closed. After admission at most PerIP connections per IP, counted until their handler
// returns; one more is closed. Handlers own the connection they are given.
//
// Packets are handed to their handler on the receiving goroutine, one at a time: a handler must not block; it owns the slice.
// A slow handler makes the system drop packets, and nothing else.
package port

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"earshot/node/crew"
	"earshot/node/identity"
)

// Default is the port tried first: "HEAR" on a telephone.
const Default = 4327

// spare is how many numbers after Default are tried where it is taken.
const spare = 20

// defaultPerIP is how many admitted connections one IP may hold where Config says nothing: a few people behind one address
// translator, each with a link and some gossip.
const defaultPerIP = 8

// Config of a Port.
type Config struct {
	Gate *identity.Gate
	// Number is the port asked for; 0 means Default or one of the 20 after it, whichever is free first; negative means any
	// that is free, for tests. A number that is asked for and taken is an error that wraps ErrTaken.
	Number int
	// Net is System{} where nil.
	Net Net
	// PerIP bounds admitted connections per remote IP: 0 means 8, negative none.
	PerIP int
	Log   *slog.Logger
}

// A Port is open from Open until Run returns (or Close, if Run is never called). Send, Dial and Number may be called from any
// goroutine at any time.
type Port struct {
	gate     *identity.Gate
	net      Net
	log      *slog.Logger
	listener net.Listener
	socket   net.PacketConn
	quick    *quick // the same, if it can be; or nil
	door     door
	protos   []string // keys of serve, sorted
	serve    map[string]func(context.Context, *identity.Conn) func() error
	receive  map[byte]func([]byte, netip.AddrPort)
	crew     crew.Crew
	work     sync.WaitGroup // what Run has done
}

// Open binds the port. Connections and packets wait in the kernel until Run.
func Open(c Config) (*Port, error) {
	if c.Net == nil {
		c.Net = System{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.PerIP == 0 {
		c.PerIP = defaultPerIP
	}
	listener, socket, err := bind(c.Net, c.Number)
	if err != nil {
		return nil, err
	}
	return &Port{
		gate: c.Gate, net: c.Net, log: c.Log, listener: listener, socket: socket, quick: quickly(socket),
		door:    newDoor(c.PerIP),
		serve:   make(map[string]func(context.Context, *identity.Conn) func() error),
		receive: make(map[byte]func([]byte, netip.AddrPort)),
	}, nil
}

// bind finds the number to listen on.
func bind(n Net, number int) (net.Listener, net.PacketConn, error) {
	first, last := number, number
	switch {
	case number > 65535:
		return nil, nil, fmt.Errorf("port %d: port numbers end at 65535", number)
	case number < 0:
		first, last = 0, 0
	case number == 0:
		first, last = Default, Default+spare
	}
	for try := first; ; try++ {
		listener, socket, err := n.Listen(try)
		if err == nil {
			return listener, socket, nil
		}
		switch {
		case !taken(err):
			return nil, nil, fmt.Errorf("port %d: %w", try, err)
		case try == last && number == 0:
			return nil, nil, fmt.Errorf("ports %d to %d: %w: %w", first, last, ErrTaken, err)
		case try == last:
			return nil, nil, fmt.Errorf("port %d: %w: %w", try, ErrTaken, err)
		}
	}
}

// Number returns the port number bound.
func (p *Port) Number() int { return int(addrPort(p.listener.Addr()).Port()) }

// Handle says who gets admitted connections with that ALPN. ctx ends when Run's does. Call it before Run.
func (p *Port) Handle(proto string, serve func(ctx context.Context, c *identity.Conn)) {
	p.HandleBegun(proto, func(ctx context.Context, c *identity.Conn) func() error {
		return func() error { serve(ctx, c); return nil }
	})
}

// HandleBegun is Handle for connections that last long while nothing happens: begin is called on the goroutine of the admission, and only what it returns, if anything, has one of its own, whose
// stack stays small.
func (p *Port) HandleBegun(proto string, begin func(ctx context.Context, c *identity.Conn) (serve func() error)) {
	p.serve[proto] = begin
	p.protos = slices.Sorted(maps.Keys(p.serve))
}

// HandlePackets says who gets UDP packets whose first byte is kind. Call it before Run. b is the receiver's to keep.
func (p *Port) HandlePackets(kind byte, receive func(b []byte, from netip.AddrPort)) {
	p.receive[kind] = receive
}

// Know says that somebody of the network is at ip: who fills the door keeps nobody out who comes from there.
func (p *Port) Know(ip netip.Addr) { p.door.know(ip) }

// Run serves until ctx ends, which is no error, or the port is closed under it, which is.
func (p *Port) Run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	p.crew.Open(true)
	defer p.crew.Open(false)
	p.work.Go(func() { p.packets(running) })
	p.work.Go(func() { <-running.Done(); p.Close() })
	err := p.accept(running)
	cancel()
	p.work.Wait() // who waits at the door has its turn, and finds that ctx has ended
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("port %d: %w", p.Number(), err)
}

// Close releases the port where Run was never called.
func (p *Port) Close() error { return errors.Join(p.listener.Close(), p.socket.Close()) }

// addrPort returns the address in a form that compares: an IPv4 address is one, whichever socket it came through.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if known, ok := a.(interface{ AddrPort() netip.AddrPort }); ok { // *net.TCPAddr, *net.UDPAddr
		ap = known.AddrPort()
	} else {
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
