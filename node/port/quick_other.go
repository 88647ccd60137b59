//go:build !linux

package port

import (
	"net"
	"net/netip"
)

// quick is described in quick_linux.go; here there is none.
type quick struct{}

func quickly(net.PacketConn) *quick { return nil }

func (*quick) receive([]byte) (n int, from netip.AddrPort, err error) { return }
func (*quick) send([]byte, netip.AddrPort) bool                       { return false }
