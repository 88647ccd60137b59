package storm

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"
)

// A disk is what a host's commits wait for. SQLite itself is made to wait: a trigger on the runs calls a function of this package, which sleeps in fake
// time within the transaction. The program knows nothing of it.
type disk struct {
	name string // in the triggers

	mu      sync.Mutex // protects what follows
	latency time.Duration
	stuck   time.Time // commits wait until then
	full    time.Time // they fail until then
}

// disks finds a disk by its name. SQLite's functions are the process's, so this must be too.
var disks = struct {
	once   sync.Once
	byName sync.Map
}{}

func newDisk(t testing.TB, name string) *disk {
	t.Helper()
	disks.once.Do(func() {
		sqlite.MustRegisterScalarFunction("storm_wait", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			if d, ok := disks.byName.Load(args[0]); ok {
				return int64(0), d.(*disk).wait()
			}
			return int64(0), nil
		})
	})
	d := &disk{name: name}
	disks.byName.Store(name, d)
	t.Cleanup(func() { disks.byName.Delete(name) })
	return d
}

// wait is one row's share of a commit.
func (d *disk) wait() error {
	d.mu.Lock()
	left, full := d.latency, time.Now().Before(d.full)
	d.mu.Unlock()
	if full {
		return errFull
	}
	for left > 0 {
		step := min(left, 10*time.Millisecond)
		time.Sleep(step)
		d.mu.Lock()
		if left -= step; left <= 0 {
			left = time.Until(d.stuck)
		}
		d.mu.Unlock()
	}
	return nil
}

var errFull = errors.New("no room")

// set makes commits wait: each row for latency, and all until stuck.
func (d *disk) set(latency, stuck time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency, d.stuck, d.full = latency, time.Now().Add(stuck), time.Time{}
}

// fill makes commits fail for a while.
func (d *disk) fill(long time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = time.Now().Add(long)
}

// attach lets the stores below dir wait for d. Nothing may be writing to them.
func (d *disk) attach(t testing.TB, dir string) {
	t.Helper()
	for _, path := range stores(t, dir) {
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err = db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name='storm'").Scan(&n); err == nil && n == 0 {
			_, err = db.Exec(fmt.Sprintf("CREATE TRIGGER storm AFTER INSERT ON run BEGIN SELECT storm_wait('%s'); END", d.name))
		}
		if err != nil {
			t.Fatalf("attach a disk to %s: %v", path, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func stores(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "networks", "*", "*", "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// copyDisk copies what is on a host's disk at a moment at which nothing is being written. Shared memory is not on it.
func copyDisk(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case strings.HasSuffix(path, "-shm"):
			return nil
		default:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, b, 0o600)
		}
	})
	if err != nil {
		t.Fatalf("copy a disk: %v", err)
	}
}

// losePower takes from the stores below dir, a copy, what a power cut may take: whatever was written after the last transaction that was synced, which are those of the timeline.
// Half a page of something else may stand in its place.
func losePower(t testing.TB, dir string, rng *rand.Rand) {
	t.Helper()
	for _, path := range stores(t, dir) {
		wal, err := os.ReadFile(path + "-wal")
		if err != nil {
			continue // all is in the database
		}
		ends := commits(wal)
		for keep := len(ends); ; keep-- {
			cut := wal[:0]
			if keep > 0 {
				cut = wal[:ends[keep-1]]
			}
			if keep < len(ends) && durable(t, path, cut) != durable(t, path, wal) {
				break // that one was synced
			}
			torn := bytes.Clone(cut)
			for range rng.IntN(6000) {
				torn = append(torn, byte(rng.Uint32()))
			}
			if err := os.WriteFile(path+"-wal", torn, 0o600); err != nil {
				t.Fatal(err)
			}
			if keep == 0 || rng.IntN(4) == 0 {
				break
			}
		}
	}
}

// commits returns where in a WAL the transactions end (SQLite's file format, §4.1).
func commits(wal []byte) (ends []int) {
	const header, frame = 32, 24
	if len(wal) < header {
		return nil
	}
	page := int(binary.BigEndian.Uint32(wal[8:]))
	for at := header; at+frame+page <= len(wal); at += frame + page {
		f := wal[at:]
		if !bytes.Equal(f[8:16], wal[16:24]) {
			break // of an earlier round
		}
		if binary.BigEndian.Uint32(f[4:]) != 0 {
			ends = append(ends, at+frame+page)
		}
	}
	return ends
}

// durable says what a store with another WAL would remember of what was said.
func durable(t testing.TB, path string, wal []byte) string {
	t.Helper()
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "x.db"), b, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "x.db-wal"), wal, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var runs, edits string
	if err := db.QueryRow("SELECT count(*)||'/'||coalesce(max(arrival), 0) FROM run").Scan(&runs); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow("SELECT coalesce(sum(seq), 0)||'/'||coalesce(sum(fork), 0)||'/'||(SELECT count(*) FROM sqlite_schema) FROM log").Scan(&edits); err != nil {
		t.Fatal(err)
	}
	return runs + " " + edits
}
