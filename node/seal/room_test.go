package seal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
)

// take gives states to a room, which must not refuse them, and returns what it told of lost ones.
func take(t testing.TB, r *Room, states ...*State) (lost []*State) {
	t.Helper()
	for _, s := range states {
		_, l, err := r.Accept(s)
		if err != nil {
			t.Fatalf("epoch %d: %v", s.Epoch, err)
		}
		lost = append(lost, l...)
	}
	return lost
}

func TestRoomFollows(t *testing.T) {
	one := found(t, 2, 3)
	two := next(t, one, 1, Change{Remove: ids(t, 3)})
	three := next(t, two, 1, Change{Add: ids(t, 4)})
	r := NewRoom(one)
	for _, s := range []*State{two, three} {
		if current, lost, err := r.Accept(s); !current || lost != nil || err != nil || r.Current() != s {
			t.Fatalf("epoch %d: %v, %v, %v", s.Epoch, current, lost, err)
		}
	}
	// An old state replayed, which would bring back who was removed.
	for _, s := range []*State{one, two, must(ParseState(lan, one.Bytes()))(t)} {
		if current, lost, err := r.Accept(s); current || lost != nil || err != nil || r.Current() != three {
			t.Errorf("epoch %d replayed: %v, %v, %v", s.Epoch, current, lost, err)
		}
	}
	// To who was invited later, it is history that the current state builds on.
	late := NewRoom(three)
	if take(t, late, one, two) != nil || late.Current() != three || late.State(one.hash) != one {
		t.Error("history is taken for something else")
	}
}

// forked returns a room's first three epochs and two lines from there, as two machines with alice's profile make them.
func forked(t testing.TB) (base, a, b []*State) {
	one := found(t, 2, 3, 4)
	two := next(t, one, 1, Change{Promote: ids(t, 2)})
	base = []*State{one, two}
	a = []*State{next(t, two, 1, Change{Remove: ids(t, 3), Add: ids(t, 5), Demote: ids(t, 2)})}
	b = []*State{next(t, two, 1, Change{Add: ids(t, 6)})}
	b = append(b, next(t, b[0], 1, Change{Promote: ids(t, 4)}))
	return base, a, b
}

// Two owners' states: every member ends with the same, whatever it hears first, and is told once of what does not hold.
func TestTwoOwnersStates(t *testing.T) {
	base, a, b := forked(t)
	all := slices.Concat(base[1:], a, b)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		r := NewRoom(base[0])
		lost := take(t, r, append(slices.Clone(all), all...)...)
		if r.Current() != b[1] {
			t.Fatalf("the room is epoch %d", r.Current().Epoch)
		}
		if n := len(lost); lost[n-1] != a[0] || n > 2 || n == 2 && lost[0] != b[0] { // which holds until the longer line is known
			t.Fatalf("told of %d states", n)
		}
		c, ok := r.Missing(a[0])
		if !ok || !slices.Equal(c.Add, ids(t, 5)) || !slices.Equal(c.Remove, ids(t, 3)) || !slices.Equal(c.Demote, ids(t, 2)) || c.Promote != nil || c.Owner != nil {
			t.Fatalf("missing is %+v, %v", c, ok)
		}
		again := next(t, r.Current(), 1, c)
		if lost := take(t, r, again); lost != nil || r.Current() != again || again.Has(person(t, 3).ID()) || !again.Has(person(t, 5).ID()) || !again.Has(person(t, 6).ID()) {
			t.Fatalf("made again: %+v", again)
		}
		if c, ok := r.Missing(a[0]); !ok || !c.Empty() {
			t.Fatalf("then missing is %+v, %v", c, ok)
		}
		if restored := NewRoom(r.States()[0], r.States()[1:]...); restored.Current() != again || len(restored.kept) != len(r.kept) || take(t, restored, next(t, again, 1, Change{})) != nil {
			t.Fatal("stored and restored it is another room")
		}
	}
}

