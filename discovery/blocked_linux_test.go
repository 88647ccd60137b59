package discovery

import (
	"fmt"
	"testing"
	"time"
)

// onlyOurs is a stateful firewall that admits multicast DNS and earshot's port, as the rules that the README names do.
const onlyOurs = `
	-P INPUT DROP
	-A INPUT -i lo -j ACCEPT
	-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
	-6 -A INPUT -p ipv6-icmp -j ACCEPT
	-4 -A INPUT -d 224.0.0.251 -p udp --dport 5353 -j ACCEPT
	-6 -A INPUT -d ff02::fb -p udp --dport 5353 -j ACCEPT
	-A INPUT -p tcp --dport 4327 -j ACCEPT
	-A INPUT -p udp --dport 4327 -j ACCEPT
`

// Behind a firewall, on one side or both, nothing that comes by unicast counts but what the port gets.
func TestFirewall(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		for n, walled := range []int{1, 2} {
			one, two := l.host(t), l.host(t)
			for i, h := range []*host{one, two} {
				h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.%d.%d/16", n, i+1))
				if i >= 2-walled {
					h.firewall(t, onlyOurs)
				}
			}
			a, b := one.runAt(t, 4327, byte(10*n+1), byte(n)), two.runAt(t, 4327, byte(10*n+2), byte(n))
			for _, pair := range [][2]*participant{{a, b}, {b, a}} {
				within(t, fmt.Sprintf("%d walled: found", walled), pair[0].meets(t, pair[1]), 3*time.Second)
			}
			a.stop()
			b.until(t, "the goodbye is heard", func() bool { return b.gone[a.session] })
			b.stop()
		}
	})
}

// Where multicast DNS does not get through the beacon does, whichever way is left: IPv4 broadcast, or the multicast of IPv6 that every host listens to. Another network's
// is not understood, and who has found somebody is silent.
func TestBeacon(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		var pairs [][2]*participant
		for n, c := range []struct {
			name, addr, rules string
		}{
			{"port 5353 blocked, IPv4 and IPv6", "10.77.0.%d/24", "-A INPUT -p udp --dport 5353 -j DROP\n-A INPUT -p udp --sport 5353 -j DROP"},
			{"all multicast dropped", "10.77.0.%d/24", "-A INPUT -m pkttype --pkt-type multicast -j DROP\n-A OUTPUT -p udp --dport 5353 -j DROP"},
			{"port 5353 blocked, IPv6 only", "fd77::%d/64", "-A INPUT -p udp --dport 5353 -j DROP\n-A INPUT -p udp --sport 5353 -j DROP"},
			{"answers do not get in but to the port", "10.77.0.%d/24", onlyOurs + "-A OUTPUT -p udp --dport 5353 -j DROP"},
		} {
			bridge := fmt.Sprintf("silent%d", n)
			l.ip(t, "link add "+bridge+" type bridge mcast_snooping 0 forward_delay 0")
			l.ip(t, "link set "+bridge+" up")
			var pair [2]*participant
			for i := range 3 {
				h := l.host(t)
				h.plug(t, "eth0", bridge, fmt.Sprintf(c.addr, i+1))
				h.firewall(t, c.rules)
				if i < 2 {
					pair[i] = h.runAt(t, 4327, byte(10*n+i+1), 0)
				} else {
					stranger := h.runAt(t, 4327, byte(10*n+i+1), 99)
					t.Cleanup(func() {
						stranger.stop()
						if len(stranger.found) > 0 {
							t.Errorf("%s: a stranger found %v", c.name, stranger.found)
						}
					})
				}
			}
			pairs = append(pairs, pair)
		}
		for n, pair := range pairs {
			for i, p := range pair {
				took := p.meets(t, pair[1-i])
				t.Logf("%d: %v", n, took)
				if q := pair[1-i]; p.begun.After(q.begun) { // the first beacon is that of who began first
					took += p.begun.Sub(q.begun)
				} else {
					took += q.begun.Sub(p.begun)
				}
				if took < callAfter-time.Second {
					t.Errorf("network %d: found after %v, before there was any beacon", n, took)
				}
			}
		}
		for _, pair := range pairs {
			for _, p := range pair {
				p.stop()
				if p.sent > 2*4+2 {
					t.Errorf("it sent %d beacons", p.sent)
				}
				if len(p.found) != 1 {
					t.Errorf("found %v", p.found)
				}
			}
		}
	})
}

// With a fifth of all packets lost on the way to every host, all pairs of ten find each other in ten seconds.
func TestLoss(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		var all []*participant
		var hosts []*host
		for i := range 10 {
			h := l.host(t)
			h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.0.%d/24", i+1))
			h.firewall(t, "-A INPUT -m statistic --mode random --probability 0.2 -j DROP")
			hosts = append(hosts, h)
		}
		for i, h := range hosts {
			all = append(all, h.run(t, byte(i+1), 0))
		}
		var longest time.Duration
		for _, p := range all {
			for _, q := range all {
				if p != q {
					longest = max(longest, p.took(t, q))
				}
			}
		}
		within(t, "all found all", longest, 10*time.Second)
	})
}
