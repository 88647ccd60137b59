package journal

import (
	"database/sql"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
)

// What has been read stays read, and what has not does not, whatever its stamp; also where the process is killed a second later.
func TestReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{Dir: t.TempDir()}
		time.Sleep(time.Hour)
		j := open(t, c)
		stop := run(t, j)
		alice := j.NewAuthor(person(t, 1), "alice")
		unread := func(want bool, keys ...Key) {
			t.Helper()
			for _, k := range keys {
				if arrival, err := j.arrived(k.Log, k.Seq); err != nil || arrival == 0 || j.Unread(lobby, arrival) != want {
					t.Errorf("message %d, which arrived as %d: unread should be %v (%v)", k.Seq, arrival, want, err)
				}
			}
		}
		_, before := say(t, alice, "before this person came")
		unread(false, before)
		j.Meet(j.Last())
		unread(false, before)
		_, one := say(t, alice, "one")
		_, two := say(t, alice, "two")
		unread(true, one, two)
		if err := j.ReadTo(lobby, one); err != nil {
			t.Fatal(err)
		}
		j.Meet(j.Last()) // again
		unread(false, before, one)
		unread(true, two)
		other := newChain(t, 2, today()).add("late")
		take(t, j, other.run(1, 1), 1, nil)
		late := Key{other.records[0].HLC, other.opening.Log(), 1}
		if late.Compare(before) > 0 {
			t.Fatal("it is not late")
		}
		unread(true, two, late)
		if err := j.ReadTo(lobby, Key{Log: message.LogID{1}, Seq: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * readingEvery)
		synctest.Wait()
		if n := len(j.reading.dirty); n != 0 {
			t.Fatalf("%d positions are not on disk", n)
		}
		killed := crash(t, c.Dir, math.MaxInt)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{c.Dir, killed} {
			j = open(t, Config{Dir: dir})
			stop = run(t, j)
			unread(false, before, one)
			unread(true, two, late)
			j.ReadTo(lobby, late)
			unread(false, two, late)
			if err := stop(); err != nil { // at once: what is read last is written at the end
				t.Fatal(err)
			}
			j = open(t, Config{Dir: dir})
			stop = run(t, j)
			unread(false, two, late)
			stop()
		}
	})
}

// A store of before there were positions has been read; a position that is not one costs itself alone.
func TestReadingIsNew(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	j := open(t, c)
	stop := run(t, j)
	j.Meet(j.Last())
	_, k := say(t, j.NewAuthor(person(t, 1), "alice"), "one")
	j.Read(message.RoomID{5}, 9) // ahead of all there is
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	change := func(query string) {
		t.Helper()
		j = open(t, c)
		if _, err := j.store.w.Exec(query); err != nil {
			t.Fatal(err)
		}
		if err := j.store.close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, c)
		stop = run(t, j)
	}
	change("INSERT INTO reading VALUES ('?', 1), (x'01', 1), (zeroblob(15) || x'02', 'far')")
	if len(j.reading.rooms) != 2 || !j.Unread(lobby, 1) || !j.Unread(message.RoomID{5}, 2) {
		t.Errorf("positions %v", j.reading.rooms)
	}
	stop()
	change("DROP TABLE reading")
	if arrival, err := j.arrived(k.Log, k.Seq); err != nil || j.Unread(lobby, arrival) || !j.Unread(lobby, arrival+1) {
		t.Errorf("unread in a store that had no positions: %v, %v", j.reading.rooms, err)
	}
}

// Rooms are bounded; those go that are furthest behind, from the disk as well.
func TestReadingIsBounded(t *testing.T) {
	j := open(t, Config{Dir: t.TempDir()})
	defer j.store.close()
	j.Meet(j.Last())
	for i := range maxReading + 10 {
		j.Read(message.RoomID{1, byte(i >> 8), byte(i)}, int64(i+1))
		if i == maxReading/2 || i == maxReading+9 {
			j.durable.Store(int64(i + 1))
			if err := j.commitReading(true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !j.Present(1) || !j.Unread(message.RoomID{1, 0, 10}, 11) || j.Unread(message.RoomID{1, 0, 11}, 12) {
		t.Error("others went than those furthest behind")
	}
	var n int
	if err := j.store.read(func(db *sql.DB) error { return db.QueryRow("SELECT count(*) FROM reading").Scan(&n) }); err != nil || n != maxReading {
		t.Errorf("%d on disk, %v", n, err)
	}
}

// What is read before it is on disk is written no further than the disk goes: what is lost in a crash is not what comes in its place.
func TestReadingIsNotAhead(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	j := open(t, c)
	j.Meet(j.Last())
	j.Read(lobby, 7)
	if err := j.commitReading(true); err != nil {
		t.Fatal(err)
	}
	if _, waits := j.reading.dirty[lobby]; !waits {
		t.Error("the rest is not written when it can be")
	}
	if err := j.store.close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, c)
	defer j.store.close()
	if !j.Unread(lobby, 1) {
		t.Error("what took a lost number is read")
	}
}

// What opens late is read when that is, with all that was told before it, not by the number it came with; also after a restart.
func TestReadingWhatOpensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := message.RoomID(conversation)
		writer := newVault(1)
		source := start(t, Config{Vault: writer})
		alice := source.NewAuthor(person(t, 1), "alice")
		v := newVault(2)
		c := Config{Dir: t.TempDir(), Vault: v}
		j := open(t, c)
		stop := run(t, j)
		j.Meet(j.Last())
		whisperText(t, alice, "one")
		feedSealed(t, source, j, Live)
		writer.next(2)
		whisperText(t, alice, "two")
		feedSealed(t, source, j, Live)
		unread := func(want ...string) {
			t.Helper()
			lines, err := j.Missed(room, Key{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range lines {
				if l.Sealed && j.Unread(room, l.Arrival) {
					got = append(got, string(l.Body))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("unread: %q, want %q", got, want)
			}
		}
		again := func() {
			t.Helper()
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			j = open(t, c)
			stop = run(t, j)
		}
		key := func(text string) (k Key) {
			t.Helper()
			lines, err := j.Page(room, Key{}, 100)
			for _, l := range lines {
				if string(l.Body) == text {
					k = l.Key
				}
			}
			if err != nil || k == (Key{}) {
				t.Fatalf("no %q: %v", text, err)
			}
			return k
		}
		unread("two")
		if err := j.ReadTo(room, key("two")); err != nil {
			t.Fatal(err)
		}
		unread()
		whisperText(t, alice, "three")
		feedSealed(t, source, j, Live)
		follow := j.Follow(j.Last())
		v.with(1)
		j.Reopen(conversation)
		fresh(t, j, follow, 1)
		unread("one", "three")
		again()
		unread("one", "three")
		if err := j.ReadTo(room, key("one")); err != nil { // it was told last
			t.Fatal(err)
		}
		unread()
		again()
		unread()
	})
}
