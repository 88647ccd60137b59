package ui

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
)

// binding is what a key does. The table of bindings is what dispatch looks into and what help shows.
type binding struct {
	chords []string // as chord names them
	keys   string   // as help shows them; empty: not shown
	help   string
	// do acts and reports whether the key was for it; otherwise the text area gets it.
	do   func(a *app, chord string) bool
	menu bool // the palette offers it
}

// quitWithin is how long a second Ctrl-C quits after the first.
const quitWithin = 2 * time.Second

// bindings returns the table of keys. Every Alt key has a twin: not all terminals send Alt.
func bindings() []binding {
	always := func(f func(*app)) func(*app, string) bool {
		return func(a *app, _ string) bool { f(a); return true }
	}
	whenEmpty := func(f func(*app)) func(*app, string) bool {
		return func(a *app, _ string) bool {
			if a.input.GetTextLength() > 0 {
				return false
			}
			f(a)
			return true
		}
	}
	return []binding{
		{[]string{"Enter"}, "Enter", "send, or take the completion", always((*app).enter), false},
		{[]string{"Alt-Enter", "Ctrl-J", "Shift-Enter"}, "Alt-Enter, Ctrl-J", "new line", always((*app).newline), false},
		{[]string{"PgUp"}, "PgUp, PgDn", "scroll", always(func(a *app) { a.here().list.Page(-1) }), false},
		{[]string{"PgDn"}, "", "", always(func(a *app) { a.here().list.Page(1) }), false},
		{[]string{"Shift-Up"}, "Shift-Up, Shift-Down", "scroll by a line", always(func(a *app) { a.here().list.Scroll(-1) }), false},
		{[]string{"Shift-Down"}, "", "", always(func(a *app) { a.here().list.Scroll(1) }), false},
		{[]string{"Home"}, "Home, End", "with nothing typed: oldest, newest", whenEmpty(func(a *app) { a.here().list.Home() }), false},
		{[]string{"End"}, "", "", whenEmpty(func(a *app) { a.here().list.End() }), false},
		{[]string{"Tab"}, "Tab, Shift-Tab", "complete; with nothing typed: go to the messages", always(func(a *app) { a.tabOrBrowse(1) }), false},
		{[]string{"Shift-Tab"}, "", "", always(func(a *app) { a.tabOrBrowse(-1) }), false},
		{[]string{"Up"}, "Up", "with nothing typed: edit or recall what you sent", func(a *app, _ string) bool { return a.input.recall(1, a.here().list.LastOwn()) }, false},
		{[]string{"Down"}, "", "", func(a *app, _ string) bool { return a.input.recall(-1, a.here().list.LastOwn()) }, false},
		{[]string{"Ctrl-N", "Alt-Down"}, "Ctrl-N, Ctrl-P", "next room, the one before (also Alt-Down, Alt-Up)", always(func(a *app) { a.step(1) }), false},
		{[]string{"Ctrl-P", "Alt-Up"}, "", "", always(func(a *app) { a.step(-1) }), false},
		{digits(), "Alt-1 … Alt-9", "go to a room (also /join #room)", func(a *app, c string) bool { a.visit(int(c[len(c)-1] - '1')); return true }, false},
		{[]string{"F6", "Alt-A"}, "F6, Alt-A", "next room with news", always((*app).nextNews), true},
		{[]string{"Ctrl-K", "F2"}, "Ctrl-K, F2", "go to a room, a person or a command by a few letters", always((*app).openPalette), false},
		{[]string{"Ctrl-F", "F3"}, "Ctrl-F, F3", "search everything that was said", always(func(a *app) { a.openSearch("") }), true},
		{[]string{"F4"}, "F4", "show or hide who is here", always((*app).togglePeers), true},
		{[]string{"F5"}, "F5", "show or hide the rooms", always((*app).toggleRooms), true},
		{[]string{"Esc"}, "Esc", "close; take the line \"new messages\" away", always((*app).escape), false},
		{[]string{"Ctrl-L"}, "Ctrl-L", "draw the screen anew", always(func(a *app) { a.screen.Sync() }), true},
		{[]string{"Ctrl-Z"}, "Ctrl-Z", "undo; with nothing typed: suspend", whenEmpty(func(a *app) { a.suspend(nil) }), false},
		{[]string{"Ctrl-U"}, "Ctrl-A E U W", "move and delete as the shell does", always(func(a *app) { a.input.killBack() }), false},
		{[]string{"Ctrl-C"}, "Ctrl-C", "empty the input (Up brings it back); twice: quit", always((*app).interrupt), false},
		{[]string{"Ctrl-Q"}, "Ctrl-Q", "quit", always(func(a *app) { a.quit = true }), true},
		{[]string{"F1"}, "F1", "help", always((*app).openHelp), true},
	}
}

