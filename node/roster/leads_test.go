package roster

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"earshot/node/identity"
)

var t0 = time.Unix(1e9, 0)

func nth(i int) (identity.Session, netip.AddrPort) {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x0a000000|uint32(i))
	return identity.Session{1, byte(i >> 16), byte(i >> 8), byte(i)}, netip.AddrPortFrom(netip.AddrFrom4(a), 4327)
}

// tries returns when, in seconds, an address that never answers is tried within two minutes of being found at the given times.
func tries(found []int, proven, refused, joined bool) (at []int) {
	var l leads
	s, a := nth(1)
	for sec := range 120 {
		now := t0.Add(time.Duration(sec) * time.Second)
		for _, f := range found {
			if f == sec {
				l.add(s, a, netip.Addr{}, proven, now)
			}
		}
		for _, x := range l.due(now, here{}) {
			at = append(at, sec)
			l.done(x, now, joined, refused)
		}
	}
	return at
}

func TestBackoff(t *testing.T) {
	for _, tc := range []struct {
		name                    string
		found                   []int
		proven, refused, joined bool
		want                    []int
	}{
		{"found once", []int{0}, false, false, false, []int{0, 1, 3, 8, 23, 53}},
		{"found again", []int{0, 40}, false, false, false, []int{0, 1, 3, 8, 23, 45, 50, 65, 95}},
		{"it refuses", []int{0}, false, true, false, []int{0, 1, 3, 8, 23, 53}},
		{"it died and refuses", []int{0}, true, true, false, []int{0}},
		{"it lets in and is no member", []int{0}, false, false, true, []int{0, 5, 10, 15, 30}},
		{"it died again", []int{0, 30}, true, true, false, []int{0, 30}},
	} {
		got := tries(tc.found, tc.proven, tc.refused, tc.joined)
		if len(got) != len(tc.want) {
			t.Errorf("%s: tried at %v, not %v", tc.name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: tried at %v, not %v", tc.name, got, tc.want)
				break
			}
		}
	}
	if got := tries([]int{0}, true, false, false); len(got) < 30 || got[len(got)-1] > 60 {
		t.Errorf("one that died silently is tried at %v", got)
	}
}

// Who speaks from two addresses, as of two families, is not tried more often for that.
func TestTwoTellersOfOne(t *testing.T) {
	var l leads
	s, a := nth(1)
	tried := 0
	for ms := range 60000 {
		now := t0.Add(time.Duration(ms) * time.Millisecond)
		if ms%100 == 0 {
			l.add(s, a, netip.AddrFrom4([4]byte{10, 0, 0, byte(ms / 100 % 2)}), false, now)
		}
		for _, x := range l.due(now, here{}) {
			tried++
			l.done(x, now, false, false)
		}
	}
	if tried > 15 {
		t.Errorf("it is tried %d times a minute", tried)
	}
}

// dialling dials what is due, as Run does; each dial takes two seconds, as where nobody is, but to those that answer. It returns whom it reached.
type dialling struct {
	leads
	under map[*lead]time.Time
	most  int
}

func (d *dialling) step(t *testing.T, now time.Time, answers map[netip.AddrPort]bool) (reached []netip.AddrPort) {
	t.Helper()
	for x, since := range d.under {
		if answers[x.address] || now.Sub(since) >= 2*time.Second {
			delete(d.under, x)
			d.done(x, now, answers[x.address], false)
			if answers[x.address] {
				reached = append(reached, x.address)
			}
		}
	}
	for _, x := range d.due(now, here{}) {
		d.under[x] = now
	}
	if d.most = max(d.most, len(d.under)); d.most > maxJoining || len(d.all) > maxLeads {
		t.Fatalf("%d at once, %d leads", len(d.under), len(d.all))
	}
	return reached
}

// Attack 23, as far as it is the roster's: 10,000 fakes from a few places take a bounded room and eight dials at once, and real ones that are told of once meanwhile are
// reached at once, though the liars name their addresses too.
func TestFakeLeads(t *testing.T) {
	d := dialling{under: map[*lead]time.Time{}}
	now, fakes := t0, 0
	var waits []time.Duration
	told, answers := map[netip.AddrPort]time.Time{}, map[netip.AddrPort]bool{}
	for ; fakes < 10000; now = now.Add(10 * time.Millisecond) {
		for range 10 {
			s, a := nth(fakes)
			liar, _ := netip.AddrFromSlice([]byte{192, 168, 0, byte(fakes % 3)})
			d.add(s, a, liar, false, now)
			fakes++
			if _, victim := nth(1<<20 + rand.IntN(20)); fakes%7 == 0 {
				d.add(s, victim, liar, false, now)
			}
		}
		if n := fakes / 10; n%50 == 49 {
			s, a := nth(1<<20 + n/50)
			d.add(s, a, a.Addr(), false, now)
			told[a], answers[a] = now, true
		}
		for _, a := range d.step(t, now, answers) {
			waits = append(waits, now.Sub(told[a]))
			delete(answers, a)
		}
	}
	if len(waits) != 20 || slices.Max(waits) > 100*time.Millisecond {
		t.Errorf("of 20 real ones %d were reached, after %v", len(waits), waits)
	}
}

