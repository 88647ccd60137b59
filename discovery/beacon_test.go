package discovery

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBeaconBytes(t *testing.T) {
	b := beacon{call, [8]byte{1, 2, 3, 4, 5, 6, 7, 0xab}}
	if got := hex.EncodeToString(b.encode()); got != "010101020304050607ab" {
		t.Errorf("a call is %s", got)
	}
	b.kind = answer
	if got := hex.EncodeToString(b.encode()); got != "010201020304050607ab" {
		t.Errorf("an answer is %s", got)
	}
	for _, bad := range []string{"", "01", "010101020304050607", "010101020304050607abcd", "020101020304050607ab", "010001020304050607ab", "010301020304050607ab"} {
		p, _ := hex.DecodeString(bad)
		if got, err := decodeBeacon(p); err == nil {
			t.Errorf("%s is %v", bad, got)
		}
	}
}

func FuzzBeacon(f *testing.F) {
	f.Add(beacon{call, [8]byte{7: 1}}.encode())
	f.Add(beacon{answer, [8]byte{}}.encode())
	f.Add([]byte{beaconVersion})
	f.Fuzz(func(t *testing.T, p []byte) {
		if b, err := decodeBeacon(p); err == nil && !slices.Equal(b.encode(), p) {
			t.Errorf("%x became %x", p, b.encode())
		}
	})
}

// Whoever is alone calls after 5 s, then every 5 s, after a minute every 30 s; at once when the network changed; not when somebody is known.
func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		begun := time.Now()
		c.alone(true, begun)
		var at []time.Duration
		for len(at) < 100 {
			time.Sleep(time.Until(c.next))
			c.alone(true, time.Now())
			at = append(at, time.Since(begun))
			c.called(time.Now())
		}
		for i, a := range at[1:] {
			want := callGap
			if at[i] >= callAfter+calmAfter {
				want = calmGap
			}
			if gap := a - at[i]; gap < want*3/4 || gap > want*5/4 {
				t.Errorf("after a call at %v the next is %v later", at[i], gap)
			}
		}
		if at[0] != callAfter {
			t.Errorf("the first call is at %v", at[0])
		}
		c.restart(time.Now())
		if !c.due(time.Now()) {
			t.Error("in another network it does not call at once")
		}
		c.alone(false, time.Now())
		c.restart(time.Now())
		if c.due(time.Now().Add(time.Hour)) {
			t.Error("it calls though somebody is known")
		}
		c.alone(true, time.Now())
		c.restart(time.Now())
		if c.due(time.Now().Add(callAfter-1)) || !c.due(time.Now().Add(callAfter)) {
			t.Errorf("alone again it calls at %v", time.Until(c.next))
		}
	})
}

// A beacon counts as far as its source does: on the link, not from this process. A call is answered, by what is no longer than it, to where it came from and at a
// bounded rate; an answer is not.
func TestHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type packet struct {
			beacon
			to netip.AddrPort
		}
		var sent []packet
		var found []Peer
		me := [8]byte{7: 1}
		r := newRun(New(Config{
			Session: me, Port: 4001, Tag: tagOf(0), Found: func(p Peer) { found = append(found, p) },
			Send: func(b []byte, to netip.AddrPort) error {
				p, err := decodeBeacon(b)
				sent = append(sent, packet{p, to})
				return err
			},
		}))
		r.links = []*link{{iface: iface{name: "eth0", nets: []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("fd77::/64")}}}}
		for n, c := range []struct {
			from      string
			kind      beaconKind
			believed  bool
			responded bool
		}{
			{"10.77.0.2:4327", call, true, true},
			{"10.77.0.2:4328", answer, true, false},
			{"[fd77::2]:4327", call, true, true},
			{"[fe80::2%eth0]:4327", call, true, true},
			{"[fe80::2%eth1]:4327", call, false, false},
			{"[fe80::2]:4327", call, false, false},
			{"10.78.0.2:4327", call, false, false},
			{"[2001:db8::2]:4327", answer, false, false},
			{"10.77.0.2:0", call, false, false},
		} {
			sent, found = nil, nil
			from := netip.MustParseAddrPort(c.from)
			r.hear(overheardBeacon{beacon{c.kind, [8]byte{6: 1, 7: byte(n)}}, from}, time.Now())
			if believed := len(found) == 1 && slices.Equal(found[0].Addresses, []netip.AddrPort{from}); believed != c.believed || len(found) > 1 {
				t.Errorf("%s %d: found %v", c.from, c.kind, found)
			}
			if responded := len(sent) == 1 && sent[0] == (packet{beacon{answer, me}, from}); responded != c.responded || len(sent) > 1 {
				t.Errorf("%s %d: sent %v", c.from, c.kind, sent)
			}
		}
		sent, found = nil, nil
		r.hear(overheardBeacon{beacon{call, me}, netip.MustParseAddrPort("10.77.0.1:4001")}, time.Now())
		if len(sent)+len(found) > 0 {
			t.Errorf("to itself it says %v, and it finds %v", sent, found)
		}
		const floods = 10
		for range floods * 1000 {
			r.hear(overheardBeacon{beacon{call, [8]byte{byte(rand.N(256)), byte(rand.N(256)), 1}}, netip.MustParseAddrPort("10.77.0.3:4327")}, time.Now())
			time.Sleep(time.Millisecond)
		}
		if n := len(sent); n > beaconBurst+floods*beaconRate || n < floods*beaconRate-1 {
			t.Errorf("it answered %d times in %d s", n, floods)
		}
	})
}

// Another may call Hear at any rate: it does not block, and what it brings is bounded.
func TestHearNeverBlocks(t *testing.T) {
	d := New(Config{})
	for range 10 * maxBeacons {
		d.Hear(beacon{call, [8]byte{7: 2}}.encode(), addrPort("[::ffff:10.77.0.2]:4327"))
		d.Hear([]byte("nonsense"), addrPort("10.77.0.2:4327"))
	}
	if len(d.beacons) != maxBeacons {
		t.Errorf("%d wait", len(d.beacons))
	}
	if o := <-d.beacons; o.from != addrPort("10.77.0.2:4327") {
		t.Errorf("from %v", o.from)
	}
}

func TestEverybody(t *testing.T) {
	i := iface{name: "eth0", addrs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}}
	for _, p := range []string{"10.77.0.1/24", "10.77.0.2/24", "192.168.3.1/22", "169.254.1.1/16", "10.0.0.1/32", "10.0.0.4/31", "10.0.0.4/30", "fd77::1/64"} {
		i.nets = append(i.nets, netip.MustParsePrefix(p).Masked())
	}
	var got []string
	for _, a := range i.everybody() {
		got = append(got, a.String())
	}
	if want := []string{"10.77.0.255", "192.168.3.255", "169.254.255.255", "10.0.0.7", "ff02::1%eth0"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if to := (iface{name: "eth0", addrs: []netip.Addr{netip.MustParseAddr("10.0.0.4")}}).everybody(); to != nil {
		t.Errorf("without a network it calls %v", to)
	}
}

// tagOf is the tag of a made-up network.
func tagOf(network byte) func([8]byte, uint16) [16]byte {
	return func(s [8]byte, port uint16) [16]byte {
		return [16]byte{network, byte(port >> 8), byte(port), 8: s[0], 15: s[7]}
	}
}
