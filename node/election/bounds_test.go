package election

import (
	"testing"
	"time"
)

// How long each thing is believed, and waited for.

func TestGrowthPutsOffOnce(t *testing.T) {
	e := New(a, Dedicated, ms(0))
	in := Input{Members: []Member{hubAt(b, Ordinary, 3, 7)}}
	e.Step(ms(40), in)
	for i := range 4 { // somebody comes every second
		now := 1000 * (i + 1)
		in.Members = append(in.Members, Member{ID: ID{1, byte(i)}, Since: ms(now)})
		act, at := play(e, ms(now), ms(now+990), in)
		if act.Hub {
			if !at.Equal(ms(4040)) {
				t.Errorf("took over at %v", at.Sub(epoch))
			}
			return
		}
	}
	t.Error("did not take over while people kept coming")
}

func TestClaimIsComparedAsItIs(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	play(e, ms(0), ms(2000), Input{})
	e.Step(ms(2000), Input{Followers: 1})
	play(e, ms(2100), ms(3099), Input{})
	if act, _ := e.Step(ms(3100), Input{Members: []Member{hubAt(c, Ordinary, 0, 9)}}); act.Hub {
		t.Errorf("serves beside a better claim: %+v", act)
	}
}

func TestVotesAndVerdictsEnd(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Link, in.Since = Silent, ms(11000)
	if act, _ := e.Step(ms(11000), in); act.Lost != (Seat{d, 5}) {
		t.Fatalf("%+v", act)
	}
	in.Link, in.Seat = Idle, Seat{}
	if act, _ := play(e, ms(11100), ms(14999), in); act.Lost != (Seat{d, 5}) {
		t.Errorf("the vote ends before the others can count it: %+v", act)
	}
	if act, _ := e.Step(ms(15000), in); act.Lost != (Seat{}) {
		t.Errorf("votes on: %+v", act)
	}

	e, in = follower(a, Ordinary, a, b, c)
	in.Members[0].Lost, in.Members[1].Lost = Seat{d, 5}, Seat{d, 5}
	e.Step(ms(11000), in)
	in.Members[0].Lost, in.Members[1].Lost = Seat{}, Seat{}
	in.Link, in.Seat = Idle, Seat{}
	if act, _ := play(e, ms(11100), ms(14999), in); !act.Hub {
		t.Errorf("the verdict ends with the votes: %+v", act)
	}
	if act, _ := e.Step(ms(15000), in); act.Hub {
		t.Errorf("does not see the hub that is there after all: %+v", act)
	}

	if d := latch(deadLatch, Input{Members: make([]Member, 99)}); d != 10*time.Second {
		t.Errorf("among a hundred a hub is held dead for %v", d)
	}
}

func TestVotesFromBeforeAStop(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Link, in.Since = Silent, ms(11000)
	e.Step(ms(11000), in) // the next step is due at 15000
	in.Members[0].Lost, in.Members[1].Lost = Seat{d, 5}, Seat{d, 5}
	if act, _ := e.Step(ms(16000), in); act.Hub || act.Follow != (Seat{d, 5}) {
		t.Errorf("%+v", act)
	}
	if act, _ := e.Step(ms(17000), in); !act.Hub {
		t.Errorf("the votes still stand: %+v", act)
	}
}

func TestNewcomersComeAfterTheSuccession(t *testing.T) {
	e, in := follower(a, Ordinary, b, a)
	in.Members[1].Class = Dedicated // not named yet
	in.Link, in.Since = Refused, ms(11000)
	if act, _ := e.Step(ms(11000), in); act.Follow != (Seat{b, 6}) {
		t.Errorf("%+v", act)
	}
}

// Of two hubs without room one stays.
func TestBothUnfit(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	play(e, ms(0), ms(2000), Input{})
	if act, _ := e.Step(ms(2100), Input{Unfit: true, Members: []Member{hubAt(c, Ordinary, 0, 1)}}); !act.Hub {
		t.Errorf("%+v", act)
	}
}

