package transcript

import (
	"slices"

	"earshot/node"
	"earshot/node/message"
)

// PageSize is how many messages are asked for at once. A page that has fewer is the last.
const PageSize = 200

// WantKind says what a list wants.
type WantKind uint8

const (
	Older  WantKind = iota // the newest messages before Key
	Newer                  // the oldest after Key
	Newest                 // the newest of all
	First                  // the oldest of all
	Around                 // half a page before Key, and half a page from it on
)

// A Want is a page of messages that a list has not.
type Want struct {
	Kind WantKind
	Key  node.Key
	turn int
}

// maxMeanwhile bounds what is kept for when a page has come that may lack it.
const maxMeanwhile = 4096

// Ask returns what the list lacks for where the user is, or is soon going to be. It asks for one page at a time: the next when that is taken.
func (l *List) Ask() (w Want, ok bool) {
	if l.asking {
		return Want{}, false
	}
	switch {
	case l.goal != nil:
		w, l.goal = *l.goal, nil
	case l.cutOff && l.follow:
		w.Kind = Newest
	case l.wanted && !l.exhausted:
		w.Kind, w.Key = Older, l.oldest()
	case l.cutOff && l.nearEnd():
		w.Kind, w.Key = Newer, l.newest()
	default:
		return Want{}, false
	}
	l.asking = true
	l.turn++
	w.turn = l.turn
	l.meanwhile, l.overflow = nil, false
	return w, true
}

// Take takes the page that was asked for, oldest first. An answer to what is not asked any more is let go. me is the user's nick.
func (l *List) Take(w Want, page []node.Message, me string) {
	if !l.asking || w.turn != l.turn {
		return
	}
	l.asking = false
	meanwhile := l.meanwhile
	l.meanwhile = nil
	if l.goal != nil { // somewhere else by now
		return
	}
	switch w.Kind {
	case Older:
		l.wanted, l.exhausted = false, len(page) == 0
		l.put(page, me, true)
	case Newer:
		l.put(page, me, false)
		if l.meet(len(page) < PageSize); !l.cutOff && !l.follow && l.height > 0 {
			l.lookAt(l.top()) // the end may be in view
		}
	case Newest:
		l.replace(page, me)
		l.meet(true)
	case First:
		l.replace(page, me)
		l.exhausted = true
		l.meet(len(page) < PageSize)
		if len(l.entries) > 0 && l.height > 0 {
			l.follow = false
			l.lookAt(0, 0)
		}
	case Around:
		if slices.ContainsFunc(page, func(m node.Message) bool { return m.Key == w.Key }) {
			l.replace(page, me)
			l.show(l.entries[l.at(w.Key)])
		}
	}
	below := l.below
	for _, do := range meanwhile {
		do()
	}
	l.below = below
	l.trim()
}

// again keeps what was done to the list for when the page that is asked for has come, if one is: it may be of before.
func (l *List) again(do func()) {
	if !l.asking {
		return
	}
	if l.overflow = l.overflow || len(l.meanwhile) >= maxMeanwhile; !l.overflow {
		l.meanwhile = append(l.meanwhile, do)
	}
}

// Fail tells that the page that was asked for cannot be had.
func (l *List) Fail(w Want) {
	if l.asking && w.turn == l.turn {
		l.asking, l.wanted, l.goal, l.meanwhile = false, false, nil, nil
		if w.Kind == Newest || w.Kind == Newer { // it would be asked for at once, and again
			l.cutOff = false
		}
	}
}

// Show brings a message into view and chooses it, if need be when the page around it has come.
func (l *List) Show(id message.ID, k node.Key) {
	if e := l.byID[id]; e != nil && l.height > 0 {
		l.goal = nil
		l.show(e)
		return
	}
	l.goal = &Want{Kind: Around, Key: k}
}

// show brings an entry to about the upper third of the view.
func (l *List) show(e *entry) {
	l.selected = e
	i := l.index(e)
	left := l.height / 3
	for i > 0 && left > 0 {
		i--
		left -= len(l.rows(i))
	}
	l.lookAt(i, max(-left, 0))
	l.wanted = l.wanted || i <= l.near()
}

// at is where the entry of a message's key is.
func (l *List) at(k node.Key) int {
	return max(slices.IndexFunc(l.entries, func(e *entry) bool { return e.key == k && e.id != (message.ID{}) }), 0)
}

// near is how many entries before the first are left when the page before it is asked for: so many that it comes before the user does.
func (l *List) near() int { return min(max(3*l.height, 100), l.limit/4) }

// nearEnd reports whether the user is soon at the end of what is kept.
func (l *List) nearEnd() bool {
	return !l.follow && l.height > 0 && len(l.entries)-l.index(l.anchor) <= l.near()+l.height
}

func (l *List) oldest() node.Key {
	for _, e := range l.entries {
		if e.id != (message.ID{}) {
			return e.key
		}
	}
	return node.Key{}
}

func (l *List) newest() node.Key {
	for _, e := range slices.Backward(l.entries) {
		if e.id != (message.ID{}) {
			return e.key
		}
	}
	return node.Key{}
}

// put puts messages in their places. before: what the program said before the first of them stays before it.
func (l *List) put(page []node.Message, me string, before bool) {
	for _, m := range page {
		if l.byID[m.ID] == nil && displayed(m.Kind) {
			e := fromMessage(m, me)
			e.live = m.Here
			l.insert(e, before)
			l.introduce(e, &m)
		}
	}
}

// replace forgets all messages for a page; what the program itself said last, and what is pending, stays.
func (l *List) replace(page []node.Message, me string) {
	tail := len(l.entries)
	for tail > 0 && l.entries[tail-1].id == (message.ID{}) {
		tail--
	}
	kept, was := slices.Clone(l.entries[tail:]), l.byID
	l.entries, l.byID, l.answers, l.exhausted, l.unread, l.wanted, l.cutOff = kept, map[message.ID]*entry{}, nil, false, nil, false, true
	l.put(page, me, true)
	for id, e := range l.byID {
		if old := was[id]; old != nil { // a page does not tell that
			e.lost = old.lost
		}
	}
}

// meet ends the gap before what is said now, where end says that the page goes so far.
func (l *List) meet(end bool) {
	if end {
		l.cutOff = l.overflow
	}
}

// trim keeps the list within its limit: it lets go the end that the user is further away from.
func (l *List) trim() {
	slack := l.limit/20 + 1
	if len(l.entries) <= l.limit+slack {
		return
	}
	excess := len(l.entries) - l.limit
	if at := l.index(l.anchor); !l.follow && at < len(l.entries)/2 {
		l.cutOff = true
		keep := min(max(l.limit-l.pending, at+l.height+1), len(l.entries)-l.pending)
		l.forget(l.entries[keep : len(l.entries)-l.pending])
		l.entries = slices.Delete(l.entries, keep, len(l.entries)-l.pending)
		return
	}
	l.exhausted = false
	l.forget(l.entries[:excess])
	l.entries = slices.Delete(l.entries, 0, excess)
}

func (l *List) forget(gone []*entry) {
	for _, e := range gone {
		delete(l.byID, e.id)
	}
}
