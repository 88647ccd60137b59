package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
)

// What is said again is the same words in the same order, dated now, and the log it was in is empty wherever it or the proof of that comes, before and after a restart.
func TestRestate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, set := wrongClock()
		set(-40 * 24 * time.Hour)
		dir := t.TempDir()
		forked := func(f Fork) { t.Errorf("told of a fork: %+v", f) }
		j, other, late := open(t, Config{Dir: dir, Clock: clock, Forked: forked}), start(t, Config{Forked: forked}), start(t, Config{Forked: forked})
		stop := run(t, j)
		a := j.NewAuthor(person(t, 1), "a")
		var want []string
		var ids []message.ID
		var key Key
		for i := range 300 {
			want = append(want, fmt.Sprint("line ", i))
			var id message.ID
			id, key = say(t, a, want[i])
			ids = append(ids, id)
			if i == 100 {
				if err := a.Rename(context.Background(), "anna"); err != nil {
					t.Fatal(err)
				}
			}
		}
		feed(t, j, other)
		set(0)
		nonce := a.Nonce()
		var again []Restated
		if err := a.Restate(context.Background(), key.Log, func(r []Restated) {
			for _, r := range r {
				if _, held := j.Head(r.Key.Log); held && len(again) == 0 {
					t.Error("told after others could see it")
				}
			}
			again = append(again, r...)
		}); err != nil {
			t.Fatal(err)
		}
		if a.Nonce() == nonce {
			t.Error("no new nonce")
		}
		feed(t, j, other)
		feed(t, j, late)
		for name, c := range map[string]*Journal{"author": j, "who had it": other, "who did not": late} {
			if err := c.AppendProof(j.Proof(key.Log), 1); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			lines, err := c.Page(lobby, Key{}, 1000)
			if got := texts(t, lines, err); !slices.Equal(got, want) {
				t.Errorf("%s shows %d lines %.200q", name, len(got), got)
			}
			for i, l := range lines {
				if l.Nick != "anna" || l.ID != again[i].New || l.Key != again[i].Key || ids[i] != again[i].Old || time.Since(time.UnixMilli(int64(l.HLC>>16))).Abs() > time.Second {
					t.Fatalf("%s: line %d is %+v, told as %+v", name, i, l, again[i])
				}
			}
			if h, _ := c.Head(key.Log); h.Fork != 1 || h.Seq != 0 || !c.Void(key.Log) || c.Void(again[0].Key.Log) {
				t.Errorf("%s: %+v, void %v", name, h, c.Void(key.Log))
			}
		}
		if a, b := heads(t, j), heads(t, other); !slices.Equal(a, b) || !slices.Equal(a, heads(t, late)) {
			t.Error("the replicas differ")
		}
		// Once is enough, and what is another's is left alone.
		theirs := newChain(t, 2, today()).add("x")
		take(t, j, theirs.run(1, 1), 1, nil)
		for _, l := range []message.LogID{key.Log, theirs.opening.Log(), {1}} {
			if err := a.Restate(context.Background(), l, func(r []Restated) { t.Errorf("said again: %v", r) }); err != nil {
				t.Error(err)
			}
		}
		checkWhole(t, j)
		stop()
		j = start(t, Config{Dir: dir})
		lines, err := j.Page(lobby, Key{}, 1000)
		if got := texts(t, lines, err); !slices.Equal(got, append(want, "x")) || !j.Void(key.Log) {
			t.Errorf("after a restart: %d lines, void %v", len(got), j.Void(key.Log))
		}
	})
}

// A fork that somebody else's hand made is no void.
func TestForkIsNotVoid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		x := newChain(t, 1, today()).add("1", "2")
		take(t, j, x.run(1, 2), 2, nil)
		take(t, j, x.fork(0).add("one").run(1, 1), 0, ErrConflict)
		if id := x.opening.Log(); j.Proof(id) == nil || j.Void(id) {
			t.Errorf("void %v", j.Void(id))
		}
	})
}

// What this process wrote may go from one of its journals to another although its day is to come; what others bring may not.
func TestReofferOfADayToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, set := wrongClock()
		set(year)
		old := start(t, Config{Clock: clock})
		_, key := say(t, old.NewAuthor(person(t, 1), "a"), "x")
		j := start(t, Config{})
		j.Clock().Vouch(time.Now())
		for data, err := range old.Serve(key.Log, 1) {
			if err != nil {
				t.Fatal(err)
			}
			run, err := message.ParseRun(data)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(context.Background(), run, 1, Live); !errors.Is(err, ErrDay) {
				t.Errorf("from another: %v", err)
			}
		}
		if n, err := j.Reoffer(old, []message.LogID{key.Log}); n != 1 || err != nil {
			t.Errorf("from this process: %d, %v", n, err)
		}
	})
}
