package lab_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"earshot/node/lab"
)

func TestHubIsKilledWhileTwoType(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	hub := together(t, l, soon, all...)
	rest := others(all, hub)
	first := slices.Index(all, hub) + 1
	const n = 40
	var lines []string
	var died time.Time
	for i := range n {
		if i == n/2 {
			died = time.Now()
			hub.Kill()
		}
		for k, p := range rest {
			text := fmt.Sprintf("rest%d %d", k, i)
			lines = append(lines, text)
			say(p, text)
		}
		if i < n/2 {
			text := fmt.Sprintf("hub %d", i)
			lines = append(lines, text)
			say(hub, text)
			reads(rest[0], text) // it was on another machine before the hub died: it must survive
		}
	}
	new := together(t, l, 2*soon, rest...)
	t.Logf("another served %v after the kill", last(new, "hub").Seen.Sub(died).Round(time.Millisecond))
	haveAll(t, l, lines, rest...)

	since := mark(l, rest...)
	again := start(l, first)
	all = append(rest, again)
	if together(t, l, soon, all...) != new {
		since.errorf(t, "the killed hub took its seat back")
	}
	say(again, "i am back")
	haveAll(t, l, append(lines, "i am back"), all...)
	if hubOf(all) != new {
		since.errorf(t, "the hub changed later")
	}
	for _, e := range again.Events() {
		if e.Kind == "message" && !e.History && e.Text != "i am back" {
			since.errorf(t, "what was said before is told as news: %s", e.Raw)
		}
	}
}

func TestHubSaysGoodbye(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3), start(l, 4)}
	hub := together(t, l, soon, all...)
	rest := others(all, hub)
	seen := map[*lab.Process]int{}
	for _, p := range rest {
		seen[p] = len(p.Events())
	}
	gone := last(hub, "ready").ID
	if status := hub.Stop(); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	l.Wait(soon, "another serves, and all have heard the goodbye", func() bool {
		return hubOf(rest) != nil && !slices.ContainsFunc(rest, func(p *lab.Process) bool { return last(p, "peer").ID != gone })
	})
	for _, p := range rest {
		for _, e := range p.Events()[seen[p]:] {
			switch {
			case e.Kind == "peer" && (e.ID != gone || e.State != "left"):
				t.Errorf("%s: someone seemed to move who did not: %s", p, e.Raw)
			case e.Kind == "hub" && e.State == "lost":
				t.Errorf("%s: it was not handed over: %s", p, e.Raw)
			}
		}
	}
	say(rest[0], "carry on")
	for _, p := range rest {
		reads(p, "carry on")
	}
	if status := rest[0].Interrupt(); status != 130 {
		t.Errorf("interrupted, it ended with status %d", status)
	}
}

func TestHubsCableIsPulled(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	hub := together(t, l, soon, all...)
	rest := others(all, hub)
	l.Cut(slices.Index(all, hub) + 1)
	serving(l, 2*soon, "the others have a hub", rest, but(hub))
	lines := []string{"without 1", "cutoff 1"}
	say(rest[0], lines[0])
	say(hub, lines[1])
	reads(rest[1], lines[0])
	l.Heal(slices.Index(all, hub) + 1)
	together(t, l, 2*soon, all...)
	haveAll(t, l, lines, all...)
}

// TestSplitAndJoin has two, two and one chat on without one another.
func TestSplitAndJoin(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3), start(l, 4), start(l, 5)}
	together(t, l, soon, all...)
	say(all[0], "before 1")
	haveAll(t, l, []string{"before 1"}, all...)
	l.Split([]int{1, 2}, []int{3, 4}, []int{5})
	parts := [][]*lab.Process{all[:2], all[2:4], all[4:]}
	for _, part := range parts {
		together(t, l, 4*soon, part...)
	}
	lines := []string{"before 1"}
	for i, part := range parts {
		var said []string
		for n := range 10 {
			for k, p := range part {
				text := fmt.Sprintf("side%d.%d %d", i, k, n)
				said = append(said, text)
				say(p, text)
			}
		}
		haveAll(t, l, said, part...)
		lines = append(lines, said...)
	}
	l.Join()
	together(t, l, 4*soon, all...)
	haveAll(t, l, lines, all...)
}
