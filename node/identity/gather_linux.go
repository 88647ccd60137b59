package identity

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const canWriteNow = true

// brief is how many bytes are sent without telling the scheduler of it, as the runtime does in its own calls: what does not wait, and takes some microseconds, is no reason to let another goroutine
// run. Telling it wakes the runtime's monitor, which then looks in every 20 µs for a while; where that has the same core it took a tenth of the CPU at 200 messages a second to 100 links.
const brief = 16 << 10

// sendNow writes to a socket without waiting, and returns how much it took. What is wrong with it the next write says.
func sendNow(fd uintptr, b []byte) int {
	if len(b) > brief {
		n, _ := syscall.Write(int(fd), b)
		return max(n, 0)
	}
	n, _ := call(unix.SYS_SENDTO, fd, b, unix.MSG_NOSIGNAL)
	return n
}

// receiveNow reads what a socket has; EAGAIN: nothing.
func receiveNow(fd uintptr, b []byte) (int, error) { return call(unix.SYS_RECVFROM, fd, b, 0) }

// readable reports whether reading from a socket would bring something, if only an error.
func readable(fd uintptr) bool {
	var b [1]byte
	_, err := call(unix.SYS_RECVFROM, fd, b[:], unix.MSG_PEEK)
	return err != syscall.EAGAIN
}

// call sends b to a socket, or receives into it, and does not wait. b has a byte at least.
func call(what, fd uintptr, b []byte, flags uintptr) (int, error) {
	n, _, err := unix.RawSyscall6(what, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags|unix.MSG_DONTWAIT, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(n), nil
}
