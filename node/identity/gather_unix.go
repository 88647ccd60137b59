//go:build unix && !linux

package identity

import "syscall"

const canWriteNow = true

// What these do is said in gather_linux.go; here the socket itself is one that does not block.

func sendNow(fd uintptr, b []byte) int {
	n, _ := syscall.Write(int(fd), b)
	return max(n, 0)
}

func receiveNow(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	return err != syscall.EAGAIN
}
