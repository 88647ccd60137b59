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

	awaits, arrived bool // the reader's (await.go): it reads only what has arrived; something may have

	// mu protects what follows, and is held while writing: what is held goes first.
	mu    sync.Mutex
	hold  bool
	now   bool    // nothing waits: what the system does not take at once is held, however much it is
	held  *[]byte // nil: none
	going []byte  // is being sent, for send
	send  func(fd uintptr)
}

// spare keeps the memory of gatherers that hold nothing. It is a cache without meaning.
var spare = sync.Pool{New: func() any { b := make([]byte, 0, maxHeld+2*maxRecord); return &b }}

// maxHeld is from how many bytes on what is held is written, and where a link that does not take them waits, unless it is to wait for nothing.
const maxHeld = 132 << 10

func gather(c net.Conn) *gatherer {
	g := &gatherer{Conn: c}
	if s, ok := c.(syscall.Conn); ok && canWriteNow {
		g.raw, _ = s.SyscallConn()
		g.send = func(fd uintptr) { g.going = g.going[sendNow(fd, g.going):] } // made once: there is one for each line that is said, to each link
	}
	return g
}

func (g *gatherer) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.hold || g.held != nil:
		g.keepLocked(b)
		if len(*g.held) >= maxHeld && !g.now {
			return len(b), g.flushLocked()
		}
	case g.now:
		if rest := g.sendLocked(b); len(rest) > 0 {
			g.keepLocked(rest)
		}
	default:
		return g.Conn.Write(b)
	}
	return len(b), nil
}

// keepLocked puts b behind what is held.
func (g *gatherer) keepLocked(b []byte) {
	if g.held == nil {
		g.held = spare.Get().(*[]byte)
	}
	*g.held = append(*g.held, b...)
}

// sendLocked writes what the system takes without waiting, whatever the deadline, and returns what is left.
func (g *gatherer) sendLocked(b []byte) []byte {
	if g.raw == nil {
		return b
	}
	g.going = b
	g.raw.Control(g.send)
	rest := g.going
	g.going = nil
	return rest
}

// begin lets records collect where there are several, until flush; now: until flushNow, and nothing waits.
func (g *gatherer) begin(several, now bool) {
	g.mu.Lock()
	g.hold, g.now = several, now
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
	if rest := g.sendLocked(*g.held); len(rest) > 0 {
		*g.held = (*g.held)[:copy(*g.held, rest)]
		return false
	}
	g.emptyLocked()
	return true
}

// Write is tls.Conn's, but that its records leave in one system call.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) > maxRecord {
		c.out.begin(true, false)
	}
	n, err := c.Conn.Write(b)
	if err == nil {
		err = c.out.flush()
	}
	return n, err
}

// WriteNow is Write without waiting. It reports whether all has gone; otherwise Flush, or the next Write, sends the rest.
func (c *Conn) WriteNow(b []byte) (all bool, err error) {
	c.out.begin(len(b) > maxRecord, true)
	if _, err := c.Conn.Write(b); err != nil {
		return false, err
	}
	return c.out.flushNow(), nil
}

// Flush sends what WriteNow left.
func (c *Conn) Flush() error { return c.out.flush() }
