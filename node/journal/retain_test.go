package journal

import (
	"context"
	"slices"
	"testing"
	"time"

	"earshot/node/message"
)

// What is too old goes in steps, so that what is said meanwhile does not wait for all of it; after each the store is one that could be opened: each day's sum is that of its
// logs. In the end what is left is what a replica that keeps more has of those days, and the timeline is of it.
func TestDropInSteps(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	y := Year{Days: 14}
	y.Build(t, dir, 60, today()) // 300 logs a day, more than one step takes
	y.Copy(t, dir, other)
	j, more := open(t, Config{Dir: dir}), open(t, Config{Dir: other})
	defer more.store.close()
	count := func(q string) (n int) {
		t.Helper()
		if err := j.store.r.QueryRow(q).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	horizon, held := today()-9, count("SELECT count(*) FROM log")
	for {
		found, err := j.store.drop(&horizons{all: horizon, mail: horizon})
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		left := count("SELECT count(*) FROM log")
		if n := held - left; n < 1 || n > dropLogs {
			t.Fatalf("%d logs were dropped at once", n)
		}
		held = left
		var d daySum
		var sum message.Hash
		if err := j.store.r.QueryRow("SELECT day, sum, logs FROM day ORDER BY day LIMIT 1").Scan(&d.day, fixed(sum[:]), &d.logs); err != nil {
			t.Fatal(err)
		}
		heads, err := j.store.heads(message.Public, d.day, message.LogID{}, 1000)
		if err != nil || len(heads) != d.logs {
			t.Fatalf("%d heads, the day says %d logs, %v", len(heads), d.logs, err)
		}
		for i := range heads {
			d.sum.add(heads[i].lanes())
		}
		if d.sum.hash() != sum {
			t.Fatalf("day %d has a sum that is not its heads'", d.day)
		}
	}
	logs, runs, places, days := count("SELECT count(*) FROM log"), count("SELECT count(*) FROM run"), count("SELECT count(*) FROM timeline"), count("SELECT count(*) FROM day")
	if logs != 10*300 || runs != logs || places != logs || days != 10 {
		t.Errorf("%d logs, %d runs, %d places, %d days are left", logs, runs, places, days)
	}
	if err := j.load(j.store); err != nil {
		t.Fatal(err)
	}
	mine, err := j.Root(message.Public, horizon, 1<<31)
	theirs, err2 := more.Root(message.Public, horizon, 1<<31)
	if err != nil || err2 != nil || mine != theirs {
		t.Error("they differ in what both keep", err, err2)
	}
	run(t, j)
	n := 0
	for l, err := range j.All(0) {
		if err != nil || dayOf(int64(l.HLC>>16)) < horizon {
			t.Fatal(l.HLC, err)
		}
		n++
	}
	if n != logs {
		t.Errorf("%d lines of %d", n, logs)
	}
}

// BenchmarkDropYear drops eleven months of a year of 250 people while somebody writes, and tells how long a line waited for the disk at most, and without that.
func BenchmarkDropYear(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		var y Year
		y.Build(b, dir, 250, today())
		j := start(b, Config{Dir: dir, Keep: 30 * 24 * time.Hour})
		a := j.NewAuthor(person(b, 1), "a")
		write := func() time.Duration {
			began := time.Now()
			if _, _, _, err := a.Write(context.Background(), message.Public, lobby, message.Lobby, message.Text, []byte("hello")); err != nil {
				b.Fatal(err)
			}
			settle(b, j)
			return time.Since(began)
		}
		var idle, busy []time.Duration
		for range 100 {
			idle = append(idle, write())
		}
		b.StartTimer()
		j.Clock().Vouch(time.Now())
		j.Horizon(message.Public)
		for left := 1; left > 0; {
			busy = append(busy, write())
			if err := j.store.r.QueryRow("SELECT count(*) FROM day WHERE day<?", j.Horizon(message.Public)).Scan(&left); err != nil {
				b.Fatal(err)
			}
		}
		slices.Sort(busy)
		b.ReportMetric(float64(slices.Max(idle).Microseconds())/1000, "ms-idle-max")
		b.ReportMetric(float64(busy[len(busy)/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(busy[len(busy)-1].Microseconds())/1000, "ms-max")
	}
}
