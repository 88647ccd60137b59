package journal

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
)

var (
	searched   = flag.Int("searched", 1_000_000, "how many messages BenchmarkSearch looks through")
	searchedIn = flag.String("searched-in", "", "a folder where BenchmarkSearch finds them and their index again, for some weeks; empty: it makes them each time")
)

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
func talked(t testing.TB, dir string, n int) {
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
}

// indexedTo is the arrival up to which everything is in the search index; -1: there is none yet.
func indexedTo(t testing.TB, j *Journal) int64 {
	t.Helper()
	index, release := j.text.use()
	defer release()
	if index == nil {
		return -1
	}
	at, err := index.Watermark(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// filled waits until everything is in the search index as it is now.
func filled(t testing.TB, j *Journal) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		j.text.want()
		if again, err := j.store.again(); err != nil {
			t.Fatal(err)
		} else if indexedTo(t, j) >= j.Durable() && len(again) == 0 {
			return
		}
	}
	t.Fatal("the search index is not filled")
}

// BenchmarkSearch looks for words in a year of a million messages and, by turns, asks SQLite the same: the ratio is what the package adds (reading the runs and looking at
// their text). Times are medians, and the best, which tell more on a busy machine.
func BenchmarkSearch(b *testing.B) {
	dir := *searchedIn
	if dir == "" {
		dir = b.TempDir()
	}
	made := !exists(filepath.Join(dir, dbFile))
	if made {
		talked(b, dir, *searched)
	}
	c := newCorpus()
	j := start(b, Config{Dir: dir, Keep: 400 * 24 * time.Hour})
	began := time.Now()
	filled(b, j)
	if took := time.Since(began); made {
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
	}
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
			var ours, bare []time.Duration
			for b.Loop() {
				began := time.Now()
				found, err := j.Search(context.Background(), query, 0, 50)
				if err != nil {
					b.Fatal(err)
				}
				ours = append(ours, time.Since(began))
				hits = len(found.Hits)
				began = time.Now()
				if err := bareSQLite(db, query); err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(began))
			}
			slices.Sort(ours)
			slices.Sort(bare)
			half := len(ours) / 2
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(ours[half].Microseconds())/1000, "ms")
			b.ReportMetric(float64(ours[0].Microseconds())/1000, "ms-best")
			b.ReportMetric(float64(bare[0].Microseconds())/1000, "ms-sqlite-best")
			b.ReportMetric(float64(bare[half].Microseconds())/1000, "ms-sqlite")
			b.ReportMetric(float64(ours[half])/float64(bare[half]), "ratio")
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

// BenchmarkWriteWhileIndexing writes a message every 5 ms and waits until it is on disk, by turns while a history goes into the search index and when it is there: the ratios are
// of the one to the other. "busy" has other threads want all cores but one.
func BenchmarkWriteWhileIndexing(b *testing.B) {
	history := b.TempDir()
	talked(b, history, 30_000)
	j := open(b, Config{Dir: history, Keep: 400 * 24 * time.Hour})
	stop := run(b, j)
	if err := j.settle(); err != nil { // the timeline is the committer's work, and not what is measured
		b.Fatal(err)
	}
	if err := errors.Join(stop(), search.Drop(history)); err != nil {
		b.Fatal(err)
	}
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("busy=%v", busy), func(b *testing.B) {
			if busy {
				spin(b, runtime.NumCPU()-1)
			}
			var filling, full []time.Duration
			var rate float64
			for b.Loop() {
				dir := b.TempDir()
				copySynced(b, dir, history)
				j := open(b, Config{Dir: dir, Keep: 400 * 24 * time.Hour})
				history := j.Durable()
				began := time.Now()
				stop := run(b, j)
				a := j.NewAuthor(person(b, 1), "alice")
				write := func() time.Duration {
					began := time.Now()
					say(b, a, "hello")
					settle(b, j)
					took := time.Since(began)
					time.Sleep(5 * time.Millisecond)
					return took
				}
				n := 0
				for ; indexedTo(b, j) < history; n++ {
					filling = append(filling, write())
				}
				rate += 30_000 / time.Since(began).Seconds()
				filled(b, j)
				for range n {
					full = append(full, write())
				}
				stop()
			}
			slices.Sort(filling)
			slices.Sort(full)
			for _, q := range []int{50, 90, 99} {
				at := len(full) * q / 100
				b.ReportMetric(float64(full[at].Microseconds())/1000, fmt.Sprintf("ms-p%d", q))
				b.ReportMetric(float64(filling[at])/float64(full[at]), fmt.Sprintf("ratio-p%d", q))
			}
			b.ReportMetric(float64(filling[len(filling)-1].Microseconds())/1000, "ms-filling-max")
			b.ReportMetric(rate/float64(b.N), "indexed/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// copySynced copies a folder to disk: the first commit would wait for what is not there yet.
func copySynced(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := os.OpenFile(filepath.Join(to, file.Name()), os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// spin has n threads take a core each until the test ends, as other programs would: the scheduler of this one has as many places for its own as before.
func spin(t testing.TB, n int) {
	t.Helper()
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(procs + n)
	var stop atomic.Bool
	var spinning sync.WaitGroup
	for range n {
		spinning.Go(func() {
			runtime.LockOSThread()
			for !stop.Load() {
			}
		})
	}
	t.Cleanup(func() {
		stop.Store(true)
		spinning.Wait()
		runtime.GOMAXPROCS(procs)
	})
}
