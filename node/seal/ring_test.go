package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"earshot/node/nodetest/golden"
)

// A year of daily starts: what is sealed for a key opens until 14 days after it was renewed, and not a start longer.
func TestRingRenews(t *testing.T) {
	r, changed, err := new(Ring).Renew(noon)
	if err != nil || !changed || len(r.keys) != 1 {
		t.Fatalf("a first start: %v, %v, %v", r, changed, err)
	}
	if _, changed, _ = r.Renew(noon.Add(KeyAge - time.Millisecond)); changed {
		t.Error("renewed before a day was over")
	}
	first := r.Public()
	box := must(first.seal(nil, []byte("info"), []byte("hello")))(t)
	for day := 1; day < 30; day++ {
		if r, changed, err = r.Renew(noon.AddDate(0, 0, day)); err != nil || !changed {
			t.Fatalf("day %d: changed %v, %v", day, changed, err)
		}
		if *r.Public() == *first {
			t.Fatalf("day %d: not renewed", day)
		}
		plain, err := r.open(first.ID(), []byte("info"), box)
		if day < 15 && string(plain) != "hello" {
			t.Errorf("day %d: %v", day, err)
		}
		if day >= 15 && (!errors.Is(err, ErrNoKey) || r.Has(first.ID())) {
			t.Errorf("day %d: the key is still there: %v", day, err)
		}
	}
	if len(r.keys) != 15 {
		t.Errorf("%d keys", len(r.keys))
	}
}

// A machine that is rarely started does not delete the key that others still seal for.
func TestRingKeepsTheOneInUse(t *testing.T) {
	r, _, _ := new(Ring).Renew(noon)
	first := r.Public().ID()
	if r, _, _ = r.Renew(noon.AddDate(0, 6, 0)); !r.Has(first) || len(r.keys) != 2 {
		t.Error("the key in use until now was deleted")
	}
	if r, changed, _ := r.Renew(noon.AddDate(0, 6, 14)); !changed || r.Has(first) {
		t.Error("14 days later it is still there")
	}
}

func TestRingWithWrongClock(t *testing.T) {
	r, _, _ := new(Ring).Renew(noon.AddDate(1, 0, 0)) // a clock a year ahead, mended since
	ahead := r.Public().ID()
	r, changed, _ := r.Renew(noon)
	if !changed || r.Public().ID() != ahead {
		t.Error("a key of the future was dropped, or its time kept")
	}
	r, _, _ = r.Renew(noon.Add(KeyAge))
	if r.Public().ID() == ahead || !r.Has(ahead) {
		t.Error("not renewed after a day")
	}
	if r, _, err := r.Renew(time.Unix(-1e9, 0)); err != nil || !r.Has(ahead) {
		t.Errorf("before 1970: %v", err)
	}
}

// Two instances of one person, each with keys of its own, come to use the same.
func TestRingMerge(t *testing.T) {
	a, _, _ := new(Ring).Renew(noon)
	b, _, _ := new(Ring).Renew(noon.Add(time.Hour))
	ab, ba := a.Merge(b, noon), b.Merge(a, noon)
	x, y := must(ab.Bytes())(t), must(ba.Bytes())(t)
	if !bytes.Equal(x, y) || len(ab.keys) != 2 || *ab.Public() != *b.Public() || !ab.Has(a.Public().ID()) {
		t.Error("the two differ, or lack a key")
	}
	if again := ab.Merge(b, noon); len(again.keys) != 2 {
		t.Error("merged twice, a key stands twice")
	}
	if late := ba.Merge(new(Ring), noon.AddDate(0, 0, 15)); late.Has(a.Public().ID()) || len(late.keys) != 1 {
		t.Error("an old key outlived a merge")
	}
	late := ab.Merge(ba, noon.AddDate(0, 0, 15))
	if !late.Has(a.Public().ID()) || *late.Public() != *b.Public() {
		t.Error("what others are told to seal for is deleted while they are")
	}
	if late, _, _ = late.Renew(noon.AddDate(0, 0, 15)); late.Has(a.Public().ID()) {
		t.Error("an old key outlived the process that showed it")
	}
}

func goldenRing(t testing.TB) *Ring {
	r := &Ring{}
	for i := range byte(3) {
		k := ring(t, i+1).keys[0]
		k.made += uint64(i) * 1000
		r.keys = append(r.keys, k)
	}
	return r
}

func TestRingGolden(t *testing.T) {
	b := must(goldenRing(t).Bytes())(t)
	golden.Check(t, "keyring", b)
	r := must(ParseRing(b))(t)
	if again := must(r.Bytes())(t); !bytes.Equal(again, b) {
		t.Errorf("read and written again:\n%x", again)
	}
	if empty := must(ParseRing(must(new(Ring).Bytes())(t)))(t); empty.Public() != nil || empty.Has(KeyID{}) {
		t.Error("an empty ring has a key")
	}
}

func TestParseRingIsStrict(t *testing.T) {
	whole := must(goldenRing(t).Bytes())(t)
	sealed := func(b []byte) []byte { sum := sha256.Sum256(b); return append(b, sum[:ringSum]...) }
	body := whole[:len(whole)-ringSum]
	swapped := bytes.Clone(body)
	copy(swapped[20:], body[60:100])
	copy(swapped[60:], body[20:60])
	late := bytes.Clone(body)
	late[100] = 1
	many := append([]byte(ringLabel), MaxKeys+1)
	many = append(many, make([]byte, (MaxKeys+1)*40)...)
	for name, b := range map[string][]byte{
		"nothing": nil, "another label": sealed(append([]byte("earshot/v2"), body[10:]...)), "longer": append(bytes.Clone(whole), 0),
		"out of order": sealed(swapped), "made in year 10000": sealed(late), "too many": sealed(many),
	} {
		if _, err := ParseRing(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if _, err := ParseRing(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := ParseRing(whole[:i]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

// No verb of fmt finds a secret, not even in a struct that holds a copy.
func TestRingDoesNotPrint(t *testing.T) {
	r := ring(t, 0xab)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{r, *r, struct{ R Ring }{*r}, r.keys} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, "abababab") || strings.Contains(text, "171 171") || strings.Contains(text, "\xab\xab") || strings.Contains(text, "0xab, 0xab") {
				t.Errorf("%s of %T prints the seed: %s", verb, v, text)
			}
		}
	}
}

func FuzzParseRing(f *testing.F) {
	f.Add(must(goldenRing(f).Bytes())(f))
	f.Add(must(new(Ring).Bytes())(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The sum would keep the fuzzer out.
		if n := len(b) - ringSum; n >= 0 {
			sum := sha256.Sum256(b[:n])
			copy(b[n:], sum[:])
		}
		r, err := ParseRing(b)
		if err != nil {
			return
		}
		if again, err := r.Bytes(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x\nwas written as\n%x, %v", b, again, err)
		}
	})
}
