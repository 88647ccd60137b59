package ui

import (
	"strings"
	"time"

	"earshot/node"
	"earshot/ui/cell"
)

// notifyEvery is the least time between two notifications.
const notifyEvery = 5 * time.Second

// Attention is what asks for the user's attention.
type Attention string

const (
	AttendAll      Attention = "all"      // everything while the terminal has no focus; what names the user, and what is said to them alone, always
	AttendMentions Attention = "mentions" // only that
	AttendNone     Attention = "off"
)

// notify asks for attention where a message deserves it: by the bell and, where the terminal has notifications, by one of them.
func (a *app) notify(r *room, m node.Message, mentioned bool) {
	direct := strings.HasPrefix(r.name, "@")
	if !a.away && r == a.here() && r.list.Following() {
		return
	}
	who := cell.Line(m.Nick)
	if !direct {
		who += " in " + cell.Line(r.name)
	}
	a.ring(who, m.Text, mentioned || direct)
}

// ring asks for attention. personal: it is for the user alone, or names them.
func (a *app) ring(who, text string, personal bool) {
	switch {
	case a.attention == AttendNone, !personal && (!a.away || a.attention == AttendMentions):
		return
	case a.now().Before(a.notified.Add(notifyEvery)):
		return
	}
	a.notified = a.now()
	if err := a.screen.Beep(); err != nil {
		a.log.Debug("ring the bell", "err", err)
	}
	const longest = 120 // cells; notifications are short
	text = cell.Fit(cell.Line(text), longest, a.look.More)
	switch a.notifier() {
	case 9:
		a.raw("\x1b]9;" + who + ": " + text + "\a")
	case 777:
		a.raw("\x1b]777;notify;" + strings.ReplaceAll(who, ";", ",") + ";" + text + "\a")
	}
}

// notifier is the control sequence that the terminal shows as a notification, as far as its environment tells which it is: OSC 9 (iTerm2's), OSC 777 (urxvt's), or 0 for none.
func (a *app) notifier() int {
	term, program := a.getenv("TERM"), a.getenv("TERM_PROGRAM")
	switch {
	case strings.HasPrefix(term, "rxvt"), strings.HasPrefix(term, "foot"), a.getenv("VTE_VERSION") != "":
		return 777
	case program == "iTerm.app", program == "WezTerm", program == "ghostty", strings.Contains(term, "kitty"), strings.Contains(term, "ghostty"), a.getenv("TMUX") != "":
		return 9
	}
	return 0
}
