package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
)

// What is open is found, in the index or not yet, also by who only reads the store, by what it says now; what is not open, deleted, or another's is not, and what opens later is found then.
func TestSearchSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, dir := range []string{"", t.TempDir()} {
			writer := newVault(1)
			source := start(t, Config{Vault: writer})
			alice := source.NewAuthor(person(t, 1), "alice")
			whisperText(t, alice, "the first fox")
			time.Sleep(time.Second)
			dog := whisperText(t, alice, "a dog")
			time.Sleep(time.Second)
			gone := whisperText(t, alice, "no fox")
			time.Sleep(time.Second)
			whisperAbout(t, alice, message.Edit, message.About{Refs: []message.Ref{dog}, Text: []byte("a dog or fox")})
			time.Sleep(time.Second)
			writer.next(2)
			whisperText(t, alice, "a fox at last")
			v := newVault(1)
			j := open(t, Config{Dir: dir, Vault: v})
			stop := run(t, j)
			feedSealed(t, source, j, Asked)
			time.Sleep(time.Second)
			say(t, j.NewAuthor(person(t, 2), "bob"), "a public fox")
			stranger := start(t, Config{})
			feedSealed(t, source, stranger, Asked)
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
			if err := stranger.settle(); err != nil {
				t.Fatal(err)
			}
			checkFound(t, stranger, "fox")
			check := func(in searcher) {
				t.Helper()
				checkFound(t, in, "fox", "a public fox", "a dog or fox", "no fox", "the first fox")
				checkFound(t, in, "from:alice dog", "a dog or fox")
				checkFound(t, in, "last")
			}
			check(j)
			if dir != "" {
				filled(t, j)
				check(j)
			}
			whisperAbout(t, alice, message.Redact, refs(gone))
			feedSealed(t, source, j, Asked)
			v.with(2)
			j.Reopen(conversation)
			for j.busy() { // a store in memory takes its time
				time.Sleep(time.Millisecond)
			}
			again := func(in searcher) {
				t.Helper()
				checkFound(t, in, "fox", "a public fox", "a fox at last", "a dog or fox", "the first fox")
			}
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(textPatience) // the index gave way to what was committed
			again(j)
			if dir == "" {
				stop()
				continue
			}
			filled(t, j)
			synctest.Wait()
			again(j)
			if n := len(indexedPlaces(t, j)); n != 5 { // with what was edited
				t.Errorf("%d messages are in the index", n)
			}
			onDisk := func() {
				t.Helper()
				r, err := OpenReader(dir, network)
				if err != nil {
					t.Fatal(err)
				}
				again(r)
				if err := r.Close(); err != nil { // Windows removes no file that is open
					t.Fatal(err)
				}
			}
			onDisk()
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			onDisk()
			if err := search.Drop(dir); err != nil {
				t.Fatal(err)
			}
			onDisk()
		}
	})
}

// What opened is found also where nobody has told the index yet, and is in it later, whenever the process stopped.
func TestSearchOpenedBeforeAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writer := newVault(1)
		writer.next(2)
		source := start(t, Config{Vault: writer})
		whisperText(t, source.NewAuthor(person(t, 1), "alice"), "a fox at last")
		dir, v := t.TempDir(), newVault(1)
		j := open(t, Config{Dir: dir, Vault: v})
		stop := run(t, j)
		feedSealed(t, source, j, Asked)
		filled(t, j)
		checkFound(t, j, "fox")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		v.with(2)
		j = open(t, Config{Dir: dir, Vault: v})
		j.Reopen(conversation)
		for more := true; more; {
			var err error
			if more, err = j.reopen(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenReader(dir, network)
		if err != nil {
			t.Fatal(err)
		}
		checkFound(t, r, "fox", "a fox at last")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		index, err := search.Open(dir, j.store.id)
		if err != nil {
			t.Fatal(err)
		}
		j.text.set(index)
		checkFound(t, j, "fox", "a fox at last")
		if err := j.text.set(nil); err != nil {
			t.Fatal(err)
		}
		run(t, j)
		filled(t, j)
		checkFound(t, j, "fox", "a fox at last")
		if n := len(indexedPlaces(t, j)); n != 1 {
			t.Errorf("%d messages are in the index", n)
		}
	})
}
