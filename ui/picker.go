package ui

import (
	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
)

// A pick is one row of a picker: how it is drawn, and what Enter does.
type pick struct {
	draw func(x, y, w int)
	do   func()
}

// picker is an overlay to choose one of a list from, by moving there or, where it has a prompt, by typing some of its letters.
type picker struct {
	*app
	title  string
	width  int
	prompt *input              // nil: letters move
	picks  func(string) []pick // for what was typed
	at     int

	shown rect // where the rows were drawn, from the first on
	first int
}

func (o *picker) words() string {
	if o.prompt == nil {
		return ""
	}
	return o.prompt.GetText()
}

func (o *picker) key(ev *tcell.EventKey, name string) bool {
	if o.prompt == nil {
		name = inList(ev, name)
	}
	picks := o.picks(o.words())
	_, h := o.screen.Size()
	switch name {
	case "Enter":
		o.choose(picks)
		return true
	case "Esc":
		o.closeOverlay()
		return true
	case "Tab", "Ctrl-N":
		name = "Down"
	case "Shift-Tab", "Ctrl-P":
		name = "Up"
	case "Home", "End":
		if o.words() != "" {
			o.prompt.press(ev)
			return true
		}
	}
	if to, moved := move(name, o.at, len(picks), h/2); moved {
		o.at = to
		return true
	}
	if name == "F1" || name == "F2" || name == "Ctrl-K" || name == "F3" || name == "Ctrl-F" || name == "F4" || name == "F5" || name == "F6" {
		return false
	}
	if o.prompt != nil {
		before := o.words()
		o.prompt.press(ev)
		if o.words() != before {
			o.at = 0
		}
	}
	return true
}

func (o *picker) pasted(line string) bool {
	if o.prompt == nil {
		return false
	}
	o.prompt.insert(line)
	o.at = 0
	return true
}

func (o *picker) choose(picks []pick) {
	o.closeOverlay()
	if o.at < len(picks) {
		picks[o.at].do()
	}
}

func (o *picker) draw(w, h int) {
	picks := o.picks(o.words())
	o.at = max(min(o.at, len(picks)-1), 0)
	rows := max(len(picks), 1)
	if o.prompt != nil { // of the same height whatever is found: nothing jumps
		rows = 14
	}
	inner := o.box(w, h, o.width, rows, o.title)
	if o.prompt != nil {
		o.prompt.draw(o.screen, inner.x, inner.y, inner.w, 1, "a few letters of a room, a person or a command")
		inner.y, inner.h = inner.y+1, inner.h-1
		if len(picks) == 0 {
			cell.Put(o.screen, inner.x+2, inner.y, inner.w-2, "nothing is called like that", o.look.Dim)
		}
	}
	first := max(o.at-inner.h+1, 0)
	o.shown, o.first = inner, first
	for i := first; i < len(picks) && i < first+inner.h; i++ {
		y := inner.y + i - first
		if i == o.at {
			cell.Put(o.screen, inner.x-1, y, 1, o.look.Current, o.look.Strong)
		}
		picks[i].draw(inner.x, y, inner.w)
	}
}

// openPeers and openRooms lay over the screen what is a column where there is room for one.
func (a *app) openPeers() {
	a.open(&picker{app: a, title: "peers", width: 40, picks: func(string) []pick {
		var picks []pick
		for _, p := range a.snapshot.People {
			picks = append(picks, pick{
				func(x, y, w int) { a.drawPerson(x, y, w, p) },
				func() {
					if !p.Me {
						a.submit("/query " + p.Nick)
					}
				},
			})
		}
		return picks
	}})
}

func (a *app) openRooms() {
	a.open(&picker{app: a, title: "rooms", width: 40, at: a.current, picks: func(string) []pick {
		var picks []pick
		for _, r := range a.rooms {
			picks = append(picks, pick{func(x, y, w int) { a.drawRoom(x-1, y, w+1, " ", r) }, func() { a.show(r.name) }}) // the list has a sign of its own
		}
		return picks
	}})
}

// togglePeers and toggleRooms show or hide the column, or open the overlay where there is no room for one.
func (a *app) togglePeers() {
	if w, _ := a.screen.Size(); w < peersFrom {
		a.openPeers()
		return
	}
	a.noPeers = !a.noPeers
}

func (a *app) toggleRooms() {
	if w, _ := a.screen.Size(); w < roomsFrom {
		a.openRooms()
		return
	}
	a.noRooms = !a.noRooms
}
