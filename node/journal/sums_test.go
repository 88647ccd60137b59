package journal

import (
	"encoding/binary"
	"fmt"
	"testing"

	"earshot/node/message"
	"earshot/node/wire"
)

// TestSums pins the bytes that all replicas must agree on.
func TestSums(t *testing.T) {
	h := Head{Log: message.LogID{1}, Seq: 2, Tip: message.Hash{3}, Fork: 4, Day: 5}
	l := h.lanes()
	sum := l
	sum.add(l)
	if got, want := fmt.Sprintf("%x%x", l.hash(), sum.hash()), "824c2e8fac1ada47c9b7654a2cd07501b7102f18c051a9639a526cb150ca410804985d1f5835b48e936eca9459a0ea026e205e3180a352c634a4d962a1948210"; got != want {
		t.Errorf("sums %s, want %s", got, want)
	}
	sum.sub(l)
	if sum != l || lanesOf(l.hash()) != l {
		t.Error("what was added is not taken away")
	}
	j := start(t, Config{})
	j.mu.Lock()
	days := j.groupLocked(message.Public, true).days
	days[5] = &daySum{day: 5, sum: l, logs: 1}
	days[7] = &daySum{day: 7, sum: lanes{1}, logs: 1}
	j.mu.Unlock()
	root, err := j.Root(message.Public, 5, 7)
	if got, want := fmt.Sprintf("%x", root), "936b3bdbcfc5d9e9b813daa3c1392a0bb0e2e5b7137b910f50a3b04efd50d726"; got != want || err != nil {
		t.Errorf("root %s, want %s, %v", got, want, err)
	}
	if one, _ := j.Root(message.Public, 6, 7); one == root {
		t.Error("the root does not depend on the days")
	}
}

// The parts of a day keep up with its heads: new logs, longer ones, and forks.
func TestParts(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	day := today()
	check := func(want bool) {
		t.Helper()
		got, err := j.Parts(message.Public, day)
		if err != nil || (got != nil) != want {
			t.Fatal(got, err)
		}
		var sums [wire.Parts]uint64
		for _, h := range heads(t, j) {
			if h.Day == day {
				sums[h.Log[0]/2] += h.lanes()[0]
			}
		}
		for i := range got[:len(got)/wire.PartBytes] {
			if binary.BigEndian.Uint64(got[i*wire.PartBytes:]) != sums[i] {
				t.Fatalf("part %d is wrong", i)
			}
		}
	}
	var logs []*chain
	for i := range wire.Parts {
		check(false)
		c := newChain(t, byte(i), day).add("one", "two", "three")
		logs = append(logs, c)
		take(t, j, c.run(1, 2), 2, nil)
	}
	check(true)
	for _, c := range logs[:9] {
		take(t, j, c.run(3, 3), 1, nil)
	}
	take(t, j, logs[9].fork(1).add("other").run(2, 2), 0, ErrConflict)
	take(t, j, newChain(t, 1, day-1).add("yesterday").run(1, 1), 1, nil)
	check(true)
	settle(t, j)
	check(true)
}