func digits() []string {
	var names []string
	for d := 1; d <= 9; d++ {
		names = append(names, fmt.Sprintf("Alt-%d", d))
	}
	return names
}

// chord names a key as the table does: "Ctrl-N", "Alt-1", "Shift-Up", "PgDn". Text has no name.
func chord(ev *tcell.EventKey) string {
	alt := ev.Modifiers()&(tcell.ModAlt|tcell.ModMeta) != 0
	name := ""
	switch key := ev.Key(); {
	case key == tcell.KeyRune && alt && ev.Modifiers()&tcell.ModCtrl != 0 && (ev.Rune() == 'm' || ev.Rune() == 'j'):
		return "Alt-Enter" // as terminals without CSI u send it: ESC CR
	case key == tcell.KeyRune && alt:
		return "Alt-" + strings.ToUpper(string(ev.Rune()))
	case key == tcell.KeyRune:
		return ""
	case key == tcell.KeyBacktab:
		return "Shift-Tab"
	case key == tcell.KeyLF:
		return "Ctrl-J"
	case key >= tcell.KeyCtrlA && key <= tcell.KeyCtrlZ:
		return "Ctrl-" + string(rune('A'+key-tcell.KeyCtrlA))
	default:
		name = map[tcell.Key]string{
			tcell.KeyEnter: "Enter", tcell.KeyTab: "Tab", tcell.KeyEsc: "Esc", tcell.KeyUp: "Up", tcell.KeyDown: "Down",
			tcell.KeyPgUp: "PgUp", tcell.KeyPgDn: "PgDn", tcell.KeyHome: "Home", tcell.KeyEnd: "End",
			tcell.KeyF1: "F1", tcell.KeyF2: "F2", tcell.KeyF3: "F3", tcell.KeyF4: "F4", tcell.KeyF5: "F5", tcell.KeyF6: "F6",
		}[key]
	}
	switch {
	case name == "":
		return ""
	case alt:
		return "Alt-" + name
	case ev.Modifiers()&tcell.ModShift != 0:
		return "Shift-" + name
	}
	return name
}

// handle takes in an event of the terminal. It reports whether something is to be drawn.
func (a *app) handle(ev tcell.Event) bool {
	switch ev.(type) {
	case *tcell.EventKey, *tcell.EventMouse, *tcell.EventPaste:
		a.active()
	}
	switch ev := ev.(type) {
	case *tcell.EventKey:
		if a.pasting {
			a.collect(ev)
			return false
		}
		a.key(ev)
	case *tcell.EventPaste:
		a.pasting = ev.Start()
		if ev.End() {
			a.pasted(string(a.paste))
		}
		a.paste = nil
	case *tcell.EventMouse:
		return a.clicked(ev)
	case *tcell.EventFocus:
		a.away = !ev.Focused
	case *tcell.EventResize:
		a.screen.Sync()
	default:
		return false
	}
	return true
}

func (a *app) key(ev *tcell.EventKey) {
	name := chord(ev)
	if name != "Ctrl-C" {
		a.quitUntil = time.Time{}
	}
	if a.overlay != nil && a.overlayKey(ev, name) {
		return
	}
	if by := map[string]int{"Up": -1, "Down": 1}[name]; by != 0 && len(a.input.complete.choices) > 0 {
		a.tab(by)
		return
	}
	if name != "" && name != "Tab" && name != "Shift-Tab" && name != "Enter" && name != "Esc" {
		a.input.complete = completion{}
	}
	for _, b := range bindings() {
		if slices.Contains(b.chords, name) {
			if b.do(a, name) {
				return
			}
			break
		}
	}
	before := a.input.GetText()
	a.input.press(ev)
	a.suggest()
	a.typing(before)
}

func (a *app) enter() {
	in := a.input
	if in.takeChoice() {
		return
	}
	text := in.GetText()
	if strings.TrimSpace(text) == "" {
		a.here().list.End()
		return
	}
	if a.submit(text) {
		in.take(text)
	}
}

func (a *app) newline() { a.input.press(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone)) }

func (a *app) escape() {
	if a.input.closeChoices() {
		return
	}
	a.here().list.Read()
}

func (a *app) interrupt() {
	if a.now().Before(a.quitUntil) {
		a.quit = true
		return
	}
	a.input.discard(a.here().list.LastOwn())
	a.quitUntil = a.now().Add(quitWithin)
}

// suspend gives the terminal back while the process is stopped, and takes it again. why is the signal that asks for it, or that says that it was stopped already; nil: a key.
func (a *app) suspend(why os.Signal) {
	var err error
	if drained(a.screen, func() { err = a.screen.Suspend() }); err != nil {
		return
	}
	stop(why, a.control)
	if err := a.screen.Resume(); err != nil {
		a.log.Error("resume the terminal", "err", err)
		a.quit = true
		return
	}
	a.screen.Sync()
}
