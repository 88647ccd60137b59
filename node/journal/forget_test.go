package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
)

// small is a store in memory of which some 100 KB are empty tables.
const small = 1 << 20

// long returns n bodies of a kilobyte.
func long(n int) (bodies []string) {
	for i := range n {
		bodies = append(bodies, fmt.Sprintf("%04d", i)+strings.Repeat("x", 1020))
	}
	return bodies
}

// takeAll appends a chain in runs of ten and returns how many messages that were.
func takeAll(t testing.TB, j *Journal, c *chain) int {
	t.Helper()
	for first := 1; first <= len(c.records); first += 10 {
		last := min(first+9, len(c.records))
		take(t, j, c.run(first, last), last-first+1, nil)
	}
	return len(c.records)
}

// checkSmall fails where a journal in memory takes more than it may, once it has settled.
func checkSmall(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.settle(); err != nil {
		t.Fatal(err)
	}
	if size, err := j.store.size(); err != nil || size > small {
		t.Errorf("%d bytes in a store that may have %d, %v", size, small, err)
	}
}

// What one log says without end does not take memory without end, nor the place of what others say. Its end is known, and what comes next is taken; its sums are those of who has all of it.
func TestForgetAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, all := start(t, Config{Memory: small}), start(t, Config{})
		calm := newChain(t, 1, today()).add("a", "b", "c")
		flood := newChain(t, 2, today())
		takeAll(t, all, calm)
		takeAll(t, j, calm)
		for range 8 {
			n := len(flood.records)
			flood.add(long(500)...)
			for first := n + 1; first <= len(flood.records); first += 50 {
				take(t, j, flood.run(first, first+49), 50, nil)
			}
			checkSmall(t, j)
		}
		takeAll(t, all, flood)
		checkSums(t, j)
		if !slices.Equal(heads(t, j), heads(t, all)) {
			t.Error("it tells other heads than who has all")
		}
		log := flood.opening.Log()
		if got := bodies(t, j, log, 1); len(got) != 0 {
			t.Errorf("%d messages are served of a log whose beginning is forgotten", len(got))
		}
		page, err := j.Page(lobby, Key{}, 10000)
		said := texts(t, page, err)
		if n := len(said); n < 403 || n > 1003 || !slices.Equal(said[:3], []string{"a", "b", "c"}) {
			t.Fatalf("%d lines are shown, the first %.80q", n, said)
		}
		if from := 4001 - (len(said) - 3); !slices.Equal(bodies(t, j, log, uint64(from)), said[3:]) || len(bodies(t, j, log, uint64(from-1))) != 0 {
			t.Error("what is shown is not what is served")
		}

		// What was forgotten may come again, alone or with more.
		take(t, j, flood.run(1, 10), 0, nil)
		if _, ok := j.Hash(log, 5); ok {
			t.Error("what was forgotten is known")
		}
		flood.add("next", "and next")
		take(t, j, flood.run(1, 4001), 1, nil)
		take(t, j, flood.run(4002, 4002), 1, nil)
		take(t, j, flood.run(3990, 4002), 0, nil)

		// A fork of what was forgotten ends the log there.
		other := flood.fork(5).add("different", "and on")
		proof := proof(6, flood.run(1, 10), other.run(1, 7))
		for _, j := range []*Journal{j, all} {
			if j == all {
				take(t, j, flood.run(4001, 4002), 2, nil)
			}
			if err := j.AppendProof(proof, 1); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(heads(t, j), heads(t, all)) {
			t.Error("they tell other heads after a fork")
		}
		checkSmall(t, j)
		checkSums(t, j)
		if n := len(j.Proof(log)); n == 0 {
			t.Error("there is no proof")
		}
	})
}

// A fork that is found where the log is still known is found, though its beginning is forgotten.
func TestForkOfWhatIsHalfForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Memory: small})
		flood := newChain(t, 2, today()).add(long(2000)...)
		takeAll(t, j, flood)
		checkSmall(t, j)
		other := flood.fork(1990).add("different", "and on")
		take(t, j, other.run(1, 1992), 0, ErrConflict)
		if h, _ := j.Head(flood.opening.Log()); h.Fork != 1991 || h.Seq != 1990 {
			t.Errorf("it ends at %d, a fork at %d", h.Seq, h.Fork)
		}
	})
}

