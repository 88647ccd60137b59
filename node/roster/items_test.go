package roster

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// Whatever is not an extension may go on, in whatever pieces it comes, and what comes after it is told apart.
func TestItems(t *testing.T) {
	handle := &codec.MsgpackHandle{WriteExt: true} // lengths of one byte, too
	encode := func(v any) (b []byte) {
		codec.NewEncoderBytes(&b, handle).MustEncode(v)
		return b
	}
	var all []byte
	for _, n := range []int{0, 1, 31, 32, 255, 256, 65535, 65536} {
		body := bytes.Repeat([]byte{0xc9}, n)
		all = append(all, encode(map[string]any{"text": strings.Repeat("\xc9", n), "bytes": body, "list": make([]bool, n), "map": map[int]string{n: "x"}})...)
	}
	for n := int64(1); n > 0; n *= 2 {
		all = append(all, encode([]any{n, -n, uint64(n), float32(n), float64(n), nil})...)
	}
	for _, size := range []int{1, 2, 3, 7, 4096, len(all)} {
		var it items
		for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if !it.take(rest[:min(size, len(rest))]) {
				t.Fatalf("refused in pieces of %d", size)
			}
		}
		if it != (items{}) || it.take(encode(time.Now())) {
			t.Errorf("in pieces of %d it lost its way: %+v", size, it)
		}
	}
}
