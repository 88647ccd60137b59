package wire

import (
	"bytes"
	"encoding/binary"
)

// The major types of CBOR, RFC 8949 §3.1, that are looked into here.
const (
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
)

// includes reports whether the item in begins with says all that the item out begins with says, in the same bytes; where it is a map it
// may have more pairs. It returns what follows the two. Both are without tags and indefinite lengths, and not deep; out is well-formed. In is
// where an int has 64 bits: where it has 32 the library takes lengths modulo 2³², so each is looked at again.
func includes(in, out []byte) (inRest, outRest []byte, ok bool) {
	major, n, items, ok := head(in)
	outMajor, outN, outItems, _ := head(out)
	switch {
	case !ok:
		return nil, nil, false
	case major == majorMap && outMajor == majorMap:
		in, out = items, outItems
		for ; n > 0; n-- {
			value, ok := skip(in)
			if !ok {
				return nil, nil, false
			}
			key := in[:len(in)-len(value)]
			if outN == 0 || !bytes.HasPrefix(out, key) {
				if in, ok = skip(value); !ok { // not known, or out of order: then another is missing below
					return nil, nil, false
				}
				continue
			}
			if in, out, ok = includes(value, out[len(key):]); !ok {
				return nil, nil, false
			}
			outN--
		}
		return in, out, outN == 0
	case major == majorArray && outMajor == majorArray:
		if !bytes.Equal(in[:len(in)-len(items)], out[:len(out)-len(outItems)]) {
			return nil, nil, false
		}
		in, out = items, outItems
		for ; n > 0; n-- {
			if in, out, ok = includes(in, out); !ok {
				return nil, nil, false
			}
		}
		return in, out, true
	default:
		rest, ok := skip(in)
		item := in[:len(in)-len(rest)]
		if !ok || !bytes.HasPrefix(out, item) {
			return nil, nil, false
		}
		return rest, out[len(item):], true
	}
}

// skip returns what follows the item b begins with, if all of it is there.
func skip(b []byte) (rest []byte, ok bool) {
	major, n, rest, ok := head(b)
	if !ok {
		return nil, false
	}
	switch major {
	case majorBytes, majorText:
		return rest[n:], true
	case majorMap:
		n *= 2
		fallthrough
	case majorArray:
		for ; n > 0 && ok; n-- {
			rest, ok = skip(rest)
		}
	}
	return rest, ok
}

// head reads the head of the item b begins with: its major type, its argument, and what follows. It is not ok where that is shorter than the argument says.
func head(b []byte) (major byte, n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, 0, nil, false
	}
	major, n, rest = b[0]>>5, uint64(b[0]&31), b[1:]
	if n >= 24 {
		size := 1 << (n - 24) // RFC 8949 §3
		if n > 27 || len(rest) < size {
			return 0, 0, nil, false
		}
		var wide [8]byte
		copy(wide[8-size:], rest)
		n, rest = binary.BigEndian.Uint64(wide[:]), rest[size:]
	}
	holds := major == majorBytes || major == majorText || major == majorArray || major == majorMap
	return major, n, rest, !holds || n <= uint64(len(rest))
}
