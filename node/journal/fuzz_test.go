package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"earshot/node/message"
)

// What the bytes of FuzzAppend are.
const (
	fuzzRun    = iota
	fuzzSigned // a run that its log's author signs as it is: a liar
	fuzzProof
)

// FuzzAppend gives a journal bytes that may have been a run: what is held is never changed, only added to or cut off, and what is refused leaves
// no trace. Run it with -fuzzminimizetime=10x: the coverage of SQLite makes minimizing slow.
func FuzzAppend(f *testing.F) {
	c := newChain(f, 1, today()).add("1", "2", "3", "4", "5", "6")
	other := c.fork(2).add("three", "four", "five")
	for _, r := range []*message.Run{c.run(1, 3), c.run(2, 4), c.run(4, 6), c.run(5, 6), other.run(1, 5), other.run(3, 5), newChain(f, 2, today()).add("x").run(1, 1)} {
		f.Add(r.Append(nil), uint8(fuzzRun))
		f.Add(r.Append(nil), uint8(fuzzSigned))
	}
	f.Add(message.AppendProof(nil, c.run(3, 3), other.run(3, 5)), uint8(fuzzProof))
	held := c.run(1, 4).Hashes()
	id := c.opening.Log()
	store := open(f, Config{}).store // to make one takes longer than all else
	f.Cleanup(func() { store.close() })
	f.Fuzz(func(t *testing.T, b []byte, mode uint8) {
		run, bad := message.ParseRun(b)
		if mode != fuzzProof && bad != nil {
			return
		}
		if _, err := store.w.Exec("DELETE FROM log; DELETE FROM run; DELETE FROM day"); err != nil {
			t.Fatal(err)
		}
		j := newJournal(Config{Network: network})
		if err := j.load(store); err != nil {
			t.Fatal(err)
		}
		j.store = store
		if _, err := j.Append(context.Background(), c.run(1, 4), 1, Live); err != nil {
			t.Fatal(err)
		}
		before := heads(t, j)
		var n int
		var err error
		if mode == fuzzProof {
			err = j.AppendProof(b, 1)
		} else {
			if mode == fuzzSigned {
				run.Sign(c.author)
			}
			n, err = j.Append(context.Background(), run, 1, Live)
		}
		if errors.Is(err, message.ErrMalformed) && mode == fuzzProof {
			return
		}
		after := heads(t, j)
		h, ok := j.Head(id)
		switch {
		case !ok || h.Fork == 0 && h.Seq < 4 || h.Fork != 0 && h.Seq >= h.Fork:
			t.Fatalf("the log was lost: %+v", h)
		case errors.Is(err, ErrConflict) || mode == fuzzProof && err == nil:
			if n != 0 || len(after) != 1 {
				t.Fatal("a conflict added something")
			}
		case (err != nil || n == 0) && !slices.Equal(before, after):
			t.Fatalf("%d added, %v, but something changed", n, err)
		}
		for seq := uint64(1); seq <= min(h.Seq, 4); seq++ {
			if got, ok := j.Hash(id, seq); !ok || got != held[seq-1] {
				t.Fatalf("message %d changed", seq)
			}
		}
		if _, ok := j.Hash(id, h.Seq+1); ok {
			t.Fatal("there is a message after the last")
		}
		checkSums(t, j)
		if err := j.commit(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(heads(t, j), after) {
			t.Fatal("on disk is something else")
		}
	})
}

// FuzzStore opens a store after something was written over a place in one of its files, or the file was cut off there. It opens, with what it held or without, or it is
// noticed by who reads, and then the next opens anew; what is shown and served was held, the files that only help lose nothing, and writing goes on.
func FuzzStore(f *testing.F) {
	files := []string{dbFile, dbFile + "-wal", dbFile + "-shm", idFile}
	const lines = 24
	base := f.TempDir()
	j := open(f, Config{Dir: base})
	stop := run(f, j)
	a := j.NewAuthor(person(f, 1), "a")
	for i := range lines {
		say(f, a, fmt.Sprint("line ", i, strings.Repeat(" and on", 40)))
		if settle(f, j); i == lines/2 {
			if _, err := j.store.w.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				f.Fatal(err)
			}
		}
	}
	log := a.log(f)
	held := map[string][]byte{}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(base, name))
		if err != nil {
			f.Fatal(err)
		}
		held[name] = b
	}
	stop()
	for i, name := range files {
		size := len(held[name])
		for _, at := range []int{0, 16, 100, size / 3, size / 2, size - 40} {
			f.Add(uint8(i), uint32(at), []byte("garbage"), false)
			f.Add(uint8(i), uint32(at), []byte(nil), true)
		}
		f.Add(uint8(i), uint32(size/4), bytes.Repeat([]byte{0xa5}, size/2), false)
	}
	where := f.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() { // no disk need wait for this
		if dir, err := os.MkdirTemp("/dev/shm", "earshot-fuzz-"); err == nil {
			where = dir
			f.Cleanup(func() { os.RemoveAll(dir) })
		}
	}
	f.Fuzz(func(t *testing.T, file uint8, at uint32, over []byte, cut bool) {
		name := files[int(file)%len(files)]
		dir, err := os.MkdirTemp(where, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		for _, n := range files {
			b := held[n]
			if n == name {
				b = bytes.Clone(b)
				from := int(min(int64(at), int64(len(b))))
				copy(b[from:], over)
				if cut {
					b = b[:from]
				}
			}
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for tries := 0; ; tries++ {
			j, err := Open(Config{Dir: dir, Network: network})
			if err != nil {
				if !strings.Contains(err.Error(), "another network") && !errors.Is(err, ErrNewer) { // which is what it may say then
					t.Fatal(err)
				}
				return
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- j.Run(ctx) }()
			n, err := 0, error(nil)
			for l, e := range j.All(0) {
				if err = e; err == nil {
					n++
					_ = l.Body
				}
			}
			for data, e := range j.Serve(log, 1) {
				if err = errors.Join(err, e); e == nil {
					if _, e := message.ParseRun(data); e != nil {
						t.Fatal("what is served is no run")
					}
				}
			}
			if err == nil {
				_, _, _, err = j.NewAuthor(person(t, 1), "a").Write(ctx, message.Public, lobby, message.Lobby, message.Text, []byte("on we go"))
			}
			stop()
			end := <-ended
			switch {
			case err == nil && end == nil:
				if n > lines {
					t.Fatalf("%d lines of %d", n, lines)
				}
				if name != dbFile && j.Recovered() != "" {
					t.Fatalf("the database was sound, and is set aside for what was done to %s", name)
				}
				if (name == idFile || name == dbFile+"-shm") && n != lines {
					t.Fatalf("%d lines of %d are left, with all that matters there", n, lines)
				}
				return
			case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrClosed), end != nil && !errors.Is(end, ErrDamaged):
				t.Fatalf("%v, %v", err, end)
			case tries > 0:
				t.Fatalf("still damaged: %v, %v", err, end)
			}
		}
	})
}
