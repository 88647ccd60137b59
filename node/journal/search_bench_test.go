package journal

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
)

var searched = flag.Int("searched", 1_000_000, "how many messages BenchmarkSearch looks through")

// A corpus makes texts up that have the statistics of talk: few words are most of it, every tenth line is Chinese. now and then somebody says "quixotry".
type corpus struct {
	rnd   *rand.Rand
	zipf  *rand.Zipf
	han   *rand.Zipf
	words []string
	said  int
}

func newCorpus() *corpus {
	c := &corpus{rnd: rand.New(rand.NewPCG(1, 2))}
	const letters = "eeeeetttaaaooinnsshhrrddlluccmwfgypbvkjxqz"
	syllables := make([]string, 400)
	for i := range syllables {
		b := make([]byte, 2+c.rnd.IntN(2))
		for k := range b {
			b[k] = letters[c.rnd.IntN(len(letters))]
		}
		syllables[i] = string(b)
	}
	for range 20_000 {
		var w strings.Builder
		for range 1 + c.rnd.IntN(4) {
			w.WriteString(syllables[c.rnd.IntN(len(syllables))])
		}
		c.words = append(c.words, w.String())
	}
	c.zipf, c.han = rand.NewZipf(c.rnd, 1.1, 4, 19_999), rand.NewZipf(c.rnd, 1.1, 20, 2999)
	return c
}

func han(n ...int) string {
	var b strings.Builder
	for _, i := range n {
		b.WriteRune('一' + rune(i))
	}
	return b.String()
}

func (c *corpus) line() string {
	c.said++
	var b strings.Builder
	if c.said%10 == 0 {
		for range 20 + c.rnd.IntN(20) {
			b.WriteString(han(int(c.han.Uint64())))
		}
		return b.String()
	}
	for range 6 + c.rnd.IntN(14) {
		b.WriteString(c.words[c.zipf.Uint64()])
		b.WriteByte(' ')
	}
	if c.said%200_000 == 777 {
		b.WriteString("quixotry")
	}
	return b.String()
}

