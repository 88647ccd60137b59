package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/command"
)

const (
	// searchRest is how long nothing is typed before it is looked for.
	searchRest = 120 * time.Millisecond
	// searchPage is how many hits are asked for at once; the next page when the user is half a page from the end.
	searchPage = 50
	// searchAgain is how often what the index does not have yet is looked for again.
	searchAgain = 2 * time.Second
)

// search is the overlay in which words are looked for in the whole history while they are typed, the newest hit first.
type search struct {
	*app
	prompt *input
	fresh  bool      // it was opened again: what is typed takes the place of what stands there
	due    time.Time // when what is typed is to be looked for; zero: it was

	query   string // what hits are of
	hits    []node.Hit
	older   int64 // where to go on
	unseen  int64
	problem *node.Error
	at      int

	cancel context.CancelFunc // ends the search that is going on; nil: none is
	turn   int                // counts searches

	shown rect // where the hits were drawn, from the first on
	first int
}

// openSearch lays the search over the screen: for words, or as it was left.
func (a *app) openSearch(words string) {
	if a.found == nil {
		a.found = &search{app: a, prompt: newPrompt(a.look)}
	}
	o := a.found
	o.prompt.setLook(a.look)
	o.fresh = true
	if words != "" {
		o.prompt.set(words)
		o.fresh = false
	}
	if o.words() != "" { // something may have been said since
		o.due = a.now()
	}
	a.open(o)
}

func (o *search) words() string { return strings.TrimSpace(o.prompt.GetText()) }

func (o *search) key(ev *tcell.EventKey, name string) bool {
	switch name {
	case "Enter":
		if o.query == o.words() { // else what is found is of other words, and goes before anybody has seen it
			o.choose()
		} else if !o.due.IsZero() {
			o.due = o.now()
		}
		return true
	case "F1", "F2", "Ctrl-K", "F4", "F5", "F6":
		return false
	case "F3", "Ctrl-F":
		o.closeOverlay()
		return true
	case "Tab", "Ctrl-N":
		name = "Down"
	case "Shift-Tab", "Ctrl-P":
		name = "Up"
	case "Home", "End":
		if o.words() != "" && !o.fresh {
			o.prompt.press(ev)
			return true
		}
	}
	if to, moved := move(name, o.at, len(o.hits), max(o.shown.h/hitRows-1, 1)); moved {
		o.at, o.fresh = to, false
		return true
	}
	if o.fresh && ev.Key() == tcell.KeyRune {
		o.prompt.set("")
	}
	before := o.words()
	if name == "Ctrl-U" {
		o.prompt.set("")
	} else if name != "Ctrl-J" && name != "Alt-Enter" {
		o.prompt.press(ev)
	}
	o.fresh = false
	if o.words() != before {
		o.due = o.now().Add(searchRest)
	}
	return true
}

func (o *search) pasted(line string) bool {
	if o.fresh {
		o.prompt.set("")
	}
	o.fresh = false
	o.prompt.insert(line)
	o.due = o.now().Add(searchRest)
	return true
}

// choose goes to where the chosen hit was said. A room that was left, or never joined, is joined first: what is said there from now on belongs to what is shown.
func (o *search) choose() {
	if o.at >= len(o.hits) {
		return
	}
	h := o.hits[o.at]
	o.closeOverlay()
	show := func() {
		o.show(h.Room)
		o.here().list.Show(h.ID, h.Key)
		o.open(&browse{o.app})
	}
	if r, ok := command.Known(o.snapshot, h.Room); ok && (r.Joined || command.Invitation(r)) {
		show()
		return
	}
	o.outbox = append(o.outbox, job{node.Join{Room: h.Room}, func(err error) {
		if err != nil {
			o.fail(err)
			return
		}
		o.refresh()
		show()
	}})
}

func (o *search) wheel(by int) { o.at, _ = move("Down", o.at+by/wheelRows-1, len(o.hits), 1) }

func (o *search) click(x, y int) {
	switch {
	case o.shown.in(x, y) && (y-o.shown.y)/hitRows+o.first < len(o.hits):
		o.at = (y-o.shown.y)/hitRows + o.first
		o.choose()
	case !o.shown.in(x, y):
		o.closeOverlay()
	}
}

// lookFor asks the node for what is typed, and for more where the user comes near the end of what was found, in the background.
func (a *app) lookFor(ctx context.Context) {
	o := a.found
	switch {
	case o == nil:
		return
	case a.overlay != overlay(o):
		o.end()
		return
	}
	words, more := o.words(), false
	switch {
	case !o.due.IsZero() && !a.now().Before(o.due):
		o.end()
		o.due = time.Time{}
		if words == "" {
			o.take(words, node.Found{}, nil, false)
			return
		}
	case o.due.IsZero() && o.cancel == nil && o.older != 0 && o.at >= len(o.hits)-searchPage/2:
		words, more = o.query, true
	default:
		return
	}
	ctx, o.cancel = context.WithCancel(ctx)
	o.turn++
	turn, older := o.turn, int64(0)
	if more {
		older = o.older
	}
	a.start(func() {
		found, err := a.node.Search(ctx, words, older, searchPage)
		if ctx.Err() != nil {
			return
		}
		a.report(ctx, func() {
			if turn != o.turn || o.cancel == nil {
				return
			}
			o.end()
			o.take(words, found, err, more)
		})
	})
}

