package election

import (
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"
)

var (
	a, b, c, d = ID{7: 1}, ID{7: 2}, ID{7: 3}, ID{7: 4}
	epoch      = time.Unix(1e9, 0)
)

func ms(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

func hubAt(id ID, class Class, weight uint8, term uint64) Member {
	return Member{ID: id, Class: class, Hub: true, Weight: weight, Term: term, Since: ms(0)}
}

func TestBetterIsTotal(t *testing.T) {
	ranked := []Claim{ // best first
		{a, Dedicated, 0, 1}, {b, Dedicated, 0, 1},
		{c, Ordinary, 3, 1}, {b, Ordinary, 2, 9}, {d, Ordinary, 2, 8}, {a, Ordinary, 2, 7}, {b, Ordinary, 2, 7},
		{a, Ordinary, 0, math.MaxUint64}, {a, Never, 9, 9},
	}
	for i, x := range ranked {
		for j, y := range ranked {
			if x.Better(y) != (i < j) {
				t.Errorf("%v better than %v: %v", x, y, x.Better(y))
			}
		}
	}
}

// play steps an election at its wake times up to end and returns the last action.
func play(e *Election, from, end time.Time, in Input) (last Action, claimed time.Time) {
	for now := from; !now.After(end); {
		act, wake := e.Step(now, in)
		if act.Hub && !last.Hub {
			claimed = now
		}
		last = act
		if wake.IsZero() {
			break
		}
		now = wake
	}
	return last, claimed
}

func TestStart(t *testing.T) {
	member := func(id ID, class Class, since int) Member { return Member{ID: id, Class: class, Since: ms(since)} }
	for name, tc := range map[string]struct {
		class Class
		in    Input
		at    int // ms; -1: never
	}{
		"alone":                 {Ordinary, Input{}, 800},
		"never":                 {Never, Input{}, -1},
		"unfit and alone":       {Ordinary, Input{Unfit: true}, 1800},
		"all are unfit":         {Ordinary, Input{Unfit: true, Members: []Member{member(c, Never, 100)}}, 1400},
		"unfit":                 {Ordinary, Input{Unfit: true, Members: []Member{member(c, Ordinary, 100)}}, -1},
		"leaving":               {Ordinary, Input{Leaving: true}, -1},
		"first by id":           {Ordinary, Input{Members: []Member{member(c, Ordinary, 100), member(d, Ordinary, 200)}}, 500},
		"second by id":          {Ordinary, Input{Members: []Member{member(a, Ordinary, 200)}}, 650},
		"first by class":        {Dedicated, Input{Members: []Member{member(a, Ordinary, 200)}}, 500},
		"never do not count":    {Ordinary, Input{Members: []Member{member(a, Never, 200)}}, 500},
		"cap":                   {Ordinary, Input{Members: []Member{member(a, Ordinary, 2400)}}, 2500},
		"a hub is there":        {Ordinary, Input{Members: []Member{hubAt(c, Ordinary, 0, 1)}}, -1},
		"linked out of reach":   {Ordinary, Input{Link: Linked, Seat: Seat{c, 4}, Since: ms(0)}, -1},
		"an address is dialled": {Ordinary, Input{Link: Dialing, Since: ms(0)}, 2500},
		"the address is silent": {Ordinary, Input{Link: Silent, Since: ms(0)}, 800},
	} {
		act, at := play(New(b, tc.class, ms(0)), ms(0), ms(9000), tc.in)
		switch {
		case tc.at < 0 && (act.Hub || !at.IsZero()):
			t.Errorf("%s: claimed", name)
		case tc.at >= 0 && !at.Equal(ms(tc.at)):
			t.Errorf("%s: claimed at %v, not %d ms", name, at.Sub(epoch), tc.at)
		}
	}
}

// follower returns an election that has followed hub d at term 5 for ten seconds, and its input.
func follower(self ID, class Class, order ...ID) (*Election, Input) {
	e := New(self, class, ms(0))
	in := Input{Link: Linked, Seat: Seat{d, 5}, Since: ms(100), Order: order}
	for _, m := range []Member{{ID: a}, {ID: b}, {ID: c}, hubAt(d, Ordinary, 2, 5)} {
		if m.ID != self {
			m.Class, m.Since = Ordinary, ms(0)
			in.Members = append(in.Members, m)
		}
	}
	e.Step(ms(100), in)
	e.Step(ms(10000), in)
	return e, in
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		self  ID
		order []ID
		after int
		heir  ID // followed at once
	}{
		{b, []ID{b, a, c}, 0, ID{}}, // the standby, though a has the lower id
		{a, []ID{b, a, c}, 150, b},
		{c, []ID{b, a, c}, 300, b},
		{a, nil, 150, ID{}}, // first, but without knowing the order
		{b, nil, 150, a},
	} {
		e, in := follower(tc.self, Ordinary, tc.order...)
		in.Link, in.Since = Refused, ms(10003)
		act, _ := e.Step(ms(10003), in)
		if want := (Seat{tc.heir, 6}); tc.heir != (ID{}) && act.Follow != want || tc.heir == (ID{}) && act.Follow != (Seat{}) {
			t.Errorf("%v: follows %v", tc, act.Follow)
		}
		if act.Lost != (Seat{}) {
			t.Errorf("%v: a refusal is known to all, no vote", tc)
		}
		act, at := play(e, ms(10003), ms(11000), in)
		if !at.Equal(ms(10003+tc.after)) || act.Claim.Term != 6 {
			t.Errorf("%v: claimed %v after the refusal with term %d", tc, at.Sub(ms(10003)), act.Claim.Term)
		}
		if at := e.dead[d].until; !at.Equal(ms(15003)) {
			t.Errorf("latched until %v", at)
		}
	}
}

