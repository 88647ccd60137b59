package journal

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest/disk"
)

// watermark is how far the timeline has come.
func watermark(j *Journal) int64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.watermark
}

// TestIndexesWaitForALull: while much is said neither index is written, but for those who ask; when less is said they are.
func TestIndexesWaitForALull(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		synctest.Test(t, func(t *testing.T) {
			j := start(t, Config{Dir: dir})
			a := j.NewAuthor(person(t, 1), "nick")
			n := 0
			found := func() int64 { // what is in the search index
				index, done := j.text.use()
				defer done()
				if index == nil {
					return 0
				}
				w, err := index.Watermark(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			// talk says that many a second for so long.
			talk := func(d time.Duration, perSecond int) {
				for end := time.Now().Add(d); time.Now().Before(end); n++ {
					say(t, a, fmt.Sprint(n))
					time.Sleep(time.Second / time.Duration(perSecond))
				}
				synctest.Wait()
			}
			talk(time.Second, 800)
			if w := watermark(j); w > 200 { // what came before it was seen that much comes
				t.Errorf("%d of %d are in the timeline while much is said", w, n)
			}
			page, err := j.Page(lobby, Key{}, 5)
			if err != nil || len(page) != 5 || string(page[4].Body) != fmt.Sprint(n-1) {
				t.Errorf("the newest page while much is said is %v, %v", page, err)
			}
			before := watermark(j)
			talk(time.Second, 800)
			if w := watermark(j); w > before+200 {
				t.Errorf("%d were put into the timeline while much was said", w-before)
			}
			if w := found(); w > int64(n/2) {
				t.Errorf("%d of %d are in the search index while much is said", w, n)
			}
			talk(time.Second, 100)
			time.Sleep(2 * textEvery)
			synctest.Wait()
			if w := found(); dir != "" && w != j.Last() {
				t.Errorf("%d of %d are in the search index when less is said", w, j.Last())
			}
			if w := watermark(j); w != j.Last() {
				t.Errorf("%d of %d are in the timeline when less is said", w, j.Last())
			}
		})
	}
}

// TestTimelineRests: what is to go into the timeline while people talk goes in little by little, but for those who ask.
func TestTimelineRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		j := start(t, Config{Dir: dir})
		c := newChain(t, 1, today())
		const runs, size = 40, indexShare
		for i := range 2 * runs * size {
			c.add(fmt.Sprint(i))
		}
		// arrive has so many runs come after a while in which nothing did, and returns when two commits have put them on disk, the second all but the first.
		arrive := func(first int) {
			time.Sleep(time.Minute)
			d.Slow(lately / 4)
			for i := first; i < first+runs; i++ {
				take(t, j, c.run(i*size+1, (i+1)*size), size, nil)
			}
			d.Slow(0)
			for j.Durable() < j.Last() {
				time.Sleep(lullNap / 4)
			}
		}
		arrive(0)
		began := time.Now()
		for watermark(j) < j.Last() {
			time.Sleep(lullNap / 4)
		}
		if took := time.Since(began); took < (runs-3)*lullNap || took > 2*runs*lullNap {
			t.Errorf("the timeline took %v", took)
		}
		arrive(runs)
		began = time.Now()
		if err := j.settle(); err != nil || time.Since(began) > lullNap {
			t.Errorf("the timeline took %v for one who asks, %v", time.Since(began), err)
		}
	})
}

func TestLull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lull
		last := int64(1000)
		l.flooded(last)
		for _, step := range []struct {
			wait    time.Duration
			arrived int64
			flooded bool
		}{
			{together, few - 1, false},
			{together, few, true},
			{together / 2, 0, true}, // it does not look so often
			{together / 2, 0, false},
			{10 * together, 10*few - 1, false}, // it has not looked for long
			{10 * together, 10 * few, true},
			{time.Hour, 100, false},
			{lately, 0, false},
		} {
			time.Sleep(step.wait)
			last += step.arrived
			if got := l.flooded(last); got != step.flooded {
				t.Errorf("%d after %v: flooded is %v", step.arrived, step.wait, got)
			}
			if want := step.wait < lately || step.arrived > 0; l.talk() != want {
				t.Errorf("%d after %v: talk is %v", step.arrived, step.wait, l.talk())
			}
		}
	})
}
