package seal

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

func TestWrapsGolden(t *testing.T) {
	s := must(ParseState(lan, golden.Read(t, "state")))(t)
	b := golden.Make(t, "wraps", func() []byte {
		bodies, _, err := s.Wrap(fixedKey(3), []For{{person(t, 2).ID(), ring(t, 2).Public()}, {person(t, 3).ID(), ring(t, 3).Public()}})
		return must(bodies, err)(t)[0]
	})
	w := must(ParseWraps(b))(t)
	if w.State != s.Hash() || len(b) != 34+2*1208 {
		t.Errorf("%d bytes for %x", len(b), w.State)
	}
	for _, n := range []byte{2, 3} {
		k := must(s.Unwrap(w, person(t, n).ID(), ring(t, n)))(t)
		pin(t, "the epoch key", k.Bytes(), "0303030303030303030303030303030303030303030303030303030303030303")
		if got := w.For(person(t, n).ID()); len(got) != 1 || got[0] != ring(t, n).Public().ID() {
			t.Errorf("wrapped for the keys %x", got)
		}
	}
}

// wrapped returns the wraps of s's key for these people.
func wrapped(t testing.TB, s *State, key EpochKey, people ...byte) []byte {
	t.Helper()
	var to []For
	for _, n := range people {
		to = append(to, For{person(t, n).ID(), ring(t, n).Public()})
	}
	bodies, left, err := s.Wrap(key, to)
	if err != nil || len(left) != 0 || len(bodies) != 1 {
		t.Fatalf("%d bodies, %d left out, %v", len(bodies), len(left), err)
	}
	return bodies[0]
}

func TestUnwrapRefuses(t *testing.T) {
	s := found(t, 2, 3)
	b := wrapped(t, s, fixedKey(1), 2)
	bob, carol := person(t, 2).ID(), person(t, 3).ID()
	unwrap := func(s *State, b []byte, who byte, r *Ring) error {
		_, err := s.Unwrap(must(ParseWraps(b))(t), person(t, who).ID(), r)
		return err
	}
	if err := unwrap(s, b, 2, ring(t, 2)); err != nil {
		t.Fatal(err)
	}
	if err := unwrap(s, b, 3, ring(t, 3)); !errors.Is(err, ErrNoKey) {
		t.Errorf("not wrapped for carol: %v", err)
	}
	// Bob's wrap with carol's name on it, even where she has his ring.
	moved := bytes.Clone(b)
	copy(moved[wrapsHead:], carol[:])
	if err := unwrap(s, moved, 3, ring(t, 3)); !errors.Is(err, ErrNoKey) {
		t.Errorf("another's wrap: %v", err)
	}
	if err := unwrap(s, moved, 3, ring(t, 2)); !errors.Is(err, ErrOpen) {
		t.Errorf("another's wrap with the other's ring: %v", err)
	}
	if err := unwrap(s, moved, 2, ring(t, 2)); !errors.Is(err, ErrNoKey) {
		t.Errorf("the name moved: %v", err)
	}
	// One epoch's wrap in the next, and in another room.
	later := next(t, s, 1, Change{})
	replayed := bytes.Clone(b)
	copy(replayed[1:], later.hash[:])
	if err := unwrap(later, replayed, 2, ring(t, 2)); !errors.Is(err, ErrOpen) {
		t.Errorf("in another epoch: %v", err)
	}
	if err := unwrap(later, b, 2, ring(t, 2)); !errors.Is(err, ErrNoKey) {
		t.Errorf("of another state: %v", err)
	}
	room := must(Found(person(t, 1), lan, message.Nonce{8}, at(0), fixedKey(1), "", bob))(t)
	copy(replayed[1:], room.hash[:])
	if err := unwrap(room, replayed, 2, ring(t, 2)); !errors.Is(err, ErrOpen) {
		t.Errorf("in another room: %v", err)
	}
	// Attack 52: a key that the owner did not commit to, sealed by somebody who knows how.
	lying := *s
	lying.Commitment = fixedKey(9).Commitment()
	wrong := wrapped(t, &lying, fixedKey(9), 2)
	if err := unwrap(s, wrong, 2, ring(t, 2)); !errors.Is(err, ErrCommitment) {
		t.Errorf("another key: %v", err)
	}
	// It does not hide the right one behind it.
	both := append(append(bytes.Clone(wrong), b[wrapsHead:]...), b[wrapsHead:]...)
	both[wrapsHead-1] = 3
	both[wrapsHead+2*wrapLen-1] ^= 1 // nor does one that does not open
	if err := unwrap(s, both, 2, ring(t, 2)); err != nil {
		t.Errorf("a wrong key before the right one: %v", err)
	}
	if err := NewRoom(s).AddKey(s.hash, fixedKey(9)); !errors.Is(err, ErrCommitment) {
		t.Errorf("added: %v", err)
	}
	if err := NewRoom(s).AddKey(later.hash, fixedKey(9)); !errors.Is(err, ErrNoState) {
		t.Errorf("added to a state not known: %v", err)
	}
	if _, _, err := s.Wrap(fixedKey(9), nil); !errors.Is(err, ErrCommitment) {
		t.Errorf("wrapped: %v", err)
	}
}

