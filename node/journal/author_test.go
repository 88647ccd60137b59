package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
)

func TestStampsComeInOrder(t *testing.T) {
	j := start(t, Config{})
	a := j.NewAuthor(person(t, 1), "a")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				say(t, a, "x")
			}
		})
	}
	wg.Wait()
	es, err := j.Follow(0).Next(1 << 30)
	if err != nil || len(es) != 800 {
		t.Fatal(len(es), err)
	}
	var last Key
	for _, e := range es {
		lines, err := j.Lines(e)
		if err != nil || len(lines) != 1 || lines[0].Compare(last) <= 0 || lines[0].HLC <= last.HLC {
			t.Fatal(lines, err)
		}
		last = lines[0].Key
	}
}

func TestDayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		a := j.NewAuthor(person(t, 1), "a")
		say(t, a, "today")
		time.Sleep(25 * time.Hour)
		_, key := say(t, a, "tomorrow")
		h := heads(t, j)
		if len(h) != 2 || h[0].Day+1 != h[1].Day || h[1].Log != key.Log || h[1].Day != j.Today() {
			t.Errorf("heads %+v", h)
		}
	})
}

func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir()})
		a := j.NewAuthor(person(t, 1), "al")
		say(t, a, "hello")
		if err := a.Rename(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if err := a.Rename(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		other := message.Room("other")
		if _, _, _, err := a.Write(t.Context(), message.Public, other, "other", message.Text, []byte("there")); err != nil {
			t.Fatal(err)
		}
		for room, want := range map[message.RoomID]int{lobby: 2, other: 1} {
			lines, err := j.Page(room, Key{}, 10)
			if err != nil || len(lines) != want {
				t.Fatal(lines, err)
			}
			for _, l := range lines {
				if l.Nick != "alice" || l.Nonce != a.Nonce() || l.Author != person(t, 1).ID() {
					t.Errorf("%+v", l)
				}
			}
			if want == 2 && (lines[1].Kind != message.NickName || string(lines[1].Body) != "alice") {
				t.Errorf("%+v", lines[1])
			}
		}
		if err := a.Rename(t.Context(), strings.Repeat("é", 1000)+"\xff"); err != nil {
			t.Fatal(err)
		}
		es, _ := j.Follow(j.Last() - 1).Next(1)
		if lines, err := j.Lines(es[0]); err != nil || lines[0].Nick != strings.Repeat("é", message.MaxNickBytes/2) {
			t.Error(lines, err)
		}
	})
}

