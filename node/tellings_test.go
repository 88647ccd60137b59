package node

import (
	"encoding/binary"
	"testing"

	"earshot/node/message"
)

// The newest are remembered, and what became of them; of the others there are not many.
func TestTellings(t *testing.T) {
	id := func(n int) (id message.ID) {
		binary.BigEndian.PutUint32(id[:], uint32(n))
		return id
	}
	told := newTellings()
	const all = 3*toldKept + 7
	for n := range all {
		told.put(id(n), n%3 == 0)
		if _, held := told.find(id(max(0, n-toldKept+1))); !held {
			t.Fatalf("of %d that were told, the last but %d is forgotten", n, toldKept)
		}
	}
	for n := all - toldKept; n < all; n++ {
		if became, held := told.find(id(n)); !held || became != (n%3 == 0) {
			t.Fatalf("%d: %v, %v", n, became, held)
		}
	}
	if kept := len(told.young) + len(told.old); kept >= 2*toldKept {
		t.Errorf("%d are remembered", kept)
	}
	last, old := id(all-1), id(all-toldKept)
	told.put(old, true)
	if became, held := told.find(old); !became || !held {
		t.Error("what became of an old one is not remembered")
	}
	for _, id := range []message.ID{last, old} {
		told.forget(id)
		if _, held := told.find(id); held {
			t.Error("it is not forgotten")
		}
	}
}