func TestFollowsTheStandbyFromExpectedToClaimed(t *testing.T) {
	e, in := follower(a, Ordinary, b, a, c)
	in.Link, in.Since = Refused, ms(10000)
	e.Step(ms(10000), in)
	in.Link, in.Seat, in.Since = Linked, Seat{b, 6}, ms(10020) // its claim has not come round yet
	act, _ := play(e, ms(10020), ms(12000), in)
	if act.Hub || act.Follow != in.Seat {
		t.Fatalf("%+v", act)
	}
	in.Members[0] = hubAt(b, Ordinary, 0, 6)
	if act, _ = e.Step(ms(12000), in); act.Follow != in.Seat {
		t.Fatalf("%+v", act)
	}
}

func TestStandbyIsGoneToo(t *testing.T) {
	e, in := follower(a, Ordinary, b, c, a)
	in.Link, in.Since = Refused, ms(10000)
	e.Step(ms(10000), in)
	in.Seat, in.Since = Seat{b, 6}, ms(10005)
	act, _ := e.Step(ms(10005), in)
	if act.Follow != (Seat{c, 6}) {
		t.Fatalf("follows %v", act.Follow)
	}
	if _, at := play(e, ms(10005), ms(11000), in); !at.Equal(ms(10150)) {
		t.Fatalf("claimed at %v", at.Sub(epoch))
	}
}

func TestARefusalIsBelievedOncePerSeat(t *testing.T) {
	e, in := follower(b, Ordinary, a, b, c)
	in.Link, in.Since = Refused, ms(10000)
	if act, _ := e.Step(ms(10000), in); act.Follow.Hub != a {
		t.Fatalf("%+v", act)
	}
	in.Members[0] = hubAt(a, Ordinary, 0, 6)
	act, _ := e.Step(ms(10100), in)
	if act.Follow != (Seat{a, 6}) {
		t.Fatalf("%+v", act)
	}
	// The roster never agreed: the claim is valid again, and being refused again is this node's own trouble.
	act, _ = e.Step(ms(15000), in)
	if act.Follow != (Seat{d, 5}) {
		t.Fatalf("%+v", act)
	}
	in.Since = ms(15010)
	act, _ = e.Step(ms(15010), in)
	if act.Follow != (Seat{d, 5}) || act.Lost != (Seat{d, 5}) {
		t.Fatalf("%+v", act)
	}
}

