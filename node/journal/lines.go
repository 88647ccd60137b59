package journal

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Key is a place in the order for people.
type Key struct {
	HLC uint64
	Log message.LogID
	Seq uint64
}

// Compare sorts by stamp, then log, then number: the same on every machine.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.HLC, o.HLC), bytes.Compare(k.Log[:], o.Log[:]), cmp.Compare(k.Seq, o.Seq))
}

// A Line is one message as people see it. Body is as it was signed: whoever shows it cleans it.
type Line struct {
	Key
	ID      message.ID
	Room    message.RoomID
	Name    string // of the room
	Author  identity.PeerID
	Nick    string // at the end of this log
	Kind    message.Kind
	Body    []byte // nil where redacted
	Arrival int64
	Nonce   message.Nonce // of the author's process
	Marks   Marks         // what became of it
	// Sealed: Kind and Body are what was sealed. What is sealed and not open is of kind Sealed; it is nothing to be shown.
	Sealed bool
}

// Ref names a line to those that are about it.
func (l *Line) Ref() message.Ref { return message.Ref{Log: l.Log, Seq: l.Seq, ID: l.ID} }

// lines returns those messages of run, a run of l, that are seen.
func (l *state) lines(run *message.Run, arrival int64) []Line {
	return l.linesOf(make([]Line, 0, len(run.Records)), run, run.Hashes(), arrival)
}

// linesOf appends them where the hashes of the headers are known.
func (l *state) linesOf(out []Line, run *message.Run, hashes []message.Hash, arrival int64) []Line {
	for i, h := range hashes {
		r := &run.Records[i]
		seq := run.First + uint64(i)
		if seq > l.Seq {
			break
		}
		kind := r.Kind
		if l.Group != message.Public && !inClear(kind) {
			kind = message.Sealed
		}
		out = append(out, Line{
			Key:     Key{HLC: r.HLC, Log: l.Log, Seq: seq},
			ID:      h.ID(),
			Room:    l.Room,
			Name:    l.Name,
			Author:  l.Author,
			Nick:    l.nick,
			Kind:    kind,
			Body:    r.Body,
			Arrival: arrival,
			Nonce:   l.Nonce,
		})
	}
	return out
}

// run decodes the entry; what was hashed as it came is not hashed again.
func (e *Entry) run() (*message.Run, []message.Hash, error) {
	if e.hashes != nil {
		run, err := held(message.ParseBodies(body(e.Frame)))
		return run, e.hashes, err
	}
	run, err := parseHeld(body(e.Frame))
	if err != nil {
		return nil, nil, err
	}
	return run, run.Hashes(), nil
}

// Lines decodes an entry; none are returned of a log that was dropped meanwhile, of a proof, or past a fork; what this process wrote is told all the same, and
// of what was tried again only what has opened. Bodies alias the frame, or are shared: they must not be changed.
func (j *Journal) Lines(e Entry) ([]Line, error) { return j.LinesIn(nil, e) }

// LinesIn is Lines for who decodes one entry after another: it may overwrite what lines has room for.
func (j *Journal) LinesIn(lines []Line, e Entry) ([]Line, error) {
	if e.Fork != 0 {
		return nil, nil
	}
	l, ok, err := j.lookup(e.Log)
	if err != nil || !ok {
		return nil, err
	}
	run, hashes, err := e.run()
	if err != nil {
		return nil, j.fault(err)
	}
	if e.From == 0 {
		l.Seq = math.MaxUint64
	}
	lines = l.linesOf(slices.Grow(lines[:0], len(run.Records)), run, hashes, e.Arrival)
	if o := e.open; o != nil {
		for i := range lines {
			what, _ := o.at(lines[i].Seq)
			lines[i].says(what)
		}
		if o.only {
			lines = slices.DeleteFunc(lines, func(l Line) bool { return !l.Sealed })
		}
	} else if err := j.unseal(lines); err != nil {
		return nil, err
	}
	return lines, j.mark(lines)
}

