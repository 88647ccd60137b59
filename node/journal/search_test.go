package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
	"earshot/node/nodetest/disk"
)

func query(t testing.TB, s string) search.Query {
	t.Helper()
	q, err := search.Parse(s, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// searcher is a Journal or a Reader.
type searcher interface {
	Search(ctx context.Context, q search.Query, older int64, n int) (Found, error)
}

// lookFor returns all that is found, as it is shown, read n at a time.
func lookFor(t testing.TB, j searcher, q string, n int) (out []string) {
	t.Helper()
	for older := int64(0); ; {
		found, err := j.Search(context.Background(), query(t, q), older, n)
		if err != nil {
			t.Fatal(err)
		}
		if found.Unseen != 0 {
			t.Fatalf("%d arrivals were not looked at", found.Unseen)
		}
		for _, h := range found.Hits {
			text, _ := textOf(h.Kind, h.Body)
			if h.Marks.Edit != nil {
				text, _ = textOf(message.Edit, h.Marks.Edit.Body)
			}
			out = append(out, text)
			older = h.Slot
		}
		if !found.More {
			return out
		}
	}
}

func checkFound(t testing.TB, j searcher, q string, want ...string) {
	t.Helper()
	for _, n := range []int{1, 3, 100} {
		if got := lookFor(t, j, q, n); !slices.Equal(got, want) {
			t.Errorf("%s, %d at a time: %q, want %q", q, n, got, want)
		}
	}
}

// What is on disk is found, whether the index has it or not, the newest first; by what it says now, and not at all where it was deleted.
func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, dir := range []string{"", t.TempDir()} {
			j := open(t, Config{Dir: dir})
			stop := run(t, j)
			alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
			var said []message.Ref
			for i, text := range []string{"the first fox", "a dog", "the second fox", "ok", "漢字のキツネ fox"} {
				a := alice
				if i%2 == 1 {
					a = bob
				}
				time.Sleep(time.Second)
				said = append(said, ref(say(t, a, text)))
			}
			settle(t, j)
			check := func() {
				t.Helper()
				checkFound(t, j, "FOX", "漢字のキツネ fox", "the second fox", "the first fox")
				checkFound(t, j, "from:bob", "ok", "a dog")
				checkFound(t, j, "字の", "漢字のキツネ fox")
				checkFound(t, j, "ok", "ok")
				checkFound(t, j, "fox in:#build")
			}
			check()
			if dir != "" {
				filled(t, j)
			}
			check()
			time.Sleep(time.Second)
			first := ref(edit(t, bob, said[1], "a cat or fox"))
			time.Sleep(time.Second)
			edit(t, bob, said[1], "a dog after all")
			edit(t, bob, said[3], "fine, said another")
			tell(t, alice, message.Redact, refs(said[2]))
			settle(t, j)
			again := func(j searcher) {
				t.Helper()
				checkFound(t, j, "fox", "漢字のキツネ fox", "the first fox")
				checkFound(t, j, "dog", "a dog after all")
				checkFound(t, j, "cat")
				checkFound(t, j, "ok")
			}
			again(j)
			if dir == "" {
				stop()
				continue
			}
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
			filled(t, j)
			again(j)
			tell(t, bob, message.Redact, refs(said[1], first))
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
			checkFound(t, j, "dog")
			filled(t, j)
			synctest.Wait()
			// Of the eight texts three were deleted: the second fox, the dog, the cat.
			if n := len(indexedPlaces(t, j)); n != 5 {
				t.Errorf("%d messages are in the index", n)
			}
			stop()
			j = start(t, Config{Dir: dir})
			filled(t, j) // already
			checkFound(t, j, "another", "fine, said another")
		}
	})
}