func TestBadWrites(t *testing.T) {
	j := start(t, Config{Vault: newVault(1)})
	a := j.NewAuthor(person(t, 1), "a")
	private := message.GroupID{1}
	for _, c := range []struct {
		group message.GroupID
		room  message.RoomID
		name  string
		size  int
		ok    bool
	}{
		{message.Public, lobby, message.Lobby, message.MaxBody, true},
		{message.Public, lobby, message.Lobby, message.MaxBody + 1, false},
		{message.Public, lobby, "other", 1, false},
		{message.Public, message.Room(""), "", 1, false},
		{private, message.RoomID{1}, "", 1, true},
		{private, message.RoomID{1}, "", message.MaxBody, false}, // sealed it is longer
		{private, message.RoomID{2}, "", 1, false},
		{message.Mail, message.RoomID(message.Mail), "", 1, false},
		{private, lobby, message.Lobby, 1, false},
		{message.Public, message.Room(strings.Repeat("x", 200)), strings.Repeat("x", 200), 1, false},
	} {
		if _, _, _, err := a.Write(t.Context(), c.group, c.room, c.name, message.Text, make([]byte, c.size)); (err == nil) != c.ok {
			t.Errorf("%q, %d bytes: %v", c.name, c.size, err)
		}
	}
	if rooms, err := j.Rooms(); err != nil || len(rooms) != 1 || rooms[0].Name != message.Lobby {
		t.Error("private rooms are not listed", rooms, err)
	}
	if d, err := j.Days(private, 0, 1<<31); err != nil || len(d) != 1 {
		t.Error("the private group has its own sums", d, err)
	}
	if _, _, _, err := start(t, Config{}).NewAuthor(person(t, 1), "a").Write(t.Context(), private, message.RoomID(private), "", message.Text, nil); err == nil {
		t.Error("without a vault it was said in the clear")
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, set := wrongClock()
		j := start(t, Config{Clock: clock})
		a := j.NewAuthor(person(t, 1), "a")
		stamp := func() uint64 {
			_, key := say(t, a, "x")
			return key.HLC
		}
		ms := func(d time.Duration) uint64 { return uint64(time.Now().Add(d).UnixMilli()) << 16 }
		if got := stamp(); got != ms(0) {
			t.Errorf("first stamp %d, want %d", got, ms(0))
		}
		if got := stamp(); got != ms(0)+1 {
			t.Errorf("second stamp %d, want %d", got, ms(0)+1)
		}
		theirs := func(who byte, ahead time.Duration) {
			c := newChain(t, who, dayOf(time.Now().Add(ahead).UnixMilli()))
			c.records = append(c.records, message.Body(ms(ahead), message.Text, nil))
			take(t, j, c.run(1, 1), 1, nil)
		}
		theirs(2, 50*time.Second)
		if got := stamp(); got != ms(50*time.Second)+1 {
			t.Error("a near stamp was not merged")
		}
		theirs(3, 365*24*time.Hour)
		if got := stamp(); got != ms(50*time.Second)+2 {
			t.Error("a stamp a year ahead was merged")
		}
		nonce := a.Nonce()
		set(time.Hour)
		if got := stamp(); got != ms(time.Hour) || a.Nonce() != nonce {
			t.Error("the clock is not followed")
		}
		set(0) // the clock is set back: an honest reader would put all that follows an hour ahead
		if got := stamp(); got != ms(0) || a.Nonce() == nonce {
			t.Error("no new logs where the clock was set back")
		}
		// Another author of the process, whose log is ahead still.
		b := j.NewAuthor(person(t, 4), "b")
		set(time.Hour)
		say(t, b, "x")
		nonce = b.Nonce()
		set(0)
		stamp()
		say(t, b, "x")
		if b.Nonce() == nonce {
			t.Error("a log went back in time")
		}
		checkWhole(t, j)
	})
}

// TestClockGoesOn: a process that starts with its clock behind what it has seen goes on after that.
func TestClockGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		clock, set := wrongClock()
		set(30 * time.Second)
		j := open(t, Config{Dir: dir, Clock: clock})
		stop := run(t, j)
		_, before := say(t, j.NewAuthor(person(t, 1), "a"), "x")
		stop()
		j = start(t, Config{Dir: dir})
		if _, after := say(t, j.NewAuthor(person(t, 1), "a"), "y"); after.Compare(before) < 0 {
			t.Error("a line sorts before what was on the screen")
		}
	})
}

func TestOwnForkMintsNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{})
		a := j.NewAuthor(person(t, 1), "a")
		say(t, a, "x")
		_, key := say(t, a, "y")
		clone := &chain{author: person(t, 1)}
		clone.opening, _ = j.Opening(key.Log)
		clone.records = []message.Record{message.Body(key.HLC-1, message.Text, []byte("x")), message.Body(key.HLC, message.Text, []byte("not y"))}
		take(t, j, clone.run(1, 2), 0, ErrConflict)
		nonce := a.Nonce()
		_, next := say(t, a, "z")
		if next.Log == key.Log || next.Seq != 1 || a.Nonce() == nonce {
			t.Error("the forked log goes on")
		}
		lines, err := j.Page(lobby, Key{}, 10)
		if got := texts(t, lines, err); !slices.Equal(got, []string{"x", "z"}) {
			t.Errorf("page %v", got)
		}
		// Who follows is told what was said here, also where it is past a fork by then.
		var told []string
		es, err := j.Follow(0).Next(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			lines, err := j.Lines(e)
			told = append(told, texts(t, lines, err)...)
		}
		if !slices.Equal(told, []string{"x", "y", "z"}) {
			t.Errorf("told %v", told)
		}
		// All other logs of that nonce begin anew too, when it is asked for, once.
		second := a.Nonce()
		a.Renew(nonce)
		if a.Nonce() != second {
			t.Error("a nonce that is not used any more is renewed")
		}
		a.Renew(second)
		if got := a.Nonces(); len(got) != 3 || got[0] != nonce || got[1] != second || got[2] != a.Nonce() {
			t.Errorf("nonces %v", got)
		}
	})
}

func TestReoffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, j := start(t, Config{}), start(t, Config{Realm: [16]byte{1}})
		a, other := old.NewAuthor(person(t, 1), "a"), old.NewAuthor(person(t, 2), "b")
		_, before := say(t, a, "before")
		a.Renew(a.Nonce())
		say(t, other, "not mine")
		var key Key
		for i := range 5 {
			_, key = say(t, a, fmt.Sprint(i))
		}
		for _, want := range []int{1, 0} { // a second time is no news
			if n, err := j.Reoffer(old, []message.LogID{key.Log}); n != want || err != nil {
				t.Errorf("%d logs, %v", n, err)
			}
		}
		lines, err := j.Page(lobby, Key{}, 10)
		if got := texts(t, lines, err); !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("page %v", got)
		}
		if n, err := j.Reoffer(old, []message.LogID{key.Log, {1}, before.Log}); n != 1 || err != nil {
			t.Errorf("everything: %d, %v", n, err)
		}
		// A fork goes along.
		_, key = say(t, a, "5")
		clone := &chain{author: person(t, 1)}
		clone.opening, _ = old.Opening(key.Log)
		clone.records = []message.Record{message.Body(key.HLC, message.Text, []byte("not 0"))}
		take(t, old, clone.run(1, 1), 0, ErrConflict)
		if _, err := j.Reoffer(old, []message.LogID{key.Log}); err != nil {
			t.Error(err)
		}
		if h, _ := j.Head(key.Log); h.Fork != 1 || h.Seq != 0 {
			t.Errorf("the forked log: %+v", h)
		}
	})
}

// A log that was continued elsewhere keeps no other from going along.
func TestReofferOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, j := start(t, Config{}), start(t, Config{Realm: [16]byte{1}})
		a := old.NewAuthor(person(t, 1), "a")
		var logs []message.LogID
		for i := range 3 {
			_, key := say(t, a, fmt.Sprint(i))
			logs = append(logs, key.Log)
			a.Renew(a.Nonce())
		}
		clone := &chain{author: person(t, 1)}
		clone.opening, _ = old.Opening(logs[0])
		clone.records = []message.Record{message.Body(old.End(logs[0]), message.Text, []byte("not 0"))}
		take(t, j, clone.run(1, 1), 1, nil)
		if n, err := j.Reoffer(old, logs); n != 2 || !errors.Is(err, ErrConflict) {
			t.Errorf("%d logs, %v", n, err)
		}
	})
}

// What is taken over from the memory of a store that failed has its forks.
func TestAdoptFork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Config{})
		stop := run(t, j)
		a := j.NewAuthor(person(t, 1), "a")
		say(t, a, "x")
		_, key := say(t, a, "y")
		clone := &chain{author: person(t, 1)}
		clone.opening, _ = j.Opening(key.Log)
		clone.records = []message.Record{message.Body(key.HLC-1, message.Text, []byte("x")), message.Body(key.HLC, message.Text, []byte("not y"))}
		take(t, j, clone.run(1, 2), 0, ErrConflict)
		say(t, a, "z")
		before := heads(t, j)
		stop()
		k := start(t, Config{})
		if n, err := k.Adopt(j); n != 3 || err != nil {
			t.Errorf("%d runs, %v", n, err)
		}
		if got := heads(t, k); !slices.Equal(got, before) {
			t.Errorf("heads %+v, want %+v", got, before)
		}
	})
}
