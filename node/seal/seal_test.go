package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// pin compares what was derived with its vector.
func pin(t testing.TB, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s is %x, want %s", what, got, want)
	}
}

var (
	lan   = identity.NetworkID{1, 2, 3}
	other = identity.NetworkID{3, 2, 1}
	noon  = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// person returns the same person for the same number.
func person(t testing.TB, n byte) *identity.Identity {
	t.Helper()
	i, err := identity.FromSeed(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// ring returns a ring of one key, the same for the same number, made at noon.
func ring(t testing.TB, n byte) *Ring {
	t.Helper()
	key, err := kem().NewPrivateKey(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &Ring{keys: []ownKey{newOwnKey(uint64(noon.UnixMilli()), key)}}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// badKeys returns X-Wing keys that must be refused.
func badKeys(t testing.TB) map[string]*PublicKey {
	good := ring(t, 1).Public()
	with := func(change func(k *PublicKey)) *PublicKey { k := *good; change(&k); return &k }
	return map[string]*PublicKey{
		"all zeros":             {},
		"an ML-KEM key of zero": with(func(k *PublicKey) { clear(k[:mlkemLen]) }),
		"a t of zeros":          with(func(k *PublicKey) { clear(k[:tLen]) }),
		"numbers above q":       with(func(k *PublicKey) { k[0], k[1] = 0xff, 0xff }),
		"a zero point":          with(func(k *PublicKey) { clear(k[mlkemLen:]) }),
		"a point of order 2":    with(func(k *PublicKey) { clear(k[mlkemLen:]); k[mlkemLen] = 1 }),
		// RFC 7748 names none; these are the two of order 8 (cr.yp.to/ecdh.html#validate).
		"a point of order 8": with(func(k *PublicKey) {
			hex.Decode(k[mlkemLen:], []byte("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"))
		}),
		"the other of order 8": with(func(k *PublicKey) {
			hex.Decode(k[mlkemLen:], []byte("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"))
		}),
	}
}

func TestKeys(t *testing.T) {
	good := ring(t, 1).Public()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	id := good.ID()
	pin(t, "key id", id[:], "f37b99b2db732a7d")
	for name, k := range badKeys(t) {
		if err := k.Check(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: Check: %v", name, err)
		}
		if _, err := k.seal(nil, nil, []byte("x")); !errors.Is(err, ErrKey) {
			t.Errorf("%s: sealed: %v", name, err)
		}
		if _, err := NewProfile(person(t, 1), lan, 1, k, "x"); !errors.Is(err, ErrKey) {
			t.Errorf("%s: a profile with it: %v", name, err)
		}
		if _, err := SealDM(lan, person(t, 1).ID(), person(t, 2).ID(), k, good, Content{message.Text, nil}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: a direct message for it: %v", name, err)
		}
		if _, err := SealDM(lan, person(t, 1).ID(), person(t, 2).ID(), good, k, Content{message.Text, nil}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: a direct message from it: %v", name, err)
		}
	}
}
