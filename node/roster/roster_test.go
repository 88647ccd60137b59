package roster

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/port"
)

// A box is one instance: its port and its roster.
type box struct {
	*Roster
	t       *testing.T
	host    *nodetest.Host
	net     *nodetest.Process
	stop    context.CancelFunc // gracefully
	left    chan struct{}      // closed when Run has returned
	changes atomic.Int64
	streams atomic.Int64 // that others opened
	copies  atomic.Int64 // of itself that were met
	foreign atomic.Pointer[netip.AddrPort]
}

func person(t *testing.T, n byte) *identity.Identity {
	t.Helper()
	who, err := identity.FromSeed(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func network(t *testing.T, secret string) *identity.Network {
	t.Helper()
	n, err := identity.NewNetwork("lobby", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// start runs an instance on a host of its own, session {n}.
func start(t *testing.T, lan *nodetest.LAN, n byte, secret string) *box {
	t.Helper()
	return startAs(t, lan, fmt.Sprint("host", n), n, identity.Session{n}, secret)
}

func startAs(t *testing.T, lan *nodetest.LAN, host string, who byte, s identity.Session, secret string) *box {
	t.Helper()
	return startVersion(t, lan, host, who, s, secret, 2)
}

func startVersion(t *testing.T, lan *nodetest.LAN, host string, who byte, s identity.Session, secret string, version uint8) *box {
	t.Helper()
	gate, err := identity.NewGate(person(t, who), network(t, secret))
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, host: lan.Host(host), left: make(chan struct{})}
	b.net = b.host.Net()
	p, err := port.Open(port.Config{Gate: gate, Net: b.net})
	if err != nil {
		t.Fatal(err)
	}
	b.Roster = New(Config{Gate: gate, Session: s, Port: p, Version: version, Address: b.host.IP(), Changed: func() { b.changes.Add(1) }, Copied: func() { b.copies.Add(1) },
		Foreign: func(at netip.AddrPort) { b.foreign.Store(&at) }})
	p.Handle(identity.ProtoGossip, func(ctx context.Context, c *identity.Conn) {
		b.streams.Add(1)
		b.serve(ctx, c)
	})
	b.Publish(Status{Class: 1})
	var ctx context.Context
	ctx, b.stop = context.WithCancel(context.Background())
	under, close := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer closeOf(ended); p.Run(under) }()
	go func() { defer closeOf(b.left); b.Run(ctx) }()
	t.Cleanup(func() {
		b.stop()
		<-b.left
		close()
		<-ended
	})
	return b
}

func closeOf(c chan struct{}) { close(c) }

func (b *box) at() netip.AddrPort { return netip.AddrPortFrom(b.host.IP(), port.Default) }

// meet lets b find the others.
func (b *box) meet(others ...*box) {
	for _, o := range others {
		b.Found(o.config.Session, o.at(), netip.Addr{})
	}
}

func (b *box) sees() (n []byte) {
	for _, m := range b.Members() {
		n = append(n, m.Session[0])
	}
	return n
}

func (b *box) member(n byte) (Member, bool) {
	for _, m := range b.Members() {
		if m.Session[0] == n {
			return m, true
		}
	}
	return Member{}, false
}

// until waits for ok, looking every 10 ms, and returns how long it took.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	from := time.Now()
	for !ok() {
		if time.Since(from) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(from)
}

// full reports whether all see all.
func full(boxes ...*box) func() bool {
	return func() bool {
		for _, b := range boxes {
			if len(b.Members()) != len(boxes)-1 {
				return false
			}
		}
		return true
	}
}

// party starts some that find each other, as mDNS has it, and waits until they have met.
func party(t *testing.T, lan *nodetest.LAN, n int) (boxes []*box) {
	t.Helper()
	for i := range n {
		b := start(t, lan, byte(i+1), "")
		b.meet(boxes...)
		boxes = append(boxes, b)
	}
	until(t, "all meet", 5*time.Second, full(boxes...))
	return boxes
}

func bubble(t *testing.T, f func(t *testing.T, lan *nodetest.LAN)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, nodetest.New(1)) })
}

func TestThreeMeet(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b, c := start(t, lan, 1, ""), start(t, lan, 2, ""), start(t, lan, 3, "")
		b.meet(a)
		c.meet(a, b)
		d := until(t, "three meet", 2*time.Second, full(a, b, c))
		t.Logf("three met after %v", d)
		m, _ := c.member(2)
		if m.ID != person(t, 2).ID() || m.Address != b.at() || m.Class != 1 || time.Since(m.Since) > d {
			t.Errorf("%+v", m)
		}
		if n := a.changes.Load(); n == 0 {
			t.Error("nobody was told")
		}
	})
}

