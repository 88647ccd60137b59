package journal

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// A chain is a log made by hand.
type chain struct {
	author  *identity.Identity
	opening *message.Opening
	records []message.Record
}

func newChain(t testing.TB, who byte, day uint32) *chain {
	t.Helper()
	author := person(t, who)
	return &chain{author: author, opening: &message.Opening{
		Network: network, Room: lobby, Name: message.Lobby, Author: author.ID(), Nonce: message.Nonce{who}, Day: day, Nick: "nick",
	}}
}

// add adds a message a second after the one before.
func (c *chain) add(bodies ...string) *chain {
	for _, body := range bodies {
		hlc := (uint64(c.opening.Day)*86_400_000 + uint64(len(c.records)+1)*1000) << 16
		c.records = append(c.records, message.Body(hlc, message.Text, []byte(body)))
	}
	return c
}

// fork returns a copy that ends after n messages.
func (c *chain) fork(n int) *chain {
	return &chain{c.author, c.opening, slices.Clone(c.records[:n])}
}

// run returns messages first..last, signed.
func (c *chain) run(first, last int) *message.Run {
	r := &message.Run{Log: c.opening.Log(), First: 1, Opening: c.opening, Records: c.records[:last]}
	r.Sign(c.author)
	if first > 1 {
		r = r.From(uint64(first), r.Hashes()[first-2])
	}
	return r
}

func today() uint32 { return dayOf(time.Now().UnixMilli()) }

func take(t testing.TB, j *Journal, r *message.Run, added int, want error) {
	t.Helper()
	n, err := j.Append(context.Background(), r, 1, Live)
	if n != added || !errors.Is(err, want) {
		t.Errorf("append of %d to %d: %d, %v; want %d, %v", r.First, r.Last(), n, err, added, want)
	}
}

func TestRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		c := newChain(t, 1, today()).add("1", "2", "3", "4", "5", "6", "7", "8")
		take(t, j, c.run(2, 3), 0, ErrGap)
		take(t, j, c.run(1, 2), 2, nil)
		take(t, j, c.run(1, 2), 0, nil)
		take(t, j, c.run(4, 5), 0, ErrGap)
		take(t, j, c.run(2, 4), 2, nil) // overlaps
		take(t, j, c.run(1, 3), 0, nil)
		if h, ok := j.Hash(c.opening.Log(), 3); !ok || h != c.run(1, 3).Hashes()[2] {
			t.Error("wrong hash of a message inside a run")
		}

		r := c.run(5, 6)
		r.Sig[0] ^= 1
		take(t, j, r, 0, message.ErrSignature)
		r = c.run(5, 6)
		r.Records = slices.Clone(r.Records)
		r.Records[0] = message.Body(r.Records[0].HLC, message.Text, []byte("forged"))
		take(t, j, r, 0, message.ErrSignature)

		late := c.fork(4)
		late.records = append(late.records, message.Body(late.records[3].HLC, message.Text, nil))
		take(t, j, late.run(5, 5), 0, message.ErrMalformed)

		foreign := newChain(t, 2, today()).add("1")
		foreign.opening.Network[0]++
		take(t, j, foreign.run(1, 1), 0, ErrForeign)

		take(t, j, c.run(5, 8), 4, nil)
		if h, ok := j.Head(c.opening.Log()); !ok || h.Seq != 8 || h.Tip != c.run(1, 8).Hashes()[7] || h.Fork != 0 {
			t.Errorf("head %+v", h)
		}
		if o, ok := j.Opening(c.opening.Log()); !ok || *o != *c.opening {
			t.Errorf("opening %+v", o)
		}
		if _, ok := j.Head(message.LogID{1}); ok {
			t.Error("a log that is not held has a head")
		}
		checkSums(t, j)
	})
}

func TestDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir(), Keep: 10 * 24 * time.Hour})
		day := today()
		days := []uint32{day - 11, day - 10, day, day + 1, day + 2}
		for n, d := range days {
			take(t, j, newChain(t, byte(n), d).add("x", "y").run(1, 2), 2, nil) // as long as nobody vouches
		}
		if j.Horizon(message.Public) != 0 {
			t.Errorf("horizon %d without a clock", j.Horizon(message.Public))
		}
		settle(t, j)
		last := j.Last()
		j.Clock().Vouch(time.Now().Add(time.Second))
		if j.Horizon(message.Public) != day-11 {
			t.Errorf("horizon %d before the clock has settled", j.Horizon(message.Public))
		}
		time.Sleep(settleTime)
		if j.Horizon(message.Public) != day-10 || j.Today() != day {
			t.Errorf("horizon %d of %d", j.Horizon(message.Public), j.Today())
		}
		if h := heads(t, j); len(h) != 4 || h[0].Day != day-10 {
			t.Errorf("%d heads", len(h))
		}
		checkSums(t, j)
		synctest.Wait()
		gone := newChain(t, 0, days[0]).add("x", "y")
		if _, ok := j.Head(gone.opening.Log()); ok {
			t.Error("a log before the horizon is held")
		}
		take(t, j, gone.run(1, 2), 0, ErrDay)
		take(t, j, newChain(t, 9, day+2).add("x").run(1, 1), 0, ErrDay)
		lines, err := j.Page(lobby, Key{}, 100)
		if got := texts(t, lines, err); len(got) != 8 {
			t.Errorf("%d lines are left, want 8", len(got))
		}
		rows := func(table string) (n int) {
			if err := j.store.r.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if rows("timeline") != 8 || rows("run") != 4 || rows("log") != 4 || rows("day") != 4 {
			t.Error("dropped history left rows behind")
		}

		time.Sleep(24 * time.Hour)
		if j.Horizon(message.Public) != day-9 {
			t.Errorf("after a day: horizon %d", j.Horizon(message.Public))
		}
		synctest.Wait()
		if rows("log") != 3 {
			t.Errorf("after a day: %d logs", rows("log"))
		}
		if len(heads(t, j)) != 3 {
			t.Error("after a day: old heads")
		}
		time.Sleep(30 * 24 * time.Hour)
		j.Clock().Vouch(time.Now())
		j.Horizon(message.Public)
		synctest.Wait()
		if rows("run") != 0 || rows("day") != 0 || rows("timeline") != 0 {
			t.Error("after a month something is left")
		}
		c := j.Follow(0)
		if es, err := c.Next(1 << 20); err != nil || len(es) != int(last) {
			t.Errorf("the tail has %d entries, %v", len(es), err)
		}
	})
}

func TestArrivalsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		take(t, j, newChain(t, 1, today()-1000).add("x").run(1, 1), 1, nil)
		settle(t, j)
		j.Clock().Vouch(time.Now())
		j.Horizon(message.Public)
		time.Sleep(settleTime)
		j.Horizon(message.Public)
		synctest.Wait()
		if len(heads(t, j)) != 0 {
			t.Fatal("not dropped")
		}
		stop()
		j = start(t, Config{Dir: dir})
		take(t, j, newChain(t, 1, today()).add("x").run(1, 1), 1, nil)
		if j.Last() != 2 {
			t.Errorf("arrival %d was given before", j.Last())
		}
		if es, err := j.Follow(0).Next(1); err != nil || len(es) != 1 || es[0].Arrival != 2 {
			t.Errorf("a cursor over the gap: %v, %v", es, err)
		}
	})
}

