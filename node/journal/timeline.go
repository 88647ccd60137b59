package journal

import (
	"database/sql"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// How much of the timeline is written at once: so much that the transaction is worth it, so little that a commit does not wait long for it. While
// more arrivals than the backlog are not indexed, or someone waits for them, indexing goes on between commits and not only after them; else it waits until less arrives.
const (
	indexMessages = 4096
	indexBacklog  = 4096
	indexRows     = 64 // of one statement
	// indexShare is how much it is while people talk and nobody waits for it: it takes about 1 ms, after which there is a rest of lullNap.
	indexShare = 256
)

// index puts the next messages into the timeline, unless it is better to commit first, and reports whether there are more.
func (j *Journal) index() (more bool, err error) {
	durable := j.durable.Load()
	j.mu.RLock()
	from := j.watermark
	asked := j.indexers > 0
	wanted := asked || durable-from > indexBacklog || len(j.freshest) > maxFresh/2
	brought, cutOff := j.brought, j.cutOff
	j.mu.RUnlock()
	flood := j.lull.flooded(j.messages.Load())
	switch {
	case from >= durable && len(brought)+len(cutOff) == 0:
		return false, nil
	case !wanted && j.last.Load() > durable:
		return true, nil
	case !wanted && j.Persistent() && j.putOff(j.indexed):
		return false, nil
	case !wanted && len(brought)+len(cutOff) == 0 && flood:
		j.later = together
		return false, nil
	}
	j.indexed = time.Now()
	share, gentle := indexMessages, !asked && !flood && j.lull.talk()
	if gentle {
		share = indexShare
	}
	to, found, err := j.store.index(from, durable, share, brought, cutOff, j.owns)
	if err != nil {
		return false, err
	}
	for _, run := range found.runs { // so that it is in the cache
		if _, _, err := j.lookup(run.Log); err != nil {
			return false, err
		}
	}
	j.mu.Lock()
	j.watermark = to
	j.brought, j.cutOff = j.brought[len(brought):], j.cutOff[len(cutOff):]
	j.indexedLocked(to)
	if len(found.marks) > 0 {
		j.unmarked.markedLocked()
	}
	j.wantLocked(found)
	j.replaceLocked(found)
	j.tellLocked()
	j.mu.Unlock()
	if len(found.stripped) > 0 {
		j.text.want()
	}
	if found.half {
		j.half.Store(true)
	}
	if len(found.runs) > 0 {
		j.watchers.tell(0)
	}
	if gentle && to < durable {
		j.later, j.indexed = lullNap, time.Time{}
	}
	return !gentle, nil
}

// index puts what arrived after from into the timeline, but for the groups of others, no further than to, and no more than a share and one
// run: of messages, and of others that these are about. It returns how far it came. It stores what messages say about others, and sees to bodies. What is open was this person's when it came, and may be so again: nobody opens it then.
func (s *store) index(from, to int64, share int, brought [][]byte, cutOff []cutOff, owns func(message.GroupID, identity.PeerID) bool) (int64, *indexed, error) {
	found := &indexed{ranges: map[message.LogID][2]uint64{}, stripped: map[int64][]byte{}}
	err := s.relax(true)
	if err != nil {
		return 0, nil, err
	}
	err = s.write(func(tx *sql.Tx) error {
		places, last, err := found.read(tx, from, to, share, owns)
		if err != nil {
			return err
		}
		to = last
		if err := s.putPlaces(tx, places); err != nil {
			return err
		}
		for _, run := range brought {
			if err := found.restore(tx, run); err != nil {
				return err
			}
		}
		for _, c := range cutOff {
			if err := found.uncover(tx, c); err != nil {
				return err
			}
		}
		if err := found.settle(tx); err != nil {
			return err
		}
		for arrival := range found.stripped {
			if err := s.lookAgain(tx, arrival); err != nil {
				return err
			}
		}
		_, err = tx.Exec("UPDATE meta SET value=? WHERE key=?", to, metaWatermark)
		return err
	})
	if err == nil && len(found.stripped) > 0 && s.dirty.IsZero() {
		s.dirty = time.Now()
	}
	return to, found, err
}

// read looks at what arrived after from, as index does, and returns what to put into the timeline, the columns of each place in turn, and how far it came.
func (x *indexed) read(tx *sql.Tx, from, to int64, share int, owns func(message.GroupID, identity.PeerID) bool) (places []any, last int64, err error) {
	last = to
	err = each(tx, "SELECT run.arrival, run.data, log.grp, log.room, log.author, log.fork, "+notPublic+" AND EXISTS (SELECT 1 FROM opened WHERE log=lid AND seq>=first) FROM run JOIN log ON log.id=run.log WHERE run.arrival>? AND run.arrival<=? ORDER BY run.arrival",
		[]any{from, to}, func(rows *sql.Rows) error {
			var arrival int64
			var data sql.RawBytes
			var s speaker
			var fork uint64
			var open bool
			if err := rows.Scan(&arrival, &data, fixed(s.group[:]), fixed(s.room[:]), fixed(s.author[:]), &fork, &open); err != nil {
				return err
			}
			run, err := parseHeld(data)
			if err != nil {
				return err
			}
			own := open || owns(s.group, s.author)
			for i := range run.Records {
				seq := run.First + uint64(i)
				if fork != 0 && seq >= fork {
					break
				}
				if own {
					places = append(places, s.room[:], run.Records[i].HLC, run.Log[:], seq, arrival)
				}
				x.see(s, run, i)
			}
			if x.work >= share {
				last = arrival
				return errEnough
			}
			return nil
		})
	return places, last, err
}

// putPlaces puts places into the timeline, many with a statement.
func (s *store) putPlaces(tx *sql.Tx, places []any) error {
	many, one := tx.Stmt(s.insertPlaces), tx.Stmt(s.insertPlace)
	for n := 5 * indexRows; len(places) >= n; places = places[n:] {
		if _, err := many.Exec(places[:n]...); err != nil {
			return err
		}
	}
	for ; len(places) > 0; places = places[5:] {
		if _, err := one.Exec(places[:5]...); err != nil {
			return err
		}
	}
	return nil
}

// relax says whether transactions from here on may reach the disk later, with the next that may not. Those of the timeline may: it is made of
// what is on disk already, and its watermark goes with it.
func (s *store) relax(yes bool) error {
	if s.relaxed == yes {
		return nil
	}
	mode := "FULL"
	if yes {
		mode = "NORMAL"
	}
	if _, err := s.w.Exec("PRAGMA synchronous=" + mode); err != nil {
		return err
	}
	s.relaxed = yes
	return nil
}

// A place is a row of the timeline.
type place struct {
	Key
	arrival int64
}

// places reads the n places of a room that follow k, or with back those that precede it, nearest first, of what arrived since a number.
func (s *store) places(room message.RoomID, k Key, n int, back bool, since int64) (out []place, err error) {
	const after = "(arrival>? OR (lid, seq) IN (SELECT log, seq FROM late WHERE arrival>?))"
	q := "SELECT hlc, lid, seq, arrival FROM timeline WHERE room=? AND (hlc, lid, seq)>(?,?,?) AND " + after + " ORDER BY hlc, lid, seq LIMIT ?"
	if back {
		q = "SELECT hlc, lid, seq, arrival FROM timeline WHERE room=? AND (hlc, lid, seq)<(?,?,?) AND " + after + " ORDER BY hlc DESC, lid DESC, seq DESC LIMIT ?"
	}
	err = s.each(q, []any{room[:], k.HLC, k.Log[:], k.Seq, since, since, n}, func(rows *sql.Rows) error {
		var p place
		defer func() { out = append(out, p) }()
		return rows.Scan(&p.HLC, fixed(p.Log[:]), &p.Seq, &p.arrival)
	})
	return out, err
}

// rooms reads the rooms that have lines.
func (s *store) rooms() (out []message.RoomID, err error) {
	err = s.each(`WITH RECURSIVE r(room) AS (SELECT min(room) FROM timeline UNION ALL SELECT (SELECT min(room) FROM timeline WHERE room>r.room) FROM r WHERE r.room IS NOT NULL)
		SELECT room FROM r WHERE room IS NOT NULL`, nil, func(rows *sql.Rows) error {
		var room message.RoomID
		defer func() { out = append(out, room) }()
		return rows.Scan(fixed(room[:]))
	})
	return out, err
}

// newest reads the newest stamp in a room, and counts its lines.
func (s *store) newest(room message.RoomID) (hlc uint64, n int, err error) {
	err = s.read(func(db *sql.DB) error {
		return db.QueryRow("SELECT coalesce(max(hlc), 0), count(*) FROM timeline WHERE room=?", room[:]).Scan(&hlc, &n)
	})
	return hlc, n, err
}

// publicRooms reads of the public rooms what their logs tell.
func (s *store) publicRooms() (out []Room, err error) {
	err = s.each("SELECT room, name, max(hlc) FROM log WHERE name<>'' AND seq>0 GROUP BY room ORDER BY name", nil, func(rows *sql.Rows) error {
		var r Room
		defer func() { out = append(out, r) }()
		return rows.Scan(fixed(r.ID[:]), &r.Name, &r.Last)
	})
	return out, err
}
