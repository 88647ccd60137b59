package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Route is how packets leave for elsewhere.
type Route struct {
	// IPv4 and IPv6 name the interface of the default route, empty where there is none.
	IPv4 string `json:"ipv4"`
	IPv6 string `json:"ipv6"`
	// VPN: that interface leads into a tunnel.
	VPN bool `json:"vpn"`
	// Gateway is the IPv4 router of the local network, where it is known, and Answers whether it is there.
	Gateway netip.Addr `json:"gateway,omitzero"`
	Via     string     `json:"-"` // the interface it is on
	Answers bool       `json:"gateway_answers"`
}

// readRoute asks the system. A UDP socket that is connected sends nothing: the system chooses the route and the address for it. The networks are those of documentation (RFC 5737, RFC 3849).
func readRoute(ctx context.Context) (r Route) {
	r.IPv4, r.VPN = leaving("udp4", "192.0.2.1:9")
	var tunnel bool
	r.IPv6, tunnel = leaving("udp6", "[2001:db8::1]:9")
	r.VPN = r.VPN || tunnel
	r.Gateway, r.Via = gateway(routes())
	if r.Gateway.IsValid() {
		r.Answers = answers(ctx, r.Gateway) || resolved(neighbours(), r.Gateway)
	}
	return r
}

// leaving names the interface packets to address leave by.
func leaving(network, address string) (name string, tunnel bool) {
	c, err := net.Dial(network, address)
	if err != nil {
		return "", false
	}
	defer c.Close()
	local := c.LocalAddr().(*net.UDPAddr).IP
	all, err := net.Interfaces()
	if err != nil {
		return "", false
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err == nil && slices.ContainsFunc(addrs, func(a net.Addr) bool { n, ok := a.(*net.IPNet); return ok && n.IP.Equal(local) }) {
			return i.Name, i.Flags&net.FlagPointToPoint != 0 || tunnelled(i.Name)
		}
	}
	return "", false
}

// tunnelled reports whether an interface of that name is a VPN's.
func tunnelled(name string) bool {
	return slices.ContainsFunc([]string{"tun", "tap", "wg", "utun", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "proton", "mullvad", "gpd", "cscotun"},
		func(prefix string) bool { return strings.HasPrefix(strings.ToLower(name), prefix) })
}

// gateway reads /proc/net/route: the router of the default route, else none. Its numbers are in the byte order of the machine.
func gateway(text string) (a netip.Addr, via string) {
	best := uint64(1 << 63)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" || tunnelled(f[0]) {
			continue
		}
		raw, err := strconv.ParseUint(f[2], 16, 32)
		metric, err2 := strconv.ParseUint(f[6], 10, 32)
		if err != nil || err2 != nil || raw == 0 || metric >= best {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(raw))
		best, a, via = metric, netip.AddrFrom4(b), f[0]
	}
	return a, via
}

// answers reports whether the machine takes a connection or refuses it.
func answers(ctx context.Context, a netip.Addr) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(a, 80).String())
	if err == nil {
		c.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}

// resolved reads /proc/net/arp: whether the system knows the hardware address of a (flag 2, ATF_COM).
func resolved(text string, a netip.Addr) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != a.String() {
			continue
		}
		flags, err := strconv.ParseUint(strings.TrimPrefix(f[2], "0x"), 16, 32)
		if err == nil && flags&2 != 0 {
			return true
		}
	}
	return false
}
