package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// leastGarbage is how much memory there may be that is not in use any more, at least, before it is collected: less would have the collector run all the time.
const leastGarbage = 16 << 20

// collect has the collector leave less garbage than there is memory in use where most of that is the tails of journals: they hold no pointers, so that it costs nothing to look them through, and
// there need not be as much again of garbage.
func (n *Node) collect(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	usual := int(min(sample[0].Value.Uint64(), 1<<20)) // it is very much where there is to be no collector
	set := usual
	tick := time.NewTimer(n.second())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if set != usual {
				debug.SetGCPercent(usual)
			}
			return
		case <-tick.C:
			tick.Reset(n.second())
		}
		metrics.Read(sample)
		percent := garbage(usual, int(sample[1].Value.Uint64()), n.gather.tails())
		if d := percent - set; d > 5 || d < -5 { // each change stops everything for a moment
			debug.SetGCPercent(percent)
			set = percent
		}
	}
}

// garbage returns how much there may be of it, in percent of what is in use.
func garbage(usual, live, tails int) int {
	if usual > 100 || live < leastGarbage {
		return usual // as whoever started this wants it, or too little to matter
	}
	return min(usual, int(int64(max(live-tails, leastGarbage))*100/int64(live)))
}

// tails is what the tails of the journals take.
func (g *gatherings) tails() (bytes int) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, at := range g.openLocked() {
		bytes += at.journal.Tail()
	}
	return bytes
}
