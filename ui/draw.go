package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/ui/cell"
)

// From these sizes on there is room for more.
const (
	minWidth, minHeight = 24, 6
	peersFrom           = 72  // columns: the peers have a column of their own, and the messages a frame
	roomsFrom           = 100 // columns: so have the rooms
	peersWidth          = 25
	roomsWidth          = 18
	hubFlash            = 3 * time.Second
)

// rect is a part of the screen.
type rect struct{ x, y, w, h int }

// more reports whether row i of n, in a column below its title, stands for those that it has no room for.
func (r rect) more(i, n int) bool { return i == r.h-2 && i < n-1 }

// layout says where what is drawn. Parts that are not shown are empty.
type layout struct {
	header, rooms, frame, list, peers, input, status rect
}

func (a *app) layout(w, h int) layout {
	var l layout
	rows := min(a.input.rows(max(w-4, 1)), maxInputRows, max(h-4, 1))
	l.header = rect{0, 0, w, 1}
	if w < peersFrom {
		l.input = rect{0, h - rows, w, rows}
		l.list = rect{0, 1, w, h - rows - 1}
		return l
	}
	l.status = rect{0, h - 1, w, 1}
	l.input = rect{1, h - 1 - rows, w - 2, rows}
	body := rect{0, 1, w, h - 2 - rows}
	if w >= roomsFrom && !a.noRooms {
		l.rooms = rect{0, 1, roomsWidth, body.h}
		body.x, body.w = roomsWidth, body.w-roomsWidth
	}
	if !a.noPeers {
		body.w -= peersWidth
		l.peers = rect{body.x + body.w, 1, peersWidth, body.h}
	}
	l.frame = body
	l.list = rect{body.x + 2, body.y + 1, body.w - 4, body.h - 2}
	return l
}

// draw draws everything.
func (a *app) draw() {
	if a.stale {
		a.refresh()
	}
	w, h := a.screen.Size()
	a.screen.Clear()
	a.screen.HideCursor()
	if w < minWidth || h < minHeight {
		text := fmt.Sprintf("too small: need %dx%d", minWidth, minHeight)
		cell.Put(a.screen, 0, h/2, w, text, a.look.Text)
		a.screen.Show()
		return
	}
	l := a.layout(w, h)
	a.drawHeader(l.header, l.rooms.w > 0, l.status.w == 0)
	a.drawFrame(l.frame)
	a.here().list.Draw(a.screen, l.list.x, l.list.y, l.list.w, l.list.h)
	a.tellSeen()
	a.drawNothing(l.list)
	if l.peers.w > 0 {
		a.drawPeers(l.peers)
	}
	if l.rooms.w > 0 {
		a.drawRooms(l.rooms)
	}
	a.drawStatus(l.status)
	a.drawInput(l.input, l.status.w == 0)
	if a.overlay != nil {
		a.screen.HideCursor()
		a.overlay.draw(w, h)
	}
	a.retitle()
	a.screen.Show()
}

func (a *app) drawInput(r rect, hint bool) {
	w := r.w
	if hint && a.input.GetTextLength() == 0 {
		w -= 3
		cell.Put(a.screen, r.x+w, r.y, 3, " F1", a.look.Dim)
	}
	placeholder := "Message " + cell.Line(a.here().name)
	if a.here().info.Out {
		placeholder = "you are no longer a member, and can only read"
	}
	if who := a.typists(); hint && who != "" {
		placeholder = who // there is no frame that says so
	}
	a.input.draw(a.screen, r.x, r.y, w, r.h, placeholder)
	a.drawChoices(r)
}

// drawNothing says in an empty room that it is one, and what one can do.
func (a *app) drawNothing(r rect) {
	if !a.here().list.Empty() {
		return
	}
	text := "Nothing was said here yet."
	info := a.here().info
	_, here := a.other(info)
	switch {
	case a.here().list.Cleared():
		text = "The screen is empty. What was said is still there: PgUp brings it back."
	case info.Kind == node.DirectRoom && !here:
		text = "Only you and " + cell.Line(info.With.Nick) + " can read what is said here. They are not here; what you type waits for them."
	case info.Kind == node.DirectRoom:
		text = "Only you and " + cell.Line(info.With.Nick) + " can read what is said here."
	case info.Kind == node.PrivateRoom:
		text = "Only its members can read what is said here. Its owner invites others with /invite PERSON; /room members shows who is in."
	case a.snapshot.Hub.State == node.Searching:
		text = "Looking for people on this network. Nothing needs to be set up; what you type waits for them."
	case len(a.snapshot.People) < 2:
		text = "Nobody else is here yet. What you type waits for them."
	}
	for i, line := range cell.Wrap(text, r.w-2) {
		if i < r.h {
			cell.Put(a.screen, r.x+1, r.y+i, r.w-2, text[line.Start:line.End], a.look.Dim)
		}
	}
}

func (a *app) drawFrame(r rect) {
	if r.w == 0 {
		return
	}
	g, style := a.look.Glyphs, a.look.Border
	rule := strings.Repeat(g.Rule, r.w-2)
	cell.Put(a.screen, r.x, r.y, r.w, g.TopLeft+rule+g.TopRight, style)
	cell.Put(a.screen, r.x, r.y+r.h-1, r.w, g.BottomLeft+rule+g.BottomRight, style)
	if who := a.typists(); who != "" {
		cell.Put(a.screen, r.x+2, r.y+r.h-1, r.w-4, cell.Fit(" "+who+" ", r.w-4, a.look.More), a.look.Dim)
	}
	for y := r.y + 1; y < r.y+r.h-1; y++ {
		cell.Put(a.screen, r.x, y, 1, g.Bar, style)
		cell.Put(a.screen, r.x+r.w-1, y, 1, g.Bar, style)
	}
}

// piece is text in one style.
type piece struct {
	text  string
	style tcell.Style
}

// put draws pieces one after the other, as far as there is room, and returns how many cells they took.
func (a *app) put(x, y, max int, pieces ...piece) int {
	used := 0
	for _, p := range pieces {
		used += cell.Put(a.screen, x+used, y, max-used, p.text, p.style)
	}
	return used
}
