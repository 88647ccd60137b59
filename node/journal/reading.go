package journal

import (
	"database/sql"
	"math"
	"time"

	"earshot/node/message"
)

// reading is how far this person has read, by number of arrival: what comes late, by its stamp, has not been read for all that. It belongs to a store, whose numbers it has, and is nobody else's business.
type reading struct {
	rooms map[message.RoomID]int64    // up to there, where that is more than everywhere
	dirty map[message.RoomID]struct{} // whose position is another than on disk
	at    time.Time                   // Run's: when they were written last
}

const (
	// readingEvery is how often positions are written, at most: who is killed has read for so long in vain.
	readingEvery = time.Second
	// maxReading is how many rooms have a position: more than there can be (vault.MaxTalks, vault.MaxRooms, 64 public ones). Past it those go that are furthest behind.
	maxReading = 4096
)

// everywhere stands for all rooms: what was here when this person first had all that the others had is read. Before that it has no position.
var everywhere message.RoomID

// loadReading reads the positions. Where there are none, in a store of before there were, all is read. One that cannot be is left out.
func (j *Journal) loadReading(db *sql.DB, last int64) error {
	j.reading = reading{rooms: map[message.RoomID]int64{}, dirty: map[message.RoomID]struct{}{}}
	r := &j.reading
	err := each(db, "SELECT room, min(arrival, ?) FROM reading WHERE typeof(room)='blob' AND length(room)=16 AND typeof(arrival)='integer'", []any{last}, func(rows *sql.Rows) error {
		var room message.RoomID
		var arrival int64
		defer func() { r.rooms[room] = arrival }()
		return rows.Scan(fixed(room[:]), &arrival)
	})
	if _, met := r.rooms[everywhere]; !met && last > 0 {
		r.set(everywhere, last)
	}
	return err
}

// set moves a position.
func (r *reading) set(room message.RoomID, arrival int64) {
	r.rooms[room], r.dirty[room] = arrival, struct{}{}
	for len(r.rooms) > maxReading {
		var last message.RoomID
		for room, arrival := range r.rooms {
			if room != everywhere && (last == everywhere || arrival < r.rooms[last]) {
				last = room
			}
		}
		delete(r.rooms, last)
		r.dirty[last] = struct{}{}
	}
}

// Meet notes that what this person did not miss is here, up to a number, and counts as read: what the others had when they came. Only the first time it does anything.
func (j *Journal) Meet(arrival int64) {
	if j.Present(math.MaxInt64) {
		return
	}
	j.mu.Lock()
	if _, met := j.reading.rooms[everywhere]; !met {
		j.reading.set(everywhere, arrival)
	}
	j.mu.Unlock()
	j.wake()
}

// Present reports whether this person had all that the others had, and knew them (Meet), when something arrived by that number. Before that nothing is unread.
func (j *Journal) Present(arrival int64) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	first, met := j.reading.rooms[everywhere]
	return met && arrival > first
}

// Unread reports whether what arrived in a room by that number has not been read yet.
func (j *Journal) Unread(room message.RoomID, arrival int64) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	first, met := j.reading.rooms[everywhere]
	return met && arrival > max(first, j.reading.rooms[room])
}

// Missed is Page of what arrived after what this person has read, own lines among it. Where that is little all of the room is looked through: half a million lines take 0.1 s.
func (j *Journal) Missed(room message.RoomID, k Key, n int) ([]Line, error) {
	j.mu.RLock()
	first, met := j.reading.rooms[everywhere]
	since := max(first, j.reading.rooms[room])
	j.mu.RUnlock()
	if !met || since >= j.Last() {
		return nil, nil
	}
	if err := j.settle(); err != nil {
		return nil, err
	}
	return j.page(room, k, n, since)
}

// Read notes that this person has read what arrived in a room up to a number. It does not wait for the disk.
func (j *Journal) Read(room message.RoomID, arrival int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &j.reading
	if arrival <= max(r.rooms[everywhere], r.rooms[room]) {
		return
	}
	if r.set(room, arrival); len(r.dirty) == 1 {
		j.wake()
	}
}

// ReadTo is Read up to a message; where that is not here nothing is noted.
func (j *Journal) ReadTo(room message.RoomID, k Key) error {
	arrival, err := j.arrived(k.Log, k.Seq)
	if err == nil && arrival > 0 {
		j.Read(room, arrival)
	}
	return err
}