func TestSilenceNeedsAMajority(t *testing.T) {
	lost := Seat{d, 5}
	for _, tc := range []struct {
		votes []Seat // of the two others
		dead  bool
	}{
		{[]Seat{{}, {}}, false},
		{[]Seat{lost, {}}, true},
		{[]Seat{{d, 4}, {c, 5}}, false}, // of another seat
		{[]Seat{lost, lost}, true},
	} {
		e, in := follower(a, Ordinary, a, b, c)
		in.Members[0].Lost, in.Members[1].Lost = tc.votes[0], tc.votes[1]
		in.Link, in.Since = Silent, ms(11000)
		act, _ := e.Step(ms(11000), in)
		if act.Lost != lost {
			t.Error("no vote")
		}
		if act.Hub != tc.dead {
			t.Errorf("%v: hub %v", tc.votes, act.Hub)
		}
		if !tc.dead && act.Follow != lost {
			t.Errorf("%v: a victim keeps redialling, not %v", tc.votes, act.Follow)
		}
	}
	// Who is linked follows the vote of the others; who is linked again takes its own back.
	e, in := follower(a, Ordinary, b, a, c)
	in.Members[0].Lost, in.Members[1].Lost = lost, lost
	if act, _ := e.Step(ms(11000), in); act.Follow != (Seat{b, 6}) || act.Lost != (Seat{}) {
		t.Errorf("%+v", act)
	}
	e, in = follower(a, Ordinary, b, a, c)
	in.Link, in.Since = Silent, ms(11000)
	e.Step(ms(11000), in)
	in.Link, in.Since = Linked, ms(11100)
	if act, _ := e.Step(ms(11100), in); act.Lost != (Seat{}) {
		t.Errorf("%+v", act)
	}
}

// The roster may take longer to agree than a vote or a refusal holds. A hub that still claims just what it claimed then has not been heard of: nobody hands over to it, or follows it.
func TestClaimOfALostHub(t *testing.T) {
	lost := Seat{d, 5}
	for _, tc := range []struct {
		self ID // the new hub, or one that follows it
		link LinkState
		late int // what it said last, in ms: one that was frozen meanwhile may bring it
	}{{a, Silent, 0}, {b, Silent, 0}, {a, Refused, 0}, {b, Refused, 0}, {a, Silent, 3000}, {b, Silent, 3000}, {a, Refused, 3000}, {b, Refused, 3000}} {
		e, in := follower(tc.self, Ordinary, a, b, c)
		in.Members[0].Lost, in.Members[1].Lost = lost, lost
		in.Link, in.Since = tc.link, ms(11000)
		in.Members[2].Weight = 1 // before what it said last
		play(e, ms(11000), ms(11500), in)
		in.Members[0].Lost, in.Members[1].Lost = Seat{}, Seat{}
		want := Seat{}
		if tc.self == a {
			in.Link, in.Seat, in.Followers = Idle, Seat{}, 1 // fewer than the old one had
		} else {
			in.Members[0].Hub, in.Members[0].Term, in.Members[0].Weight = true, 6, 1
			in.Link, in.Seat, in.Since = Linked, Seat{a, 6}, ms(11500)
			want = Seat{a, 6}
		}
		for n := 11500; n < 20000; n += 100 {
			if n == 11500+tc.late {
				in.Members[2].Weight = 2
			}
			if act, _ := e.Step(ms(n), in); act.Hub != (tc.self == a) || act.Follow != want {
				t.Fatalf("%v: after %d ms: %+v", tc, n, act)
			}
		}
		in.Members[2].Weight = 3 // it lives
		if act, _ := e.Step(ms(20000), in); act.Hub || act.Follow != lost {
			t.Errorf("%v: a better claim: %+v", tc, act)
		}
	}
}

// Who never answered was dialled at a guessed term: what is lost is the seat as it is claimed.
func TestLostAtAGuessedTerm(t *testing.T) {
	for _, l := range []LinkState{Silent, Refused} {
		for _, guess := range []uint64{4, 9} {
			e, in := follower(a, Ordinary, a, b, c)
			in.Link, in.Seat, in.Since = l, Seat{d, guess}, ms(11000)
			in.Members[0] = hubAt(b, Ordinary, 0, 6) // while it is believed that d is gone
			play(e, ms(11000), ms(17000), in)
			in.Members[0] = Member{ID: b, Class: Ordinary, Since: ms(0)}
			if act, _ := e.Step(ms(17010), in); act.Lost != (Seat{d, 5}) || act.Follow != (Seat{d, 5}) {
				t.Errorf("link %v, dialled at term %d: %+v", l, guess, act)
			}
		}
	}
}

