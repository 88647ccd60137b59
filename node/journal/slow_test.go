package journal

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/disk"
)

// bodies returns the bodies that j serves of a log from a number on.
func bodies(t testing.TB, j *Journal, id message.LogID, from uint64) (out []string) {
	t.Helper()
	for data, err := range j.Serve(id, from) {
		if err != nil {
			t.Fatal(err)
		}
		run, err := message.ParseRun(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range run.Records {
			out = append(out, string(r.Body))
		}
	}
	return out
}

// What was accepted is served at once and whole while the disk takes its time, whatever of it has got there, and goes along to another journal.
func TestServeDoesNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		j := start(t, Config{Dir: dir})
		a := j.NewAuthor(person(t, 1), "a")
		var want []string
		more := func(n int) {
			for range n {
				want = append(want, fmt.Sprint("line ", len(want)))
				say(t, a, want[len(want)-1])
			}
		}
		more(3)
		settle(t, j)
		d.Slow(3 * time.Second)
		began := time.Now()
		more(2)
		synctest.Wait() // the commit of at least one is under way
		more(300)
		for _, from := range []uint64{0, 1, 2, 3, 4, 5, 6, 100, 305, 306} {
			if got := bodies(t, j, a.log(t), from); !slices.Equal(got, want[min(max(from, 1)-1, uint64(len(want))):]) {
				t.Errorf("from %d: %q", from, got)
			}
		}
		other := start(t, Config{})
		if n, err := other.Reoffer(j, []message.LogID{a.log(t)}); n != 1 || err != nil {
			t.Errorf("%d logs taken along: %v", n, err)
		}
		if h, _ := other.Head(a.log(t)); h.Seq != uint64(len(want)) {
			t.Errorf("%d messages taken along", h.Seq)
		}
		if took := time.Since(began); took != 0 || j.Durable() != 3 {
			t.Errorf("it took %v, %d are on disk", took, j.Durable())
		}
		// Commits that come to an end while it is served change nothing of that.
		var got []string
		for data, err := range j.Serve(a.log(t), 1) {
			if err != nil {
				t.Fatal(err)
			}
			run, err := message.ParseRun(data)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range run.Records {
				got = append(got, string(r.Body))
			}
			time.Sleep(4 * time.Second)
		}
		if !slices.Equal(got, want) || j.Durable() < 5 {
			t.Errorf("%d served, %d on disk", len(got), j.Durable())
		}
		d.Slow(0)
		settle(t, j)
		if n := checkWhole(t, j); n != len(want) {
			t.Errorf("%d messages", n)
		}
	})
}

// Who meets others for the first time makes a store while they wait, and on a slow disk each sync counts. Nobody waits for what Run makes beside it, the index of its texts, and a short Run may or may not have begun that.
func TestStoreBeginsWithFewSyncs(t *testing.T) {
	dir := t.TempDir()
	d := disk.Under(t, dir)
	j := open(t, Config{Dir: dir, Host: identity.HostID{1}})
	made := d.Syncs()
	run(t, j)()
	before := d.Syncs()
	j = open(t, Config{Dir: dir, Host: identity.HostID{1}})
	opened := d.Syncs() - before
	run(t, j)()
	if made > 12 || opened > 1 {
		t.Errorf("%d syncs to make it, %d to open it again", made, opened)
	}
}
