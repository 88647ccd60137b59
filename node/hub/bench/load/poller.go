package load

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"earshot/node/identity"
)

// poller reads all connections on the goroutine that polls, each once when something has arrived, whatever is spoken on them: what the generator takes for a delivery is then the same
// for each server, but for what the bytes themselves cost. The runtime's own way, a goroutine for each connection, is half as fast again: it would be measured as the server's delay.
type poller struct {
	epoll int
	ready [256]syscall.EpollEvent
	in    []byte // where what has arrived is read to
	oob   []byte // where the system says when it did; nil: it is not asked, for it takes time to tell
	mu    sync.Mutex
	by    map[int32]*watched // protected by mu
}

func newPoller(delays bool) (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	p := &poller{epoll: fd, in: make([]byte, 64<<10), by: map[int32]*watched{}}
	if delays {
		p.oob = make([]byte, 64)
	}
	return p, err
}

// watched is a TCP connection. It is an ordinary one until it is watched; from then on Read brings what has arrived, and then identity.ErrNothing, which TLS takes for a pause.
type watched struct {
	net.Conn
	client *client
	fd     int          // of the watched, else -1
	in     []byte       // has arrived
	take   func() error // reads until there is nothing
}

func connect(address string, r role) (*watched, error) {
	raw, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if r == deaf {
		raw.(*net.TCPConn).SetReadBuffer(4096)
	}
	raw.SetDeadline(time.Now().Add(lifetime))
	return &watched{Conn: raw, fd: -1}, nil
}

// watch begins to read for c by take. What TLS has read before is taken at once.
func (p *poller) watch(w *watched, c *client, take func() error) error {
	raw, err := w.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var fd int
	var failed error
	if err := raw.Control(func(of uintptr) { fd, failed = syscall.Dup(int(of)) }); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	w.Conn.Close() // the runtime's poller watches it no longer
	if p.oob != nil {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	w.client, w.fd, w.take = c, fd, take
	c.at = time.Now().UnixNano()
	if err := w.take(); err != nil {
		return err
	}
	p.mu.Lock()
	p.by[int32(fd)] = w
	p.mu.Unlock()
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// poll takes what arrives within d. It does not sleep meanwhile: a server would have to wake it, which costs that 10 µs a time, and more often the slower it is.
func (p *poller) poll(d time.Duration) {
	end, n := time.Now().Add(d), 0
	for again := true; again; again = n <= 0 && time.Now().Before(end) {
		n, _ = syscall.EpollWait(p.epoll, p.ready[:], 0)
	}
	for _, e := range p.ready[:max(n, 0)] {
		p.mu.Lock()
		w := p.by[e.Fd]
		p.mu.Unlock()
		n, oob, _, _, err := unix.Recvmsg(w.fd, p.in, p.oob, 0)
		if err == syscall.EAGAIN || err == syscall.EINTR {
			continue
		}
		w.client.at = arrival(p.oob[:oob])
		if w.in = p.in[:max(n, 0)]; n > 0 {
			w.client.bytes.Add(int64(n))
			err = w.take()
		}
		if n == 0 || err != nil {
			w.client.dead.Store(true)
			syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_DEL, w.fd, nil)
		}
	}
}

// arrival is when what was received with oob arrived, in ns since 1970: now, where it does not say.
func arrival(oob []byte) int64 {
	all, _ := unix.ParseSocketControlMessage(oob)
	for _, m := range all {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		}
	}
	return time.Now().UnixNano()
}

func (w *watched) Read(b []byte) (int, error) {
	if w.fd < 0 {
		return w.Conn.Read(b)
	}
	if len(w.in) == 0 {
		return 0, identity.ErrNothing
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

// Write waits where the other end does not read, for as long as a run may last.
func (w *watched) Write(b []byte) (n int, err error) {
	if w.fd < 0 {
		return w.Conn.Write(b)
	}
	for n < len(b) {
		k, err := syscall.Write(w.fd, b[n:])
		n += max(k, 0)
		if err == syscall.EAGAIN {
			err = w.writable()
		}
		if err != nil && err != syscall.EINTR {
			return n, os.NewSyscallError("write", err)
		}
	}
	return n, nil
}

// writable waits until something can be written.
func (w *watched) writable() error {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}, int(patience/time.Millisecond))
	if err == nil && n == 0 {
		err = syscall.ETIMEDOUT
	}
	return err
}

// WriteSome writes what the system takes now.
func (w *watched) WriteSome(b []byte) (int, error) {
	n, err := syscall.Write(w.fd, b)
	if err == syscall.EAGAIN {
		err = nil
	}
	return max(n, 0), err
}

// SetDeadline does nothing to a watched connection: what is done with it does not wait.
func (w *watched) SetDeadline(t time.Time) error {
	if w.fd < 0 {
		return w.Conn.SetDeadline(t)
	}
	return nil
}

func (w *watched) Close() error {
	if w.fd < 0 {
		return w.Conn.Close()
	}
	return syscall.Close(w.fd)
}
