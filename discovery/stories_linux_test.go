package discovery

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// Whoever starts first, each finds the other within a second of the second's start, and hears its goodbye.
func TestTwoMeet(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24", "fd77::1/64")
		two.plug(t, "eth0", "br0", "10.77.0.2/24", "fd77::2/64")
		a := one.run(t, 1, 0)
		b := two.run(t, 2, 0)
		for _, pair := range [][2]*participant{{a, b}, {b, a}} {
			f, at := pair[0].finds(t, pair[1])
			within(t, fmt.Sprintf("found %v", f), at.Sub(b.begun), time.Second)
		}
		a.until(t, "all addresses of b are known", func() bool {
			has := a.found[b.session].Addresses
			return slices.Contains(has, addrPort("10.77.0.2:4002")) && slices.Contains(has, addrPort("[fd77::2]:4002")) &&
				slices.ContainsFunc(has, func(p netip.AddrPort) bool { return p.Addr().Zone() == "eth0" && p.Addr().IsLinkLocalUnicast() })
		})
		if got := a.own(); len(got) != 3 || got[0] != netip.MustParseAddr("10.77.0.1") || got[1] != netip.MustParseAddr("fd77::1") || got[2].Zone() != "eth0" {
			t.Errorf("its own addresses are %v", got)
		}
		b.SetRole("hub")
		a.until(t, "the role is known", func() bool { return a.found[b.session].Role == "hub" })
		a.stop()
		b.until(t, "the goodbye is heard", func() bool { return b.gone[a.session] })
		c := one.run(t, 3, 0)
		_, at := b.finds(t, c)
		t.Logf("the next was found after %v", at.Sub(c.begun).Round(time.Millisecond))
	})
}

// Two instances on one machine, and a stranger's responder that holds port 5353 there too.
func TestTwoOnOneMachine(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		h := l.host(t)
		h.plug(t, "eth0", "br0", "10.77.0.1/24")
		browse(t, h)
		a, b := h.run(t, 1, 0), h.run(t, 2, 0)
		a.finds(t, b)
		b.finds(t, a)
		b.stop()
		a.until(t, "the goodbye is heard", func() bool { return a.gone[b.session] })
	})
}

func TestIPv6Only(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0")
		two.plug(t, "eth0", "br0")
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		b.finds(t, a)
		f, at := a.finds(t, b)
		t.Logf("found after %v", at.Sub(b.begun).Round(time.Millisecond))
		if len(f.Addresses) != 1 || f.Addresses[0].Addr().Zone() != "eth0" || !f.Addresses[0].Addr().Is6() {
			t.Errorf("addresses %v", f.Addresses)
		}
	})
}

// On a machine in two networks each link shows its own addresses, and IPv6 ones have the zone of the link they were heard on.
func TestTwoLinks(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		l.ip(t, "link add br1 type bridge mcast_snooping 0 forward_delay 0")
		l.ip(t, "link set br1 up")
		middle, left, right := l.host(t), l.host(t), l.host(t)
		left.plug(t, "eth0", "br0", "10.77.0.1/24")
		right.plug(t, "eth0", "br1", "10.88.0.1/24")
		middle.plug(t, "left", "br0", "10.77.0.9/24")
		middle.plug(t, "right", "br1", "10.88.0.9/24")
		a, b, m := left.run(t, 1, 0), right.run(t, 2, 0), middle.run(t, 3, 0)
		seen := browse(t, left)
		a.finds(t, m)
		b.finds(t, m)
		for peer, zone := range map[*participant]string{a: "left", b: "right"} {
			m.until(t, "the link-local address is known", func() bool {
				return slices.ContainsFunc(m.found[peer.session].Addresses, func(p netip.AddrPort) bool { return p.Addr().Zone() == zone })
			})
		}
		m.mu.Lock()
		for peer, zone := range map[*participant]string{a: "left", b: "right"} {
			for _, p := range m.found[peer.session].Addresses {
				if z := p.Addr().Zone(); z != "" && z != zone {
					t.Errorf("%v is not on %s", p, zone)
				}
			}
		}
		m.mu.Unlock()
		for range 2 {
			if announced := seen.next(t, m); slices.Contains(announced, netip.MustParseAddr("10.88.0.9")) {
				t.Errorf("on the left it announces %v", announced)
			}
		}
	})
}

