package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// foundAgain is how long it may take from when a machine is back until it and the others know: up to a rescan, then the first question.
const foundAgain = 6 * time.Second

// A laptop goes to another network, where others are, and comes back. Nobody is told its old address for long.
func TestRoam(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		l.ip(t, "link add br1 type bridge mcast_snooping 0 forward_delay 0")
		l.ip(t, "link set br1 up")
		office, laptop, cafe := l.host(t), l.host(t), l.host(t)
		office.plug(t, "eth0", "br0", "10.77.0.1/24")
		laptop.plug(t, "eth0", "br0", "10.77.0.2/24")
		cafe.plug(t, "eth0", "br1", "192.168.1.1/24")
		a, b, c := office.run(t, 1, 0), laptop.run(t, 2, 0), cafe.run(t, 3, 0)
		a.meets(t, b)
		b.meets(t, a)
		address := "10.77.0.2"
		for _, move := range []struct {
			bridge, address string
			there           *participant
		}{{"br1", "192.168.1.2", c}, {"br0", "10.77.0.3", a}} {
			l.ip(t, "link set eth0-2 master "+move.bridge)
			laptop.ip(t, "addr del "+address+"/24 dev eth0")
			laptop.ip(t, "addr add "+move.address+"/24 dev eth0")
			address = move.address
			moved := time.Now()
			want := netip.AddrPortFrom(netip.MustParseAddr(address), 4002)
			move.there.until(t, "it is found at "+address, func() bool {
				at := move.there.found[b.session].Addresses
				return len(at) > 0 && slices.Contains(at, want) && !slices.ContainsFunc(at, func(p netip.AddrPort) bool {
					return p.Addr().Is4() && p != want
				})
			})
			b.until(t, "it finds who is there", func() bool { return b.latest[move.there.session].After(moved) })
			_, found := move.there.finds(t, b)
			_, finds := b.finds(t, move.there)
			within(t, "in another network", max(found.Sub(moved), finds.Sub(moved)), foundAgain)
			b.meets(t, move.there)
			move.there.meets(t, b)
		}
	})
}

// IPv4 is lost, as where a lease ends: the others are told the address that is left.
func TestAddressIsLost(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		for i, h := range []*host{one, two} {
			h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.0.%d/24", i+1))
		}
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		a.until(t, "both addresses are known", func() bool { return len(a.found[b.session].Addresses) == 2 })
		two.ip(t, "addr del 10.77.0.2/24 dev eth0")
		begun := time.Now()
		a.until(t, "one is left", func() bool {
			at := a.found[b.session].Addresses
			return len(at) == 1 && strings.HasPrefix(at[0].String(), "[fe80:")
		})
		within(t, "one is left", time.Since(begun), foundAgain)
		a.meets(t, b)
	})
}