// A member was away until its key was deleted: it cannot unwrap, says so, and any member wraps again for its new key.
func TestUnwrapWithExpiredKey(t *testing.T) {
	s := found(t, 2, 3)
	w := must(ParseWraps(wrapped(t, s, fixedKey(1), 2, 3)))(t)
	r, _, _ := ring(t, 2).Renew(noon.Add(20 * 24 * time.Hour))
	if _, err := s.Unwrap(w, person(t, 2).ID(), r); err != nil {
		t.Errorf("with the key before: %v", err)
	}
	r, _, _ = r.Renew(noon.Add(40 * 24 * time.Hour))
	if _, err := s.Unwrap(w, person(t, 2).ID(), r); !errors.Is(err, ErrNoKey) {
		t.Errorf("with a ring that has forgotten: %v", err)
	}
	carols := must(s.Unwrap(w, person(t, 3).ID(), ring(t, 3)))(t)
	bodies, _, err := s.Wrap(carols, []For{{person(t, 2).ID(), r.Public()}})
	w = must(ParseWraps(must(bodies, err)(t)[0]))(t)
	if k, err := s.Unwrap(w, person(t, 2).ID(), r); err != nil || k.Commitment() != s.Commitment {
		t.Errorf("wrapped again: %v", err)
	}
}

func TestWrapManyAndBad(t *testing.T) {
	s := found(t, 2, 3)
	var to []For
	for _, k := range badKeys(t) {
		to = append(to, For{person(t, 3).ID(), k})
	}
	if bodies, left, err := s.Wrap(fixedKey(1), to); err != nil || len(bodies) != 0 || len(left) != len(to) {
		t.Errorf("%d bodies, %d left out, %v", len(bodies), len(left), err)
	}
	for range MaxWraps + 1 {
		to = append(to, For{person(t, 2).ID(), ring(t, 2).Public()})
	}
	bodies, left, err := s.Wrap(fixedKey(1), to)
	if err != nil || len(bodies) != 2 || len(left) != len(badKeys(t)) || len(bodies[0]) > message.MaxBody {
		t.Fatalf("%d bodies, %d left out, %v", len(bodies), len(left), err)
	}
	for i, n := range []int{MaxWraps, 1} {
		if w := must(ParseWraps(bodies[i]))(t); len(w.For(person(t, 2).ID())) != n {
			t.Errorf("body %d has %d", i, len(w.For(person(t, 2).ID())))
		}
	}
}

