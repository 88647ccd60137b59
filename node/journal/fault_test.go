package journal

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/disk"
)

// crash copies what is on disk, as if the machine stopped now; the WAL up to limit bytes, as if the rest had not got there.
func crash(t testing.TB, dir string, limit int) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{idFile, dbFile, dbFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if strings.HasSuffix(name, "-wal") {
				b = b[:min(limit, len(b))]
			}
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// checkWhole compares what j says it holds with what it can serve.
func checkWhole(t testing.TB, j *Journal) (messages int) {
	t.Helper()
	checkSums(t, j)
	for _, h := range heads(t, j) {
		var seq uint64
		var tip message.Hash
		for data, err := range j.Serve(h.Log, 1) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := message.ParseRun(data)
			if err != nil {
				t.Fatal(err)
			}
			if r.First != seq+1 || seq > 0 && r.Prev != tip {
				t.Fatalf("message %d follows %d", r.First, seq)
			}
			if seq = r.Last(); h.Fork != 0 { // the last run may reach past it
				seq = min(seq, h.Seq)
			}
			tip = r.Hashes()[seq-r.First]
		}
		if seq != h.Seq || tip != h.Tip {
			t.Fatalf("log ends at %d, head says %d", seq, h.Seq)
		}
		messages += int(seq)
	}
	n := 0
	for _, err := range j.All(0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != messages {
		t.Errorf("%d lines of %d messages", n, messages)
	}
	return messages
}

func TestCrash(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	// Without checkpoints the database stays as it is and a copy of the WAL at any moment is what a crash would leave.
	if _, err := j.store.w.Exec("PRAGMA wal_autocheckpoint=0"); err != nil {
		t.Fatal(err)
	}
	stop := run(t, j)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a, b := j.NewAuthor(person(t, 1), "a"), j.NewAuthor(person(t, 2), "b")
		for i := range 200 {
			say(t, a, fmt.Sprint(i))
			if i%3 == 0 {
				say(t, b, fmt.Sprint(i))
			}
		}
	}()
	copies := map[string]int64{}
	for running := true; running && len(copies) < 8; {
		select {
		case <-done:
			running = false
		default:
		}
		durable := j.Durable()
		copies[crash(t, dir, 1<<30)] = durable
	}
	<-done
	for copied, durable := range copies {
		k := start(t, Config{Dir: copied})
		if n := checkWhole(t, k); int64(n) < durable || k.Recovered() != "" {
			t.Errorf("%d messages of %d are left, recovered %q", n, durable, k.Recovered())
		}
	}
	settle(t, j)
	if n := checkWhole(t, j); n != 267 {
		t.Errorf("%d messages", n)
	}
	// A WAL that ends anywhere is a moment in the past.
	wal, err := os.Stat(filepath.Join(dir, dbFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		k := start(t, Config{Dir: crash(t, dir, rand.IntN(int(wal.Size())))})
		checkWhole(t, k)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestDamage(t *testing.T) {
	path := func(dir string) string { return filepath.Join(dir, dbFile) }
	edit := func(t *testing.T, dir string, f func([]byte) []byte) {
		b, err := os.ReadFile(path(dir))
		if err == nil {
			err = os.WriteFile(path(dir), f(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		do      func(t *testing.T, dir string)
		mended  bool // the store is set aside
		atOpen  bool // noticed by Open
		keptAny bool
	}{
		"nothing":   {func(*testing.T, string) {}, false, false, true},
		"truncated": {func(t *testing.T, dir string) { edit(t, dir, func(b []byte) []byte { return b[:len(b)/2+100] }) }, true, true, false},
		"garbage": {func(t *testing.T, dir string) {
			edit(t, dir, func(b []byte) []byte { return bytes.Repeat([]byte("garbage!"), len(b)/8) })
		}, true, true, false},
		"zero length": {func(t *testing.T, dir string) { edit(t, dir, func([]byte) []byte { return nil }) }, true, true, false},
		"missing":     {func(t *testing.T, dir string) { os.Remove(path(dir)) }, true, true, false},
		"other":       {func(t *testing.T, dir string) { os.WriteFile(path(dir), []byte("SQLite format 3\x00"), 0o600) }, true, true, false},
		"pages": {func(t *testing.T, dir string) {
			edit(t, dir, func(b []byte) []byte {
				for i := len(b) / 3; i < len(b); i++ {
					b[i] = 0xa5
				}
				return b
			})
		}, true, false, false},
		"WAL missing": {func(t *testing.T, dir string) { os.Remove(path(dir) + "-wal") }, false, false, true},
		"WAL garbage": {func(t *testing.T, dir string) {
			os.WriteFile(path(dir)+"-wal", bytes.Repeat([]byte("garbage!"), 10000), 0o600)
		}, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, Config{Dir: dir})
			stop := run(t, j)
			a := j.NewAuthor(person(t, 1), "a")
			for i := range 150 { // so long that there are some pages to damage
				say(t, a, fmt.Sprint(strings.Repeat("x", 2000), i))
			}
			settle(t, j)
			id := j.StoreID()
			if strings.HasPrefix(name, "WAL") {
				copied := crash(t, dir, 1<<30)
				stop()
				dir = copied
			} else if err := stop(); err != nil {
				t.Fatal(err)
			}
			c.do(t, dir)
			j, err := Open(Config{Dir: dir, Network: network})
			if err != nil {
				t.Fatal(err)
			}
			if j.Recovered() == "" && c.mended {
				if c.atOpen {
					t.Fatal("damage was not noticed")
				}
				// The reader meets it, Run ends with it, and the next Open knows.
				var got error
				done := make(chan error)
				go func() { done <- j.Run(t.Context()) }()
				for _, err := range j.All(0) {
					got = err
				}
				if got == nil {
					t.Error("damaged pages were read")
				}
				if err := <-done; !errors.Is(err, ErrDamaged) {
					t.Errorf("Run ended with %v", err)
				}
				if j, err = Open(Config{Dir: dir, Network: network}); err != nil {
					t.Fatal(err)
				}
			}
			run(t, j)
			aside := j.Recovered()
			if (aside != "") != c.mended || (j.StoreID() != id) != c.mended {
				t.Errorf("recovered %q", aside)
			}
			if aside != "" {
				if _, err := os.Stat(aside); err != nil || !strings.Contains(aside, ".corrupt-") {
					t.Error(err)
				}
			}
			if n := checkWhole(t, j); (n > 0) != c.keptAny && name != "WAL missing" && name != "WAL garbage" {
				t.Errorf("%d messages are left", n)
			}
			a = j.NewAuthor(person(t, 1), "a")
			say(t, a, "on we go")
			settle(t, j)
			checkWhole(t, j)
		})
	}
}

// Pages that change under a running journal are noticed by who reads them and by who writes, and end it; so does a sync that fails. The next Open begins anew, and adopts
// what this process wrote and what had not been committed.
func TestDamageWhileRunning(t *testing.T) {
	for _, name := range []string{"read", "write", "sync"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := disk.Under(t, dir)
			c := newChain(t, 2, today())
			for i := range 300 { // so long that there are some pages to damage
				c.add(fmt.Sprint(strings.Repeat("x", 2000), i))
			}
			j := open(t, Config{Dir: dir})
			ended := make(chan error, 1)
			go func() { ended <- j.Run(t.Context()) }()
			for i := range 300 {
				take(t, j, c.run(i+1, i+1), 1, nil)
			}
			a := j.NewAuthor(person(t, 1), "a")
			say(t, a, "mine")
			settle(t, j)
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
			var seen error
			if name == "sync" {
				d.Break(dbFile)
			} else {
				for _, q := range []string{"PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA cache_size=10", "PRAGMA shrink_memory"} {
					if _, err := j.store.w.Exec(q); err != nil {
						t.Fatal(err)
					}
				}
				f, err := os.OpenFile(filepath.Join(dir, dbFile), os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				info, err := f.Stat()
				if err == nil {
					_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())*9/10), 2*8192)
				}
				if err != nil {
					t.Fatal(err)
				}
				if runtime.GOOS == "windows" {
					f.Close() // it could not be set aside
				} else {
					defer f.Close() // closing it would take SQLite's locks away
				}
			}
			if name == "read" {
				for data, err := range j.Serve(c.opening.Log(), 1) {
					if seen = err; err == nil && len(data) == 0 {
						t.Error("nothing is served")
					}
				}
				if !errors.Is(seen, ErrDamaged) {
					t.Errorf("read: %v", seen)
				}
			}
			for i := 0; ; i++ {
				if _, _, _, err := a.Write(t.Context(), message.Public, lobby, message.Lobby, message.Text, []byte("more")); errors.Is(err, ErrClosed) || errors.Is(err, ErrDamaged) {
					break
				} else if err != nil || i > 1000 {
					t.Fatal(i, err)
				}
			}
			if err := <-ended; !errors.Is(err, ErrDamaged) {
				t.Fatalf("Run ended with %v", err)
			}
			k := start(t, Config{Dir: dir})
			if k.Recovered() == "" || k.StoreID() == j.StoreID() {
				t.Error("the store is still in use")
			}
			if n, err := k.Adopt(j); n == 0 || err != nil {
				t.Error(n, err)
			}
			settle(t, k)
			h, _ := j.Head(a.log(t))
			if got, _ := k.Head(a.log(t)); got.Seq == 0 || h.Seq != 0 && got != h {
				t.Errorf("own log: %+v, was %+v", got, h)
			}
			checkWhole(t, k)
		})
	}
}

func TestDamageTwiceInOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		seen := map[string]bool{}
		for range 4 {
			j := open(t, Config{Dir: dir})
			if seen[j.Recovered()] {
				t.Errorf("%q is named twice", j.Recovered())
			}
			seen[j.Recovered()] = true
			run(t, j)()
			if err := os.WriteFile(filepath.Join(dir, dbFile), []byte("no database"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		old, err := filepath.Glob(filepath.Join(dir, dbFile+".corrupt-*"))
		if len(old) != 3 || err != nil {
			t.Error(old, err)
		}
	})
}

// What is set aside can be opened by its new name, with all that was committed: most of it may be in the WAL alone.
func TestSetAsideOpens(t *testing.T) {
	dir, torn := t.TempDir(), t.TempDir()
	j := start(t, Config{Dir: dir})
	a := j.NewAuthor(person(t, 1), "a")
	say(t, a, "mine")
	settle(t, j)
	for _, name := range []string{dbFile, dbFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(torn, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	aside, err := setAside(torn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+aside)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	logs := 0
	if err := db.QueryRow("SELECT count(*) FROM log").Scan(&logs); logs != 1 || err != nil {
		t.Errorf("%d logs were set aside: %v", logs, err)
	}
}

// Where one byte of what a store says of itself is another, it is set aside like anything that is damaged.
func TestDamagedMeta(t *testing.T) {
	for _, change := range []string{"DELETE FROM meta WHERE key='last'", "UPDATE meta SET key='watermar0' WHERE key='watermark'", "UPDATE meta SET value='one' WHERE key='version'"} {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		if _, err := j.store.w.Exec(change); err != nil {
			t.Fatal(err)
		}
		run(t, j)()
		if open(t, Config{Dir: dir}).Recovered() == "" {
			t.Errorf("%s: not noticed", change)
		}
	}
}

func TestOtherStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	run(t, j)()
	if _, err := Open(Config{Dir: dir, Network: network, Realm: [16]byte{1}}); err == nil || damaged(err) {
		t.Errorf("another realm: %v", err)
	}
	j = open(t, Config{Dir: dir})
	if _, err := j.store.w.Exec("UPDATE meta SET value=99 WHERE key='version'"); err != nil {
		t.Fatal(err)
	}
	run(t, j)()
	if _, err := Open(Config{Dir: dir, Network: network}); err == nil || damaged(err) {
		t.Errorf("a later version: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		pages := func(limit string) {
			if _, err := j.store.w.Exec("PRAGMA max_page_count=" + limit); err != nil {
				t.Fatal(err)
			}
		}
		pages("30")
		stop := run(t, j)
		a := j.NewAuthor(person(t, 1), "a")
		for i := 0; j.Err() == nil; i++ {
			say(t, a, fmt.Sprint(strings.Repeat("x", 1000), i))
			synctest.Wait()
		}
		full := j.Last()
		if j.Durable() >= full {
			t.Fatal("nothing waits")
		}
		say(t, a, "more") // goes on in memory
		if es, err := j.Follow(full).Next(1); len(es) != 1 || err != nil {
			t.Error("the tail does not go on", err)
		}
		// What waits for the disk does not hang.
		if lines, err := j.Page(lobby, Key{}, 10000); err != nil || len(lines) == 0 {
			t.Error("no page while the disk is full", err)
		}
		if h, _ := j.Head(a.log(t)); h.Seq != uint64(full)+1 {
			t.Error("head", h.Seq)
		}
		if h, ok := j.DurableHead(a.log(t)); !ok || h.Seq > uint64(j.Durable()) {
			t.Error("durable head", h.Seq)
		}
		checkSums(t, j)
		time.Sleep(time.Minute)
		if j.Err() == nil || j.Durable() >= full {
			t.Error("the error is forgotten")
		}
		pages("1000000")
		time.Sleep(retryLast)
		synctest.Wait()
		if j.Err() != nil || j.Durable() != full+1 {
			t.Errorf("not mended: %v, %d of %d", j.Err(), j.Durable(), full+1)
		}
		if n := checkWhole(t, j); n != int(full)+1 {
			t.Errorf("%d messages", n)
		}
		pages("1")
		for range 100 {
			say(t, a, strings.Repeat("x", 1000))
		}
		if err := stop(); err == nil {
			t.Error("what could not be committed is not told")
		}
		j = start(t, Config{Dir: dir})
		if n := checkWhole(t, j); n < int(full)+1 || j.Recovered() != "" {
			t.Errorf("%d messages", n)
		}
	})
}

