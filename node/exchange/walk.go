package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// A walk is how this end learns what it lacks: the days that differ, newest first, a page of heads at a time. It belongs to the reader, and there is one only while something is looked for.
type walk struct {
	covers map[message.GroupID]struct{} // groups that are looked at
	ask    []wire.AskDays               // still to be asked
	asking []message.GroupID            // whose DAYS are not yet answered
	days   []place                      // still to be visited; the last is the next
	now    place                        // whose heads were asked for
	heads  bool                         // they were, and have not come
	after  message.LogID
	more   bool // there is another page of now
}

type place struct {
	group message.GroupID
	day   uint32
}

// order sorts places, the one to be visited first the last: the newest day, and a group before all mail, of which it may be a part.
func (a place) order(b place) int {
	mail := func(p place) int {
		if p.group == message.Mail {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(mail(a), mail(b)), cmp.Compare(a.day, b.day))
}

// maxAsking is how many DAYS may be on their way at once: each may be as long as a frame.
const maxAsking = 4

// compare looks where the other end's state differs from this journal, and starts a walk, or adds to the one that is on.
func (p *peer) compare(s *wire.State) error {
	if s.Realm != p.journal.Realm() {
		return ErrRealm
	}
	theirs := p.exchange.listOf(s)
	p.adopt(theirs)
	p.heard(s.Durable, theirs) // from here on the tail goes by it, and what came before is in the answer
	p.exchange.keeper(p, s.Durable)
	look := p.hold
	if s.Reply || p.mine == nil || p.news() {
		look = func() (*wire.State, error) { return p.offer(false) }
	}
	mine, err := look()
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.tailing = true
	p.mu.Unlock()
	p.poke()
	if p.walk == nil {
		p.walk = &walk{}
	}
	held := make(map[message.GroupID]*wire.GroupState, len(mine.Groups))
	for i := range mine.Groups {
		held[mine.Groups[i].Group] = &mine.Groups[i]
	}
	nothing := journal.NoRoot()
	for i := range s.Groups {
		b := &s.Groups[i]
		a := held[b.Group]
		if _, on := p.walk.covers[b.Group]; on {
			continue // what the walk finds is newer than what this says
		}
		switch {
		case a == nil, b.Group == message.Mail && p.hands():
		case a.Today != b.Today || a.Root != b.Root || a.Sum != b.Sum: // whatever the horizons: the same root is of the same days
			from := max(a.Horizon, b.Horizon)
			if a.Today == b.Today && a.Root == b.Root {
				from = b.Today // only what is new differs
			}
			if b.Sum == nothing && (b.Root == nothing || from == b.Today) {
				continue // there is nothing to learn
			}
			put(&p.walk.covers, b.Group, struct{}{})
			p.walk.ask = append(p.walk.ask, wire.AskDays{Group: b.Group, From: from})
		}
	}
	return p.step()
}

// walkDays takes the days that differ.
func (p *peer) walkDays(d *wire.Days) error {
	w, asked := p.walk, -1
	if w != nil {
		asked = slices.Index(w.asking, d.Group)
	}
	if asked < 0 {
		return fmt.Errorf("days that were not asked for: %w", wire.ErrFrame)
	}
	w.asking = slices.Delete(w.asking, asked, asked+1)
	if len(d.Days) > 0 {
		last := d.Days[len(d.Days)-1].Day
		sums, err := p.journal.Days(d.Group, d.From, last)
		if err != nil {
			return err
		}
		mine := make(map[uint32]message.Hash, len(sums))
		for _, s := range sums {
			mine[s.Day] = s.Sum
		}
		horizon := p.horizon(d.Group, p.exchange.own())
		for _, s := range d.Days {
			if s.Day >= horizon && mine[s.Day] != s.Sum {
				w.days = append(w.days, place{d.Group, s.Day})
			}
		}
		slices.SortStableFunc(w.days, place.order)
		if n := len(w.days); n > maxWalk {
			w.days = append(w.days[:0], w.days[n-maxWalk:]...)
		}
		if d.More {
			w.ask = append(w.ask, wire.AskDays{Group: d.Group, From: last + 1})
		}
	}
	return p.step()
}

// tellCaughtUp calls Link.CaughtUp where a walk has come to its end, and what it did not ask for because another link was bringing it is here.
func (p *peer) tellCaughtUp() {
	if p.caughtUp || p.walk != nil || !p.walked || p.Hub && p.exchange.busy() {
		return
	}
	p.caughtUp = true
	if p.CaughtUp != nil {
		p.CaughtUp()
	}
}

// step asks for the next page, where nothing is asked for already.
func (p *peer) step() error {
	w := p.walk
	if w == nil {
		return nil
	}
	for len(w.ask) > 0 && len(w.asking) < maxAsking {
		ask := w.ask[0]
		w.ask, w.asking = w.ask[1:], append(w.asking, ask.Group)
		if err := p.answer(wire.TypeAskDays, &ask); err != nil {
			return err
		}
	}
	if len(w.asking) > 0 || w.heads || len(p.wants) > 0 {
		return nil
	}
	if !w.more {
		own := p.exchange.own()
		for n := len(w.days); n > 0 && w.days[n-1].day < p.horizon(w.days[n-1].group, own); n-- { // it has moved on since
			w.days = w.days[:n-1]
		}
		if len(w.days) == 0 {
			p.walk, p.walked = nil, true
			p.tellCaughtUp()
			p.mu.Lock()
			p.walking = false
			p.mu.Unlock()
			return nil
		}
		w.now, w.after = w.days[len(w.days)-1], message.LogID{}
		w.days = w.days[:len(w.days)-1]
	}
	w.heads, w.more = true, false
	p.mu.Lock()
	p.walking = true
	p.mu.Unlock()
	ask := &wire.AskHeads{Group: w.now.group, Day: w.now.day, After: w.after}
	if p.pause <= beatEvery { // a difference that this did not find is looked for without it
		var err error
		if ask.Parts, err = p.journal.Parts(ask.Group, ask.Day); err != nil {
			return err
		}
	}
	return p.answer(wire.TypeAskHeads, ask)
}

// walkHeads wants what is lacking of one page.
func (p *peer) walkHeads(h *wire.Heads) error {
	w := p.walk
	if w == nil || !w.heads || h.Group != w.now.group || h.Day != w.now.day {
		return fmt.Errorf("heads that were not asked for: %w", wire.ErrFrame)
	}
	w.heads = false
	if h.More && len(h.Heads) > 0 {
		last := h.Heads[len(h.Heads)-1].Log
		if string(last[:]) <= string(w.after[:]) {
			return fmt.Errorf("heads that do not go on: %w", wire.ErrFrame)
		}
		w.more, w.after = true, last
	}
	var want wire.Want
	for _, h := range h.Heads {
		from, lacking := p.lacks(h)
		if lacking && p.exchange.pull(h.Log, p) {
			put(&p.wants, h.Log, h.Seq)
			want.Wants = append(want.Wants, wire.WantLog{Log: h.Log, From: from})
		}
	}
	if len(want.Wants) > 0 {
		return p.answer(wire.TypeWant, &want)
	}
	return p.step()
}

// lacks says from which number on h's log is to be asked for.
func (p *peer) lacks(h wire.Head) (from uint64, lacking bool) {
	mine, ok := p.journal.Head(h.Log)
	_, stripped := p.stripped[h.Log]
	switch {
	case stripped:
	case !ok:
		return 1, h.Seq > 0 || h.Fork == 1 // where nothing is in it, that comes with the proof
	case h.Fork > 0 && (mine.Fork == 0 || h.Fork < mine.Fork):
		return mine.Seq + 1, true // the proof comes with it
	case h.Seq > mine.Seq:
		return mine.Seq + 1, mine.Fork == 0 || mine.Seq+1 < mine.Fork
	case h.Seq > 0:
		tip, ok := p.journal.Hash(h.Log, h.Seq)
		return 1, ok && tip != h.Tip
	}
	return 0, false
}

// wantFrom asks for a log out of turn: from 1, to compare, or for what a live run left a gap of.
func (p *peer) wantFrom(l message.LogID, from, until uint64) error {
	_, asked := p.wants[l]
	if _, stripped := p.stripped[l]; asked || stripped || len(p.wants) >= maxServing || !p.exchange.pull(l, p) {
		return nil
	}
	put(&p.wants, l, until)
	return p.answer(wire.TypeWant, &wire.Want{Wants: []wire.WantLog{{Log: l, From: from}}})
}

// fill asks for what is missing before live runs that left a gap. A log that another link brings is tried again later.
func (p *peer) fill() error {
	for l, until := range p.gaps {
		h, _ := p.journal.Head(l)
		if err := p.wantFrom(l, h.Seq+1, until); err != nil {
			return err
		}
		if _, asked := p.wants[l]; asked {
			delete(p.gaps, l)
		}
	}
	return nil
}

// askBodies asks for bodies that are missing though nothing known explains it, of each log once in a while: an end that has none either may have them later.
func (p *peer) askBodies() error {
	if p.walk != nil || len(p.wants) > 0 {
		return nil
	}
	now := time.Now()
	for _, w := range p.journal.Wanted(bodyPatience, maxGaps) {
		h, ok := p.journal.Head(w.Log)
		if !ok || now.Before(p.bodies[w.Log]) {
			continue
		}
		if err := p.wantFrom(w.Log, w.Seq, h.Seq); err != nil {
			return err
		}
		if _, asked := p.wants[w.Log]; asked {
			if len(p.bodies) >= maxGaps {
				clear(p.bodies)
			}
			put(&p.bodies, w.Log, now.Add(maxPause))
		}
	}
	return nil
}

// done ends what was wanted. Where not all of a log has come the other end has it no more, or this one does not take it: each live run of that log leaves a gap then, and none is asked about for a while.
func (p *peer) done(d *wire.Done) error {
	for _, l := range d.Logs {
		until, asked := p.wants[l]
		if !asked {
			continue
		}
		delete(p.wants, l)
		p.exchange.pulled(l, p, true)
		if h, _ := p.journal.Head(l); h.Seq < until && h.Fork == 0 {
			if len(p.vain) >= maxGaps {
				clear(p.vain)
			}
			put(&p.vain, l, time.Now().Add(maxPause))
			delete(p.gaps, l)
		}
	}
	if err := p.fill(); err != nil {
		return err
	}
	return p.step()
}
