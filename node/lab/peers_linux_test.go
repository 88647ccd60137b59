package lab_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"earshot/node/lab"
)

// A listed instance is a line of earshot peers --json.
type listed struct {
	Nick, Session, Address, With string
	Me, Hub, Answered            bool
	Class                        int
	Weight                       int
	Term                         uint64
	LinkOnly                     bool `json:"link_only"`
}

func peersOf(t *testing.T, h *lab.Host, args ...string) (list []listed) {
	t.Helper()
	out, stderr, status := h.Run("", append([]string{"peers", "--json"}, args...)...)
	if status != 0 || stderr != "" {
		t.Errorf("status %d: %s", status, stderr)
	}
	for line := range strings.Lines(out) {
		var p listed
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, p)
	}
	return list
}

// earshot peers shows who is here, beside an instance that runs and where none does, and nobody is told.
func TestPeers(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	l.Route(5)
	if out, stderr, status := l.Host(4).Run("", "peers", "--timeout", "500ms"); status != 3 || out != "" || !strings.Contains(stderr, "hint: earshot doctor") {
		t.Errorf("nobody is there: status %d, %s%s", status, out, stderr)
	}
	all := inTurn(t, l, 2)
	all = append(all, start(l, 3, "--never-hub"))
	together(t, l, soon, all...)
	all = append(all, start(l, 5, "--join", l.Host(1).IP().String()))
	hub := together(t, l, soon, all...)
	<-time.After(time.Second) // the weight comes round
	before := mark(l, all...)
	for _, h := range []*lab.Host{l.Host(4), l.Host(2)} {
		list := peersOf(t, h)
		if len(list) != 4 || !list[0].Hub || list[0].Session != last(hub, "ready").Session || list[0].Weight != 2 || list[0].Term == 0 {
			before.errorf(t, "%+v", list)
			continue
		}
		for i, p := range list {
			k := slices.IndexFunc(all, func(q *lab.Process) bool { return last(q, "ready").Session == p.Session })
			class := map[int]int{0: 1, 1: 1}[k]
			if k < 0 || p.Nick != last(all[k], "ready").Me || p.Hub != (i == 0) || p.Class != class || p.LinkOnly != (k == 3) || p.Answered != (k != 3) || p.Me != (h == l.Host(2) && k == 1) ||
				p.Answered && p.With != list[0].Session {
				before.errorf(t, "%+v", p)
			}
		}
	}
	out, stderr, status := l.Host(4).Run("", "peers", "--timeout", "1s")
	if status != 0 || stderr != "" || !strings.Contains(out, "\n"+last(hub, "ready").Me+" is the hub: class 1 (like most),\nweight 2 (2 to 3 follow it), term ") {
		before.errorf(t, "status %d: %s%s", status, out, stderr)
	}
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	say(all[1], "all the same")
	for p, n := range before.events {
		reads(p, "all the same")
		for _, e := range p.Events()[n:] {
			if e.Kind == "peer" || e.Kind == "hub" || e.Kind == "notice" {
				before.errorf(t, "%s was told: %s", p, e.Raw)
			}
		}
	}
}
