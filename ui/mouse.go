package ui

import (
	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
)

// wheelRows is how far one notch of the wheel scrolls.
const wheelRows = 3

// keepArrows tells the terminal that its wheel does not stand for the arrow keys where a program does not take the mouse (xterm's mode 1007): here they would
// bring back what was sent. giveArrows puts that back as it was.
const (
	keepArrows = "\x1b[?1007s\x1b[?1007l"
	giveArrows = "\x1b[?1007r"
)

// useMouse takes the mouse, or leaves it to the terminal for selecting text without Shift.
func (a *app) useMouse(on bool) {
	a.mouse = on
	if on {
		a.screen.EnableMouse(tcell.MouseButtonEvents)
		return
	}
	a.screen.DisableMouse()
}

// clicked takes in an event of the mouse. It reports whether something is to be drawn.
func (a *app) clicked(ev *tcell.EventMouse) bool {
	buttons := ev.Buttons()
	x, y := ev.Position()
	held := buttons&tcell.Button1 != 0
	pressed, released := held && !a.pressed, !held && a.pressed
	if a.pressed = held; pressed {
		a.pressedAt = [2]int{x, y}
	}
	by := 0
	switch {
	case released && a.pressedAt != [2]int{x, y}: // somebody wants to select text
		a.tell("hold Shift to select text, or /mouse off", hubFlash)
		return true
	case buttons&tcell.WheelUp != 0:
		by = -wheelRows
	case buttons&tcell.WheelDown != 0:
		by = wheelRows
	case !pressed:
		return false
	}
	o, ok := a.overlay.(interface {
		wheel(by int)
		click(x, y int)
	})
	switch {
	case by != 0 && ok:
		o.wheel(by)
	case by != 0:
		a.here().list.Scroll(by)
	case ok:
		o.click(x, y)
	default:
		a.click(x, y)
	}
	return true
}

// in reports whether a cell is in a part of the screen.
func (r rect) in(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// click does what a click at a place of the screen is for.
func (a *app) click(x, y int) {
	w, h := a.screen.Size()
	if w < minWidth || h < minHeight {
		return
	}
	l := a.layout(w, h)
	list := a.here().list
	a.closeOverlay() // of those that know no clicks
	switch {
	case l.rooms.in(x, y):
		switch rows, i := a.roomRows(), y-l.rooms.y-1; {
		case l.rooms.more(i, len(rows)):
			a.openRooms()
		case i >= 0 && i < len(rows):
			a.visit(rows[i])
		}
	case l.peers.in(x, y):
		switch people, i := a.snapshot.People, y-l.peers.y-1; {
		case l.peers.more(i, len(people)):
			a.openPeers()
		case i >= 0 && i < len(people) && !people[i].Me:
			a.input.insert("@" + cell.Line(people[i].Nick) + " ")
		}
	case l.list.in(x, y) && y == l.list.y+l.list.h-1 && x >= l.list.x+l.list.w-list.BelowWidth():
		list.End()
	case l.list.in(x, y):
		if list.SelectRow(y - l.list.y) {
			a.open(&browse{a})
		}
	case l.header.in(x, y):
		a.nextNews()
	case l.status.in(x, y) && x >= w-8:
		a.openHelp()
	}
}

func (o *help) wheel(by int) { o.top += by }

// click closes the help, wherever it is.
func (o *help) click(int, int) { o.closeOverlay() }

func (o *picker) wheel(by int) { o.at = max(min(o.at+by, len(o.picks(o.words()))-1), 0) }

// click chooses the row that is clicked, or closes the picker.
func (o *picker) click(x, y int) {
	if !o.shown.in(x, y) {
		o.closeOverlay()
		return
	}
	if at := o.first + y - o.shown.y; at < len(o.picks(o.words())) {
		o.at = at
		o.choose(o.picks(o.words()))
	}
}