func TestFork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var found []Fork
		a := open(t, Config{Dir: dir, Forked: func(f Fork) { found = append(found, f) }})
		stop := run(t, a)
		b, c := start(t, Config{}), start(t, Config{})
		x := newChain(t, 1, today()).add("1", "2", "3", "4", "5x", "6x", "7x", "8x")
		y := x.fork(4).add("5y", "6y", "7y")
		z := x.fork(2).add("3z", "4z")
		id := x.opening.Log()
		take(t, a, x.run(1, 3), 3, nil)
		take(t, a, x.run(4, 8), 5, nil) // the run that reaches past the fork
		take(t, b, y.run(1, 7), 7, nil)

		// A run that only continues the other way is no proof yet.
		take(t, b, x.run(8, 8), 0, ErrConflict)
		if h, _ := b.Head(id); h.Fork != 0 || b.Proof(id) != nil {
			t.Error("a fork without proof")
		}
		bad := y.run(1, 7)
		bad.Sig[5]++
		take(t, a, bad, 0, message.ErrSignature)
		take(t, a, y.run(1, 7), 0, ErrConflict)
		h, _ := a.Head(id)
		if want := (Head{id, 4, x.run(1, 4).Hashes()[3], 5, x.opening.Day}); h != want {
			t.Fatalf("head %+v, want %+v", h, want)
		}
		checkSums(t, a)
		proof := a.Proof(id)
		if err := c.AppendProof(proof, 1); !errors.Is(err, ErrGap) {
			t.Errorf("a proof of a log not held: %v", err)
		}
		if err := b.AppendProof(proof, 1); err != nil {
			t.Fatal(err)
		}
		if hb, _ := b.Head(id); hb != h {
			t.Errorf("replicas differ: %+v, %+v", hb, h)
		}
		take(t, a, x.run(1, 8), 0, nil)
		take(t, a, y.run(5, 7), 0, nil)
		take(t, b, y.run(7, 7), 0, nil)

		// The proof follows the rows, once, for everyone; where it was brought, for all but who brought it.
		for _, c := range []struct {
			j    *Journal
			from Origin
		}{{a, Stored}, {b, 1}} {
			es, err := c.j.Follow(0).Next(1 << 20)
			if err != nil || len(es) == 0 {
				t.Fatal(es, err)
			}
			for i, e := range es {
				if last := i == len(es)-1; last != (e.Fork == 5) || last && (e.From != c.from || e.Log != id || !slices.Equal(body(e.Frame), proof) || e.Frame[wire.HeaderLen-1] != byte(wire.TypeProof)) {
					t.Errorf("entry %d of %d: %+v", i, len(es), e)
				}
			}
		}
		// What is behind it is kept: of each the way it knew.
		for j, want := range map[*Journal][]string{a: {"5x", "6x", "7x", "8x"}, b: {"5y", "6y", "7y"}} {
			for range 2 { // on the way to the disk, or there
				lines, err := j.Beyond(id, 0, 0)
				if got := texts(t, lines, err); !slices.Equal(got, want) {
					t.Errorf("beyond the fork is %v, want %v", got, want)
				}
				if lines, err = j.Beyond(id, 7, 8); len(lines) != 1 || lines[0].Seq != 7 || err != nil {
					t.Errorf("from 7 up to 8 is %v, %v", lines, err)
				}
				if lines, err = j.Beyond(id, 7, 0); len(lines) != len(want)-2 || lines[0].Seq != 7 || err != nil {
					t.Errorf("beyond 7 is %v, %v", lines, err)
				}
				settle(t, j)
			}
		}

		// Everywhere the log ends before the fork.
		for _, j := range []*Journal{a, b} {
			lines, err := j.Page(lobby, Key{}, 100)
			if got := texts(t, lines, err); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
				t.Errorf("page %v", got)
			}
			if rooms, err := j.Rooms(); err != nil || len(rooms) != 1 || rooms[0] != (Room{lobby, message.Lobby, lines[3].HLC}) {
				t.Errorf("rooms %v, %v", rooms, err)
			}
			es, err := j.Follow(0).Next(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			var seen []string
			for _, e := range es {
				lines, err := j.Lines(e)
				seen = append(seen, texts(t, lines, err)...)
			}
			if !slices.Equal(seen, []string{"1", "2", "3", "4"}) {
				t.Errorf("lines %v", seen)
			}
			if _, ok := j.Hash(id, 5); ok {
				t.Error("a hash past the fork")
			}
			if d, ok := j.DurableHead(id); !ok || d != h {
				t.Errorf("durable head %+v", d)
			}
		}
		// A third one gets there from what is served, and the proof.
		feed(t, a, c)
		if err := c.AppendProof(proof, 1); err != nil {
			t.Fatal(err)
		}
		if hc, _ := c.Head(id); hc != h {
			t.Errorf("third replica: %+v", hc)
		}

		// A lower fork replaces a higher one, here learnt before the log is held that far.
		d := start(t, Config{})
		take(t, d, x.run(1, 2), 2, nil)
		take(t, a, z.run(1, 4), 0, ErrConflict)
		h.Seq, h.Tip, h.Fork = 2, x.run(1, 2).Hashes()[1], 3
		for _, j := range []*Journal{b, c, d} {
			if err := j.AppendProof(a.Proof(id), 1); err != nil {
				t.Fatal(err)
			}
			if err := j.AppendProof(proof, 1); err != nil {
				t.Errorf("a proof that is no news: %v", err)
			}
			take(t, j, x.run(1, 8), 0, nil)
			if hj, _ := j.Head(id); hj != h {
				t.Errorf("after the lower fork: %+v", hj)
			}
			checkSums(t, j)
		}
		fork := Fork{Log: id, Author: x.author.ID(), Nonce: x.opening.Nonce, Seq: 5}
		if lower := (Fork{id, fork.Author, fork.Nonce, 3, 5}); !slices.Equal(found, []Fork{fork, lower}) {
			t.Errorf("told of %v, want %v and %v", found, fork, lower)
		}
		proof = a.Proof(id)
		stop()
		a = start(t, Config{Dir: dir})
		if ha, _ := a.Head(id); ha != h || !slices.Equal(a.Proof(id), proof) {
			t.Errorf("reopened: %+v", ha)
		}
		if err := a.AppendProof(proof[:len(proof)-1], 1); !errors.Is(err, message.ErrMalformed) {
			t.Errorf("a broken proof: %v", err)
		}
	})
}

func TestForkAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		x := newChain(t, 1, today()).add("1")
		y := x.fork(0).add("one")
		take(t, j, x.run(1, 1), 1, nil)
		take(t, j, y.run(1, 1), 0, ErrConflict)
		if h, ok := j.Head(x.opening.Log()); !ok || h.Seq != 0 || h.Fork != 1 || h.Tip != (message.Hash{}) {
			t.Errorf("head %+v", h)
		}
		take(t, j, x.run(1, 1), 0, nil)
		checkSums(t, j)
		if lines, err := j.Page(lobby, Key{}, 10); len(lines) != 0 || err != nil {
			t.Error(lines, err)
		}
		for range j.Serve(x.opening.Log(), 1) {
			t.Error("something is served")
		}
		// One that holds nothing of it learns that much.
		k := start(t, Config{})
		for range 2 {
			if err := k.AppendProof(j.Proof(x.opening.Log()), 1); err != nil {
				t.Fatal(err)
			}
		}
		if es, err := k.Follow(0).Next(1); err != nil || len(es) != 1 || es[0].Fork != 1 || es[0].From != 1 {
			t.Errorf("it tells %v, %v", es, err)
		}
		if !slices.Equal(heads(t, k), heads(t, j)) {
			t.Error("the replicas differ")
		}
		take(t, k, x.run(1, 1), 0, nil)
		settle(t, k)
		if h, ok := k.DurableHead(x.opening.Log()); !ok || h.Fork != 1 {
			t.Errorf("on disk: %+v", h)
		}
		checkWhole(t, k)
	})
}