func TestStatusComesRound(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 5)
		var worst time.Duration
		for i := range 20 {
			want := Status{Class: 1, Hub: i%2 == 0, Weight: uint8(i), Term: uint64(i), LostHub: identity.Session{9}, LostTerm: 3, Tags: [][8]byte{{byte(i)}, {2}}}
			boxes[0].Publish(want)
			worst = max(worst, until(t, "a status comes round", time.Second, func() bool {
				for _, b := range boxes[1:] {
					if m, _ := b.member(1); !m.Status.equal(want) {
						return false
					}
				}
				return true
			}))
			time.Sleep(33 * time.Millisecond)
		}
		t.Logf("a status was with four others after %v at worst", worst)
		if worst > 100*time.Millisecond {
			t.Error("that was the next round of gossip")
		}
	})
}

// Who goes with a round wakes nobody: probes are sent with every other.
func TestRound(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		b := party(t, lan, 5)[0]
		time.Sleep(1234567 * time.Microsecond)
		for _, ahead := range []time.Duration{time.Nanosecond, 249 * time.Millisecond, 250 * time.Millisecond, 400 * time.Millisecond, time.Second} {
			now := time.Now()
			asked := now.Add(ahead)
			round := b.Round(asked)
			if !round.After(now) || round.After(asked) || asked.Sub(round) >= gossipEvery {
				t.Errorf("%v is the round until %v", round.Sub(now), ahead)
			}
			if round == asked {
				continue // none is before it
			}
			time.Sleep(time.Second)
			tr := b.generation().tr
			tr.mu.Lock()
			pings := slices.Collect(maps.Values(tr.pings))
			tr.mu.Unlock()
			if len(pings) == 0 || slices.ContainsFunc(pings, func(at time.Time) bool { return at.Sub(round)%gossipEvery != 0 }) {
				t.Errorf("a round is at %v, and probes at %v", round, pings)
			}
		}
		b.SetAddress(netip.Addr{})
		time.Sleep(time.Second)
		if at := time.Now().Add(time.Second); b.Round(at) != at {
			t.Error("there are rounds without an address")
		}
	})
}

func TestCrashIsNoticed(t *testing.T) {
	for _, n := range []int{2, 5} {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			boxes := party(t, lan, n)
			boxes[n-1].net.Crash()
			d := until(t, "the crash is noticed", 8*time.Second, func() bool {
				return !slices.ContainsFunc(boxes[:n-1], func(b *box) bool { return len(b.Members()) != n-2 })
			})
			t.Logf("of %d: a crash was known to all after %v", n, d)
			if d < 500*time.Millisecond {
				t.Error("that was no verdict")
			}
		})
	}
}

func TestLeaveIsNoticedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 4)
		time.Sleep(30 * time.Second) // states are exchanged every 5 s till then
		from, streams := time.Now(), boxes[3].streams.Load()
		boxes[3].stop()
		d := until(t, "the leave is noticed", time.Second, full(boxes[:3]...))
		<-boxes[3].left
		t.Logf("a leave was known to all after %v, Run returned after %v", d, time.Since(from))
		if r := time.Since(from); d > 100*time.Millisecond || r > 100*time.Millisecond {
			t.Error("that was the next round of gossip")
		}
		time.Sleep(300 * time.Millisecond)
		if boxes[3].streams.Load() > streams {
			t.Error("it was dialled though it had said goodbye")
		}
		time.Sleep(10 * time.Second)
		if !full(boxes[:3]...)() {
			t.Error("it came back")
		}
	})
}

func TestAnotherKeyDoesNotMeet(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b, c := start(t, lan, 1, "0123456789abcdef"), start(t, lan, 2, "0123456789abcdef"), start(t, lan, 3, "0123456789abcdeX")
		d := start(t, lan, 4, "")
		for _, x := range []*box{b, c, d} {
			x.meet(a)
			a.meet(x)
		}
		until(t, "those with the key meet", 2*time.Second, full(a, b))
		time.Sleep(time.Minute)
		if len(a.Members()) != 1 || len(b.Members()) != 1 || len(c.Members()) != 0 || len(d.Members()) != 0 {
			t.Errorf("%v %v %v %v", a.sees(), b.sees(), c.sees(), d.sees())
		}
	})
}

