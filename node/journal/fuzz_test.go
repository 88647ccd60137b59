package journal

import (
	"context"
	"errors"
	"slices"
	"testing"

	"earshot/node/message"
)

// What the bytes of FuzzAppend are.
const (
	fuzzRun    = iota
	fuzzSigned // a run that its log's author signs as it is: a liar
	fuzzProof
)

// FuzzAppend gives a journal bytes that may have been a run: what is held is never changed, only added to or cut off, and what is refused leaves
// no trace. Run it with -fuzzminimizetime=10x: the coverage of SQLite makes minimizing slow.
func FuzzAppend(f *testing.F) {
	c := newChain(f, 1, today()).add("1", "2", "3", "4", "5", "6")
	other := c.fork(2).add("three", "four", "five")
	for _, r := range []*message.Run{c.run(1, 3), c.run(2, 4), c.run(4, 6), c.run(5, 6), other.run(1, 5), other.run(3, 5), newChain(f, 2, today()).add("x").run(1, 1)} {
		f.Add(r.Append(nil), uint8(fuzzRun))
		f.Add(r.Append(nil), uint8(fuzzSigned))
	}
	f.Add(message.AppendProof(nil, c.run(3, 3), other.run(3, 5)), uint8(fuzzProof))
	held := c.run(1, 4).Hashes()
	id := c.opening.Log()
	f.Fuzz(func(t *testing.T, b []byte, mode uint8) {
		j := open(t, Config{})
		defer j.store.close()
		if _, err := j.Append(context.Background(), c.run(1, 4), 1, false); err != nil {
			t.Fatal(err)
		}
		before := heads(t, j)
		var n int
		var err error
		if mode == fuzzProof {
			err = j.AppendProof(b, 1)
		} else {
			run, bad := message.ParseRun(b)
			if bad != nil {
				return
			}
			if mode == fuzzSigned {
				run.Sign(c.author)
			}
			n, err = j.Append(context.Background(), run, 1, false)
		}
		after := heads(t, j)
		h, ok := j.Head(id)
		switch {
		case !ok || h.Fork == 0 && h.Seq < 4 || h.Fork != 0 && h.Seq >= h.Fork:
			t.Fatalf("the log was lost: %+v", h)
		case errors.Is(err, ErrConflict) || mode == fuzzProof && err == nil:
			if n != 0 || len(after) != 1 {
				t.Fatal("a conflict added something")
			}
		case (err != nil || n == 0) && !slices.Equal(before, after):
			t.Fatalf("%d added, %v, but something changed", n, err)
		}
		for seq := uint64(1); seq <= min(h.Seq, 4); seq++ {
			if got, ok := j.Hash(id, seq); !ok || got != held[seq-1] {
				t.Fatalf("message %d changed", seq)
			}
		}
		if _, ok := j.Hash(id, h.Seq+1); ok {
			t.Fatal("there is a message after the last")
		}
		checkSums(t, j)
		if err := j.commit(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(heads(t, j), after) {
			t.Fatal("on disk is something else")
		}
	})
}
