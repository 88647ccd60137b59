package port

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quick receives and sends packets without telling the scheduler of it, as package identity does on links: told of a system call while all is at rest, the runtime's monitor wakes up and looks in every 20 µs,
// fifty times, which took a fifth of what an idle hub costs. It needs a socket of IPv6, through which IPv4 goes, too.
type quick struct {
	raw   syscall.RawConn
	index uint32 // of an interface,
	name  string // and what it is called
}

// A sockaddr is a struct sockaddr_in6 (ipv6(7)).
type sockaddr [unix.SizeofSockaddrInet6]byte

// quickly returns nil where c is no such socket of the system's.
func quickly(c net.PacketConn) *quick {
	u, ok := c.(*net.UDPConn)
	if !ok || addrPort(u.LocalAddr()).Addr().Is4() {
		return nil
	}
	raw, _ := u.SyscallConn() // which fails for no socket
	return &quick{raw: raw}
}

// receive waits for a packet. One goroutine calls it.
func (q *quick) receive(b []byte) (n int, from netip.AddrPort, err error) {
	var a sockaddr
	size, failed := uint32(len(a)), syscall.Errno(0)
	err = q.raw.Read(func(fd uintptr) bool {
		var got uintptr
		got, _, failed = unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&size)))
		n = int(got)
		return failed != unix.EAGAIN
	})
	if err == nil && failed != 0 {
		err = failed
	}
	if err != nil {
		return 0, from, err
	}
	return n, q.parse(&a), nil
}

// parse names the interface of an address that has one as package net does.
func (q *quick) parse(a *sockaddr) netip.AddrPort {
	ip := netip.AddrFrom16([16]byte(a[8:24])).Unmap()
	if index := binary.NativeEndian.Uint32(a[24:]); index != 0 {
		if index != q.index {
			q.index, q.name = 0, ""
			if dev, err := net.InterfaceByIndex(int(index)); err == nil {
				q.index, q.name = index, dev.Name
			}
		}
		ip = ip.WithZone(q.name)
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(a[2:]))
}

// send reports whether a packet was taken at once. What was wrong otherwise, and what is on the link of one interface, is for package net.
func (q *quick) send(b []byte, to netip.AddrPort) (sent bool) {
	a := sockaddr{}
	binary.NativeEndian.PutUint16(a[:], unix.AF_INET6)
	binary.BigEndian.PutUint16(a[2:], to.Port())
	*(*[16]byte)(a[8:]) = to.Addr().As16()
	if len(b) > 0 && to.Addr().IsValid() && to.Addr().Zone() == "" {
		q.raw.Control(func(fd uintptr) {
			_, _, err := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&a)), uintptr(len(a)))
			sent = err == 0
		})
	}
	return sent
}
