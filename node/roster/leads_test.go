package roster

import (
	"encoding/binary"
	"net/netip"
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
				l.add(s, a, proven, now)
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

// Attack 23, as far as it is the roster's: 10,000 fakes are bounded, eight dials at once, and a real one gets its turn.
func TestFakeLeads(t *testing.T) {
	var l leads
	now := t0
	dials, real := 0, 0
	mine, at := nth(1 << 20)
	for i := range 10000 {
		s, a := nth(i)
		l.add(s, a, false, now)
		if i%50 == 0 {
			l.add(mine, at, false, now)
		}
		if i%5 != 0 {
			continue
		}
		now = now.Add(100 * time.Millisecond)
		due := l.due(now, here{})
		if len(due) > maxJoining {
			t.Fatalf("%d at once", len(due))
		}
		for _, x := range due {
			dials++
			if x.address == at {
				real++
			}
			l.done(x, now, false, false)
		}
		if len(l.all) > maxLeads {
			t.Fatalf("%d leads", len(l.all))
		}
	}
	if real == 0 {
		t.Error("the real one never had its turn")
	}
	t.Logf("%d dials in %v, %d to the real one", dials, now.Sub(t0), real)
}

// One that was a member and did not answer is tried soon after it is heard of again, but not as often as that.
func TestFoundAgain(t *testing.T) {
	var l leads
	s, at := nth(1)
	l.add(s, at, true, t0)
	now, tries := t0, 0
	for range 100 {
		for _, x := range l.due(now, here{}) {
			tries++
			l.done(x, now, false, false)
		}
		l.add(s, at, false, now)
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
	l.add(s1, a1, false, t0)
	l.add(s2, a2, false, t0)
	l.add(s3, a3, false, t0)
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
		l.add(s, a, true, t0)
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
