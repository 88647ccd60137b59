package journal

import (
	"database/sql"
	"slices"

	"earshot/node/message"
	"earshot/node/wire"
)

// reopenMessages is how many messages are tried again at once: what is said meanwhile waits for it.
const reopenMessages = 128

// A reopening is a group, or some logs of it, of which what was not open is to be tried again. All but its making is Run's.
type reopening struct {
	group message.GroupID
	last  int64   // the newest arrival then
	logs  []int64 // left, by row
	first uint64  // of the first of them: what is below was tried
	begun bool
}

// Reopen tries again to open what is not open of a group: a key or a state has come, or the group is this person's from now on; then the vault learns its states, too. It does not wait for that: what
// opens is told to those who follow, as if it had arrived now, with Bulk set. It may be called whenever it is in doubt, at a start too: of logs of which all is open only a count is read. A Vault's
// methods may call it, where they learned something.
func (j *Journal) Reopen(g message.GroupID) {
	if j.conf.Vault == nil || g == message.Public {
		return
	}
	j.mu.Lock()
	j.claimLocked(g)
	j.keys[g]++
	last := j.last.Load()
	if i := slices.IndexFunc(j.reopens, func(r *reopening) bool { return r.group == g && !r.begun && r.logs == nil }); i >= 0 {
		j.reopens[i].last = last
	} else {
		j.reopens = append(j.reopens, &reopening{group: g, last: last})
	}
	j.mu.Unlock()
	j.wake()
}

// reopen tries the next messages again, if there are any, and reports whether there may be more.
func (j *Journal) reopen() (more bool, err error) {
	j.mu.Lock()
	if len(j.reopens) == 0 {
		j.mu.Unlock()
		return false, nil
	}
	r := j.reopens[0]
	if r.last > j.durable.Load() { // what had arrived by then is to be on disk
		j.mu.Unlock()
		return true, nil
	}
	began := r.begun
	r.begun = true
	j.mu.Unlock()
	if !began && r.logs == nil {
		if r.logs, err = j.store.notOpen(r.group); err != nil {
			return false, err
		}
	}
	if len(r.logs) == 0 {
		j.mu.Lock()
		j.reopens = slices.Delete(j.reopens, 0, 1)
		more = len(j.reopens) > 0
		j.mu.Unlock()
		return more, nil
	}
	return true, j.reopenLog(r)
}

// reopenLog goes on with the first log of r.
func (j *Journal) reopenLog(r *reopening) error {
	l, runs, err := j.store.heldRuns(r.logs[0], r.first)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		r.logs, r.first = r.logs[1:], 0
		return nil
	}
	if err := j.reopenRuns(&l, runs); err != nil {
		return err
	}
	r.first = runs[len(runs)-1].run.Last() + 1
	return nil
}

// A heldRun is a run on disk.
type heldRun struct {
	arrival int64
	data    []byte
	run     *message.Run
	open    opened // what opened of it now
}

// reopenRuns tries what is not open of runs of l, and tells what opens.
func (j *Journal) reopenRuns(l *state, runs []heldRun) error {
	s, v := l.speaker(), j.conf.Vault
	if !j.owns(s.group, s.author) {
		return nil
	}
	var at []spot
	for _, h := range runs {
		for i := range h.run.Records {
			at = append(at, spot{l.Log, h.run.First + uint64(i)})
		}
	}
	known := map[spot]said{}
	if err := j.store.read(func(db *sql.DB) error { return readSaid(db, at, known) }); err != nil {
		return err
	}
	var news []*heldRun
	for n := range runs {
		h := &runs[n]
		h.open.only = true
		prev, hashes := prevOf(h.run), h.run.Hashes()
		for i := range h.run.Records {
			at, rec := s.placeOf(h.run, prev, i), &h.run.Records[i]
			prev = hashes[i]
			what, was := known[spot{l.Log, at.Seq}]
			switch {
			case rec.Redacted || what.body != nil:
			case rec.Kind == message.State:
				v.Learn(at, rec.Body)
			case rec.Kind == message.Sealed:
				if what, ok := tryOpen(v, at, rec.Body, was && what.kind == 0); ok {
					h.open.said = append(h.open.said, what)
				}
			}
		}
		if len(h.open.said) > 0 {
			news = append(news, h)
		}
	}
	if news == nil {
		return nil
	}
	if err := j.store.putOpen(l, news); err != nil {
		return err
	}
	j.half.Store(true)
	j.tellOpen(l, news)
	return nil
}

// tellOpen lets those who follow see what opened.
func (j *Journal) tellOpen(l *state, news []*heldRun) {
	j.mu.Lock()
	j.unmarked.markedLocked()
	for _, h := range news {
		f := j.tail.frame(wire.TypeRun, len(h.data), func(b []byte) []byte { return append(b, h.data...) })
		j.arriveLocked(item{Entry: Entry{Frame: f, From: Stored, Bulk: true, Group: l.Group, Day: l.Day, Log: l.Log, open: &h.open}, filled: true})
	}
	j.mu.Unlock()
	j.text.want()
	j.wake()
	j.watchers.tell(0)
}

// notOpen reads the rows of a group's logs of which not everything is open.
func (s *store) notOpen(g message.GroupID) (rows []int64, err error) {
	err = s.each("SELECT id FROM log WHERE grp=? AND seq>(SELECT count(*) FROM opened WHERE opened.log=log.lid AND body IS NOT NULL) ORDER BY id", []any{g[:]}, func(r *sql.Rows) error {
		var row int64
		defer func() { rows = append(rows, row) }()
		return r.Scan(&row)
	})
	return rows, err
}

// heldRuns reads a log and the next of its runs from a number on.
func (s *store) heldRuns(log int64, first uint64) (l state, runs []heldRun, err error) {
	records := 0
	err = s.each("SELECT "+logColumns+", run.arrival, run.data FROM run JOIN log ON log.id=run.log WHERE run.log=? AND run.first>=? ORDER BY run.first", []any{log, first}, func(rows *sql.Rows) error {
		var h heldRun
		if err := l.scan(rows, &h.arrival, &h.data); err != nil {
			return err
		}
		if h.run, err = parseHeld(h.data); err != nil {
			return err
		}
		runs = append(runs, h)
		if records += len(h.run.Records); records >= reopenMessages {
			return errEnough
		}
		return nil
	})
	return l, runs, err
}

// putOpen writes what opened of runs, where it stands, and what it says about others.
func (s *store) putOpen(l *state, runs []*heldRun) error {
	if err := s.relax(true); err != nil {
		return err
	}
	return s.write(func(tx *sql.Tx) error {
		var marks []mark
		who := l.speaker()
		for _, h := range runs {
			if err := s.lookAgain(tx, h.arrival); err != nil {
				return err
			}
			for _, what := range h.open.said {
				if _, err := tx.Exec(insertSaid, l.Log[:], what.seq, what.kind, what.body); err != nil {
					return err
				}
				at := Key{HLC: h.run.Records[what.seq-h.run.First].HLC, Log: l.Log, Seq: what.seq}
				if _, err := tx.Exec(insertPlace, l.Room[:], at.HLC, at.Log[:], at.Seq, h.arrival); err != nil { // the group may have been another's when it came
					return err
				}
				if what.seq <= l.Seq {
					marks = append(marks, who.marksIn(at, what)...)
				}
			}
		}
		return putMarks(tx, marks)
	})
}
