package node

import (
	"maps"
	"slices"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// maxBook bounds the rooms listed: anyone can speak in a new one.
const maxBook = 4096

// A book lists the rooms of a gathering, the public ones and those sealed ones that are this person's, and when each was last spoken in. It reads the store once and follows the journal from there: whoever wants to know how
// things stand does not wait for the disk.
type book struct {
	journal *journal.Journal
	mine    func(message.RoomID) bool // of a sealed one

	turn   chan struct{} // holds one while what follows is in use: a lock in which one may wait for the disk for as long as that takes
	cursor *journal.Cursor
	last   map[message.RoomID]inRoom
	topics map[message.RoomID]topicLine // what was looked up and has not changed since
}

func newBook(j *journal.Journal, mine func(message.RoomID) bool) *book {
	return &book{journal: j, mine: mine, turn: make(chan struct{}, 1)}
}

// inRoom is when something was said in one room last.
type inRoom struct {
	name string // of a public one
	last time.Time
}

// A topicLine is the message that says what a room is about, if there is one.
type topicLine struct {
	journal.Line
	ok bool
}

// rooms returns a copy of the list as it is now.
func (b *book) rooms() (map[message.RoomID]inRoom, error) {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	err := b.followLocked()
	return maps.Clone(b.last), err
}

// topic returns what a room is about, as it is now.
func (b *book) topic(room message.RoomID) (journal.Line, bool, error) {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if err := b.followLocked(); err != nil {
		return journal.Line{}, false, err
	}
	t, known := b.topics[room]
	if !known {
		var err error
		if t.Line, t.ok, err = b.journal.Topic(room); err != nil {
			return t.Line, false, err
		}
		if len(b.topics) < maxBook {
			b.topics[room] = t
		}
	}
	return t.Line, t.ok, nil
}

// followLocked reads on.
func (b *book) followLocked() error {
	if b.cursor == nil {
		if err := b.beginLocked(); err != nil {
			return err
		}
	}
	for {
		entries, err := b.cursor.Next(1 << 20)
		if err != nil || len(entries) == 0 {
			return err
		}
		for i := range entries {
			b.takeLocked(&entries[i])
		}
	}
}

// beginLocked looks up what there is, and follows from there.
func (b *book) beginLocked() error {
	cursor := b.journal.Follow(b.journal.Last())
	known, err := b.journal.Rooms()
	if err != nil {
		return err
	}
	sealed, err := b.journal.Conversations()
	if err != nil {
		return err
	}
	b.cursor, b.last, b.topics = cursor, map[message.RoomID]inRoom{}, map[message.RoomID]topicLine{}
	for _, r := range known {
		b.addLocked(r.ID, r.Name, r.Last)
	}
	for _, r := range sealed {
		b.addLocked(r.ID, "", r.Last)
	}
	return nil
}

// takeLocked takes in what arrived.
func (b *book) takeLocked(e *journal.Entry) {
	if e.Fork != 0 {
		clear(b.topics) // one may have been past it
		return
	}
	o, ok := b.journal.Opening(e.Log)
	if !ok {
		return
	}
	run, err := message.ParseBodies(e.Frame[wire.HeaderLen:])
	if err != nil {
		return
	}
	b.addLocked(o.Room, o.Name, run.Records[len(run.Records)-1].HLC)
	for i := range run.Records {
		b.changedLocked(o.Room, &run.Records[i])
	}
}

// changedLocked forgets the topics that a message may have changed.
func (b *book) changedLocked(room message.RoomID, r *message.Record) {
	switch r.Kind {
	case message.Topic, message.Sealed: // that may be one
		delete(b.topics, room)
	case message.Redact:
		a, _ := message.ParseAbout(r.Kind, r.Body)
		maps.DeleteFunc(b.topics, func(_ message.RoomID, t topicLine) bool { return slices.Contains(a.Refs, t.Ref()) })
	}
}

func (b *book) addLocked(id message.RoomID, name string, hlc uint64) {
	if clean, err := message.CleanRoom(name); name != "" && (err != nil || clean != name || id != message.Room(name)) || name == "" && !b.mine(id) {
		return
	}
	was, known := b.last[id]
	if !known && len(b.last) >= maxBook {
		return
	}
	if t := timeOf(hlc); t.After(was.last) {
		was.last = t
	}
	was.name = name
	b.last[id] = was
}