// Who is cut off sees the others go one by one. What is left is no majority.
func TestCutOff(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Link, in.Since = Silent, ms(11000)
	e.Step(ms(11000), in)
	in.Members = in.Members[2:]
	if act, _ := e.Step(ms(12500), in); act.Hub || act.Follow != (Seat{d, 5}) {
		t.Fatalf("took the seat of a hub that others may still be at: %+v", act)
	}
	in.Members = nil
	if act, _ := e.Step(ms(13000), in); !act.Hub {
		t.Fatalf("%+v", act)
	}
}

// A claim that the link knows to be newer than the roster does weighs what the roster says: else the two tell different hubs, and the link goes to and fro between them.
func TestNewerClaimKeepsItsWeight(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Members[1] = hubAt(c, Ordinary, 1, 6)
	in.Seat.Term, in.Since = 6, ms(10000)
	if act, _ := e.Step(ms(10000), in); act.Follow != in.Seat {
		t.Errorf("%+v", act)
	}
}

func TestVerdictOfTheRoster(t *testing.T) {
	e, in := follower(b, Ordinary, a, b, c)
	in.Link, in.Since = Silent, ms(11000)
	e.Step(ms(11000), in)
	in.Members = in.Members[:2] // the hub is gone
	act, _ := e.Step(ms(12000), in)
	if act.Hub || act.Follow != (Seat{a, 6}) || act.Lost != (Seat{}) {
		t.Fatalf("%+v", act)
	}
	if _, at := play(e, ms(12000), ms(14000), in); !at.Equal(ms(12150)) {
		t.Fatalf("claimed at %v", at.Sub(epoch))
	}
}

// A roster that says the hub is dead does not move who is linked to it.
func TestForgedDeathMovesNobody(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Members = in.Members[:2]
	if act, _ := play(e, ms(12000), ms(60000), in); act.Hub || act.Follow != (Seat{d, 5}) {
		t.Fatalf("%+v", act)
	}
	in.Link, in.Since = Silent, ms(60000) // until it does die
	if act, _ := e.Step(ms(60000), in); !act.Hub {
		t.Fatalf("%+v", act)
	}
}

func TestParted(t *testing.T) {
	e, in := follower(b, Ordinary, a, b, c)
	in.Link, in.Since, in.Successor = Parted, ms(10000), b
	if act, _ := e.Step(ms(10000), in); !act.Hub || act.Claim.Term != 6 {
		t.Fatalf("the successor does not claim: %+v", act)
	}
	e, in = follower(a, Ordinary, a, b, c)
	in.Link, in.Since, in.Successor = Parted, ms(10000), c
	act, _ := e.Step(ms(10000), in)
	if act.Follow != (Seat{c, 6}) {
		t.Fatalf("the successor is not followed: %+v", act)
	}
	if _, at := play(e, ms(10000), ms(11000), in); !at.Equal(ms(10150)) {
		t.Fatalf("claimed at %v", at.Sub(epoch))
	}
}

// A hub that was lost comes back, and the one that took its place gives the seat back as soon as it holds it dead no more. Who still does, for a moment, believes it and does not claim. Who merely
// says that it is not the hub proves nothing.
func TestHandedBack(t *testing.T) {
	for _, hub := range []bool{true, false} {
		e, in := follower(c, Ordinary, a, b, c)
		in.Members[2].Class = Dedicated
		in.Link, in.Since = Silent, ms(10700)
		in.Members[0].Lost, in.Members[1].Lost = Seat{d, 5}, Seat{d, 5}
		if act, _ := e.Step(ms(10700), in); act.Follow != (Seat{a, 6}) || !e.isDead(Seat{d, 5}) {
			t.Fatalf("the hub is lost: %+v", act)
		}
		in.Members[0] = hubAt(a, Ordinary, 1, 6)
		in.Members[0].Lost = Seat{d, 5}
		in.Link, in.Seat, in.Since = Linked, Seat{a, 6}, ms(10800)
		in.Order = []ID{b, c, d} // and the others' votes are still about
		play(e, ms(10800), ms(14600), in)
		in.Members[0].Hub = hub
		in.Link, in.Since, in.Successor = Parted, ms(14650), d
		act, _ := e.Step(ms(14650), in)
		if hub && act.Follow != (Seat{d, 5}) || !hub && act.Follow == (Seat{d, 5}) {
			t.Errorf("%v, and handed over: %+v", hub, act)
		}
		in.Link, in.Seat, in.Since, in.Successor = Dialing, Seat{d, 5}, ms(14650), ID{}
		_, early := play(e, ms(14651), ms(15600), in)
		in.Members[0].Lost, in.Members[1].Lost = Seat{}, Seat{}
		if _, at := play(e, ms(15600), ms(17000), in); hub && !(early.IsZero() && at.IsZero()) {
			t.Errorf("claimed at %v or %v", early.Sub(epoch), at.Sub(epoch))
		}
	}
}