// indexedPlaces returns what is in the index.
func indexedPlaces(t testing.TB, j *Journal) []search.Place {
	t.Helper()
	index, release := j.text.use()
	defer release()
	places, err := index.Oldest(context.Background(), 0, 1<<62, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// Who takes another nick is found by the one they had when they spoke.
func TestSearchByFormerNick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir()})
		a := j.NewAuthor(person(t, 1), "alice")
		say(t, a, "before")
		settle(t, j)
		filled(t, j)
		if err := a.Rename(t.Context(), "Alicia"); err != nil {
			t.Fatal(err)
		}
		say(t, a, "after")
		settle(t, j)
		for range 2 {
			checkFound(t, j, "from:alice", "before")
			checkFound(t, j, "from:alicia", "after")
			filled(t, j)
		}
	})
}

// A body that was missing when its run was indexed is found when it has come.
func TestSearchFindsWhatIsBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 1, today()).add("one fish", "two fish", "red fish")
		j := start(t, Config{Dir: t.TempDir()})
		take(t, j, bare(c.run(1, 3), 2), 3, nil)
		settle(t, j)
		filled(t, j)
		checkFound(t, j, "fish", "red fish", "one fish")
		checkShown(t, j, "one fish", "?", "red fish") // it is known to be missing
		take(t, j, c.run(1, 3), 0, nil)
		checkThen(t, j, "one fish", "two fish", "red fish")
		filled(t, j)
		synctest.Wait()
		checkFound(t, j, "fish", "red fish", "two fish", "one fish")
		if n := len(indexedPlaces(t, j)); n != 3 {
			t.Errorf("%d messages are in the index", n)
		}
	})
}

// What is dropped leaves the index; what was said past a fork is not found.
func TestSearchForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir(), Keep: 5 * 24 * time.Hour})
		for i := range 10 {
			c := newChain(t, byte(i), today()-uint32(i)).add("old news", "more of it")
			take(t, j, c.run(1, 2), 2, nil)
		}
		c := newChain(t, 77, today()).add("news", "true news", "fake news")
		take(t, j, c.run(1, 3), 3, nil)
		settle(t, j)
		filled(t, j)
		if n := len(lookFor(t, j, "news", 4)); n != 13 {
			t.Fatalf("%d found", n)
		}
		other := c.fork(2).add("other news")
		take(t, j, other.run(1, 3), 0, ErrConflict)
		settle(t, j)
		j.Clock().Vouch(time.Now())
		for range 20 { // until it has been sure for long enough
			time.Sleep(time.Second)
			j.Clock().Vouch(time.Now())
			j.Horizon(message.Public)
		}
		j.wake()
		time.Sleep(time.Minute)
		synctest.Wait()
		var days int
		if err := j.store.r.QueryRow("SELECT count(*) FROM day").Scan(&days); err != nil || days > 6 {
			t.Fatalf("%d days are left: %v", days, err)
		}
		if n := len(lookFor(t, j, "news", 4)); n != days+2 {
			t.Errorf("%d found of %d days", n, days)
		}
		if n := len(indexedPlaces(t, j)); n != 2*days+3 {
			t.Errorf("%d messages of %d days are in the index", n, days)
		}
	})
}

// Soon after something was deleted no part of it is in any file of the store.
func TestIndexForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		run(t, j)
		a := j.NewAuthor(person(t, 1), "alice")
		left := func() []string {
			return disk.Find(t, dir, "qzxwv", "\xf1\xfa\xf8", "\xfa\xf8\xf7", "\xf8\xf7\xf6") // the index sets the top bits
		}
		for range 20 {
			say(t, a, "something harmless is said")
		}
		target := ref(say(t, a, "qzxwv"))
		time.Sleep(5 * time.Second)
		checkFound(t, j, "qzxwv", "qzxwv")
		if len(left()) == 0 {
			t.Fatal("it is not looked for as it is stored")
		}
		tell(t, a, message.Redact, refs(target))
		for range 30 { // people go on talking
			time.Sleep(time.Second)
			say(t, a, "something harmless is said again")
		}
		checkFound(t, j, "qzxwv")
		if in := left(); len(in) > 0 {
			t.Errorf("parts of what was deleted are in %q", in)
		}
	})
}

