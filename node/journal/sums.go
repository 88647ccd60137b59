package journal

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"earshot/node/message"
	"earshot/node/wire"
)

// A Head says how far a log goes.
type Head struct {
	Log  message.LogID
	Seq  uint64
	Tip  message.Hash
	Fork uint64
	Day  uint32
}

// DaySum is the sum, in four lanes of 64 bits, of H("earshot/v1 head\0" || lid || u64 seq || tip || u64 fork) over the logs of one group and day.
type DaySum struct {
	Day uint32
	Sum message.Hash
}

// lanes is a hash as four numbers that are added each for itself: a log that grows costs one subtraction and one addition.
type lanes [4]uint64

func lanesOf(h message.Hash) (l lanes) {
	for i := range l {
		l[i] = binary.BigEndian.Uint64(h[8*i:])
	}
	return l
}

func (l lanes) hash() (h message.Hash) {
	for i, n := range l {
		binary.BigEndian.PutUint64(h[8*i:], n)
	}
	return h
}

func (l *lanes) add(o lanes) {
	for i := range l {
		l[i] += o[i]
	}
}

func (l *lanes) sub(o lanes) {
	for i := range l {
		l[i] -= o[i]
	}
}

func (h *Head) lanes() lanes {
	b := make([]byte, 0, 96)
	b = append(b, "earshot/v1 head\x00"...)
	b = append(b, h.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = append(b, h.Tip[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Fork)
	return lanesOf(sha256.Sum256(b))
}

// A daySum is the sum of one group and day in memory.
type daySum struct {
	group   message.GroupID
	day     uint32
	sum     lanes
	logs    int
	version int    // counts changes that are not on disk; with any, it is in Journal.touched
	parts   *parts // where they were asked for
}

// parts are the first lanes of the sums of a day's parts.
type parts [wire.Parts]uint64

// count notes one more log; like add and sub it may be called of nil.
func (d *daySum) count() {
	if d != nil {
		d.logs++
	}
}

func (d *daySum) add(h *Head) {
	if d == nil {
		return
	}
	l := h.lanes()
	d.sum.add(l)
	if d.parts != nil {
		d.parts[Part(h.Log)] += l[0]
	}
}

func (d *daySum) sub(h *Head) {
	if d == nil {
		return
	}
	l := h.lanes()
	d.sum.sub(l)
	if d.parts != nil {
		d.parts[Part(h.Log)] -= l[0]
	}
}

// sum returns that of a day, to be changed.
func (g *group) sum(id message.GroupID, day uint32) *daySum {
	d := g.days[day]
	if d == nil {
		d = &daySum{group: id, day: day}
		g.days[day] = d
	}
	g.edits++
	return d
}

// sumsLocked returns the sums l is in, to be changed: its group's and, where l is one, that of all mail.
func (j *Journal) sumsLocked(l *state) (d, mail *daySum) {
	d = j.groupLocked(l.Group, false).sum(l.Group, l.Day)
	if d.version == 0 {
		j.touched = append(j.touched, d)
	}
	if l.Group != message.Public && l.Day >= j.mailHorizon {
		mail = j.groupLocked(message.Mail, false).sum(message.Mail, l.Day)
	}
	return d, mail
}

// dayLocked returns the sum of a day, or nil.
func (j *Journal) dayLocked(id message.GroupID, day uint32) *daySum {
	if g := j.groups[id]; g != nil {
		return g.days[day]
	}
	return nil
}

// Days returns the sums of the days from..to of a group, or of message.Mail, that have logs, ascending.
func (j *Journal) Days(g message.GroupID, from, to uint32) ([]DaySum, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return nil, ErrClosed
	}
	return j.daysLocked(g, from, to), nil
}

func (j *Journal) daysLocked(id message.GroupID, from, to uint32) (out []DaySum) {
	g := j.groups[id]
	if g == nil {
		return nil
	}
	for _, day := range slices.Sorted(maps.Keys(g.days)) {
		if from <= day && day <= to {
			out = append(out, DaySum{day, g.days[day].sum.hash()})
		}
	}
	return out
}

// Root returns H("earshot/v1 root\0" || u32 day || sum of each of Days). While nothing changes in the group it costs no more than to look: each link asks once a second.
func (j *Journal) Root(id message.GroupID, from, to uint32) (message.Hash, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return message.Hash{}, ErrClosed
	}
	g := j.groups[id]
	if g == nil {
		return rootOf(nil), nil
	}
	was := g.roots.Load()
	if was == nil || was.edits != g.edits || len(was.held) == maxRoots {
		was = &roots{edits: g.edits}
	}
	for _, r := range was.held {
		if r.from == from && r.to == to {
			return r.hash, nil
		}
	}
	r := root{from, to, rootOf(j.daysLocked(id, from, to))}
	g.roots.Store(&roots{was.edits, append(slices.Clip(was.held), r)})
	return r.hash, nil
}

