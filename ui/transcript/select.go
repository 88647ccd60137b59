package transcript

import (
	"cmp"
	"slices"

	"github.com/gdamore/tcell/v2"

	"earshot/node/message"
	"earshot/ui/cell"
)

// Selected is the entry that the user has chosen.
type Selected struct {
	ID      message.ID // zero: no message
	Text    string     // with its tabs
	Mine    bool
	Topic   bool // it says what the room is about
	Deleted bool
	Links   []string
}

// Selected returns the chosen entry.
func (l *List) Selected() (Selected, bool) {
	if l.selected == nil || !slices.Contains(l.entries, l.selected) {
		return Selected{}, false
	}
	return chosen(l.selected), true
}

func chosen(e *entry) Selected {
	s := Selected{ID: e.id, Text: cmp.Or(e.tabbed, e.text), Mine: e.mine, Topic: e.of == message.Topic, Deleted: e.redacted}
	for _, c := range links(e.text) {
		s.Links = append(s.Links, e.text[c.start:c.end])
	}
	return s
}

// NewestWhere returns the newest message for which want holds.
func (l *List) NewestWhere(want func(Selected) bool) (Selected, bool) {
	for _, e := range slices.Backward(l.messages()) {
		if want(chosen(e)) {
			return chosen(e), true
		}
	}
	return Selected{}, false
}

// Select chooses the entry that is by further down than the chosen one, or by further up where by is negative; where none is chosen,
// the last message that is in view. It comes into view.
func (l *List) Select(by int) {
	if len(l.entries) == 0 || l.height < 1 {
		return
	}
	at := slices.Index(l.entries, l.selected)
	if at < 0 {
		first, _ := l.top()
		last := l.lastShown()
		for at, by = last, 0; at > first && l.entries[at].id == (message.ID{}); {
			at--
		}
		if l.entries[at].id == (message.ID{}) {
			at = last
		}
	}
	l.selectAt(at + by)
}

// SelectRow chooses the entry on a row of what was drawn, and reports whether there is one.
func (l *List) SelectRow(row int) bool {
	if len(l.entries) == 0 || l.height < 1 {
		return false
	}
	i, from := l.top()
	for left := row; i < len(l.entries); i++ {
		if left -= len(l.rows(i)) - from; left < 0 {
			l.selected = l.entries[i]
			return true
		}
		from = 0
	}
	return false
}

// SelectHome and SelectEnd choose the oldest entry that is kept and the newest.
func (l *List) SelectHome() {
	l.Home()
	l.selectAt(0)
}

func (l *List) SelectEnd() {
	l.End()
	l.selectAt(len(l.entries) - 1)
}

// Deselect chooses nothing.
func (l *List) Deselect() { l.selected = nil }

// lastShown is the last entry of which something is in view.
func (l *List) lastShown() int {
	i, from := l.top()
	for left := l.height + from; i < len(l.entries)-1; i++ {
		if left -= len(l.rows(i)); left <= 0 {
			break
		}
	}
	return i
}

func (l *List) selectAt(at int) {
	if at < 0 {
		l.wanted = true
	}
	if len(l.entries) == 0 || l.height < 1 {
		return
	}
	at = max(min(at, len(l.entries)-1), 0)
	l.selected = l.entries[at]
	if i, row := l.top(); at < i || at == i && row > 0 {
		l.lookAt(at, 0)
		l.wanted = l.wanted || at <= l.near()
		return
	}
	for { // down, row by row: an entry may be taller than the view
		i, row := l.top()
		left := l.height + row
		for j := i; j <= at; j++ {
			left -= len(l.rows(j))
		}
		if left >= 0 || i == at {
			return
		}
		l.Scroll(1)
	}
}

// drawSelected marks a row of the chosen entry, in the cell before its text.
func (l *List) drawSelected(s tcell.Screen, x, y int) {
	cell.Put(s, x+l.gutter()-1, y, 1, l.look.Current, l.look.Mention.Underline(false))
}
