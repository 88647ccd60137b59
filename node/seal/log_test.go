package seal

import (
	"bytes"
	"errors"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

var (
	lid  = message.LogID{0xaa, 0xbb}
	spot = Place{lid, 3, message.Hash{0xcc}, uint64(0x123456789a) << 16}
)

// withKeys returns the room with the keys of these states.
func withKeys(t testing.TB, r *Room, keys map[*State]EpochKey) *Room {
	t.Helper()
	for s, k := range keys {
		if err := r.AddKey(s.hash, k); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// open reads a message as a member who meets the log for the first time.
func open(r *Room, author identity.PeerID, at Place, body []byte) (*Log, Content, error) {
	l, err := r.Reader(author, at.Log, body)
	if err != nil {
		return nil, Content{}, err
	}
	c, err := l.Open(at, body)
	return l, c, err
}

func TestRoomMessageGolden(t *testing.T) {
	s := must(ParseState(lan, golden.Read(t, "state")))(t)
	r := withKeys(t, NewRoom(s), map[*State]EpochKey{s: fixedKey(3)})
	carol := person(t, 3).ID()
	b := golden.Make(t, "room-message", func() []byte { return must(must(r.Writer(carol, lid))(t).Seal(spot, hello))(t) })
	if len(b) != len("hello, bob")+33 {
		t.Errorf("%d bytes", len(b))
	}
	l, c, err := open(r, carol, spot, b)
	if err != nil || c.Kind != message.Text || string(c.Body) != "hello, bob" || l.Epoch() != 3 {
		t.Errorf("%v %q, %v", c.Kind, c.Body, err)
	}
	pin(t, "the header", spot.header(43), "aabb0000000000000000000000000000"+"0000000000000003"+"cc00000000000000000000000000000000000000000000000000000000000000"+
		"0012345678"+"9a0000"+"10"+"0000002b")
}

func TestRoomMessageIsBoundToItsPlace(t *testing.T) {
	s := found(t, 2)
	r := withKeys(t, NewRoom(s), map[*State]EpochKey{s: fixedKey(1)})
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	l := must(r.Writer(alice, lid))(t)
	body := must(l.Seal(spot, hello))(t)
	for name, at := range map[string]Place{
		"another number": {lid, 4, spot.Prev, spot.HLC}, "another message before": {lid, 3, message.Hash{}, spot.HLC}, "another time": {lid, 3, spot.Prev, spot.HLC + 1},
		"another log": {message.LogID{1}, 3, spot.Prev, spot.HLC},
	} {
		if _, _, err := open(r, alice, at, body); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range body {
		b := bytes.Clone(body)
		b[i] ^= 1
		if _, _, err := open(r, alice, spot, b); err == nil {
			t.Errorf("byte %d changed: opened", i)
		}
		if _, err := l.Open(spot, body[:i]); err == nil {
			t.Errorf("cut to %d bytes: opened", i)
		}
	}
	if _, err := l.Open(Place{message.LogID{1}, 3, spot.Prev, spot.HLC}, body); !errors.Is(err, ErrEpoch) {
		t.Errorf("in a log that it was not asked for: %v", err)
	}
	if _, err := l.Seal(Place{Log: message.LogID{1}}, hello); !errors.Is(err, ErrEpoch) {
		t.Errorf("sealed for another log: %v", err)
	}
	if _, err := l.Open(spot, make([]byte, message.MaxBody+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
	if _, err := r.Reader(bob, lid, body[:roomFixed-1]); !errors.Is(err, ErrMalformed) {
		t.Errorf("too short: %v", err)
	}
	for name, c := range map[string]Content{"too long": {message.Text, make([]byte, MaxSaid+1)}, "sealed twice": {message.Sealed, nil}} {
		if _, err := l.Seal(spot, c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := must(l.Seal(spot, Content{message.Text, make([]byte, MaxSaid)}))(t)
	if _, c, err := open(r, alice, spot, longest); err != nil || len(longest) != message.MaxBody || len(c.Body) != MaxSaid {
		t.Errorf("the longest has %d bytes: %v", len(longest), err)
	}
	if again := must(l.Seal(spot, hello))(t); bytes.Equal(again, body) {
		t.Error("a nonce was used twice")
	}
}

// A log stays in the epoch that it began in.
func TestLogBelongsToOneEpoch(t *testing.T) {
	one := found(t, 2)
	two := must(one.Next(person(t, 1), at(10), fixedKey(2), "", Change{}))(t)
	r := withKeys(t, NewRoom(one), map[*State]EpochKey{one: fixedKey(1)})
	alice := person(t, 1).ID()
	l := must(r.Writer(alice, lid))(t)
	first := must(l.Seal(spot, hello))(t)
	take(t, r, two)
	withKeys(t, r, map[*State]EpochKey{two: fixedKey(2)})
	second := must(must(r.Writer(alice, lid))(t).Seal(spot, hello))(t)
	reader, _, err := open(r, alice, spot, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Open(spot, second); !errors.Is(err, ErrEpoch) {
		t.Errorf("a second epoch in one log: %v", err)
	}
	// A body of one epoch that says that it is of another.
	lied := bytes.Clone(first)
	lied[3] = 2
	if _, _, err := open(r, alice, spot, lied); !errors.Is(err, ErrOpen) {
		t.Errorf("said to be of another epoch: %v", err)
	}
}

func TestReaderWaits(t *testing.T) {
	one := found(t, 2)
	two := must(one.Next(person(t, 1), at(10), fixedKey(2), "", Change{}))(t)
	full := withKeys(t, NewRoom(two, one), map[*State]EpochKey{one: fixedKey(1), two: fixedKey(2)})
	bob := person(t, 2).ID()
	body := must(must(full.Writer(bob, lid))(t).Seal(spot, hello))(t)
	r := NewRoom(one)
	if _, _, err := open(r, bob, spot, body); !errors.Is(err, ErrNoState) {
		t.Errorf("before the state: %v", err)
	}
	if _, err := r.Writer(bob, lid); !errors.Is(err, ErrNoKey) {
		t.Errorf("a writer without the key: %v", err)
	}
	take(t, r, two)
	if _, _, err := open(r, bob, spot, body); !errors.Is(err, ErrNoKey) {
		t.Errorf("before the key: %v", err)
	}
	withKeys(t, r, map[*State]EpochKey{two: fixedKey(2)})
	if _, c, err := open(r, bob, spot, body); err != nil || string(c.Body) != "hello, bob" {
		t.Errorf("%q, %v", c.Body, err)
	}
}

// Attack 51 and what is like it: who is not a member is not heard, even one who got the key.
func TestNonMembers(t *testing.T) {
	one := found(t, 2, 3)
	bob, mallory := person(t, 2).ID(), person(t, 9).ID()
	two := must(one.Next(person(t, 1), at(100), fixedKey(2), "", Change{Remove: ids(t, 2)}))(t)
	three := must(two.Next(person(t, 1), at(200), fixedKey(3), "", Change{}))(t)
	r := withKeys(t, NewRoom(three, two, one), map[*State]EpochKey{one: fixedKey(1), two: fixedKey(2), three: fixedKey(3)})
	// Dave comes in epoch 4 and is gone in 5: that he was no member before does not count.
	four := must(three.Next(person(t, 1), at(400), fixedKey(4), "", Change{Add: ids(t, 4)}))(t)
	five := must(four.Next(person(t, 1), at(500), fixedKey(5), "", Change{Remove: ids(t, 4)}))(t)
	came := withKeys(t, NewRoom(five, four, three, two, one), map[*State]EpochKey{four: fixedKey(4)})
	dave := person(t, 4).ID()
	if err := came.Admit(must(came.Reader(dave, lid, []byte{3: 4, roomFixed - 1: 0}))(t), at(450), false); err != nil {
		t.Errorf("who came and went, in history: %v", err)
	}

	// Seals with the key of an epoch under any name: what a member who gives the key away makes possible.
	forge := func(s *State, k EpochKey, hlc uint64) (Place, []byte) {
		gcm, err := k.expand("earshot/v1 room msg\x00", s.Room(), s.Epoch, lid[:]...)
		l := &Log{id: lid, epoch: s.Epoch, keys: []logKey{{s, must(gcm, err)(t)}}}
		p := Place{lid, 1, message.Hash{}, hlc}
		return p, must(l.Seal(p, hello))(t)
	}
	place, body := forge(three, fixedKey(3), at(250))
	for name, who := range map[string]identity.PeerID{"a stranger": mallory, "who was removed": bob} {
		if _, _, err := open(r, who, place, body); !errors.Is(err, ErrNotMember) {
			t.Errorf("%s, with the key of now: %v", name, err)
		}
		if _, err := r.Writer(who, lid); !errors.Is(err, ErrNotMember) {
			t.Errorf("%s, as writer: %v", name, err)
		}
	}
	for _, c := range []struct {
		what   string
		author identity.PeerID
		hlc    uint64
		live   bool
		want   error
	}{
		{"removed, live", bob, at(300), true, ErrNotMember},
		{"removed, live, with an old stamp", bob, at(50), true, ErrNotMember},
		{"removed, in history, after that", bob, at(100), false, ErrNotMember},
		{"removed, in history, before that", bob, at(99), false, nil},
		{"a member, late", person(t, 3).ID(), at(300), true, nil},
		{"a member, in history", person(t, 3).ID(), at(50), false, nil},
	} {
		place, body := forge(one, fixedKey(1), c.hlc)
		l, _, err := open(r, c.author, place, body)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if err := r.Admit(l, c.hlc, c.live); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// Two states of one epoch have two keys: what members wrote under either is read, whichever holds.
func TestTwoKeysOfOneEpoch(t *testing.T) {
	one := found(t, 2, 3)
	x := must(one.Next(person(t, 1), at(10), fixedKey(2), "", Change{}))(t)
	y := must(one.Next(person(t, 1), at(11), fixedKey(3), "", Change{Remove: ids(t, 3)}))(t)
	bob, carol := person(t, 2).ID(), person(t, 3).ID()
	said := func(s *State, k EpochKey, who identity.PeerID) []byte {
		return must(must(withKeys(t, NewRoom(s), map[*State]EpochKey{s: k}).Writer(who, lid))(t).Seal(spot, hello))(t)
	}
	underX, underY := said(x, fixedKey(2), bob), said(y, fixedKey(3), bob)
	r := withKeys(t, NewRoom(y, x, one), map[*State]EpochKey{y: fixedKey(3)})
	if _, _, err := open(r, bob, spot, underX); !errors.Is(err, ErrNoKey) {
		t.Errorf("the other key has not come: %v", err)
	}
	withKeys(t, r, map[*State]EpochKey{x: fixedKey(2)})
	for range 20 { // maps are walked in any order
		for _, b := range [][]byte{underX, underY} {
			l, c, err := open(r, bob, spot, b)
			if err != nil || string(c.Body) != "hello, bob" {
				t.Fatalf("%q, %v", c.Body, err)
			}
			if other := map[bool][]byte{true: underY, false: underX}[&b[0] == &underX[0]]; len(l.keys) != 1 {
				t.Fatal("the log is of two states")
			} else if _, err := l.Open(spot, other); !errors.Is(err, ErrOpen) {
				t.Fatalf("one log, two keys: %v", err)
			}
		}
		// Carol is in x, which does not hold: what she wrote before y is history.
		l, _, err := open(r, carol, spot, said(x, fixedKey(2), carol))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Admit(l, at(10)+1, false); err != nil {
			t.Fatalf("before y: %v", err)
		}
		if err := r.Admit(l, at(12), false); !errors.Is(err, ErrNotMember) {
			t.Fatalf("after y: %v", err)
		}
	}
}

func FuzzRoomMessage(f *testing.F) {
	s := found(f, 2)
	r := withKeys(f, NewRoom(s), map[*State]EpochKey{s: fixedKey(1)})
	bob := person(f, 2).ID()
	f.Add(must(must(r.Writer(bob, lid))(f).Seal(spot, hello))(f))
	f.Add(must(must(r.Writer(bob, lid))(f).Seal(spot, Content{message.React, nil}))(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, c, err := open(r, bob, spot, body); err == nil && (c.check() != nil || len(c.Body) != len(body)-roomFixed) {
			t.Fatalf("%+v", c)
		}
	})
}

func BenchmarkRoomMessage(b *testing.B) {
	s := found(b, 2)
	l := must(withKeys(b, NewRoom(s), map[*State]EpochKey{s: fixedKey(1)}).Writer(person(b, 2).ID(), lid))(b)
	c := Content{message.Text, make([]byte, 100)}
	body := must(l.Seal(spot, c))(b)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Seal(spot, c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Open(spot, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
