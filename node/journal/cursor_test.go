package journal

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
	"earshot/node/wire"
)

// TestCursor follows a small tail from its beginning, slower than it is written, and sees each arrival once, in order.
func TestCursor(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		j := start(t, Config{Dir: dir, Tail: 8 << 10})
		const n = 120
		chains := make([]*chain, 3)
		for i := range chains {
			chains[i] = newChain(t, byte(i), today())
			for k := range n {
				chains[i].add(fmt.Sprint(i, " ", k))
			}
		}
		mine := j.NewAuthor(person(t, 9), "me")
		var wg sync.WaitGroup
		wg.Go(func() {
			for k := range n {
				for i, c := range chains {
					if _, err := j.Append(context.Background(), c.run(k+1, k+1), Origin(i+1), []Via{Live, Asked, Bulk}[i]); err != nil {
						t.Error(err)
					}
				}
				say(t, mine, "mine")
			}
		})
		follow := func(max int) {
			changed, stop := j.Watch()
			defer stop()
			c := j.Follow(0)
			seen := map[Origin]int{}
			for arrival := int64(0); arrival < 4*n; {
				es, err := c.Next(max)
				if err != nil {
					t.Error(err)
					return
				}
				if len(es) == 0 {
					<-changed
				}
				for _, e := range es {
					if arrival++; e.Arrival != arrival || c.Arrival() < arrival {
						t.Errorf("arrival %d after %d", e.Arrival, arrival-1)
						return
					}
					run, err := message.ParseRun(e.Frame[wire.HeaderLen:])
					if err != nil || run.Log != e.Log || len(e.Frame) != 4+int(e.Frame[2])<<8+int(e.Frame[3]) || e.Frame[4] != byte(wire.TypeRun) {
						t.Errorf("bad frame: %v", err)
						return
					}
					if e.Group != message.Public || e.Day < today()-1 {
						t.Error("wrong group or day")
					}
					seen[e.From]++
					if e.From < 4 && e.Bulk != (e.From == 3) {
						t.Error("wrong bulk")
					}
				}
			}
			if seen[0] != n || seen[1]+seen[2]+seen[3]+seen[Stored] != 3*n || seen[1] != seen[2] && seen[Stored] == 0 {
				t.Errorf("origins: %v", seen)
			}
		}
		for _, max := range []int{0, 1000, 1 << 20} {
			wg.Go(func() { follow(max) })
		}
		wg.Wait()
		settle(t, j)
		if j.tail.first < 2*n {
			t.Errorf("the tail still begins at %d", j.tail.first)
		}
		follow(5000) // all of it from the store first
		if es, err := j.Follow(j.Last()).Next(1000); len(es) != 0 || err != nil {
			t.Error("something after the last", es, err)
		}
	}
}

// What all readers have is kept no longer than it is little; what the slowest has not is kept up to the limit, and past that it goes on from the store.
func TestTailIsAsLongAsTheSlowestNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, Config{Dir: t.TempDir(), Tail: 8 << 20})
		var slowest atomic.Int64
		j.Slowest(slowest.Load)
		a := j.NewAuthor(person(t, 1), "a")
		text := strings.Repeat("x", 16000)
		grow := func(bytes int) (tail int) {
			for ; bytes > 0; bytes -= len(text) {
				say(t, a, text)
			}
			settle(t, j)
			return j.Tail()
		}
		if n := grow(6 << 20); n < 6<<20 {
			t.Errorf("%d bytes are left of what a reader has not seen", n)
		}
		if n := grow(6 << 20); n > 8<<20 || n < 7<<20 {
			t.Errorf("%d bytes in a tail that may have 8 MiB", n)
		}
		c, arrival := j.Follow(0), int64(0)
		for arrival < j.Last() {
			es, err := c.Next(64 << 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				if arrival++; e.Arrival != arrival {
					t.Fatalf("arrival %d after %d", e.Arrival, arrival-1)
				}
			}
		}
		slowest.Store(c.Arrival() - 10)
		if n := grow(len(text)); n > leastTail || n < leastTail-2*len(text) {
			t.Errorf("%d bytes are left of what all have seen but for little", n)
		}
	})
}

func TestFramesLieSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := open(t, Config{Dir: dir})
		stop := run(t, j)
		a := j.NewAuthor(person(t, 1), "a")
		for range 300 {
			say(t, a, strings.Repeat("x", 4000))
		}
		check := func(from Origin, segments int) {
			t.Helper()
			es, err := j.Follow(0).Next(1 << 30)
			if err != nil || len(es) != 300 {
				t.Fatal(len(es), err)
			}
			cuts := 1
			all := es[0].Frame
			for _, e := range es[1:] {
				if e.From != from {
					t.Fatal("wrong origin", e.From)
				}
				joined, ok := adjoin(all, e.Frame)
				if !ok {
					cuts++
					joined = e.Frame
				}
				all = joined
			}
			if cuts != segments {
				t.Errorf("%d pieces, want %d", cuts, segments)
			}
		}
		check(0, 2)
		stop()
		j = start(t, Config{Dir: dir})
		check(Stored, 1) // written by another process
		if _, ok := adjoin([]byte("ab")[:1], []byte("b")); ok {
			t.Error("joined what is apart")
		}
	})
}

