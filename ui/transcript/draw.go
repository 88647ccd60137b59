package transcript

import (
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node/message"
	"earshot/ui/cell"
)

// piece is text in one style.
type piece struct {
	text  string
	style tcell.Style
}

// row is one line on the screen. start is where its text begins in the entry's.
type row struct {
	pieces []piece
	start  int
	rule   bool // a separator: drawn from edge to edge around its only piece
}

// around is what an entry's looks depend on beside itself.
type around struct {
	width               int
	day, unread, header bool
	year                bool
}

// drawn is an entry cut into rows. decor counts the rows above its own text: separators and header.
type drawn struct {
	around around
	rows   []row
	decor  int
}

// together is how long one author's messages share a header.
const together = 5 * time.Minute

// narrow is the width below which the gutter is three cells instead of as many as the time takes.
const narrow = 50

func (l *List) gutter() int {
	if l.width < narrow {
		return 3
	}
	return l.look.Clock.Width() + 1
}

// rows returns an entry cut into rows for the present width.
func (l *List) rows(i int) []row {
	e := l.entries[i]
	a := l.around(i)
	if e.drawn.rows == nil || e.drawn.around != a {
		e.drawn = l.cut(e, a)
	}
	return e.drawn.rows
}

func (l *List) around(i int) around {
	e := l.entries[i]
	a := around{width: l.width, unread: e == l.unread, day: true, header: true}
	if i > 0 {
		before := l.entries[i-1]
		a.day = !sameDay(before.at, e.at)
		a.header = a.day || a.unread || before.kind != said || before.author != e.author || before.nick != e.nick || e.at.Sub(before.at) >= together
	}
	a.year = a.day && l.entries[len(l.entries)-1].at.Local().Year() != e.at.Local().Year()
	return a
}

func sameDay(a, b time.Time) bool {
	a, b = a.Local(), b.Local()
	return a.YearDay() == b.YearDay() && a.Year() == b.Year()
}

func (l *List) cut(e *entry, a around) drawn {
	var rows []row
	if a.day {
		rows = append(rows, row{rule: true, pieces: []piece{{l.look.Clock.Day(e.at.Local(), a.year), l.look.Dim}}})
	}
	if a.unread {
		rows = append(rows, row{rule: true, pieces: []piece{{"new messages", l.look.Unread}}})
	}
	clock := piece{l.look.Clock.Time(e.at.Local()) + " ", l.look.Dim}
	if e.kind == said && a.header {
		rows = append(rows, row{pieces: []piece{clock, {e.nick, l.look.Author(e.author)}}})
	}
	if e.quotes != (message.ID{}) && !e.redacted {
		rows = append(rows, l.quoteRow(e))
	}
	d := drawn{around: a, decor: len(rows)}
	style := l.look.Text
	if e.redacted {
		style = l.look.Dim
	}
	switch e.kind {
	case said:
		d.rows = append(rows, l.body(e, e.text, l.mark(e), "", style)...)
	case action:
		lead := l.lead(clock, "*", l.look.Author(e.author))
		if e.shown() {
			lead = l.lead(clock, l.delivery(e), l.look.Dim)
		}
		d.rows = append(rows, l.action(e, lead)...)
	case event, presence, late:
		d.rows = append(rows, l.body(e, e.text, l.lead(clock, l.look.Note, l.look.Dim), "  ", l.look.Dim)...)
	case answer:
		d.rows = append(rows, l.body(e, e.text, l.lead(clock, l.look.Note, l.look.Dim), "  ", l.look.Text)...)
	case problem:
		d.rows = append(rows, l.body(e, e.text, l.lead(clock, l.look.Problem, l.look.Bad), "  ", l.look.Text)...)
		if e.hint != "" {
			d.rows = append(d.rows, l.body(e, e.hint, nil, "  ", l.look.Dim)...)
		}
	}
	l.footer(e, &d)
	return d
}

// quoteRow is what a message answers, in one row above it.
func (l *List) quoteRow(e *entry) row {
	indent := strings.Repeat(" ", l.gutter()) + l.look.Bar + " "
	return row{pieces: []piece{{indent + cell.Fit(e.quote, max(l.width-cell.Width(indent), 1), l.look.More), l.look.Dim}}}
}

// footer says below a message that it was edited, behind its end where there is room, and what reactions it has.
func (l *List) footer(e *entry, d *drawn) {
	indent, end := strings.Repeat(" ", l.gutter()), len(e.text)
	if e.edited && !e.redacted && len(d.rows) > 0 {
		used := 0
		last := &d.rows[len(d.rows)-1]
		for _, p := range last.pieces {
			used += cell.Width(p.text)
		}
		if used+len(" (edited)") <= l.width {
			last.pieces = append(last.pieces, piece{" (edited)", l.look.Dim})
		} else {
			d.rows = append(d.rows, row{pieces: []piece{{indent + "(edited)", l.look.Dim}}, start: end})
		}
	}
	if e.reactions == "" {
		return
	}
	for _, r := range cell.Wrap(e.reactions, max(l.width-l.gutter(), 1)) {
		d.rows = append(d.rows, row{pieces: []piece{{indent + e.reactions[r.Start:r.End], l.look.Dim}}, start: end})
	}
}

