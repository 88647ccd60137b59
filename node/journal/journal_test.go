package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

var (
	network = identity.NetworkID{1, 2, 3}
	lobby   = message.Room(message.Lobby)
)

func person(t testing.TB, n byte) *identity.Identity {
	t.Helper()
	seed := sha256.Sum256([]byte{n})
	i, err := identity.FromSeed(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// open opens a journal without running it.
func open(t testing.TB, c Config) *Journal {
	t.Helper()
	c.Network = network
	j, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// run runs j until the returned function, which is called at the end in any case, and which returns Run's error.
func run(t testing.TB, j *Journal) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	var err error
	stopped := false
	stop = func() error {
		cancel()
		if !stopped {
			err, stopped = <-done, true
		}
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}

// start opens and runs a journal.
func start(t testing.TB, c Config) *Journal {
	t.Helper()
	j := open(t, c)
	run(t, j)
	return j
}

func say(t testing.TB, a *Author, text string) (message.ID, Key) {
	t.Helper()
	id, key, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Text, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return id, key
}

func texts(t testing.TB, lines []Line, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, string(l.Body))
	}
	return out
}

// feed gives b what a serves of every log that b lacks.
func feed(t testing.TB, a, b *Journal) {
	t.Helper()
	for _, h := range heads(t, a) {
		have, _ := b.Head(h.Log)
		for data, err := range a.Serve(h.Log, have.Seq+1) {
			if err != nil {
				t.Fatal(err)
			}
			give(t, b, data)
		}
	}
}

func give(t testing.TB, j *Journal, data []byte) {
	t.Helper()
	run, err := message.ParseRun(data)
	if err == nil {
		_, err = j.Append(context.Background(), run, 7, Live)
	}
	if err != nil && !errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
}

// heads returns all heads of the public group, read in small pages.
func heads(t testing.TB, j *Journal) (out []Head) {
	t.Helper()
	days, err := j.Days(message.Public, 0, 1<<31)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		var after message.LogID
		for {
			h, more, err := j.Heads(message.Public, d.Day, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, h...)
			if !more {
				break
			}
			after = h[len(h)-1].Log
		}
	}
	return out
}

// checkSums compares the sums with the heads.
func checkSums(t testing.TB, j *Journal) {
	t.Helper()
	want := map[uint32]lanes{}
	for _, h := range heads(t, j) {
		l := want[h.Day]
		l.add(h.lanes())
		want[h.Day] = l
	}
	days, err := j.Days(message.Public, 0, 1<<31)
	if err != nil {
		t.Fatal(err)
	}
	if len(days) != len(want) {
		t.Errorf("sums of %d days, heads of %d", len(days), len(want))
	}
	for _, d := range days {
		if d.Sum != want[d.Day].hash() {
			t.Errorf("the sum of day %d is not that of its heads", d.Day)
		}
	}
}

func TestWriteAndReopen(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		t.Run(fmt.Sprintf("persistent=%v", dir != ""), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := open(t, Config{Dir: dir})
				stop := run(t, j)
				if j.Persistent() != (dir != "") {
					t.Error("Persistent is wrong")
				}
				a := j.NewAuthor(person(t, 1), "alice")
				var want []string
				for i := range 300 {
					text := fmt.Sprint("line ", i)
					say(t, a, text)
					want = append(want, text)
				}
				if got := heads(t, j); len(got) != 1 || got[0].Seq != 300 {
					t.Fatalf("heads before the commit: %v", got)
				}
				lines, err := j.Page(lobby, Key{}, 1000)
				if got := texts(t, lines, err); !slices.Equal(got, want) {
					t.Fatalf("page has %d lines, want %d", len(got), len(want))
				}
				if j.Durable() != j.Last() || j.Last() != 300 {
					t.Errorf("durable %d of %d", j.Durable(), j.Last())
				}
				checkSums(t, j)
				before := heads(t, j)
				root, _ := j.Root(message.Public, 0, 1<<31)
				id := j.StoreID()
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if _, err := j.Page(lobby, Key{}, 1); !errors.Is(err, ErrClosed) {
					t.Errorf("a page after the end: %v", err)
				}
				if dir == "" {
					return
				}
				j = start(t, Config{Dir: dir})
				if got := heads(t, j); !slices.Equal(got, before) {
					t.Error("heads differ after reopening")
				}
				if got, _ := j.Root(message.Public, 0, 1<<31); got != root {
					t.Error("root differs after reopening")
				}
				if j.StoreID() != id || j.Last() != 300 || j.Durable() != 300 || j.Recovered() != "" {
					t.Error("store id or arrivals differ after reopening")
				}
				lines, err = j.Page(lobby, Key{}, 1000)
				if got := texts(t, lines, err); !slices.Equal(got, want) {
					t.Error("the page differs after reopening")
				}
			})
		})
	}
}

func TestReplicasConverge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := start(t, Config{}), start(t, Config{})
		for n, j := range []*Journal{a, b} {
			for p := range 3 {
				author := j.NewAuthor(person(t, byte(10*n+p)), "x")
				for i := range 50 {
					say(t, author, fmt.Sprint(n, p, i))
					if i%20 == 0 {
						time.Sleep(9 * time.Hour)
					}
				}
			}
		}
		feed(t, a, b)
		feed(t, b, a)
		if ha, hb := heads(t, a), heads(t, b); !slices.Equal(ha, hb) || len(ha) < 6 {
			t.Fatalf("heads differ: %d and %d", len(ha), len(hb))
		}
		ra, _ := a.Root(message.Public, 0, 1<<31)
		rb, _ := b.Root(message.Public, 0, 1<<31)
		if ra != rb {
			t.Error("roots differ")
		}
		checkSums(t, a)
		la, err := a.Page(lobby, Key{}, 1000)
		ta := texts(t, la, err)
		lb, err := b.Page(lobby, Key{}, 1000)
		if tb := texts(t, lb, err); !slices.Equal(ta, tb) || len(ta) != 300 {
			t.Errorf("pages differ: %d and %d lines", len(ta), len(tb))
		}
	})
}

// TestNothingAcceptedIsLostAtTheEnd writes while the journal is closed: what Write took is there afterwards.
func TestNothingAcceptedIsLostAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		j := open(t, Config{Dir: dir})
		from := j.Last()
		stop := run(t, j)
		last := make(chan int64)
		go func() {
			a := j.NewAuthor(person(t, 1), "a")
			var arrival int64
			for {
				_, _, n, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Text, []byte("x"))
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					last <- arrival
					return
				}
				arrival = n
			}
		}()
		for j.Durable() < from+20 {
			runtime.Gosched()
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		want := <-last
		if j.Durable() != want {
			t.Errorf("%d accepted, %d durable", want, j.Durable())
		}
		j = open(t, Config{Dir: dir})
		if j.Last() != want {
			t.Errorf("%d accepted, %d held", want, j.Last())
		}
		run(t, j)()
	}
}