// arrived returns the number by which a message arrived; 0: it is not here.
func (j *Journal) arrived(id message.LogID, seq uint64) (arrival int64, err error) {
	l, held, err := j.lookup(id)
	if err != nil || !held || seq < 1 || seq > l.Seq {
		return 0, err
	}
	j.mu.RLock()
	it := j.pendingLocked(id, seq)
	if late := j.lateLocked(id, seq); late != nil {
		it = late
	}
	if it != nil {
		arrival = it.Arrival
	}
	j.mu.RUnlock()
	if arrival > 0 {
		return arrival, nil
	}
	err = j.store.each("SELECT max(arrival, coalesce((SELECT arrival FROM late WHERE late.log=? AND seq=?), 0)) FROM run WHERE run.log=? AND first<=? ORDER BY first DESC LIMIT 1", []any{id[:], seq, l.row, seq},
		func(rows *sql.Rows) error { return rows.Scan(&arrival) })
	return arrival, j.fault(err)
}

// lateLocked returns the entry that told what opened of a message only later, where that is not on disk yet.
func (j *Journal) lateLocked(id message.LogID, seq uint64) *item {
	items := j.tail.items[j.durable.Load()+1-j.tail.first:]
	for i := range items {
		if it := &items[i]; it.filled && it.Log == id && it.open != nil {
			if _, ok := it.open.at(seq); ok {
				return it
			}
		}
	}
	return nil
}

// putLate writes by what number that was told which opened only later: by that it is read, for others were told between that and the number of its run.
func putLate(tx *sql.Tx, e *Entry) error {
	for _, what := range e.open.said {
		if _, err := tx.Exec("INSERT OR REPLACE INTO late VALUES (?,?,?)", e.Log[:], what.seq, e.Arrival); err != nil {
			return err
		}
	}
	return nil
}

// late gives sealed lines that opened only later the number by which they were told.
func (s *store) late(lines []Line) error {
	spans, told := map[message.LogID]span{}, map[spot]int64{}
	for i := range lines {
		if l := &lines[i]; l.Kind == message.Sealed {
			r, ok := spans[l.Log]
			if !ok {
				r = span{l.Seq, l.Seq}
			}
			spans[l.Log] = span{min(r.first, l.Seq), max(r.last, l.Seq)}
		}
	}
	for log, r := range spans {
		err := s.each("SELECT seq, arrival FROM late WHERE log=? AND seq BETWEEN ? AND ?", []any{log[:], r.first, r.last}, func(rows *sql.Rows) error {
			var arrival int64
			at := spot{log: log}
			defer func() { told[at] = arrival }()
			return rows.Scan(&at.seq, &arrival)
		})
		if err != nil {
			return err
		}
	}
	for i := range lines {
		if arrival, ok := told[spot{lines[i].Log, lines[i].Seq}]; ok {
			lines[i].Arrival = arrival
		}
	}
	return nil
}

// commitReading writes the positions that are others than on disk, unless that is too soon after the last time, or with end in any case. What is not on disk has no number there yet, which may be given to
// something else.
func (j *Journal) commitReading(end bool) error {
	if !j.Persistent() {
		return nil
	}
	j.mu.RLock()
	r, durable := &j.reading, j.durable.Load()
	left := readingEvery - time.Since(r.at)
	if len(r.dirty) == 0 || left > 0 && !end {
		if len(r.dirty) > 0 {
			j.later = left
		}
		j.mu.RUnlock()
		return nil
	}
	positions := make(map[message.RoomID]int64, len(r.dirty))
	for room := range r.dirty {
		positions[room] = -1 // no more
		if arrival, ok := r.rooms[room]; ok {
			positions[room] = min(arrival, durable)
		}
	}
	j.mu.RUnlock()
	if err := j.store.putReading(positions); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	r.at = time.Now()
	for room, written := range positions {
		if arrival, ok := r.rooms[room]; arrival == written || !ok && written < 0 {
			delete(r.dirty, room)
		}
	}
	return nil
}

func (s *store) putReading(positions map[message.RoomID]int64) error {
	if err := s.relax(true); err != nil {
		return err
	}
	return s.write(func(tx *sql.Tx) error {
		for room, arrival := range positions {
			query, args := "INSERT OR REPLACE INTO reading VALUES (?,?)", []any{room[:], arrival}
			if arrival < 0 {
				query, args = "DELETE FROM reading WHERE room=?", args[:1]
			}
			if _, err := tx.Exec(query, args...); err != nil {
				return err
			}
		}
		return nil
	})
}