// So it is where thousands of lines are of the same moment, and what was said then is far from its place in the index.
func TestIndexForgetsInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := start(t, Config{Dir: dir})
		flood := make([]string, 4000)
		for i := range flood {
			flood[i] = "the same again"
		}
		c := newChain(t, 77, today()).add(flood...)
		for i := range c.records {
			c.records[i].HLC = uint64(time.Now().UnixMilli())<<16 + uint64(i)
		}
		for first := 1; first <= len(flood); first += 200 {
			take(t, j, c.run(first, first+199), 200, nil)
		}
		settle(t, j)
		filled(t, j)
		target := ref(say(t, j.NewAuthor(person(t, 1), "alice"), "qzxwv"))
		settle(t, j)
		filled(t, j)
		tell(t, j.NewAuthor(person(t, 1), "alice"), message.Redact, refs(target))
		time.Sleep(time.Minute)
		checkFound(t, j, "qzxwv")
		if in := disk.Find(t, dir, "qzxwv", "\xf1\xfa\xf8", "\xfa\xf8\xf7", "\xf8\xf7\xf6"); len(in) > 0 {
			t.Errorf("parts of what was deleted are in %q", in)
		}
	})
}

// Nor is any after a power cut, whenever it comes: what the index had taken out already was durable before the store forgot that it is to be looked at again.
func TestIndexForgetsThroughAPowerCut(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			before, after := t.TempDir(), t.TempDir()
			d := disk.Under(t, before)
			j := open(t, Config{Dir: before})
			stop := run(t, j)
			a := j.NewAuthor(person(t, 1), "alice")
			for range 20 {
				say(t, a, "something harmless is said")
			}
			target := ref(say(t, a, "qzxwv"))
			settle(t, j)
			filled(t, j)
			if err := stop(); err != nil { // it is in the database, not only in the WAL
				t.Fatal(err)
			}
			j = open(t, Config{Dir: before})
			stop = run(t, j)
			a = j.NewAuthor(person(t, 1), "alice")
			tell(t, a, message.Redact, refs(target))
			time.Sleep(3 * time.Second)
			if again, err := j.store.again(); err != nil || len(again) > 0 {
				t.Fatal(again, err)
			}
			say(t, a, "something harmless is said")
			settle(t, j)
			if err := os.CopyFS(after, os.DirFS(before)); err != nil {
				t.Fatal(err)
			}
			d.LosePower(t, before, after, rand.New(rand.NewPCG(seed, 1)))
			for _, name := range []string{dbFile, "search.db"} {
				if err := os.Remove(filepath.Join(after, name+"-shm")); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			j = open(t, Config{Dir: after})
			run(t, j)
			time.Sleep(5 * time.Minute)
			if in := disk.Find(t, after, "qzxwv", "\xf1\xfa\xf8", "\xfa\xf8\xf7", "\xf8\xf7\xf6"); len(in) > 0 {
				t.Errorf("seed %d: parts of what was deleted are in %q", seed, in)
			}
		})
	}
}

