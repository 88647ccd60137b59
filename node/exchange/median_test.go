package exchange

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal"
)

// unlinked returns an exchange without links, of a journal that is closed at the end.
func unlinked(t *testing.T, c journal.Config) *Exchange {
	t.Helper()
	j, err := journal.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if j.Run(t.Context()) != nil { // which has ended
			t.Error("the journal did not close")
		}
	})
	return New(Config{Journal: j})
}

// The BEATs of thousands of links come together: one of them looks at all clocks, and the others go on with what was known.
func TestOneCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		counting, free := 0, make(chan struct{})
		clock := journal.NewClock(func() time.Time {
			if slow.Load() {
				counting++
				<-free
			}
			return time.Now()
		})
		x := unlinked(t, journal.Config{Clock: clock})
		known := time.Now().Add(time.Hour)
		x.net, x.netAt, x.netKnown = known, time.Now(), true
		time.Sleep(time.Second)
		slow.Store(true)
		var went atomic.Int32
		for range 100 {
			go func() {
				if net, ok := x.median(); ok && net.Equal(known.Add(time.Second)) {
					went.Add(1)
				}
			}()
		}
		synctest.Wait()
		if counting != 1 || went.Load() != 99 {
			t.Errorf("%d count at once, and %d went on with what was known", counting, went.Load())
		}
		slow.Store(false)
		close(free)
		synctest.Wait()
		if _, ok := x.median(); ok {
			t.Error("what was counted is not taken: there is one clock")
		}
	})
}
