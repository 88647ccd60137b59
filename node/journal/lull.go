package journal

import "time"

// together is how long what nobody waits for is put off after the last time, so that the next few messages go with it: the timeline, and the commits of a store in memory.
const together = 20 * time.Millisecond

// much is how many bytes of frames are not put off.
const much = 256 << 10

// few is how many messages may arrive in that time where the processor is free for what nobody waits for: the indexes of one take as long as to relay it to hundreds of links.
const few = 4

// lately is how long after a message others are to be expected.
const lately = time.Second

// lullNap is the shortest time that the runtime waits for the network (epoll_wait counts in ms).
const lullNap = time.Millisecond

// A lull finds out whether there is time for what nobody waits for. It belongs to one goroutine.
type lull struct {
	at    time.Time // when it looked last
	seen  int64     // how many messages had arrived then
	heard time.Time // when it saw last that one had
	flood bool
}

// flooded reports whether much arrives; so many messages have up to now.
func (l *lull) flooded(messages int64) bool {
	if times := int64(time.Since(l.at) / together); times > 0 {
		l.flood = (messages-l.seen)/few >= times
		l.at = time.Now()
		if messages > l.seen {
			l.heard, l.seen = l.at, messages
		}
	}
	return l.flood
}

// talk reports whether anything arrived lately.
func (l *lull) talk() bool { return time.Since(l.heard) < lately }
