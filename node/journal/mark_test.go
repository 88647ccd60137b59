package journal

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
	"earshot/node/nodetest/disk"
)

// tell writes a message about others and returns its place.
func tell(t testing.TB, a *Author, k message.Kind, about message.About) (message.ID, Key) {
	t.Helper()
	id, key, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, k, about.Body(k))
	if err != nil {
		t.Fatal(err)
	}
	return id, key
}

func ref(id message.ID, k Key) message.Ref { return message.Ref{Log: k.Log, Seq: k.Seq, ID: id} }

func refs(r ...message.Ref) message.About { return message.About{Refs: r} }

func edit(t testing.TB, a *Author, target message.Ref, text string) (message.ID, Key) {
	t.Helper()
	return tell(t, a, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte(text)})
}

func react(t testing.TB, a *Author, target message.Ref, emoji string, on bool) {
	t.Helper()
	tell(t, a, message.React, message.About{Refs: []message.Ref{target}, Emoji: emoji, On: on})
}

// shown is the lobby as people see it, whichever way they page: what is deleted is "-", what is missing "?".
func shown(t testing.TB, j *Journal) []string {
	t.Helper()
	lines, err := j.Page(lobby, Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if forth, err := j.After(lobby, Key{}, 10_000); err != nil || !reflect.DeepEqual(forth, lines) {
		t.Errorf("from the beginning %v, %v; from the end %v", forth, err, lines)
	}
	return asShown(lines)
}

func checkShown(t testing.TB, j *Journal, want ...string) {
	t.Helper()
	if got := shown(t, j); !slices.Equal(got, want) {
		t.Errorf("shown %q, want %q", got, want)
	}
}

// runsOf returns all that is held, a message a run, in the order of people.
func runsOf(t testing.TB, j *Journal) (out []*message.Run) {
	t.Helper()
	for e, err := range entriesOf(j) {
		if err != nil {
			t.Fatal(err)
		}
		run, err := message.ParseRun(body(e.Frame))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, run)
	}
	return out
}

func entriesOf(j *Journal) func(func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for c := j.Follow(0); ; {
			entries, err := c.Next(1 << 20)
			if len(entries) == 0 {
				return
			}
			for _, e := range entries {
				if e.Fork == 0 && !yield(e, err) {
					return
				}
			}
		}
	}
}

// In whatever order the logs come, the same is shown.
func TestMarksInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
		again := j.NewAuthor(person(t, 1), "alice") // on another machine
		var said []message.Ref
		for i := range 6 {
			said = append(said, ref(say(t, alice, fmt.Sprint("line ", i))))
		}
		edit(t, alice, said[0], "early")
		edit(t, again, said[0], "late")
		edit(t, bob, said[1], "not bob's")
		tell(t, bob, message.Redact, refs(said[1]))
		first := ref(edit(t, alice, said[2], "what is deleted"))
		tell(t, again, message.Redact, refs(said[2], first))
		edit(t, again, said[2], "too late")
		react(t, alice, said[3], "👍", true)
		react(t, bob, said[3], "👍", true)
		react(t, bob, said[3], "👎", true)
		react(t, bob, said[3], "👎", false)
		react(t, bob, said[4], "👍", true)
		react(t, bob, message.Ref{Log: said[5].Log, Seq: said[5].Seq, ID: message.ID{1}}, "👍", true) // of another message at that place
		want := []string{"late", "line 1", "-", "line 3 👍2", "line 4 👍1", "line 5"}
		checkShown(t, j, want...)
		heads := heads(t, j)
		if len(heads) != 3 {
			t.Fatalf("%d logs", len(heads))
		}
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			for _, dir := range []string{"", t.TempDir()} {
				o := open(t, Config{Dir: dir})
				stop := run(t, o)
				for _, i := range order {
					for data, err := range j.Serve(heads[i].Log, 1) {
						if err != nil {
							t.Fatal(err)
						}
						give(t, o, data)
					}
					if i == order[1] {
						shown(t, o) // what came so far is indexed before the rest comes
					}
				}
				checkShown(t, o, want...)
				if n := len(o.Wanted(0, 9)); n != 0 {
					t.Errorf("in order %v %d logs lack bodies", order, n)
				}
				stop()
				if dir != "" {
					checkShown(t, start(t, Config{Dir: dir}), want...)
				}
			}
		}
	})
}

// What is redacted is gone from the disk, and from what is served: from memory, too.
func TestRedactionDeletes(t *testing.T) { synctest.Test(t, testRedactionDeletes) }