func TestWatch(t *testing.T) {
	j := open(t, Config{})
	one, stopOne := j.Watch()
	var stops []func()
	for range 1000 { // who never look
		_, stop := j.Watch()
		stops = append(stops, stop)
	}
	two, stopTwo := j.Watch()
	told := func(want1, want2 int) {
		t.Helper()
		if len(one) != want1 || len(two) != want2 {
			t.Errorf("told: %d, %d; want %d, %d", len(one), len(two), want1, want2)
		}
		for len(one) > 0 {
			<-one
		}
	}
	a := j.NewAuthor(person(t, 1), "a")
	told(0, 0)
	say(t, a, "x")
	told(1, 1)
	if err := j.commit(); err != nil {
		t.Fatal(err)
	}
	told(1, 1)
	if err := j.commit(); err != nil { // of nothing
		t.Fatal(err)
	}
	told(0, 1)
	take(t, j, newChain(t, 2, today()).add("y").run(1, 1), 1, nil)
	told(1, 1)
	for _, stop := range append(stops, stopOne) {
		stop()
	}
	run(t, j)()
	told(0, 1)
	<-two
	stopTwo()
	if _, stop := j.Watch(); len(*j.watchers.list.Load()) != 1 {
		t.Error("watchers are kept after stop")
	} else {
		stop()
	}
}

func BenchmarkTell(b *testing.B) {
	var w watchers
	for range 1000 {
		c := make(chan struct{}, 1)
		w.add(func(Origin) {
			select {
			case c <- struct{}{}:
			default:
			}
		})
	}
	for b.Loop() {
		w.tell(0)
	}
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Config{})
		a := j.NewAuthor(person(t, 1), "a")
		body := make([]byte, message.MaxBody)
		written := 0
		write := func() error {
			_, _, _, err := a.Write(t.Context(), message.Public, lobby, message.Lobby, message.Text, body)
			written++
			return err
		}
		go func() {
			for range 1000 {
				if err := write(); err != nil {
					t.Error(err)
				}
			}
		}()
		synctest.Wait()
		if size := written * len(body); size < maxQueued-4*len(body) || size > maxQueued+2*len(body) {
			t.Errorf("%d bytes were taken without a commit", size)
		}
		full := make(chan error)
		go func() {
			_, err := j.Append(context.Background(), newChain(t, 2, today()).add("x").run(1, 1), 1, Live)
			full <- err
		}()
		synctest.Wait()
		select {
		case <-full:
			t.Error("append did not wait")
		default:
		}
		stop := run(t, j)
		if err := <-full; err != nil {
			t.Error(err)
		}
		time.Sleep(together) // what is left may be too little to be taken in at once
		synctest.Wait()
		if written != 1000 || j.Durable() != 1001 {
			t.Errorf("%d written, %d durable", written, j.Durable())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := write(); err != ErrClosed {
			t.Errorf("write after the end: %v", err)
		}
	})
}

// adjoin returns a and b as one slice where b's bytes follow a's in memory, as those of neighbouring entries mostly do.
func adjoin(a, b []byte) ([]byte, bool) {
	n := len(a)
	if n == 0 || len(b) == 0 || cap(a) < n+len(b) || &a[: n+1 : n+1][n] != &b[0] {
		return nil, false
	}
	return a[: n+len(b) : cap(a)], true
}

// Frames that lie side by side are joined, others are not.
func TestJoin(t *testing.T) {
	segment := []byte("onetwothree")
	one, two, three := segment[:3], segment[3:6], segment[6:]
	if f, ok := Join(nil, one); !ok || string(f) != "one" {
		t.Errorf("the first: %q, %v", f, ok)
	}
	f, ok := Join(one, two)
	if !ok || string(f) != "onetwo" {
		t.Errorf("neighbours: %q, %v", f, ok)
	}
	if f, ok = Join(f, three); !ok || string(f) != "onetwothree" {
		t.Errorf("the last of a segment: %q, %v", f, ok)
	}
	for _, other := range [][]byte{three, one, []byte("two"), nil} {
		if f, ok := Join(one, other); ok || string(f) != "one" {
			t.Errorf("joined %q: %q", other, f)
		}
	}
	if _, ok := Join(f, two); ok {
		t.Error("joined past the end of a segment")
	}
}
