package exchange

import "sync"

// maxResting is how many goroutines wait for more to do: what links have to do takes microseconds, and hardly ever waits.
const maxResting = 4

// A crew does what links have to do now and then, each for a moment, on goroutines that are kept for the next: otherwise 14 begin for each link that comes, and each lets its stack grow.
// The stack of a link's own goroutine stays as small as it is: one that has grown is not given back while the goroutine lasts, and of links at rest it would be most of the memory.
type crew struct {
	// mu protects what follows.
	mu      sync.Mutex
	resting []chan func() // each has room for one
	open    bool          // while there are links: otherwise nobody rests
}

// do has f done, and does not wait.
func (c *crew) do(f func()) {
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

// aside waits until f is done.
func (c *crew) aside(f func()) {
	var done sync.WaitGroup
	done.Add(1)
	c.do(func() {
		defer done.Done()
		f()
	})
	done.Wait()
}

func (c *crew) work(f func()) {
	var more chan func()
	for ; f != nil; f = <-more {
		roomy(0)
		f()
		if more = c.rest(more); more == nil {
			return
		}
	}
}

// rest has what comes to more, which it makes where it is nil, done by the caller; nil: the caller is not needed any more.
func (c *crew) rest(more chan func()) chan func() {
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

// set opens or closes it.
func (c *crew) set(open bool) {
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

// Aside runs f on a goroutine of its own and waits for it: the stack of the caller, which is that of a link, stays small.
func Aside(f func()) { new(crew).aside(f) }

// roomy makes the stack of a goroutine large enough at once for what goes through TLS. Otherwise it grows in three steps, and is copied each time with more on it.
//
//go:noinline
func roomy(i int) byte {
	var room [8 << 10]byte
	return room[i]
}