// An interface that comes back, a new one with another address, is used; the old address is not announced any more.
func TestInterfaceComesBack(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		a.finds(t, b)
		b.finds(t, a)
		two.ip(t, "link del eth0")
		b.until(t, "it has no network", func() bool { return b.moved[len(b.moved)-1] == nil })
		seen := browse(t, one)
		two.plug(t, "eth0", "br0", "10.77.0.3/24")
		back := time.Now()
		b.until(t, "it has another address", func() bool { return slices.Contains(b.moved[len(b.moved)-1], netip.MustParseAddr("10.77.0.3")) })
		a.until(t, "it is found there", func() bool { return slices.Contains(a.found[b.session].Addresses, addrPort("10.77.0.3:4002")) })
		b.until(t, "it finds the other again", func() bool { return b.latest[a.session].After(back) })
		_, at := a.finds(t, b)
		within(t, "found again", at.Sub(back), foundAgain)
		for range 3 {
			if announced := seen.next(t, b); slices.Contains(announced, netip.MustParseAddr("10.77.0.2")) {
				t.Errorf("it still announces %v", announced)
			}
		}
	})
}

// An address that is added and one that is taken away are seen without the link going down.
func TestAddressChanges(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		a.finds(t, b)
		two.ip(t, "addr del 10.77.0.2/24 dev eth0")
		two.ip(t, "addr add 10.77.0.3/24 dev eth0")
		b.until(t, "it sees the change", func() bool {
			now := b.moved[len(b.moved)-1]
			return slices.Contains(now, netip.MustParseAddr("10.77.0.3")) && !slices.Contains(now, netip.MustParseAddr("10.77.0.2"))
		})
		a.until(t, "the new address is known", func() bool { return slices.Contains(a.found[b.session].Addresses, addrPort("10.77.0.3:4002")) })
		seen := browse(t, one)
		b.SetRole("hub")
		if got := seen.next(t, b); slices.Contains(got, netip.MustParseAddr("10.77.0.2")) || !slices.Contains(got, netip.MustParseAddr("10.77.0.3")) {
			t.Errorf("it announces %v", got)
		}
	})
}

// Without a network it waits, and says that there is none; loopback is none.
func TestNoNetwork(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.ip(t, "link set lo multicast on")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		a, b := one.run(t, 1, 0), two.run(t, 2, 0)
		if own := a.own(); own != nil {
			t.Errorf("it would use %v", own)
		}
		a.Kick()
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		a.finds(t, b)
		b.finds(t, a)
	})
}

// What a tool would send that knows nothing of us: an ordinary resolver, and a browser on port 5353.
func TestForeignQuestions(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		seen := browse(t, two)
		a := one.run(t, 1, 0)
		for range 4 { // of the start: after them it says nothing that nobody asked for
			seen.next(t, a)
		}
		asked := time.Now()
		seen.ask(t)
		if got := seen.next(t, a); !slices.Contains(got, netip.MustParseAddr("10.77.0.1")) {
			t.Errorf("it announces %v", got)
		}
		t.Logf("a browser was answered by multicast after %v", time.Since(asked).Round(time.Millisecond))
		two.do(t, func() {
			ask := new(dns.Msg).SetQuestion("_EARSHOT._tcp.local.", dns.TypePTR)
			resolve(t, "10.77.0.2", ask, func(m *dns.Msg, from netip.AddrPort) (done bool) {
				if m.Id != ask.Id {
					return false // the library's answer
				}
				found := parse(m, from, "eth0")
				if len(found) != 1 || found[0].session != a.session || from.Addr() != netip.MustParseAddr("10.77.0.1") {
					t.Errorf("from %v: %v", from, m)
				}
				if len(m.Question) != 1 || m.Question[0] != ask.Question[0] {
					t.Errorf("the question is not repeated: %v", m)
				}
				for _, rr := range m.Answer {
					if h := rr.Header(); h.Class&flush != 0 || h.Ttl > 10 {
						t.Errorf("%v", rr)
					}
				}
				return true
			})
		})
	})
}

