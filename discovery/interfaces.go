package discovery

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// An iface is a network interface worth using, as it was when looked at.
type iface struct {
	index int
	name  string
	addrs []netip.Addr // best first
}

func (i iface) same(o iface) bool {
	return i.index == o.index && i.name == o.name && slices.Equal(i.addrs, o.addrs)
}

func (i iface) has4() bool { return slices.ContainsFunc(i.addrs, netip.Addr.Is4) }
func (i iface) has6() bool { return slices.ContainsFunc(i.addrs, netip.Addr.Is6) }

// interfaces looks at those of this machine.
func interfaces() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	return choose(all, func(i net.Interface) []netip.Addr {
		addrs, err := i.Addrs()
		if err != nil {
			return nil // it has just gone
		}
		return unicast(addrs, i.Name)
	}), nil
}

// choose returns those that have a carrier and an address, do multicast, and are neither loopback nor point-to-point. Those of containers and virtual machines
// count only where there is no other: peers cannot reach them, and a machine may have hundreds.
func choose(all []net.Interface, addresses func(net.Interface) []netip.Addr) []iface {
	const need, avoid = net.FlagUp | net.FlagRunning | net.FlagMulticast, net.FlagLoopback | net.FlagPointToPoint
	for _, inner := range []bool{false, true} {
		var use []iface
		for _, i := range all {
			if i.Flags&(need|avoid) != need || virtual(i.Name) != inner {
				continue
			}
			if addrs := addresses(i); len(addrs) > 0 {
				use = append(use, iface{i.Index, i.Name, addrs})
			}
		}
		if len(use) > 0 {
			return use
		}
	}
	return nil
}

// virtual reports whether an interface of that name leads into the machine: to containers or virtual machines, or between Apple devices only (awdl, llw). A plain
// br0 is a LAN's bridge as often as not.
func virtual(name string) bool {
	return slices.ContainsFunc([]string{
		"docker", "br-", "virbr", "veth", "vmnet", "vboxnet", "cni", "flannel", "cali", "lxc", "lxdbr", "podman", "vEthernet (Default Switch)", "vEthernet (WSL", "bridge10", "awdl", "llw",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// unicast returns the addresses that a peer on the link could reach, best first, at most maxAddresses.
func unicast(addrs []net.Addr, name string) (as []netip.Addr) {
	for _, n := range addrs {
		n, ok := n.(*net.IPNet)
		if !ok {
			continue
		}
		a, ok := netip.AddrFromSlice(n.IP)
		a = a.Unmap()
		if !ok || !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast() {
			continue
		}
		if a.Is6() && a.IsLinkLocalUnicast() {
			a = a.WithZone(name)
		}
		as = append(as, a)
	}
	sortByUse(as)
	return as[:min(len(as), maxAddresses)]
}

// ranked returns all addresses of all interfaces, best first; nil where there is none.
func ranked(ifaces []iface) (as []netip.Addr) {
	for _, i := range ifaces {
		as = append(as, i.addrs...)
	}
	sortByUse(as)
	return as
}

// sortByUse sorts by how far an address reaches: global IPv4, global or unique local IPv6, link-local IPv4, link-local IPv6. Otherwise the order stays.
func sortByUse(as []netip.Addr) {
	class := func(a netip.Addr) int {
		switch {
		case a.Is4() && !a.IsLinkLocalUnicast():
			return 0
		case !a.IsLinkLocalUnicast():
			return 1
		case a.Is4():
			return 2
		}
		return 3
	}
	slices.SortStableFunc(as, func(a, b netip.Addr) int { return cmp.Compare(class(a), class(b)) })
}
