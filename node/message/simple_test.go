package message

import (
	"math/rand/v2"
	"testing"
)

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
