// Package crew keeps a few goroutines for what many connections have to do now and then, each for a moment: otherwise several begin for each connection that comes, and each lets its stack grow.
// The stack of a connection's own goroutine stays as small as it is: one that has grown is not given back while the goroutine lasts, and of links at rest it would be most of the memory.
//
// There are as many goroutines as have something to do; of those that are done up to four rest, while the crew is open.
package crew

import "sync"

// maxResting is how many goroutines wait for more to do: what there is takes microseconds, and hardly ever waits.
const maxResting = 4

// A Crew is ready as it is, closed. All methods may be called concurrently.
type Crew struct {
	// mu protects what follows.
	mu      sync.Mutex
	resting []chan func() // each has room for one
	open    bool          // otherwise nobody rests
}

// Do has f done, and does not wait.
func (c *Crew) Do(f func()) {
	c.mu.Lock()
	last := len(c.resting) - 1
	if last < 0 {
		c.mu.Unlock()
		go c.work(f)
		return
	}
	next := c.resting[last]
	c.resting = c.resting[:last]
	c.mu.Unlock()
	next <- f
}

// Aside waits until f is done.
func (c *Crew) Aside(f func()) {
	var done sync.WaitGroup
	done.Add(1)
	c.Do(func() {
		defer done.Done()
		f()
	})
	done.Wait()
}

func (c *Crew) work(f func()) {
	var more chan func()
	for ; f != nil; f = <-more {
		Roomy()
		f()
		if more = c.rest(more); more == nil {
			return
		}
	}
}

// rest has what comes to more, which it makes where it is nil, done by the caller; nil: the caller is not needed any more.
func (c *Crew) rest(more chan func()) chan func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open || len(c.resting) == maxResting {
		return nil
	}
	if more == nil {
		more = make(chan func(), 1)
	}
	c.resting = append(c.resting, more)
	return more
}

// Open opens or closes it. While it is closed nobody rests.
func (c *Crew) Open(open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = open
	if !open {
		for _, more := range c.resting {
			close(more)
		}
		c.resting = nil
	}
}

// Roomy makes the stack of a goroutine large enough at once for what goes through TLS. Otherwise it grows in three steps, and is copied each time with more on it.
func Roomy() { roomy(0) }

//go:noinline
func roomy(i int) byte {
	var room [8 << 10]byte
	return room[i]
}
