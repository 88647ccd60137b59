package journal

import (
	"database/sql"

	"earshot/node/message"
)

// drop deletes some of the logs before the horizons, each whole, none of which may have changed since it was committed, and reports whether there may be more.
func (j *Journal) drop(old *horizons) (more bool, err error) {
	found, err := j.store.drop(old)
	if err != nil {
		return false, err
	}
	j.answers.clear()
	j.mu.Lock()
	j.logs.forget(func(l *state) bool { return l.Day < old.of(l.Group) })
	if !found {
		j.droppedLocked(old)
	}
	j.mu.Unlock()
	if !found {
		j.weights.drop(old)
		j.gone.Store(old.all)
		j.watchers.tell(0)
	}
	if err := j.loadWanted(j.store); err != nil {
		return false, err
	}
	return found, nil
}

// dropMessages and dropLogs are how much is dropped in one transaction, at least one log: what is said meanwhile waits for it.
const (
	dropMessages = 1024
	dropLogs     = 256
)

// drop deletes logs of one day, and takes them out of its sum.
func (s *store) drop(old *horizons) (found bool, err error) {
	err = s.write(func(tx *sql.Tx) error {
		d := daySum{}
		var sum message.Hash
		err := each(tx, "SELECT grp, day, sum, logs FROM day WHERE day<?", []any{old.mail}, func(rows *sql.Rows) error {
			if err := rows.Scan(fixed(d.group[:]), &d.day, fixed(sum[:]), &d.logs); err != nil || d.day >= old.of(d.group) {
				return err
			}
			found = true
			return errEnough
		})
		if err != nil {
			return err
		}
		if !found {
			return nil
		}
		d.sum = lanesOf(sum)
		// Numbers of arrivals are not given again.
		if _, err := tx.Exec("UPDATE meta SET value=max(value, coalesce((SELECT max(arrival) FROM run), 0)) WHERE key=?", metaLast); err != nil {
			return err
		}
		var logs []state
		messages, more := uint64(0), false
		err = each(tx, "SELECT "+logColumns+" FROM log WHERE grp=? AND day=? LIMIT ?", []any{d.group[:], d.day, dropLogs + 1}, func(rows *sql.Rows) error {
			if more = len(logs) == dropLogs || messages >= dropMessages; more {
				return errEnough
			}
			var l state
			if err := l.scan(rows); err != nil {
				return err
			}
			messages += l.Seq
			logs = append(logs, l)
			return nil
		})
		if err != nil {
			return err
		}
		rows := make([]int64, len(logs))
		for i := range logs {
			rows[i] = logs[i].row
			d.sub(&logs[i].Head)
			d.logs--
		}
		if err := dropRows(tx, rows); err != nil {
			return err
		}
		if !more {
			_, err = tx.Exec("DELETE FROM day WHERE grp=? AND day=?", d.group[:], d.day)
			return err
		}
		sum = d.sum.hash()
		_, err = tx.Stmt(s.putDay).Exec(d.group[:], d.day, sum[:], d.logs)
		return err
	})
	return found, err
}

// dropRows deletes logs by their rows.
func dropRows(tx *sql.Tx, rows []int64) error {
	list, err := jsonOf(rows)
	if err != nil {
		return err
	}
	if err := dropSaid(tx, "json_each(?) AS a CROSS JOIN log ON log.id=a.value CROSS JOIN run ON run.log=log.id", list); err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM mark WHERE target IN (SELECT lid FROM log WHERE id IN (SELECT value FROM json_each(?)))",
		"DELETE FROM opened WHERE log IN (SELECT lid FROM log WHERE id IN (SELECT value FROM json_each(?)))",
		"DELETE FROM late WHERE log IN (SELECT lid FROM log WHERE id IN (SELECT value FROM json_each(?)))",
		"DELETE FROM lack WHERE log IN (SELECT value FROM json_each(?))", "DELETE FROM run WHERE log IN (SELECT value FROM json_each(?))", "DELETE FROM log WHERE id IN (SELECT value FROM json_each(?))"} {
		if _, err := tx.Exec(q, list); err != nil {
			return err
		}
	}
	return nil
}

// dropSaid deletes the places of what runs say, and what that says about others: from is what follows FROM, with the tables run and log in it, given list.
func dropSaid(tx *sql.Tx, from, list string) error {
	var keys []any
	var marks []mark
	var sealed []sealedAt
	err := each(tx, "SELECT log.grp, log.room, log.author, run.data FROM "+from, []any{list}, func(rows *sql.Rows) error {
		var s speaker
		var data sql.RawBytes
		if err := rows.Scan(fixed(s.group[:]), fixed(s.room[:]), fixed(s.author[:]), &data); err != nil {
			return err
		}
		run, err := parseHeld(data)
		if err != nil {
			return err
		}
		for i := range run.Records {
			at := Key{HLC: run.Records[i].HLC, Log: run.Log, Seq: run.First + uint64(i)}
			keys = append(keys, s.room[:], at.HLC, run.Log[:], at.Seq)
			marks = append(marks, s.marks(at, &run.Records[i])...)
			if s.group != message.Public && run.Records[i].Kind == message.Sealed {
				sealed = append(sealed, sealedAt{s, at})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	del, err := tx.Prepare("DELETE FROM timeline WHERE room=? AND hlc=? AND lid=? AND seq=?")
	if err != nil {
		return err
	}
	for ; len(keys) > 0; keys = keys[4:] {
		if _, err := del.Exec(keys[:4]...); err != nil {
			return err
		}
	}
	within, err := readMarks(tx, sealed)
	if err != nil {
		return err
	}
	return dropMarks(tx, append(marks, within...))
}
