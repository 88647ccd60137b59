package storm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/node/nodetest/instance"
)

// How long after the faults things may take.
const (
	oneHub   = 5 * time.Second
	together = 10 * time.Second // everyone is linked to it
	equal    = 10 * time.Second // and from then on, until all have the same
	settled  = 10 * time.Second // until everything is ticked
	isolated = 15 * time.Second // one that nobody hears gives up the others, one after the other; there is nobody to miss its hub
)

// errorf tells a violation, with the time.
func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.logf("!! "+format, args...)
	w.t.Errorf("seed %d: "+format, append([]any{w.c.Seed}, args...)...)
}

// until waits for cond, and tells a violation where it does not come.
func (w *world) until(within time.Duration, what string, cond func() bool) bool {
	w.t.Helper()
	began := time.Now()
	for !cond() {
		if time.Since(began) > within {
			w.errorf("not within %v: %s", within, what)
			return false
		}
		w.sleep(20 * time.Millisecond)
	}
	w.logf("== after %v: %s", time.Since(began), what)
	return true
}

// check checks everything, a while after the faults.
func (w *world) check() {
	w.settle("calm")
	w.together = true
	for range 3 {
		w.encore()
		w.settle("an encore")
	}
	w.finally()
	w.newcomer()
	w.idle()
	for _, h := range w.hosts {
		if r := h.up(); r != nil {
			w.stop(h)
		}
		for _, r := range h.runs {
			w.events(r)
		}
	}
	if n := w.lan.InUse(); n > 0 {
		w.errorf("all have ended, and %d ports and streams are in use", n)
	}
}

// idle checks that equal journals leave each other alone: nothing is sent but signs of life.
func (w *world) idle() {
	const long = 9 * time.Second
	before := w.lan.Carried()
	w.sleep(long)
	per := float64(w.lan.Carried()-before) / long.Seconds() / float64(len(w.running())-1)
	w.logf("== idle, each link carries %.0f B/s", per)
	if per > idleRate {
		w.errorf("nobody says anything, and each link carries %.0f B/s", per)
	}
}

// idleRate is what a link carries both ways, in bytes per second, while nobody says anything: PING and BEAT come to 252, and the time may begin and end with one.
const idleRate = 310

// lull stops breaking things for a while, and checks each part of the network.
func (w *world) lull() {
	w.lan.Loss(0)
	parts := map[string][]*instance.Instance{}
	usable := map[string]bool{}
	for _, h := range w.hosts {
		w.thaw(h.up())
		part := fmt.Sprint(h.group)
		if h.cut {
			part = h.machine
		} else {
			w.lan.Heal(h.machine) // what is worse than a cut cable
		}
		if r := h.up(); r != nil {
			parts[part] = append(parts[part], r.Instance)
			usable[part] = usable[part] || !h.config.NeverHub
		}
	}
	for _, h := range w.hosts {
		if h.mute && h.up() != nil && (len(parts) > 1 || len(w.running()) < len(w.hosts)) { // those it knows may be in another part, or in none
			return
		}
	}
	all := func(cond func([]*instance.Instance) bool) func() bool {
		return func() bool {
			for part, here := range parts {
				if usable[part] && !cond(here) {
					return false
				}
			}
			return true
		}
	}
	w.until(oneHub, "one hub in each part where there are two", all(func(here []*instance.Instance) bool { return len(here) == 1 || len(hubs(here)) == 1 }))
	w.until(isolated, "and in each part", all(func(here []*instance.Instance) bool { return len(hubs(here)) == 1 }))
	w.until(together, "all of each linked to it", all(linked))
	if !w.until(equal, "all the same lines in each", all(w.same)) {
		for _, here := range parts {
			w.differences(here)
		}
	}
	w.until(equal, "and the same of what became of them", all(w.sameAbout))
}

// settle waits until there is one hub and everything is where it belongs.
func (w *world) settle(after string) {
	all, calm := w.running(), time.Now()
	if !w.until(oneHub, "one hub after "+after, func() bool { return len(hubs(all)) == 1 }) {
		for _, i := range all {
			w.logf("%s %+v", i.Name, i.Hub())
		}
	}
	if !w.until(together, "all linked to it", func() bool { return linked(all) }) {
		for _, i := range all {
			s := i.Snapshot()
			w.logf("%s %+v %+v", i.Name, s.Hub, s.People)
		}
	}
	if !w.until(equal, "all the same lines", func() bool { return w.same(all) }) {
		w.differences(all)
	}
	if !w.until(equal, "all the same of what became of them", func() bool { return w.sameAbout(all) }) {
		w.aboutDifferences(all)
	}
	w.sealedSettles()
	var missing []string
	w.until(settled, "everything ticked", func() bool { missing = w.unticked(); return len(missing) == 0 })
	for _, s := range missing {
		w.errorf("%s", s)
	}
	w.sleep(time.Until(calm.Add(oneHub)))
	// A box takes the seat when it has been there for 2 s, or, where the others had lost it, 5 s and more later: that may be just now.
	w.until(oneHub, "and so it stays", func() bool { return linked(all) })
}

