package roster

// items goes through MessagePack, piece by piece as it comes. memberlist's decoder takes memory on the word of an item in a field that it does not know: of an extension that says to be a
// time, up to 4 GB for a packet of 20 bytes. memberlist sends none.
type items struct {
	skip   uint64 // bytes until the next item begins
	length uint64 // of a string or bytes, as far as it came
	more   int    // bytes of length that are still to come
}

// take reports whether b may go on after what came before. Maps and arrays are followed by what they hold: it makes no difference where they end.
func (it *items) take(b []byte) bool {
	for len(b) > 0 {
		if it.skip > 0 {
			n := min(it.skip, uint64(len(b)))
			it.skip, b = it.skip-n, b[n:]
			continue
		}
		c := b[0]
		b = b[1:]
		if it.more > 0 {
			it.length = it.length<<8 | uint64(c)
			if it.more--; it.more == 0 {
				it.skip, it.length = it.length, 0
			}
			continue
		}
		switch { // by the format's table of first bytes
		case c >= 0xa0 && c <= 0xbf:
			it.skip = uint64(c & 0x1f)
		case c >= 0xc4 && c <= 0xc6: // bytes
			it.more = 1 << (c - 0xc4)
		case c >= 0xd9 && c <= 0xdb: // a string
			it.more = 1 << (c - 0xd9)
		case c == 0xca || c == 0xcb: // a fraction
			it.skip = 4 << (c - 0xca)
		case c >= 0xcc && c <= 0xd3: // an integer
			it.skip = 1 << ((c - 0xcc) & 3)
		case c >= 0xdc && c <= 0xdf: // how many are in an array or a map
			it.skip = 2 << ((c - 0xdc) & 1)
		case c == 0xc1 || c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8: // nothing, and the extensions
			return false
		}
	}
	return true
}