// Two versions are two lists, and each hears that there is another.
func TestAnotherVersionIsNoMember(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := make([]*box, 4)
		for i := range boxes {
			n := byte(i + 1)
			boxes[i] = startVersion(t, lan, fmt.Sprint("host", n), n, identity.Session{n}, "", n/3)
		}
		for _, b := range boxes {
			b.meet(boxes...)
		}
		old, young := boxes[:2], boxes[2:]
		until(t, "those of one version meet", 2*time.Second, func() bool { return full(old...)() && full(young...)() })
		time.Sleep(time.Minute)
		for i, b := range boxes {
			if len(b.Members()) != 1 {
				t.Errorf("%d sees %v", i+1, b.sees())
			}
			if at := b.foreign.Load(); at == nil || !slices.ContainsFunc(boxes, func(o *box) bool { return o.at() == *at && o.config.Version != b.config.Version }) {
				t.Errorf("%d heard of %v", i+1, at)
			}
		}
	})
}

// A cable is pulled for 20 s, and nobody finds anybody anew: the addresses of those that died are tried.
func TestPartitionHeals(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 4)
		since, _ := boxes[0].member(3)
		lan.Split([]string{"host1", "host2"}, []string{"host3", "host4"})
		until(t, "the partition is noticed", 15*time.Second, func() bool { return full(boxes[:2]...)() && full(boxes[2:]...)() })
		time.Sleep(20 * time.Second)
		lan.Join()
		t.Logf("healed after %v", until(t, "the heal", 15*time.Second, full(boxes...)))
		if m, _ := boxes[0].member(3); m.Since != since.Since {
			t.Error("an absence of less than a minute made it a newcomer")
		}
	})
}

// Two are cut off from six others, and find them missing one after the other: each is given up as soon as if it were the only one, or nearly.
func TestFewAreCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 8)
		const times = 6
		var took time.Duration
		for range times {
			lan.Split([]string{"host1", "host2"}, []string{"host3", "host4", "host5", "host6", "host7", "host8"})
			took += until(t, "the partition is noticed", 30*time.Second, full(boxes[:2]...))
			lan.Join()
			until(t, "the heal", 30*time.Second, full(boxes...))
			time.Sleep(10 * time.Second)
		}
		if took /= times; took > 8500*time.Millisecond {
			t.Errorf("noticed after %v on the average", took)
		}
	})
}

// Discovery hears of the other side as soon as the cable is back: that is joined then, whatever was tried last and when.
func TestPartitionHealsSoonByFound(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 4)
		for k := range 12 {
			lan.Split([]string{"host1", "host2"}, []string{"host3", "host4"})
			until(t, "the partition is noticed", 30*time.Second, func() bool { return full(boxes[:2]...)() && full(boxes[2:]...)() })
			time.Sleep(time.Duration(k) * 230 * time.Millisecond)
			lan.Join()
			boxes[0].meet(boxes[2:]...)
			if took := until(t, "the heal", 15*time.Second, full(boxes...)); took > 1750*time.Millisecond { // seven rounds of gossip: who was held dead denies it first
				t.Errorf("healed after %v", took)
			}
		}
	})
}

// The partition lasted so long that all was given up: discovery finds them again.
func TestLongPartitionHealsByFound(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 4)
		lan.Split([]string{"host1", "host2"}, []string{"host3", "host4"})
		time.Sleep(2 * time.Minute)
		lan.Join()
		time.Sleep(10 * time.Second)
		if len(boxes[0].Members()) != 1 {
			t.Fatal("memberlist has learnt to notice: then this package can forget")
		}
		boxes[1].meet(boxes[2])
		// One pair is enough. Gossip may miss somebody, which the next push/pull mends.
		t.Logf("healed after %v", until(t, "the heal", 15*time.Second, full(boxes...)))
	})
}

// The partition is so short that nobody is declared dead. What was said during it has been gossiped by then, and is said again to nobody. States are exchanged then, with
// whomever chance picks: in one round of a few hundred nobody of the other side.
func TestShortPartitionIsMended(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 8)
		time.Sleep(time.Minute) // nothing is new
		for term := range uint64(5) {
			lan.Split([]string{"host1", "host2", "host3", "host4"}, []string{"host5", "host6", "host7", "host8"})
			want := Status{Class: 1, Term: term + 1}
			for _, b := range boxes[:4] {
				b.Publish(want)
			}
			time.Sleep(600 * time.Millisecond) // those suspected say that they live, with what is new; there is no time to suspect all four
			lan.Join()
			t.Logf("known to all after %v", until(t, "a status comes round", 3*mendSoon+time.Second, func() bool {
				return !slices.ContainsFunc(boxes[4:], func(b *box) bool {
					return slices.ContainsFunc(b.Members(), func(m Member) bool { return m.Session[0] <= 4 && !m.Status.equal(want) })
				})
			}))
			time.Sleep(time.Minute)
		}
	})
}

