package wire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"earshot/node/identity"
)

// A hub says the same of one person to everyone: a Person is encoded once, and AppendPresence puts a frame together from such parts.

// EncodePerson returns a person as it stands in a PRESENCE body.
func EncodePerson(p *Person) []byte { return must(encoding.Marshal(p)) }

// AppendPresence appends a frame as Append does of a Presence; here are encoded persons.
func AppendPresence(b []byte, full, more bool, here [][]byte, gone []identity.Session) []byte {
	const yes = 0xf5
	keys := 0
	for _, is := range []bool{full, len(here) > 0, len(gone) > 0, more} {
		if is {
			keys++
		}
	}
	most := 32 + len(gone)*(1+len(identity.Session{}))
	for _, p := range here {
		most += len(p)
	}
	from := len(b)
	b = slices.Grow(b, most)
	b = append(b, 0, 0, 0, 0, byte(TypePresence))
	b = appendHead(b, majorMap, keys)
	if full {
		b = append(b, 1, yes)
	}
	if len(here) > 0 {
		b = appendHead(append(b, 2), majorArray, len(here))
		for _, p := range here {
			b = append(b, p...)
		}
	}
	if len(gone) > 0 {
		b = appendHead(append(b, 3), majorArray, len(gone))
		for _, s := range gone {
			b = append(appendHead(b, majorBytes, len(s)), s[:]...)
		}
	}
	if more {
		b = append(b, 4, yes)
	}
	size := len(b) - from - (HeaderLen - 1)
	if size > MaxFrame {
		panic(fmt.Sprintf("wire: a presence of %d bytes", size))
	}
	binary.BigEndian.PutUint32(b[from:], uint32(size))
	return b
}

// appendHead appends what an item of CBOR begins with: its major type, and its count or length n.
func appendHead(b []byte, major byte, n int) []byte {
	switch {
	case n < 24:
		return append(b, major<<5|byte(n))
	case n < 1<<8:
		return append(b, major<<5|24, byte(n))
	default:
		return binary.BigEndian.AppendUint16(append(b, major<<5|25), uint16(n))
	}
}