// Fakes: a question repeated 200 times is answered once, or a few times, what fails its tag is not reported, and what is incomplete makes nobody ask.
func TestHostileNeighbour(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two, three := l.host(t), l.host(t), l.host(t)
		for n, h := range []*host{one, two, three} {
			h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.0.%d/24", n+1))
		}
		seen := browse(t, two)
		a, stranger := one.run(t, 1, 0), two.run(t, 2, 99)
		half := record{names: namesOf([8]byte{7: 3}), session: [8]byte{7: 3}, port: 4003, tag: tagOf(0)([8]byte{7: 3}, 4003)}
		fake := record{names: namesOf([8]byte{7: 4}), session: [8]byte{7: 4}, port: 4004, tag: tagOf(1)([8]byte{7: 4}, 4004)}
		for range 100 {
			seen.say(t, half.all(ttl, 0)[:1])
			seen.say(t, half.all(ttl, 0)[:2])
			seen.say(t, fake.all(ttl, 0))
		}
		friend := three.run(t, 5, 0)
		a.finds(t, friend)
		friend.finds(t, a)
		questions, scheduled := 0, 2
		for ; len(seen.heard) > 0; scheduled = 3 + int(time.Since(a.begun)/time.Second) {
			if m := <-seen.heard; !m.Response && m.from == netip.MustParseAddr("10.77.0.1") {
				questions++
			}
		}
		if questions == 0 || questions > scheduled {
			t.Errorf("it asked %d times, not up to %d", questions, scheduled)
		}
		two.do(t, func() {
			m, answered := &dns.Msg{Compress: true}, map[netip.Addr]bool{}
			for range 200 {
				m.Question = append(m.Question, dns.Question{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET | flush})
			}
			resolve(t, "10.77.0.2", m, func(m *dns.Msg, from netip.AddrPort) (done bool) {
				const most = 5 // a busy machine takes more than a millisecond for all the questions, and then answers another of them
				n := 0
				for _, rr := range m.Answer {
					if rr.Header().Rrtype == dns.TypePTR {
						n++
					}
				}
				if n == 0 || n > most {
					t.Errorf("%v answered %d times", from, n)
				}
				answered[from.Addr()] = true
				return len(answered) == 3
			})
		})
		for _, p := range []*participant{a, friend, stranger} {
			p.stop()
		}
		if len(a.found)+len(a.gone) != 1 || len(friend.found)+len(friend.gone) != 1 || len(stranger.found) > 0 {
			t.Errorf("found %v, %v and %v", a.found, friend.found, stranger.found)
		}
	})
}

// Nothing is left when Run has returned.
func TestNothingIsLeft(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		h := l.host(t)
		h.plug(t, "eth0", "br0", "10.77.0.1/24")
		before := runtime.NumGoroutine()
		for n := range byte(5) {
			h.run(t, n, 0).stop()
		}
		for late := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(late) {
				b := make([]byte, 1<<16)
				t.Fatalf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
			}
		}
		h.do(t, func() {
			c, err := net.ListenPacket("udp", ":5353") // not shared: nobody has it
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	})
}

// A browser listens and asks on port 5353 of a host, as avahi does.
type browser struct {
	s     *socket
	heard chan overheard
}

type overheard struct {
	*dns.Msg
	from      netip.Addr
	multicast bool // it was sent to the group, not to this browser
}

func browse(t *testing.T, h *host) *browser {
	t.Helper()
	b := &browser{heard: make(chan overheard, 10000)}
	h.do(t, func() {
		i, err := net.InterfaceByName("eth0")
		if err == nil {
			b.s, err = listen(i, ipv4Family, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	c := ipv4.NewPacketConn(b.s.conn)
	if err := c.SetControlMessage(ipv4.FlagDst, true); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, maxPacket)
		for {
			n, cm, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if m := new(dns.Msg); m.Unpack(buf[:n]) == nil {
				b.heard <- overheard{m, from.(*net.UDPAddr).AddrPort().Addr().Unmap(), cm.Dst.IsMulticast()}
			}
		}
	}()
	t.Cleanup(func() { b.s.conn.Close() })
	return b
}

func (b *browser) ask(t *testing.T) { b.tell(t, question()) }

func (b *browser) say(t *testing.T, answers []dns.RR) {
	t.Helper()
	m, err := pack(answers)
	if err != nil {
		t.Fatal(err)
	}
	b.tell(t, m)
}

func (b *browser) tell(t *testing.T, m []byte) {
	t.Helper()
	if err := b.s.multicast(m); err != nil {
		t.Fatal(err)
	}
}

// next waits for an announcement of p, and returns the addresses in it.
func (b *browser) next(t *testing.T, p *participant) (addrs []netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	host := hex.EncodeToString(p.session[:]) + ".local."
	for len(addrs) == 0 {
		select {
		case m := <-b.heard:
			if m.multicast {
				addrs = addressesIn(m.Answer)[strings.ToLower(host)]
			}
		case <-ctx.Done():
			t.Fatalf("no announcement of %x", p.session)
		}
	}
	return addrs
}

// resolve asks from a port of its own, as ordinary resolvers do, until got has what it wants. It asks again each second, as they do too: answers are bounded.
func resolve(t *testing.T, address string, question *dns.Msg, got func(m *dns.Msg, from netip.AddrPort) (done bool)) {
	t.Helper()
	c, err := net.ListenPacket("udp4", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	for late := time.Now().Add(patience); time.Now().Before(late); {
		if _, err := c.WriteTo(packed, net.UDPAddrFromAddrPort(ipv4Family.group())); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, from, err := c.ReadFrom(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			m := new(dns.Msg)
			if err := m.Unpack(b[:n]); err != nil {
				t.Fatal(err)
			}
			if got(m, from.(*net.UDPAddr).AddrPort()) {
				return
			}
		}
	}
	t.Fatalf("no answer in %v", patience)
}