func TestTwoHubs(t *testing.T) {
	hub := func() *Election {
		e := New(b, Ordinary, ms(0))
		if act, _ := play(e, ms(0), ms(900), Input{}); !act.Hub {
			t.Fatal("not the hub")
		}
		return e
	}
	for _, tc := range []struct {
		other  Member
		yields bool
	}{
		{hubAt(a, Ordinary, 0, 1), true},
		{hubAt(c, Ordinary, 0, 1), false},
		{hubAt(c, Ordinary, 0, 2), true},
		{hubAt(c, Ordinary, 1, 1), true},
		{hubAt(c, Dedicated, 0, 1), true},
		{Member{ID: a, Class: Dedicated}, false},
	} {
		act, _ := hub().Step(ms(1000), Input{Members: []Member{tc.other}})
		if act.Hub == tc.yields || tc.yields && (act.HandOver != tc.other.ID || act.Follow != Seat{tc.other.ID, tc.other.Term}) || !tc.yields && act.HandOver != (ID{}) {
			t.Errorf("%+v: %+v", tc.other, act)
		}
	}
	// A lone hub that gets a link to one out of the roster's reach goes there; one with followers stays.
	in := Input{Link: Linked, Seat: Seat{d, 9}, Since: ms(900)}
	if act, _ := hub().Step(ms(1000), in); act.Hub || act.HandOver != d || act.Follow != in.Seat {
		t.Errorf("%+v", act)
	}
	in.Followers = 1
	if act, _ := hub().Step(ms(1000), in); !act.Hub {
		t.Errorf("%+v", act)
	}
}

func TestHigherClass(t *testing.T) {
	start := func() (*Election, Input) {
		return New(a, Dedicated, ms(0)), Input{Members: []Member{hubAt(b, Ordinary, 3, 7)}, Link: Linked, Seat: Seat{b, 7}, Since: ms(50)}
	}
	e, in := start()
	act, at := play(e, ms(40), ms(3000), in)
	if !at.Equal(ms(2040)) || act.Claim.Term != 8 {
		t.Errorf("took over at %v: %+v", at.Sub(epoch), act)
	}
	e, in = start()
	e.Step(ms(40), in)
	in.Members = append(in.Members, Member{ID: c, Since: ms(1500)}) // growth puts it off
	if _, at = play(e, ms(1500), ms(9000), in); !at.Equal(ms(3500)) {
		t.Errorf("took over at %v", at.Sub(epoch))
	}
	e, in = start()
	e.Step(ms(40), in)
	in.Members[0].Class = Dedicated
	if _, at = play(e, ms(40), ms(9000), in); !at.IsZero() {
		t.Error("took over from its own class")
	}
	e, in = start()
	in.Members = append(in.Members, Member{ID: ID{}, Class: Dedicated, Since: ms(0)}) // another box is first
	if _, at = play(e, ms(40), ms(9000), in); !at.Equal(ms(2190)) {
		t.Errorf("took over at %v", at.Sub(epoch))
	}
}