// NoRoot is what Root returns where there is nothing.
func NoRoot() message.Hash { return rootOf(nil) }

func rootOf(days []DaySum) message.Hash {
	b := append(make([]byte, 0, 16+36*len(days)), "earshot/v1 root\x00"...)
	for _, d := range days {
		b = binary.BigEndian.AppendUint32(b, d.Day)
		b = append(b, d.Sum[:]...)
	}
	return sha256.Sum256(b)
}

// Heads returns at most max heads of the logs of one day of a group, or of message.Mail, with ids above after, ascending, and whether there are more. They are not to be changed.
func (j *Journal) Heads(g message.GroupID, day uint32, after message.LogID, max int) (h []Head, more bool, err error) {
	// First what is in memory, then what is on disk: what is committed in between is seen twice, and nothing not at all.
	j.mu.RLock()
	if j.closed || day < j.horizonLocked(g, false) {
		defer j.mu.RUnlock()
		if j.closed {
			err = ErrClosed
		}
		return nil, false, err
	}
	at, edits := headPage{g, day, after, max}, j.edits
	if held, ok := j.answers.getHeads(at, edits); ok {
		j.mu.RUnlock()
		return held.heads, held.more, nil
	}
	for _, l := range j.changed {
		if l.Day == day && (l.Group == g || g == message.Mail && l.Group != message.Public) && slices.Compare(l.Log[:], after[:]) > 0 {
			h = append(h, l.Head)
		}
	}
	j.mu.RUnlock()
	held, err := j.store.heads(g, day, after, max+1)
	if err != nil {
		return nil, false, j.fault(err)
	}
	h = append(h, held...)
	slices.SortFunc(h, func(a, b Head) int {
		return cmp.Or(slices.Compare(a.Log[:], b.Log[:]), a.age(b))
	})
	h = slices.CompactFunc(h, func(a, b Head) bool { return a.Log == b.Log })
	if len(h) > max {
		h, more = h[:max], true
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.edits == edits {
		j.answers.putHeads(at, edits, headsHeld{h, more})
	}
	return h, more, nil
}

// Part returns which of the parts of its day a log is in: the first seven bits of its id.
func Part(l message.LogID) int { return int(l[0] >> 1) }

// Parts returns, for a day that has so many logs that it is worth it, the sums of its parts, the first lane of each, which says in a kilobyte where two days with
// a thousand logs differ. It is a hint: an author may make two parts look equal that are not, but not two days.
func (j *Journal) Parts(g message.GroupID, day uint32) ([]byte, error) {
	j.mu.RLock()
	d, edits := j.dayLocked(g, day), j.edits
	few := d == nil || d.logs < wire.Parts
	var sums parts
	held := !few && d.parts != nil
	if held {
		sums = *d.parts
	}
	j.mu.RUnlock()
	if few {
		return nil, nil
	}
	if !held {
		var after message.LogID
		for more := true; more; {
			var heads []Head
			var err error
			if heads, more, err = j.Heads(g, day, after, wire.MaxHeads); err != nil {
				return nil, err
			}
			for i := range heads {
				after = heads[i].Log
				sums[Part(after)] += heads[i].lanes()[0]
			}
		}
		j.mu.Lock()
		if j.edits == edits { // from here on it is kept up with the heads
			d.parts = &sums
		}
		j.mu.Unlock()
	}
	b := make([]byte, 0, wire.Parts*wire.PartBytes)
	for _, sum := range sums {
		b = binary.BigEndian.AppendUint64(b, sum)
	}
	return b, nil
}

// age sorts two heads of one log, the newer first: a log only grows, but where a fork cuts it off, and forks only fall.
func (h Head) age(o Head) int {
	if h.Fork != o.Fork {
		return cmp.Compare(h.Fork-1, o.Fork-1) // none is the highest
	}
	return cmp.Compare(o.Seq, h.Seq)
}