// mark is the gutter of a message: how far it got where it is the user's own, or that the user is named.
func (l *List) mark(e *entry) []piece {
	sign, style := "", l.look.Dim
	switch {
	case e.shown():
		switch sign = l.delivery(e); sign {
		case l.look.Waiting:
		case l.look.Lost:
			style = l.look.Bad
		default:
			style = l.look.Good
		}
	case len(e.me) > 0:
		sign, style = l.look.Mentioned, l.look.Mention.Underline(false)
	}
	return []piece{{pad(sign, l.gutter()-1) + " ", style}}
}

// shown reports whether how far a message got is worth showing.
func (e *entry) shown() bool { return e.mine && (e.live || e.pending || e.read) }

// delivery is the sign for how many machines have an own message, or that the other has read it.
func (l *List) delivery(e *entry) string {
	switch {
	case e.lost:
		return l.look.Lost
	case e.read:
		return l.look.Seen
	case e.copies >= 3 || e.copies == 2 && e.all:
		return l.look.Three
	case e.copies == 2:
		return l.look.Two
	default:
		return l.look.Waiting
	}
}

func pad(s string, width int) string { return strings.Repeat(" ", max(width-cell.Width(s), 0)) + s }

// lead is what stands before a line that is not a message: the time, where there is room, and a sign.
func (l *List) lead(clock piece, sign string, style tcell.Style) []piece {
	if l.gutter() == 3 {
		return []piece{{pad(sign, 2) + " ", style}}
	}
	return []piece{clock, {sign + " ", style}}
}

// action draws "nick does something".
func (l *List) action(e *entry, lead []piece) []row {
	shown := *e
	shown.text = e.nick + " " + e.text
	shown.me = nil
	for _, c := range e.me {
		shown.me = append(shown.me, cut{c.start + len(e.nick) + 1, c.end + len(e.nick) + 1})
	}
	return l.body(&shown, shown.text, lead, "  ", l.look.Text)
}

// body wraps text beside the gutter. lead stands in the gutter of the first row; all others, whatever made them, begin with blanks, so that
// no text can look like the head of another message. more is a further indent.
func (l *List) body(e *entry, text string, lead []piece, more string, style tcell.Style) []row {
	indent := strings.Repeat(" ", l.gutter())
	if l.gutter() > 3 {
		indent += more
	}
	taken := len(indent)
	if n := 0; lead != nil {
		for _, p := range lead {
			n += cell.Width(p.text)
		}
		taken = max(taken, n)
	}
	marked := l.marked(e, text)
	var rows []row
	for i, r := range cell.Wrap(text, l.width-taken) {
		pieces := []piece{{indent, style}}
		if i == 0 && lead != nil {
			pieces = append([]piece(nil), lead...)
		}
		rows = append(rows, row{pieces: append(pieces, marked.pieces(r, style)...), start: r.Start})
	}
	return rows
}

// Draw draws the list.
func (l *List) Draw(s tcell.Screen, x, y, width, height int) {
	l.Resize(width, height)
	if width < 8 || height < 1 {
		return
	}
	if len(l.entries) > 0 {
		i, from := l.top()
		for line := 0; line < height && i < len(l.entries); i++ {
			for n, r := range l.rows(i)[from:] {
				if line < height {
					l.drawRow(s, x, y+line, width, r)
					if e := l.entries[i]; e == l.selected && from+n >= e.drawn.decor {
						l.drawSelected(s, x, y+line)
					}
				}
				line++
			}
			from = 0
		}
	}
	if !l.follow {
		l.drawBelow(s, x, y+height-1, width)
	}
}

// Resize tells the list how much it is going to be given.
func (l *List) Resize(width, height int) { l.width, l.height = width, height }

func (l *List) drawRow(s tcell.Screen, x, y, width int, r row) {
	if r.rule {
		l.drawRule(s, x, y, width, r.pieces[0])
		return
	}
	used := 0
	for _, p := range r.pieces {
		used += cell.Put(s, x+used, y, width-used, p.text, p.style)
	}
}

func (l *List) drawRule(s tcell.Screen, x, y, width int, p piece) {
	text := " " + p.text + " "
	left := max((width-cell.Width(text))/2, 0)
	style := l.look.Border
	if p.style == l.look.Unread {
		style = p.style
	}
	cell.Put(s, x, y, width, strings.Repeat(l.look.Rule, width), style)
	cell.Put(s, x+left, y, width-left, text, p.style)
}

// drawBelow says in the corner that there is more below.
func (l *List) drawBelow(s tcell.Screen, x, y, width int) {
	text, style := l.belowText(), l.look.Badge
	if l.below == 0 {
		style = l.look.Dim
	}
	at := max(width-cell.Width(text)-1, 0)
	cell.Put(s, x+at, y, width-at, text, style)
}

func (l *List) belowText() string {
	switch {
	case l.width < 24:
		return fmt.Sprintf(" %s%d ", l.look.Down, l.below)
	case l.below == 0:
		return fmt.Sprintf(" %s End ", l.look.Down)
	}
	return fmt.Sprintf(" %s %d new (End) ", l.look.Down, l.below)
}

// BelowWidth is how many cells of the last row, at its right end, say that there is more below; 0: there is not.
func (l *List) BelowWidth() int {
	if l.follow {
		return 0
	}
	return cell.Width(l.belowText()) + 1
}
