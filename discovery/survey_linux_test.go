package discovery

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// survey looks around on a host for some time; where that was not enough to see what there is, as on a machine that is busy with other things, it looks again, for longer. What it saw last is right or is not.
func (h *host) survey(t *testing.T, network byte, length time.Duration, enough func(*Survey, map[[8]byte]Peer) bool) (s *Survey, found map[[8]byte]Peer) {
	t.Helper()
	for ; length < patience; length *= 2 {
		found = map[[8]byte]Peer{}
		h.do(t, func() {
			ctx, cancel := context.WithTimeout(t.Context(), length)
			defer cancel()
			var err error
			if s, err = Look(ctx, SurveyConfig{Tag: tagOf(network), Found: func(p Peer) { found[p.Session] = p }}); err != nil {
				t.Fatal(err)
			}
		})
		if enough(s, found) {
			break
		}
		t.Logf("in %v: found %v, %+v", length, found, s)
	}
	return s, found
}

// returned reports whether all of several questions came back.
func (f *Traffic) returned() bool { return f != nil && f.Sent >= 2 && f.Back == f.Sent && f.Err == nil }

func (s *Survey) named(t *testing.T, name string) Interface {
	t.Helper()
	i := slices.IndexFunc(s.Interfaces, func(i Interface) bool { return i.Name == name })
	if i < 0 {
		t.Fatalf("no %s among %+v", name, s.Interfaces)
	}
	return s.Interfaces[i]
}

// A survey tells what is heard on each interface, and nobody hears of it.
func TestLook(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		h, a, b, c := l.host(t), l.host(t), l.host(t), l.host(t)
		h.plug(t, "eth0", "br0", "10.0.0.1/24")
		for i, o := range []*host{a, b, c} {
			o.plug(t, "eth0", "br0", "10.0.0.1"+string('0'+byte(i))+"/24")
		}
		h.ip(t, "link add docker0 type veth peer name veth0")
		h.ip(t, "link add eth1 type veth peer name eth2")
		h.ip(t, "link add eth3 type veth peer name eth4")
		h.ip(t, "addr add 172.17.0.1/16 dev docker0")
		for _, up := range []string{"docker0", "veth0", "eth2", "eth3", "eth4"} {
			h.ip(t, "link set "+up+" up")
		}
		h.ip(t, "link set eth4 multicast off")
		h.do(t, func() {
			for _, up := range []string{"docker0", "eth3", "eth4"} {
				awaitCarrier(t, up)
			}
		})
		h.ip(t, "addr flush dev eth3") // of the link-local address that came by itself
		one, two := a.run(t, 1, 1), b.run(t, 2, 1)
		c.run(t, 3, 2)
		s, found := h.survey(t, 1, 750*time.Millisecond, func(s *Survey, found map[[8]byte]Peer) bool {
			e := s.named(t, "eth0")
			return len(found) == 2 && s.Strangers == 1 && s.Machines == 3 && e.IPv4.returned() && e.IPv6.returned()
		})
		if len(found) != 2 || found[one.session].Addresses[0].Port() != 4001 || len(found[two.session].Addresses) == 0 {
			t.Errorf("found %v", found)
		}
		if s.Strangers != 1 || s.Machines != 3 || !slices.Equal(s.Services, []string{Service}) {
			t.Errorf("%d strangers, %d machines, %q", s.Strangers, s.Machines, s.Services)
		}
		e := s.named(t, "eth0")
		for _, f := range []*Traffic{e.IPv4, e.IPv6} {
			if e.Use != Used || !f.returned() || f.Heard < 3 {
				t.Errorf("on eth0: %s %+v", e.Use, f)
			}
		}
		for name, want := range map[string]Use{"lo": Loopback, "docker0": Virtual, "eth1": Down, "eth2": NoCarrier, "eth3": NoAddress, "eth4": NoMulticast} {
			if i := s.named(t, name); i.Use != want || i.IPv4 != nil || i.IPv6 != nil {
				t.Errorf("%s: %+v, want %s", name, i, want)
			}
		}
		one.mu.Lock()
		defer one.mu.Unlock()
		if len(one.found) != 1 {
			t.Errorf("%d were found, the one who looked among them", len(one.found))
		}
	})
}

// Own questions do not come back through a firewall that drops them, on their way out or in; what IPv6 does is told apart.
func TestLookBehindAFirewall(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		h, a := l.host(t), l.host(t)
		h.plug(t, "eth0", "br0", "10.0.0.1/24")
		a.plug(t, "eth0", "br0", "10.0.0.2/24")
		a.run(t, 1, 1)
		const unasked = "-A INPUT -p udp --sport 5353 --dport 5353 -j DROP" // what a says by itself; it answers at the port that asked
		h.firewall(t, unasked+"\n-4 -A INPUT -p udp --dport 5353 -j DROP")
		s, found := h.survey(t, 1, 400*time.Millisecond, func(s *Survey, found map[[8]byte]Peer) bool {
			return s.named(t, "eth0").IPv6.returned() && len(found) == 1
		})
		if e := s.named(t, "eth0"); e.IPv4.Sent != e.IPv6.Sent || e.IPv4.Back != 0 || !e.IPv6.returned() || len(found) != 1 {
			t.Errorf("in: %+v %+v, found %v", e.IPv4, e.IPv6, found)
		}
		h.firewall(t, "-F INPUT\n"+unasked+"\n-A OUTPUT -p udp --dport 5353 -j REJECT")
		s, found = h.survey(t, 1, 400*time.Millisecond, func(s *Survey, _ map[[8]byte]Peer) bool { return s.named(t, "eth0").IPv4.Err != nil })
		if e := s.named(t, "eth0"); e.IPv4.Sent != 0 || e.IPv4.Err == nil || e.IPv6.Sent != 0 || len(found) != 0 {
			t.Errorf("out: %+v %+v, found %v", e.IPv4, e.IPv6, found)
		}
	})
}

// Who asks and is not heard to offer it is told of; who offers it asks too.
func TestLookHearsWhoAsks(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		h, a, b := l.host(t), l.host(t), l.host(t)
		for i, o := range []*host{h, a, b} {
			o.plug(t, "eth0", "br0", "10.0.0."+string('1'+byte(i))+"/24")
		}
		a.run(t, 1, 1)
		curious := browse(t, b)
		ctx, stop := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			for again := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-again.C {
				curious.s.multicast(question())
			}
		}()
		s, found := h.survey(t, 1, 600*time.Millisecond, func(s *Survey, found map[[8]byte]Peer) bool { return len(found) == 1 && len(s.Askers) == 1 })
		stop()
		<-asked
		if len(found) != 1 || !slices.Equal(s.Askers, []netip.Addr{netip.MustParseAddr("10.0.0.3")}) {
			t.Errorf("found %v, and %v asked", found, s.Askers)
		}
	})
}
