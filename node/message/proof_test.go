package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"earshot/node/nodetest/golden"
)

// forked returns two runs of one log that part at number 3.
func forked(t testing.TB) (x, y *Run) {
	t.Helper()
	alice := author(t, 1)
	x = say(alice, "one", "two", "three", "four")
	y = say(alice, "one", "two", "III").From(2, x.Hashes()[0])
	return x, y
}

func TestProof(t *testing.T) {
	x, y := forked(t)
	proof := golden.Check(t, "proof-short", AppendProof(nil, x, y))
	if !bytes.Equal(proof, AppendProof(nil, y, x)) {
		t.Error("one proof, two encodings")
	}
	a, b, err := ParseProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	if again := AppendProof(nil, a, b); !bytes.Equal(again, proof) {
		t.Errorf("parsed from\n%x\nencoded as\n%x", proof, again)
	}
	alice := author(t, 1).ID()
	if seq, err := Fork(alice, a, b); seq != 3 || err != nil {
		t.Errorf("fork at %d, %v", seq, err)
	}
	if a, b, err = ParseProof(golden.Read(t, "proof")); err != nil {
		t.Fatal(err)
	}
	if seq, err := Fork(alice, a, b); seq != 3 || err != nil {
		t.Errorf("of long records: fork at %d, %v", seq, err)
	}
	if _, err := Fork(author(t, 2).ID(), a, b); !errors.Is(err, ErrSignature) {
		t.Errorf("another author: %v", err)
	}
	if _, err := Fork(alice, x, x); !errors.Is(err, ErrMalformed) {
		t.Errorf("a run and itself: %v", err)
	}
	if _, err := Fork(alice, x, x.From(2, x.Hashes()[0])); !errors.Is(err, ErrMalformed) {
		t.Errorf("a run and its own end: %v", err)
	}
}

// Two whole runs of the most records and the longest names go into one frame.
func TestProofFits(t *testing.T) {
	alice := author(t, 1)
	run := func(last string) *Run {
		r := say(alice, append(make([]string, MaxRecords-1), last)...)
		r.Opening.Nick, r.Opening.Name = strings.Repeat("x", MaxNickBytes), strings.Repeat("x", MaxRoomNameBytes)
		r.Opening.Room = Room(r.Opening.Name)
		r.Log = r.Opening.Log()
		r.Sign(alice)
		return r
	}
	if n := len(AppendProof(nil, run("x"), run(strings.Repeat("y", MaxBody)))); n > 32<<10 {
		t.Errorf("%d bytes", n)
	}
}

func TestProofRefused(t *testing.T) {
	x, y := forked(t)
	pair := func(x, y []byte) []byte {
		if bytes.Compare(x, y) > 0 {
			x, y = y, x
		}
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(x))), x, y)
	}
	bare, other := x.bare().Append(nil), y.bare().Append(nil)
	swapped := slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(bare))), bare, other)
	if bytes.Compare(bare, other) < 0 {
		swapped = slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(other))), other, bare)
	}
	elsewhere := say(author(t, 2), "one").bare().Append(nil)
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"a length too long": {0xff, 0xff, 0xff, 0xff, 1},
		"one run":           pair(nil, bare),
		"one run twice":     pair(bare, bare),
		"the greater first": swapped,
		"bodies":            pair(x.Append(nil), other),
		"two logs":          pair(bare, elsewhere),
		"a byte more":       append(AppendProof(nil, x, y), 0),
	} {
		if _, _, err := ParseProof(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	x, y := forked(f)
	f.Add(AppendProof(nil, x, y))
	f.Add(golden.Read(f, "proof"))
	who := author(f, 1).ID()
	f.Fuzz(func(t *testing.T, b []byte) {
		x, y, err := ParseProof(b)
		if err != nil {
			return
		}
		short := b[4+24] & b[4+binary.BigEndian.Uint32(b)+24] & flagShort // of both runs
		if again := AppendProof(nil, x, y); short != 0 && !bytes.Equal(again, b) {
			t.Fatalf("parsed from\n%x\nencoded as\n%x", b, again)
		}
		if _, err := Fork(who, x, y); err != nil && !errors.Is(err, ErrSignature) && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}
