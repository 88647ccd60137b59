package nodetest

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// socketQueue bounds the packets that wait to be read: about what Linux keeps in its default 208 KiB.
	socketQueue = 128
	// maxPacket is the longest UDP payload over IPv4.
	maxPacket = 65507
)

// A socket is the UDP half of Process.Listen.
type socket struct {
	process *Process
	port    int

	// Guarded by lan.mu.
	queue       []packet
	closed      bool
	arrived     sync.Cond
	read, write deadline
}

type packet struct {
	from netip.AddrPort
	body []byte
}

func newSocket(p *Process, port int) *socket {
	return &socket{process: p, port: port, arrived: sync.Cond{L: &p.lan.mu}}
}

// ReadFrom cuts off what b has no room for, as the kernel does.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.process.lan.mu.Lock()
	defer s.process.lan.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, nil, s.fail("read", net.ErrClosed)
		case s.process.frozen:
		case s.read.passedLocked():
			return 0, nil, s.fail("read", os.ErrDeadlineExceeded)
		case len(s.queue) > 0:
			p := s.queue[0]
			s.queue = s.queue[1:]
			return copy(b, p.body), net.UDPAddrFromAddrPort(p.from), nil
		}
		s.arrived.Wait()
	}
}

// WriteTo sends, and never waits.
func (s *socket) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return 0, s.fail("write", err)
	}
	lan := s.process.lan
	lan.mu.Lock()
	defer lan.mu.Unlock()
	switch {
	case s.closed:
		return 0, s.fail("write", net.ErrClosed)
	case s.write.passedLocked():
		return 0, s.fail("write", os.ErrDeadlineExceeded)
	case len(b) > maxPacket:
		return 0, s.fail("write", os.NewSyscallError("sendto", syscall.EMSGSIZE))
	}
	p := packet{netip.AddrPortFrom(s.process.host.ip, uint16(s.port)), slices.Clone(b)}
	if s.process.frozen {
		s.process.held = append(s.process.held, func() { s.sendLocked(to, p) })
	} else {
		s.sendLocked(to, p)
	}
	return len(b), nil
}

// sendLocked puts a packet on its way.
func (s *socket) sendLocked(to netip.AddrPort, p packet) {
	lan := s.process.lan
	s.process.host.rememberLocked(to)
	h := lan.findLocked(to.Addr(), s.process.host)
	if h != nil && (h == s.process.host || h.answeredLocked(p.from, to)) && reachLocked(s.process.host, h) && !lan.loseLocked(s.process.host) {
		p.from = s.process.host.translateLocked(h, p.from)
		time.AfterFunc(lan.latencyLocked(), func() { h.deliver(s.process.host, int(to.Port()), p) })
	}
}

// deliver hands over a packet that has travelled, if it still can.
func (h *Host) deliver(from *Host, port int, p packet) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if !reachLocked(from, h) {
		return
	}
	for _, process := range h.processes {
		for _, s := range process.sockets {
			if s.port == port && len(s.queue) < socketQueue {
				s.queue = append(s.queue, p)
				s.arrived.Signal()
			}
		}
	}
}

func (s *socket) Close() error {
	s.process.lan.mu.Lock()
	defer s.process.lan.mu.Unlock()
	if s.closed {
		return s.fail("close", net.ErrClosed)
	}
	s.closeLocked()
	return nil
}

func (s *socket) closeLocked() {
	s.closed = true
	s.queue = nil
	s.process.sockets = slices.DeleteFunc(s.process.sockets, func(t *socket) bool { return t == s })
	s.read.setLocked(time.Time{}, &s.arrived)
}

func (s *socket) SetDeadline(t time.Time) error      { return s.setDeadline(t, &s.read, &s.write) }
func (s *socket) SetReadDeadline(t time.Time) error  { return s.setDeadline(t, &s.read) }
func (s *socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(t, &s.write) }

func (s *socket) setDeadline(t time.Time, which ...*deadline) error {
	s.process.lan.mu.Lock()
	defer s.process.lan.mu.Unlock()
	if s.closed {
		return s.fail("set", net.ErrClosed)
	}
	for _, d := range which {
		d.setLocked(t, &s.arrived)
	}
	return nil
}

func (s *socket) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.process.host.ip, uint16(s.port)))
}

func (s *socket) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: s.LocalAddr(), Err: err}
}
