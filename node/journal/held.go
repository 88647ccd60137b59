package journal

import (
	"fmt"
	"slices"

	"earshot/node/message"
)

// hashAt returns the hash of a header of l, at most l.Seq.
func (j *Journal) hashAt(l *state, seq uint64) (message.Hash, error) {
	switch {
	case seq == l.Seq:
		return l.Tip, nil
	case l.stored && seq == l.saved.Seq: // of which authors are told, while they write on
		return l.saved.Tip, nil
	}
	run, err := j.runAt(l, seq)
	if err != nil {
		return message.Hash{}, err
	}
	return run.Hashes()[seq-run.First], nil
}

// runAt returns the run, as it was accepted, that has message seq of l, at most l.Seq.
func (j *Journal) runAt(l *state, seq uint64) (*message.Run, error) {
	var data []byte
	j.mu.RLock()
	if it := j.pendingLocked(l.Log, seq); it != nil {
		data = body(it.Frame)
	}
	j.mu.RUnlock()
	if data == nil {
		var err error
		if data, err = j.store.runAt(l.row, seq); err != nil {
			return nil, j.fault(err)
		}
	}
	if data == nil && !j.Persistent() {
		return nil, errForgotten
	}
	var run *message.Run
	var err error
	if data != nil {
		run, err = parseHeld(data)
	}
	if err == nil && (run == nil || run.First > seq || run.Last() < seq) {
		err = fmt.Errorf("%w: message %d of log %x is missing", ErrDamaged, seq, l.Log)
	}
	return run, j.fault(err)
}

// pendingLocked returns the run that has a message which is held; nil: that is on disk.
func (j *Journal) pendingLocked(id message.LogID, seq uint64) *item {
	if c := j.logs.get(id); c != nil {
		for _, arrival := range slices.Backward(c.pending) {
			if it := j.tail.at(arrival); it.first <= seq {
				return it
			}
		}
	}
	return nil
}

// parseHeld decodes a run that was accepted once: if it does not parse, the store is damaged.
func parseHeld(data []byte) (*message.Run, error) { return held(message.ParseRun(data)) }

func held(run *message.Run, err error) (*message.Run, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return run, nil
}