// log returns the one log a has open.
func (a *Author) log(t testing.TB) message.LogID {
	t.Helper()
	for room, o := range a.open {
		return (&message.Opening{Network: network, Room: room, Author: a.id.ID(), Nonce: a.nonce, Day: o.day}).Log()
	}
	t.Fatal("no open log")
	return message.LogID{}
}

// A store that was copied to another machine is another store from then on, with all that is in it; back where it was it is a third one.
func TestCopiedStoreIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		seen := map[[16]byte]bool{}
		for _, c := range []struct {
			host  identity.HostID
			fresh bool
		}{{identity.HostID{}, true}, {identity.HostID{1}, false}, {identity.HostID{1}, false}, {identity.HostID{2}, true}, {identity.HostID{2}, false}, {identity.HostID{}, false}, {identity.HostID{1}, true}} {
			j := open(t, Config{Dir: dir, Host: c.host})
			if fresh := !seen[j.StoreID()]; fresh != c.fresh || j.Recovered() != "" {
				t.Errorf("on machine %d: a new id %v, want %v (%s)", c.host[0], fresh, c.fresh, j.Recovered())
			}
			if text, err := os.ReadFile(filepath.Join(dir, idFile)); string(text) != fmt.Sprintf("%x\n", j.StoreID()) {
				t.Errorf("%s holds %q, %v", idFile, text, err)
			}
			stop := run(t, j)
			take(t, j, newChain(t, 1, today()).add("kept").run(1, 1), 1-min(len(seen), 1), nil)
			stop()
			seen[j.StoreID()] = true
		}
	})
}
