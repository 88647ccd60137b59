package lab_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"earshot/node/lab"
)

var torture = flag.Int("torture", 1, "how many times TestTorture goes through its faults; each takes about 25 s")

// A typist types at one host. Its fields are of the process that runs there now, unless they say otherwise.
type typist struct {
	*trial
	number int
	id     string
	starts int
	p      *lab.Process // nil while there is none

	typed   int // lines
	taken   int // events looked at
	hub     lab.Event
	met     bool            // it was with others
	heard   map[string]bool // what it printed
	own     map[string]bool // what it printed as its own, and the ids of that
	ids     map[string]string
	copies  map[string]int // by id
	order   map[[2]int]int // the newest number it printed by host and start, of what was not told as history
	newest  time.Time      // when it printed the last line of its own
	longest time.Duration  // from one of them to the next, in all starts
}

func (y *typist) start() {
	y.starts++
	y.p = start(y.lab, y.number)
	y.typed, y.taken, y.hub, y.met, y.newest = 0, 0, lab.Event{}, false, time.Time{}
	y.order = map[[2]int]int{}
	y.own, y.copies, y.ids, y.heard = map[string]bool{}, map[string]int{}, map[string]string{}, map[string]bool{}
}

// typeLine types the next line: the host and its start as one word, and a number.
func (y *typist) typeLine() {
	y.typed++
	run := [2]int{y.number, y.starts}
	y.lines[run] = y.typed
	if !y.met || !y.one {
		y.early[run] = y.typed
	}
	y.p.Send(fmt.Sprintf("%d.%d %d", y.number, y.starts, y.typed))
}

// take takes in what was printed.
func (y *typist) take() {
	events := y.p.Events()
	for _, e := range events[y.taken:] {
		switch e.Kind {
		case "ready":
			y.id = e.ID
		case "hub":
			y.hub = e
			y.met = y.met || e.State == "linked"
		case "peer":
			y.met = y.met || e.Peers > 1
		case "delivery":
			y.copies[e.ID] = max(y.copies[e.ID], e.Copies)
		case "message":
			if y.heard[e.Text] {
				y.Errorf("%s printed it twice: %s", y.p, e.Raw)
			}
			y.heard[e.Text] = true
			run, n := parts(e.Text)
			if !e.History && n > y.early[run] {
				if n <= y.order[run] {
					y.Errorf("%s printed it after number %d: %s", y.p, y.order[run], e.Raw)
				}
				y.order[run] = n
			}
			if e.Mine && !e.History && run == [2]int{y.number, y.starts} { // what it said before it was killed may come back from somebody who was apart
				y.own[e.Text] = true
				y.ids[e.Text] = e.ID
				if !y.newest.IsZero() {
					y.longest = max(y.longest, e.Seen.Sub(y.newest))
				}
				y.newest = e.Seen
			}
		}
	}
	y.taken = len(events)
}

// A trial is a run of TestTorture.
type trial struct {
	*testing.T
	lab     *lab.Lab
	all     []*typist
	promise map[string]bool // lines that must be everywhere in the end
	killed  map[[2]int]bool // by host and start
	lines   map[[2]int]int  // how many were typed
	early   map[[2]int]int  // the last number typed before others were met: what is said alone goes along later, and not in the order of what follows
	one     bool            // all were with one hub once; until then some may say in one realm what goes along later where it becomes part of another
	tick    *time.Ticker
}

// typeUntil has everyone that runs type a line at every tick until cond holds, and then for so many ticks more.
func (r *trial) typeUntil(what string, more int, cond func() bool) {
	r.Helper()
	late := time.NewTimer(8 * soon)
	defer late.Stop()
	for held := false; !held || more > 0; {
		select {
		case <-late.C:
			r.Fatalf("not within %v: %s", 8*soon, what)
		case <-r.tick.C:
		}
		for _, y := range r.running() {
			y.typeLine()
			y.take()
		}
		if held {
			more--
		}
		held = held || cond()
	}
}

func (r *trial) running() []*typist {
	return slices.DeleteFunc(slices.Clone(r.all), func(y *typist) bool { return y.p == nil })
}

// kill is kill -9. What it printed as its own before is promised.
func (r *trial) kill(y *typist) {
	y.p.Kill()
	y.take()
	y.p = nil
	run := [2]int{y.number, y.starts}
	r.killed[run] = true
	for text := range y.own {
		if _, n := parts(text); n > r.early[run] || y.copies[y.ids[text]] >= 2 {
			r.promise[text] = true
		}
	}
}

// stray reports whether a line may be on its author's machine alone: it was said before others were met, by a process that was killed before two machines had it.
func (r *trial) stray(text string) bool {
	run, n := parts(text)
	return r.killed[run] && n <= r.early[run] && !r.promise[text]
}