// While the time is vouched for, whole days that are over go first, and nobody compares them; else, and today, what the largest logs of the oldest day said.
func TestForgetDays(t *testing.T) {
	for _, vouched := range []bool{true, false} {
		t.Run(fmt.Sprint("vouched ", vouched), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, all := start(t, Config{Memory: small}), start(t, Config{})
				if vouched {
					j.Clock().Vouch(time.Now())
				}
				for day := today() - 9; day <= today(); day++ { // 3.2 MB
					for who := range byte(4) {
						c := newChain(t, who, day).add(long(80)...)
						takeAll(t, j, c)
						takeAll(t, all, c)
					}
					time.Sleep(time.Second)
					checkSmall(t, j)
				}
				checkSums(t, j)
				horizon := j.Horizon(message.Public)
				if vouched != (horizon > today()-9) || horizon > today() {
					t.Errorf("the horizon is %d days ago", today()-horizon)
				}
				mine, err := j.Root(message.Public, horizon, today())
				theirs, err2 := all.Root(message.Public, horizon, today())
				if err != nil || err2 != nil || mine != theirs {
					t.Error("they differ", err, err2)
				}
				shown := map[uint32]int{}
				for l, err := range j.All(0) {
					if err != nil {
						t.Fatal(err)
					}
					shown[dayOf(int64(l.HLC>>16))]++
				}
				if shown[today()] != 320 || shown[today()-9] != 0 {
					t.Errorf("lines by day, which are to be those of the newest: %v", shown)
				}
				old := newChain(t, 9, today()-9).add("late")
				if _, err := j.Append(context.Background(), old.run(1, 1), 1, Asked); errors.Is(err, ErrDay) != vouched {
					t.Errorf("a line of a day that was forgotten: %v", err)
				}
			})
		})
	}
}

// Heads are not forgotten while their day lasts: where nothing else is left, no more logs are taken from others, and those that are held go on.
func TestForgetNoHeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const memory = 300 << 10
		j := start(t, Config{Memory: memory})
		var first *chain
		for n := 0; ; n++ {
			c := newChain(t, 1, today()).add("hello")
			c.opening.Nonce = message.Nonce{byte(n), byte(n >> 8), 1}
			if first == nil {
				first = c
			}
			if _, err := j.Append(context.Background(), c.run(1, 1), 1, Live); errors.Is(err, ErrCrowded) {
				break
			} else if err != nil || n > 2000 {
				t.Fatal(n, err)
			}
			if n%100 == 0 {
				settle(t, j)
				time.Sleep(time.Second)
			}
		}
		take(t, j, first.add("and on").run(2, 2), 1, nil)
		say(t, j.NewAuthor(person(t, 7), "me"), "what is said here is taken")
		if err := j.settle(); err != nil {
			t.Fatal(err)
		}
		checkSums(t, j)
		if size, err := j.store.size(); err != nil || size > memory*3/2 {
			t.Error(size, err)
		}
	})
}

// What sealed messages, edits, reactions and redactions said goes with them.
func TestForgetWhatIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Memory: small, Vault: newVault(1)})
		a, b := j.NewAuthor(person(t, 1), "a"), j.NewAuthor(person(t, 2), "b")
		id, key := say(t, b, "stays")
		first, at := say(t, a, "goes")
		for i := range 600 {
			id, key := say(t, a, long(1)[0]+fmt.Sprint(i))
			edit(t, a, ref(id, key), strings.Repeat("y", 1000))
			react(t, b, ref(id, key), "👍", true)
			whisperText(t, a, strings.Repeat("z", 1000))
			if i%20 == 0 { // no time passes here: what it has to forget it forgets now
				if err := j.settle(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		edit(t, b, ref(id, key), "still")
		time.Sleep(time.Second)
		checkSmall(t, j)
		tell(t, a, message.Redact, refs(ref(first, at)))
		time.Sleep(time.Second)
		checkSmall(t, j)
		for _, table := range []string{"timeline", "mark", "opened", "run"} {
			var n int
			if err := j.store.r.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n > 900 {
				t.Errorf("%d rows of %s are left: %v", n, table, err)
			}
		}
		if _, ok, err := j.Find(ref(first, at)); ok || err != nil || j.Err() != nil {
			t.Error("what was forgotten:", ok, err, j.Err())
		}
		lines, err := j.Page(lobby, Key{}, 10000)
		if got := asShown(lines); err != nil || len(got) == 0 || !strings.Contains(got[0], "still") {
			t.Errorf("%.100q, %v", got, err)
		}
		checkSums(t, j)
	})
}
