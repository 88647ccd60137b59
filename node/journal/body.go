package journal

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"slices"
	"sort"
	"time"

	"earshot/node/journal/database"
	"earshot/node/message"
	"earshot/node/wire"
)

// A redaction deletes bodies; their lengths and hashes stay, so the chain verifies, and what is left is passed on. This happens in one place, settleBodies, when the redaction or its target is
// indexed, whatever came first. A body that is missing though no redaction of it counts is wanted: else any relay could strip bodies unseen. It is asked for, and taken from
// whoever has it (bring); until then the message is held, and not shown, nor told to be on this disk.

// maxWanted bounds the bodies wanted; runs that lack more are not taken at all.
const maxWanted = 64 << 10

// wanted are the bodies of one log that are missing.
type wanted struct {
	seqs  map[uint64]struct{}
	since time.Time
}

// Wanted is a log of which bodies are missing, the first at that number.
type Wanted struct {
	Log message.LogID
	Seq uint64
}

// Wanted returns at most max logs of which bodies have been missing for that long.
func (j *Journal) Wanted(long time.Duration, max int) (out []Wanted) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for log, w := range j.wanted {
		if len(out) < max && time.Since(w.since) >= long {
			out = append(out, Wanted{log, w.first()})
		}
	}
	return out
}

func (w *wanted) first() (first uint64) {
	for seq := range w.seqs {
		if first == 0 || seq < first {
			first = seq
		}
	}
	return first
}

