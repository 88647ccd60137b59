package discovery

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Only what is verified and another's is reported, in the order it came.
func TestTake(t *testing.T) {
	var said []string
	tag := func(s [8]byte, port uint16) [16]byte { return [16]byte{byte(port), byte(port >> 8), 15: s[7]} }
	me := [8]byte{7: 1}
	r := newRun(New(Config{
		Session: me, Port: 4001, Tag: tag,
		Found: func(p Peer) { said = append(said, "found "+p.Addresses[0].String()) },
		Gone:  func(s [8]byte) { said = append(said, "gone "+string('0'+s[7])) },
	}))
	from := func(n byte, edit func(*instance)) instance {
		i := heardOf(uint64(n), "10.0.0.1:4002")
		i.port = 4002
		i.tag = tag(i.session, i.port)
		if edit != nil {
			edit(&i)
		}
		return i
	}
	r.take(heard{packet: packet{instances: []instance{
		from(1, nil),
		from(1, func(i *instance) { i.gone = true }),
		from(2, nil),
		from(3, func(i *instance) { i.tag[15]++ }),
		from(4, func(i *instance) { i.port++ }),
		from(5, func(i *instance) { i.gone = true; i.tag = [16]byte{} }),
		from(2, func(i *instance) { i.gone = true }),
	}}}, time.Now())
	if len(said) != 2 || said[0] != "found 10.0.0.1:4002" || said[1] != "gone 2" {
		t.Errorf("%q", said)
	}
	if len(r.known) != 1 {
		t.Errorf("%d remembered", len(r.known))
	}
}

// Whoever becomes alone asks at once, and once.
func TestBecomingAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := 0
		r := newRun(New(Config{Peers: func() int { return peers }}))
		r.schedule.restart(time.Now())
		r.alone = true
		follow(8, &r.schedule, 0)
		for _, c := range []struct {
			peers int
			asks  bool
		}{{0, false}, {1, false}, {0, true}, {0, false}} {
			peers = c.peers
			r.noticeAlone(time.Now())
			if asks := r.schedule.due(time.Now()); asks != c.asks {
				t.Errorf("%d peers: it asks %v", c.peers, asks)
			}
			if r.schedule.due(time.Now()) {
				r.schedule.asked(time.Now(), peers)
			}
		}
	})
}

// Who looks for somebody asks everybody; at rest those who were heard lately need not answer.
func TestQuestion(t *testing.T) {
	peers := 40
	r := newRun(New(Config{Peers: func() int { return peers }}))
	begun := time.Now()
	meet := func(n int) {
		for n := range uint64(n) {
			r.known.note(heardOf(n, "10.0.0.1:4327"), begun)
		}
	}
	meet(20)
	gone := heardOf(99)
	gone.gone = true
	r.known.note(gone, begun)
	names := func(at time.Duration) (n int) {
		b := r.question(begun.Add(at))
		for s := range r.known {
			own := record{names: namesOf(s)}
			p, err := read(b, addrPort("10.0.0.2:40000"), "", own)
			if err != nil {
				t.Fatal(err)
			}
			if !p.asked {
				n++
			}
		}
		if len(b) > 1232 { // RFC 9715: fits everywhere
			t.Errorf("a question of %d bytes", len(b))
		}
		return n
	}
	for r.schedule.restart(begun); r.schedule.step < 7; r.schedule.asked(begun, peers) {
		if n := names(0); n > 0 {
			t.Errorf("question %d lets %d off", r.schedule.step, n)
		}
	}
	for at, want := range map[time.Duration]int{0: 20, 59 * time.Second: 20, 60 * time.Second: 0, time.Hour: 0} {
		if n := names(at); n != want {
			t.Errorf("%v later %d need not answer, not %d", at, n, want)
		}
	}
	if meet(40); names(0) != maxKnown {
		t.Errorf("%d of 40 need not answer", names(0))
	}
	if peers = 0; names(0) > 0 {
		t.Error("alone, it does not ask all")
	}
}

func TestWhichLink(t *testing.T) {
	k := &link{iface: iface{index: 3, name: "Ethernet 2"}}
	for _, c := range []struct {
		index int
		from  string
		mine  bool
	}{
		{3, "10.0.0.1", true}, {4, "10.0.0.1", false}, {3, "fe80::1%renamed", true}, {4, "fe80::1%Ethernet 2", false},
		{0, "10.0.0.1", true}, {0, "fd77::1", true}, {0, "fe80::1%Ethernet 2", true}, {0, "fe80::1%Wi-Fi", false},
	} {
		if got := k.iface.mine(c.index, netip.MustParseAddr(c.from)); got != c.mine {
			t.Errorf("interface %d, from %s: %v", c.index, c.from, got)
		}
	}
}
