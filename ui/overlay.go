package ui

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
)

// An overlay lies over the screen and has the keys while it does. It belongs to the loop's goroutine, as the app does.
type overlay interface {
	// key takes a key, by its name or, where it is text, by its rune. It reports whether it had a use for it: any other key closes the overlay and then does
	// what it does without one.
	key(ev *tcell.EventKey, name string) bool
	draw(w, h int)
}

// open lays something over the screen, in place of what lies there.
func (a *app) open(o overlay) {
	if _, browsing := o.(*browse); !browsing {
		a.closeOverlay()
	}
	a.overlay = o
	a.input.complete = completion{}
}

func (a *app) closeOverlay() {
	a.overlay = nil
	a.here().list.Deselect()
}

// overlayKey gives a key to the overlay. It reports whether that had a use for it.
func (a *app) overlayKey(ev *tcell.EventKey, name string) bool {
	switch name {
	case "Ctrl-C", "Esc":
		a.closeOverlay()
		return true
	case "Ctrl-Q", "Ctrl-L":
		return false
	}
	if a.overlay.key(ev, name) {
		return true
	}
	a.closeOverlay()
	return false
}

// inList names the movement that a letter stands for where there is nothing to type.
func inList(ev *tcell.EventKey, name string) string {
	if ev.Key() == tcell.KeyRune && name == "" {
		return map[rune]string{'j': "Down", 'k': "Up", 'g': "Home", 'G': "End", ' ': "PgDn", 'q': "Esc", '?': "F1"}[ev.Rune()]
	}
	return name
}

// move returns where a movement leads from at, in a list of n rows, page of which are shown.
func move(name string, at, n, page int) (to int, moved bool) {
	switch name {
	case "Up":
		at--
	case "Down":
		at++
	case "PgUp":
		at -= page
	case "PgDn":
		at += page
	case "Home":
		at = 0
	case "End":
		at = n - 1
	default:
		return at, false
	}
	return max(min(at, n-1), 0), true
}

// box draws an empty frame of that size in the middle, and returns what is inside.
func (a *app) box(w, h, width, rows int, title string) rect {
	below := 1 // the input stays in view, and the status where there is one
	if w >= peersFrom {
		below = 2
	}
	r := rect{w: min(w, width), h: min(h-1-below, rows+2)}
	r.x, r.y = (w-r.w)/2, max((h-r.h)/2, 1)
	a.fade(w, h)
	for y := r.y; y < r.y+r.h; y++ {
		cell.Put(a.screen, r.x, y, r.w, strings.Repeat(" ", r.w), a.look.Text)
	}
	a.drawFrame(r)
	cell.Put(a.screen, r.x+2, r.y, r.w-4, " "+title+" ", a.look.Title)
	if hint := " Esc closes "; r.w > 2*len(hint) {
		cell.Put(a.screen, r.x+r.w-len(hint)-2, r.y+r.h-1, len(hint), hint, a.look.Dim)
	}
	return rect{r.x + 2, r.y + 1, r.w - 4, r.h - 2}
}

// fade draws all that is there in the dim style, so that what lies over it stands out.
func (a *app) fade(w, h int) {
	for y := range h {
		for x := 0; x < w; {
			text, _, n := a.screen.Get(x, y)
			a.screen.Put(x, y, text, a.look.Faded)
			x += max(n, 1)
		}
	}
}
