package ui

import (
	"fmt"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
	"earshot/ui/command"
)

// helpWidth is how wide the help is where there is room.
const helpWidth = 84

// help is the overlay of keys, commands and signs.
type help struct {
	*app
	top  int
	page int // how many lines were shown
}

func (a *app) openHelp() { a.open(&help{app: a}) }

func (o *help) key(ev *tcell.EventKey, name string) bool {
	w, _ := o.screen.Size()
	name = inList(ev, name)
	if name == "Esc" || name == "F1" {
		o.closeOverlay()
		return true
	}
	if top, moved := move(name, o.top, len(o.lines(w)), o.page); moved {
		o.top = top // draw keeps the last line at the end
		return true
	}
	return ev.Key() == tcell.KeyRune && name == ""
}

func (o *help) draw(w, h int) {
	lines := o.lines(w)
	inner := o.box(w, h, helpWidth, len(lines), "help")
	o.page = inner.h
	o.top = max(min(o.top, len(lines)-o.page), 0)
	for i := 0; i < inner.h && o.top+i < len(lines); i++ {
		line := lines[o.top+i]
		cell.Put(o.screen, inner.x, inner.y+i, inner.w, cell.Fit(line.text, inner.w, o.look.More), line.style)
	}
	if o.top+inner.h < len(lines) {
		cell.Put(o.screen, inner.x, inner.y+inner.h, inner.w, " "+o.look.Down+" more (PgDn) ", o.look.Dim)
	}
}

// lines returns the help for a screen of that width: the keys and the commands, from their tables. Where it is narrow, what a key does
// stands below it.
func (o *help) lines(width int) []piece {
	l := o.look
	lines := []piece{{"KEYS", l.Title}}
	row := func(name, help string) {
		if width < peersFrom {
			lines = append(lines, piece{"  " + name, l.Text})
			for _, r := range cell.Wrap(help, min(width, helpWidth)-8) { // the frame, its margin and the indent
				lines = append(lines, piece{"    " + help[r.Start:r.End], l.Dim})
			}
			return
		}
		lines = append(lines, piece{fmt.Sprintf("  %-22s%s", name, help), l.Text})
	}
	for _, b := range bindings() {
		if b.keys != "" {
			row(b.keys, b.help)
		}
	}
	lines = append(lines, piece{}, piece{"AMONG THE MESSAGES", l.Title})
	row("j k g G", "next, previous, oldest, newest (also the arrows)")
	for _, d := range deeds() {
		help := d.help
		if d.own {
			help += " what you said"
		}
		row(string(d.key), help)
	}
	lines = append(lines, piece{}, piece{"COMMANDS", l.Title})
	for _, c := range command.Table() {
		if c.Built() {
			row(c.Usage(), c.Help)
		}
	}
	row("//TEXT", "say TEXT with a slash before it")
	return append(lines, piece{}, piece{"SIGNS", l.Title},
		piece{"  " + l.Waiting + "  your line waits for others to have it", l.Text},
		piece{"  " + l.Two + "  it is on two machines", l.Text},
		piece{"  " + l.Three + " it is on three, or on all there are", l.Text},
		piece{"  " + l.Seen + "  read: the other of a conversation has seen it", l.Text},
		piece{"  " + l.Lost + "  it cannot be delivered: /resend says it again", l.Text},
		piece{"  " + l.Private + "  private: only the members of the room can read it", l.Text},
		piece{"  " + l.Here + "1 unread, and said to you alone", l.Text},
		piece{"  " + l.Verified + "  beside a nick: you have verified that person", l.Text},
		piece{"  " + l.Hub + "  the hub    " + l.Away + " away    " + l.Server + " a server    " + l.Mentioned + " names you", l.Text})
}
