package search

import (
	"database/sql"
	"errors"
	"math/rand/v2"
	"sort"

	"earshot/node/message"
)

// A Doc is a message that is to be found. Text and Nick are as they are shown.
type Doc struct {
	Place
	HLC  uint64
	Room message.RoomID
	Nick string
	Text string
}

// A Place is where a message is: in which run of the journal, and as which of its records. Slot is its place in the index's order.
type Place struct {
	Slot    int64
	Arrival int64
	N       int
}

// SlotOf is the slot of what was said at that time, or a little below it. Slots take 64 ms each: finer ones would make the index larger.
func SlotOf(hlc uint64) int64 { return int64(hlc >> 22) }

// Add puts docs in, in any order, and moves the watermark, all or nothing. It gives them their slots.
func (x *Index) Add(docs []Doc, watermark int64) error {
	return x.write(func(tx *sql.Tx) error {
		// FTS5 writes a segment whenever a number does not grow.
		sort.SliceStable(docs, func(i, j int) bool { return docs[i].HLC < docs[j].HLC })
		doc, err := tx.Prepare("INSERT INTO doc VALUES (?,?,?)")
		if err != nil {
			return err
		}
		text, err := tx.Prepare("INSERT INTO text(rowid, terms) VALUES (?,?)")
		if err != nil {
			return err
		}
		taken, err := tx.Prepare("SELECT 1 FROM doc WHERE id=?")
		if err != nil {
			return err
		}
		var terms []byte
		last := int64(-1)
		for i := range docs {
			d := &docs[i]
			if d.Slot, err = free(taken, max(SlotOf(d.HLC), last+1)); err != nil {
				return err
			}
			last = d.Slot
			if _, err := doc.Exec(d.Slot, d.Arrival, d.N); err != nil {
				return err
			}
			terms = d.terms(terms[:0])
			if _, err := text.Exec(d.Slot, string(terms)); err != nil {
				return err
			}
		}
		_, err = tx.Exec("UPDATE meta SET value=? WHERE key='watermark'", watermark)
		return err
	})
}

// free returns a slot that nobody has, from that one on: the next after a few, and ever further away, so that whoever says a million things at once does not make it slow.
func free(taken *sql.Stmt, slot int64) (int64, error) {
	for tries, reach := 1, int64(64); ; tries++ {
		var one int
		err := taken.QueryRow(slot).Scan(&one)
		if err == sql.ErrNoRows {
			return slot, nil
		}
		if err != nil {
			return 0, err
		}
		slot++
		if tries > 16 {
			slot += rand.Int64N(reach)
			reach *= 2
		}
	}
}

// Remove takes messages out.
func (x *Index) Remove(slots []int64) error {
	if len(slots) == 0 {
		return nil
	}
	x.removed, x.more = true, true
	return x.write(func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT OR REPLACE INTO meta VALUES ('removed', 1)"); err != nil {
			return err
		}
		for _, slot := range slots {
			for _, q := range []string{"DELETE FROM text WHERE rowid=?", "DELETE FROM doc WHERE id=?"} {
				if _, err := tx.Exec(q, slot); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Sync makes what was added and removed up to now outlast a power cut.
func (x *Index) Sync() error {
	if _, err := x.w.Exec("PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	// Only a commit syncs, and one that changes nothing is none.
	_, err := x.w.Exec("INSERT INTO meta VALUES ('synced', 1) ON CONFLICT DO UPDATE SET value=value+1")
	_, again := x.w.Exec("PRAGMA synchronous=NORMAL")
	return errors.Join(err, again)
}