// Whoever told of most makes room, also where others failed: neither they nor members go.
func TestLiarsMakeRoom(t *testing.T) {
	var l leads
	liar := netip.MustParseAddr("192.168.0.1")
	for i := range 20 {
		s, a := nth(1<<20 + i)
		l.add(s, a, netip.Addr{}, i%2 == 0, t0)
	}
	for _, x := range l.all {
		x.fails = 3
	}
	for i := range 1000 {
		s, a := nth(i)
		l.add(s, a, liar, false, t0)
	}
	if n := l.tellers()[liar]; len(l.all) != maxLeads || n != maxLeads-20 {
		t.Errorf("%d leads, of the liar %d", len(l.all), n)
	}
	s, a := nth(1<<20 + 100)
	if l.add(s, a, netip.Addr{}, false, t0); l.find(a) == nil {
		t.Error("there is no room for another")
	}
}

// The members of an office that was left do not keep a café waiting, and the other way round.
func TestMembersThatDied(t *testing.T) {
	d := dialling{under: map[*lead]time.Time{}}
	answers := map[netip.AddrPort]bool{}
	for i := range 50 {
		s, a := nth(i)
		d.add(s, a, netip.Addr{}, true, t0)
	}
	s, stranger := nth(100)
	_, member := nth(25)
	now := t0
	for ; now.Sub(t0) < 20*time.Second; now = now.Add(10 * time.Millisecond) {
		if now.Sub(t0) == 10*time.Second {
			d.add(s, stranger, netip.Addr{}, false, now)
			answers[stranger] = true
		}
		for _, a := range d.step(t, now, answers) {
			if a == stranger && now.Sub(t0) > 10100*time.Millisecond {
				t.Errorf("the stranger was reached after %v", now.Sub(t0)-10*time.Second)
			}
			delete(answers, a)
		}
	}
	if answers[stranger] {
		t.Error("the stranger was never reached")
	}
	for i := range 300 { // strangers who are not there, each told of by itself
		s, a := nth(1000 + i)
		d.add(s, a, netip.Addr{}, false, now)
	}
	answers[member] = true
	for back := now; answers[member]; now = now.Add(10 * time.Millisecond) {
		for _, a := range d.step(t, now, answers) {
			delete(answers, a)
		}
		if now.Sub(back) > 30*time.Second {
			t.Fatal("the member that is back was never reached")
		}
	}
}

// One that was a member and did not answer is tried soon after it is heard of again, but not as often as that.
func TestFoundAgain(t *testing.T) {
	var l leads
	s, at := nth(1)
	l.add(s, at, netip.Addr{}, true, t0)
	now, tries := t0, 0
	for range 100 {
		for _, x := range l.due(now, here{}) {
			tries++
			l.done(x, now, false, false)
		}
		l.add(s, at, netip.Addr{}, false, now)
		if d := l.wait(now); d > backoffFound {
			t.Fatalf("the next is %v away", d)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if tries != 20 {
		t.Errorf("tried %d times in 10 s", tries)
	}
}

func TestLeadsHereAndDropped(t *testing.T) {
	var l leads
	s1, a1 := nth(1)
	s2, a2 := nth(2)
	s3, a3 := nth(3)
	l.add(s1, a1, netip.Addr{}, false, t0)
	l.add(s2, a2, netip.Addr{}, false, t0)
	l.add(s3, a3, netip.Addr{}, false, t0)
	l.drop(s3)
	h := here{sessions: map[identity.Session]bool{s1: true}, addresses: map[netip.AddrPort]bool{a2: true}}
	if due := l.due(t0, h); len(due) != 0 {
		t.Errorf("%d are joined for nothing", len(due))
	}
	if due := l.due(t0, here{}); len(due) != 2 {
		t.Errorf("%d due", len(due))
	}
	l.drop(s1)
	for _, x := range l.all {
		l.done(x, t0, false, false)
	}
	if due := l.due(t0.Add(time.Second), here{}); len(due) != 1 || due[0].session != s2 {
		t.Errorf("%d due", len(due))
	}
}

// All who lost an instance together do not dial it together for ever.
func TestTriesSpread(t *testing.T) {
	early, late := backoffProven, time.Duration(0)
	for range 100 {
		var l leads
		s, a := nth(1)
		l.add(s, a, netip.Addr{}, true, t0)
		l.done(l.due(t0, here{})[0], t0, false, false)
		wait := l.wait(t0)
		early, late = min(early, wait), max(late, wait)
		if len(l.due(t0.Add(wait-1), here{})) > 0 || len(l.due(t0.Add(wait), here{})) != 1 {
			t.Errorf("not due after %v", wait)
		}
	}
	if early > backoffProven/2 || late < 3*backoffProven/4 || late > backoffProven {
		t.Errorf("a hundred try again between %v and %v later", early, late)
	}
}