// talked fills a store with n messages of a year: fifty people, half of whose lines came one by one, and half in runs of 64 as by catching up.
func talked(t testing.TB, dir string, n int) *corpus {
	t.Helper()
	j := open(t, Config{Dir: dir})
	c := newCorpus()
	const logs = 50 * 365
	row, arrival := 0, 0
	for row < logs {
		var b batch
		for range 500 {
			who, day := row%50, today()-uint32(364-row/50)
			row++
			o := &message.Opening{Network: network, Room: lobby, Name: message.Lobby, Nonce: message.Nonce{byte(row), byte(row >> 8)}, Day: day, Nick: fmt.Sprint("person-", who)}
			o.Author[0] = byte(who)
			l := newState(o, int64(row))
			size := 1
			if who%2 == 0 {
				size = 64
			}
			var prev message.Hash
			count := n*row/logs - n*(row-1)/logs
			for first := 1; first <= count; first += size {
				r := &message.Run{Log: o.Log(), First: uint64(first), Prev: prev}
				if first == 1 {
					r.Opening = o
				}
				for i := first; i < first+size && i <= count; i++ {
					ms := uint64(day)*86_400_000 + uint64(i)*86_400_000/uint64(count+1) + uint64(c.rnd.IntN(600_000))/uint64(count)
					r.Records = append(r.Records, message.Body(ms<<16, message.Text, []byte(c.line())))
				}
				hashes := r.Hashes()
				prev = hashes[len(hashes)-1]
				l.Seq, l.Tip, l.hlc = r.Last(), prev, r.Records[len(r.Records)-1].HLC
				arrival++
				b.items = append(b.items, item{Entry: Entry{Arrival: int64(arrival), Frame: append(make([]byte, 5), r.Append(nil)...)}, log: int64(row), first: r.First})
			}
			b.logs = append(b.logs, *l)
			if row == logs {
				break
			}
		}
		if err := j.store.commit(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.store.close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// filled waits until everything is in the search index.
func filled(t testing.TB, j *Journal) {
	t.Helper()
	for deadline := time.After(10 * time.Minute); ; {
		progress := j.text.progress()
		j.text.want()
		index, release := j.text.use()
		var at int64 = -1
		if index != nil {
			at, _ = index.Watermark(context.Background())
		}
		release()
		if at >= j.Durable() {
			return
		}
		select {
		case <-progress:
		case <-deadline:
			t.Fatal("the search index is not filled")
		}
	}
}

// BenchmarkSearch looks for words in a year of a million messages, and asks SQLite the same in the same run: the ratio is what the package adds (reading the runs and
// looking at their text).
func BenchmarkSearch(b *testing.B) {
	dir := b.TempDir()
	began := time.Now()
	c := talked(b, dir, *searched)
	b.Logf("made in %v", time.Since(began))
	began = time.Now()
	j := start(b, Config{Dir: dir, Keep: 400 * 24 * time.Hour})
	b.Logf("opened in %v", time.Since(began))
	began = time.Now()
	filled(b, j)
	took := time.Since(began)
	size := func(name string) (n int64) {
		for _, suffix := range []string{"", "-wal"} {
			if info, err := os.Stat(filepath.Join(dir, name+suffix)); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	b.Logf("filled in %v: %.0f messages/s, %.0f bytes a message (the history: %.0f)", took, float64(*searched)/took.Seconds(),
		float64(size("search.db"))/float64(*searched), float64(size(dbFile))/float64(*searched))
	db, err := sql.Open("sqlite", filepath.Join(dir, "search.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	long := slices.IndexFunc(c.words[15_000:], func(w string) bool { return len(w) > 8 })
	for _, q := range []struct{ name, query string }{
		{"common", c.words[5]}, {"common-two", c.words[5] + " " + c.words[9]}, {"rare", "quixotry"}, {"rarer", c.words[15_000+long]}, {"none", "zzqxjkw"},
		{"han-3", han(1, 2, 3)}, {"han-2", han(1, 2)}, {"han-2-rare", han(700, 900)}, {"han-2-none", han(2500, 2600)}, {"han-1", han(1)}, {"han-1-rare", han(2999)},
		{"latin-2", "th"}, {"latin-2-rare", "qj"}, {"latin-1", "e"}, {"from", "from:person-3"},
		{"from-word", c.words[5] + " in:lobby after:" + time.Now().AddDate(0, -6, 0).Format(time.DateOnly)},
	} {
		b.Run(q.name, func(b *testing.B) {
			query, err := search.Parse(q.query, time.Local)
			if err != nil {
				b.Fatal(err)
			}
			hits := 0
			for b.Loop() {
				found, err := j.Search(context.Background(), query, 0, 50)
				if err != nil {
					b.Fatal(err)
				}
				hits = len(found.Hits)
			}
			per := b.Elapsed() / time.Duration(b.N)
			bare := time.Duration(1 << 62)
			for range 5 {
				began := time.Now()
				if err := bareSQLite(db, query); err != nil {
					b.Fatal(err)
				}
				bare = min(bare, time.Since(began))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(per.Microseconds())/1000, "ms")
			b.ReportMetric(float64(bare.Microseconds())/1000, "ms-sqlite")
			b.ReportMetric(float64(hits), "hits")
		})
	}
}

func bareSQLite(db *sql.DB, q search.Query) error {
	rows, err := db.Query("SELECT rowid FROM text WHERE text MATCH ? ORDER BY rowid DESC LIMIT 50", q.Expression())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// BenchmarkWriteWhileIndexing writes a message and waits until it is on disk, while a history of 200,000 messages goes into the search index and when it is there.
func BenchmarkWriteWhileIndexing(b *testing.B) {
	dir := b.TempDir()
	talked(b, dir, 200_000)
	j := start(b, Config{Dir: dir, Keep: 400 * 24 * time.Hour})
	a := j.NewAuthor(person(b, 1), "alice")
	write := func(n int) (median, worst time.Duration) {
		var took []time.Duration
		for range n {
			began := time.Now()
			if _, _, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Text, []byte("hello")); err != nil {
				b.Fatal(err)
			}
			settle(b, j)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[n/2], took[n-1]
	}
	for b.Loop() {
		median, worst := write(500)
		b.ReportMetric(float64(median.Microseconds())/1000, "ms-filling")
		b.ReportMetric(float64(worst.Microseconds())/1000, "ms-filling-max")
		filled(b, j)
		median, worst = write(500)
		b.ReportMetric(float64(median.Microseconds())/1000, "ms")
		b.ReportMetric(float64(worst.Microseconds())/1000, "ms-max")
	}
}
