package journal

import (
	"context"
	"fmt"

	"earshot/node/message"
	"earshot/node/wire"
)

// Via says how a run comes.
type Via uint8

const (
	Live  Via = iota // by itself
	Asked            // as history that was asked for; so does what is taken over from another journal of this process
	Bulk             // likewise, and so much of it that it is not to be relayed
)

// Append accepts a run that came from elsewhere: strictly new records of it are verified (one signature), added to their log, framed into the tail
// and queued for the store. It returns how many were new: 0 and nil where all were held, or lie past a fork.
// Errors are those above, message.ErrSignature, or a wrapped message.ErrMalformed; only ErrSignature, ErrForeign and ErrMalformed are the sender's fault.
// run is as message.ParseRun returns it. Append keeps nothing of it. It waits no longer than ctx where too much is not committed.
func (j *Journal) Append(ctx context.Context, run *message.Run, from Origin, via Via) (added int, err error) {
	if err := j.waitQueue(ctx); err != nil {
		return 0, err
	}
	for {
		l, held, err := j.lookup(run.Log)
		if err != nil {
			return 0, err
		}
		fresh, hashes, err := j.judge(&l, held, run, from)
		if err == errForgotten { // it was taken once
			return 0, nil
		}
		if err != nil || fresh == nil {
			return 0, err
		}
		s := l.speaker()
		if !held {
			s = speakerOf(fresh.Opening)
		}
		e := Entry{From: from, Bulk: via == Bulk, live: via == Live, open: j.openRun(s, fresh, hashes, via == Live)}
		if added, _, ok, err := j.place(&l, held, fresh, hashes, e); ok || err != nil {
			j.wake()
			j.watchers.tell(from)
			return added, err
		}
		// Another run of the same log came first, or a key: look again.
	}
}

// judge returns the part of run that is new for l, with its hashes, verified; nil where there is nothing new in it.
func (j *Journal) judge(l *state, held bool, run *message.Run, from Origin) (fresh *message.Run, hashes []message.Hash, err error) {
	author := l.Author
	if !held {
		if run.Opening == nil {
			return nil, nil, ErrGap
		}
		author = run.Opening.Author
		if err := j.checkOpening(run.Opening, from); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case l.Fork != 0 && run.First >= l.Fork:
		return nil, nil, nil
	case run.First > l.Seq+1:
		return nil, nil, ErrGap
	}
	if common := min(run.Last(), l.Seq); common >= run.First {
		have, err := j.hashAt(l, common)
		if err != nil {
			return nil, nil, err
		}
		agree := run.Hashes()[common-run.First] == have
		if agree {
			j.bring(run, common)
		}
		if agree && (run.Last() == common || l.Fork != 0 && common == l.Fork-1) {
			return nil, nil, nil
		}
		if hashes, err = run.Verify(author); err != nil {
			return nil, nil, err
		}
		if !agree {
			return nil, nil, j.conflict(l, run, hashes)
		}
		fresh, hashes = run.From(l.Seq+1, have), hashes[common-run.First+1:]
	} else {
		if hashes, err = run.Verify(author); err != nil {
			return nil, nil, err
		}
		if held && run.Prev != l.Tip {
			return nil, nil, ErrConflict
		}
		fresh = run
	}
	if fresh.Records[0].HLC <= l.hlc {
		return nil, nil, fmt.Errorf("%w: stamps do not grow", message.ErrMalformed)
	}
	if !fits(fresh) {
		return nil, nil, fmt.Errorf("%w: too long for a frame once bodies are deleted", message.ErrMalformed)
	}
	if !j.mayLack(fresh) {
		return nil, nil, ErrStripped
	}
	return fresh, hashes, nil
}