// encore takes the hub away from a calm network while everyone speaks, to slow disks as to quick ones: what was on its way to being ticked must be ticked all the same.
func (w *world) encore() {
	for _, h := range w.hosts {
		if w.rng.IntN(3) == 0 || h.up().Serving() && w.rng.IntN(2) == 0 {
			w.stall(h, usual, time.Duration(w.rng.Int64N(int64(300*time.Millisecond))))
		}
	}
	for range 4 {
		for _, h := range w.hosts {
			if w.rng.IntN(2) == 0 || h.up().Serving() {
				h.up().say(w)
				if w.sealed != nil {
					w.step(Step{Do: "confide", Host: slices.Index(w.hosts, h), N: w.sealed.rng.IntN(1 << 20)})
				}
			}
		}
		w.sleep(time.Duration(w.rng.Int64N(int64(8 * time.Millisecond))))
		w.audit()
	}
	do := []string{"kill", "power", "stop", "cut", "deafen", "freeze", "reset"}
	w.step(Step{At: time.Since(w.began), Do: do[w.rng.IntN(len(do))], Host: hub, N: w.rng.IntN(8)})
	w.sleep(time.Duration(w.rng.Int64N(int64(3 * time.Second))))
	w.calm()
}

// newcomer starts one more, which gets everything and does not become the hub.
func (w *world) newcomer() {
	first := hubs(w.running())
	w.start(w.add("newcomer"))
	all := w.running()
	w.until(together, "the newcomer is linked, too", func() bool { return linked(all) })
	if !w.until(equal, "and has all the lines", func() bool { return w.same(all) }) {
		w.differences(all)
	}
	if !w.until(equal, "and of what became of them", func() bool { return w.sameAbout(all) }) {
		w.aboutDifferences(all)
	}
	w.sleep(4 * time.Second)
	w.mu.Lock()
	differ, seated := w.differ, w.seated
	w.mu.Unlock()
	if time.Since(differ) < 3*time.Second && differ.Sub(seated) > 3*time.Second { // a new hub has other witnesses, who lack what these are to hold of others' mail
		w.errorf("journals that are equal were found to differ %v ago", time.Since(differ))
	}
	if now := hubs(all); !slices.Equal(now, first) && !w.box(now) {
		w.errorf("the newcomer moved the hub from %v to %v", names(first), names(now))
	}
}

// box reports whether the hub is one that is preferred, which may take the seat at any time.
func (w *world) box(hubs []*instance.Instance) bool {
	return slices.ContainsFunc(w.hosts, func(h *host) bool {
		return h.config.ServerOnly && slices.Equal(hubs, []*instance.Instance{h.up().Instance})
	})
}

func hubs(all []*instance.Instance) (hubs []*instance.Instance) {
	for _, i := range all {
		if i.Serving() {
			hubs = append(hubs, i)
		}
	}
	return hubs
}

// linked reports whether all are together at one hub.
func linked(all []*instance.Instance) bool {
	h := hubs(all)
	return len(h) == 1 && !slices.ContainsFunc(all, func(i *instance.Instance) bool {
		s := i.Hub()
		return s.HubID != h[0].ID() || s.State != node.Serving && s.State != node.Linked
	})
}

// shared are the lines that a node shows and shares: not those that others forget. On the open network it also shows what it said alone in a process that ended before it met anyone.
func (w *world) shared(i *instance.Instance) []node.Message {
	page, err := i.Page(instance.Lobby, node.Key{}, 1<<20)
	if err != nil {
		w.errorf("%s shows nothing: %v", i.Name, err)
	}
	horizon := w.horizon(w.hosts...)
	page = slices.DeleteFunc(page, func(m node.Message) bool {
		l := w.lines[m.Text]
		return l != nil && l.day > 0 && l.day < horizon
	})
	if w.c.Open {
		page = slices.DeleteFunc(page, func(m node.Message) bool {
			l := w.lines[m.Text]
			return l != nil && l.by.ended && !l.ticked(m.ID)
		})
	}
	return page
}

// ticked reports whether the author was told of two copies of what became of a line.
func (l *line) ticked(id message.ID) bool {
	return slices.ContainsFunc(l.by.events(), func(e node.Event) bool { d, ok := e.(node.Delivered); return ok && d.ID == id && d.Copies >= 2 })
}

