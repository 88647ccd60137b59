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
// may have more pairs. It returns what follows the two. Both are well-formed, without tags and indefinite lengths, and not deep.
func includes(in, out []byte) (inRest, outRest []byte, ok bool) {
	major, n, size := head(in)
	outMajor, outN, outSize := head(out)
	switch {
	case major == majorMap && outMajor == majorMap:
		in, out = in[size:], out[outSize:]
		for ; n > 0; n-- {
			key := in[:len(in)-len(skip(in))]
			if outN == 0 || !bytes.HasPrefix(out, key) {
				in = skip(in[len(key):]) // not known, or out of order: then another is missing below
				continue
			}
			if in, out, ok = includes(in[len(key):], out[len(key):]); !ok {
				return nil, nil, false
			}
			outN--
		}
		return in, out, outN == 0
	case major == majorArray && outMajor == majorArray:
		if !bytes.Equal(in[:size], out[:outSize]) {
			return nil, nil, false
		}
		in, out = in[size:], out[outSize:]
		for ; n > 0; n-- {
			if in, out, ok = includes(in, out); !ok {
				return nil, nil, false
			}
		}
		return in, out, true
	default:
		rest := skip(in)
		item := in[:len(in)-len(rest)]
		if !bytes.HasPrefix(out, item) {
			return nil, nil, false
		}
		return rest, out[len(item):], true
	}
}

// skip returns what follows the item b begins with.
func skip(b []byte) []byte {
	major, n, size := head(b)
	b = b[size:]
	switch major {
	case majorBytes, majorText:
		return b[n:]
	case majorMap:
		n *= 2
		fallthrough
	case majorArray:
		for ; n > 0; n-- {
			b = skip(b)
		}
	}
	return b
}

// head reads the head of the item b begins with: its major type, its argument, and how many bytes that took.
func head(b []byte) (major byte, n uint64, size int) {
	major = b[0] >> 5
	switch info := b[0] & 31; info {
	case 24:
		return major, uint64(b[1]), 2
	case 25:
		return major, uint64(binary.BigEndian.Uint16(b[1:])), 3
	case 26:
		return major, uint64(binary.BigEndian.Uint32(b[1:])), 5
	case 27:
		return major, binary.BigEndian.Uint64(b[1:]), 9
	default:
		return major, uint64(info), 1
	}
}
