package transcript

import (
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
)

// opened is a history of n messages in a room that shows the newest 50.
func opened(t *testing.T, n int) (s tcell.SimulationScreen, l *List, h told) {
	t.Helper()
	s, l, h = screen(t, 40, 10), newList(), history(0, n)
	for _, m := range h[n-50:] {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	rows(s, l, 40, 10)
	return s, l, h
}

// What is said while a page is read that takes the place of what is here, and after that was looked up, is shown with it.
func TestSaidWhileAPageIsRead(t *testing.T) {
	for name, ask := range map[string]func(*List){"home": (*List).Home, "reload": (*List).Reload} {
		t.Run(name, func(t *testing.T) {
			s, l, h := opened(t, 50)
			ask(l)
			w, ok := l.Ask()
			if !ok {
				t.Fatal("nothing is asked for")
			}
			page := h.page(w)
			l.Add(node.Said{Message: msg(50, "meanwhile")}, "alice", false)
			l.Take(w, page, "alice")
			l.End()
			settle(l, append(h, msg(50, "meanwhile")))
			if got := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(got, "meanwhile") {
				t.Errorf("it is not shown:\n%s", got)
			}
		})
	}
}

// What becomes of a message while the page with it is read is shown, too.
func TestChangedWhileAPageIsRead(t *testing.T) {
	s, l, h := opened(t, 300)
	l.Home()
	w, _ := l.Ask()
	page := h.page(w)
	gone := h[2]
	gone.Text, gone.Redacted = "", true
	l.Change(gone, "alice", true)
	l.Take(w, page, "alice")
	if got := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(got, deleted) || strings.Contains(got, "message 2 ") {
		t.Errorf("it is shown as it was:\n%s", got)
	}
}

// How far an own line got is still told when the user was elsewhere and comes back.
func TestDeliveryAfterAPage(t *testing.T) {
	s, l, h := opened(t, 500)
	mine := msg(500, "mine")
	mine.Mine, mine.Here, mine.Nick = true, true, "alice"
	l.Add(node.Said{Message: mine}, "alice", false)
	for _, all := range []bool{false, true} {
		l.Deliver(node.Delivered{ID: mine.ID, Copies: 2, All: all})
		mine.Copies, mine.All = 2, all
		h := append(h, mine)
		see := func() {
			t.Helper()
			want := map[bool]string{false: " ✓ mine", true: "✓✓ mine"}[all]
			if got := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(got, want) {
				t.Errorf("want %q:\n%s", want, got)
			}
		}
		see()
		l.Show(h[9].ID, h[9].Key)
		settle(l, h)
		l.End()
		settle(l, h)
		see()
	}
}