func TestParseWrapsIsStrict(t *testing.T) {
	b := wrapped(t, found(t, 2, 3), fixedKey(1), 2, 3)
	for n := range b {
		if _, err := ParseWraps(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	many := append(bytes.Clone(b[:wrapsHead]), make([]byte, (MaxWraps+1)*wrapLen)...)
	many[wrapsHead-1] = MaxWraps + 1
	none := append(bytes.Clone(b[:wrapsHead-1]), 0)
	for name, b := range map[string][]byte{"longer": append(bytes.Clone(b), 0), "too many": many, "none": none, "another form": append([]byte{1}, b[1:]...)} {
		if _, err := ParseWraps(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvitation(t *testing.T) {
	s := found(t, 2)
	c := (&Invitation{s, fixedKey(1)}).Content()
	// It goes the way that it is meant to.
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	got, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, bob, ring(t, 2), said(t, c))
	if err != nil {
		t.Fatal(err)
	}
	i := must(ParseInvitation(lan, bob, got))(t)
	if i.State.Hash() != s.Hash() {
		t.Error("to another state")
	}
	if name, err := i.State.Name(i.Key); name != "plans" || err != nil {
		t.Errorf("to %q, %v", name, err)
	}
	full := must(Found(person(t, 1), lan, message.Nonce{}, 0, fixedKey(1), "", crowd(MaxMembers-1)...))(t)
	if n := len((&Invitation{full, fixedKey(1)}).Content().Body); n > MaxPrivate {
		t.Errorf("an invitation to 250 people has %d bytes", n)
	}
	if _, err := ParseInvitation(lan, person(t, 3).ID(), c); !errors.Is(err, ErrNotMember) {
		t.Errorf("for another: %v", err)
	}
	if _, err := ParseInvitation(lan, bob, (&Invitation{s, fixedKey(2)}).Content()); !errors.Is(err, ErrCommitment) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := ParseInvitation(other, bob, c); !errors.Is(err, ErrSignature) {
		t.Errorf("to another network: %v", err)
	}
	for _, c := range []Content{{message.Text, c.Body}, {message.Invite, nil}, {message.Invite, c.Body[:33]}, {message.Invite, s.Bytes()}} {
		if _, err := ParseInvitation(lan, bob, c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d %d bytes: %v", c.Kind, len(c.Body), err)
		}
	}
}

func FuzzParseWraps(f *testing.F) {
	s := found(f, 2, 3)
	b := wrapped(f, s, fixedKey(1), 2, 3)
	f.Add(b)
	f.Add(b[:wrapsHead])
	bob, keys := person(f, 2).ID(), ring(f, 2)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseWraps(b)
		if err != nil {
			return
		}
		if k, err := s.Unwrap(w, bob, keys); err == nil && k.Commitment() != s.Commitment {
			t.Fatal("a key that does not match")
		}
	})
}

func FuzzParseInvitation(f *testing.F) {
	f.Add((&Invitation{found(f, 2), fixedKey(1)}).Content().Body)
	f.Add((&Invitation{goldenState(f), fixedKey(3)}).Content().Body)
	bob := person(f, 2).ID()
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := ParseInvitation(lan, bob, Content{message.Invite, b}); err == nil && !bytes.Equal(i.Content().Body, b) {
			t.Fatalf("%x is written as %x", b, i.Content().Body)
		}
	})
}

// An epoch change of the largest room: a state, and its key wrapped for all. It is to take 60 ms at most.
func BenchmarkEpochChange250(b *testing.B) {
	people := crowd(MaxMembers - 1)
	s := must(Found(person(b, 1), lan, message.Nonce{}, 0, fixedKey(1), "", people...))(b)
	to := []For{{person(b, 1).ID(), ring(b, 0).Public()}}
	for i, p := range people {
		to = append(to, For{p, ring(b, byte(i)).Public()})
	}
	b.ReportAllocs()
	for b.Loop() {
		key := NewEpochKey()
		n, err := s.Next(person(b, 1), 0, key, "crowd", Change{})
		if err != nil {
			b.Fatal(err)
		}
		if bodies, left, err := n.Wrap(key, to); err != nil || len(bodies) != 7 || len(left) != 0 {
			b.Fatal(len(bodies), len(left), err)
		}
	}
}

// What a member does with it: seven bodies, one of which has its key.
func BenchmarkEpochReceive250(b *testing.B) {
	s := must(Found(person(b, 1), lan, message.Nonce{}, 0, fixedKey(1), "", append(crowd(MaxMembers-2), person(b, 2).ID())...))(b)
	n := next(b, s, 1, Change{})
	w := wrapped(b, s, fixedKey(1), 2)
	keys := ring(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseState(lan, n.Bytes()); err != nil {
			b.Fatal(err)
		}
		parsed, err := ParseWraps(w)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Unwrap(parsed, person(b, 2).ID(), keys); err != nil {
			b.Fatal(err)
		}
	}
}
