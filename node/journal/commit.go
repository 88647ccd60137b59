package journal

import (
	"database/sql"
	"slices"
	"time"
)

// A batch is what one transaction writes: all of one moment, so that runs, heads and sums agree on disk.
type batch struct {
	edits int64
	items []item
	logs  []state
	days  []daySum
}

func (j *Journal) commit() error {
	b, logs, days := j.batch()
	if len(b.items)+len(b.logs) == 0 {
		return nil
	}
	began := time.Now()
	if err := j.store.commit(b); err != nil {
		return err
	}
	j.store.took = time.Since(began)
	if !j.Persistent() {
		j.weights.add(b.items)
	}
	seen := j.seen()
	j.mu.Lock()
	j.saved = b.edits
	for i, l := range logs {
		l.stored, l.saved = true, b.logs[i].Head
		if l.version == b.logs[i].version {
			l.version, l.proof = 0, nil
		}
	}
	for i, d := range days {
		if d.version == b.days[i].version {
			d.version = 0
		}
	}
	clean := func(l *state) bool { return l.version == 0 }
	j.changed = slices.DeleteFunc(j.changed, clean)
	j.touched = slices.DeleteFunc(j.touched, func(d *daySum) bool { return d.version == 0 })
	if n := len(b.items); n > 0 {
		last := b.items[n-1].Arrival
		for _, l := range logs {
			k := 0
			for k < len(l.pending) && l.pending[k] <= last {
				k++
			}
			if l.pending = l.pending[k:]; len(l.pending) == 0 {
				l.pending = nil
			}
		}
		for i := range b.items {
			j.queued -= len(b.items[i].Frame)
			if o := b.items[i].open; o != nil && !o.only {
				b.items[i].open = nil
			}
		}
		j.durable.Store(last)
		j.tail.trim(last, seen)
	}
	j.logs.trim(j.changed)
	j.tellLocked()
	j.mu.Unlock()
	j.watchers.tell(0)
	return nil
}

// batch returns everything that is not on disk as it is now, and whose copies the logs and days in it are.
func (j *Journal) batch() (b batch, logs []*state, days []*daySum) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	b.edits = j.edits
	logs, days = slices.Clone(j.changed), slices.Clone(j.touched)
	b.logs, b.days = make([]state, len(logs)), make([]daySum, len(days))
	for i, l := range logs {
		b.logs[i] = *l
	}
	for i, d := range days {
		b.days[i] = *d
	}
	// What is not committed is never dropped from the tail, and its items do not change: they can be read without the lock.
	b.items = j.tail.items[j.durable.Load()+1-j.tail.first:]
	return b, logs, days
}

// commit writes b in one transaction.
func (s *store) commit(b batch) error {
	if err := s.relax(false); err != nil {
		return err
	}
	return s.write(func(tx *sql.Tx) error {
		insertLog, updateLog, insertRun, putDay := tx.Stmt(s.insertLog), tx.Stmt(s.updateLog), tx.Stmt(s.insertRun), tx.Stmt(s.putDay)
		for i := range b.logs {
			l := &b.logs[i]
			var err error
			if l.stored {
				_, err = updateLog.Exec(l.nick, l.Seq, l.Tip[:], l.hlc, l.Fork, l.proof, l.row)
			} else {
				_, err = insertLog.Exec(l.row, l.Log[:], l.Group[:], l.Room[:], l.Author[:], l.Nonce[:], l.Day, l.Name, l.opener, l.nick,
					l.Seq, l.Tip[:], l.hlc, l.Fork, l.proof)
			}
			if err != nil {
				return err
			}
		}
		for i := range b.items {
			if err := b.items[i].put(tx, insertRun); err != nil {
				return err
			}
		}
		for i := range b.days {
			d := &b.days[i]
			sum := d.sum.hash()
			if _, err := putDay.Exec(d.group[:], d.day, sum[:], d.logs); err != nil {
				return err
			}
		}
		return nil
	})
}

// put writes an item of the tail.
func (it *item) put(tx *sql.Tx, insertRun *sql.Stmt) error {
	switch {
	case it.filled && it.open != nil:
		return putLate(tx, &it.Entry)
	case it.Fork != 0 || it.filled: // the proof stands with its log, and what brought bodies, or opened, where it was already
		return nil
	}
	if _, err := insertRun.Exec(it.Arrival, it.log, it.first, body(it.Frame)); err != nil || it.open == nil {
		return err
	}
	for _, what := range it.open.said {
		if _, err := tx.Exec(insertSaid, it.Log[:], what.seq, what.kind, what.body); err != nil {
			return err
		}
	}
	return nil
}
