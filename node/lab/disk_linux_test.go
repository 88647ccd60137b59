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
	kept, no := keepTyping(hub, "full", refused)
	next := serving(l, 4*soon, "another serves", all, but(hub))
	since := mark(l, all...)
	words := numbers("others", 20)
	for _, text := range words {
		say(rest[0], text)
	}
	lines = append(lines, words...)
	haveAll(t, l, lines, all...)
	more, never := keepTyping(hub, "fuller", refused)

	l.Host(1).Free()
	lines = append(lines, sayWhereThereIsRoom(l, hub, refused))
	lines = append(append(lines, kept...), more...)
	haveAll(t, l, lines, all...)
	if hubOf(all) != next {
		since.errorf(t, "the hub moved back")
	}
	for _, p := range all {
		for _, text := range texts(p) {
			if text == no || text == never {
				t.Errorf("%s has what was refused: %s", p, text)
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

// keepTyping types until a line is refused, and returns those that were not, and it: there can be room for a few more, also again where the log of a database begins anew. The answer to a command that follows says that a
// line was dealt with.
func keepTyping(p *lab.Process, word string, refused func(lab.Event) bool) (kept []string, no string) {
	for i := 0; ; i++ {
		text := fmt.Sprint(word, " ", i+1)
		before := len(p.Events())
		p.Send(text)
		p.Send("/hub")
		p.WaitFrom(before, soon, "the answer to /hub", func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Text, "who could be") })
		if slices.ContainsFunc(p.Events()[before:], refused) {
			return kept, text
		}
		kept = append(kept, text)
	}
}

// sayWhereThereIsRoom types a line each time that there is said to be room, until one is taken, which it returns.
func sayWhereThereIsRoom(l *lab.Lab, p *lab.Process, refused func(lab.Event) bool) string {
	for i := 0; ; i++ {
		l.Wait(4*soon, "there is room again", func() bool {
			events := p.Events()
			room := func(text string) int {
				return lastIndex(events, func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Text, text) })
			}
			return room("room on the disk again") > room("the disk is full")
		})
		text := fmt.Sprint("room ", 100+i)
		before := len(p.Events())
		p.Send(text)
		own := func(e lab.Event) bool { return e.Kind == "message" && e.Text == text && e.Mine }
		if own(p.WaitFrom(before, soon, "a line is taken or refused", func(e lab.Event) bool { return own(e) || refused(e) })) {
			return text
		}
	}
}

// lastIndex is that of the last event that is so; -1 where none is.
func lastIndex(events []lab.Event, is func(lab.Event) bool) int {
	for i, e := range slices.Backward(events) {
		if is(e) {
			return i
		}
	}
	return -1
}