// parts takes a line apart: host and start, and the number.
func parts(text string) (run [2]int, n int) {
	fmt.Sscanf(text, "%d.%d %d", &run[0], &run[1], &n)
	return run, n
}

// hubAmong returns the one that all of them are with; nil where they are not of one mind.
func hubAmong(some []*typist) (hub *typist) {
	for _, y := range some {
		switch {
		case y.hub.HubID == "" || y.hub.HubID != some[0].hub.HubID:
			return nil
		case y.hub.State == "serving":
			hub = y
		case y.hub.State != "linked":
			return nil
		}
	}
	return hub
}

// hear returns a condition: they are with one hub, and each has printed the next line of every one.
func hear(some []*typist) func() bool {
	var wanted []string
	for _, y := range some {
		wanted = append(wanted, fmt.Sprintf("%d.%d %d", y.number, y.starts, y.typed+1))
	}
	return func() bool {
		return hubAmong(some) != nil && !slices.ContainsFunc(some, func(y *typist) bool {
			return slices.ContainsFunc(wanted, func(text string) bool { return !y.heard[text] })
		})
	}
}

// TestTorture: five hosts type all the time while hubs are killed, a host is killed as soon as it is back, several and all are killed at once, and the network is split and joined. In the end every host has the same
// history in the same order, and in it, once, everything that any process printed as its own. Of what was typed into a process that was killed before it printed it, nothing is
// promised but that all hosts agree; nor of what a process said that met nobody before it was killed.
func TestTorture(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	r := &trial{T: t, lab: l, promise: map[string]bool{}, killed: map[[2]int]bool{}, lines: map[[2]int]int{}, early: map[[2]int]int{}, tick: time.NewTicker(40 * time.Millisecond * lab.Slack)}
	defer r.tick.Stop()
	for i := 1; i <= 5; i++ {
		r.all = append(r.all, &typist{trial: r, number: i})
		r.all[i-1].start()
	}
	r.typeUntil("all five are with one hub", 10, hear(r.all))
	r.one = true
	for range *torture {
		for range 5 {
			r.killHub()
		}
		r.killTwice()
		r.killAtOnce(3)
		r.killAtOnce(5)
		r.split()
	}
	r.compare()
}

// killHub kills the hub, and starts it again when the others have another.
func (r *trial) killHub() {
	r.Helper()
	r.typeUntil("all are with one hub", 0, hear(r.all))
	hub := hubAmong(r.all)
	r.kill(hub)
	r.typeUntil("the others are with another hub", rand.IntN(10), hear(r.running()))
	hub.start()
	r.typeUntil("the killed one is back", rand.IntN(10), hear(r.all))
}

// killTwice kills one and kills it again as soon as it has printed a line of its own: it may not have met anyone then.
func (r *trial) killTwice() {
	r.Helper()
	y := r.all[rand.IntN(len(r.all))]
	r.kill(y)
	y.start()
	r.typeUntil("the killed one types", rand.IntN(3), func() bool { return len(y.own) > 0 })
	r.kill(y)
	y.start()
	r.typeUntil("it is back", 0, hear(r.all))
}

// killAtOnce has the power go at the hub and at others, n in all, and starts them again.
func (r *trial) killAtOnce(n int) {
	r.Helper()
	r.typeUntil("all are with one hub", 0, hear(r.all))
	hub := hubAmong(r.all)
	gone := append(rest(r.all, hub), hub)[5-n:]
	for _, y := range gone {
		y.p.Signal(syscall.SIGKILL)
	}
	for _, y := range gone {
		r.kill(y)
	}
	if left := r.running(); len(left) > 0 {
		r.typeUntil("those that are left have a hub", rand.IntN(10), hear(left))
	}
	for _, y := range gone {
		y.start()
	}
	r.typeUntil("all are back", rand.IntN(10), hear(r.all))
}

func rest(all []*typist, but *typist) []*typist {
	return slices.DeleteFunc(slices.Clone(all), func(y *typist) bool { return y == but })
}

// split lets three and two chat on without each other, kills a hub meanwhile, and joins them.
func (r *trial) split() {
	r.Helper()
	two := r.all[3:]
	three := r.all[:3]
	r.lab.Split([]int{1, 2, 3}, []int{4, 5})
	r.typeUntil("both sides have a hub", 0, both(hear(three), hear(two)))
	hub := hubAmong(three)
	r.kill(hub)
	r.typeUntil("the three have another", 5, hear(rest(three, hub)))
	hub.start()
	r.typeUntil("it is back", 10, both(hear(three), hear(two)))
	r.lab.Join()
	r.typeUntil("all have one hub again", 10, hear(r.all))
}