func TestSuspended(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	if act, _ := play(e, ms(0), ms(2000), Input{}); !act.Hub {
		t.Fatal("not the hub")
	}
	due := e.due
	if act, _ := e.Step(due.Add(700*time.Millisecond), Input{}); !act.Hub {
		t.Fatal("late, but not that late")
	}
	now := e.due.Add(701 * time.Millisecond)
	act, _ := e.Step(now, Input{})
	if act.Hub || act.HandOver != (ID{}) || act.Follow != (Seat{}) {
		t.Fatalf("%+v", act)
	}
	if _, at := play(e, now, now.Add(5*time.Second), Input{}); !at.Equal(now.Add(time.Second)) {
		t.Fatalf("claimed %v after it woke", at.Sub(now))
	}
	// Someone took over meanwhile: heard within that second.
	now = e.due.Add(time.Minute)
	e.Step(now, Input{})
	if act, _ := play(e, now.Add(900*time.Millisecond), now.Add(time.Minute), Input{Members: []Member{hubAt(c, Ordinary, 0, 3)}}); act.Hub || act.Follow != (Seat{c, 3}) {
		t.Fatalf("%+v", act)
	}
}

// A clock that stands still while the machine sleeps does not hide that; setting the wall clock looks like nothing.
func TestSleptAndStepped(t *testing.T) {
	now := time.Now()
	e, slept := New(b, Ordinary, now), 3*time.Hour
	if act, _ := play(e, now, now.Add(2*time.Second), Input{Slept: slept}); !act.Hub {
		t.Fatal("not the hub")
	}
	now = e.now
	for _, by := range []time.Duration{time.Second, time.Hour, -time.Hour} {
		now = now.Add(pulse)
		if act, _ := e.Step(stepped(now, by), Input{Slept: slept}); !act.Hub {
			t.Fatalf("dropped its claim as the wall clock was set by %v", by)
		}
	}
	for _, by := range []time.Duration{overslept - pulse, -time.Second, time.Second} { // what it is told may be a little off
		slept += by
		now = now.Add(pulse)
		if act, _ := e.Step(now, Input{Slept: slept}); act.Hub != (by < overslept) {
			t.Fatalf("the hub: %v, after %v of sleep", act.Hub, by)
		}
	}
}

// stepped is t as time.Now would have it had the wall clock been set by that much since t's other clock began.
func stepped(t time.Time, by time.Duration) time.Time {
	words := (*[2]uint64)(unsafe.Pointer(&t)) // of the first, the 33 bits above 30 are the seconds of the wall clock (time.Time)
	words[0] += uint64(by/time.Second) << 30
	return t
}

func TestVotedLost(t *testing.T) {
	e := New(b, Dedicated, ms(0))
	act, _ := play(e, ms(0), ms(2000), Input{})
	lost := Seat{b, act.Claim.Term}
	in := Input{Members: []Member{{ID: a, Class: Ordinary, Lost: lost}, {ID: c, Class: Ordinary, Lost: lost}, {ID: d, Class: Ordinary}}}
	one := Input{Members: []Member{in.Members[0], {ID: c, Class: Ordinary}, in.Members[2]}}
	if act, _ = e.Step(ms(2100), one); !act.Hub {
		t.Fatal("one vote of three is not enough")
	}
	if act, _ = e.Step(ms(2200), in); act.Hub {
		t.Fatal("kept the seat that most have lost")
	}
	in = Input{Members: []Member{hubAt(a, Ordinary, 1, 2), {ID: c, Class: Ordinary}}}
	for _, wait := range []time.Duration{5 * time.Second, 10 * time.Second} {
		from := e.now
		_, at := play(e, from, from.Add(time.Minute), in)
		if at.Sub(from) != wait {
			t.Fatalf("took over after %v, not %v", at.Sub(from), wait)
		}
		in.Members[1].Lost = Seat{b, e.claim.Term}
		in.Members[0].Lost = in.Members[1].Lost
		if act, _ = e.Step(e.now, in); act.Hub {
			t.Fatal("kept it")
		}
	}
}