func testRedactionDeletes(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	stop := run(t, j)
	a := j.NewAuthor(person(t, 1), "alice")
	const secret = "correct horse battery staple"
	onDisk := func() []string { return disk.Find(t, dir, secret) }
	say(t, a, "before")
	target := ref(say(t, a, secret))
	e := ref(edit(t, a, target, secret+"!"))
	say(t, a, "after")
	var many []message.Ref // pages of the database are filled, and emptied
	for i := range 200 {
		many = append(many, ref(say(t, a, strings.Repeat(fmt.Sprint(secret, i), 10))))
	}
	shown(t, j)
	if len(onDisk()) == 0 {
		t.Fatal("the test does not find what is on the disk")
	}
	tell(t, a, message.Redact, refs(many...))
	tell(t, a, message.Redact, refs(target, e))
	want := append([]string{"before", "-", "after"}, slices.Repeat([]string{"-"}, len(many))...)
	checkShown(t, j, want...)
	for _, r := range runsOf(t, j) {
		if strings.Contains(string(r.Append(nil)), secret) {
			t.Error("a follower is sent what was deleted")
		}
	}
	for data, err := range j.Serve(target.Log, 1) {
		if err != nil || bytes.Contains(data, []byte(secret)) {
			t.Errorf("what was deleted is served: %v", err)
		}
	}
	say(t, a, "something else") // and a turn of the writer
	time.Sleep(scrubAfter + time.Second)
	synctest.Wait()
	if in := onDisk(); len(in) > 0 {
		t.Errorf("what was deleted is in %v while the journal is open", in)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if in := onDisk(); len(in) > 0 {
		t.Errorf("what was deleted is in %v", in)
	}
	again := start(t, Config{Dir: dir})
	checkShown(t, again, append(want, "something else")...)
	h, _ := again.DurableHead(target.Log)
	if h.Seq != 207 || len(again.Wanted(0, 9)) != 0 {
		t.Errorf("durable %d, wanted %v", h.Seq, again.Wanted(0, 9))
	}
}

// A redaction that came before its target deletes it when it comes.
func TestRedactionComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := newChain(t, 1, today()).add("one", "two")
		target := message.Ref{Log: words.opening.Log(), Seq: 2, ID: words.run(1, 2).Hashes()[1].ID()}
		later := newChain(t, 1, today())
		later.opening.Nonce[1] = 9
		later.add("first")
		later.records = append(later.records, message.Body(later.records[0].HLC+1<<16, message.Redact, (&message.About{Refs: []message.Ref{target}}).Body(message.Redact)))
		j := start(t, Config{})
		take(t, j, later.run(1, 2), 2, nil)
		checkShown(t, j, "first")
		take(t, j, words.run(1, 2), 2, nil)
		checkShown(t, j, "one", "first", "-")
		for data, err := range j.Serve(target.Log, 1) {
			if err != nil || bytes.Contains(data, []byte("two")) {
				t.Errorf("what was deleted is served: %v", err)
			}
		}
	})
}

// bare returns run without the bodies of these numbers.
func bare(run *message.Run, seqs ...uint64) *message.Run {
	c := *run
	c.Records = slices.Clone(run.Records)
	for i := range c.Records {
		if slices.Contains(seqs, c.First+uint64(i)) {
			c.Records[i].Redacted, c.Records[i].Body = true, nil
		}
	}
	return &c
}

// A relay strips bodies: they are missed, not told to be here, and taken from another; and news to who follows.
func TestStrippedBodiesAreWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := newChain(t, 1, today()).add("1", "2", "3", "4")
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		take(t, j, bare(c.run(1, 4), 2, 3), 4, nil)
		checkShown(t, j, "1", "?", "?", "4")
		check := func() {
			t.Helper()
			if w := j.Wanted(0, 9); len(w) != 1 || w[0].Seq != 2 {
				t.Errorf("wanted %v", w)
			}
			if h, ok := j.DurableHead(c.opening.Log()); !ok || h.Seq != 1 || h.Tip != c.run(1, 1).Hashes()[0] {
				t.Errorf("durable %+v, %v", h, ok)
			}
		}
		check()
		stop()
		j = start(t, Config{Dir: dir})
		check()
		f := j.Follow(j.Last())
		take(t, j, bare(c.run(1, 4), 3), 0, nil)
		checkThen(t, j, "1", "2", "?", "4")
		take(t, j, c.run(3, 4), 0, nil)
		checkThen(t, j, "1", "2", "3", "4")
		entries, err := f.Next(1 << 20)
		if err != nil || len(entries) != 2 {
			t.Fatalf("%d entries follow, %v", len(entries), err)
		}
		if lines, err := j.Lines(entries[1]); err != nil || string(lines[0].Body) != "3" {
			t.Errorf("%+v, %v", lines, err)
		}
		if h, _ := j.DurableHead(c.opening.Log()); h.Seq != 4 || len(j.Wanted(0, 9)) != 0 {
			t.Errorf("durable %d, wanted %v", h.Seq, j.Wanted(0, 9))
		}
		if n, err := j.Follow(0).Next(1 << 20); err != nil || len(n) == 0 {
			t.Errorf("%v, %v", n, err)
		}
	})
}

