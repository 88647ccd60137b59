package discovery

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func heardOf(n uint64, addrs ...string) instance {
	i := instance{port: 4327}
	binary.BigEndian.PutUint64(i.session[:], n)
	for _, a := range addrs {
		i.addrs = append(i.addrs, addrPort(a))
	}
	return i
}

func TestMemory(t *testing.T) {
	const v4, v6, moved = "10.0.0.1:4327", "[fe80::1%eth0]:4327", "10.0.0.9:4327"
	hub, gone, gone6, forged := heardOf(1, v4, v6), heardOf(1, v4), heardOf(1, v6), heardOf(1, "10.0.0.66:4327", v4)
	hub.role, gone.gone, gone6.gone, forged.gone = "hub", true, true, true
	m, begun := memory{}, time.Now()
	for _, step := range []struct {
		at   time.Duration
		i    instance
		news bool
		want []string
	}{
		{0, heardOf(1, v4, v6), true, []string{v4, v6}},
		{0, heardOf(1, v6, v4), false, nil},
		{999 * time.Millisecond, heardOf(1, v4), false, nil},
		{time.Second, heardOf(1, v6), true, []string{v6, v4}}, // nothing new, but a second ago
		{time.Second, hub, true, []string{v4, v6}},
		{1100 * time.Millisecond, hub, false, nil},
		{1200 * time.Millisecond, func() instance { i := hub; i.addrs = []netip.AddrPort{addrPort(moved)}; return i }(), true, []string{moved, v4, v6}},
		{2 * time.Second, gone, true, nil},
		{2100 * time.Millisecond, gone6, false, nil},
		{2200 * time.Millisecond, hub, false, nil}, // it was under way
		{4 * time.Second, hub, true, []string{v4, v6}},
		{5 * time.Second, forged, true, nil}, // it names the address that it takes away
		{5100 * time.Millisecond, forged, false, nil},
		{5200 * time.Millisecond, hub, true, []string{v4, v6}},
		{6*time.Second + lifetime, heardOf(1, moved), true, []string{moved}}, // what is old is forgotten
	} {
		p, news := m.note(step.i, begun.Add(step.at))
		var want []netip.AddrPort
		for _, a := range step.want {
			want = append(want, addrPort(a))
		}
		if news != step.news || !slices.Equal(p.Addresses, want) || news && !step.i.gone && p.Role != step.i.role {
			t.Errorf("at %v: %v %+v, want %v %v", step.at, news, p, step.news, want)
		}
	}
	m.expire(begun.Add(3 * lifetime))
	if len(m) != 0 {
		t.Errorf("%d remembered", len(m))
	}
}

// Ten thousand made-up peers take a bounded place, and do not hide a real one.
func TestMemoryIsBounded(t *testing.T) {
	m, now := memory{}, time.Now()
	for n := range uint64(10000) {
		if n%1000 == 0 {
			if _, news := m.note(heardOf(1<<40+n, "10.0.0.1:4327"), now); !news {
				t.Errorf("the real peer %d is hidden", n)
			}
		}
		m.note(heardOf(n, "10.0.0.2:4327"), now)
	}
	if len(m) > maxPeers {
		t.Errorf("%d remembered", len(m))
	}
	for n := range 10000 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 1)
		m.note(instance{port: 1, addrs: []netip.AddrPort{a}}, now)
	}
	if n := len(m[[8]byte{}].places); n > maxAddresses {
		t.Errorf("%d addresses of one", n)
	}
}

// What a peer had on a link and does not name there any more is forgotten, after the moment in which its other card may name its own; what was heard elsewhere stays.
func TestStaleAddresses(t *testing.T) {
	const one, two, elsewhere, roamed = "10.0.0.1:4327", "10.0.0.2:4327", "10.9.0.1:4327", "10.0.0.9:4327"
	m, begun := memory{}, time.Now()
	for _, step := range []struct {
		at   time.Duration
		addr string
		link string
		want []string
	}{
		{0, one, "eth0", []string{one}},
		{time.Millisecond, two, "eth0", []string{two, one}},
		{2 * time.Millisecond, elsewhere, "eth1", []string{elsewhere, two, one}},
		{2 * time.Second, roamed, "eth0", []string{roamed, elsewhere}},
		{4 * time.Second, two, "", []string{two, roamed, elsewhere}}, // a beacon
	} {
		i := heardOf(1, step.addr)
		i.link = step.link
		p, news := m.note(i, begun.Add(step.at))
		var want []netip.AddrPort
		for _, a := range step.want {
			want = append(want, addrPort(a))
		}
		if !news || !slices.Equal(p.Addresses, want) {
			t.Errorf("at %v: %v %v, want %v", step.at, news, p.Addresses, want)
		}
	}
}
