package discovery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A family is "udp4" or "udp6".
type family string

const (
	ipv4Family family = "udp4"
	ipv6Family family = "udp6"
)

// group is the multicast address of mDNS (RFC 6762 §3).
func (f family) group() netip.AddrPort {
	if f == ipv4Family {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), mdnsPort)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0xfb}), mdnsPort)
}

const sendTimeout = time.Second

// A socket multicasts on one interface in one family. It needs no route: the interface is set.
type socket struct {
	conn   *net.UDPConn
	group  netip.AddrPort
	shared bool
}

// listen opens one: shared, on port 5353 beside whoever else is there (net sets SO_REUSEADDR, and SO_REUSEPORT on BSDs, where it listens on a multicast address,
// and binds to all), and in the group; otherwise on a free port.
func listen(dev *net.Interface, f family, shared bool) (*socket, error) {
	address, config := ":0", net.ListenConfig{}
	if shared {
		address, config.Control = f.group().String(), ownGroupsOnly
	}
	c, err := config.ListenPacket(context.Background(), string(f), address)
	if err != nil {
		return nil, err
	}
	s := &socket{c.(*net.UDPConn), f.group(), shared}
	if err := s.prepare(dev, f); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s multicast on %s: %w", f, dev.Name, err)
	}
	return s, nil
}

// prepare sets the interface and the TTL of 255 (RFC 6762 §11), lets others on this machine hear, and joins the group.
func (s *socket) prepare(dev *net.Interface, f family) error {
	var o interface {
		SetMulticastInterface(*net.Interface) error
		SetMulticastLoopback(bool) error
		JoinGroup(*net.Interface, net.Addr) error
	}
	var ttl func(int) error
	if f == ipv4Family {
		p := ipv4.NewPacketConn(s.conn)
		o, ttl = p, p.SetMulticastTTL
	} else {
		p := ipv6.NewPacketConn(s.conn)
		o, ttl = p, p.SetMulticastHopLimit
	}
	if err := o.SetMulticastInterface(dev); err != nil {
		return err
	}
	if err := ttl(255); err != nil {
		return err
	}
	if err := o.SetMulticastLoopback(true); err != nil {
		return err
	}
	if s.shared {
		return o.JoinGroup(dev, net.UDPAddrFromAddrPort(s.group))
	}
	s.conn.SetReadBuffer(256 << 10) // a question is answered by all at once; the system's default does as well
	return nil
}

func (s *socket) port() uint16 { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (s *socket) multicast(b []byte) error { return s.send(b, s.group) }

func (s *socket) send(b []byte, to netip.AddrPort) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}
