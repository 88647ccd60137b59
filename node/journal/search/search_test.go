package search

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/message"
	"earshot/node/nodetest/disk"
)

func open(t testing.TB, dir string) *Index {
	t.Helper()
	x, err := Open(dir, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func parse(t testing.TB, s string) Query {
	t.Helper()
	q, err := Parse(s, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// find returns the records of all places in order, read n at a time.
func find(t testing.TB, x *Index, q string, n int) (out []int) {
	t.Helper()
	f := x.Find(parse(t, q), 0)
	for last := int64(1 << 62); ; {
		places, err := f.Next(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(places) == 0 {
			return out
		}
		if len(places) > n {
			t.Fatalf("%d places of %d", len(places), n)
		}
		for _, p := range places {
			if p.Slot >= last {
				t.Fatalf("slot %d after %d", p.Slot, last)
			}
			last = p.Slot
			out = append(out, p.N)
		}
	}
}

func stamp(ms int) uint64 { return uint64(1_700_000_000_000+int64(ms)) << 16 }

var lobby, build = message.Room("lobby"), message.Room("build")

func TestFind(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		x := open(t, dir)
		texts := []string{"The quick brown fox", "ÄRGER mit Straßen", "漢字と仮名", "ok", "a\nb", "the end of the fox", "ὈΔΥΣΣΕΎΣ", "x"}
		var docs []Doc
		for i, text := range texts {
			room, nick := lobby, "Alice"
			if i%2 == 1 {
				room, nick = build, "bob"
			}
			docs = append(docs, Doc{Place: Place{Arrival: int64(i), N: i}, HLC: stamp(i * 1000), Room: room, Nick: nick, Text: text})
		}
		if err := x.Add(docs[4:], 4); err != nil { // what was said later came first
			t.Fatal(err)
		}
		if err := x.Add(docs[:4], 9); err != nil {
			t.Fatal(err)
		}
		for q, want := range map[string][]int{
			"fox": {5, 0}, "FOX": {5, 0}, "fox quick": {0}, `"quick brown"`: {0}, "ärger": {1}, "straßen": {1}, "漢字": {2}, "漢": {2}, "字と仮": {2}, "仮名": {2}, "名": {2},
			"ok": {3}, "o": {5, 3, 0}, "k": {3, 0}, "a b": {4}, `"a b"`: {4}, "οδυσσ": nil, "ὀδυσσεύς": {6}, "ὈΔΥΣ": {6}, "x": {7, 5, 0}, "zz": nil, "foxes": nil,
			"from:bob": {7, 5, 3, 1}, "from:ALICE fox": {0}, "in:#build fox": {5}, "in:lobby from:bob": nil, "the": {5, 0}, "": nil, `""`: nil, "e": {5, 1, 0},
			"after:2023-11-15": nil, "before:2023-11-15 fox": {5, 0},
		} {
			query := parse(t, q)
			got := slices.DeleteFunc(find(t, x, q, 1), func(n int) bool { return !query.Match(texts[n]) })
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", q, got, want)
			}
		}
		slots := map[int]int64{}
		places, err := x.Oldest(context.Background(), 0, 1<<62, 100)
		if err != nil || len(places) != len(docs) {
			t.Fatal(places, err)
		}
		for _, p := range places {
			slots[p.N] = p.Slot
		}
		for _, c := range []struct {
			q    Query
			want []int
		}{
			{parse(t, "in:@bob fox"), nil}, {parse(t, "in:@bob fox").Also(lobby), []int{0}}, {parse(t, "in:#build").Also(lobby), []int{7, 6, 5, 4, 3, 2, 1, 0}}, {parse(t, "in:@bob o").Also(build), []int{5, 3}},
		} {
			var got []int
			places, err := x.Find(c.q, 0).Next(context.Background(), 9)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range places {
				if c.q.Match(texts[p.N]) && c.q.Covers(docs[slices.IndexFunc(docs, func(d Doc) bool { return d.N == p.N })].Room, "", stamp(0)) {
					got = append(got, p.N)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
		if err := x.Remove([]int64{slots[0], slots[2]}); err != nil {
			t.Fatal(err)
		}
		if got := append(find(t, x, "fox", 9), find(t, x, "漢字と", 9)...); !slices.Equal(got, []int{5}) {
			t.Errorf("after two were removed: %v", got)
		}
		if w, err := x.Watermark(context.Background()); w != 9 || err != nil {
			t.Error(w, err)
		}
	}
}

// However many say something in one moment, in whatever order it comes, each has a slot, near to when it was said.
func TestManyAtOnce(t *testing.T) {
	x := open(t, "")
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 4 {
		var docs []Doc
		for k := range 2000 {
			docs = append(docs, Doc{Place: Place{Arrival: int64(i), N: i*2000 + k}, HLC: stamp(rnd.IntN(100)), Room: lobby, Text: "hello"})
		}
		if err := x.Add(docs, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(find(t, x, "hello", 100)); n != 8000 {
		t.Errorf("%d found", n)
	}
	if n := len(find(t, x, "he", 100)); n != 8000 {
		t.Errorf("%d found by two letters", n)
	}
	if err := x.Add([]Doc{{HLC: stamp(24 * 3600 * 1000), Place: Place{N: 1 << 20}, Text: "hello"}}, 9); err != nil {
		t.Fatal(err)
	}
	if got := find(t, x, "hello", 1<<14); got[0] != 1<<20 {
		t.Error("what was said a day later is not the newest")
	}
}

// Pause is called for every message that goes in or out, and for the pages of the segments that are written and merged in between.
func TestPause(t *testing.T) {
	x := open(t, t.TempDir())
	n := 0
	x.Pause = func() { n++ }
	rnd := rand.New(rand.NewPCG(1, 2))
	var slots []int64
	for batch := range 20 {
		docs := make([]Doc, 100)
		for i := range docs {
			docs[i] = Doc{HLC: stamp(64 * (100*batch + i)), Text: fmt.Sprintf("%x", rnd.Perm(40))}
		}
		if err := x.Add(docs, 0); err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			slots = append(slots, d.Slot)
		}
	}
	var bytes int
	if err := x.r.QueryRow("SELECT sum(length(block)) FROM text_data").Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	if rows, pages := 2*len(slots), bytes/4050; n < rows+2*pages || n > rows+10*pages {
		t.Errorf("%d calls for %d rows and %d pages that were written and merged", n, rows, pages)
	}
	n = 0
	if err := x.Remove(slots[:10]); err != nil || n < 20 {
		t.Errorf("%d calls for 10 messages that went out, %v", n, err)
	}
}

// What was removed is in no file when all of it is merged, also where something is added, and removed, meanwhile; and what was not is still found.
func TestPurge(t *testing.T) {
	const secret = "!#%&'~}|{z" // of its trigrams some are merged early, and some late
	dir := t.TempDir()
	x := open(t, dir)
	rnd := rand.New(rand.NewPCG(1, 2))
	said := 0
	add := func(n int, first string) (slots []int64) {
		docs := make([]Doc, n)
		for i := range docs {
			docs[i] = Doc{Place: Place{Arrival: int64(said), N: said}, HLC: stamp(100 * said), Room: lobby, Nick: "alice", Text: first + strings.ReplaceAll(fmt.Sprintf("%x", rnd.Perm(40)), " ", "x")}
			first = ""
			said++
		}
		if err := x.Add(docs, int64(said)); err != nil {
			t.Fatal(err)
		}
		for i := range docs {
			slots = append(slots, docs[i].Slot)
		}
		return slots
	}
	remove := func(slots []int64) {
		if err := x.Remove(slots); err != nil {
			t.Fatal(err)
		}
	}
	var terms []string
	for _, trigram := range []string{secret[:3], secret[1:4], secret[6:9], secret[7:]} {
		var term []byte
		for _, r := range trigram {
			term = put(term, r)
		}
		terms = append(terms, string(term))
	}
	left := func() int { return len(disk.Find(t, dir, terms...)) }
	purge := func() (steps int) {
		for more := true; more; steps++ {
			var err error
			if more, err = x.Purge(); err != nil {
				t.Fatal(err)
			}
		}
		return steps
	}
	for range 50 {
		add(100, "")
	}
	slots := add(1, secret)
	for range 30 {
		add(100, "")
	}
	if x.Removed() || left() == 0 {
		t.Fatal("nothing was removed yet")
	}
	remove(slots)
	if left() == 0 {
		t.Error("it is gone at once: Purge is not needed")
	}
	if steps := purge(); steps < 3 || x.Removed() || left() != 0 {
		t.Errorf("after %d steps %v, %d are left", steps, x.Removed(), left())
	}

	// Meanwhile others come.
	begin := func() {
		for first := true; first || !x.merging; first = false {
			if more, err := x.Purge(); err != nil || !more {
				t.Fatal(more, err)
			}
		}
	}
	remove(add(20, secret)[:1])
	begin()
	for range 3 { // more than are being merged, and fewer than FTS5 merges by itself
		add(1, "")
	}
	purge()
	if x.Removed() || left() != 0 {
		t.Errorf("%v, %d are left", x.Removed(), left())
	}

	// And go.
	remove(add(20, secret)[:1])
	begin()
	remove(add(1, secret))
	add(1, secret)
	purge()
	if !x.Removed() {
		t.Error("what was removed meanwhile is forgotten")
	}
	purge()
	if n := len(find(t, x, secret, 9)); x.Removed() || n != 1 || left() == 0 {
		t.Errorf("%v, %d found", x.Removed(), n)
	}

	// Somebody reads, and the process stops: at the next start it goes on.
	places, err := x.Find(parse(t, secret), 0).Next(context.Background(), 9)
	if err != nil || len(places) != 1 {
		t.Fatal(places, err)
	}
	rows, err := x.r.Query("SELECT id FROM doc")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	remove([]int64{places[0].Slot})
	purge()
	if !x.Removed() {
		t.Error("somebody reads what was")
	}
	if err := errors.Join(rows.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	x = open(t, dir)
	if !x.Removed() {
		t.Error("it was forgotten when it was closed")
	}
	purge()
	if x.Removed() || left() != 0 {
		t.Errorf("%v, %d are left", x.Removed(), left())
	}

	// Something is removed of what was merged already, and the process stops: at the next start all of it goes.
	remove(add(20, secret)[:1])
	slots = add(20, secret)[:1]
	begin()
	remove(slots)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, dir)
	purge()
	if x.Removed() || left() != 0 {
		t.Errorf("%v, %d are left", x.Removed(), left())
	}
	if n := len(find(t, x, "from:alice", 1000)); n < 8000 {
		t.Errorf("%d are found", n)
	}
}

func TestOfAnother(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(dir, [16]byte{1}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	x := open(t, dir)
	if err := x.Add([]Doc{{HLC: stamp(0), Text: "hello"}}, 1); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(dir, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(find(t, r, "hello", 9)); n != 1 {
		t.Errorf("%d found beside the writer", n)
	}
	if err := errors.Join(r.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(string, [16]byte) (*Index, error){Open, OpenReader} {
		if _, err := open(dir, [16]byte{2}); !errors.Is(err, ErrOther) {
			t.Error(err)
		}
	}
	if err := Drop(dir); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Errorf("%v are left", files)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, [16]byte{2}); err == nil {
		t.Error("it opened what is no database")
	}
}

func TestParse(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for s, want := range map[string]Query{
		"  Two\tWORDS ":                        {words: []string{"two", "words"}},
		`"as it  stands" x`:                    {words: []string{"as it  stands", "x"}},
		`"from:bob`:                            {words: []string{"from:bob"}},
		"from:@Bob in:#Build":                  {nick: "bob", room: "#build", rooms: []message.RoomID{build}},
		"from:Bob~7Q2K x":                      {words: []string{"x"}, nick: "bob", tag: "7q2k"},
		"in:plans~7Q2K":                        {room: "#plans~7Q2K"},
		"in:@Bob~7Q2K x":                       {words: []string{"x"}, room: "@Bob~7Q2K"},
		"after:2026-01-02 BEFORE:2026-02-03 x": {words: []string{"x"}, after: day("2026-01-02"), before: day("2026-02-03")},
		"https://example.org from:":            {words: []string{"https://example.org", "from:"}},
		`" "`:                                  {},
	} {
		if got := parse(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v", s, got)
		}
	}
	for _, s := range []string{"after:yesterday", "before:2026-13-01", "from:@ x", "from:~7Q2K", "in:#a/b", "in:@", "in:~a", strings.Repeat("a ", 17), strings.Repeat("a", 1025)} {
		if _, err := Parse(s, time.UTC); !errors.Is(err, ErrQuery) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct{ query, text, want string }{
		{"fox the", "The fox, the FOX", "[The] [fox], [the] [FOX]"},
		{"aa", "aaaaa", "[aaaa]a"},
		{"ab bc", "xabcx", "x[abc]x"},
		{"i", "İstanbul ist", "[İ]stanbul [i]st"},
		{"字", "漢字。字", "漢[字]。[字]"},
		{"nothing", "here", "here"},
	} {
		q := parse(t, c.query)
		var b strings.Builder
		at := 0
		for _, s := range q.Spans(c.text) {
			fmt.Fprintf(&b, "%s[%s]", c.text[at:s.Start], c.text[s.Start:s.End])
			at = s.End
		}
		if got := b.String() + c.text[at:]; got != c.want {
			t.Errorf("%q in %q: %q", c.query, c.text, got)
		}
	}
}

// Whatever the query and the text, what matches is found, and its spans lie in it, in order and apart.
func FuzzFind(f *testing.F) {
	for _, s := range [][2]string{{"fox", "The quick FOX"}, {`"a b" c`, "c a\nb"}, {"from:bob x", "x"}, {"字", "漢字"}, {"after:2026-01-01 ok", "OK"}, {"İ", "i"}, {"\xff", "\xff"}, {"a\u0301", "á"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, query, text string) {
		q, err := Parse(query, time.UTC)
		if err != nil {
			return
		}
		text, _ = message.CleanText(text)
		at := 0
		for _, s := range q.Spans(text) {
			if s.Start < at || s.End <= s.Start || s.End > len(text) {
				t.Fatalf("%q in %q: %v", query, text, q.Spans(text))
			}
			at = s.End + 1
		}
		if q.Empty() || !q.Match(text) || !q.Covers(lobby, "bob", stamp(0)) {
			return
		}
		x := open(t, "")
		if err := x.Add([]Doc{{HLC: stamp(0), Room: lobby, Nick: "bob", Text: text}}, 1); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if places, err := x.Find(q, 0).Next(context.Background(), 9); len(places) != 1 || err != nil {
				t.Fatalf("%q is not found in %q: %v", query, text, err)
			}
			places, err := (&Finder{index: x, query: q, older: 1 << 62, seen: recent}).Next(context.Background(), 9)
			if len(places) != 1 || err != nil {
				t.Fatalf("%q is not found by its beginning in %q: %v", query, text, err)
			}
		}
		x.Close()
	})
}
