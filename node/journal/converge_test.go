package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"earshot/node/message"
)

// TestRandomOrder gives three replicas the same runs, cut, doubled and in any order, with forks among them, until nothing is new any more: then all
// hold the same, also after a restart.
func TestRandomOrder(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			var chains []*chain
			for i := range 8 {
				c := newChain(t, byte(i), today()-uint32(i%3))
				for k := range 1 + rnd.IntN(40) {
					c.add(fmt.Sprint(i, "-", k))
				}
				chains = append(chains, c)
				for range i % 3 { // is continued in other ways too
					fork := c.fork(rnd.IntN(len(c.records)))
					for k := range 1 + rnd.IntN(20) {
						fork.add(fmt.Sprint(i, "-", k, " otherwise ", rnd.IntN(3)))
					}
					chains = append(chains, fork)
				}
			}
			dirs := []string{t.TempDir(), t.TempDir(), ""}
			var js []*Journal
			var stops []func() error
			for i, dir := range dirs {
				j := open(t, Config{Dir: dir, Tail: 1})
				j.logs.size = 1 + i
				js, stops = append(js, j), append(stops, run(t, j))
			}
			for range 400 {
				c := chains[rnd.IntN(len(chains))]
				first := 1 + rnd.IntN(len(c.records))
				last := first + rnd.IntN(len(c.records)-first+1)
				if rnd.IntN(3) == 0 {
					first = 1
				}
				if _, err := js[rnd.IntN(3)].Append(context.Background(), c.run(first, last), 1, Live); err != nil && !errors.Is(err, ErrGap) && !errors.Is(err, ErrConflict) {
					t.Fatal(err)
				}
			}
			exchange(t, rnd, js)
			same := func() {
				t.Helper()
				var first []Line
				for i, j := range js {
					checkWhole(t, j)
					lines, err := j.Page(lobby, Key{}, 10000)
					if err != nil {
						t.Fatal(err)
					}
					for k := range lines {
						lines[k].Arrival = 0
					}
					if i == 0 {
						first = lines
					}
					if !reflect.DeepEqual(lines, first) || len(lines) == 0 {
						t.Errorf("replica %d shows %d lines, the first %d", i, len(lines), len(first))
					}
					if !slices.Equal(heads(t, j), heads(t, js[0])) {
						t.Errorf("replica %d has other heads", i)
					}
				}
			}
			same()
			for i, dir := range dirs[:2] {
				if err := stops[i](); err != nil {
					t.Fatal(err)
				}
				js[i] = start(t, Config{Dir: dir})
			}
			same()
		})
	}
}

// exchange lets replicas that differ ask each other, as package exchange does, until none does.
func exchange(t *testing.T, rnd *rand.Rand, js []*Journal) {
	t.Helper()
	for round := 0; ; round++ {
		equal := true
		for _, n := range rnd.Perm(len(js) * len(js)) {
			from, to := js[n/len(js)], js[n%len(js)]
			for _, theirs := range heads(t, from) {
				mine, _ := to.Head(theirs.Log)
				if mine == theirs {
					continue
				}
				equal = false
				want := mine.Seq + 1
				if h, ok := to.Hash(theirs.Log, theirs.Seq); ok && h != theirs.Tip {
					want = 1
				}
				for range 2 {
					again := false
					for data, err := range from.Serve(theirs.Log, want) {
						if err != nil {
							t.Fatal(err)
						}
						r, err := message.ParseRun(data)
						if err == nil {
							_, err = to.Append(context.Background(), r, 1, Live)
						}
						again = again || errors.Is(err, ErrConflict)
						if err != nil && !errors.Is(err, ErrGap) && !errors.Is(err, ErrConflict) {
							t.Fatal(err)
						}
					}
					if !again {
						break
					}
					want = 1
				}
				if p := from.Proof(theirs.Log); p != nil {
					if err := to.AppendProof(p, 1); err != nil && !errors.Is(err, ErrGap) {
						t.Fatal(err)
					}
				}
			}
		}
		if equal {
			return
		}
		if round > 20 {
			t.Fatal("the replicas do not converge")
		}
	}
}