// An index that is damaged, of another store, or ahead of it, is made anew; nobody notices.
func TestSearchIndexIsMadeAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"gone": func(t *testing.T, dir string) {
			if err := search.Drop(dir); err != nil {
				t.Fatal(err)
			}
		},
		"no database": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "search.db"), []byte(strings.Repeat("rubbish ", 5000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"empty": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "search.db"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"damaged inside": func(t *testing.T, dir string) {
			path := filepath.Join(dir, "search.db")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 2 * 8192; at < len(b); at++ { // but for the first pages
				b[at] ^= 0x5a
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"another's": func(t *testing.T, dir string) {
			if err := search.Drop(dir); err != nil {
				t.Fatal(err)
			}
			searchable(t, dir, [16]byte{1, 2, 3}, 5)
		},
		"ahead": func(t *testing.T, dir string) {
			if err := search.Drop(dir); err != nil {
				t.Fatal(err)
			}
			j := open(t, Config{Dir: dir})
			id := j.store.id
			run(t, j)()
			search.Drop(dir)
			searchable(t, dir, id, 1000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				j := open(t, Config{Dir: dir})
				stop := run(t, j)
				a := j.NewAuthor(person(t, 1), "a")
				for i := range 100 {
					say(t, a, fmt.Sprint("line ", i))
				}
				settle(t, j)
				filled(t, j)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				harm(t, dir)
				j = open(t, Config{Dir: dir})
				stop = run(t, j)
				a = j.NewAuthor(person(t, 1), "a")
				say(t, a, "line 100")
				settle(t, j)
				time.Sleep(time.Minute) // as long as it takes to find out
				filled(t, j)
				if n := len(lookFor(t, j, "line", 30)); n != 101 {
					t.Errorf("%d found", n)
				}
				if n := len(indexedPlaces(t, j)); n != 101 {
					t.Errorf("%d in the index", n)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A Reader finds what is on disk, beside who writes it or alone, with an index or a part of one or none.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(dir, network); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	j := open(t, Config{Dir: dir})
	stop := run(t, j)
	a := j.NewAuthor(person(t, 1), "a")
	say(t, a, "one fox")
	settle(t, j)
	filled(t, j)
	reader := func() *Reader {
		t.Helper()
		r, err := OpenReader(dir, network)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	r := reader()
	checkFound(t, r, "fox", "one fox")
	target := ref(say(t, a, "two fox"))
	settle(t, j)
	checkFound(t, r, "fox", "two fox", "one fox")
	edit(t, a, target, "two foxes")
	if err := j.settle(); err != nil {
		t.Fatal(err)
	}
	checkFound(t, r, "fox", "two foxes", "one fox")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	between := reader()
	checkFound(t, between, "fox", "two foxes", "one fox")
	if err := between.Close(); err != nil { // Windows removes no file that is open
		t.Fatal(err)
	}
	if err := search.Drop(dir); err != nil {
		t.Fatal(err)
	}
	checkFound(t, reader(), "fox", "two foxes", "one fox")
	if _, err := OpenReader(dir, [16]byte{9}); err == nil {
		t.Error("the store of another network was opened")
	}
}

// However messages came, the pages of a query are what one would find by looking at all of them.
func TestSearchComparedWithAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(3, 4))
		words := []string{"fox", "ox", "漢字", "字", "x", "foxtrot", "a b", "Ω"}
		j := start(t, Config{Dir: t.TempDir(), Tail: 4 << 10})
		var all []Hit
		for i := range 20 {
			c := newChain(t, byte(i), today()-uint32(rnd.IntN(3)))
			for k := range 1 + rnd.IntN(30) {
				text := fmt.Sprint(i, ":", k)
				for range rnd.IntN(4) {
					text += " " + words[rnd.IntN(len(words))]
				}
				c.add(text)
			}
			r := c.run(1, len(c.records))
			take(t, j, r, len(c.records), nil)
			for n, rec := range r.Records {
				all = append(all, Hit{Line{Key: Key{rec.HLC, r.Log, uint64(n + 1)}, Body: rec.Body}, 0})
			}
			settle(t, j)
			if i%7 == 0 {
				filled(t, j)
			}
		}
		for _, filling := range []bool{false, true} {
			if filling {
				filled(t, j)
			}
			for _, w := range words {
				q := query(t, w)
				var want []string
				for _, h := range all {
					if q.Match(string(h.Body)) {
						want = append(want, string(h.Body))
					}
				}
				for _, n := range []int{7, 10_000} {
					got := lookFor(t, j, w, n)
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Errorf("%s, %d at a time: %d found, want %d", w, n, len(got), len(want))
					}
				}
			}
		}
	})
}

// What was left to index at the last start waits a while at the next, unless somebody searches: the first screen and the hub are waited for then.
func TestIndexRestsAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		say(t, j.NewAuthor(person(t, 1), "a"), "a fox")
		settle(t, j)
		stop() // before the index was filled
		j = open(t, Config{Dir: dir})
		stop = run(t, j)
		time.Sleep(textEvery - 1)
		synctest.Wait()
		if at := indexedTo(t, j); at != 0 {
			t.Errorf("%d arrivals went into the index at once", at)
		}
		stop()
		j = open(t, Config{Dir: dir})
		stop = run(t, j)
		j.text.want()
		synctest.Wait()
		if at := indexedTo(t, j); at != 1 {
			t.Errorf("%d arrivals are in the index while somebody searches", at)
		}
		say(t, j.NewAuthor(person(t, 1), "a"), "another")
		settle(t, j)
		stop()
		j = start(t, Config{Dir: dir})
		time.Sleep(textEvery)
		synctest.Wait()
		if at := indexedTo(t, j); at != 2 {
			t.Errorf("%d arrivals are in the index after the rest", at)
		}
	})
}

