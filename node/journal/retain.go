package journal

import (
	"database/sql"
	"errors"

	"earshot/node/message"
)

// drop deletes the logs of one group and day before the horizon, whole, and reports whether there may be more.
func (j *Journal) drop() (more bool, err error) {
	j.mu.RLock()
	horizon := j.horizon
	j.mu.RUnlock()
	if horizon == j.dropped {
		return false, nil
	}
	found, err := j.store.drop(horizon)
	if err != nil {
		return false, err
	}
	if !found {
		j.dropped = horizon
	}
	j.mu.Lock()
	j.logs.forget(func(l *state) bool { return l.Day < horizon })
	j.mu.Unlock()
	return found, nil
}

func (s *store) drop(horizon uint32) (found bool, err error) {
	err = s.write(func(tx *sql.Tx) error {
		var g message.GroupID
		var day uint32
		err := tx.QueryRow("SELECT grp, day FROM day WHERE day<? LIMIT 1", horizon).Scan(fixed(g[:]), &day)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		// Numbers of arrivals are not given again.
		if _, err := tx.Exec("UPDATE meta SET value=max(value, coalesce((SELECT max(arrival) FROM run), 0)) WHERE key=?", metaLast); err != nil {
			return err
		}
		var keys []any
		err = each(tx, "SELECT log.room, run.data FROM log JOIN run ON run.log=log.id WHERE log.grp=? AND log.day=?", []any{g[:], day}, func(rows *sql.Rows) error {
			var room message.RoomID
			var data sql.RawBytes
			if err := rows.Scan(fixed(room[:]), &data); err != nil {
				return err
			}
			run, err := parseHeld(data)
			if err != nil {
				return err
			}
			for i := range run.Records {
				keys = append(keys, room[:], run.Records[i].HLC, run.Log[:], run.First+uint64(i))
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
		for _, q := range []string{
			"DELETE FROM run WHERE log IN (SELECT id FROM log WHERE grp=? AND day=?)",
			"DELETE FROM log WHERE grp=? AND day=?",
			"DELETE FROM day WHERE grp=? AND day=?",
		} {
			if _, err := tx.Exec(q, g[:], day); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}
