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
	horizon := j.horizon // what is before it has changed for the last time: with this commit all of it is on disk
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
	if more, err = j.drop(horizon); more || err != nil {
		return more, err
	}
	return false, j.store.scrub()
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