// While something waits for the disk, or people talk, the index gives way, and gets on all the same.
func TestIndexGivesWay(t *testing.T) {
	const lines = 1024
	for name, rest := range map[string]time.Duration{"disk": textPatience, "talk": lullNap} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				d := disk.Under(t, dir)
				j := start(t, Config{Dir: dir})
				c := newChain(t, 1, today())
				for i := range lines {
					c.add(fmt.Sprint("line ", i))
				}
				a := j.NewAuthor(person(t, 2), "a")
				synctest.Wait()
				for first := 1; first < lines; first += 256 {
					take(t, j, c.run(first, first+255), 256, nil)
				}
				settle(t, j)
				if name == "disk" {
					d.Slow(10 * time.Second)
					say(t, a, "slow") // is being committed all the time
				}
				began, to := time.Now(), j.Durable()
				for indexedTo(t, j) < to {
					time.Sleep(time.Millisecond)
				}
				want := textEvery + 2*lines/(textShare+1)*rest // for the rows alone
				if took := time.Since(began); took < want || took > want+rest*4 || j.Durable() > to {
					t.Errorf("it took %v, with %d on disk; want %v or a little more, and %d", took, j.Durable(), want, to)
				}
				began = time.Now()
				settle(t, j)
				filled(t, j)
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("the rest took %v", took)
				}
			})
		})
	}
}

// The index rests after each share only while people talk, and longer where something waits for the disk.
func TestGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		j := start(t, Config{Dir: dir})
		a := j.NewAuthor(person(t, 1), "a")
		say(t, a, "first")
		settle(t, j)
		giveWay := j.giveWay(t.Context())
		// shares calls it for so many, and returns how long it rested.
		shares := func(n int) time.Duration {
			began := time.Now()
			for range n * (textShare + 1) {
				giveWay()
			}
			return time.Since(began)
		}
		if rested := shares(10); rested != 10*lullNap {
			t.Errorf("it rested %v after a message", rested)
		}
		time.Sleep(lately)
		if rested := shares(10); rested != 0 {
			t.Errorf("it rested %v a while later", rested)
		}
		say(t, a, "second")
		settle(t, j)
		time.Sleep(together)
		if rested := shares(10); rested != 10*lullNap {
			t.Errorf("it rested %v after another", rested)
		}
		d.Slow(10 * time.Second)
		say(t, a, "slow")
		if rested := shares(10); rested != 10*textPatience {
			t.Errorf("it rested %v while a message waits for the disk", rested)
		}
	})
}

// While the disk is full everything is found without the index, which is filled when there is room.
func TestSearchOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		j := start(t, Config{Dir: dir})
		a := j.NewAuthor(person(t, 1), "a")
		synctest.Wait()
		say(t, a, "one fox")
		say(t, a, "two foxes")
		settle(t, j)
		d.Fill(true)
		time.Sleep(time.Minute)
		if at := indexedTo(t, j); at > 0 {
			t.Fatalf("%d arrivals went into the index", at)
		}
		checkFound(t, j, "fox", "two foxes", "one fox")
		d.Fill(false)
		filled(t, j)
		checkFound(t, j, "fox", "two foxes", "one fox")
		if n := len(indexedPlaces(t, j)); n != 2 {
			t.Errorf("%d messages are in the index", n)
		}
	})
}
