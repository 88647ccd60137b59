package discovery

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroupsOnly makes a socket receive what comes in on the interface where it joined. Otherwise Linux gives it the multicast of every interface on which any
// process joined (ip(7), IP_MULTICAST_ALL), and a link would not know its own. A kernel without the option (IPv6: before 4.20) does just that, and peers are
// heard more than once.
func ownGroupsOnly(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		if strings.HasSuffix(network, "4") {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		} else {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		}
	})
}
