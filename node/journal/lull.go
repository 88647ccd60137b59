package journal

import "time"

// together is how long what nobody waits for is put off after the last time, so that the next few messages go with it: the timeline, and the commits of a store in memory.
const together = 20 * time.Millisecond

// few is how many runs may arrive in that time where the processor is free for what nobody waits for: the indexes of a message take as long as to relay it to a dozen links.
const few = 8

// A lull finds out whether there is time for what nobody waits for. It belongs to one goroutine.
type lull struct {
	at    time.Time // when it looked last
	seen  int64     // the newest arrival then
	flood bool
}

// flooded reports whether much arrives; last is the newest arrival.
func (l *lull) flooded(last int64) bool {
	if times := int64(time.Since(l.at) / together); times > 0 {
		l.flood = (last-l.seen)/few >= times
		l.at, l.seen = time.Now(), last
	}
	return l.flood
}
