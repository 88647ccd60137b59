package discovery

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// An iface is a network interface worth using, as it was when looked at.
type iface struct {
	index int
	name  string
	addrs []netip.Addr   // best first
	nets  []netip.Prefix // of the addrs that are not link-local IPv6
}

func (i iface) same(o iface) bool {
	return i.index == o.index && i.name == o.name && slices.Equal(i.addrs, o.addrs) && slices.Equal(i.nets, o.nets)
}

func (i iface) has4() bool { return slices.ContainsFunc(i.addrs, netip.Addr.Is4) }
func (i iface) has6() bool { return slices.ContainsFunc(i.addrs, netip.Addr.Is6) }

// reaches reports whether a is on the link.
func (i iface) reaches(a netip.Addr) bool {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return a.Zone() == i.name
	}
	return slices.ContainsFunc(i.nets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// everybody returns where a packet goes that all hosts of the link should get: the broadcast addresses of its IPv4 networks, and all nodes of IPv6 (RFC 4291 §2.7.1),
// which is a multicast that even switches that hold back multicast let through (RFC 4541 §3).
func (i iface) everybody() (to []netip.Addr) {
	for _, p := range i.nets {
		if a, ok := broadcast(p); ok && !slices.Contains(to, a) {
			to = append(to, a)
		}
	}
	if i.has6() {
		to = append(to, netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 1}).WithZone(i.name))
	}
	return to
}

// broadcast returns the last address of an IPv4 network, which is nobody's but in the smallest (RFC 3021).
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	a := p.Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])|(1<<(32-p.Bits())-1))
	return netip.AddrFrom4(a), true
}

// interfaces looks at those of this machine.
func interfaces() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	return choose(all, func(i net.Interface) iface {
		addrs, err := i.Addrs()
		if err != nil {
			return iface{} // it has just gone
		}
		return iface{i.Index, i.Name, unicast(addrs, i.Name), networks(addrs)}
	}), nil
}

// choose returns those that have a carrier and an address, do multicast, and are neither loopback nor point-to-point. Those of containers and virtual machines
// count only where there is no other: peers cannot reach them, and a machine may have hundreds.
func choose(all []net.Interface, look func(net.Interface) iface) []iface {
	const need, avoid = net.FlagUp | net.FlagRunning | net.FlagMulticast, net.FlagLoopback | net.FlagPointToPoint
	for _, inner := range []bool{false, true} {
		var use []iface
		for _, i := range all {
			if i.Flags&(need|avoid) != need || virtual(i.Name) != inner {
				continue
			}
			if seen := look(i); len(seen.addrs) > 0 {
				use = append(use, seen)
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
		"docker", "br-", "virbr", "vnet", "veth", "vmnet", "vboxnet", "cni", "flannel", "cali", "cilium", "weave", "lxc", "lxdbr", "incusbr", "podman", "vEthernet (Default Switch)", "vEthernet (WSL", "bridge10", "awdl", "llw",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// unicast returns the addresses that a peer on the link could reach, best first, at most maxAddresses.
func unicast(addrs []net.Addr, name string) (as []netip.Addr) {
	for _, p := range prefixes(addrs) {
		a := p.Addr()
		if !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast() {
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

// networks returns what is on the link, at most maxAddresses.
func networks(addrs []net.Addr) (ps []netip.Prefix) {
	for _, p := range prefixes(addrs) {
		if a := p.Addr(); p.IsValid() && (a.IsGlobalUnicast() || a.Is4() && a.IsLinkLocalUnicast()) {
			ps = append(ps, p.Masked())
		}
	}
	return ps[:min(len(ps), maxAddresses)]
}

// prefixes returns the addresses of an interface, each with its network where that is one: otherwise it is not valid.
func prefixes(addrs []net.Addr) (ps []netip.Prefix) {
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok {
			bits, of := n.Mask.Size()
			if ip = ip.Unmap(); of != ip.BitLen() {
				bits = -1
			}
			ps = append(ps, netip.PrefixFrom(ip, bits))
		}
	}
	return ps
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