// Two states of one epoch, made from one: the higher stamp, then the higher hash.
func TestTwoStatesOfOneEpoch(t *testing.T) {
	one := found(t, 2, 3)
	x := must(one.Next(person(t, 1), at(10), NewEpochKey(), "", Change{}))(t)
	y := must(one.Next(person(t, 1), at(11), NewEpochKey(), "", Change{}))(t)
	z := must(one.Next(person(t, 1), at(11), NewEpochKey(), "", Change{}))(t)
	if slices.Compare(y.hash[:], z.hash[:]) > 0 {
		y, z = z, y
	}
	for _, order := range [][]*State{{x, y, z}, {z, y, x}, {y, z, x}} {
		r := NewRoom(one)
		if lost := take(t, r, order...); len(lost) != 2 || r.Current() != z {
			t.Errorf("told of %d states", len(lost))
		}
	}
	for earlier, later := uint64(20), 0; later < 8; earlier++ { // whatever the hashes are
		s := must(one.Next(person(t, 1), at(0)+earlier, NewEpochKey(), "", Change{}))(t)
		o := must(one.Next(person(t, 1), at(0)+earlier+1, NewEpochKey(), "", Change{}))(t)
		if c, err := s.compare(o); c >= 0 || err != nil {
			t.Fatal("the earlier of two is the greater")
		}
		if slices.Compare(s.hash[:], o.hash[:]) > 0 {
			later++
		}
	}
	// Where the state between is missing, what builds on it shows that the other line was left.
	up := next(t, z, 1, Change{})
	r := NewRoom(x)
	if lost := take(t, r, up); len(lost) != 1 || lost[0] != x {
		t.Errorf("told of %d states", len(lost))
	}
	// Farther on it does not, until that comes.
	upper := next(t, up, 1, Change{})
	r = NewRoom(x)
	if lost := take(t, r, upper); lost != nil {
		t.Errorf("told of %d states too early", len(lost))
	}
	if _, ok := r.Missing(x); ok {
		t.Error("compared without knowing what the two have in common")
	}
	if lost := take(t, r, up); len(lost) != 1 || lost[0] != x {
		t.Errorf("told of %d states at last", len(lost))
	}
}

// What one machine promoted and the other removed stays removed, and can be made.
func TestMissingIsAChange(t *testing.T) {
	one := found(t, 2, 3)
	x1 := next(t, one, 1, Change{Promote: ids(t, 3), Add: ids(t, 4)})
	x2 := next(t, x1, 1, Change{Promote: ids(t, 4)})
	y1 := next(t, one, 1, Change{Remove: ids(t, 3)})
	y2 := next(t, y1, 1, Change{})
	y3 := next(t, y2, 1, Change{})
	r := NewRoom(y3, y2, y1, x2, x1, one)
	c, ok := r.Missing(x2)
	if !ok || !slices.Equal(c.Add, ids(t, 4)) || !slices.Equal(c.Promote, ids(t, 4)) || c.Remove != nil || c.Demote != nil {
		t.Errorf("missing is %+v, %v", c, ok)
	}
	if _, err := y3.Next(person(t, 1), at(99), NewEpochKey(), "", c); err != nil {
		t.Error(err)
	}
}

// Of whom both machines added, and one removed again after that, whichever line holds: the last word counts.
func TestMissingIsTheLater(t *testing.T) {
	one := found(t, 2)
	line := func(s *State, from int, changes ...Change) (states []*State) {
		for n, c := range changes {
			s = must(s.Next(person(t, 1), at(from+n), NewEpochKey(), "", c))(t)
			states = append(states, s)
		}
		return states
	}
	add, remove := Change{Add: ids(t, 3)}, Change{Remove: ids(t, 3)}
	a, b := line(one, 20, add, remove), line(one, 10, add, Change{Add: ids(t, 4)}, Change{})
	c, ok := NewRoom(b[2], b[0], b[1], a[0], a[1], one).Missing(a[1])
	if !ok || !slices.Equal(c.Remove, ids(t, 3)) || c.Add != nil {
		t.Errorf("where it was only added, missing is %+v, %v", c, ok)
	}
	more := line(a[1], 30, Change{}, Change{})
	c, ok = NewRoom(more[1], more[0], a[1], a[0], b[0], b[1], b[2], one).Missing(b[2])
	if !ok || !slices.Equal(c.Add, ids(t, 4)) || c.Remove != nil {
		t.Errorf("where it was removed, missing is %+v, %v", c, ok)
	}
}

