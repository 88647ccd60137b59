package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/lab"
)

// soon is what an action may take that has no bound of its own: many times what it does take, since the machine may be busy with other things.
const soon = 30 * time.Second * lab.Slack

// start runs the binary on host i, under a name of its own.
func start(l *lab.Lab, i int, args ...string) *lab.Process {
	return l.Host(i).Earshot(append([]string{"--nick", fmt.Sprint("host", i), "--rate", "0", "--log-level", "info"}, args...)...)
}

// inTurn starts n hosts one after the other: the first is the hub, and the others are its succession in that order. Where the machine is so busy that the first loses its seat meanwhile, all start again.
func inTurn(t *testing.T, l *lab.Lab, n int) []*lab.Process {
	t.Helper()
	for range 10 {
		all := []*lab.Process{start(l, 1)}
		l.Wait(soon, "the first serves", func() bool { return hubOf(all) != nil })
		hub := all[0]
		for i := 2; i <= n && hub == all[0]; i++ {
			all = append(all, start(l, i))
			hub = together(t, l, soon, all...)
		}
		if hub == all[0] {
			return all
		}
		t.Logf("the seat went to %s while the others came", hub)
		for _, p := range all {
			p.Stop()
		}
	}
	t.Fatal("the first lost its seat each time")
	return nil
}

// numbers returns lines "word 1" to "word n".
func numbers(word string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprint(word, " ", i+1))
	}
	return lines
}

// marks are how many events processes had printed at a moment.
type marks struct {
	lab    *lab.Lab
	at     time.Time
	events map[*lab.Process]int
}

func mark(l *lab.Lab, all ...*lab.Process) marks {
	m := marks{l, time.Now(), map[*lab.Process]int{}}
	for _, p := range all {
		m.events[p] = len(p.Events())
	}
	return m
}

// errorf is for what must not have happened since the mark where processes run when they can; where one could not, it is only noted: whoever says nothing for 0.7 seconds is lost, and who hears nobody so long is alone, and told
// as news what it hears after that.
func (m marks) errorf(t *testing.T, format string, args ...any) {
	t.Helper()
	if m.lab.Starved(m.at) {
		t.Logf("on a machine too busy to say: "+format, args...)
		return
	}
	t.Errorf(format, args...)
}

// stayed checks that since the mark all processes in it stayed with one hub.
func (m marks) stayed(t *testing.T, hub *lab.Process) {
	t.Helper()
	for p, n := range m.events {
		for _, e := range p.Events()[n:] {
			if e.Kind == "hub" && (e.HubID != last(hub, "ready").ID || e.State != "linked" && e.State != "serving") {
				m.errorf(t, "%s was to stay with %s: %s", p, hub, e.Raw)
			}
		}
	}
}

// last returns the newest event of a kind; the zero Event where there is none.
func last(p *lab.Process, kind string) (found lab.Event) {
	for _, e := range p.Events() {
		if e.Kind == kind {
			found = e
		}
	}
	return found
}

// texts returns the words of the messages printed so far, in their order.
func texts(p *lab.Process) (all []string) {
	for _, e := range p.Events() {
		if e.Kind == "message" {
			all = append(all, e.Text)
		}
	}
	return all
}

func id(t *testing.T, p *lab.Process) string {
	t.Helper()
	return p.Wait(soon, "it is ready", func(e lab.Event) bool { return e.Kind == "ready" }).ID
}

// hubOf returns the one that all are with: it serves, and the rest are linked to it; nil where they are not of one mind.
func hubOf(all []*lab.Process) (hub *lab.Process) {
	var of string
	for _, p := range all {
		e := last(p, "hub")
		switch {
		case e.State != "serving" && e.State != "linked", of != "" && e.HubID != of, e.State == "serving" && hub != nil:
			return nil
		case e.State == "serving":
			hub = p
		}
		of = e.HubID
	}
	if hub != nil && last(hub, "ready").ID != of {
		return nil
	}
	return hub
}

// together waits until all are with one hub and see one another, and returns the hub.
func together(t *testing.T, l *lab.Lab, within time.Duration, all ...*lab.Process) *lab.Process {
	t.Helper()
	return serving(l, within, fmt.Sprintf("%d are together with one hub", len(all)), all, func(*lab.Process) bool {
		return !slices.ContainsFunc(all, func(p *lab.Process) bool { return last(p, "peer").Peers != len(all) })
	})
}

// serving waits until all are with one hub that is as it is to be, and returns it.
func serving(l *lab.Lab, within time.Duration, what string, all []*lab.Process, is func(hub *lab.Process) bool) (hub *lab.Process) {
	l.Wait(within, what, func() bool {
		hub = hubOf(all)
		return hub != nil && is(hub)
	})
	return hub
}

func but(not *lab.Process) func(*lab.Process) bool {
	return func(hub *lab.Process) bool { return hub != not }
}

// others returns all but one.
func others(all []*lab.Process, but *lab.Process) []*lab.Process {
	return slices.DeleteFunc(slices.Clone(all), func(p *lab.Process) bool { return p == but })
}

// say types a line and waits until it is on this machine's disk.
func say(p *lab.Process, text string) lab.Event {
	p.Send(text)
	return p.Wait(soon, "own line "+text, func(e lab.Event) bool { return e.Kind == "message" && e.Text == text && e.Mine })
}

// reads waits until a line arrives.
func reads(p *lab.Process, text string) lab.Event {
	return p.Wait(soon, "line "+text, func(e lab.Event) bool { return e.Kind == "message" && e.Text == text })
}

// haveAll waits until each has printed every line, and then checks that none is there twice, and that lines "word 1", "word 2" that one process wrote came
// in the order of their numbers. Whoever uses one word in two processes must not number.
func haveAll(t *testing.T, l *lab.Lab, lines []string, all ...*lab.Process) {
	t.Helper()
	for _, p := range all {
		l.Wait(4*soon, fmt.Sprintf("all %d lines at %s", len(lines), p), func() bool {
			have := map[string]bool{}
			for _, text := range texts(p) {
				have[text] = true
			}
			return !slices.ContainsFunc(lines, func(s string) bool { return !have[s] })
		})
		checkOnce(t, p)
	}
}

func checkOnce(t *testing.T, p *lab.Process) {
	t.Helper()
	times := map[string]int{}
	newest := map[string]int{}
	for _, e := range p.Events() {
		if e.Kind != "message" {
			continue
		}
		if times[e.Text]++; times[e.Text] > 1 {
			t.Errorf("%s printed %q %d times", p, e.Text, times[e.Text])
		}
		word, number, _ := strings.Cut(e.Text, " ")
		var n int
		if _, err := fmt.Sscan(number, &n); err != nil {
			continue
		}
		by := e.Author + word
		if n < newest[by] {
			t.Errorf("%s printed %q after number %d", p, e.Text, newest[by])
		}
		newest[by] = n
	}
}
