package journal

import "math"

// A Cursor is a position in the order of arrival. It belongs to one goroutine.
type Cursor struct {
	j       *Journal
	arrival int64
}

// Follow returns a cursor that has seen everything up to and including arrival; Last is the newest.
func (j *Journal) Follow(arrival int64) *Cursor { return &Cursor{j, arrival} }

// Arrival is the last entry seen.
func (c *Cursor) Arrival() int64 { return c.arrival }

// Pass moves on past entries, which another cursor returned and which come next, and returns Arrival.
func (c *Cursor) Pass(entries []Entry) int64 {
	c.arrival = entries[len(entries)-1].Arrival
	return c.arrival
}

// Next returns the entries after the cursor, about max bytes of them, or none, and moves on. Frames of neighbouring entries lie side by side in
// memory wherever they can, so that a writer can send them as one (Join). Entries from before the tail come from the store: their origin is Stored,
// or 0 where an author of this process wrote them, and they are not Bulk.
func (c *Cursor) Next(max int) ([]Entry, error) {
	j := c.j
	for c.arrival < j.last.Load() {
		j.mu.RLock()
		if j.closed {
			j.mu.RUnlock()
			return nil, ErrClosed
		}
		first := j.tail.first
		if c.arrival+1 >= first {
			entries := c.fromTailLocked(max)
			j.mu.RUnlock()
			return entries, nil
		}
		j.mu.RUnlock()
		entries, nonces, err := j.store.entries(c.arrival, first, max)
		if err != nil {
			return nil, j.fault(err)
		}
		if len(entries) == 0 { // what stood here was dropped
			c.arrival = first - 1
			continue
		}
		c.arrival = entries[len(entries)-1].Arrival
		j.mu.RLock()
		for i := range entries {
			if _, ok := j.mine[nonces[i]]; ok {
				entries[i].From = 0
			}
		}
		j.mu.RUnlock()
		return entries, nil
	}
	return nil, nil
}

func (c *Cursor) fromTailLocked(max int) []Entry {
	items := c.j.tail.items[c.arrival+1-c.j.tail.first:]
	n := 0
	for bytes := 0; n < len(items) && (n == 0 || bytes < max); n++ {
		bytes += len(items[n].Frame)
	}
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = items[i].Entry
	}
	c.arrival += int64(n)
	return entries
}

// Slowest has the tail kept, within its limit, for the slowest of many readers: f gives the arrival which that has seen last. It is called by who commits, and must not block. What all of them have
// seen is kept no longer: the few who come late read it from the store.
func (j *Journal) Slowest(f func() int64) { j.slowest.Store(&f) }

// seen is what the slowest has seen, where that matters.
func (j *Journal) seen() int64 {
	j.mu.RLock()
	long := j.tail.bytes > leastTail
	j.mu.RUnlock()
	f := j.slowest.Load()
	switch {
	case !long: // but it may be, a moment later
		return 0
	case f != nil:
		return (*f)()
	}
	return math.MaxInt64
}

// Tail is how many bytes of memory the tail takes.
func (j *Journal) Tail() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.tail.bytes
}

// Behind is about how many bytes of frames came after an entry.
func (j *Journal) Behind(arrival int64) int64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return (j.last.Load() - arrival) * int64(j.tail.bytes) / int64(max(1, len(j.tail.items)))
}

// Join returns frames with next behind them, without copying, if that is where next lies; frames that are nil are none yet. Nothing may be appended to what it returns.
func Join(frames, next []byte) (_ []byte, ok bool) {
	n := len(frames)
	if n == 0 {
		return next, true
	}
	if len(next) == 0 || cap(frames) < n+len(next) || &frames[:n+1][n] != &next[0] {
		return frames, false
	}
	return frames[:n+len(next)], true
}