func TestSetbackEnds(t *testing.T) {
	e := New(b, Dedicated, ms(0))
	play(e, ms(0), ms(2000), Input{})
	other := []Member{hubAt(a, Ordinary, 1, 2), {ID: c, Class: Ordinary}}
	for _, held := range []time.Duration{time.Second, 61 * time.Second} {
		_, end := play(e, e.now, e.now.Add(held), Input{})
		lost := Seat{b, e.claim.Term}
		if act, _ := e.Step(later(end, e.now), Input{Members: []Member{{ID: a, Class: Ordinary, Lost: lost}, {ID: c, Class: Ordinary, Lost: lost}}}); act.Hub {
			t.Fatalf("%+v", act)
		}
		from := e.now
		if _, at := play(e, from, from.Add(time.Minute), Input{Members: other}); at.Sub(from) != setbackFirst {
			t.Errorf("after %v with the seat: took over after %v", held, at.Sub(from))
		}
	}
}

func TestPatienceWithSuccessors(t *testing.T) {
	for _, tc := range []struct {
		members int
		wait    time.Duration
	}{{4, holdWait}, {0, outsideWait}} {
		e, in := follower(c, Never, b, a)
		in.Members = in.Members[:min(tc.members, len(in.Members))]
		if tc.members == 0 {
			e, in.Members = New(c, Never, ms(0)), nil
			e.Step(ms(10000), in)
		}
		in.Link, in.Since = Refused, ms(11000)
		e.Step(ms(11000), in)
		in.Link, in.Seat = Dialing, Seat{b, 6}
		if act, _ := play(e, ms(11010), ms(11000).Add(tc.wait-1), in); act.Follow != (Seat{b, 6}) {
			t.Errorf("%d members: %+v", tc.members, act)
		}
		if act, _ := e.Step(ms(11000).Add(tc.wait), in); act.Follow.Hub != a {
			t.Errorf("%d members, after %v: %+v", tc.members, tc.wait, act)
		}
	}
}

// A hub beside which another goes on to claim takes a new term, which one that was lost cannot; who held it dead yields to that.
func TestInsists(t *testing.T) {
	e := New(b, Ordinary, ms(0))
	act, _ := play(e, ms(0), ms(2000), Input{})
	rival := Input{Members: []Member{hubAt(c, Ordinary, 0, 1)}}
	if act, _ = play(e, ms(2010), ms(6009), rival); act.Claim.Term != 1 {
		t.Errorf("%+v", act)
	}
	if act, _ = e.Step(ms(6010), rival); !act.Hub || act.Claim.Term != 2 {
		t.Errorf("%+v", act)
	}

	e, in := follower(a, Ordinary, a, b, c)
	in.Members[0].Lost, in.Members[1].Lost = Seat{d, 5}, Seat{d, 5}
	e.Step(ms(11000), in)
	in.Link, in.Seat, in.Followers = Idle, Seat{}, 2
	in.Members[0].Lost, in.Members[1].Lost = Seat{}, Seat{}
	if act, _ := play(e, ms(11100), ms(16000), in); !act.Hub {
		t.Fatalf("yields to a claim that is perhaps a dead one's: %+v", act)
	}
	in.Members[2] = hubAt(d, Ordinary, 2, 7)
	if act, _ := e.Step(ms(16100), in); act.Hub || act.Follow != (Seat{d, 7}) {
		t.Errorf("%+v", act)
	}
}

// Who claims anew after it refused is alive: it refuses this node alone, and is not believed to be gone a second time.
func TestRefusedByOneThatLives(t *testing.T) {
	e, in := follower(a, Ordinary, a, b, c)
	in.Link, in.Since = Refused, ms(11000)
	e.Step(ms(11000), in)
	in.Members[2] = hubAt(d, Ordinary, 2, 8)
	in.Link, in.Seat, in.Since = Dialing, Seat{d, 8}, ms(11100)
	if act, _ := e.Step(ms(11100), in); act.Hub || act.Follow != (Seat{d, 8}) {
		t.Fatalf("%+v", act)
	}
	in.Link, in.Since = Refused, ms(11105)
	if act, _ := play(e, ms(11105), ms(15000), in); act.Hub || act.Follow != (Seat{d, 8}) || act.Lost != (Seat{d, 8}) {
		t.Errorf("%+v", act)
	}
}