// At rest nothing is exchanged but probes: a handshake costs more than all of them.
func TestRestingNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 4)
		time.Sleep(2 * time.Minute)
		streams := func() (n int64) {
			for _, b := range boxes {
				n += b.streams.Load()
			}
			return n
		}
		before := streams()
		time.Sleep(5 * time.Minute)
		if n := streams() - before; n < 4*9 || n > 4*11 {
			t.Errorf("%d exchanges in five minutes, not one each in 30 s", n)
		}
	})
}

func TestAddressChanges(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 3)
		a, b := boxes[0], boxes[1]
		old, _ := b.member(1)
		// A simulated host has one address, so nothing answers at the other one. That takes longer to be noticed than this takes.
		c := lan.Host("elsewhere")
		a.SetAddress(c.IP())
		gap := false
		until(t, "the new address is known", 3*time.Second, func() bool {
			m, ok := b.member(1)
			gap = gap || !ok
			return m.Address.Addr() == c.IP()
		})
		m, _ := b.member(1)
		if gap || m.Since != old.Since || m.ID != old.ID {
			t.Errorf("gap %v, since %v, not %v", gap, m.Since, old.Since)
		}
		if len(a.Members()) != 2 {
			t.Errorf("a sees %v", a.sees())
		}
		time.Sleep(2 * time.Second)
		a.SetAddress(a.host.IP()) // and back
		until(t, "the old address is back", 3*time.Second, func() bool { m, _ := b.member(1); return m.Address == a.at() })
		time.Sleep(10 * time.Second)
		if !full(boxes...)() {
			t.Errorf("%v %v %v", a.sees(), b.sees(), boxes[2].sees())
		}
		if a.copies.Load() != 0 {
			t.Error("it took itself, before or after, for a copy")
		}
	})
}

// A machine that was copied while it ran is met under this process's name at another address, or, as its addresses change then, under a later one.
func TestCopied(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint("moved=", moved), func(t *testing.T) {
			bubble(t, func(t *testing.T, lan *nodetest.LAN) {
				a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
				a.meet(b)
				until(t, "they meet", 2*time.Second, full(a, b))
				clone := startAs(t, lan, "clone", 1, a.config.Session, "")
				mallory := startAs(t, lan, "mallory", 3, a.config.Session, "") // says to be the same process, and is somebody else
				if moved {
					clone.SetAddress(lan.Host("nowhere").IP())
					time.Sleep(time.Second)
					clone.SetAddress(clone.host.IP())
					time.Sleep(3 * time.Second)
				}
				clone.meet(b)
				mallory.meet(b)
				time.Sleep(10 * time.Second)
				if n := a.copies.Load() + clone.copies.Load(); n == 0 || a.copies.Load() > 1 || clone.copies.Load() > 1 || mallory.copies.Load()+b.copies.Load() > 0 {
					t.Errorf("met a copy of itself: a %d times, its copy %d, mallory %d, b %d", a.copies.Load(), clone.copies.Load(), mallory.copies.Load(), b.copies.Load())
				}
			})
		})
	}
}

func TestNoAddress(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
		a.SetAddress(netip.Addr{})
		time.Sleep(2 * time.Second)
		a.meet(b)
		b.meet(a)
		time.Sleep(10 * time.Second)
		if len(a.Members())+len(b.Members()) != 0 {
			t.Fatalf("%v %v", a.sees(), b.sees())
		}
		a.SetAddress(a.host.IP())
		until(t, "they meet by what was found before", 2*time.Second, full(a, b))
		a.SetAddress(netip.Addr{})
		until(t, "a is alone", 100*time.Millisecond, func() bool { return len(a.Members()) == 0 })
		until(t, "b hears it", 2*time.Second, func() bool { return len(b.Members()) == 0 })
	})
}

