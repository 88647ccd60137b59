package journal

import (
	"encoding/binary"

	"earshot/node/message"
	"earshot/node/wire"
)

// segSize is how much memory is taken at once for frames: many times what is sent at once, for what begins in one and ends in another is sent in two writes. A segment is never written again once
// full, and is garbage when the last reader is done with it: a ring would overwrite what a blocked writer still sends.
const segSize = 1 << 20

// entryCost is what one entry of the tail costs beside its frame and hashes.
const entryCost = 128

// Entry is one accepted run in the tail, or the proof of a fork.
type Entry struct {
	Arrival int64
	Frame   []byte // the whole wire frame, of type RUN or PROOF; shared, read only
	From    Origin
	Bulk    bool
	Group   message.GroupID
	Day     uint32
	Log     message.LogID
	// Fork is where the log ends from here on, where Frame is the proof of that; 0: it is a run.
	Fork uint64
	Was  uint64 // where it ended before that was known, 0: nowhere

	live   bool           // it came by itself
	open   *opened        // of a run in a sealed group; nil where it is on disk
	hashes []message.Hash // of the run's headers; nil where they are to be computed
}

// An item is an entry with what the committer needs.
type item struct {
	Entry
	log    int64 // its log's row
	first  uint64
	filled bool // it brought bodies that were missing: the run is on disk
}

// leastTail is what the tail keeps though everyone has it: half a second of the fastest flood.
const leastTail = 4 << 20

// tail is the newest entries.
type tail struct {
	items []item
	first int64  // arrival of items[0], or of the next where there is none
	seg   []byte // the segment that is being filled
	bytes int
	max   int
}

func newTail(next int64, max int) tail { return tail{first: next, max: max} }

// frame writes a frame into the segment, behind the one before; add appends its body of that size. The frame's capacity reaches to the end of the segment (see Join).
func (t *tail) frame(of wire.Type, size int, add func([]byte) []byte) []byte {
	if size += wire.HeaderLen; cap(t.seg)-len(t.seg) < size {
		t.seg = make([]byte, 0, max(segSize, size))
	}
	from := len(t.seg)
	t.seg = frame(t.seg, of, add)
	return t.seg[from:]
}

// frame appends the frame whose body add appends.
func frame(b []byte, of wire.Type, add func([]byte) []byte) []byte {
	from := len(b)
	b = append(b, 0, 0, 0, 0, byte(of))
	b = add(b)
	binary.BigEndian.PutUint32(b[from:], uint32(len(b)-from-4))
	return b
}

// body returns a frame's run, or proof.
func body(frame []byte) []byte { return frame[wire.HeaderLen:] }

func (t *tail) add(it item) {
	t.items = append(t.items, it)
	t.bytes += it.size()
}

// size is what the entry takes in memory.
func (e *Entry) size() int { return len(e.Frame) + len(e.hashes)*len(message.Hash{}) + entryCost }

// at returns the entry with that number; it must be held.
func (t *tail) at(arrival int64) *item { return &t.items[arrival-t.first] }

// trim drops the oldest, as far as they are committed: down to the limit, and further those up to seen.
func (t *tail) trim(durable, seen int64) {
	n := 0
	for ; t.first <= durable && n < len(t.items) && (t.bytes > t.max || t.bytes > leastTail && t.first <= seen); n++ {
		t.bytes -= t.items[n].size()
		t.items[n] = item{} // or the array would keep its segment
		t.first++
	}
	t.items = t.items[n:]
}
