package ui

import (
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
	"earshot/ui/command"
)

// overlay is what lies over the screen.
type overlay int

const (
	noOverlay overlay = iota
	helpOverlay
	peersOverlay
	roomsOverlay
)

// open lays something over the screen.
func (a *app) open(o overlay) {
	a.overlay, a.scroll = o, 0
	a.input.complete = completion{}
	if o == roomsOverlay {
		a.scroll = a.current
	}
}

// toggle shows or hides the peers or the rooms: a column where there is room for one, otherwise an overlay.
func (a *app) toggle(o overlay) {
	w, _ := a.screen.Size()
	switch {
	case o == peersOverlay && w >= peersFrom:
		a.noPeers = !a.noPeers
	case o == roomsOverlay && w >= roomsFrom:
		a.noRooms = !a.noRooms
	default:
		a.open(o)
	}
}

// overlayKey gives a key to the overlay. It reports whether the overlay had a use for it; a key for something else closes it first.
func (a *app) overlayKey(ev *tcell.EventKey, name string) bool {
	_, h := a.screen.Size()
	if ev.Key() == tcell.KeyRune && name == "" {
		name = map[rune]string{'j': "Down", 'k': "Up", 'g': "Home", 'G': "End", ' ': "PgDn", 'q': "Esc", '?': "F1"}[ev.Rune()]
	}
	last := a.overlayRows() - 1
	switch name {
	case "Up":
		a.scroll--
	case "Down":
		a.scroll++
	case "PgUp":
		a.scroll -= h / 2
	case "PgDn":
		a.scroll += h / 2
	case "Home":
		a.scroll = 0
	case "End":
		a.scroll = last
	case "Enter":
		a.choose()
	case "Ctrl-C", "Ctrl-Q", "Ctrl-L", "Ctrl-Z":
		return false
	case "Esc", "F1", "F4", "F5":
		a.overlay = noOverlay
	case "":
	default:
		a.overlay = noOverlay
		return false
	}
	if a.overlay == helpOverlay {
		last = max(last-(h-4), 0)
	}
	a.scroll = min(max(a.scroll, 0), max(last, 0))
	return true
}

// choose does what Enter does in a list.
func (a *app) choose() {
	at, o := a.scroll, a.overlay
	a.overlay = noOverlay
	switch {
	case o == roomsOverlay:
		a.visit(at)
	case o == peersOverlay && at < len(a.snapshot.People) && !a.snapshot.People[at].Me:
		a.input.insert("@" + cell.Line(a.snapshot.People[at].Nick) + " ")
	}
}

func (a *app) overlayRows() int {
	switch a.overlay {
	case helpOverlay:
		w, _ := a.screen.Size()
		return len(a.help(w))
	case peersOverlay:
		return len(a.snapshot.People)
	default:
		return len(a.rooms)
	}
}

// help returns the lines of the help for a screen of that width: the keys and the commands, from their tables. Where it is narrow, what a key does
// stands below it.
func (a *app) help(width int) []piece {
	lines := []piece{{"KEYS", a.look.Title}}
	row := func(name, help string) {
		if width < peersFrom {
			lines = append(lines, piece{"  " + name, a.look.Text}, piece{"    " + help, a.look.Dim})
			return
		}
		lines = append(lines, piece{fmt.Sprintf("  %-22s%s", name, help), a.look.Text})
	}
	for _, b := range bindings() {
		if b.keys != "" {
			row(b.keys, b.help)
		}
	}
	lines = append(lines, piece{}, piece{"COMMANDS", a.look.Title})
	for _, c := range command.Table() {
		if c.Built {
			row(c.Usage(), c.Help)
		}
	}
	row("//TEXT", "say TEXT with a slash before it")
	return append(lines, piece{}, piece{"SIGNS", a.look.Title},
		piece{"  " + a.look.Waiting + "  your line waits for others to have it", a.look.Text},
		piece{"  " + a.look.Two + "  it is on two machines", a.look.Text},
		piece{"  " + a.look.Three + " it is on three, or on all there are", a.look.Text},
		piece{"  " + a.look.Hub + "  the hub    " + a.look.Away + " away    " + a.look.Server + " a server    " + a.look.Mentioned + " names you", a.look.Text})
}

func (a *app) drawOverlay(w, h int) {
	box := rect{0, 1, min(w, 40), h - 2}
	title := "rooms"
	switch a.overlay {
	case helpOverlay:
		box.w = min(w, 84)
		title = "help"
	case peersOverlay:
		title = "peers"
	}
	box.h = min(box.h, a.overlayRows()+2)
	box.x, box.y = (w-box.w)/2, max((h-box.h)/2, 1)
	for y := box.y; y < box.y+box.h; y++ {
		cell.Put(a.screen, box.x, y, box.w, strings.Repeat(" ", box.w), a.look.Text)
	}
	a.drawFrame(box)
	cell.Put(a.screen, box.x+2, box.y, box.w-4, " "+title+" ", a.look.Title)
	if hint := " Esc closes "; box.w > 2*len(hint) {
		cell.Put(a.screen, box.x+box.w-len(hint)-2, box.y+box.h-1, len(hint), hint, a.look.Dim)
	}
	inner := rect{box.x + 2, box.y + 1, box.w - 4, box.h - 2}
	if a.overlay == helpOverlay {
		lines := a.help(w)
		for i := 0; i < inner.h && a.scroll+i < len(lines); i++ {
			line := lines[a.scroll+i]
			cell.Put(a.screen, inner.x, inner.y+i, inner.w, cell.Fit(line.text, inner.w, a.look.More), line.style)
		}
		return
	}
	a.drawList(inner)
}

// drawList draws the rows of a list to choose from, the chosen one in view.
func (a *app) drawList(r rect) {
	rows := a.overlayRows()
	a.scroll = min(a.scroll, max(rows-1, 0))
	first := max(a.scroll-r.h+1, 0)
	for i := first; i < rows && i < first+r.h; i++ {
		y := r.y + i - first
		if i == a.scroll {
			cell.Put(a.screen, r.x-1, y, 1, a.look.Current, a.look.Strong)
		}
		if a.overlay == peersOverlay {
			a.drawPerson(r.x, y, r.w, a.snapshot.People[i])
		} else {
			a.drawRoom(r.x, y, r.w, i, a.rooms[i])
		}
	}
}

// maxChoices is how many completions are shown at once.
const maxChoices = 8

// drawChoices draws what a word may become, above the input.
func (a *app) drawChoices(input rect) {
	c := a.input.complete
	n := min(len(c.choices), maxChoices, input.y-4)
	if n < 1 {
		return
	}
	text, about := 0, 0
	for _, ch := range c.choices {
		text, about = max(text, cell.Width(ch.text)), max(about, cell.Width(ch.about))
	}
	box := rect{input.x + 1, input.y - n - 2, min(text+about+5, input.w-2), n + 2}
	a.drawFrame(box)
	first := min(max(c.at-n+1, 0), len(c.choices)-n)
	for i := range n {
		ch, style, dim := c.choices[first+i], a.look.Text, a.look.Dim
		if first+i == c.at {
			style, dim = a.look.Selected, a.look.Selected
		}
		y, w := box.y+1+i, box.w-2
		cell.Put(a.screen, box.x+1, y, w, strings.Repeat(" ", w), style)
		cell.Put(a.screen, box.x+2, y, w-2, ch.text, style)
		cell.Put(a.screen, box.x+3+text, y, w-2-text, cell.Fit(ch.about, w-3-text, a.look.More), dim)
	}
}
