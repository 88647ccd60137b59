package seal

import (
	"bytes"
	"errors"
	"testing"

	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

var hello = Content{message.Text, []byte("hello, bob")}

// said returns what alice (1) seals for bob (2).
func said(t testing.TB, c Content) []byte {
	t.Helper()
	return must(SealDM(lan, person(t, 1).ID(), person(t, 2).ID(), ring(t, 2).Public(), ring(t, 1).Public(), c))(t)
}

func TestDirectGolden(t *testing.T) {
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	room := Direct(lan, alice, bob)
	pin(t, "the room", room[:], "37467b455baf3fb147c85a2197fdeb18")
	if Direct(lan, bob, alice) != room || Direct(other, alice, bob) == room {
		t.Error("the room depends on who asks, or not on the network")
	}
	body := golden.Make(t, "direct", func() []byte { return said(t, hello) })
	if len(body) != 2*(40+1120+128+16) {
		t.Errorf("%d bytes", len(body))
	}
	for who, n := range map[string]byte{"alice": 1, "bob": 2} {
		c, to, err := OpenDM(lan, room, alice, person(t, n).ID(), ring(t, n), body)
		if err != nil || to != bob || c.Kind != message.Text || string(c.Body) != "hello, bob" {
			t.Errorf("%s reads %v %q to %s, %v", who, c.Kind, c.Body, to.Tag(), err)
		}
	}
	pin(t, "the padded content", must(hello.pad())(t)[:16], "01000a68656c6c6f2c20626f62000000")
}

func TestDirectToOneself(t *testing.T) {
	alice := person(t, 1).ID()
	body := must(SealDM(lan, alice, alice, ring(t, 1).Public(), ring(t, 1).Public(), hello))(t)
	if c, to, err := OpenDM(lan, Direct(lan, alice, alice), alice, alice, ring(t, 1), body); err != nil || to != alice || string(c.Body) != "hello, bob" {
		t.Errorf("%q, %v", c.Body, err)
	}
}

// Attack 48, and its kin: what is taken out of its message and signed by another, or put elsewhere, does not open.
func TestDirectStrippedDoesNotOpen(t *testing.T) {
	alice, bob, mallory := person(t, 1).ID(), person(t, 2).ID(), person(t, 9).ID()
	body := said(t, hello)
	half := len(body) / 2

	// Mallory signs alice's body as his own, his key in the second box so that its form is right.
	stripped := bytes.Clone(body)
	copy(stripped[half+8:], mallory[:])
	if _, _, err := OpenDM(lan, Direct(lan, mallory, bob), mallory, bob, ring(t, 2), stripped); !errors.Is(err, ErrOpen) {
		t.Errorf("signed by another: %v", err)
	}
	// In another network where the two have the same keys.
	if _, _, err := OpenDM(other, Direct(other, alice, bob), alice, bob, ring(t, 2), body); !errors.Is(err, ErrOpen) {
		t.Errorf("in another network: %v", err)
	}
	// Bob passes on to Carol, as from Alice, what Alice sealed for Bob: the form is right, the key is not hers.
	carol := person(t, 3).ID()
	passed := bytes.Clone(body)
	copy(passed[8:], carol[:])
	if _, _, err := OpenDM(lan, Direct(lan, alice, carol), alice, carol, ring(t, 3), passed); !errors.Is(err, ErrNoKey) {
		t.Errorf("passed on: %v", err)
	}
	// Even to one who has the key: bob under another identity.
	if _, _, err := OpenDM(lan, Direct(lan, alice, carol), alice, carol, ring(t, 2), passed); !errors.Is(err, ErrOpen) {
		t.Errorf("passed on with its key: %v", err)
	}
	// The other box as the first.
	swapped := append(bytes.Clone(body[half:]), body[:half]...)
	if _, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, bob, ring(t, 2), swapped); !errors.Is(err, ErrMalformed) {
		t.Errorf("boxes swapped: %v", err)
	}
	for name, room := range map[string]message.RoomID{"another": Direct(lan, alice, carol), "a public": message.Room("lobby")} {
		if _, _, err := OpenDM(lan, room, alice, bob, ring(t, 2), body); !errors.Is(err, ErrMalformed) {
			t.Errorf("in %s room: %v", name, err)
		}
	}
	if _, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, mallory, ring(t, 9), body); !errors.Is(err, ErrMalformed) {
		t.Errorf("read by another: %v", err)
	}
	if _, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, bob, ring(t, 9), body); !errors.Is(err, ErrNoKey) {
		t.Errorf("with a ring of others: %v", err)
	}
	for _, i := range []int{0, 7, 8, 40, 1128, boxHead, half - 1} {
		b := bytes.Clone(body)
		b[i] ^= 1
		if _, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, bob, ring(t, 2), b); err == nil {
			t.Errorf("byte %d changed: opened", i)
		}
	}
}