func TestHandOver(t *testing.T) {
	alice, bob, carol := person(t, 1), person(t, 2).ID(), person(t, 3).ID()
	one := found(t, 2, 3)
	given := next(t, one, 1, Change{Owner: &bob})
	r := NewRoom(one)
	take(t, r, given)
	if r.Current().Owner() != bob {
		t.Fatal("not handed over")
	}
	if _, err := given.Next(alice, 0, NewEpochKey(), "", Change{}); !errors.Is(err, ErrNotOwner) {
		t.Errorf("alice goes on: %v", err)
	}
	bobs := next(t, given, 2, Change{Remove: ids(t, 1)})
	take(t, r, bobs)

	// Alice, or her other machine, goes on from where she owned it: many epochs, high stamps.
	alices := one
	for range 5 {
		alices = must(alices.Next(alice, at(1e6), NewEpochKey(), "", Change{}))(t)
		if _, _, err := r.Accept(alices); !errors.Is(err, ErrOld) {
			t.Errorf("epoch %d of the owner before: %v", alices.Epoch, err)
		}
	}
	// She makes the state of the hand-over again, with other members.
	again := must(one.Next(alice, at(1e6), NewEpochKey(), "", Change{Owner: &bob, Add: ids(t, 9)}))(t)
	if _, _, err := r.Accept(again); !errors.Is(err, ErrOld) {
		t.Errorf("the hand-over made again: %v", err)
	}
	// She hands it to carol as well: who knows bob stays with him.
	for name, s := range map[string]*State{
		"beside": must(one.Next(alice, at(1e6), NewEpochKey(), "", Change{Owner: &carol}))(t),
		"later":  must(alices.Next(alice, at(1e6), NewEpochKey(), "", Change{Owner: &carol}))(t),
	} {
		if _, _, err := r.Accept(s); !errors.Is(err, ErrOwners) {
			t.Errorf("handed to another %s: %v", name, err)
		}
	}
	if r.Current() != bobs || len(r.kept) != 3 {
		t.Error("something was kept of it")
	}
	// Who heard of alice's later epochs first follows bob all the same, and is told.
	r = NewRoom(one)
	two := next(t, one, 1, Change{Add: ids(t, 4)})
	if lost := take(t, r, two, next(t, two, 1, Change{}), bobs, given); r.Current() != bobs || len(lost) != 1 || lost[0].Epoch != 3 {
		t.Errorf("epoch %d of %s, told of %d", r.Current().Epoch, r.Current().Owner().Tag(), len(lost))
	}
}

func TestAcceptsItsOwnOnly(t *testing.T) {
	r := NewRoom(found(t, 2))
	for name, s := range map[string]*State{
		"another room":    must(Found(person(t, 1), lan, message.Nonce{8}, at(9), fixedKey(1), ""))(t),
		"another network": must(Found(person(t, 1), other, message.Nonce{7}, at(9), fixedKey(1), ""))(t),
	} {
		if _, _, err := r.Accept(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoomForgets(t *testing.T) {
	s := found(t)
	r := NewRoom(s)
	first := s
	if err := r.AddKey(first.hash, fixedKey(1)); err != nil {
		t.Fatal(err)
	}
	for range MaxStates {
		s = next(t, s, 1, Change{})
		take(t, r, s)
	}
	if _, ok := r.Key(first.hash); ok || r.State(first.hash) != nil || len(r.kept) != MaxStates || r.Current() != s {
		t.Errorf("%d states are kept", len(r.kept))
	}
	// The current state is not the one forgotten where it is the oldest: who owned the room before went on for long.
	bob := person(t, 2).ID()
	given := next(t, first, 1, Change{Add: ids(t, 2), Owner: &bob})
	if take(t, r, given); r.State(given.hash) != given || r.Current() != given || len(r.kept) != MaxStates {
		t.Error("the current state was forgotten")
	}
}

// Random histories of one owner on two machines, heard in random order by two members: they agree.
func TestRoomsConverge(t *testing.T) {
	for seed := range uint64(30) {
		dice := rand.New(rand.NewPCG(seed, 1))
		all := []*State{found(t, 2, 3)}
		owner := map[identity.PeerID]byte{person(t, 1).ID(): 1, person(t, 2).ID(): 2, person(t, 3).ID(): 3}
		heirs := []identity.PeerID{} // one hand-over at most: two from one owner are ErrOwners
		for range 12 {
			from := all[dice.IntN(len(all))]
			c := Change{Add: ids(t, byte(10+dice.IntN(5)))}
			if len(heirs) == 0 && dice.IntN(4) == 0 {
				heir := person(t, 2).ID()
				heirs, c.Owner = append(heirs, heir), &heir
			}
			all = append(all, must(from.Next(person(t, owner[from.Owner()]), from.HLC+uint64(dice.IntN(3)), NewEpochKey(), "", c))(t))
		}
		var rooms [2]*Room
		for i := range rooms {
			rooms[i] = NewRoom(all[0])
			dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for range 3 { // an old state can come before what builds on it
				for _, s := range all {
					if _, _, err := rooms[i].Accept(s); err != nil && !errors.Is(err, ErrOld) {
						t.Fatal(err)
					}
				}
			}
		}
		x, y := rooms[0].Current(), rooms[1].Current()
		if x.hash != y.hash {
			t.Fatalf("seed %d: epoch %d of %s and %d of %s", seed, x.Epoch, x.Owner().Tag(), y.Epoch, y.Owner().Tag())
		}
		if err := slices.IndexFunc(all, func(s *State) bool { c, err := s.compare(x); return err != nil || c > 0 }); err >= 0 {
			t.Fatalf("seed %d: there is a greater state", seed)
		}
	}
}
