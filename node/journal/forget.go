package journal

import (
	"cmp"
	"database/sql"
	"errors"
	"maps"
	"math"
	"slices"

	"earshot/node/message"
)

// A journal in memory has a bound in bytes (Config.Memory), not only in days. Past it, it forgets, a step at a time and until a quarter is free:
//
//   - first what one log said that takes an eighth of all there may be, which is nobody's conversation;
//   - then whole days that are over, the oldest first, as retention does: the horizon moves on, others hear that with the next BEAT, and nobody compares, or sends, what is before it. Like
//     retention, only while the time is vouched for;
//   - then what the logs of the oldest day said, the largest first.
//
// What a log said is forgotten from its beginning on, and its head stays: it is told, summed and continued as before, for it was accepted and verified, and what comes next can be only by it. So
// digests stay equal to those of who holds all of it, nothing that was forgotten is asked for again, and what is said now is relayed. Who asks for what was forgotten gets what there is, which
// begins where it can continue it, or nothing; the hub that comes after may have it. What a number was is not known any more: a run of it that comes again is ignored.
//
// Where nothing but heads is left, no more logs are taken from others.

// errForgotten: the message was held, by a journal in memory, and is not any more.
var errForgotten = errors.New("the message was forgotten")

// weights is how much the logs of a store in memory take, by row: to ask the store takes a second where it is full, and everybody waits for its one connection. It is Run's.
type weights map[int64]*weight

type weight struct {
	row   int64
	group message.GroupID
	day   uint32
	bytes int // of its runs
}

// add takes note of what was committed.
func (w weights) add(items []item) {
	for i := range items {
		it := &items[i]
		if it.Fork != 0 || it.filled {
			continue
		}
		l := w[it.log]
		if l == nil {
			l = &weight{row: it.log, group: it.Group, day: it.Day}
			w[it.log] = l
		}
		l.bytes += len(it.Frame)
	}
}

// drop takes note that logs were dropped.
func (w weights) drop(old *horizons) {
	maps.DeleteFunc(w, func(_ int64, l *weight) bool { return l.day < old.of(l.group) })
}

// largest returns which logs to forget: those larger than over, then those of the oldest days, the largest first, as many as take enough.
func (w weights) largest(over, enough int) []*weight {
	logs := slices.SortedFunc(maps.Values(w), func(a, b *weight) int {
		if a.bytes > over != (b.bytes > over) {
			return cmp.Compare(b.bytes, a.bytes)
		}
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.row, b.row))
	})
	n := 0
	for ; n < len(logs) && enough > 0; n++ {
		enough -= logs[n].bytes
	}
	return slices.Clone(logs[:n])
}

// forget does a step of it, if it is time, after a commit, and reports whether there is more to do.
func (j *Journal) forget() (more bool, err error) {
	size, err := j.store.size()
	if err != nil {
		return false, err
	}
	begun := len(j.large) > 0
	if begun && size <= j.conf.Memory/4*3 || !begun && size <= j.conf.Memory {
		j.large = nil
		j.setFull(false)
		return false, nil
	}
	if !begun {
		over := j.conf.Memory / 8
		j.large = j.weights.largest(over, j.conf.Memory/4)
		if (len(j.large) == 0 || j.large[0].bytes <= over) && j.forgetDay() {
			j.large = nil
			return true, nil
		}
		j.setFull(len(j.large) == 0)
		return len(j.large) > 0, nil
	}
	l := j.large[0]
	bytes, err := j.store.forget(l.row, j.conf.Memory/16)
	if err != nil {
		return false, err
	}
	if l.bytes -= bytes; bytes == 0 {
		delete(j.weights, l.row)
		j.large = j.large[1:]
	}
	return true, j.loadWanted(j.store)
}

func (j *Journal) setFull(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
}

// forgetDay moves the horizons past the oldest day, and reports whether there is one that is over.
func (j *Journal) forgetDay() bool {
	now, sure := j.clock.Sure()
	today := dayOf(min(now.UnixMilli(), j.clock.Local().UnixMilli()))
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest := uint32(math.MaxUint32)
	for id, g := range j.groups {
		for day := range g.days {
			if id != message.Mail {
				oldest = min(oldest, day)
			}
		}
	}
	if !sure || oldest >= min(today, j.unsure) {
		return false
	}
	j.horizon = max(j.horizon, oldest+1)
	j.mailHorizon = max(j.mailHorizon, j.horizon)
	j.moves++
	j.raiseLocked()
	return true
}

// size is how much memory a store in memory takes.
func (s *store) size() (bytes int, err error) {
	err = s.each("SELECT (page_count-freelist_count)*page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size", nil, func(rows *sql.Rows) error { return rows.Scan(&bytes) })
	return bytes, err
}

// forgetRuns is how many runs are forgotten in one transaction, at most: what is said meanwhile waits for it.
const forgetRuns = 256

// forget deletes the first runs of a log, of about dropMessages messages or so many bytes, and all that is about them, and returns how many bytes those were, 0 where there is nothing left.
func (s *store) forget(log int64, most int) (bytes int, err error) {
	err = s.write(func(tx *sql.Tx) error {
		var watermark int64
		if err := tx.QueryRow("SELECT value FROM meta WHERE key=?", metaWatermark).Scan(&watermark); err != nil {
			return err
		}
		var arrivals, indexed []int64
		var from, next int64
		var more bool
		err := each(tx, "SELECT arrival, first, length(data) FROM run WHERE log=? ORDER BY first LIMIT ?", []any{log, forgetRuns}, func(rows *sql.Rows) error {
			var arrival int64
			var size int
			if err := rows.Scan(&arrival, &next, &size); err != nil {
				return err
			}
			if from == 0 {
				from = next
			}
			if more = next-from >= dropMessages || bytes >= most; more {
				return errEnough
			}
			bytes += size
			if arrivals = append(arrivals, arrival); arrival <= watermark {
				indexed = append(indexed, arrival)
			}
			return nil
		})
		if err != nil || len(arrivals) == 0 {
			return err
		}
		if !more { // all were read: the last reaches to the next one's first, or as far as the log is on disk
			if err := tx.QueryRow("SELECT coalesce((SELECT min(first) FROM run WHERE log=?1 AND first>?2), (SELECT max(seq, ?2)+1 FROM log WHERE id=?1))", log, next).Scan(&next); err != nil {
				return err
			}
		}
		list, err := jsonOf(indexed)
		if err != nil {
			return err
		}
		if err := dropSaid(tx, runsOfList, list); err != nil {
			return err
		}
		for _, q := range []string{"DELETE FROM run WHERE log=? AND first<?", "DELETE FROM lack WHERE log=? AND seq<?", "DELETE FROM opened WHERE log=(SELECT lid FROM log WHERE id=?) AND seq<?",
			"DELETE FROM late WHERE log=(SELECT lid FROM log WHERE id=?) AND seq<?",
			"DELETE FROM mark WHERE target=(SELECT lid FROM log WHERE id=?) AND at<?"} {
			if _, err := tx.Exec(q, log, next); err != nil {
				return err
			}
		}
		return nil
	})
	return bytes, err
}
