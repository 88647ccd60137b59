package crew

import (
	"sync"
	"testing"
	"testing/synctest"
)

// What is done one after the other is done by one goroutine; of many that were needed at once a few rest, and none of a crew that is closed.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		resting := func() int {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.resting)
		}
		c.Aside(func() {})
		if n := resting(); n != 0 {
			t.Errorf("%d goroutines rest of a crew that is closed", n)
		}
		c.Open(true)
		done := 0
		for range 100 {
			c.Aside(func() { done++ })
			if n := resting(); n != 1 {
				t.Fatalf("%d goroutines for what is done one after the other", n)
			}
		}
		if done != 100 {
			t.Errorf("%d of 100 were done", done)
		}
		hold := make(chan struct{})
		var all sync.WaitGroup
		for range 3 * maxResting {
			all.Add(1)
			c.Do(func() { <-hold; all.Done() })
		}
		if n := resting(); n != 0 {
			t.Errorf("%d goroutines rest while more is to be done than they could", n)
		}
		close(hold)
		all.Wait()
		if n := resting(); n != maxResting {
			t.Errorf("%d goroutines rest", n)
		}
		c.Open(false) // and the bubble ends only if they do
	})
}
