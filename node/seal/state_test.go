package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

// at returns a stamp n seconds after noon.
func at(n int) uint64 { return uint64(noon.UnixMilli()+int64(n)*1000) << 16 }

// ids returns the people with these numbers.
func ids(t testing.TB, numbers ...byte) (people []identity.PeerID) {
	for _, n := range numbers {
		people = append(people, person(t, n).ID())
	}
	return people
}

func fixedKey(n byte) EpochKey { return epochKey([32]byte(bytes.Repeat([]byte{n}, 32))) }

// found returns the first state of a room of alice (1), with these members besides, and key 1.
func found(t testing.TB, others ...byte) *State {
	t.Helper()
	return must(Found(person(t, 1), lan, message.Nonce{7}, at(0), fixedKey(1), "plans", ids(t, others...)...))(t)
}

// next makes the state after s as person n, with a key of its own.
func next(t testing.TB, s *State, n byte, c Change) *State {
	t.Helper()
	return must(s.Next(person(t, n), s.HLC+1<<16, NewEpochKey(), "plans", c))(t)
}

// goldenState: alice founds with bob and carol, makes bob a moderator, hands over to bob.
func goldenState(t testing.TB) *State {
	t.Helper()
	s := next(t, found(t, 2, 3), 1, Change{Promote: ids(t, 2)})
	bob := person(t, 2).ID()
	return must(s.Next(person(t, 1), at(60), fixedKey(3), "pläne", Change{Owner: &bob}))(t)
}

func TestStateGolden(t *testing.T) {
	b := golden.Make(t, "state", func() []byte { return goldenState(t).Bytes() })
	s := must(ParseState(lan, b))(t)
	if s.Epoch != 3 || s.HLC != at(60) || s.Founder != person(t, 1).ID() || s.Owner() != person(t, 2).ID() || s.Signer() != person(t, 1).ID() ||
		len(s.Members) != 3 || !slices.Equal(s.Moderators, ids(t, 2)) || !s.Has(person(t, 3).ID()) || s.Has(person(t, 4).ID()) {
		t.Errorf("parsed %+v", s)
	}
	if name, err := s.Name(fixedKey(3)); name != "pläne" || err != nil {
		t.Errorf("called %q, %v", name, err)
	}
	if _, err := s.Name(fixedKey(4)); !errors.Is(err, ErrOpen) {
		t.Errorf("the name with another key: %v", err)
	}
	if again := s.sign(person(t, 1)); !bytes.Equal(again.Bytes(), b) {
		t.Errorf("signed again\n%x", again.Bytes())
	}
	room, commitment, hash := s.Room(), s.Commitment, s.Hash()
	pin(t, "the room", room[:], "44e5976bb99463691447d69dc128d1b2")
	pin(t, "the commitment", commitment[:], "d03aad07ed6f2b6ba0abdafd18bf7cfacdb7da41b540a7749e00f0bb0ddf9c79")
	pin(t, "the hash", hash[:], "637f27b059ddb3c249f9d94342f9b89abbccffc2cd5a450fb8a5cefd00e50315")
}

// resigned changes what the golden state says and signs it again as its owner could.
func resigned(t testing.TB, n byte, change func(b []byte) []byte) []byte {
	b := bytes.Clone(goldenState(t).Bytes())
	b = change(b[:len(b)-sigLen])
	return append(b, person(t, n).Sign(new(State).withNetwork().signed(b))...)
}

func (s *State) withNetwork() *State { s.Network = lan; return s }

