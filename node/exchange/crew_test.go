package exchange

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// What is done one after the other is done by one goroutine; of many that were needed at once a few rest, and none when there is no link any more.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		more := func() int {
			synctest.Wait()
			return runtime.NumGoroutine() - before
		}
		var c crew
		c.aside(func() {})
		if n := more(); n != 0 {
			t.Errorf("%d goroutines rest while there is no link", n)
		}
		c.set(true)
		done := 0
		for range 100 {
			c.aside(func() { done++ })
			if n := more(); n != 1 {
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
		if n := more(); n != 3*maxResting {
			t.Errorf("%d goroutines for %d things at once", n, 3*maxResting)
		}
		close(hold)
		all.Wait()
		if n := more(); n != maxResting {
			t.Errorf("%d goroutines rest", n)
		}
		c.set(false)
		if n := more(); n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}
