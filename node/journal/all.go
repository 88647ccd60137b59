package journal

import (
	"iter"
	"sort"

	"earshot/node/message"
)

// All yields every line of all rooms in order; with n > 0 only the newest n. Lines that come while it runs may be among them.
func (j *Journal) All(n int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		err := j.all(n, func(l Line) bool { return yield(l, nil) })
		if err != nil {
			yield(Line{}, err)
		}
	}
}

func (j *Journal) all(n int, yield func(Line) bool) error {
	if err := j.settle(); err != nil {
		return err
	}
	ids, err := j.store.rooms()
	if err != nil {
		return j.fault(err)
	}
	var rooms []*room
	for _, id := range ids {
		r := &room{j: j, id: id}
		if n > 0 {
			page, err := j.page(id, Key{}, n, 0)
			if err != nil {
				return err
			}
			r.lines, r.end = page, true
		}
		rooms = append(rooms, r)
	}
	if n > 0 {
		skip := -n
		for _, r := range rooms {
			skip += len(r.lines)
		}
		for ; skip > 0; skip-- {
			if _, _, err := next(rooms); err != nil {
				return err
			}
		}
	}
	for {
		line, ok, err := next(rooms)
		if err != nil || !ok || !yield(line) {
			return err
		}
	}
}

// A room is the lines of one room that All has not yet yielded.
type room struct {
	j     *Journal
	id    message.RoomID
	lines []Line
	last  Key
	end   bool
}

// next takes the first line of all rooms.
func next(rooms []*room) (line Line, ok bool, err error) {
	var first *room
	for _, r := range rooms {
		if err := r.fill(); err != nil {
			return line, false, err
		}
		if len(r.lines) > 0 && (first == nil || r.lines[0].Compare(first.lines[0].Key) < 0) {
			first = r
		}
	}
	if first == nil {
		return line, false, nil
	}
	line, first.lines = first.lines[0], first.lines[1:]
	return line, true, nil
}

// fill reads on where nothing is left.
func (r *room) fill() error {
	for len(r.lines) == 0 && !r.end {
		places, err := r.j.store.places(r.id, r.last, 256, false, 0)
		if err != nil {
			return r.j.fault(err)
		}
		if len(places) == 0 {
			r.end = true
			return nil
		}
		r.last = places[len(places)-1].Key
		if r.lines, err = r.j.linesAt(places); err != nil {
			return err
		}
		if err := r.j.mark(r.lines); err != nil {
			return err
		}
	}
	return nil
}

// Room is one that something was said in.
type Room struct {
	ID   message.RoomID
	Name string // of a public one
	Last uint64 // HLC of the newest message
}

// Rooms lists the public ones by name. Logs are read for that, not their messages.
func (j *Journal) Rooms() ([]Room, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	out, err := j.store.publicRooms()
	return out, j.fault(err)
}

// Conversations lists the sealed rooms that this person takes part in and something is held of, the newest first.
func (j *Journal) Conversations() (out []Room, err error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	looked := map[message.GroupID]bool{}
	for _, m := range j.Mailboxes(0) {
		if looked[m.Group] || !j.owns(m.Group, m.Author) {
			continue
		}
		looked[m.Group] = true
		r := Room{ID: message.RoomID(m.Group)}
		var held int
		if r.Last, held, err = j.store.newest(r.ID); err != nil {
			return nil, j.fault(err)
		}
		if held > 0 {
			out = append(out, r)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Last > out[j].Last })
	return out, nil
}
