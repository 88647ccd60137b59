package nodetest

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// synRetry is when a connection request that found no room is sent again (RFC 6298: the initial timeout is 1 s).
const synRetry = time.Second

// A Process is one program on a host, as the network sees it. It has the methods of port.Net.
type Process struct {
	lan  *LAN
	host *Host

	// Guarded by lan.mu.
	dead      bool
	frozen    bool
	held      []func() // packets of a frozen process
	listeners []*listener
	sockets   []*socket
	conns     []*conn
}

// Net returns the network for a program that starts now. Each call is a process of its own, on the host's one address.
func (h *Host) Net() *Process {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	p := &Process{lan: h.lan, host: h}
	h.processes = append(h.processes, p)
	return p
}

// Crash kills this process alone: see LAN.Crash.
func (p *Process) Crash() {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.crashLocked()
}

func (p *Process) crashLocked() {
	if p.dead {
		return
	}
	p.dead = true
	p.host.processes = slices.DeleteFunc(p.host.processes, func(q *Process) bool { return q == p })
	p.lan.ads = slices.DeleteFunc(p.lan.ads, func(a *announcement) bool { return a.process == p })
	for _, l := range slices.Clone(p.listeners) {
		l.closeLocked()
	}
	for _, s := range slices.Clone(p.sockets) {
		s.closeLocked()
	}
	for _, c := range slices.Clone(p.conns) {
		if p.frozen {
			c.out.dropLocked() // it never wrote that
		}
		c.crashLocked()
	}
	p.frozen, p.held = false, nil
}

// Listen binds TCP and UDP on that port of the host's address; 0 takes any port that is free. A port that is taken is EADDRINUSE.
func (p *Process) Listen(port int) (net.Listener, net.PacketConn, error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if port == 0 {
		port = p.host.freePortLocked()
	}
	addr := net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.host.ip, uint16(port)))
	switch {
	case p.dead:
		return nil, nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: net.ErrClosed}
	case port < 0 || port > 65535:
		return nil, nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: os.NewSyscallError("bind", syscall.EINVAL)}
	case p.host.listenerLocked(port) != nil:
		return nil, nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := newListener(p, port)
	s := newSocket(p, port)
	p.listeners = append(p.listeners, l)
	p.sockets = append(p.sockets, s)
	return l, s, nil
}

// Dial connects to address, "host:port" with an IP address or the name of a host. A port where nothing listens is ECONNREFUSED.
func (p *Process) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := p.dial(ctx, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: named(address), Err: err}
	}
	return c, nil
}

func (p *Process) dial(ctx context.Context, address string) (*conn, error) {
	to, port, err := p.resolve(address)
	if err != nil {
		return nil, err
	}
	var c *conn
	for c == nil {
		if err := p.travel(ctx, p.host, to, opensLocked); err != nil {
			return nil, err
		}
		if c, err = p.open(to, port); err != nil {
			return nil, err
		}
		if c == nil {
			if err := pause(ctx, synRetry); err != nil {
				return nil, err
			}
		}
	}
	if err := p.travel(ctx, to, p.host, reachLocked); err != nil {
		c.abort()
		return nil, err
	}
	return c, nil
}

// open asks the listener at to for a connection: none and no error where its queue is full.
func (p *Process) open(to *Host, port int) (*conn, error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if p.dead {
		return nil, net.ErrClosed
	}
	l := to.listenerLocked(port)
	switch {
	case l == nil:
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case len(l.queue) == backlog:
		return nil, nil
	}
	local := netip.AddrPortFrom(p.host.ip, uint16(p.host.freePortLocked()))
	near, far := newStream(p, local, l.process, netip.AddrPortFrom(to.ip, uint16(port)))
	far.remote = net.TCPAddrFromAddrPort(p.host.translateLocked(to, local))
	l.queue = append(l.queue, far)
	l.arrived.Signal()
	return near, nil
}

// travel waits until a packet of p's handshake has gone from one host to the other, sent again for as long as it cannot arrive.
func (p *Process) travel(ctx context.Context, from, to *Host, reach func(a, b *Host) bool) error {
	for {
		p.lan.mu.Lock()
		latency, changed := p.lan.latencyLocked(), p.lan.topology
		if p.lan.loseLocked(from) {
			latency += retransmit
		}
		p.lan.mu.Unlock()
		if err := pause(ctx, latency); err != nil {
			return err
		}
		p.lan.mu.Lock()
		dead, ok := p.dead, !p.frozen && reach(from, to)
		p.lan.mu.Unlock()
		switch {
		case dead:
			return net.ErrClosed
		case ok:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *Process) resolve(address string) (*Host, int, error) {
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return nil, 0, err
	}
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if ip, err := netip.ParseAddr(name); err == nil {
		if h := p.lan.findLocked(ip, p.host); h != nil {
			return h, port, nil
		}
		return nil, 0, os.NewSyscallError("connect", syscall.EHOSTUNREACH)
	}
	for _, h := range p.lan.hosts {
		if h.name == name {
			return h, port, nil
		}
	}
	return nil, 0, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (h *Host) listenerLocked(port int) *listener {
	for _, p := range h.processes {
		for _, l := range p.listeners {
			if l.port == port {
				return l
			}
		}
	}
	return nil
}

// freePortLocked draws a port that nothing on the host uses.
func (h *Host) freePortLocked() int {
	for {
		port := 32768 + h.lan.rng.IntN(28000)
		used := h.listenerLocked(port) != nil
		for _, p := range h.processes {
			used = used || slices.ContainsFunc(p.conns, func(c *conn) bool { return c.local.Port == port })
		}
		if !used {
			return port
		}
	}
}

// pause waits for d, or for the end of ctx and then gives its error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// named is an address that was only written down.
type named string

func (named) Network() string  { return "tcp" }
func (n named) String() string { return string(n) }
