package journal

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"earshot/node/message"
	"earshot/node/wire"
)

// logColumns are what scan reads.
const logColumns = "log.id, log.lid, log.grp, log.room, log.author, log.nonce, log.day, log.name, log.opener, log.nick, log.seq, log.tip, log.hlc, log.fork"

// scan reads a row of logColumns and, behind them, more.
func (l *state) scan(row interface{ Scan(...any) error }, more ...any) error {
	err := row.Scan(append([]any{&l.row, fixed(l.Log[:]), fixed(l.Group[:]), fixed(l.Room[:]), fixed(l.Author[:]), fixed(l.Nonce[:]), &l.Day, &l.Name, &l.opener, &l.nick,
		&l.Seq, fixed(l.Tip[:]), &l.hlc, &l.Fork}, more...)...)
	l.stored, l.saved = true, l.Head
	return err
}

// log reads one log.
func (s *store) log(id message.LogID) (l state, ok bool, err error) {
	err = s.read(func(db *sql.DB) error {
		err := l.scan(db.QueryRow("SELECT "+logColumns+" FROM log WHERE lid=?", id[:]))
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return l, ok, err
}

// heads reads at most n heads of one day of a group, or of all mail, of logs with ids above after, ascending.
func (s *store) heads(g message.GroupID, day uint32, after message.LogID, n int) (out []Head, err error) {
	query, args := "SELECT lid, seq, tip, fork FROM log WHERE grp=? AND day=? AND lid>? ORDER BY lid LIMIT ?", []any{g[:], day, after[:], n}
	if g == message.Mail {
		query, args = "SELECT lid, seq, tip, fork FROM log WHERE "+notPublic+" AND day=? AND lid>? ORDER BY lid LIMIT ?", args[1:]
	}
	err = s.each(query, args, func(rows *sql.Rows) error {
		h := Head{Day: day}
		defer func() { out = append(out, h) }()
		return rows.Scan(fixed(h.Log[:]), &h.Seq, fixed(h.Tip[:]), &h.Fork)
	})
	return out, err
}

// entries reads about max bytes of the entries between two arrivals, both left out, and the nonces of their authors. Their frames lie side by side.
func (s *store) entries(after, before int64, max int) (out []Entry, nonces []message.Nonce, err error) {
	var frames []byte
	var ends []int
	err = s.each("SELECT run.arrival, run.data, log.grp, log.day, log.lid, log.nonce FROM run JOIN log ON log.id=run.log WHERE run.arrival>? AND run.arrival<? ORDER BY run.arrival LIMIT 4096",
		[]any{after, before}, func(rows *sql.Rows) error {
			e := Entry{From: Stored}
			var data sql.RawBytes
			var nonce message.Nonce
			if err := rows.Scan(&e.Arrival, &data, fixed(e.Group[:]), &e.Day, fixed(e.Log[:]), fixed(nonce[:])); err != nil {
				return err
			}
			if len(data) >= wire.MaxFrame {
				return fmt.Errorf("%w: a run is too long", ErrDamaged)
			}
			frames = frame(frames, wire.TypeRun, func(b []byte) []byte { return append(b, data...) })
			out, nonces, ends = append(out, e), append(nonces, nonce), append(ends, len(frames))
			if len(frames) >= max {
				return errEnough
			}
			return nil
		})
	if err != nil {
		return nil, nil, err
	}
	from := 0
	for i := range out {
		out[i].Frame, from = frames[from:ends[i]], ends[i]
	}
	return out, nonces, nil
}

// runAt reads the run that has message seq of a log, or the one before it, or nil.
func (s *store) runAt(log int64, seq uint64) (data []byte, err error) {
	err = s.each("SELECT data FROM run WHERE log=? AND first<=? ORDER BY first DESC LIMIT 1", []any{log, seq}, func(rows *sql.Rows) error { return rows.Scan(&data) })
	return data, err
}

// runs reads about max bytes of a log's runs, from the one that has message from to the one that has message to.
func (s *store) runs(log int64, from, to uint64, max int) (out [][]byte, err error) {
	err = s.each("SELECT data FROM run WHERE log=?1 AND first>=(SELECT max(first) FROM run WHERE log=?1 AND first<=?2) AND first<=?3 ORDER BY first", []any{log, from, to}, func(rows *sql.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		out = append(out, data)
		if max -= len(data); max <= 0 {
			return errEnough
		}
		return nil
	})
	return out, err
}

func (s *store) proof(log int64) (b []byte, err error) {
	err = s.read(func(db *sql.DB) error { return db.QueryRow("SELECT proof FROM log WHERE id=?", log).Scan(&b) })
	return b, err
}

// each runs f on each row of a query, until it fails.
func (s *store) each(query string, args []any, f func(*sql.Rows) error) error {
	return s.read(func(db *sql.DB) error {
		prepared, err := s.prepared.of(db, query)
		if err != nil {
			return err
		}
		rows, err := prepared.Query(args...)
		if err != nil {
			return err
		}
		return eachOf(rows, f)
	})
}

// runsOfList is what eachRun, and dropSaid, read where the runs are those with the arrivals of a list, which jsonOf encodes.
const runsOfList = "json_each(?) AS a CROSS JOIN run ON run.arrival=a.value CROSS JOIN log ON log.id=run.log"

// jsonOf encodes a list for json_each.
func jsonOf(numbers []int64) (string, error) {
	list, err := json.Marshal(numbers)
	return string(list), err
}

// eachRun reads runs with their logs: from is what follows FROM, with the tables run and log in it. What f is given it may keep.
func (s *store) eachRun(from string, args []any, f func(l *state, run *message.Run, arrival int64)) error {
	return s.each("SELECT "+logColumns+", run.arrival, run.data FROM "+from, args, func(rows *sql.Rows) error {
		var l state
		var arrival int64
		var data []byte
		if err := l.scan(rows, &arrival, &data); err != nil {
			return err
		}
		run, err := parseHeld(data)
		if err == nil {
			f(&l, run, arrival)
		}
		return err
	})
}

// statements are the readers' queries, prepared: to parse one takes longer than to answer most of them.
type statements struct {
	mu  sync.Mutex // protects all
	all map[string]*sql.Stmt
}

// maxStatements is more than there are in this package; those with lists of any length are parsed each time where it is not enough.
const maxStatements = 128

// A rowser is a query that was prepared, or not.
type rowser interface {
	Query(...any) (*sql.Rows, error)
}

type unprepared struct {
	db    *sql.DB
	query string
}

func (u unprepared) Query(args ...any) (*sql.Rows, error) { return u.db.Query(u.query, args...) }

func (s *statements) of(db *sql.DB, query string) (rowser, error) {
	s.mu.Lock()
	stmt, full := s.all[query], len(s.all) >= maxStatements
	s.mu.Unlock()
	switch {
	case stmt != nil:
		return stmt, nil
	case full:
		return unprepared{db, query}, nil
	}
	fresh, err := db.Prepare(query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.all[query]; stmt != nil { // another was quicker
		fresh.Close()
		return stmt, nil
	}
	if s.all == nil {
		s.all = map[string]*sql.Stmt{}
	}
	s.all[query] = fresh
	return fresh, nil
}

// querier is a database or a transaction.
type querier interface {
	Query(string, ...any) (*sql.Rows, error)
}

func each(q querier, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	return eachOf(rows, f)
}

func eachOf(rows *sql.Rows, f func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err == errEnough {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

// by adds the logs of a process that have a message stamped at or after since, by row.
func (s *store) by(nonce message.Nonce, since uint64, out map[int64]message.LogID) error {
	// A log has its stamps in its day, give or take a clock: the index by group and day keeps this from reading all logs.
	return s.each("SELECT log.id, log.lid FROM day CROSS JOIN log ON log.grp=day.grp AND log.day=day.day WHERE day.day>=? AND log.nonce=? AND log.hlc>=?",
		[]any{max(dayOf(int64(since>>16)), 1) - 1, nonce[:], since}, func(rows *sql.Rows) error {
			var row int64
			var id message.LogID
			if err := rows.Scan(&row, fixed(id[:])); err != nil {
				return err
			}
			out[row] = id
			return nil
		})
}