// checkOpening says whether a log may be held. What this process wrote may, though it is of a day to come: it is said again then (Restate).
func (j *Journal) checkOpening(o *message.Opening, from Origin) error {
	if o.Network != j.conf.Network {
		return ErrForeign
	}
	own := j.owns(o.Group, o.Author)
	j.mu.Lock()
	defer j.mu.Unlock()
	if own {
		j.claimLocked(o.Group)
	}
	if o.Day < j.horizonLocked(o.Group, own) || from != 0 && o.Day > j.Tomorrow() {
		return ErrDay
	}
	if !own && j.crowdedLocked(o.Group, o.Author) || j.full && from != 0 {
		return ErrCrowded
	}
	return nil
}

// place adds fresh, which continues l as it was looked up; e says where it comes from and what of it is open. ok is false where l, or what can be opened, has changed since.
func (j *Journal) place(l *state, held bool, fresh *message.Run, hashes []message.Hash, e Entry) (added int, arrival int64, ok bool, err error) {
	day, group, author := l.Day, l.Group, l.Author
	if !held {
		day, group, author = fresh.Opening.Day, fresh.Opening.Group, fresh.Opening.Author
	}
	own := j.owns(group, author)
	j.mu.Lock()
	defer j.mu.Unlock()
	if own {
		j.claimLocked(group)
	}
	c := j.logs.get(fresh.Log)
	switch {
	case j.closed:
		return 0, 0, false, ErrClosed
	case day < j.horizonLocked(group, own):
		return 0, 0, false, ErrDay
	case held && (c == nil || c.Head != l.Head), !held && (c != nil || l.epoch != j.logs.epoch):
		return 0, 0, false, nil
	case e.open != nil && e.open.keys != j.keys[group]:
		return 0, 0, false, nil
	case !held:
		j.lastLog++
		if _, vouched := j.clock.Now(); !vouched {
			j.unsure = min(j.unsure, day)
		}
		c = newState(fresh.Opening, j.lastLog)
		j.logs.put(c)
		j.groupLocked(group, own)
		j.joinLocked(group, author)
	}
	added = len(fresh.Records)
	j.messages.Add(int64(added))
	if c.Fork != 0 {
		added = int(min(uint64(added), c.Fork-1-c.Seq))
	}
	j.changeLocked(c, func() {
		c.Seq += uint64(added)
		c.Tip = hashes[added-1]
		for i := range fresh.Records[:added] {
			c.see(&fresh.Records[i])
		}
	})
	j.mergeLocked(c.hlc)
	if e.open != nil && len(e.open.said) == 0 {
		e.open = nil
	}
	e.hashes = hashes
	e.Frame, e.Group, e.Day, e.Log = j.tail.frame(wire.TypeRun, fresh.Size(), fresh.Append), c.Group, c.Day, c.Log
	arrival = j.arriveLocked(item{Entry: e, log: c.row, first: fresh.First})
	c.pending = append(c.pending, arrival)
	j.freshLocked(c, fresh, e.open, arrival)
	return added, arrival, true, nil
}

// arriveLocked puts an item at the end of the tail, and returns its number.
func (j *Journal) arriveLocked(it item) int64 {
	it.Arrival = j.last.Load() + 1
	j.tail.add(it)
	j.queued += len(it.Frame)
	j.last.Store(it.Arrival)
	return it.Arrival
}

// changeLocked runs change, which changes l's head, and keeps the sums in step.
func (j *Journal) changeLocked(l *state, change func()) {
	d, mail := j.sumsLocked(l)
	if l.Head == (Head{Log: l.Log, Day: l.Day}) {
		d.logs++
		mail.count()
	} else {
		d.sub(&l.Head)
		mail.sub(&l.Head)
	}
	change()
	j.edits++
	d.add(&l.Head)
	mail.add(&l.Head)
	d.version++
	if l.version == 0 {
		j.changed = append(j.changed, l)
	}
	l.version++
}

// waitQueue waits while too much is not yet on disk, or not in the store what it is about.
func (j *Journal) waitQueue(ctx context.Context) error {
	for {
		j.mu.RLock()
		closed, full, news := j.closed, j.queued > maxQueued || len(j.freshest) > maxFresh, j.news
		j.mu.RUnlock()
		switch {
		case closed:
			return ErrClosed
		case !full:
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
