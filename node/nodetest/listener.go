package nodetest

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// backlog bounds the connections that wait to be accepted. Linux would hold 4096; a full queue is worth meeting in a test.
const backlog = 128

// A listener is the TCP half of Process.Listen.
type listener struct {
	process *Process
	port    int

	// Guarded by lan.mu.
	queue   []*conn
	closed  bool
	arrived sync.Cond
}

func newListener(p *Process, port int) *listener {
	return &listener{process: p, port: port, arrived: sync.Cond{L: &p.lan.mu}}
}

func (l *listener) Accept() (net.Conn, error) {
	l.process.lan.mu.Lock()
	defer l.process.lan.mu.Unlock()
	for (len(l.queue) == 0 || l.process.frozen) && !l.closed {
		l.arrived.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

func (l *listener) Close() error {
	l.process.lan.mu.Lock()
	defer l.process.lan.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.closeLocked()
	return nil
}

func (l *listener) closeLocked() {
	l.closed = true
	l.process.listeners = slices.DeleteFunc(l.process.listeners, func(m *listener) bool { return m == l })
	for _, c := range l.queue {
		c.crashLocked()
	}
	l.queue = nil
	l.arrived.Broadcast()
}

func (l *listener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.process.host.ip, uint16(l.port)))
}
