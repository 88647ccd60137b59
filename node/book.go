package node

import (
	"maps"
	"sync"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// maxBook bounds the rooms listed: anyone can speak in a new one.
const maxBook = 4096

// A book lists the public rooms of a gathering and when each was last spoken in. It reads the store once and follows the journal from there: whoever wants to know how
// things stand does not wait for the disk.
type book struct {
	journal *journal.Journal

	mu     sync.Mutex // protects what follows
	cursor *journal.Cursor
	last   map[string]time.Time // by the room's name, without #
}

// rooms returns a copy of the list as it is now.
func (b *book) rooms() (map[string]time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cursor == nil {
		cursor := b.journal.Follow(b.journal.Last())
		known, err := b.journal.Rooms()
		if err != nil {
			return nil, err
		}
		b.cursor, b.last = cursor, map[string]time.Time{}
		for _, r := range known {
			b.addLocked(r.ID, r.Name, r.Last)
		}
	}
	for {
		entries, err := b.cursor.Next(1 << 20)
		if err != nil || len(entries) == 0 {
			return maps.Clone(b.last), err
		}
		for _, e := range entries {
			o, ok := b.journal.Opening(e.Log)
			if !ok || e.Fork != 0 {
				continue
			}
			if run, err := message.ParseRun(e.Frame[wire.HeaderLen:]); err == nil {
				b.addLocked(o.Room, o.Name, run.Records[len(run.Records)-1].HLC)
			}
		}
	}
}

func (b *book) addLocked(id message.RoomID, name string, hlc uint64) {
	clean, err := message.CleanRoom(name)
	if err != nil || clean != name || id != message.Room(name) {
		return
	}
	if t := timeOf(hlc); t.After(b.last[name]) && (len(b.last) < maxBook || !b.last[name].IsZero()) {
		b.last[name] = t
	}
}
