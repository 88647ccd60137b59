package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"earshot/node/identity"
	. "earshot/node/wire"
)

// A presence put together from parts is byte for byte the one that is encoded whole.
func TestAppendPresence(t *testing.T) {
	for _, here := range []int{0, 1, 23, 24, 200} {
		for _, gone := range []int{0, 1, 255, 256} {
			for i := range 4 {
				p := Presence{Full: i&1 != 0, More: i&2 != 0}
				var parts [][]byte
				for n := range here {
					one := Person{Session: identity.Session{byte(n)}, Nick: fmt.Sprint("nick", n), Away: n%2 == 0, Address: []string{"10.0.0.1:4327"}}
					p.Here, parts = append(p.Here, one), append(parts, EncodePerson(&one))
				}
				for n := range gone {
					p.Gone = append(p.Gone, identity.Session{byte(n), 1})
				}
				if got, want := AppendPresence([]byte("x"), p.Full, p.More, parts, p.Gone), Append([]byte("x"), TypePresence, &p); !bytes.Equal(got, want) {
					t.Fatalf("%d here, %d gone, full %v, more %v: %x, want %x", here, gone, p.Full, p.More, got, want)
				}
			}
		}
	}
}