// checkThen waits for a turn of the writer first: what is brought is nothing that Page waits for.
func checkThen(t testing.TB, j *Journal, want ...string) {
	t.Helper()
	synctest.Wait()
	checkShown(t, j, want...)
}

// Bodies by which others are judged are never missing.
func TestRedactionsCannotBeStripped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := start(t, Config{}), start(t, Config{})
		alice := a.NewAuthor(person(t, 1), "alice")
		target := ref(say(t, alice, "x"))
		tell(t, alice, message.Redact, refs(target))
		runs := runsOf(t, a)
		take(t, b, runs[0], 1, nil)
		take(t, b, bare(runs[1], 2), 0, ErrStripped)
		take(t, b, bare(runs[1], 2), 0, ErrGap)
		checkShown(t, b, "x")
	})
}

// The log in which a redaction stood was continued twice before it: the message is shown again where it is held, and asked for where it is not.
func TestRedactionIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := newChain(t, 1, today()).add("one", "two")
		target := message.Ref{Log: words.opening.Log(), Seq: 1, ID: words.run(1, 1).Hashes()[0].ID()}
		other := newChain(t, 1, today())
		other.opening.Nonce[1] = 9
		other.add("first")
		copied := other.fork(1).add("copy")
		other.records = append(other.records, message.Body(other.records[0].HLC+1<<16, message.Redact, (&message.About{Refs: []message.Ref{target}}).Body(message.Redact)))
		late, early := start(t, Config{}), start(t, Config{})
		for _, r := range []*message.Run{words.run(1, 2), other.run(1, 2)} {
			take(t, late, r, len(r.Records), nil)
		}
		checkShown(t, late, "-", "first", "two")
		if _, err := late.Append(context.Background(), copied.run(2, 2), 1, Live); err != ErrConflict {
			take(t, late, copied.run(1, 2), 0, ErrConflict)
		}
		checkThen(t, late, "?", "first", "two")
		if w := late.Wanted(0, 9); len(w) != 1 || w[0] != (Wanted{target.Log, 1}) {
			t.Errorf("wanted %v", w)
		}
		take(t, early, words.run(1, 2), 2, nil)
		for data, err := range early.Serve(target.Log, 1) {
			if err != nil {
				t.Fatal(err)
			}
			give(t, late, data)
		}
		checkThen(t, late, "one", "first", "two")
	})
}

func TestTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
		set := func(a *Author, text string) message.Ref {
			id, key, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Topic, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return ref(id, key)
		}
		check := func(want string) {
			t.Helper()
			if l, ok, err := j.Topic(lobby); err != nil || ok != (want != "") || string(l.Body) != want {
				t.Errorf("the topic is %q, %v, %v, want %q", l.Body, ok, err, want)
			}
		}
		check("")
		set(alice, "one")
		check("one") // at once
		two := set(bob, "two")
		shown(t, j)
		check("two")
		tell(t, bob, message.Redact, refs(two))
		check("one")
		shown(t, j)
		check("one")
		stop()
		j = start(t, Config{Dir: dir})
		check("one")
	})
}

// A thousand reactions of one person cost as much as a few.
func TestMarksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		a := j.NewAuthor(person(t, 1), "alice")
		target := ref(say(t, a, "x"))
		for i := range 201 {
			react(t, a, target, "👍", i%2 == 0)
		}
		checkShown(t, j, "x 👍1")
		held, err := j.store.marks(spot{target.Log, target.Seq})
		if err != nil || len(held) != keptRivals || len(j.fresh) != 0 || len(j.freshest) != 0 {
			t.Errorf("%d marks are held, %v, and %d are not in the store", len(held), err, len(j.fresh))
		}
	})
}

