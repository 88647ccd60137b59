//go:build unix

package identity

import "syscall"

const canWriteNow = true

// writeNow writes to a socket that does not block, and returns how much it took. What is wrong with it the next write says.
func writeNow(fd uintptr, b []byte) int {
	n, _ := syscall.Write(int(fd), b)
	return max(n, 0)
}

// readable reports whether reading from a socket that does not block would bring something, if only an error.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	return err != syscall.EAGAIN
}
