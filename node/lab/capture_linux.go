package lab

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// maxCapture bounds what a Capture keeps, in bytes.
const maxCapture = 64 << 20

// A Capture is all that crosses the switch, as tcpdump would see it there.
type Capture struct {
	socket int
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
	bytes  []byte // the packets, one after the other; read after Stop
}

// Capture begins to keep what crosses the switch, until Stop.
func (l *Lab) Capture() *Capture {
	l.t.Helper()
	s, err := packetSocket(filepath.Join(netnsDir, l.bridges()))
	if err != nil {
		l.t.Fatalf("capture: %v", err)
	}
	c := &Capture{socket: s, stop: make(chan struct{})}
	c.done.Go(c.read)
	l.t.Cleanup(func() { c.Stop() })
	return c
}

// packetSocket opens a socket in a namespace that gets all packets there (packet(7)). A read from it waits a tenth of a second at most.
func packetSocket(netns string) (socket int, err error) {
	runtime.LockOSThread() // never unlocked where the way back fails: the thread ends with the goroutine then
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return 0, err
	}
	defer home.Close()
	there, err := os.Open(netns)
	if err != nil {
		return 0, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	runtime.UnlockOSThread()
	if err != nil {
		return 0, err
	}
	return socket, unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
}

func (c *Capture) read() {
	defer unix.Close(c.socket)
	packet := make([]byte, 64<<10)
	for len(c.bytes) < maxCapture {
		n, _, err := unix.Recvfrom(c.socket, packet, 0)
		switch err {
		case nil:
			c.bytes = append(c.bytes, packet[:n]...)
		case unix.EAGAIN, unix.EINTR:
		default:
			return
		}
		select {
		case <-c.stop:
			return
		default:
		}
	}
}

// Stop ends it, and returns the packets, one after the other.
func (c *Capture) Stop() []byte {
	c.once.Do(func() { close(c.stop) })
	c.done.Wait()
	return c.bytes
}