// events are what a process told while it was alive.
func (r *run) events() []node.Event {
	if r.until.IsZero() {
		return r.Events()
	}
	return r.told
}

// same reports whether all show the same lines in the same order.
func (w *world) same(all []*instance.Instance) bool {
	first := w.shared(all[0])
	return !slices.ContainsFunc(all[1:], func(i *instance.Instance) bool {
		return !slices.EqualFunc(w.shared(i), first, func(a, b node.Message) bool { return a.ID == b.ID && a.Text == b.Text && a.Key == b.Key })
	})
}

// differences tells what some show and others do not.
func (w *world) differences(all []*instance.Instance) {
	have := map[message.ID]int{}
	for _, i := range all {
		for _, m := range w.shared(i) {
			have[m.ID]++
		}
	}
	for _, i := range all {
		var some []string
		for _, m := range w.shared(i) {
			if have[m.ID] < len(all) {
				some = append(some, fmt.Sprint(m.Text, " of ", m.At.Format(time.DateTime)))
			}
		}
		w.logf("%s has %d lines, among them %q", i.Name, len(w.shared(i)), some)
	}
}

// unticked lists what living processes said and were not told to be on three disks, or on as many as there were; on two where one keeps nothing: it may be the
// hub, and its disk is one of the three that are asked.
func (w *world) unticked() (missing []string) {
	enough, machines := 3, 0
	for _, h := range w.hosts {
		if w.mates(h)[0] == h {
			machines++
		}
	}
	if slices.ContainsFunc(w.hosts, func(h *host) bool { return h.config.NoHistory }) {
		enough = 2
	}
	for _, h := range w.hosts {
		r := h.up()
		if r == nil {
			continue
		}
		copies, all := map[message.ID]int{}, map[message.ID]bool{}
		ids := map[string]message.ID{}
		for _, e := range r.Events() {
			switch e := e.(type) {
			case node.Delivered:
				if e.Copies == 0 && !r.copied.IsZero() {
					continue // stranded by the copy
				}
				if e.Copies < copies[e.ID] {
					w.errorf("%s: fewer copies than before of %x: %d after %d", h.name, e.ID, e.Copies, copies[e.ID])
				}
				copies[e.ID], all[e.ID] = e.Copies, all[e.ID] || e.All
			case node.Said:
				ids[e.Text] = e.ID
			}
		}
		r.mu.Lock()
		for _, text := range r.accepted {
			if n := copies[ids[text]]; n < min(enough, machines) && !(all[ids[text]] && n >= 2) && !w.lines[text].stranded() {
				missing = append(missing, fmt.Sprintf("%s is on %d disks, it says, of %d", text, n, machines))
			}
		}
		r.mu.Unlock()
	}
	return missing
}

// finally checks what is there in the end.
func (w *world) finally() {
	said := map[message.ID]*line{}
	for _, h := range w.hosts {
		for _, r := range h.runs {
			for _, e := range r.events() {
				if s, ok := e.(node.Said); ok && w.lines[s.Text] != nil {
					said[s.ID] = w.lines[s.Text]
				}
			}
		}
		if r := h.up(); r != nil {
			r.mu.Lock()
			for _, text := range r.accepted {
				w.lines[text].must = true
			}
			r.mu.Unlock()
		}
	}
	for _, h := range w.hosts {
		w.shows(h, said)
		w.aboutTold(h)
	}
	w.confided()
}

// A part of what a process said. A copied machine goes on with the first one's logs.
type part struct {
	by  *run
	log message.LogID
}

