package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// How long Run waits before it tries to write again.
const (
	retryFirst = time.Second
	retryLast  = 10 * time.Second
)

// Run commits until ctx ends, then commits what is left and closes the store. Its error says what could not be committed, or wraps
// ErrDamaged.
func (j *Journal) Run(ctx context.Context) error {
	err := j.run(ctx)
	if err == nil {
		err = j.finish()
	}
	if damaged(err) {
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if dir := j.conf.Dir; dir != "" {
			// Damage deep inside would be met again only when it is read again: the next Open must know.
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, damageFile), []byte(err.Error()+"\n"), 0o600))
		}
	}
	j.mu.Lock()
	j.closed = true
	j.tellLocked()
	j.mu.Unlock()
	j.watchers.tell()
	return errors.Join(err, j.store.close())
}

// run works until ctx ends (nil) or the store is damaged.
func (j *Journal) run(ctx context.Context) error {
	retry := retryFirst
	for ctx.Err() == nil {
		more, err := j.turn()
		if damaged(err) {
			return err
		}
		j.setErr(err)
		if err == nil {
			retry = retryFirst
		}
		switch {
		case err != nil:
			// Whatever it is, nothing is lost by trying again.
			wait := time.NewTimer(retry)
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
			}
			retry = min(2*retry, retryLast)
		case !more:
			select {
			case <-j.work:
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// turn does one piece of work, commits first, and reports whether there may be more.
func (j *Journal) turn() (more bool, err error) {
	j.mu.Lock()
	err = j.damage
	j.moveHorizonLocked()
	j.mu.Unlock()
	if err != nil {
		return false, err
	}
	if err := j.commit(); err != nil {
		return false, err
	}
	if more, err = j.index(); more || err != nil {
		return more, err
	}
	return j.drop()
}

// finish commits what is left.
func (j *Journal) finish() error {
	j.mu.RLock()
	err := j.damage
	j.mu.RUnlock()
	if err == nil {
		err = j.commit()
	}
	if err != nil {
		return fmt.Errorf("commit what is left: %w", err)
	}
	return nil
}

func (j *Journal) setErr(err error) {
	j.mu.Lock()
	was := j.err
	if j.err = err; (was == nil) != (err == nil) {
		j.tellLocked()
	}
	j.mu.Unlock()
	switch {
	case was == nil && err != nil:
		j.log.Warn("the history cannot be written", "err", err)
	case was != nil && err == nil:
		j.log.Info("the history can be written again")
	default:
		return
	}
	j.watchers.tell()
}

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
	if err := j.store.commit(b); err != nil {
		return err
	}
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
		}
		j.durable.Store(last)
		j.tail.trim(last)
	}
	j.logs.trim(j.changed)
	j.tellLocked()
	j.mu.Unlock()
	j.watchers.tell()
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
			it := &b.items[i]
			if _, err := insertRun.Exec(it.Arrival, it.log, it.first, body(it.Frame)); err != nil {
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