// However much one person, or some, show beside a message, what others show there is seen.
func TestReactionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
		crowd := []*Author{alice, bob}
		slices.SortFunc(crowd, func(a, b *Author) int { x, y := a.id.ID(), b.id.ID(); return bytes.Compare(x[:], y[:]) })
		target := ref(say(t, alice, "x"))
		react(t, crowd[1], target, "👍", true)
		for i := range 200 {
			react(t, crowd[0], target, fmt.Sprint(i), true)
		}
		var marks []mark // of many more
		for i := range maxMarks {
			m := mark{target: spot{target.Log, target.Seq}, kind: message.React, emoji: fmt.Sprint(i), on: true, Key: Key{HLC: uint64(i), Log: message.LogID{1}, Seq: 1}}
			m.author[31] = byte(i / keptReactions)
			marks = append(marks, m)
		}
		shown(t, j)
		if err := j.store.write(func(tx *sql.Tx) error { return putMarks(tx, marks) }); err != nil {
			t.Fatal(err)
		}
		line, ok, err := j.Find(target)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		n := map[string]int{}
		for _, r := range line.Marks.React {
			for _, v := range r.By {
				n[v.Nick]++
			}
		}
		if one, other := n[crowd[0].nick], n[crowd[1].nick]; one == 0 || one > keptReactions || other != 1 {
			t.Errorf("%d of who shows much, %d of the other", one, other)
		}
	})
}

// That a log has no marks is remembered only where none were stored since it was asked, and of a bounded number of logs.
func TestUnmarked(t *testing.T) {
	j := start(t, Config{})
	logs := func(n int) (logs []message.LogID) {
		for i := range n {
			logs = append(logs, message.LogID{byte(i), byte(i >> 8), 1})
		}
		return logs
	}
	known := func() int {
		j.mu.RLock()
		defer j.mu.RUnlock()
		return len(j.unmarked.logs)
	}
	j.noneOf(logs(3), map[spot]bool{{log: logs(1)[0], seq: 7}: true}, j.unmarked.marks)
	if n := known(); n != 2 {
		t.Errorf("%d of three logs, of which one has marks", n)
	}
	before := j.unmarked.marks
	j.mu.Lock()
	j.unmarked.markedLocked()
	j.mu.Unlock()
	if j.noneOf(logs(3), nil, before); known() != 0 {
		t.Error("what was asked before marks were stored is remembered")
	}
	j.noneOf(logs(cacheSize), nil, j.unmarked.marks)
	if j.noneOf(logs(cacheSize + 9)[cacheSize:], nil, j.unmarked.marks); known() != 9 {
		t.Errorf("%d logs are remembered", known())
	}
}

// What one message has is not looked for among the marks of all others in its log, of which there may be thousands.
func TestMarkedIsOfTheSpan(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	a := j.NewAuthor(person(t, 1), "alice")
	var said []message.Ref
	for range 50 {
		said = append(said, ref(say(t, a, "hello")))
	}
	for _, r := range said[:40] {
		react(t, a, r, "👍", true)
	}
	settle(t, j)
	fillIn(t, j)
	log := said[0].Log
	for _, c := range []struct {
		of   span
		want []uint64
	}{{span{1, 1}, []uint64{1}}, {span{30, 32}, []uint64{1, 30, 31, 32}}, {span{45, 50}, []uint64{1}}} {
		marked := map[spot]bool{}
		if err := j.store.marked([]message.LogID{log}, map[message.LogID]span{log: c.of}, marked); err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for at := range marked {
			got = append(got, at.seq)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("in %v marked are %v, want %v", c.of, got, c.want)
		}
	}
}

// Many are found as each is: those of one run, those of others, and not those that are not held.
func TestFindAll(t *testing.T) {
	j := start(t, Config{})
	var all []message.Ref
	for _, r := range written(t, 100, 5) {
		if _, err := j.Append(t.Context(), r, 1, Live); err != nil {
			t.Fatal(err)
		}
		for i, h := range r.Hashes() {
			all = append(all, message.Ref{Log: r.Log, Seq: r.First + uint64(i), ID: h.ID()})
		}
	}
	react(t, j.NewAuthor(person(t, 2), "bob"), all[7], "👍", true)
	wrong := all[3]
	wrong.ID[0]++
	want := []message.Ref{all[8], all[6], all[7], all[50], all[0], all[99]}
	lines, err := j.FindAll(slices.Insert(slices.Clone(want), 2, message.Ref{}, wrong, message.Ref{Log: all[0].Log, Seq: 11}))
	if err != nil {
		t.Fatal(err)
	}
	var got []message.Ref
	for _, l := range lines {
		got = append(got, l.Ref())
		if l.Marks.Any() != (l.ID == all[7].ID) {
			t.Errorf("%v has marks %v", l.Key, l.Marks)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
