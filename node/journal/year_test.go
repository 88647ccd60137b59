package journal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"earshot/node/identity"
	"earshot/node/journal/search"
	"earshot/node/message"
)

// A Year is the history of people who each say one line a day in each of five rooms: with 250 of them 456,250 logs.
type Year struct {
	Network identity.NetworkID
	Days    int            // 0: 365
	Today   []*message.Run // of the last day, signed
	Who     []*identity.Identity
}

// YearRooms are its rooms.
var YearRooms = []string{message.Lobby, "go", "lunch", "ops", "random"}

// Build writes the store that a journal would have of it into dir, at the price of the rows alone: nobody is asked for the days before today, so that their runs carry no
// signature, and SQLite does not sync while it fills.
func (y *Year) Build(t testing.TB, dir string, people int, today uint32) {
	t.Helper()
	y.Network, y.Days = network, cmp.Or(y.Days, 365)
	type line struct {
		log   message.LogID
		tip   message.Hash
		who   *identity.Identity
		nonce message.Nonce
		room  int
		hlc   uint64
		data  []byte
	}
	for i := range people {
		seed := sha256.Sum256(fmt.Append(nil, "person ", i))
		who, err := identity.FromSeed(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		y.Who = append(y.Who, who)
	}
	lines := make([]line, 0, people*len(YearRooms)*y.Days)
	days := make([]daySum, y.Days)
	var sig message.Signature
	data := make([]byte, 0, cap(lines)*512)
	for n := range y.Days {
		day := today - uint32(y.Days-1-n)
		sum := daySum{day: day}
		for r, name := range YearRooms {
			for p, who := range y.Who {
				hlc := (uint64(day)*86_400_000 + uint64(r*people+p)) << 16
				nonce := message.Nonce{0: byte(n), 1: byte(n >> 8), 15: 'y'}
				o := &message.Opening{Network: network, Room: message.Room(name), Name: name, Author: who.ID(), Nonce: nonce, Day: day, Nick: fmt.Sprint("person ", p)}
				run := &message.Run{Log: o.Log(), First: 1, Opening: o, Records: []message.Record{message.Body(hlc, message.Text, fmt.Append(nil, "what I say today, day ", n))}, Sig: sig}
				if n == y.Days-1 {
					run.Sign(who)
					y.Today = append(y.Today, run)
				}
				head := Head{Log: run.Log, Seq: 1, Tip: run.Hashes()[0], Day: day}
				sum.sum.add(head.lanes())
				sum.logs++
				from := len(data)
				data = run.Append(data)
				lines = append(lines, line{run.Log, head.Tip, who, nonce, r, hlc, data[from:len(data):len(data)]})
			}
		}
		days[n] = sum
		today := lines[len(lines)-sum.logs:] // arrived in the order of their ids, so that rows and most indexes only ever grow at the end
		slices.SortFunc(today, func(a, b line) int { return bytes.Compare(a.log[:], b.log[:]) })
	}
	j := open(t, Config{Dir: dir})
	if err := j.store.close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, dbFile)+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-65536)&_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := tx.Exec(q, args...); err != nil {
			t.Fatal(err)
		}
	}
	// fill inserts n rows of the columns that row appends, 50 at a time.
	fill := func(table string, columns, n int, row func(args []any, i int) []any) {
		t.Helper()
		const many = 50
		values := "(" + strings.Repeat(",?", columns)[1:] + ")"
		full, err := tx.Prepare("INSERT INTO " + table + " VALUES " + strings.Repeat(","+values, many)[1:])
		if err != nil {
			t.Fatal(err)
		}
		args := make([]any, 0, many*columns)
		for i := range n {
			if args = row(args, i); len(args) == many*columns {
				if _, err := full.Exec(args...); err != nil {
					t.Fatal(err)
				}
				args = args[:0]
			}
		}
		if k := len(args) / columns; k > 0 {
			exec("INSERT INTO "+table+" VALUES "+strings.Repeat(","+values, k)[1:], args...)
		}
	}
	var none [16]byte
	rooms := make([][]byte, len(YearRooms))
	for i, name := range YearRooms {
		id := message.Room(name)
		rooms[i] = id[:]
	}
	fill("log", 15, len(lines), func(args []any, i int) []any {
		l := &lines[i]
		who, nick := l.who.ID(), "person"
		return append(args, i+1, l.log[:], none[:], rooms[l.room], who[:], l.nonce[:], l.hlc>>16/86_400_000, YearRooms[l.room], nick, nick, 1, l.tip[:], l.hlc, 0, nil)
	})
	fill("run", 4, len(lines), func(args []any, i int) []any { return append(args, i+1, i+1, 1, lines[i].data) })
	fill("day", 4, len(days), func(args []any, i int) []any {
		sum := days[i].sum.hash()
		return append(args, none[:], days[i].day, sum[:], days[i].logs)
	})
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(rooms[lines[a].room], rooms[lines[b].room]), cmp.Compare(lines[a].hlc, lines[b].hlc))
	})
	fill("timeline", 5, len(lines), func(args []any, i int) []any {
		l := &lines[order[i]]
		return append(args, rooms[l.room], l.hlc, l.log[:], 1, order[i]+1)
	})
	exec("UPDATE meta SET value=? WHERE key=?", len(lines), metaWatermark)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA journal_mode=WAL"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	searchable(t, dir, j.store.id, len(lines))
}

// searchable makes a search index that has come to the end of a history: what it takes to fill one is not what a Year is for.
func searchable(t testing.TB, dir string, store [16]byte, last int) {
	t.Helper()
	index, err := search.Open(dir, store)
	if err == nil {
		err = errors.Join(index.Add(nil, int64(last)), index.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Copy makes a store of its own of the same history.
func (y *Year) Copy(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, dbFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, dbFile), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(to, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256([]byte(to))
	if _, err := db.Exec("UPDATE meta SET value=? WHERE key=?", id[:16], metaStore); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	searchable(t, to, [16]byte(id[:16]), y.Days*len(y.Today))
}

// What Build writes is what a journal has.
func TestYearIsWhole(t *testing.T) {
	dir := t.TempDir()
	y := Year{Days: 10}
	y.Build(t, dir, 3, today())
	if n := checkWhole(t, start(t, Config{Dir: dir})); n != 3*5*10 {
		t.Errorf("%d messages", n)
	}
}

// BenchmarkOpenYear opens the history of 250 people.
func BenchmarkOpenYear(b *testing.B) {
	dir := b.TempDir()
	var y Year
	y.Build(b, dir, 250, today())
	for b.Loop() {
		j := open(b, Config{Dir: dir})
		b.StopTimer()
		j.store.close()
		b.StartTimer()
	}
}