// A recipient whose key has been deleted: it says so, and the author can still read what it wrote.
func TestDirectExpiredKey(t *testing.T) {
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	body, room := said(t, hello), Direct(lan, alice, bob)
	old, _, _ := ring(t, 2).Renew(noon.Add(KeyAge))
	if _, _, err := OpenDM(lan, room, alice, bob, old, body); err != nil {
		t.Errorf("a day later: %v", err)
	}
	gone, _, _ := old.Renew(noon.Add(KeyAge + KeyLife))
	if _, _, err := OpenDM(lan, room, alice, bob, gone, body); !errors.Is(err, ErrNoKey) {
		t.Errorf("15 days later: %v", err)
	}
	if _, _, err := OpenDM(lan, room, alice, alice, ring(t, 1), body); err != nil {
		t.Error(err)
	}
}

func TestDirectPadding(t *testing.T) {
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	for n, want := range map[int]int{0: 128, 125: 128, 126: 256, 4096: 4224, MaxPrivate: MaxPadded} {
		c := Content{message.Action, bytes.Repeat([]byte{0}, n)}
		body := said(t, c)
		if len(body) != 2*(boxFixed+want) || len(body) > message.MaxBody {
			t.Errorf("%d bytes are sealed as %d", n, len(body))
		}
		got, _, err := OpenDM(lan, Direct(lan, alice, bob), alice, bob, ring(t, 2), body)
		if err != nil || got.Kind != message.Action || !bytes.Equal(got.Body, c.Body) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got.Body), err)
		}
	}
	for name, c := range map[string]Content{
		"too long": {message.Text, make([]byte, MaxPrivate+1)}, "sealed twice": {message.Sealed, nil}, "void": {message.Void, nil}, "kind 0": {},
	} {
		if _, err := SealDM(lan, alice, bob, ring(t, 2).Public(), ring(t, 1).Public(), c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := must(hello.pad())(t)
	for name, b := range map[string][]byte{
		"nothing": nil, "not padded": good[:64], "longer than need be": append(bytes.Clone(good), make([]byte, padTo)...),
		"too long":    make([]byte, MaxPadded+padTo),
		"more inside": append([]byte{1, 0, 126}, good[3:]...),
		"not zeros":   append(bytes.Clone(good[:127]), 1),
		"kind 0":      append([]byte{0}, good[1:]...),
	} {
		if c, err := unpad(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestRecipientIsStrict(t *testing.T) {
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	body, room := said(t, hello), Direct(lan, alice, bob)
	for n := range body {
		if _, err := Recipient(lan, room, alice, body[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	carol, renamed := person(t, 3).ID(), bytes.Clone(body)
	copy(renamed[len(body)/2+8:], carol[:])
	for _, b := range [][]byte{renamed, append(bytes.Clone(body), 0), make([]byte, directMax+2*padTo), make([]byte, 2*boxFixed)} {
		if _, err := Recipient(lan, room, alice, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	if to := must(Recipient(lan, room, alice, body))(t); to != bob {
		t.Error("for another")
	}
}

func FuzzOpenDM(f *testing.F) {
	alice, bob := person(f, 1).ID(), person(f, 2).ID()
	room := Direct(lan, alice, bob)
	f.Add(golden.Make(f, "direct", func() []byte { return said(f, hello) }), true)
	f.Add(said(f, Content{message.Text, nil}), false)
	rings := map[bool]*Ring{true: ring(f, 1), false: ring(f, 2)}
	f.Fuzz(func(t *testing.T, body []byte, author bool) {
		me := bob
		if author {
			me = alice
		}
		if c, to, err := OpenDM(lan, room, alice, me, rings[author], body); err == nil && (to != bob || c.check() != nil) {
			t.Fatalf("to %v, %+v", to, c)
		}
	})
}

func FuzzContent(f *testing.F) {
	f.Add(must(hello.pad())(f))
	f.Add(must((&Content{message.Text, make([]byte, 126)}).pad())(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := unpad(b)
		if err != nil {
			return
		}
		if again, err := c.pad(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x\nis padded as\n%x, %v", b, again, err)
		}
	})
}
