package identity

import (
	"net"
	"sync"
	"syscall"
)

// maxRecord is the most that one TLS record carries (RFC 8446 §5.1).
const maxRecord = 16 << 10

// gatherer stands between TLS and the network. While it holds, records collect, so that those of one Write leave in one system call. The reading side of TLS writes too, an alert or
// a key update: that goes behind what is held.
type gatherer struct {
	net.Conn
	raw syscall.RawConn // nil: there is no writing or reading without waiting

	awaits, arrived bool // the reader's (await.go): it reads only what has arrived; something has

	// mu protects what follows, and is held while writing: what is held goes first.
	mu   sync.Mutex
	hold bool
	now  bool    // what is held is written without waiting, however much it is
	held *[]byte // nil: none
}

// spare keeps the memory of gatherers that hold nothing. It is a cache without meaning.
var spare = sync.Pool{New: func() any { b := make([]byte, 0, maxHeld+2*maxRecord); return &b }}

// maxHeld is from how many bytes on what is held is written, and where a link that does not take them waits, unless it is to wait for nothing.
const maxHeld = 132 << 10

func gather(c net.Conn) *gatherer {
	g := &gatherer{Conn: c}
	if s, ok := c.(syscall.Conn); ok && canWriteNow {
		g.raw, _ = s.SyscallConn()
	}
	return g
}

func (g *gatherer) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.hold && g.held == nil {
		return g.Conn.Write(b)
	}
	if g.held == nil {
		g.held = spare.Get().(*[]byte)
	}
	if *g.held = append(*g.held, b...); len(*g.held) >= maxHeld && !g.now {
		return len(b), g.flushLocked()
	}
	return len(b), nil
}

// begin lets records collect; now: flushNow is to come.
func (g *gatherer) begin(now bool) {
	g.mu.Lock()
	g.hold, g.now = true, now
	g.mu.Unlock()
}

// flush writes what is held, and holds no longer.
func (g *gatherer) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.now = false, false
	return g.flushLocked()
}

func (g *gatherer) flushLocked() error {
	if g.held == nil {
		return nil
	}
	_, err := g.Conn.Write(*g.held)
	g.emptyLocked()
	return err
}

func (g *gatherer) emptyLocked() {
	*g.held = (*g.held)[:0]
	spare.Put(g.held)
	g.held = nil
}

// flushNow writes what the system takes without waiting, and reports whether that was all.
func (g *gatherer) flushNow() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.now = false, false
	if g.held == nil {
		return true
	}
	n := 0
	if g.raw != nil {
		g.raw.Control(func(fd uintptr) { n = sendNow(fd, *g.held) }) // Write would mind a deadline that has passed
	}
	if n < len(*g.held) {
		*g.held = (*g.held)[:copy(*g.held, (*g.held)[n:])]
		return false
	}
	g.emptyLocked()
	return true
}

// Write is tls.Conn's, but that its records leave in one system call.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) > maxRecord {
		c.out.begin(false)
	}
	n, err := c.Conn.Write(b)
	if err == nil {
		err = c.out.flush()
	}
	return n, err
}

// WriteNow is Write without waiting. It reports whether all has gone; otherwise Flush, or the next Write, sends the rest.
func (c *Conn) WriteNow(b []byte) (all bool, err error) {
	c.out.begin(true)
	if _, err := c.Conn.Write(b); err != nil {
		return false, err
	}
	return c.out.flushNow(), nil
}

// Flush sends what WriteNow left.
func (c *Conn) Flush() error { return c.out.flush() }
