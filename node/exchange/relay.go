package exchange

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"earshot/node/crew"
	"earshot/node/journal"
)

// relay is how what arrives in the journal gets to the links. A line or two are written by who brought them, link after link, without waiting for any: most of what a message costs
// that comes alone is to wake a goroutine for each link. Where more is under way goroutines are woken, one for some links each: they get to run when all that has arrived is in, and take it together.
// To write to a crowd takes so long that what came meanwhile is read together: it is written by who brought it, too, but in a flood, of which goroutines take more at once. None of them waits for a
// link: one that does not take all gets a goroutine of its own.
// To a throng it takes so long that nothing else would be done if each line were: after each time there is a rest, and what comes in it goes when the bells ring, which is three times a second.
type relay struct {
	links    atomic.Pointer[[]*peer] // a copy of Exchange.links
	told     atomic.Int64            // the newest arrival that links were told of
	bringing atomic.Int64            // how many links bring something just now
	rested   atomic.Int64            // when somebody wrote to all links last, in ns since Exchange.born
	took     atomic.Int64            // how long that took, in ns
	woken    atomic.Bool             // goroutines are to write to all links, and have not begun
}

const (
	// soon is how many entries are few, and calm is how long after the last was written another has come by itself: it did not wait for that.
	soon = 2
	calm = 50 * time.Microsecond
	// share is how many links one goroutine writes to what came by itself, at least, and some of what is under way: to start one, with its stack, and with the deadline of a write that may wait, is 5 % of what a write takes in a flood.
	share, some = 256, 16
	// throng is from how many links on there is a rest, and rest how much longer than writing to all of them.
	throng, rest = 2000, 10
	// little is how many entries are written without a goroutine of the link.
	little = 64
	// talk is how many bytes, at most, are said at once where there is no flood.
	talk = 4 << 10
)

func (r *relay) all() []*peer {
	if l := r.links.Load(); l != nil {
		return *l
	}
	return nil
}

func (r *relay) set(links []*peer) { r.links.Store(&links) }

// slowest is the last arrival that all links have taken, as far as what comes is sent to them.
func (x *Exchange) slowest() int64 {
	seen := x.journal.Last()
	for _, p := range x.relay.all() {
		p.mu.Lock()
		if p.tailing {
			seen = min(seen, p.at)
		}
		p.mu.Unlock()
	}
	return seen
}

// changed is called when something was appended, by a link or another, or committed. A link that brought something tells the others itself (brought). The hub's links have nothing to say about
// commits: acks pokes who waits.
func (x *Exchange) changed(by journal.Origin) {
	links := x.relay.all()
	if by != 0 && slices.ContainsFunc(links, func(p *peer) bool { return p.origin == by }) {
		return
	}
	arrived := false
	if x.relay.bringing.Load() == 0 { // otherwise who brings something just now tells them of this, too: what is committed meanwhile would have all links woken for it
		last := x.journal.Last()
		arrived = x.relay.told.Swap(last) != last
	}
	for _, p := range links {
		if arrived || !p.Hub {
			p.poke()
		}
	}
}

// bring comes before, and brought after a link brought records.
func (x *Exchange) bring() { x.relay.bringing.Add(1) }

func (x *Exchange) brought(records int) {
	r := &x.relay
	others := r.bringing.Add(-1)
	last := x.journal.Last()
	told := r.told.Swap(last)
	links, began := r.all(), time.Since(x.born)
	if told == last || len(links) >= throng && began < time.Duration(r.rested.Load()+rest*r.took.Load()) {
		return
	}
	lines, err := x.journal.Follow(told).Next(writeBytes)
	size := 0
	for i := range lines {
		size += len(lines[i].Frame)
	}
	alone := records <= soon && began-time.Duration(r.rested.Load()) >= calm
	crowd := len(links) > share && size <= talk
	if err != nil || len(lines) == 0 || len(lines) > soon || others > 0 || !alone && !crowd {
		x.wake()
		return
	}
	var work sync.WaitGroup
	for part := range slices.Chunk(links, max(share, (len(links)-1)/runtime.GOMAXPROCS(0)+1)) {
		if len(links) <= share {
			x.sendAll(part, lines, began)
		} else {
			work.Go(func() { x.sendAll(part, lines, began) })
		}
	}
	work.Wait()
	now := time.Since(x.born)
	r.rested.Store(int64(now))
	r.took.Store(int64(now - began))
}

// wake has goroutines write to all links what there is when they run.
func (x *Exchange) wake() {
	if x.relay.woken.Swap(true) {
		return
	}
	go func() {
		x.relay.woken.Store(false)
		for part := range slices.Chunk(x.relay.all(), some) {
			go x.sendMuch(part)
		}
	}()
}

func (x *Exchange) sendMuch(links []*peer) {
	crew.Roomy()
	for _, p := range links {
		p.say(math.MaxInt64)
	}
}

func (x *Exchange) sendAll(links []*peer, lines []journal.Entry, began time.Duration) {
	for _, p := range links {
		if p.turn.take() && !p.sendNow(lines, began) {
			x.crew.Do(p.write)
		}
	}
}
