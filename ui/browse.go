package ui

import (
	"encoding/hex"
	"strings"

	"github.com/gdamore/tcell/v2"

	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/transcript"
)

// browse is what has the keys while one moves among the messages: one of them is chosen, and a letter does something with it.
type browse struct{ *app }

// openBrowse chooses the last message in view.
func (a *app) openBrowse() {
	a.here().list.Select(0)
	a.open(&browse{a})
}

// deed is what a letter does with the chosen message.
type deed struct {
	key  rune
	help string
	own  bool // only with one's own
	do   func(a *app, s transcript.Selected)
}

func deeds() []deed {
	begin := func(command string, text bool) func(*app, transcript.Selected) {
		return func(a *app, s transcript.Selected) {
			draft := a.input.GetText()
			if draft != "" && command != "/reply" {
				a.tell("send or clear what you typed first", hubFlash)
				return
			}
			a.closeOverlay()
			line := naming(command, s)
			if text {
				line += s.Text
			}
			a.input.set(line + draft)
		}
	}
	return []deed{
		{'y', "copy", false, func(a *app, s transcript.Selected) { a.copyText(s.Text) }},
		{'r', "reply", false, begin("/reply", false)},
		{'+', "react", false, begin("/react", false)},
		{'e', "edit", true, begin("/edit", true)},
		{'d', "delete", true, begin("/delete", false)},
		{'o', "open the link", false, func(a *app, s transcript.Selected) { a.openLinks(s.Links) }},
	}
}

// fits reports whether it is something for messages of who said the chosen entry.
func (d deed) fits(s transcript.Selected) bool { return s.Mine || !d.own }

// refuses says why it is nothing for the chosen entry all the same; empty: it is something.
func (d deed) refuses(s transcript.Selected) string {
	switch {
	case s.Deleted:
		return "that message was deleted"
	case d.key == 'e' && s.Topic:
		return "a topic is set anew: /topic TEXT"
	case s.ID == (message.ID{}) && d.key != 'y' && d.key != 'o':
		return "that is no message"
	}
	return ""
}

// naming is a command about a message, up to what else it takes.
func naming(command string, s transcript.Selected) string {
	return command + " " + hex.EncodeToString(s.ID[:4]) + " "
}

func (o *browse) key(ev *tcell.EventKey, name string) bool {
	list := o.here().list
	if ev.Key() == tcell.KeyRune && name == "" {
		for _, d := range deeds() {
			if s, ok := list.Selected(); ok && d.key == ev.Rune() && d.fits(s) {
				if why := d.refuses(s); why != "" {
					o.tell(why, hubFlash)
				} else {
					d.do(o.app, s)
				}
				return true
			}
		}
	}
	switch inList(ev, name) {
	case "Up":
		list.Select(-1)
	case "Down":
		list.Select(1)
	case "PgUp":
		list.Page(-1)
		list.Deselect()
		list.Select(0)
	case "PgDn":
		list.Page(1)
		list.Deselect()
		list.Select(0)
	case "Home":
		list.SelectHome()
	case "End":
		list.SelectEnd()
	case "F1":
		o.openHelp()
	case "Esc", "Tab", "Shift-Tab", "Enter":
		o.closeOverlay()
	default:
		return false
	}
	return true
}

// draw says in place of the empty input what can be done.
func (o *browse) draw(w, h int) {
	l := o.layout(w, h)
	s, _ := o.here().list.Selected()
	var hints []string
	for _, d := range deeds() {
		if d.fits(s) && d.refuses(s) == "" && (len(s.Links) > 0 || d.key != 'o') {
			hints = append(hints, string(d.key)+" "+d.help)
		}
	}
	if o.input.GetTextLength() == 0 {
		for x := range l.input.w - 2 {
			cell.Put(o.screen, l.input.x+2+x, l.input.y, 1, " ", o.look.Text)
		}
		cell.Put(o.screen, l.input.x+2, l.input.y, l.input.w-2, cell.Fit(strings.Join(append(hints, "Esc back"), " "+o.look.Dot+" "), l.input.w-2, o.look.More), o.look.Dim)
	}
}