// shows checks what a node shows in the end. said are the lines by what they became.
func (w *world) shows(h *host, said map[message.ID]*line) {
	i := h.up().Instance
	page := w.shared(i)
	ids, seen := map[message.ID]bool{}, map[string]bool{}
	last := map[part]int{}
	for _, m := range page {
		l := w.lines[m.Text]
		if l == nil {
			w.errorf("%s shows %q, which nobody said", i.Name, m.Text)
			continue
		}
		if ids[m.ID] || seen[m.Text] {
			w.errorf("%s shows %q twice", i.Name, m.Text)
		}
		ids[m.ID], seen[m.Text] = true, true
		w.stamped(l, m)
		order := part{by: l.by}
		if l.by.host.wrong(w) || len(w.wrong) > 1 {
			order.log = m.Key.Log // another begins where a clock jumps, and two that are wrong may outvote one
		}
		n := number(m.Text)
		if before, ok := last[order]; ok && n < before {
			w.errorf("%s shows %q after number %d", i.Name, m.Text, before)
		}
		last[order] = n
	}
	if !slices.IsSortedFunc(page, func(a, b node.Message) int { return cmp.Compare(a.Key.HLC, b.Key.HLC) }) {
		w.errorf("%s shows lines out of order", i.Name)
	}
	horizon := w.horizon(w.hosts...)
	for _, o := range w.hosts {
		for _, r := range o.runs {
			for _, e := range r.events() {
				d, ok := e.(node.Delivered)
				if !ok || d.Copies < 2 || ids[d.ID] {
					continue
				}
				l := said[d.ID]
				if l != nil && seen[l.text] && l.by.host.wrong(w) {
					continue // said again, in the same words
				}
				if l == nil {
					continue // it was about a line
				}
				if (l.day == 0 || l.day >= horizon) && !l.stranded() {
					w.errorf("%s lost %x (%v) of %s%d, which was on %d disks", i.Name, d.ID, l, o.name, r.n, d.Copies)
				}
			}
		}
	}
	for _, l := range w.lines {
		if l.must && !seen[l.text] && !(w.c.Open && l.by.ended) && (l.day == 0 || l.day >= horizon) && !l.stranded() {
			w.errorf("%s lacks %s, which was on its author's disk", i.Name, l.text)
		}
	}
	w.complete(i, page)
	w.old(h)
}

// old checks that what was said before the storm is kept by who keeps it, and by nobody else.
func (w *world) old(h *host) {
	shows := map[string]bool{}
	forgotten := func() bool {
		page, err := h.up().Page(instance.Lobby, node.Key{}, 1<<20)
		if err != nil {
			w.errorf("%s shows nothing: %v", h.name, err)
		}
		clear(shows)
		for _, m := range page {
			shows[m.Text] = true
			if l := w.lines[m.Text]; l != nil && l.day > 0 && l.day < min(w.horizon(h), h.today()-h.keeps()) { // by the earlier of two clocks
				return false
			}
		}
		return true
	}
	w.until(settled, h.name+" shows nothing that is too old", forgotten)
	for _, l := range w.lines {
		if h.old && l.day > 0 && l.day >= w.horizon(h) && !shows[l.text] {
			w.errorf("%s forgot %s", h.name, l.text)
		}
	}
}

// stamped checks that a line of who has a sane clock stands where it was said, and in calm one of anybody. With two wrong clocks the majority of four may be wrong by the smaller.
func (w *world) stamped(l *line, m node.Message) {
	l.by.mu.Lock()
	when, ok := l.by.times[l.text]
	l.by.mu.Unlock()
	if !ok || l.by.host.wrong(w) && !l.calm {
		return
	}
	early, late := 10*time.Second, time.Minute+3*time.Second
	if len(w.wrong) > 1 {
		early, late = early+time.Hour, late+time.Hour
	}
	if m.At.Before(when[0].Add(-early)) || m.At.After(when[1].Add(late)) {
		w.errorf("%s was said at %v, and stands at %v", l.text, when[0], m.At)
	}
}

// complete checks that everything shown was told, too.
func (w *world) complete(i *instance.Instance, page []node.Message) {
	told := map[message.ID]bool{}
	for _, e := range i.Events() {
		if s, ok := e.(node.Said); ok {
			told[s.ID] = true
		}
	}
	for _, m := range page {
		if !told[m.ID] {
			w.errorf("%s shows %q and never told it", i.Name, m.Text)
		}
	}
}

// events checks what one process told: nothing twice, and each author's lines in order.
func (w *world) events(r *run) {
	seen, last := map[string]bool{}, map[part]int{}
	for _, e := range r.events() {
		s, ok := e.(node.Said)
		if !ok || s.Room != instance.Lobby {
			continue
		}
		if seen[s.Text] {
			w.errorf("%s%d told %q twice", r.host.name, r.n, s.Text)
		}
		seen[s.Text] = true
		if w.lines[s.Text] == nil {
			w.errorf("%s%d told %q, which nobody said", r.host.name, r.n, s.Text)
			continue
		}
		p := part{w.lines[s.Text].by, s.Key.Log} // a day's log is told after a newer one's where it is fetched
		if n := number(s.Text); n < last[p] {
			w.errorf("%s%d told %q after number %d", r.host.name, r.n, s.Text, last[p])
		} else {
			last[p] = n
		}
	}
}

// number is a line's among those its process said.
func number(text string) int {
	return atoi(text[strings.LastIndexByte(text, '.')+1:])
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func names(all []*instance.Instance) (out []string) {
	for _, i := range all {
		out = append(out, i.Name)
	}
	return out
}