// mayLack reports whether all bodies that run lacks may be lacking.
func (j *Journal) mayLack(run *message.Run) bool {
	n := 0
	for i := range run.Records {
		if r := &run.Records[i]; r.Redacted {
			if !r.Kind.Redactable() {
				return false
			}
			n++
		}
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	return n == 0 || j.wants+n <= maxWanted
}

// fits reports whether a run fits a frame, whatever is deleted of it: a hash is longer than a word.
func fits(run *message.Run) bool {
	n := run.Size()
	for i := range run.Records {
		if r := &run.Records[i]; !r.Redacted {
			n += max(len(r.Sum)-len(r.Body), 0)
		}
	}
	return n < wire.MaxFrame
}

// bring takes the bodies from run that are wanted: its messages up to number common are held.
func (j *Journal) bring(run *message.Run, common uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := j.wanted[run.Log]
	if w == nil || len(j.brought) >= 16 {
		return
	}
	for i := range run.Records {
		seq := run.First + uint64(i)
		if _, ok := w.seqs[seq]; ok && seq <= common && !run.Records[i].Redacted {
			j.brought = append(j.brought, run.Append(nil))
			j.wake()
			return
		}
	}
}

// wantLocked takes over what the index found.
func (j *Journal) wantLocked(x *indexed) {
	for _, at := range x.lacking {
		w := j.wanted[at.log]
		if w == nil {
			w = &wanted{seqs: map[uint64]struct{}{}, since: time.Now()}
			j.wanted[at.log] = w
		}
		if _, ok := w.seqs[at.seq]; !ok {
			w.seqs[at.seq] = struct{}{}
			j.wants++
		}
	}
	for _, at := range x.settled {
		if w := j.wanted[at.log]; w != nil {
			if _, ok := w.seqs[at.seq]; ok {
				delete(w.seqs, at.seq)
				j.wants--
			}
			if len(w.seqs) == 0 {
				delete(j.wanted, at.log)
			}
		}
	}
}

// whole cuts a head before the first body that is wanted.
func (j *Journal) whole(h Head) (Head, bool) {
	j.mu.RLock()
	first := uint64(0)
	if w := j.wanted[h.Log]; w != nil {
		first = w.first()
	}
	j.mu.RUnlock()
	if first == 0 || first > h.Seq {
		return h, true
	}
	tip, ok := j.Hash(h.Log, first-1)
	h.Seq, h.Tip = first-1, tip
	return h, ok
}

// indexed is what the index found out about bodies in one transaction.
type indexed struct {
	marks    []mark                      // all that were stored, once it is settled
	sealed   []sealedAt                  // whose marks are to be stored, too
	check    []spot                      // whose body is to be there or not
	ranges   map[message.LogID][2]uint64 // what was indexed of each log
	stripped map[int64][]byte            // by arrival: what is on disk now
	lacking  []spot
	settled  []spot         // wanted no more, if they were
	work     int            // messages, and others that they are about
	runs     []*message.Run // that brought a body
	half     bool           // a message is half deleted
}

// see takes note of a message.
func (x *indexed) see(s speaker, run *message.Run, i int) {
	rec, at := &run.Records[i], spot{run.Log, run.First + uint64(i)}
	key := Key{HLC: rec.HLC, Log: at.log, Seq: at.seq}
	marks := s.marks(key, rec)
	if s.group != message.Public && rec.Kind == message.Sealed {
		x.sealed = append(x.sealed, sealedAt{s, key})
	}
	x.marks, x.work = append(x.marks, marks...), x.work+1+len(marks)
	if rec.Kind == message.Redact {
		for _, m := range marks {
			x.check = append(x.check, m.target)
		}
	}
	if rec.Redacted {
		x.check = append(x.check, at)
	}
	r, ok := x.ranges[at.log]
	if !ok {
		r[0] = at.seq
	}
	x.ranges[at.log] = [2]uint64{min(r[0], at.seq), max(r[1], at.seq)}
}

// settle stores the marks, and deletes and misses bodies accordingly.
func (x *indexed) settle(tx *sql.Tx) error {
	within, err := readMarks(tx, x.sealed)
	if err != nil {
		return err
	}
	x.marks = append(x.marks, within...)
	if err := putMarks(tx, x.marks); err != nil {
		return err
	}
	if x.half, err = halves(tx, x.marks); err != nil {
		return err
	}
	for log, r := range x.ranges { // redactions that came before their targets
		err := each(tx, "SELECT at FROM mark WHERE target=? AND at>=? AND at<=? AND kind=?", []any{log[:], r[0], r[1], message.Redact}, func(rows *sql.Rows) error {
			at := spot{log: log}
			defer func() { x.check = append(x.check, at) }()
			return rows.Scan(&at.seq)
		})
		if err != nil {
			return err
		}
	}
	sort.Slice(x.check, func(i, j int) bool {
		return cmp.Or(bytes.Compare(x.check[i].log[:], x.check[j].log[:]), cmp.Compare(x.check[i].seq, x.check[j].seq)) < 0
	})
	for check := slices.Compact(x.check); len(check) > 0; {
		n, err := x.settleBodies(tx, check)
		if err != nil {
			return err
		}
		check = check[n:]
	}
	return nil
}

// heldAt reads the log, and the run in it, that have a message; ok is false where it is not held, or does not count.
func heldAt(tx *sql.Tx, at spot) (l state, run *message.Run, arrival int64, ok bool, err error) {
	err = l.scan(tx.QueryRow("SELECT "+logColumns+" FROM log WHERE lid=?", at.log[:]))
	if errors.Is(err, sql.ErrNoRows) || err == nil && at.seq > l.Seq {
		return l, nil, 0, false, nil
	}
	var data []byte
	if err == nil {
		err = tx.QueryRow("SELECT arrival, data FROM run WHERE log=? AND first<=? ORDER BY first DESC LIMIT 1", l.row, at.seq).Scan(&arrival, &data)
	}
	if errors.Is(err, sql.ErrNoRows) { // a journal in memory has forgotten it
		return l, nil, 0, false, nil
	}
	if err != nil {
		return l, nil, 0, false, err
	}
	run, err = parseHeld(data)
	return l, run, arrival, err == nil && at.seq <= run.Last(), err
}

// settleBodies deletes the bodies of the first n messages of those, all that are in one run, where a redaction of them counts, and takes note where they are missing and none does. It is the only
// place where bodies are deleted but for retention, which deletes whole logs: what is kept of bodies elsewhere in the store is to be deleted here.
func (x *indexed) settleBodies(tx *sql.Tx, check []spot) (n int, err error) {
	l, run, arrival, ok, err := heldAt(tx, check[0])
	if err != nil || !ok {
		return 1, err
	}
	hashes, news := run.Hashes(), false
	for ; n < len(check) && check[n].log == run.Log && check[n].seq <= min(run.Last(), l.Seq); n++ {
		at := check[n]
		rec := &run.Records[at.seq-run.First]
		if !rec.Kind.Redactable() {
			continue
		}
		id := hashes[at.seq-run.First].ID()
		var redacted bool
		err = tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM mark JOIN log ON log.lid=mark.lid WHERE target=? AND at=? AND kind=? AND mark.author=? AND mark.id=?
			AND log.room=? AND (log.fork=0 OR mark.seq<log.fork))`, at.log[:], at.seq, message.Redact, l.Author[:], id[:], l.Room[:]).Scan(&redacted)
		switch {
		case err != nil:
		case rec.Redacted && !redacted:
			x.lacking = append(x.lacking, at)
			_, err = tx.Exec("INSERT OR IGNORE INTO lack VALUES (?,?)", l.row, at.seq)
		case rec.Redacted:
			err = x.settledBody(tx, &l, at)
		case redacted:
			rec.Redacted, rec.Body, news = true, nil, true
			if rec.Kind == message.Sealed {
				err = forgetSaid(tx, sealedAt{l.speaker(), Key{HLC: rec.HLC, Log: at.log, Seq: at.seq}})
			}
		}
		if err != nil {
			return n, err
		}
	}
	if news {
		err = x.rewrite(tx, run, arrival)
	}
	return n, err
}

// rewrite replaces a run, of which bodies are now missing, or no longer.
func (x *indexed) rewrite(tx *sql.Tx, run *message.Run, arrival int64) error {
	data := run.Append(nil)
	x.stripped[arrival] = data
	_, err := tx.Exec("UPDATE run SET data=? WHERE arrival=?", data, arrival)
	return err
}

func (x *indexed) settledBody(tx *sql.Tx, l *state, at spot) error {
	x.settled = append(x.settled, at)
	_, err := tx.Exec("DELETE FROM lack WHERE log=? AND seq=?", l.row, at.seq)
	return err
}

// restore puts bodies that are wanted into the store.
func (x *indexed) restore(tx *sql.Tx, data []byte) error {
	from, err := parseHeld(data)
	if err != nil {
		return err
	}
	hashes, news := from.Hashes(), false
	for i := range from.Records {
		at := spot{from.Log, from.First + uint64(i)}
		if from.Records[i].Redacted {
			continue
		}
		l, run, arrival, ok, err := heldAt(tx, at)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		k := at.seq - run.First
		rec := &run.Records[k]
		if !rec.Redacted || run.Hashes()[k] != hashes[i] {
			continue
		}
		rec.Redacted, rec.Body = false, from.Records[i].Body
		if !fits(run) { // of those that were left out of one run, not more come back than can be passed on
			continue
		}
		if err := x.rewrite(tx, run, arrival); err != nil {
			return err
		}
		if err := x.settledBody(tx, &l, at); err != nil {
			return err
		}
		x.see(l.speaker(), run, int(k))
		news = true
	}
	if news {
		x.runs = append(x.runs, from)
	}
	return nil
}

// uncover checks the targets of redactions that do not count any more, because a log was cut off.
func (x *indexed) uncover(tx *sql.Tx, c cutOff) error {
	return each(tx, "SELECT data FROM run WHERE log=?1 AND first>?2 AND (?3=0 OR first<?3)", []any{c.row, int64(c.from) - message.MaxRecords, c.was}, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		run, err := parseHeld(data)
		if err != nil {
			return err
		}
		for i := range run.Records {
			if rec := &run.Records[i]; rec.Kind == message.Redact && run.First+uint64(i) >= c.from {
				a, _ := message.ParseAbout(rec.Kind, rec.Body)
				for _, ref := range a.Refs {
					x.check = append(x.check, spot{ref.Log, ref.Seq})
				}
			}
		}
		return nil
	})
}

// A cutOff is a log that was cut off before a number, and before that at another, unless that is 0.
type cutOff struct {
	row       int64
	from, was uint64
}

// replaceLocked puts what is on disk now in the place of what is in the tail, for whoever has not read it yet. Frames that were read already are not touched.
func (j *Journal) replaceLocked(x *indexed) {
	if len(x.stripped) > 0 {
		j.answers.clear()
	}
	for arrival, data := range x.stripped {
		if arrival < j.tail.first {
			continue
		}
		it := j.tail.at(arrival)
		j.tail.bytes -= len(it.Frame)
		it.Frame = frame(nil, wire.TypeRun, func(b []byte) []byte { return append(b, data...) })
		j.tail.bytes += len(it.Frame)
	}
	// What brought a body is news to who follows, and travels on; on disk it is in its place already.
	for _, run := range x.runs {
		c := j.logs.get(run.Log)
		if c == nil {
			continue
		}
		if c.Group != message.Public && j.conf.Vault != nil {
			j.reopens = append(j.reopens, &reopening{group: c.Group, logs: []int64{c.row}})
		}
		f := j.tail.frame(wire.TypeRun, run.Size(), run.Append)
		j.arriveLocked(item{Entry: Entry{Frame: f, From: Stored, Group: c.Group, Day: c.Day, Log: c.Log}, filled: true})
	}
}

// loadWanted reads which bodies are missing. What is known to be for longer stays so.
func (j *Journal) loadWanted(s *store) error {
	var x indexed
	err := s.each("SELECT lid, lack.seq FROM lack JOIN log ON log.id=lack.log LIMIT ?", []any{maxWanted}, func(rows *sql.Rows) error {
		var at spot
		defer func() { x.lacking = append(x.lacking, at) }()
		return rows.Scan(fixed(at.log[:]), &at.seq)
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.wanted
	j.wanted, j.wants = map[message.LogID]*wanted{}, 0
	j.wantLocked(&x)
	for log, w := range j.wanted {
		if o := old[log]; o != nil {
			w.since = o.since
		}
	}
	return err
}

// scrub empties the WAL where it may hold bodies that were deleted. It waits for no reader: what reads now keeps it until the next time.
func (s *store) scrub() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil
	}
	done, err := database.EmptyWAL(s.w)
	if done {
		s.dirty = time.Time{}
	}
	return err
}
