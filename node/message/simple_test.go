package message

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Eight bytes looked at together say what each says by itself.
func TestPlain(t *testing.T) {
	const signs = "aZ ~\x1f\x20\x21\x7e\x7f\x80\xff\x00\n\t"
	random := rand.New(rand.NewPCG(1, 2))
	for range 50000 {
		b := bytes.Repeat([]byte{'m'}, random.IntN(40))
		for range min(len(b), random.IntN(4)) {
			b[random.IntN(len(b))] = signs[random.IntN(len(signs))]
		}
		if s := string(b); plain(s) != plainBytes(s) {
			t.Errorf("%q: %v, byte by byte %v", s, plain(s), plainBytes(s))
		}
	}
}

// What is done for most names at once gives what is done for any name.
func TestSimpleNames(t *testing.T) {
	const signs = "abcxyzilo019ABCXYZILO-_. "
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := make([]byte, 1+random.IntN(28))
		for i := range b {
			b[i] = signs[random.IntN(len(signs))]
		}
		s := string(b)
		nick, err := trimNick(s)
		if any, e := trimAnyNick(s); nick != any || (err == nil) != (e == nil) {
			t.Errorf("nick %q: %q, %v, and %q, %v", s, nick, err, any, e)
		}
		if key, any := NickKey(s), anyNickKey(s); key != any {
			t.Errorf("key of %q: %q and %q", s, key, any)
		}
		room, err := CleanRoom(s)
		if any, e := cleanAnyRoom(s); room != any || (err == nil) != (e == nil) {
			t.Errorf("room %q: %q, %v, and %q, %v", s, room, err, any, e)
		}
	}
}
