package exchange

import (
	"sync"
	"testing"
	"testing/synctest"
)

// What is done one after the other is done by one goroutine; of many that were needed at once a few rest, and none when there is no link any more.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c crew
		resting := func() int {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.resting)
		}
		c.aside(func() {})
		if n := resting(); n != 0 {
			t.Errorf("%d goroutines rest while there is no link", n)
		}
		c.set(true)
		done := 0
		for range 100 {
			c.aside(func() { done++ })
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
			c.do(func() { <-hold; all.Done() })
		}
		if n := resting(); n != 0 {
			t.Errorf("%d goroutines rest while more is to be done than they could", n)
		}
		close(hold)
		all.Wait()
		if n := resting(); n != maxResting {
			t.Errorf("%d goroutines rest", n)
		}
		c.set(false) // and the bubble ends only if they do
	})
}