// Whose returns what is the same of all lines of an entry: the log, where that is said, and by whom; false: the log was dropped meanwhile.
func (j *Journal) Whose(e Entry) (Line, bool) {
	l, ok, err := j.lookup(e.Log)
	if !ok || err != nil {
		return Line{}, false
	}
	return Line{Key: Key{Log: e.Log}, Room: l.Room, Name: l.Name, Author: l.Author, Nick: l.nick, Nonce: l.Nonce, Arrival: e.Arrival}, true
}

// Beyond returns the lines from a number on that are kept of a log although it ends before them, at a fork, up to where it ended before, unless that is 0: of the ways in which it went
// on, the one that came here first.
func (j *Journal) Beyond(id message.LogID, from, was uint64) (out []Line, err error) {
	l, _, err := j.lookup(id)
	if err != nil || l.Fork == 0 {
		return nil, err
	}
	from = max(from, l.Fork)
	if was == 0 {
		was = message.MaxSeq
	}
	rows, err := j.store.runs(l.row, from, was-1, math.MaxInt)
	if err != nil {
		return nil, j.fault(err)
	}
	j.mu.RLock()
	for _, arrival := range l.pending {
		if arrival > j.durable.Load() {
			rows = append(rows, body(j.tail.at(arrival).Frame))
		}
	}
	j.mu.RUnlock()
	l.Seq = math.MaxUint64
	for _, row := range rows {
		run, err := parseHeld(row)
		if err != nil {
			return nil, j.fault(err)
		}
		for _, line := range l.lines(run, 0) {
			if line.Seq >= from && line.Seq < was && (len(out) == 0 || line.Seq > out[len(out)-1].Seq) {
				out = append(out, line)
			}
		}
	}
	return out, j.unseal(out)
}

// linesAt reads the lines at places.
func (j *Journal) linesAt(places []place) ([]Line, error) {
	lines, err := j.store.lines(places)
	if err == nil {
		err = j.store.late(lines)
	}
	if err != nil {
		return nil, j.fault(err)
	}
	return lines, j.unseal(lines)
}

// Page returns the newest n lines of a room before k (the zero Key: from the end), oldest first.
func (j *Journal) Page(room message.RoomID, k Key, n int) ([]Line, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	return j.page(room, k, n, 0)
}

// page is Page of what arrived since a number.
func (j *Journal) page(room message.RoomID, k Key, n int, since int64) ([]Line, error) {
	if k == (Key{}) {
		k.HLC = math.MaxInt64
	}
	out, err := j.near(room, k, n, true, since)
	slices.Reverse(out)
	return out, err
}

// After returns the oldest n lines of a room after k (the zero Key: from the beginning), oldest first.
func (j *Journal) After(room message.RoomID, k Key, n int) ([]Line, error) {
	if err := j.settle(); err != nil {
		return nil, err
	}
	return j.near(room, k, n, false, 0)
}

// near returns the n lines that follow k, or with back those that precede it, nearest first, of what arrived since a number.
func (j *Journal) near(room message.RoomID, k Key, n int, back bool, since int64) (out []Line, err error) {
	for len(out) < n {
		// A place may have no line any more, and then one more is looked at.
		places, err := j.store.places(room, k, n-len(out), back, since)
		if err != nil {
			return nil, j.fault(err)
		}
		if len(places) == 0 {
			break
		}
		k = places[len(places)-1].Key
		lines, err := j.linesAt(places)
		if err != nil {
			return nil, err
		}
		out = append(out, lines...)
	}
	return out, j.mark(out)
}

// lines reads the lines at places, in their order, leaving out what is not seen any more.
func (s *store) lines(places []place) ([]Line, error) {
	var arrivals []int64
	for _, p := range places {
		arrivals = append(arrivals, p.arrival)
	}
	slices.Sort(arrivals)
	list, err := jsonOf(slices.Compact(arrivals))
	if err != nil {
		return nil, err
	}
	found := make(map[Key]Line, len(places))
	for _, p := range places {
		found[p.Key] = Line{}
	}
	err = s.eachRun(runsOfList, []any{list}, func(l *state, run *message.Run, arrival int64) {
		for _, line := range l.lines(run, arrival) {
			if _, ok := found[line.Key]; ok {
				found[line.Key] = line
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]Line, 0, len(places))
	for _, p := range places {
		if line := found[p.Key]; line.Seq != 0 {
			out = append(out, line)
		}
	}
	return out, nil
}