func both(a, b func() bool) func() bool { return func() bool { x, y := a(), b(); return x && y } }

// compare lets everything come to rest, starts everyone anew, and compares what they remember with what was typed.
func (r *trial) compare() {
	r.Helper()
	calm := func(what string, cond func() bool) {
		r.Helper()
		r.lab.Wait(8*soon, what, func() bool {
			for _, y := range r.all {
				y.take()
			}
			return cond()
		})
	}
	every := func(cond func(y *typist) bool) func() bool {
		return func() bool { return !slices.ContainsFunc(r.all, func(y *typist) bool { return !cond(y) }) }
	}
	defer func() {
		if !r.Failed() {
			return
		}
		for _, y := range r.all {
			for n := range y.typed {
				if text := fmt.Sprintf("%d.%d %d", y.number, y.starts, n+1); !y.own[text] {
					r.Logf("host %d did not print %q as its own; did it print it at all: %v", y.number, text, y.heard[text])
				}
			}
			if missing := slices.DeleteFunc(slices.Sorted(maps.Keys(r.promise)), func(text string) bool { return y.heard[text] }); len(missing) > 0 {
				r.Logf("host %d has not %d of %d lines: %q", y.number, len(missing), len(r.promise), missing[:min(len(missing), 20)])
			}
		}
	}()
	calm("everyone printed all they typed", every(func(y *typist) bool { return len(y.own) == y.typed }))
	for _, y := range r.all {
		maps.Copy(r.promise, y.own)
	}
	calm("everyone has all that was promised", every(func(y *typist) bool {
		for text := range r.promise {
			if !y.heard[text] {
				return false
			}
		}
		return true
	}))
	calm("two machines have all that is said by those that live", every(func(y *typist) bool {
		for text := range y.own {
			if y.copies[y.ids[text]] < 2 {
				return false
			}
		}
		return true
	}))
	for _, y := range r.all {
		if status := y.p.Stop(); status != 0 {
			r.Errorf("%s ended with status %d", y.p, status)
		}
	}
	var first []lab.Event
	for _, y := range r.all { // each alone: it remembers what is on its own disk
		r.lab.Cut(y.number)
		y.start()
	}
	for i, y := range r.all {
		told := r.remembered(y.p)
		if i == 0 {
			first = told
			r.check(told)
			continue
		}
		same := func(a, b lab.Event) bool {
			return a.ID == b.ID && a.Text == b.Text && a.Author == b.Author && a.At.Equal(b.At)
		}
		if !slices.EqualFunc(first, told, same) {
			r.Errorf("host 1 remembers %d lines, host %d %d: %s", len(first), y.number, len(told), difference(first, told))
		}
	}
	var longest time.Duration
	for _, y := range r.all {
		longest = max(longest, y.longest)
	}
	r.Logf("%d lines, of them %d promised; nobody waited longer than %v for an own line", len(first), len(r.promise), longest.Round(time.Millisecond))
}

// remembered returns the stored history that a process tells first, in its order.
func (r *trial) remembered(p *lab.Process) (told []lab.Event) {
	r.Helper()
	p.Wait(8*soon, "it has told what it remembers", func(e lab.Event) bool { return e.Kind == "caught-up" })
	for _, e := range p.Events() {
		if e.Kind == "message" && !r.stray(e.Text) {
			told = append(told, e)
		}
	}
	return told
}

// check holds a history against what was typed.
func (r *trial) check(told []lab.Event) {
	r.Helper()
	times := map[string]int{}
	newest := map[[2]int]int{}
	for _, e := range told {
		if times[e.Text]++; times[e.Text] > 1 {
			r.Errorf("it remembers %q %d times", e.Text, times[e.Text])
		}
		run, n := parts(e.Text)
		if e.Nick != fmt.Sprint("host", run[0]) || e.Author != r.all[run[0]-1].id || n < 1 || n > r.lines[run] || e.Text != fmt.Sprintf("%d.%d %d", run[0], run[1], n) {
			r.Errorf("nobody typed %s", e.Raw)
		}
		if n <= newest[run] {
			r.Errorf("it remembers it after number %d: %s", newest[run], e.Raw)
		}
		newest[run] = n
	}
	for text := range r.promise {
		if times[text] == 0 {
			r.Errorf("%q was printed by its author and is nowhere", text)
		}
	}
}

// difference says where two histories part.
func difference(a, b []lab.Event) string {
	for i := range min(len(a), len(b)) {
		if a[i].ID != b[i].ID {
			return fmt.Sprintf("line %d is\n%s\nand\n%s", i, a[i].Raw, b[i].Raw)
		}
	}
	return "one has more"
}
