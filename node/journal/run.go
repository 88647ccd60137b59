package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
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
	text, stopText := context.WithCancel(ctx)
	var indexing sync.WaitGroup
	indexing.Go(func() { j.runText(text) })
	err := j.run(ctx)
	stopText()
	// Nothing is accepted any more, so that the last commit is of everything.
	j.mu.Lock()
	j.closed = true
	j.tellLocked()
	j.mu.Unlock()
	if err == nil {
		err = j.finish()
	}
	indexing.Wait()
	if damaged(err) {
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if dir := j.conf.Dir; dir != "" {
			// Damage deep inside would be met again only when it is read again: the next Open must know.
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, damageFile), []byte(err.Error()+"\n"), 0o600))
		}
	}
	j.watchers.tell(0)
	return errors.Join(err, j.store.close())
}

// run works until ctx ends (nil) or the store is damaged.
func (j *Journal) run(ctx context.Context) error {
	retry := retryFirst
	for more := false; ctx.Err() == nil; {
		if !more && !j.Persistent() && j.putOff(j.turned) {
			if err := j.rest(ctx); err != nil {
				return err
			}
			continue
		}
		j.turned = time.Now()
		var err error
		more, err = j.turn()
		if damaged(err) {
			return err
		}
		if full(err) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
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
			if err := j.rest(ctx); damaged(err) {
				return err
			} else if err != nil {
				j.log.Debug("cannot empty the WAL", "err", err)
			}
		}
	}
	return nil
}

// putOff reports whether something that was last done then is better done later, and sees to it that it is.
func (j *Journal) putOff(last time.Time) bool {
	left := together - time.Since(last)
	if left <= 0 {
		return false
	}
	j.mu.RLock()
	wanted := j.indexers > 0 || j.queued > much || len(j.brought)+len(j.cutOff)+len(j.reopens) > 0
	j.mu.RUnlock()
	if !wanted {
		j.later = left
	}
	return !wanted
}

// rest waits for work.
func (j *Journal) rest(ctx context.Context) error {
	due, err := j.scrub()
	if j.later > 0 && (due <= 0 || j.later < due) {
		due = j.later
	}
	j.later = 0
	var scrub <-chan time.Time
	if due > 0 {
		t := time.NewTimer(due)
		defer t.Stop()
		scrub = t.C
	}
	select {
	case <-j.work:
	case <-scrub:
	case <-ctx.Done():
	}
	return err
}

// turn does one piece of work, commits first, and reports whether there may be more.
func (j *Journal) turn() (more bool, err error) {
	j.moveHorizon()
	j.mu.Lock()
	err = j.damage
	var old *horizons // what is before them has changed for the last time: with this commit all of it is on disk
	if j.moves != j.dropped {
		old = j.horizonsLocked()
	}
	j.mu.Unlock()
	if err != nil {
		return false, err
	}
	if err := j.commit(); err != nil {
		return false, err
	}
	if err := j.commitPeople(); err != nil {
		return false, err
	}
	if err := j.commitReading(false); err != nil {
		return false, err
	}
	if !j.Persistent() { // before what came is indexed: that may go on for as long as much is said
		if old != nil {
			_, err := j.drop(old)
			return true, err // it may not have been enough
		}
		if more, err := j.forget(); more || err != nil {
			return true, err
		}
	}
	indexing, err := j.index()
	if err != nil {
		return false, err
	}
	reopening, err := j.reopen()
	if indexing || reopening || err != nil {
		return true, err
	}
	if old == nil {
		return false, nil
	}
	return j.drop(old)
}

// When the WAL is emptied after bodies were deleted: a while after, so that several go together, and not too often; and not while the disk is slow, for that takes several syncs,
// and what is said meanwhile waits for them.
const (
	scrubAfter = 2 * time.Second
	scrubEvery = time.Minute
	slowDisk   = 100 * time.Millisecond // what a commit takes
)

// scrub empties the WAL when it is time, and returns when that is; zero: there is nothing to do.
func (j *Journal) scrub() (time.Duration, error) {
	s := j.store
	if s.dirty.IsZero() || s.r == s.w {
		return 0, nil
	}
	due := time.Until(s.dirty.Add(scrubAfter))
	if !s.scrubbed.IsZero() {
		due = max(due, time.Until(s.scrubbed.Add(scrubEvery)))
	}
	if due > 0 {
		return due, nil
	}
	if s.took > slowDisk {
		return scrubEvery, nil
	}
	err := s.scrub()
	if err == nil && !s.dirty.IsZero() { // someone reads, mostly for a moment
		s.dirty = time.Now()
		return scrubAfter, nil
	}
	s.scrubbed = time.Now()
	return 0, err
}

// finish commits what is left.
func (j *Journal) finish() error {
	j.mu.RLock()
	err := j.damage
	j.mu.RUnlock()
	if err == nil {
		err = errors.Join(j.commit(), j.commitPeople(), j.commitReading(true))
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
	j.watchers.tell(0)
}
