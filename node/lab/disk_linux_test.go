package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"earshot/node/lab"
)

// TestHubsDiskFills: the hub resigns, what is said there is refused in words, and when there is room again everything is on its disk.
func TestHubsDiskFills(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	l.Host(1).Disk(4 << 20)
	all := inTurn(t, l, 3)
	hub, rest := all[0], all[1:]
	lines := numbers("room", 5)
	for _, text := range lines {
		say(hub, text)
	}
	haveAll(t, l, lines, all...)

	l.Host(1).Fill()
	refused := func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Text, "nothing can be said") }
	kept := keepTyping(hub, refused)
	next := serving(l, 4*soon, "another serves", all, but(hub))
	since := mark(l, all...)
	words := numbers("others", 20)
	for _, text := range words {
		say(rest[0], text)
	}
	lines = append(lines, words...)
	haveAll(t, l, lines, all...)
	n := len(hub.Events())
	hub.Send("refused")
	hub.WaitFrom(n, soon, "a line is refused", refused)

	l.Host(1).Free()
	hub.Wait(4*soon, "there is room again", func(e lab.Event) bool {
		return e.Kind == "notice" && strings.Contains(e.Text, "room on the disk again")
	})
	lines = append(lines, kept...)
	haveAll(t, l, lines, all...)
	say(hub, "room again")
	lines = append(lines, "room again")
	haveAll(t, l, lines, all...)
	if hubOf(all) != next {
		since.errorf(t, "the hub moved back")
	}
	for _, p := range all {
		for _, text := range texts(p) {
			if text == "refused" {
				t.Errorf("%s has what was refused", p)
			}
		}
	}

	// It is on its disk.
	hub.Stop()
	l.Cut(1)
	if got := historyOf(t, start(l, 1)); len(got) != len(lines) {
		t.Errorf("of %d lines it remembers %d: %q", len(lines), len(got), got)
	}
}

// keepTyping types until a line is refused, and returns those that were not. The answer to a command that follows says that a line was dealt with.
func keepTyping(p *lab.Process, refused func(lab.Event) bool) (kept []string) {
	for i := 0; ; i++ {
		text := fmt.Sprint("full ", i+1)
		before := len(p.Events())
		p.Send(text)
		p.Send("/hub")
		p.WaitFrom(before, soon, "the answer to /hub", func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Text, "who could be") })
		if slices.ContainsFunc(p.Events()[before:], refused) {
			return kept
		}
		kept = append(kept, text)
	}
}
