package nodetest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// window bounds what is written and not yet read on one direction of a stream.
	window = 256 << 10
	// segmentSize is the most that travels as one: loss and latency are drawn for each.
	segmentSize = 64 << 10
)

// A conn is one end of a stream.
type conn struct {
	process       *Process
	local, remote *net.TCPAddr
	in, out       *pipe

	// Guarded by lan.mu.
	closed    bool
	reset     bool      // the other end is gone for good
	heard     time.Time // when the last packet was sent, either way
	forgotten bool      // by a translator
}

// A pipe is one direction of a stream. Everything in it is guarded by lan.mu.
type pipe struct {
	lan         *LAN
	from, to    *conn
	flight      []segment // written and not arrived, oldest first
	ready       []byte    // arrived and not read
	size        int       // bytes in both
	began       time.Time
	end         error // what the reader gets after ready, once it has arrived
	timer       *time.Timer
	last        time.Time // when the last of flight arrives
	read, write deadline
	changed     sync.Cond
}

// A segment is bytes on their way, or the end of the stream.
type segment struct {
	at   time.Time
	body []byte
	end  error
}

// newStream connects two processes.
func newStream(a *Process, aAddr netip.AddrPort, b *Process, bAddr netip.AddrPort) (*conn, *conn) {
	x := &conn{process: a, local: net.TCPAddrFromAddrPort(aAddr), remote: net.TCPAddrFromAddrPort(bAddr)}
	y := &conn{process: b, local: x.remote, remote: x.local}
	x.out = &pipe{lan: a.lan, began: time.Now(), from: x, to: y, changed: sync.Cond{L: &a.lan.mu}}
	y.out = &pipe{lan: a.lan, began: time.Now(), from: y, to: x, changed: sync.Cond{L: &a.lan.mu}}
	x.in, y.in = y.out, x.out
	a.lan.opened++
	a.conns = append(a.conns, x)
	b.conns = append(b.conns, y)
	return x, y
}

func (c *conn) Read(b []byte) (int, error) {
	p := c.in
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.fail("read", net.ErrClosed)
		case c.process.frozen:
			p.changed.Wait()
			continue
		case p.read.passedLocked():
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case len(p.ready) > 0:
			n := copy(b, p.ready)
			p.ready = p.ready[n:]
			p.size -= n
			p.changed.Broadcast()
			return n, nil
		case p.end == io.EOF:
			return 0, io.EOF
		case p.end != nil:
			return 0, c.fail("read", os.NewSyscallError("read", p.end))
		}
		p.changed.Wait()
	}
}

func (c *conn) Write(b []byte) (int, error) {
	p := c.out
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	for n := 0; ; {
		switch {
		case c.closed:
			return n, c.fail("write", net.ErrClosed)
		case p.write.passedLocked():
			return n, c.fail("write", os.ErrDeadlineExceeded)
		case c.reset:
			return n, c.fail("write", os.NewSyscallError("write", syscall.ECONNRESET))
		case n == len(b):
			return n, nil
		case p.size < window:
			m := min(len(b)-n, window-p.size, segmentSize)
			p.sendLocked(segment{body: slices.Clone(b[n : n+m])})
			n += m
		default:
			p.changed.Wait()
		}
	}
}

// sendLocked puts a segment on its way, behind what is there.
func (p *pipe) sendLocked(s segment) {
	latency := p.lan.latencyLocked()
	p.from.passLocked(p.to)
	if p.lan.loseLocked(p.from.process.host) {
		latency += retransmit
	}
	if s.at = time.Now().Add(latency); s.at.Before(p.last) {
		s.at = p.last
	}
	p.last = s.at
	p.size += len(s.body)
	if time.Since(p.began) > 3*time.Second {
		p.lan.carried += int64(len(s.body))
	}
	if p.flight = append(p.flight, s); len(p.flight) == 1 {
		p.timer = time.AfterFunc(latency, p.arrive)
	}
}

// arrive takes in what is due, in order, or waits for the cable to be put back.
func (p *pipe) arrive() {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if len(p.flight) == 0 {
		return // dropped while this was on its way
	}
	if p.from.process.frozen || !p.from.reachLocked(p.to) {
		p.lan.stalled = append(p.lan.stalled, p)
		return
	}
	for len(p.flight) > 0 && !p.flight[0].at.After(time.Now()) {
		s := p.flight[0]
		p.flight = p.flight[1:]
		p.takeLocked(s)
	}
	if len(p.flight) > 0 {
		p.timer.Reset(time.Until(p.flight[0].at))
	}
}