// All dial at once who claims anew, and where packets are lost most may be late: for a second that is no majority, for the hub and for those who are there already. Then it is.
func TestLateAtANewHub(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	_, at := play(e, ms(0), ms(1000), Input{})
	lost := Seat{b, e.claim.Term}
	in := Input{Members: []Member{{ID: a, Class: Ordinary, Lost: lost}, {ID: c, Class: Ordinary, Lost: lost}, {ID: d, Class: Ordinary}}}
	if act, _ := play(e, at.Add(400*time.Millisecond), at.Add(950*time.Millisecond), in); !act.Hub {
		t.Error("it gives up what it has just claimed")
	}
	if act, _ := e.Step(at.Add(time.Second), in); act.Hub {
		t.Error("it keeps the seat that most have lost")
	}

	e, in = follower(c, Ordinary, a, b, c)
	in.Members[0] = hubAt(a, Bridge, 0, 6)
	in.Members[2].Hub = false
	in.Link, in.Seat, in.Since = Parted, Seat{d, 5}, ms(10100)
	in.Successor = a
	e.Step(ms(10100), in)
	in.Link, in.Seat, in.Since, in.Successor = Linked, Seat{a, 6}, ms(10300), ID{}
	in.Members[1].Lost, in.Members[2].Lost = Seat{a, 6}, Seat{a, 6}
	e.Step(ms(10300), in)
	e.heirTill = ms(10400) // the successor's own grace, which is over for who was not told of it
	if act, _ := play(e, ms(10500), ms(11050), in); act.Follow != in.Seat {
		t.Errorf("who is at the new hub leaves it: %+v", act)
	}
	if act, _ := e.Step(ms(11150), in); act.Follow == in.Seat {
		t.Errorf("it stays at a hub that most have lost: %+v", act)
	}
}

func TestResign(t *testing.T) {
	members := []Member{{ID: a, Class: Ordinary, Since: ms(20)}, {ID: c, Class: Ordinary, Since: ms(10)}, {ID: d, Class: Never, Since: ms(0)}}
	for _, in := range []Input{{Unfit: true}, {Leaving: true}} {
		e := New(b, Ordinary, ms(0))
		play(e, ms(0), ms(2000), Input{Members: members})
		in.Members = members
		act, _ := e.Step(ms(2100), in)
		if act.Hub || act.HandOver != c || act.Follow != (Seat{c, 2}) { // c has been there longest
			t.Errorf("%+v", act)
		}
		if act, _ = play(e, ms(2100), ms(60000), in); act.Hub {
			t.Errorf("%+v", act)
		}
	}
	e := New(b, Ordinary, ms(0))
	play(e, ms(0), ms(2000), Input{})
	if act, _ := e.Step(ms(2100), Input{Leaving: true}); act.Hub || act.HandOver != (ID{}) {
		t.Errorf("%+v", act)
	}
}

func TestUnfit(t *testing.T) {
	never := []Member{{ID: c, Class: Never, Since: ms(10)}, {ID: d, Class: Never, Since: ms(10)}}
	e := New(b, Dedicated, ms(0))
	in := Input{Members: never, Unfit: true}
	play(e, ms(0), ms(2000), Input{Members: never})
	if act, _ := e.Step(ms(2100), in); !act.Hub || act.Claim.Class != Ordinary {
		t.Errorf("gave the seat up though nobody else may have it: %+v", act)
	}
	in.Members = []Member{never[0], {ID: d, Class: Ordinary, Since: ms(10)}}
	act, _ := e.Step(ms(2200), in)
	if act.Hub || act.HandOver != d || act.Claim.Class != Never {
		t.Errorf("did not hand over to who has room: %+v", act)
	}
	in.Members[1] = hubAt(d, Ordinary, 1, 2)
	if act, at := play(e, ms(2300), ms(4000), in); !at.IsZero() || act.Claim.Class != Never {
		t.Errorf("%+v", act)
	}
	in.Unfit = false
	if act, at := play(e, ms(4000), ms(20000), in); !at.Equal(ms(7200)) || act.Claim.Class != Dedicated {
		t.Errorf("took over at %v, not 5 s after it resigned: %+v", at.Sub(epoch), act)
	}
}

func TestNobodyElse(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	act, _ := play(e, ms(0), ms(2000), Input{})
	lost := Seat{b, act.Claim.Term}
	in := Input{Members: []Member{{ID: a, Class: Never, Lost: lost}, {ID: c, Class: Never, Lost: lost}}}
	if act, _ = e.Step(ms(2100), in); !act.Hub {
		t.Error("gave the seat up though nobody else may have it")
	}
}

