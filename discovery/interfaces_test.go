package discovery

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	const up = net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagBroadcast
	look := func(i net.Interface) iface {
		if strings.HasSuffix(i.Name, "bare") {
			return iface{}
		}
		return iface{index: i.Index, name: i.Name, addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i.Index)})}}
	}
	for _, c := range []struct{ have, want string }{
		{"", ""},
		{"lo", ""},
		{"lo eth0", "eth0"},
		{"eth0 wlan0 br0", "eth0 wlan0 br0"},
		{"eth0 docker0 br-12ab virbr0 vnet0 veth9 vmnet1 vboxnet0 cni0 flannel.1 cali1 cilium_net weave lxcbr0 lxdbr0 incusbr0 podman0 awdl0", "eth0"},
		{"docker0 br-12ab", "docker0 br-12ab"},
		{"docker0 ethbare", "docker0"},
		{"ethdown ethdumb tun ethpulled eth1", "eth1"},
		{"ethbare", ""},
	} {
		var all []net.Interface
		for n, name := range strings.Fields(c.have) {
			i := net.Interface{Index: n + 1, Name: name, Flags: up}
			switch name {
			case "lo":
				i.Flags |= net.FlagLoopback
			case "tun":
				i.Flags |= net.FlagPointToPoint
			case "ethdown":
				i.Flags &^= net.FlagUp
			case "ethdumb":
				i.Flags &^= net.FlagMulticast
			case "ethpulled":
				i.Flags &^= net.FlagRunning
			}
			all = append(all, i)
		}
		var got []string
		for _, i := range choose(all, look) {
			got = append(got, i.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: chose %q, want %q", c.have, got, c.want)
		}
	}
}

func TestAddressesRanked(t *testing.T) {
	var given []net.Addr
	for _, a := range []string{"fe80::1", "169.254.1.1", "fd00::1", "127.0.0.1", "2001:db8::1", "192.168.0.1", "ff02::1", "10.0.0.1"} {
		given = append(given, &net.IPNet{IP: net.ParseIP(a)})
	}
	given = append(given, &net.IPNet{}, &net.TCPAddr{})
	text := func(as []netip.Addr) (s string) {
		for _, a := range as {
			s += a.String() + " "
		}
		return s
	}
	one := unicast(given, "eth0")
	if got := text(one); got != "192.168.0.1 10.0.0.1 fd00::1 2001:db8::1 169.254.1.1 fe80::1%eth0 " {
		t.Error(got)
	}
	two := []netip.Addr{netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("fe80::9%eth1")}
	if got := text(ranked([]iface{{addrs: one}, {addrs: two}})); got != "192.168.0.1 10.0.0.1 10.9.9.9 fd00::1 2001:db8::1 169.254.1.1 fe80::1%eth0 fe80::9%eth1 " {
		t.Error(got)
	}
	if ranked(nil) != nil {
		t.Error("no interface has addresses")
	}
	given = nil
	for i := range 100 {
		given = append(given, &net.IPNet{IP: net.IPv4(10, 0, 0, byte(i))})
	}
	if n := len(unicast(given, "eth0")); n != maxAddresses {
		t.Errorf("%d addresses of one interface", n)
	}
}

func TestIfaceSame(t *testing.T) {
	a := iface{1, "eth0", []netip.Addr{netip.MustParseAddr("10.0.0.1")}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	wider := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	for _, b := range []iface{{2, "eth0", a.addrs, a.nets}, {1, "eth1", a.addrs, a.nets}, {1, "eth0", nil, a.nets}, {1, "eth0", slices.Concat(a.addrs, a.addrs), a.nets}, {1, "eth0", a.addrs, wider}} {
		if a.same(b) {
			t.Errorf("%v is not %v", b, a)
		}
	}
	if !a.same(iface{1, "eth0", slices.Clone(a.addrs), slices.Clone(a.nets)}) {
		t.Error("it is not itself")
	}
}
