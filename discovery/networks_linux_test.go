package discovery

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Networks that have not all that is usual: each of two finds the other at an address that it can dial.
func TestBareNetworks(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		for n, c := range []struct {
			name  string
			addrs string
			no6   bool
			want  string // what the first address looks like
		}{
			{"IPv4 only", "10.77.0.%d/24", true, "10.77.0."},
			{"IPv4 link-local only", "169.254.3.%d/16", true, "169.254.3."},
			{"IPv6 link-local only", "", false, "[fe80:"},
			{"IPv6 only", "fd77::%d/64", false, "["},
			{"both link-local", "169.254.3.%d/16", false, ""},
		} {
			bridge := fmt.Sprintf("bare%d", n)
			l.ip(t, "link add "+bridge+" type bridge mcast_snooping 0 forward_delay 0")
			l.ip(t, "link set "+bridge+" up")
			var two []*participant
			for i := range 2 {
				h := l.host(t)
				if c.no6 {
					h.sysctl(t, "ipv6/conf/default/disable_ipv6", "1")
				}
				var addrs []string
				if c.addrs != "" {
					addrs = []string{fmt.Sprintf(c.addrs, i+1)}
				}
				h.plug(t, "eth0", bridge, addrs...)
				two = append(two, h.run(t, byte(i+1), 0))
			}
			for i, p := range two {
				within(t, c.name+": found", p.meets(t, two[1-i]), time.Second)
				f, _ := p.finds(t, two[1-i])
				if !strings.HasPrefix(f.Addresses[0].String(), c.want) {
					t.Errorf("%s: found at %v", c.name, f.Addresses)
				}
				if c.no6 && slices.ContainsFunc(f.Addresses, func(a netip.AddrPort) bool { return a.Addr().Is6() }) {
					t.Errorf("%s: found at %v", c.name, f.Addresses)
				}
				t.Logf("%s: at %v", c.name, f.Addresses)
			}
			for _, p := range two {
				p.stop()
			}
		}
	})
}

// Beside the LAN: a VPN that takes the default route, and the bridges of containers and virtual machines. None of their addresses is told, nothing is sent there.
func TestBesideTheLAN(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		for i, h := range []*host{one, two} {
			h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.0.%d/24", i+1))
			h.tunnel(t, "tun0")
			h.ip(t, fmt.Sprintf("addr add 10.8.0.%d/32 dev tun0", i+1))
			h.ip(t, "link set tun0 up")
			h.ip(t, "route add default dev tun0")
			for name, addr := range map[string]string{"docker0": "172.17.0.1/16", "virbr0": "192.168.122.1/24"} {
				h.ip(t, "link add "+name+" type bridge")
				h.ip(t, "addr add "+addr+" dev "+name)
				h.ip(t, "link set "+name+" up")
				h.ip(t, "link add veth1"+name+" type veth peer name veth0"+name)
				h.ip(t, "link set veth1"+name+" up")
				h.ip(t, "link set veth0"+name+" master "+name+" up")
			}
		}
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		for _, pair := range [][2]*participant{{a, b}, {b, a}} {
			within(t, "found", pair[0].meets(t, pair[1]), time.Second)
			f, _ := pair[0].finds(t, pair[1])
			for _, p := range f.Addresses {
				if p.Addr().Is4() && !strings.HasPrefix(p.String(), "10.77.0.") {
					t.Errorf("found at %v", f.Addresses)
				}
			}
		}
		if own := a.own(); own[0] != netip.MustParseAddr("10.77.0.1") || len(own) != 2 {
			t.Errorf("its own addresses are %v", own)
		}
	})
}

// tunnel makes a point-to-point interface that has a carrier, as a VPN does.
func (h *host) tunnel(t *testing.T, name string) {
	t.Helper()
	h.do(t, func() {
		f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			without(t, err.Error())
		}
		t.Cleanup(func() { f.Close() })
		r, err := unix.NewIfreq(name)
		if err == nil {
			r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// In the middle of two networks, each side is told the address that it can reach, and the middle finds one on each. Neither is told of the other side.
func TestTwoCards(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		l.ip(t, "link add br1 type bridge mcast_snooping 0 forward_delay 0")
		l.ip(t, "link set br1 up")
		middle, left, right := l.host(t), l.host(t), l.host(t)
		middle.plug(t, "eth0", "br0", "10.77.0.9/24")
		middle.plug(t, "eth1", "br1", "10.88.0.9/24")
		left.plug(t, "eth0", "br0", "10.77.0.1/24")
		right.plug(t, "eth0", "br1", "10.88.0.1/24")
		m, a, b := middle.run(t, 3, 0), left.run(t, 1, 0), right.run(t, 2, 0)
		for _, pair := range [][2]*participant{{a, m}, {b, m}, {m, a}, {m, b}} {
			within(t, "found", pair[0].meets(t, pair[1]), time.Second)
		}
		for _, pair := range [][2]*participant{{a, b}, {b, a}} {
			pair[0].mu.Lock()
			if f, ok := pair[0].found[pair[1].session]; ok {
				t.Errorf("across the middle %v was found", f)
			}
			pair[0].mu.Unlock()
		}
	})
}
