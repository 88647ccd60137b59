package lab_test

import (
	"fmt"
	"slices"
	"testing"

	"earshot/node/lab"
)

// historyOf waits for caught-up and returns what was printed as history before it.
func historyOf(t *testing.T, p *lab.Process) (lines []string) {
	t.Helper()
	p.Wait(2*soon, "it has caught up", func(e lab.Event) bool { return e.Kind == "caught-up" })
	for _, e := range p.Events() {
		switch {
		case e.Kind == "caught-up":
			return lines
		case e.Kind == "message" && e.History:
			lines = append(lines, e.Text)
		}
	}
	return lines
}

func TestHistoryOutlivesEveryProcess(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2)}
	together(t, l, soon, all...)
	var lines []string
	for i := range 30 {
		text := fmt.Sprintf("line %d", i)
		lines = append(lines, text)
		say(all[i%2], text)
		reads(all[1-i%2], text) // so that each is later than the one before, by any clock
	}
	for _, p := range all {
		if status := p.Stop(); status != 0 {
			t.Errorf("%s ended with status %d", p, status)
		}
	}

	alone := start(l, 1)
	if got := historyOf(t, alone); !slices.Equal(got, lines) {
		t.Errorf("alone, it remembers %q", got)
	}
	short := start(l, 2, "--history", "3")
	together(t, l, soon, alone, short)
	if got := historyOf(t, short); !slices.Equal(got, lines[27:]) {
		t.Errorf("of its history it prints %q", got)
	}
	since := mark(l)
	newcomer := start(l, 3)
	if got := historyOf(t, newcomer); len(got) != len(lines) {
		since.errorf(t, "the newcomer gets %d lines of %d: %q", len(got), len(lines), got)
	}
	haveAll(t, l, lines, newcomer, alone)
	say(newcomer, "line 30")
	for _, p := range []*lab.Process{alone, short} {
		if e := reads(p, "line 30"); e.History {
			t.Errorf("what is said now is told as history: %s", e.Raw)
		}
	}
}

func TestOfficeCaféOffice(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	l.Split([]int{1, 2}, []int{3, 4})
	laptop, colleague := start(l, 1), start(l, 2)
	strangers := []*lab.Process{start(l, 3), start(l, 4)}
	together(t, l, soon, laptop, colleague)
	together(t, l, soon, strangers...)
	say(laptop, "office, first")
	reads(colleague, "office, first")
	say(colleague, "office, second")
	reads(laptop, "office, second")
	say(strangers[0], "café, first")
	reads(strangers[1], "café, first")
	laptop.Stop()

	l.Split([]int{2}, []int{1, 3, 4})
	laptop = start(l, 1)
	together(t, l, soon, append(strangers, laptop)...)
	reads(laptop, "café, first")
	say(laptop, "café, second")
	for _, p := range strangers {
		reads(p, "café, second")
	}
	say(colleague, "office, third")
	laptop.Stop()

	l.Split([]int{1, 2}, []int{3, 4})
	laptop = start(l, 1)
	together(t, l, soon, laptop, colleague)
	reads(laptop, "office, third")
	say(laptop, "office, fourth")
	reads(colleague, "office, fourth")
	newcomer := start(l, 2, "--profile", "second") // is told all that is said to be the office's
	haveAll(t, l, []string{"office, first", "office, second", "office, third", "office, fourth"}, laptop, colleague, newcomer)
	for _, p := range []*lab.Process{colleague, newcomer} {
		for _, text := range texts(p) {
			if text == "café, first" || text == "café, second" {
				t.Errorf("%s, at the office, has %q", p, text)
			}
		}
	}
	for _, p := range strangers {
		if got := texts(p); !slices.Equal(got, []string{"café, first", "café, second"}) {
			t.Errorf("%s, at the café, has %q", p, got)
		}
	}
}
