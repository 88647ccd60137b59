package ui

import (
	"fmt"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
	"earshot/ui/look"
)

// code is the overlay of a QR code.
type code struct {
	*app
	rows []string
}

// openQR lays text over the screen as a QR code.
func (a *app) openQR(text string) {
	rows, err := look.QR(text)
	if err != nil { // it is too long for any
		a.fail(err)
		return
	}
	a.open(&code{a, rows})
}

// key closes it with Enter and q too; what else is pressed goes where it would without it.
func (o *code) key(ev *tcell.EventKey, name string) bool {
	if name = inList(ev, name); name == "Esc" || name == "Enter" {
		o.closeOverlay()
		return true
	}
	return false
}

func (o *code) draw(w, h int) {
	wide := cell.Width(o.rows[0])
	inner := o.box(w, h, wide+4, len(o.rows), "your fingerprint")
	if inner.w < wide || inner.h < len(o.rows) || o.theme.ASCII {
		text := fmt.Sprintf("A QR code needs a window of %d by %d, and half blocks (/theme unicode).", wide+4, len(o.rows)+5)
		for i, line := range cell.Wrap(text, inner.w) {
			if i < inner.h {
				cell.Put(o.screen, inner.x, inner.y+i, inner.w, text[line.Start:line.End], o.look.Text)
			}
		}
		return
	}
	for i, row := range o.rows {
		cell.Put(o.screen, inner.x, inner.y+i, inner.w, row, o.look.QR)
	}
}