func (p *pipe) takeLocked(s segment) {
	switch {
	case s.end != nil:
		p.end = s.end
		if s.end != io.EOF {
			p.to.resetLocked()
		}
	case p.to.closed:
		// Nobody will ever read this: the kernel answers with a reset.
		p.size -= len(s.body)
		p.to.out.sendLocked(segment{end: syscall.ECONNRESET})
	default:
		p.ready = append(p.ready, s.body...)
	}
	p.changed.Broadcast()
}

// reachLocked reports whether a packet of c arrives at the other end: each must still have the address that the stream was opened with.
func (c *conn) reachLocked(o *conn) bool {
	return reachLocked(c.process.host, o.process.host) && c.numberedLocked() && o.numberedLocked() && !c.forgotten && !o.forgotten
}

// passLocked notes that something is sent from c to o: too late, and a translator between them knows nothing of the stream any more.
func (c *conn) passLocked(o *conn) {
	now, translated := time.Now(), c.process.host != o.process.host && (c.process.host.outside.IsValid() || o.process.host.outside.IsValid())
	if translated && !c.heard.IsZero() && now.Sub(c.heard) > translatorMemory {
		c.forgotten = true
	}
	c.heard, o.heard = now, now
}

func (c *conn) numberedLocked() bool {
	ip := c.local.AddrPort().Addr()
	return ip.IsLoopback() || ip == c.process.host.ip
}

// resumeLocked goes on after a stall: what is overdue is sent again.
func (p *pipe) resumeLocked() {
	if len(p.flight) > 0 {
		again := time.Now().Add(p.lan.latencyLocked())
		for i := range p.flight {
			if p.flight[i].at.Before(again) {
				p.flight[i].at = again
			}
		}
		if p.last.Before(again) {
			p.last = again
		}
		p.timer.Reset(time.Until(p.flight[0].at))
	}
}

// dropLocked forgets what is under way.
func (p *pipe) dropLocked() {
	for _, s := range p.flight {
		p.size -= len(s.body)
	}
	p.flight = nil
	if p.timer != nil {
		p.timer.Stop()
	}
}

// resetLocked is what the other end's reset does here.
func (c *conn) resetLocked() {
	c.reset = true
	c.out.dropLocked()
	c.out.changed.Broadcast()
	c.in.changed.Broadcast()
}

func (c *conn) Close() error {
	c.process.lan.mu.Lock()
	defer c.process.lan.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	end := error(io.EOF)
	if len(c.in.ready) > 0 {
		end = syscall.ECONNRESET
	}
	c.closeLocked(end)
	return nil
}

// abort closes with a reset.
func (c *conn) abort() {
	c.process.lan.mu.Lock()
	defer c.process.lan.mu.Unlock()
	c.crashLocked()
}

// crashLocked is what the kernel does for a process that is gone.
func (c *conn) crashLocked() {
	if c.closed {
		return
	}
	if !c.reachLocked(c.in.from) {
		c.out.dropLocked()
	}
	c.closeLocked(syscall.ECONNRESET)
}

func (c *conn) closeLocked(end error) {
	c.closed = true
	c.process.conns = slices.DeleteFunc(c.process.conns, func(d *conn) bool { return d == c })
	c.in.size -= len(c.in.ready)
	c.in.ready = nil
	c.in.read.setLocked(time.Time{}, &c.in.changed)
	c.out.write.setLocked(time.Time{}, &c.out.changed)
	if !c.reset {
		c.out.sendLocked(segment{end: end})
	}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(func() { c.in.read.setLocked(t, &c.in.changed) })
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(func() { c.out.write.setLocked(t, &c.out.changed) })
}

func (c *conn) SetDeadline(t time.Time) error {
	return c.setDeadline(func() {
		c.in.read.setLocked(t, &c.in.changed)
		c.out.write.setLocked(t, &c.out.changed)
	})
}

func (c *conn) setDeadline(set func()) error {
	c.process.lan.mu.Lock()
	defer c.process.lan.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	set()
	return nil
}

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
