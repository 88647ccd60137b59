package discovery

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Ten thousand records of peers that do not exist, their tags valid as anybody can make them in an open network: a real one that comes meanwhile is heard of in time, what is
// remembered is bounded, and no packet is sent because of them.
func TestFakeRecords(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two, three := l.host(t), l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		three.plug(t, "eth0", "br0", "10.77.0.3/24")
		a := one.run(t, 1, 0)
		attacker, seen := browse(t, three), browse(t, three)
		const fakes, apart = 10000, 200 * time.Microsecond
		done := make(chan struct{})
		begun := time.Now()
		go func() {
			defer close(done)
			for n := range uint64(fakes) {
				r := record{port: 4327, addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, byte(n >> 8), byte(n)})}}
				binary.BigEndian.PutUint64(r.session[:], n<<16|1<<60)
				r.names, r.tag = namesOf(r.session), tagOf(0)(r.session, r.port)
				if m, err := pack(r.all(ttl, flush)); err == nil {
					attacker.s.multicast(m)
				}
				for late := begun.Add(time.Duration(n) * apart); time.Now().Before(late); { // what comes faster than it is read is lost, and no attack
				}
			}
		}()
		b := two.run(t, 2, 0)
		for _, pair := range [][2]*participant{{a, b}, {b, a}} {
			within(t, "found", pair[0].took(t, pair[1]), 5*time.Second)
		}
		<-done
		took := time.Since(begun)
		a.stop()
		b.stop()
		t.Logf("%d and %d of %d fakes were heard, in %v", len(a.found), len(b.found), fakes, took.Round(time.Millisecond))
		if len(a.found) < fakes/10 {
			t.Error("that is no attack")
		}
		sent := 0
		for len(seen.heard) > 0 {
			if m := <-seen.heard; m.from == netip.MustParseAddr("10.77.0.1") {
				sent++
			}
		}
		if most := 4 + 4 + 1 + 2*int(took/time.Second+1); sent == 0 || sent > most {
			t.Errorf("in %v it multicast %d packets, not up to %d", took, sent, most)
		}
	})
}

// Whoever floods it with questions gets less than it gives: in packets and in bytes, by unicast and multicast together, also where a question is repeated in a packet.
func TestNoAmplifier(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24", "fd77::1/64")
		two.plug(t, "eth0", "br0", "10.77.0.2/24", "fd77::2/64")
		a := one.run(t, 1, 0)
		hears := browse(t, two)
		for _, c := range []struct {
			name              string
			repeat, packets   int
			legacy, preferred bool
		}{
			{"one question a packet", 1, 2000, false, false},
			{"as ordinary resolvers do", 1, 2000, true, false},
			{"200 questions a packet", 200, 50, true, true},
		} {
			for len(hears.heard) > 0 {
				<-hears.heard
			}
			m := &dns.Msg{Compress: true}
			for range c.repeat {
				q := dns.Question{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
				if c.preferred {
					q.Qclass |= flush
				}
				m.Question = append(m.Question, q)
			}
			packets, bytes, answers, got := 0, 0, 0, 0
			two.do(t, func() {
				s, err := net.ListenPacket("udp4", "10.77.0.2:0")
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for range c.packets {
					if c.legacy {
						m.Id = uint16(1 + rand.N(1<<15))
					}
					b, err := m.Pack()
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.WriteTo(b, net.UDPAddrFromAddrPort(ipv4Family.group())); err != nil {
						t.Fatal(err)
					}
					packets, bytes = packets+1, bytes+len(b)
				}
				s.SetReadDeadline(time.Now().Add(1200 * time.Millisecond)) // an announcement may be put off for so long
				for b := make([]byte, 1<<16); ; {
					n, _, err := s.ReadFrom(b)
					if errors.Is(err, os.ErrDeadlineExceeded) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					answers, got = answers+1, got+n
				}
			})
			for len(hears.heard) > 0 {
				if m := <-hears.heard; m.Response && m.from == netip.MustParseAddr("10.77.0.1") {
					m.Compress = true
					answers, got = answers+1, got+m.Len()
				}
			}
			t.Logf("%s: %d packets of %d bytes were answered by %d of %d", c.name, packets, bytes, answers, got)
			if answers == 0 || answers > packets || got > bytes {
				t.Error("that is too much, or nothing")
			}
		}
		a.stop()
	})
}
