package journal

import (
	"sync"

	"earshot/node/message"
)

// Those who come to a hub at the same time ask for the same, and so does everyone after a hub is gone: what was read from the store to answer one is kept for the next.
const (
	// maxHeld is how many bytes of runs are kept, maxStretch how many of one stretch at most: who lacks more than that is seldom one of many.
	maxHeld, maxStretch = 2 << 20, 64 << 10
	// maxHeadPages is how many pages of heads are kept, each of some 20 KB at most.
	maxHeadPages = 32
)

// A stretch is all there is of a log from a number to its end.
type stretch struct {
	log       message.LogID
	from, end uint64
}

// A headPage is what Heads was asked for.
type headPage struct {
	group message.GroupID
	day   uint32
	after message.LogID
	max   int
}

type headsHeld struct {
	heads []Head
	more  bool
}

// answers are what was given lately.
type answers struct {
	mu      sync.Mutex // protects what follows
	rewrite int        // counts how often what is on disk was changed, where it otherwise only grows
	runs    map[stretch][][]byte
	bytes   int
	edits   int64 // of the journal, that heads are of
	heads   map[headPage]headsHeld
}

// get returns the runs of a stretch, nil where they are not held: what is read instead may be put with rewrite.
func (a *answers) get(at stretch) (runs [][]byte, rewrite int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.runs[at], a.rewrite
}

// put keeps a stretch that was read since get returned rewrite.
func (a *answers) put(at stretch, runs [][]byte, rewrite int) {
	size := 0
	for _, run := range runs {
		size += len(run)
	}
	if size == 0 || size > maxStretch {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rewrite != rewrite {
		return
	}
	if a.bytes+size > maxHeld || a.runs == nil {
		a.runs, a.bytes = map[stretch][][]byte{}, 0
	}
	if a.runs[at] == nil {
		a.runs[at] = runs
		a.bytes += size
	}
}

// clear forgets all runs: bodies were deleted, or have come, or logs were dropped.
func (a *answers) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rewrite++
	a.runs, a.bytes = nil, 0
}

// getHeads returns heads as they were after so many edits of the journal.
func (a *answers) getHeads(at headPage, edits int64) (h headsHeld, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.edits == edits {
		h, ok = a.heads[at]
	}
	return h, ok
}

// putHeads keeps heads that are those after so many edits.
func (a *answers) putHeads(at headPage, edits int64, h headsHeld) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.edits != edits || len(a.heads) >= maxHeadPages || a.heads == nil {
		a.edits, a.heads = edits, map[headPage]headsHeld{}
	}
	a.heads[at] = h
}