// One that was about to claim and did not run listens first, whenever it was to claim.
func TestSuspendedBeforeItsTurn(t *testing.T) {
	e := New(a, Dedicated, ms(0))
	in := Input{Members: []Member{hubAt(b, Ordinary, 3, 7)}}
	e.Step(ms(0), in)
	if _, at := play(e, ms(2100), ms(9000), in); !at.Equal(ms(3100)) {
		t.Errorf("took over at %v", at.Sub(epoch))
	}
}

func TestWeight(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	play(e, ms(0), ms(2000), Input{})
	for _, s := range []struct {
		at, followers int
		weight        uint8
	}{{2000, 0, 0}, {2010, 1, 1}, {2020, 7, 3}, {2030, 8, 4}, {2100, 0, 4}, {2500, 8, 4}, {2600, 3, 4}, {2700, 5, 4}, {2800, 0, 4}, {3500, 1, 4}, {3600, 1, 3}, {4550, 1, 3}, {4600, 1, 1}} {
		act, _ := e.Step(ms(s.at), Input{Followers: s.followers})
		if act.Claim.Weight != s.weight {
			t.Errorf("at %d ms with %d followers: weight %d, not %d", s.at, s.followers, act.Claim.Weight, s.weight)
		}
	}
}

func TestOrder(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	in := Input{Members: []Member{
		{ID: a, Class: Ordinary, Since: ms(30)}, {ID: c, Class: Ordinary, Since: ms(10)}, {ID: d, Class: Never, Since: ms(0)},
		{ID: ID{9}, Class: Ordinary, Since: ms(10)}, {ID: ID{8}, Class: Dedicated, Since: ms(90)},
	}}
	act, _ := play(e, ms(0), ms(3000), in)
	if want := []ID{{8}, c, {9}, a}; !slices.Equal(act.Order, want) {
		t.Errorf("%v, not %v", act.Order, want)
	}
	in.Members[0].Linked, in.Members[3].Linked = true, true
	act, _ = e.Step(ms(3000), in)
	if want := []ID{{9}, a, {8}, c}; !slices.Equal(act.Order, want) {
		t.Errorf("%v, not %v: those linked come first", act.Order, want)
	}
	in.Members = nil
	for i := range 300 {
		in.Members = append(in.Members, Member{ID: ID{1, byte(i >> 8), byte(i)}, Class: Ordinary})
	}
	if act, _ = e.Step(ms(3000), in); len(act.Order) != maxOrder {
		t.Errorf("%d named", len(act.Order))
	}
}

// A client that no roster reaches follows what its link says.
func TestLinkOnly(t *testing.T) {
	e := New(a, Never, ms(0))
	in := Input{Link: Linked, Seat: Seat{d, 3}, Since: ms(100), Order: []ID{b, c}}
	step := func(at int, want Seat) {
		t.Helper()
		if act, _ := e.Step(ms(at), in); act.Follow != want || act.Hub {
			t.Fatalf("at %d ms: %+v, want %v", at, act, want)
		}
	}
	step(100, Seat{d, 3})
	in.Link, in.Since = Silent, ms(2000)
	step(2000, Seat{d, 3})
	step(90000, Seat{d, 3})
	in.Link, in.Since = Refused, ms(90100)
	step(90100, Seat{b, 4})
	in.Seat, in.Since = Seat{b, 4}, ms(90200)
	step(90200, Seat{c, 4})
	in.Link, in.Seat, in.Since, in.Successor = Parted, Seat{c, 4}, ms(90300), ID{9}
	step(90300, Seat{ID{9}, 4})
	in.Link, in.Seat, in.Since, in.Successor = Linked, Seat{ID{9}, 6}, ms(90400), ID{}
	step(90400, Seat{ID{9}, 6})
	in.Link, in.Since = Refused, ms(91000)
	in.Order = nil
	step(91000, Seat{})
}

func TestTermSaturates(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	act, _ := play(e, ms(0), ms(3000), Input{Members: []Member{{ID: c, Class: Never, Term: math.MaxUint64}}})
	if !act.Hub || act.Claim.Term != math.MaxUint64 {
		t.Fatalf("%+v", act)
	}
}
