package storm

import (
	"database/sql"
	"testing"
	"testing/synctest"

	sqlite3 "modernc.org/sqlite/lib"

	"earshot/node"
	"earshot/node/message"
)

// held says how far logs go on a disk.
type held map[message.LogID]uint64

// readDisk reads it of the stores below dir, whose process runs: of what is committed, nothing that is on its way. A store that is just being made is locked.
func readDisk(t testing.TB, dir string, before held) held {
	t.Helper()
	logs := held{}
	for _, path := range stores(t, dir) {
		if locked, err := logs.read(path); locked {
			return before
		} else if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
	}
	return logs
}

// readAside adds what is in the stores below dir that were set aside, but for those that are none any more.
func (logs held) readAside(t testing.TB, dir string) {
	t.Helper()
	for _, path := range aside(t, dir) {
		if _, err := logs.read(path); err != nil && !is(err, sqlite3.SQLITE_NOTADB) {
			t.Fatalf("read %s: %v", path, err)
		}
	}
}

// read adds what is in one store.
func (logs held) read(path string) (locked bool, err error) {
	return readStore(path, "SELECT lid, seq FROM log", func(rows *sql.Rows) error {
		var lid []byte
		var seq uint64
		err := rows.Scan(&lid, &seq)
		if err == nil {
			logs[message.LogID(lid)] = max(logs[message.LogID(lid)], seq)
		}
		return err
	})
}

// audit checks that what was ticked since the last time is on as many machines' disks as was said. Who is down has what it had, and a disk that is gone had what it had.
func (w *world) audit() {
	w.t.Helper()
	synctest.Wait()
	for _, h := range w.hosts {
		if h.up() != nil {
			h.held = readDisk(w.t, h.dir, h.held)
			if h.broken {
				h.lost.readAside(w.t, h.dir)
			}
		}
	}
	for _, h := range w.hosts {
		r := h.up()
		if r == nil {
			continue
		}
		events := r.Events()
		for ; r.audited < len(events); r.audited++ {
			switch e := events[r.audited].(type) {
			case node.Said:
				r.keys[e.ID] = e.Key
			case node.Delivered:
				r.ticks[e.ID] = e.Copies
			}
		}
		for id, copies := range r.ticks {
			key, ok := r.keys[id]
			if !ok {
				continue // its own disk is the last to have it
			}
			delete(r.ticks, id)
			if !r.copied.IsZero() {
				continue // what its copy says may have ended the log since
			}
			machines := map[string]bool{}
			for _, h := range w.hosts {
				if h.held[key.Log] >= key.Seq || h.lost[key.Log] >= key.Seq {
					machines[h.machine] = true
				}
			}
			if len(machines) < copies {
				w.errorf("%s%d was told that %x is on %d disks, and it is on %d", h.name, r.n, id, copies, len(machines))
			}
		}
	}
}
