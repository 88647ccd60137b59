package identity

import (
	"io"
	"os"
	"syscall"
)

// ErrNothing: there is nothing to read just now (Conn.Awaits).
var ErrNothing error = nothing{}

// nothing passes, as crypto/tls asks for: after such an error it goes on where it was.
type nothing struct{}

func (nothing) Error() string   { return "nothing to read" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// Awaits has Read wait no more: it returns ErrNothing when it has read what has arrived, and then it is time for Await; it minds no deadline. False: this cannot be done here, and is not.
func (c *Conn) Awaits() bool {
	g := c.out
	if g.raw == nil {
		return false
	}
	g.awaits, g.arrived = true, true
	return true
}

// Await waits until something has arrived, or the read deadline, with a tenth of the stack that Read takes to wait, and no buffer. Await and Read must not be called concurrently.
func (c *Conn) Await() error {
	g := c.out
	looked := false
	err := g.raw.Read(func(fd uintptr) bool {
		ready := looked || readable(fd)
		looked = true // it is asked again when something has arrived
		return ready
	})
	g.arrived = err == nil
	return err
}

// Read reads from the network; after Awaits only what has arrived.
func (g *gatherer) Read(b []byte) (int, error) {
	if !g.awaits {
		return g.Conn.Read(b)
	}
	if !g.arrived {
		return 0, ErrNothing
	}
	var n int
	var err error
	if closed := g.raw.Control(func(fd uintptr) { n, err = receiveNow(fd, b) }); closed != nil {
		return 0, closed
	}
	g.arrived = n == len(b) // otherwise that was all
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		return 0, ErrNothing
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