func TestParseStateIsStrict(t *testing.T) {
	whole := goldenState(t).Bytes()
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if _, err := ParseState(lan, b); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
		if _, err := ParseState(lan, whole[:i]); err == nil {
			t.Errorf("cut to %d bytes: accepted", i)
		}
	}
	if _, err := ParseState(other, whole); !errors.Is(err, ErrSignature) {
		t.Errorf("in another network: %v", err)
	}
	if _, err := ParseState(lan, resigned(t, 1, func(b []byte) []byte { return b })); err != nil {
		t.Fatal(err)
	}
	const hands, people = stateFixed, stateFixed + 1 + handLen // where the counts stand
	put := func(i int, v ...byte) func([]byte) []byte { return func(b []byte) []byte { copy(b[i:], v); return b } }
	for name, change := range map[string]func(b []byte) []byte{
		"another form":              put(0, 2),
		"epoch 0":                   put(49, 0, 0, 0, 0),
		"epoch 1 after another":     put(49, 0, 0, 0, 1),
		"no state before":           put(61, make([]byte, 32)...),
		"a stamp out of range":      put(53, 0x80),
		"a hand-over to come":       put(hands+1, 0, 0, 0, 4),
		"a hand-over in epoch 1":    put(hands+1, 0, 0, 0, 1),
		"17 hand-overs":             put(hands, MaxHandOver+1),
		"no members":                func(b []byte) []byte { return append(b[:people], 0, 0) },
		"251 members":               put(people, 251),
		"more members than there":   put(people, 4),
		"a member twice":            func(b []byte) []byte { copy(b[people+33:], b[people+1:][:32]); return b },
		"members out of order":      func(b []byte) []byte { b[people+1] = 0xff; return b },
		"a moderator from nowhere":  func(b []byte) []byte { b[len(b)-1] = 3; return b },
		"a moderator twice":         func(b []byte) []byte { b[len(b)-2]++; return append(b, b[len(b)-1]) },
		"moderators cut short":      func(b []byte) []byte { b[len(b)-2]++; return b },
		"a byte at the end":         func(b []byte) []byte { return append(b, 0) },
		"a hand-over to the owner":  func(b []byte) []byte { copy(b[hands+5:], b[1:33]); return b },
		"the new owner no member":   func(b []byte) []byte { b[hands+5] ^= 1; return b },
		"nothing behind the people": func(b []byte) []byte { return b[:len(b)-2] },
	} {
		if s, err := ParseState(lan, resigned(t, 1, change)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for name, b := range map[string][]byte{
		"a hand-over that its owner did not sign": resigned(t, 1, func(b []byte) []byte { b[hands+1+36] ^= 1; return b }),
		"signed by the new owner, not the old":    resigned(t, 2, func(b []byte) []byte { return b }),
		"the hand-over was in another epoch":      resigned(t, 2, put(hands+1, 0, 0, 0, 2)),
	} {
		if _, err := ParseState(lan, b); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Attack 50: a hub, or a moderator, puts a member into a room.
func TestForgedMember(t *testing.T) {
	s := found(t, 2, 3)
	mallory := person(t, 9)
	forged := *s
	forged.Epoch, forged.Prev, forged.HLC = 2, s.hash, s.HLC+1
	forged.Members = slices.SortedFunc(slices.Values(append(slices.Clone(s.Members), mallory.ID())), comparePeople)
	for who, i := range map[string]*identity.Identity{"the hub": mallory, "a member": person(t, 2)} {
		f := forged
		if _, err := ParseState(lan, f.sign(i).Bytes()); !errors.Is(err, ErrSignature) {
			t.Errorf("by %s: %v", who, err)
		}
	}
	own := forged
	own.Founder = mallory.ID() // with his own name on it, it is another room
	if s := must(ParseState(lan, own.sign(mallory).Bytes()))(t); s.Room() == found(t, 2, 3).Room() {
		t.Error("the room does not depend on its founder")
	} else if _, _, err := NewRoom(found(t, 2, 3)).Accept(s); !errors.Is(err, ErrMalformed) {
		t.Errorf("accepted in this room: %v", err)
	}
	// He hands the room to himself.
	taken := forged
	taken.hands = []handOver{{2, mallory.ID(), [sigLen]byte(mallory.Sign(taken.signedHand(2, mallory.ID())))}}
	if _, err := ParseState(lan, taken.sign(mallory).Bytes()); !errors.Is(err, ErrSignature) {
		t.Errorf("taken over: %v", err)
	}
	if _, err := s.Next(mallory, at(1), NewEpochKey(), "mine", Change{}); !errors.Is(err, ErrNotOwner) {
		t.Errorf("next: %v", err)
	}
}

// A hand-over counts in its own room and network only.
func TestHandOverElsewhere(t *testing.T) {
	bob := person(t, 2)
	id := bob.ID()
	given := next(t, found(t, 2), 1, Change{Owner: &id})
	for name, s := range map[string]*State{
		"room":    must(Found(person(t, 1), lan, message.Nonce{8}, at(0), fixedKey(1), "", id))(t),
		"network": must(Found(person(t, 1), other, message.Nonce{7}, at(0), fixedKey(1), "", id))(t),
	} {
		stolen := *s
		stolen.Epoch, stolen.Prev, stolen.HLC, stolen.hands = 3, s.hash, s.HLC+1, given.hands
		if _, err := ParseState(s.Network, stolen.sign(bob).Bytes()); !errors.Is(err, ErrSignature) {
			t.Errorf("in another %s: %v", name, err)
		}
	}
}

func TestNext(t *testing.T) {
	s := found(t, 2, 3)
	n := next(t, s, 1, Change{Add: ids(t, 4, 2, 4), Remove: ids(t, 3, 9), Promote: ids(t, 2)})
	want := ids(t, 1, 2, 4)
	slices.SortFunc(want, comparePeople)
	if !slices.Equal(n.Members, want) || !slices.Equal(n.Moderators, ids(t, 2)) || n.Epoch != 2 || n.Prev != s.hash {
		t.Errorf("%+v", n)
	}
	if len(s.Members) != 3 || s.Moderators != nil {
		t.Error("the state before changed")
	}
	if n = next(t, n, 1, Change{Remove: ids(t, 2)}); len(n.Moderators) != 0 {
		t.Error("who was removed is still a moderator")
	}
	bob := person(t, 2).ID()
	if left := next(t, s, 1, Change{Owner: &bob, Remove: ids(t, 1)}); left.Has(person(t, 1).ID()) || must(ParseState(lan, left.Bytes()))(t).Owner() != bob {
		t.Error("handed over and left, the room is another's")
	}
	if back := must(n.Next(person(t, 1), 0, NewEpochKey(), "x", Change{}))(t); back.HLC != n.HLC+1 {
		t.Errorf("with a clock that went back its stamp is %d after %d", back.HLC, n.HLC)
	}
	if must(ParseState(lan, n.Bytes()))(t).hash != n.hash {
		t.Error("parsed, it has another hash")
	}
	nine, last := person(t, 9).ID(), *s
	last.Epoch = math.MaxUint32
	for name, try := range map[string]func() (*State, error){
		"without its owner":        func() (*State, error) { return s.Next(person(t, 1), 0, fixedKey(2), "", Change{Remove: ids(t, 1)}) },
		"handed to a stranger":     func() (*State, error) { return s.Next(person(t, 1), 0, fixedKey(2), "", Change{Owner: &nine}) },
		"a moderator from outside": func() (*State, error) { return s.Next(person(t, 1), 0, fixedKey(2), "", Change{Promote: ids(t, 9)}) },
		"the same key":             func() (*State, error) { return s.Next(person(t, 1), 0, fixedKey(1), "", Change{}) },
		"another's room":           func() (*State, error) { return s.Next(person(t, 2), 0, fixedKey(2), "", Change{}) },
		"a clock out of range":     func() (*State, error) { return s.Next(person(t, 1), 1<<63, fixedKey(2), "", Change{}) },
		"after the last epoch":     func() (*State, error) { return last.Next(person(t, 1), 0, fixedKey(2), "", Change{}) },
		"a name too long": func() (*State, error) {
			return s.Next(person(t, 1), 0, fixedKey(2), strings.Repeat("x", 129), Change{})
		},
		"a name that is no UTF-8": func() (*State, error) { return s.Next(person(t, 1), 0, fixedKey(2), "\xff", Change{}) },
		"founded out of range":    func() (*State, error) { return Found(person(t, 1), lan, message.Nonce{}, 1<<63, fixedKey(1), "") },
		"with more than 250 people": func() (*State, error) {
			return Found(person(t, 1), lan, message.Nonce{}, 0, fixedKey(1), "", crowd(MaxMembers)...)
		},
	} {
		if s, err := try(); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	full := must(Found(person(t, 1), lan, message.Nonce{}, 0, fixedKey(1), strings.Repeat("x", 128), crowd(MaxMembers-1)...))(t)
	if s := must(ParseState(lan, full.Bytes()))(t); len(s.Members) != MaxMembers {
		t.Errorf("%d members", len(s.Members))
	}
}

// crowd returns n people nobody has the secret keys of.
func crowd(n int) (people []identity.PeerID) {
	for i := range n {
		var p identity.PeerID
		binary.BigEndian.PutUint16(p[2:], uint16(i))
		people = append(people, p)
	}
	return people
}

func TestHandOversHaveAnEnd(t *testing.T) {
	s := must(Found(person(t, 1), lan, message.Nonce{}, 0, fixedKey(1), "", append(crowd(MaxMembers-2), person(t, 2).ID())...))(t)
	for i := range MaxHandOver {
		to := person(t, byte(2-i%2)).ID()
		s = next(t, s, byte(1+i%2), Change{Owner: &to, Promote: s.Members})
	}
	if parsed := must(ParseState(lan, s.Bytes()))(t); parsed.Owner() != person(t, 1).ID() || len(s.Bytes()) != stateMost || stateMost != 10199 {
		t.Errorf("%d bytes", len(s.Bytes()))
	}
	to := person(t, 2).ID()
	if _, err := s.Next(person(t, 1), 0, fixedKey(9), "", Change{Owner: &to}); err == nil {
		t.Error("handed over once more")
	}
}

func TestDue(t *testing.T) {
	s := found(t)
	if s.Due(noon.Add(EpochAge-time.Millisecond)) || !s.Due(noon.Add(EpochAge)) || s.Due(noon.AddDate(-1, 0, 0)) {
		t.Error("an epoch does not last seven days")
	}
}

func TestEpochKeyDoesNotPrint(t *testing.T) {
	k := fixedKey(0xab)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if text := fmt.Sprintf(verb, Invitation{Key: k}); strings.Contains(text, "abab") || strings.Contains(text, "171 171") || strings.Contains(text, "0xab, 0xab") || strings.Contains(text, "\xab\xab") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if _, err := ParseEpochKey(make([]byte, 31)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a short key: %v", err)
	}
}

func FuzzParseState(f *testing.F) {
	alice := person(f, 1)
	add := func(s *State) { f.Add(s.encoded[33 : len(s.encoded)-sigLen]) }
	add(found(f))
	add(found(f, 2, 3))
	add(next(f, found(f, 2, 3), 1, Change{Promote: ids(f, 2)}))
	add(goldenState(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		id := alice.ID()
		b = slices.Concat([]byte{formState}, id[:], b)
		b = append(b, alice.Sign(new(State).withNetwork().signed(b))...) // or the signature would keep the fuzzer out
		s, err := ParseState(lan, b)
		if err != nil {
			return
		}
		if again := s.sign(alice); s.Signer() == id && !bytes.Equal(again.encoded, b) {
			t.Fatalf("%x\nis written as\n%x", b, again.encoded)
		}
	})
}
