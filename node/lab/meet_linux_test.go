package lab_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"earshot/node/lab"
)

func TestThreeMeetAndTalk(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	began := time.Now()
	together(t, l, soon, all...)
	t.Logf("together %v after the last start", time.Since(began).Round(time.Millisecond))
	for i, p := range all {
		ready := last(p, "ready")
		if ready.Network != "lobby" || ready.Closed || ready.Port != 4327 || len(ready.Session) != 16 || ready.Me == "" {
			t.Errorf("%s", ready.Raw)
		}
		text := []string{"hello", "grüß dich", "你好 👋🏽"}[i]
		mine := say(p, text)
		for _, q := range others(all, p) {
			e := reads(q, text)
			if e.ID != mine.ID || e.Author != ready.ID || e.Nick != ready.Me || e.Room != "#lobby" || e.Mine || e.History || !e.At.Equal(mine.At) {
				t.Errorf("said  %s\nheard %s", mine.Raw, e.Raw)
			}
		}
		p.Wait(soon, "two machines have it", func(e lab.Event) bool { return e.Kind == "delivery" && e.ID == mine.ID && e.Copies >= 2 })
	}
	for _, p := range all {
		checkOnce(t, p)
	}
}

func TestServerOnlyTakesTheSeatAndKeepsIt(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	together(t, l, soon, all...)
	box := start(l, 4, "--server-only")
	withBox := append(slices.Clone(all), box)
	l.Wait(2*soon, "all are with the box", func() bool { return hubOf(withBox) == box })
	since := mark(l, all...)

	newcomer := start(l, 5)
	withBox = append(withBox, newcomer)
	l.Wait(soon, "the newcomer is with the box", func() bool { return hubOf(withBox) == box })
	mine := say(newcomer, "secret words")
	for _, p := range all {
		reads(p, "secret words")
	}
	logged := box.Wait(soon, "the box logs it", func(e lab.Event) bool { return e.Kind == "message" && e.ID == mine.ID })
	if logged.Text != "" || logged.Room != "#lobby" {
		t.Errorf("the box logged %s", logged.Raw)
	}
	for _, p := range all {
		served := false
		for _, e := range p.Events() {
			served = served || e.Kind == "hub" && e.HubID == last(box, "ready").ID
			if served && e.Kind == "hub" && e.HubID != last(box, "ready").ID {
				since.errorf(t, "%s left the box: %s", p, e.Raw)
			}
		}
	}

	if status := box.Stop(); status != 0 {
		t.Errorf("the box ended with status %d", status)
	}
	rest := append(slices.Clone(all), newcomer)
	lines := []string{"secret words"}
	for i := range 3 { // it flaps
		l.Wait(2*soon, "another serves", func() bool { return hubOf(rest) != nil })
		text := fmt.Sprint("without the box ", i)
		say(all[i], text)
		haveAll(t, l, []string{text}, rest...)
		box = start(l, 4, "--server-only")
		l.Wait(4*soon, "all are with the box again", func() bool { return hubOf(append(rest, box)) == box })
		with := fmt.Sprint("with the box ", i)
		say(newcomer, with)
		lines = append(lines, text, with)
		haveAll(t, l, []string{with}, rest...)
		box.Kill()
	}
	l.Wait(2*soon, "another serves in the end", func() bool { return hubOf(rest) != nil })
	haveAll(t, l, lines, rest...)
}

// TestTwentyStartAtOnce has as many hosts as may be there at once: it is not parallel to others.
func TestTwentyStartAtOnce(t *testing.T) {
	const hosts = 20 / lab.Slack // with the race detector twenty would take a small machine minutes
	l := lab.New(t, hosts)
	var all []*lab.Process
	began := time.Now()
	for i := 1; i <= hosts; i++ {
		all = append(all, start(l, i))
	}
	started := time.Now()
	hub := together(t, l, 8*soon, all...)
	since := mark(l, all...)
	t.Logf("started within %v, together %v later", started.Sub(began).Round(time.Millisecond), time.Since(started).Round(time.Millisecond))
	var lines []string
	for i, p := range all {
		lines = append(lines, fmt.Sprint("hello from ", i))
		p.Send(lines[i])
	}
	haveAll(t, l, lines, all...)
	if hubOf(all) != hub {
		since.errorf(t, "the hub moved")
	}
}

func TestClosedAndOpenSideBySide(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	key, stderr, status := l.Host(1).Run("", "key", "new", "office")
	if status != 0 {
		t.Fatalf("key new: %d %s", status, stderr)
	}
	if _, stderr, status := l.Host(2).Run(key, "key", "join", "office"); status != 0 {
		t.Fatalf("key join: %d %s", status, stderr)
	}
	if _, stderr, status := l.Host(5).Run("", "key", "new", "office"); status != 0 { // another key, the same name
		t.Fatalf("key new: %d %s", status, stderr)
	}
	closed := []*lab.Process{start(l, 1, "--network", "office"), start(l, 2, "--network", "office")}
	open := []*lab.Process{start(l, 3), start(l, 4)}
	outsider := start(l, 5, "--network", "office")
	together(t, l, soon, closed...)
	together(t, l, soon, open...)
	l.Wait(soon, "the outsider serves itself", func() bool { return last(outsider, "hub").State == "serving" })
	if e := last(closed[0], "ready"); !e.Closed || e.Network != "office" {
		t.Errorf("%s", e.Raw)
	}
	say(closed[0], "behind the door")
	reads(closed[1], "behind the door")
	say(open[1], "in the open")
	reads(open[0], "in the open")

	// Long enough for whoever could be met to be met: another of the open network comes and is found.
	late := start(l, 5, "--profile", "second")
	together(t, l, soon, append(open, late)...)
	for _, p := range append(slices.Clone(closed), outsider) {
		for _, e := range p.Events() {
			if e.Text == "in the open" || e.Kind == "peer" && !slices.Contains([]string{id(t, closed[0]), id(t, closed[1]), id(t, outsider)}, e.ID) {
				t.Errorf("%s sees the open network: %s", p, e.Raw)
			}
		}
	}
	for _, p := range append(slices.Clone(open), late, outsider) {
		for _, e := range p.Events() {
			if e.Text == "behind the door" || e.Kind == "peer" && (e.ID == id(t, closed[0]) || e.ID == id(t, closed[1])) {
				t.Errorf("%s sees the closed network: %s", p, e.Raw)
			}
		}
	}
	for _, p := range append(slices.Clone(closed), open...) {
		if e := last(p, "notice"); e.Raw != "" {
			t.Errorf("%s confuses people: %s", p, e.Raw)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 2)
	key, stderr, status := l.Host(1).Run("", "key", "new", "office")
	if status != 0 {
		t.Fatalf("key new: %d %s", status, stderr)
	}
	file := writeFile(t, l.Host(2), "office.key", key)
	all := []*lab.Process{start(l, 1, "--network", "office"), start(l, 2, "--network", "office", "--key-file", file)}
	together(t, l, soon, all...)
}