// A liar who forks a log at one number after the other, from the end down, has each of them cost what it changes and no more, and each name counts as long as it stands.
func TestForkAfterFork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		j := start(t, Config{Dir: t.TempDir()})
		c := newChain(t, 1, today()).add(slices.Repeat([]string{"x"}, n)...)
		for at, nick := range map[int]string{300: "early", 950: "late"} {
			c.records[at-1] = message.Body(c.records[at-1].HLC, message.NickName, []byte(nick))
		}
		for i := range n {
			take(t, j, c.run(i+1, i+1), 1, nil)
		}
		fork := func(at int) (bytes uint64) {
			t.Helper()
			proof := message.AppendProof(nil, c.run(at, at), c.fork(at-1).add("other").run(at, at))
			time.Sleep(time.Second)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := j.AppendProof(proof, 1)
			time.Sleep(time.Second)
			lines, fault := j.Beyond(c.opening.Log(), uint64(at), uint64(at+1))
			runtime.ReadMemStats(&after)
			if err != nil || fault != nil || len(lines) != 1 {
				t.Errorf("at %d: %v, %v, %d lines", at, err, fault, len(lines))
			}
			return after.TotalAlloc - before.TotalAlloc
		}
		called := func(want string) {
			t.Helper()
			if lines, err := j.Page(lobby, Key{}, 1); err != nil || len(lines) != 1 || lines[0].Nick != want {
				t.Errorf("called %+v, %v; want %s", lines, err, want)
			}
		}
		called("late")
		fork(960)
		called("late")
		fork(950)
		called("early")
		cheap := func(at int) {
			t.Helper()
			if took := fork(at); took > 250<<10 {
				t.Errorf("at %d it takes %d KB", at, took>>10)
			}
		}
		cheap(949)
		called("early")
		fork(301)
		called("early")
		fork(300)
		called("nick")
		cheap(299)
		called("nick")
	})
}

// A proof that came last has a number like everything, and is not on disk as an entry: what follows a restart is in the timeline all the same.
func TestProofIsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		x := newChain(t, 1, today()).add("1", "2")
		take(t, j, x.run(1, 2), 2, nil)
		take(t, j, x.fork(1).add("two").run(1, 2), 0, ErrConflict)
		if err := j.settle(); err != nil || j.Durable() != 2 || j.Last() != 2 {
			t.Fatalf("%v; %d of %d on disk, want both entries", err, j.Durable(), j.Last())
		}
		rows := 0
		if err := j.store.r.QueryRow("SELECT count(*) FROM run").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d rows, %v; want that of the run", rows, err)
		}
		stop()
		j = start(t, Config{Dir: dir})
		take(t, j, newChain(t, 2, today()).add("3").run(1, 1), 1, nil)
		lines, err := j.Page(lobby, Key{}, 10)
		if got := slices.Sorted(slices.Values(texts(t, lines, err))); !slices.Equal(got, []string{"1", "3"}) {
			t.Errorf("page %v", got)
		}
		if es, err := j.Follow(0).Next(1 << 20); err != nil || len(es) != 1 || es[0].Fork != 0 {
			t.Errorf("entries %v, %v", es, err)
		}
	})
}

// What is kept goes by the earlier of two clocks, this machine's and the one that others vouch for: neither alone makes it forget.
func TestNoClockMakesForget(t *testing.T) {
	const off = 400 * 24 * time.Hour
	for _, c := range []struct{ local, vouched time.Duration }{{0, off}, {off, 0}} {
		synctest.Test(t, func(t *testing.T) {
			day := today()
			j := start(t, Config{Keep: 10 * 24 * time.Hour, Clock: NewClock(func() time.Time { return time.Now().Add(c.local) })})
			j.Clock().Vouch(time.Now().Add(c.vouched))
			if h := j.Horizon(message.Public); h != day-10 {
				t.Errorf("this clock is %v ahead, theirs %v: the horizon is day %d of %d", c.local, c.vouched, h, day)
			}
		})
	}
}
