package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

const nextKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func goldenRotation(t testing.TB) *Rotation {
	a, b, c := person(t, 1).ID(), person(t, 2).ID(), person(t, 3).ID()
	return NewRotation(nextKey, 1_795_219_200_000, b, []identity.PeerID{c, a, b, a})
}

func TestRotation(t *testing.T) {
	b := goldenRotation(t).Bytes()
	golden.Check(t, "rotation", b)
	r, err := ParseRotation(Content{message.Rotate, b})
	if err != nil {
		t.Fatal(err)
	}
	if r.Key() != nextKey || r.By != person(t, 2).ID() || len(r.People) != 3 || !r.Has(person(t, 3).ID()) || r.Has(person(t, 4).ID()) || r.Made != 1_795_219_200_000 {
		t.Errorf("%+v", r)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if said := fmt.Sprintf(verb, r) + fmt.Sprintf(verb, *r); strings.Contains(said, nextKey) {
			t.Errorf("%s tells the key: %s", verb, said)
		}
	}
	with := func(edit func(b []byte) []byte) []byte { return edit(bytes.Clone(b)) }
	for what, b := range map[string][]byte{
		"nothing":          nil,
		"a form not known": with(func(b []byte) []byte { b[0] = 2; return b }),
		"cut":              b[:len(b)-1],
		"longer":           with(func(b []byte) []byte { return append(b, 0) }),
		"small letters":    with(func(b []byte) []byte { copy(b[41:], strings.ToLower(nextKey)); return b }),
		"nobody":           with(func(b []byte) []byte { b[67], b[68] = 0, 0; return b[:69] }),
		"out of order":     with(func(b []byte) []byte { return slices.Concat(b[:69], b[101:133], b[69:101], b[133:]) }),
		"one twice":        with(func(b []byte) []byte { copy(b[69:], b[101:133]); return b }),
		"its maker out":    with(func(b []byte) []byte { b[9] ^= 1; return b }),
	} {
		if _, err := ParseRotation(Content{message.Rotate, b}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ParseRotation(Content{message.Text, b}); !errors.Is(err, ErrMalformed) {
		t.Errorf("as a text: %v", err)
	}
}

// What a person can hand on fits the message that it goes in.
func TestRotationFits(t *testing.T) {
	people := make([]identity.PeerID, MaxRotation)
	for i := range people {
		people[i][0], people[i][1] = byte(i>>8), byte(i)
	}
	c := Content{message.Rotate, NewRotation(nextKey, 0, people[7], people).Bytes()}
	if _, err := ParseRotation(c); err != nil {
		t.Error(err)
	}
	if _, err := c.pad(); err != nil {
		t.Error(err)
	}
}

func FuzzParseRotation(f *testing.F) {
	f.Add(goldenRotation(f).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRotation(Content{message.Rotate, b}); err == nil && !bytes.Equal(r.Bytes(), b) {
			t.Fatalf("%x is written as %x", b, r.Bytes())
		}
	})
}
