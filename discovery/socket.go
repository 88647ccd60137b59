package discovery

import (
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
	// read returns what arrives, and the index of the interface it came in on, 0 where the system does not tell (Windows).
	read func(b []byte) (n, index int, from net.Addr, err error)
}

// listen opens one: shared, on port 5353 beside whoever else is there (net sets SO_REUSEADDR, and SO_REUSEPORT on BSDs, where it listens on a multicast address,
// and binds to all), and in the group; otherwise on a free port.
func listen(dev *net.Interface, f family, shared bool) (*socket, error) {
	address := ":0"
	if shared {
		address = f.group().String()
	}
	c, err := net.ListenPacket(string(f), address)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: c.(*net.UDPConn), group: f.group(), shared: shared}
	if f == ipv4Family {
		err = s.prepare4(dev)
	} else {
		err = s.prepare6(dev)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%s multicast on %s: %w", f, dev.Name, err)
	}
	// A question is answered by all at once. Where the system allows less, what is lost is asked for again.
	s.conn.SetReadBuffer(256 << 10)
	return s, nil
}

func (s *socket) prepare4(dev *net.Interface) error {
	p := ipv4.NewPacketConn(s.conn)
	s.read = func(b []byte) (int, int, net.Addr, error) {
		n, c, from, err := p.ReadFrom(b)
		if c == nil {
			return n, 0, from, err
		}
		return n, c.IfIndex, from, err
	}
	p.SetControlMessage(ipv4.FlagInterface, true) // not on Windows
	return s.prepare(dev, p, p.SetMulticastTTL)
}

func (s *socket) prepare6(dev *net.Interface) error {
	p := ipv6.NewPacketConn(s.conn)
	s.read = func(b []byte) (int, int, net.Addr, error) {
		n, c, from, err := p.ReadFrom(b)
		if c == nil {
			return n, 0, from, err
		}
		return n, c.IfIndex, from, err
	}
	p.SetControlMessage(ipv6.FlagInterface, true)
	return s.prepare(dev, p, p.SetMulticastHopLimit)
}

// A multicaster is what both families' packet connections have in common.
type multicaster interface {
	SetMulticastInterface(*net.Interface) error
	SetMulticastLoopback(bool) error
	JoinGroup(*net.Interface, net.Addr) error
}

// prepare sets the interface and the TTL of 255 (RFC 6762 §11), lets others on this machine hear, and joins the group.
func (s *socket) prepare(dev *net.Interface, m multicaster, setTTL func(int) error) error {
	if err := m.SetMulticastInterface(dev); err != nil {
		return err
	}
	if err := setTTL(255); err != nil {
		return err
	}
	if err := m.SetMulticastLoopback(true); err != nil || !s.shared {
		return err
	}
	return m.JoinGroup(dev, net.UDPAddrFromAddrPort(s.group))
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
