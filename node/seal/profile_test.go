package seal

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

func goldenProfile(t testing.TB) *Profile {
	return must(NewProfile(person(t, 1), lan, 7, ring(t, 1).Public(), "Zoë"))(t)
}

func TestProfileGolden(t *testing.T) {
	p := goldenProfile(t)
	golden.Check(t, "profile", p.Bytes())
	got := must(ParseProfile(lan, p.Bytes()))(t)
	if got.Nick != "Zoë" || got.Version != 7 || got.Person != person(t, 1).ID() || got.Key != *ring(t, 1).Public() || got.Network != lan {
		t.Errorf("parsed %+v", got)
	}
	if longest := must(NewProfile(person(t, 1), lan, 1, ring(t, 1).Public(), strings.Repeat("x", message.MaxNickBytes)))(t); len(longest.Bytes()) != 1441 {
		t.Errorf("the longest has %d bytes", len(longest.Bytes()))
	}
}

// signedAgain changes a profile and signs it anew, as its person could.
func signedAgain(t testing.TB, change func(b []byte) []byte) []byte {
	b := bytes.Clone(goldenProfile(t).Bytes())
	b = change(b[:len(b)-sigLen])
	return append(b, person(t, 1).Sign(append([]byte(profileLabel), b...))...)
}

func TestParseProfileIsStrict(t *testing.T) {
	whole := goldenProfile(t).Bytes()
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if _, err := ParseProfile(lan, b); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
		if _, err := ParseProfile(lan, whole[:i]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	same := func(b []byte) []byte { return b }
	if _, err := ParseProfile(lan, signedAgain(t, same)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"another key id": func(b []byte) []byte { b[56] ^= 1; return b },
		"no UTF-8":       func(b []byte) []byte { b[profileNick+1] = 0xff; return b },
		"longer":         func(b []byte) []byte { return append(b, 0) },
		"a nick too long": func(b []byte) []byte {
			b[profileNick] = message.MaxNickBytes + 1
			return append(b[:profileNick+1], bytes.Repeat([]byte("x"), message.MaxNickBytes+1)...)
		},
	} {
		if _, err := ParseProfile(lan, signedAgain(t, change)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A profile whose person signed a bad key itself.
	for name, k := range badKeys(t) {
		b := signedAgain(t, func(b []byte) []byte {
			id := k.ID()
			copy(b[56:], id[:])
			copy(b[64:], k[:])
			return b
		})
		if _, err := ParseProfile(lan, b); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseProfile(other, whole); !errors.Is(err, ErrMalformed) {
		t.Errorf("in another network: %v", err)
	}
	b := bytes.Clone(whole)
	mallory := person(t, 9).ID()
	copy(b[16:], mallory[:]) // the profile of another with one's own name on it
	if _, err := ParseProfile(lan, b); !errors.Is(err, ErrSignature) {
		t.Errorf("under another person: %v", err)
	}
	for _, nick := range []string{"\xff", strings.Repeat("x", message.MaxNickBytes+1)} {
		if _, err := NewProfile(person(t, 1), lan, 1, ring(t, 1).Public(), nick); !errors.Is(err, ErrMalformed) {
			t.Errorf("nick %q: %v", nick, err)
		}
	}
}

// Whoever hears of profiles in whatever order ends with the same.
func TestProfileNewer(t *testing.T) {
	var all []*Profile
	for v := range uint64(3) {
		for n := range byte(3) {
			all = append(all, must(NewProfile(person(t, 1), lan, v, ring(t, n).Public(), "x"))(t))
		}
	}
	best := func(in []*Profile) *Profile {
		p := in[0]
		for _, o := range in[1:] {
			if o.Newer(p) {
				p = o
			}
		}
		return p
	}
	want := best(all)
	slices.Reverse(all)
	if got := best(all); got != want || want.Version != 2 || want.Newer(want) {
		t.Errorf("version %d in one order, %d in the other", want.Version, got.Version)
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add(goldenProfile(f).Bytes())
	f.Add(signedAgain(f, func(b []byte) []byte { return append(b, 0) }))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParseProfile(lan, b); err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Fatalf("%x was kept as %x", b, p.Bytes())
		}
	})
}
