package journal

import (
	"iter"
	"slices"

	"earshot/node/message"
)

// Head returns how far one log goes, and whether it is held at all.
func (j *Journal) Head(id message.LogID) (Head, bool) {
	l, ok, err := j.lookup(id)
	return l.Head, ok && err == nil
}

// DurableHead returns how far one log goes on disk, with all the bodies that count.
func (j *Journal) DurableHead(id message.LogID) (Head, bool) {
	l, ok, err := j.lookup(id)
	if !ok || err != nil || !l.stored {
		return Head{}, false
	}
	if l.Seq < l.saved.Seq { // cut off since
		return j.whole(l.Head)
	}
	return j.whole(l.saved)
}

// End returns the stamp of a log's last message, 0 where it is not held.
func (j *Journal) End(id message.LogID) uint64 {
	l, _, _ := j.lookup(id)
	return l.hlc
}

// Hash returns the hash of one header that is held.
func (j *Journal) Hash(id message.LogID, seq uint64) (message.Hash, bool) {
	l, ok, err := j.lookup(id)
	if !ok || err != nil || seq < 1 || seq > l.Seq {
		return message.Hash{}, false
	}
	h, err := j.hashAt(&l, seq)
	return h, err == nil
}

// Opening returns the opening of a log that is held.
func (j *Journal) Opening(id message.LogID) (*message.Opening, bool) {
	l, ok, err := j.lookup(id)
	if !ok || err != nil {
		return nil, false
	}
	return &message.Opening{Network: j.conf.Network, Group: l.Group, Room: l.Room, Author: l.Author, Nonce: l.Nonce, Day: l.Day, Nick: l.opener, Name: l.Name}, true
}

// served is how many bytes Serve reads at once.
const served = 256 << 10

// Serve yields the encoded runs (without frame header) of a log from a number on, oldest first, joined up to the limits of a run, each ending with a signature.
// Where the log ends at a fork, the last run may reach past it: its signature vouches for what is below. It does not wait for the disk: what is not there yet comes from memory. The caller may keep what is yielded, and does not change it.
func (j *Journal) Serve(id message.LogID, from uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := j.serve(id, from, func(run []byte) bool { return yield(run, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (j *Journal) serve(id message.LogID, from uint64, yield func([]byte) bool) error {
	l, _, err := j.lookup(id)
	if err != nil {
		return err
	}
	// No connection is held while the caller has the word: it may take as long as it likes, and write.
	from, end := max(from, 1), l.Seq
	for {
		if end = min(end, l.Seq); from > end { // l may have been cut off, or dropped, meanwhile
			return nil
		}
		runs, next, err := j.stretch(&l, from, end)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if !yield(run) {
				return nil
			}
		}
		if from == next && from <= l.saved.Seq { // dropped meanwhile
			return nil
		}
		from = next
		if l, _, err = j.lookup(id); err != nil {
			return err
		}
	}
}

// stretch returns runs of l from a number to end, joined, as many as are read at once, and the number after them.
func (j *Journal) stretch(l *state, from, end uint64) (runs [][]byte, next uint64, err error) {
	at, rewrite := stretch{l.Log, from, end}, 0
	if runs, rewrite = j.answers.get(at); runs != nil {
		return runs, end + 1, nil
	}
	rows, err := j.runs(l, from)
	if err != nil {
		return nil, 0, err
	}
	if runs, next, err = join(rows, from, end); err != nil {
		return nil, 0, j.fault(err)
	}
	if next > end && end <= l.saved.Seq { // what is not on disk is in memory anyway
		j.answers.put(at, runs, rewrite)
	}
	return runs, next, nil
}

// runs returns runs of l from the one that has message from on: of what is on disk, else of what waits for it, or none where that has got there since l was looked up.
func (j *Journal) runs(l *state, from uint64) (rows [][]byte, err error) {
	if from <= l.saved.Seq {
		rows, err := j.store.runs(l.row, from, l.Seq, served)
		return rows, j.fault(err)
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	size := 0
	for _, arrival := range l.pending {
		if arrival <= j.durable.Load() {
			return nil, nil
		}
		it := j.tail.at(arrival)
		if it.first <= from {
			rows, size = rows[:0], 0
		}
		if size < served {
			rows, size = append(rows, slices.Clip(body(it.Frame))), size+len(it.Frame)
		}
	}
	return rows, nil
}

// join joins rows, the runs of a log, from a number to an end and returns the number after them.
func join(rows [][]byte, from, end uint64) (out [][]byte, next uint64, err error) {
	var sum *message.Run // what is being joined, and its encoding where it is still that of one row
	var data []byte
	size := 0
	flush := func() {
		if sum == nil {
			return
		}
		if data == nil {
			data = sum.Append(make([]byte, 0, size))
		}
		out = append(out, data)
	}
	for _, row := range rows {
		run, err := parseHeld(row)
		if err != nil {
			return nil, 0, err
		}
		if run.Last() < from || run.First > end {
			continue
		}
		if from > run.First {
			run, row = run.From(from, run.Hashes()[from-1-run.First]), nil
		}
		from = run.Last() + 1
		if more := run.RecordBytes(); sum != nil && size+more <= message.MaxRunBytes && sum.Extend(run) {
			size, data = size+more, nil
			continue
		}
		flush()
		sum, data, size = run, row, run.Size()
		sum.Records = slices.Clip(sum.Records)
	}
	flush()
	return out, from, nil
}

// settle waits until what was accepted before the call is on disk and in the timeline, or cannot be written.
func (j *Journal) settle() error {
	j.mu.Lock()
	j.indexers++
	edits, last := j.edits, j.last.Load()
	j.mu.Unlock()
	j.wake()
	defer func() {
		j.mu.Lock()
		j.indexers--
		j.mu.Unlock()
	}()
	for {
		j.mu.RLock()
		closed, news := j.closed, j.news
		done := j.err != nil || j.saved >= edits && j.watermark >= last
		j.mu.RUnlock()
		switch {
		case closed:
			return ErrClosed
		case done:
			return nil
		}
		<-news
	}
}