// Where no session is known, an address is enough, and is left alone once somebody there is a member.
func TestFoundByAddress(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
		a.Found(identity.Session{0xff}, b.at(), netip.Addr{})
		until(t, "they meet", 2*time.Second, full(a, b))
		time.Sleep(5 * time.Second)
		a.mu.Lock()
		defer a.mu.Unlock()
		if x := a.leads.find(b.at()); x.fails != 1 {
			t.Errorf("joined %d times", x.fails)
		}
	})
}

// Two of a profile that was copied are one person and two members.
func TestOnePersonTwice(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := start(t, lan, 1, "")
		b := startAs(t, lan, "laptop", 1, identity.Session{2}, "")
		b.meet(a)
		until(t, "they meet", 2*time.Second, full(a, b))
		if m, _ := a.member(2); m.ID != person(t, 1).ID() {
			t.Errorf("%+v", m)
		}
	})
}

// Run returns where nothing answers, and leaves nothing behind: synctest would say so.
func TestRunReturns(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 3)
		boxes[2].Found(identity.Session{9}, netip.MustParseAddrPort("10.0.0.1:9"), netip.Addr{}) // refused
		lan.Host("hole")
		lan.Cut("hole")
		boxes[2].Found(identity.Session{8}, netip.AddrPortFrom(lan.Host("hole").IP(), 1), netip.Addr{}) // silent
		lan.Cut("host3")
		time.Sleep(1500 * time.Millisecond)
		from := time.Now()
		boxes[2].stop()
		<-boxes[2].left
		if d := time.Since(from); d > 600*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

// Loss of every fifth packet declares nobody dead for long.
func TestLoss(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 5)
		lan.Loss(20)
		all, missing, longest := full(boxes...), 0, 0
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if missing++; all() {
				missing = 0
			}
			longest = max(longest, missing)
		}
		t.Logf("somebody was missing for %d samples in a row at most", longest)
		if longest > 50 { // whoever is declared dead refutes it as soon as he hears of it
			t.Errorf("somebody was missing for %v", time.Duration(longest)*100*time.Millisecond)
		}
	})
}

// A stream that says nothing is cut, and holds its place no longer.
func TestSilentStream(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := start(t, lan, 1, "")
		gate, err := identity.NewGate(person(t, 7), network(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := lan.Host("mallory").Net().Dial(t.Context(), a.at().String())
		if err != nil {
			t.Fatal(err)
		}
		c, err := gate.Dial(t.Context(), raw, identity.ProtoGossip, nil)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		c.SetReadDeadline(from.Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(from) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		c.NetConn().Close()
	})
}

// An instance with two cards advertises the address of the other one.
func TestTwoCards(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
		b.SetAddress(netip.MustParseAddr("10.99.0.2"))
		b.Heard(a.config.Session, a.at())
		a.Heard(b.config.Session, b.at())
		a.meet(b)
		until(t, "they meet", 2*time.Second, func() bool { return len(a.sees()) == 1 && len(b.sees()) == 1 })
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if m, ok := a.member(2); !ok || m.Address.Addr() != netip.MustParseAddr("10.99.0.2") || len(b.sees()) != 1 {
				t.Fatalf("they have lost each other: %+v, %v", m, b.sees())
			}
		}
		if n := a.streams.Load(); n > 12 {
			t.Errorf("%d streams in a minute", n)
		}
	})
}

// TestOneFamilyIsBlocked: they are heard in both families, and nothing else gets through in that one whose address they advertise.
func TestOneFamilyIsBlocked(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
		dead := func(b *box) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 15: b.config.Session[0]}), port.Default)
		}
		for _, x := range [][2]*box{{a, b}, {b, a}} {
			x[0].SetAddress(dead(x[0]).Addr())
			x[0].Heard(x[1].config.Session, dead(x[1]))
			x[0].Heard(x[1].config.Session, x[1].at())
		}
		time.Sleep(2 * time.Second) // one that had begun at its other address already has given that up: a move is another story, with pings over streams of its own
		a.Found(b.config.Session, dead(b), netip.Addr{})
		until(t, "they meet", 2*time.Second, full(a, b))
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if !full(a, b)() {
				t.Fatalf("they have lost each other: %v, %v", a.sees(), b.sees())
			}
		}
		if n := a.streams.Load() + b.streams.Load(); n > 24 {
			t.Errorf("%d streams in a minute", n)
		}
		if m, _ := a.member(2); !slices.Equal(a.Addresses(m), []string{dead(b).String(), b.at().String()}) {
			t.Errorf("to be reached at %v", a.Addresses(m))
		}
	})
}
