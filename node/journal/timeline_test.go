package journal

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"earshot/node/message"
)

// TestTimeline compares pages with a sort of everything, while rows are not yet committed or indexed.
func TestTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		j := start(t, Config{Dir: t.TempDir(), Tail: 4 << 10})
		j.logs.size = 4 // forgets logs all the time
		names := []string{"lobby", "b", "a"}
		var chains []*chain
		for i := range 30 {
			c := newChain(t, byte(i), today()-uint32(rnd.IntN(3)))
			c.opening.Name = names[rnd.IntN(len(names))]
			c.opening.Room = message.Room(c.opening.Name)
			for k := range 40 {
				c.add(fmt.Sprint(i, "-", k))
			}
			chains = append(chains, c)
		}
		next := make([]int, len(chains))
		var want []Line
		check := func() {
			t.Helper()
			slices.SortFunc(want, func(a, b Line) int { return a.Compare(b.Key) })
			for _, name := range names {
				var all []Line
				for _, l := range want {
					if l.Name == name {
						all = append(all, l)
					}
				}
				var got []Line
				var k Key
				for {
					page, err := j.Page(message.Room(name), k, 7)
					if err != nil {
						t.Fatal(err)
					}
					if len(page) == 0 {
						break
					}
					got = append(slices.Clone(page), got...)
					k = page[0].Key
				}
				compare(t, "pages of "+name, got, all)
			}
			for _, n := range []int{0, 1, 50, 100000} {
				var got []Line
				for l, err := range j.All(n) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, l)
				}
				compare(t, fmt.Sprint("all ", n), got, want[max(0, len(want)-n)*min(n, 1):])
			}
			rooms, err := j.Rooms()
			if err != nil {
				t.Fatal(err)
			}
			var wantRooms []Room
			for _, name := range slices.Sorted(slices.Values(names)) {
				r := Room{ID: message.Room(name), Name: name}
				for _, l := range want {
					if l.Name == name {
						r.Last = max(r.Last, l.HLC)
					}
				}
				if r.Last > 0 {
					wantRooms = append(wantRooms, r)
				}
			}
			if !slices.Equal(rooms, wantRooms) {
				t.Errorf("rooms %v, want %v", rooms, wantRooms)
			}
		}
		check()
		for range 3 {
			for range 40 {
				i := rnd.IntN(len(chains))
				c := chains[i]
				to := min(next[i]+1+rnd.IntN(5), len(c.records))
				if next[i] == to {
					continue
				}
				r := c.run(next[i]+1, to)
				hashes := r.Hashes()
				take(t, j, r, len(r.Records), nil)
				for k, rec := range r.Records {
					want = append(want, Line{Key: Key{rec.HLC, r.Log, r.First + uint64(k)}, ID: hashes[k].ID(), Room: c.opening.Room, Name: c.opening.Name,
						Author: c.opening.Author, Nick: "nick", Kind: rec.Kind, Body: rec.Body, Arrival: j.Last(), Nonce: c.opening.Nonce})
				}
				next[i] = to
			}
			check()
		}
		checkSums(t, j)
		for _, c := range chains {
			j.Head(c.opening.Log())
		}
		if n := len(j.logs.young) + len(j.logs.old); n > 4*j.logs.size+2 {
			t.Errorf("%d logs in memory", n)
		}
	})
}

func compare(t *testing.T, what string, got, want []Line) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d lines, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: line %d is %+v, want %+v", what, i, got[i], want[i])
		}
	}
}

// TestIndexGoesOn reopens a store whose timeline is behind.
func TestIndexGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		c := newChain(t, 1, today())
		for i := range 100 {
			c.add(fmt.Sprint(i))
		}
		take(t, j, c.run(1, 100), 100, nil)
		if err := j.commit(); err != nil {
			t.Fatal(err)
		}
		if err := j.store.close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, Config{Dir: dir})
		if j.watermark != 0 {
			t.Fatal("indexed already")
		}
		run(t, j)
		lines, err := j.Page(lobby, Key{}, 1000)
		if got := texts(t, lines, err); len(got) != 100 || got[99] != "99" {
			t.Errorf("%d lines", len(got))
		}
	})
}

// A redaction names up to 256 messages, and a run of 64 KB a thousand and a half, none of which need be: each is work for the index, of which no more is done at once, between two commits, than of
// messages, and no more waits in memory than it keeps up with.
func TestIndexOfRedactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runs, each = 20, 6
		c := newChain(t, 1, today())
		c.add(slices.Repeat([]string{""}, runs*each)...)
		for i := range c.records {
			about := message.About{}
			for k := range message.MaxRefs {
				about.Refs = append(about.Refs, message.Ref{Log: message.LogID{1, byte(i)}, Seq: uint64(k + 1)})
			}
			c.records[i] = message.Body(c.records[i].HLC, message.Redact, about.Body(message.Redact))
		}
		j := open(t, Config{Dir: t.TempDir()})
		take(t, j, c.run(1, each), each, nil)
		for n := 2; n <= 5; n++ {
			take(t, j, c.run((n-1)*each+1, n*each), each, nil)
		}
		if err := j.commit(); err != nil {
			t.Fatal(err)
		}
		j.indexers++
		if more, err := j.index(); !more || err != nil || watermark(j) != 3 {
			t.Errorf("%d runs at once, %v, %v", watermark(j), more, err)
		}
		j.indexers--
		run(t, j)
		for n := 6; n <= runs; n++ {
			take(t, j, c.run((n-1)*each+1, n*each), each, nil)
			j.mu.RLock()
			if n := len(j.freshest); n > maxFresh+each*message.MaxRefs {
				t.Errorf("%d wait in memory", n)
			}
			j.mu.RUnlock()
		}
	})
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir()})
		rnd := rand.New(rand.NewPCG(3, 4))
		c := newChain(t, 1, today())
		for i := range 2000 {
			c.add(fmt.Sprint(i))
		}
		for i := 0; i < len(c.records); {
			n := min(1+rnd.IntN(20), len(c.records)-i)
			take(t, j, c.run(i+1, i+n), n, nil)
			i += n
		}
		for _, from := range []uint64{0, 1, 2, 3, 777, 1999, 2000, 2001} {
			seq := max(from, 1)
			frames := 0
			for data, err := range j.Serve(c.opening.Log(), from) {
				if err != nil {
					t.Fatal(err)
				}
				r, err := message.ParseRun(data)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Verify(c.author.ID()); err != nil || r.First != seq {
					t.Fatalf("run from %d, want %d: %v", r.First, seq, err)
				}
				if len(data) > message.MaxRunBytes || len(r.Records) > message.MaxRecords || r.Size() < len(data) {
					t.Errorf("a run of %d records in %d bytes, counted as %d", len(r.Records), len(data), r.Size())
				}
				seq = r.Last() + 1
				frames++
			}
			if want := max(from, 2001); seq != want {
				t.Errorf("served up to %d, want %d", seq, want)
			}
			if frames > int(2001-min(from, 2001))/200+1 {
				t.Errorf("%d runs from %d: not joined", frames, from)
			}
		}
		for range j.Serve(message.LogID{}, 1) {
			t.Error("something is served of a log not held")
		}
		for range j.Serve(c.opening.Log(), 1) {
			break
		}
	})
}