// end ends the search that is going on.
func (o *search) end() {
	if o.cancel != nil {
		o.cancel()
		o.cancel = nil
	}
}

// take shows what was found.
func (o *search) take(words string, found node.Found, err error, more bool) {
	if err != nil {
		o.log.Info("search", "err", err)
		if !errors.As(err, &o.problem) {
			o.problem = &node.Error{Text: err.Error()}
		}
		if o.older = 0; words != o.query { // what was found is of other words
			o.query, o.hits = words, nil
		}
		return
	}
	o.problem = nil
	if !more {
		if words != o.query {
			o.at = 0
		}
		o.hits = nil
	}
	o.query, o.hits, o.older, o.unseen = words, append(o.hits, found.Hits...), found.Older, found.Unseen
	if o.unseen > 0 && o.due.IsZero() && o.overlay == overlay(o) {
		o.due = o.now().Add(searchAgain)
	}
}

// hitRows is how many rows a hit takes: who, where and when; and what.
const hitRows = 2

func (o *search) draw(w, h int) {
	inner := o.box(w, h, helpWidth, h, "search")
	o.prompt.draw(o.screen, inner.x, inner.y, inner.w, 1, `words, "in this order", from:nick in:#room`)
	said := inner.y + inner.h - 1
	cell.Put(o.screen, inner.x, said, inner.w, cell.Fit(o.outcome(), inner.w, o.look.More), o.look.Dim)
	inner.y, inner.h = inner.y+1, inner.h-2
	o.at = max(min(o.at, len(o.hits)-1), 0)
	fit := max(inner.h/hitRows, 1)
	o.first = max(min(o.first, o.at), o.at-fit+1, 0)
	o.shown = inner
	for i := o.first; i < len(o.hits) && i < o.first+fit; i++ {
		y := inner.y + (i-o.first)*hitRows
		if i == o.at {
			cell.Put(o.screen, inner.x, y, 1, o.look.Current, o.look.Strong)
		}
		o.drawHit(inner.x+2, y, inner.w-2, o.hits[i])
	}
}

// outcome says in one line what was found, or why nothing was.
func (o *search) outcome() string {
	switch {
	case o.words() == "":
		return "also after:2026-11-20 and before:2026-11-27"
	case o.problem != nil:
		text := cell.Line(o.problem.Text)
		if o.problem.Hint != "" {
			text += "; " + cell.Line(o.problem.Hint)
		}
		return text
	case o.query != o.words():
		return "looking" + o.look.More
	}
	text := fmt.Sprintf("%d found", len(o.hits))
	switch {
	case len(o.hits) == 0:
		text = "nothing is found"
	case o.older != 0:
		text = fmt.Sprintf("%d found so far, and more before them", len(o.hits))
	}
	if o.unseen > 0 {
		text += fmt.Sprintf("; %d messages are yet to be indexed", o.unseen)
	}
	return text
}

func (o *search) drawHit(x, y, w int, h node.Hit) {
	layout := "Mon 2 Jan 15:04"
	if h.At.Local().Year() != o.now().Local().Year() {
		layout = "2 Jan 2006 15:04"
	}
	dot := " " + o.look.Dot + " "
	o.put(x, y, w, piece{cell.Fit(cell.Line(h.Nick), w/3, o.look.More), o.look.Author(h.Author)}, piece{dot + cell.Fit(cell.Line(h.Room), w/3, o.look.More) + dot, o.look.Dim},
		piece{h.At.Local().Format(layout), o.look.Dim})
	if y++; y >= o.shown.y+o.shown.h {
		return
	}
	o.put(x, y, w, o.snippet(h, w)...)
}

// snippet is as much of a hit's text as there is room for, in one line, with the words in it: what is before the first of them is shortened.
func (o *search) snippet(h node.Hit, w int) []piece {
	var pieces []piece
	at := 0
	add := func(to int, style tcell.Style) {
		if to > at && to <= len(h.Text) {
			pieces = append(pieces, piece{cell.Line(h.Text[at:to]), style})
			at = to
		}
	}
	for _, s := range h.Spans {
		add(s.Start, o.look.Text)
		add(s.End, o.look.Mention)
	}
	add(len(h.Text), o.look.Text)
	if h.Kind == message.Topic {
		pieces = append([]piece{{"topic: ", o.look.Dim}}, pieces...)
	}
	if len(pieces) > 1 && len(h.Spans) > 0 && h.Spans[0].Start > 0 {
		total := 0
		for _, p := range pieces {
			total += cell.Width(p.text)
		}
		lead := &pieces[0]
		for room := max(w/3, w-(total-cell.Width(lead.text))-1); total > w && cell.Width(lead.text) > room; {
			_, lead.text, _ = cell.Next(lead.text)
			if cell.Width(lead.text) <= room {
				lead.text = o.look.More + lead.text
				break
			}
		}
	}
	used := 0
	for i := range pieces {
		p := &pieces[i]
		p.text = cell.Fit(p.text, w-used, o.look.More)
		used += cell.Width(p.text)
	}
	return pieces
}
