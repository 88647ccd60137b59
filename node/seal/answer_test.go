package seal

import (
	"bytes"
	"testing"
)

func TestAnswer(t *testing.T) {
	for hex, a := range map[string]Answer{"040000000701": {7, true}, "04fffffffe00": {1<<32 - 2, false}} {
		b := a.Bytes()
		pin(t, "the answer", b, hex)
		if got := must(ParseAnswer(b))(t); got != a {
			t.Errorf("%+v comes back as %+v", a, got)
		}
	}
	for what, b := range map[string][]byte{"nothing": {}, "cut": {4, 0, 0, 0, 7}, "longer": {4, 0, 0, 0, 7, 1, 0}, "another form": {3, 0, 0, 0, 7, 1}, "neither yes nor no": {4, 0, 0, 0, 7, 2}} {
		if a, err := ParseAnswer(b); err == nil {
			t.Errorf("%s is %+v", what, a)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(Answer{7, true}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAnswer(b); err == nil && !bytes.Equal(a.Bytes(), b) {
			t.Fatalf("%x was kept as %x", b, a.Bytes())
		}
	})
}
