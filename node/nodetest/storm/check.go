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
		time.Sleep(20 * time.Millisecond)
	}
	w.logf("== after %v: %s", time.Since(began), what)
	return true
}

// check checks everything, a while after the faults.
func (w *world) check() {
	w.settle("calm")
	for range 3 {
		w.encore()
		w.settle("an encore")
	}
	w.finally(w.running())
	w.newcomer()
	for _, h := range w.hosts {
		if r := h.up(); r != nil {
			w.stop(h)
		}
		for _, r := range h.runs {
			w.events(r)
		}
	}
}

// settle waits until there is one hub and everything is where it belongs.
func (w *world) settle(after string) {
	all, calm := w.running(), time.Now()
	if !w.until(oneHub, "one hub after "+after, func() bool { return len(hubs(all)) == 1 }) {
		for _, i := range all {
			w.logf("%s %+v", i.Name, i.Snapshot().Hub)
		}
	}
	if !w.until(together, "all linked to it", func() bool { return linked(all) }) {
		for _, i := range all {
			s := i.Snapshot()
			w.logf("%s %+v %+v", i.Name, s.Hub, s.People)
		}
	}
	if !w.until(equal, "all the same lines", func() bool { return w.same(all) }) {
		for _, i := range all {
			w.logf("%s has %v", i.Name, texts(w.shared(i)))
		}
	}
	w.until(settled, "everything ticked", func() bool { return len(w.unticked(len(all))) == 0 })
	for _, s := range w.unticked(len(all)) {
		w.errorf("%s", s)
	}
	time.Sleep(time.Until(calm.Add(oneHub)))
	// A box takes the seat when it has been there for 2 s, or, where the others had lost it, 5 s and more later: that may be just now.
	w.until(oneHub, "and so it stays", func() bool { return linked(all) })
}

// encore takes the hub away from a calm network while everyone speaks, to slow disks as to quick ones: what was on its way to being ticked must be ticked all the same.
func (w *world) encore() {
	for _, h := range w.hosts {
		if w.rng.IntN(3) == 0 || h.up().Serving() && w.rng.IntN(2) == 0 {
			h.disk.set(5*time.Millisecond, time.Duration(w.rng.Int64N(int64(300*time.Millisecond))))
		}
	}
	for range 4 {
		for _, h := range w.hosts {
			if w.rng.IntN(2) == 0 || h.up().Serving() {
				h.up().say(w)
			}
		}
		time.Sleep(time.Duration(w.rng.Int64N(int64(8 * time.Millisecond))))
		w.audit()
	}
	s := Step{At: time.Since(w.began), Do: []string{"kill", "power", "stop", "cut", "reset"}[w.rng.IntN(5)], Host: hub, N: w.rng.IntN(8)}
	w.step(s)
	time.Sleep(time.Duration(w.rng.Int64N(int64(3 * time.Second))))
	w.calm()
}

// newcomer starts one more, which gets everything and does not become the hub.
func (w *world) newcomer() {
	first := hubs(w.running())
	newcomer := &host{name: "newcomer", config: node.Config{Network: w.net}, disk: newDisk(w.t, w.dir+"/newcomer")}
	newcomer.dir = w.newDir(newcomer)
	w.hosts = append(w.hosts, newcomer)
	w.start(newcomer)
	all := w.running()
	w.until(together, "the newcomer is linked, too", func() bool { return linked(all) })
	w.until(equal, "and has all the lines", func() bool { return w.same(all) })
	time.Sleep(4 * time.Second)
	w.mu.Lock()
	differ := time.Since(w.differ)
	w.mu.Unlock()
	if differ < 3*time.Second {
		w.errorf("journals that are equal were found to differ %v ago", differ)
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
		s := i.Snapshot().Hub
		return s.HubID != h[0].ID() || s.State != node.Serving && s.State != node.Linked
	})
}

// shared are the lines that a node shows and shares. On the open network it also shows what it said alone in a process that ended before it met anyone.
func (w *world) shared(i *instance.Instance) []node.Message {
	page, err := i.Page(instance.Lobby, node.Key{}, 1<<20)
	if err != nil {
		w.errorf("%s shows nothing: %v", i.Name, err)
	}
	if w.c.Open {
		page = slices.DeleteFunc(page, func(m node.Message) bool {
			l := w.lines[m.Text]
			return l != nil && l.by.ended && !w.ticked(l)
		})
	}
	return page
}

// ticked reports whether the author was told of two copies.
func (w *world) ticked(l *line) bool {
	var id message.ID
	for _, e := range l.by.events() {
		if s, ok := e.(node.Said); ok && s.Text == l.text {
			id = s.ID
		}
	}
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

// unticked lists what living processes said and were not told to be on three disks, or on as many as there were; on two where one keeps nothing: it may be the
// hub, and its disk is one of the three that are asked.
func (w *world) unticked(machines int) (missing []string) {
	enough := 3
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
			if n := copies[ids[text]]; n < min(enough, machines) && !(all[ids[text]] && n >= 2) {
				missing = append(missing, fmt.Sprintf("%s is on %d disks, it says, of %d", text, n, machines))
			}
		}
		r.mu.Unlock()
	}
	return missing
}

// finally checks what is there in the end.
func (w *world) finally(all []*instance.Instance) {
	for _, h := range w.hosts {
		if r := h.up(); r != nil {
			r.mu.Lock()
			for _, text := range r.accepted {
				w.lines[text].must = true
			}
			r.mu.Unlock()
		}
	}
	for _, i := range all {
		page := w.shared(i)
		ids, seen, last := map[message.ID]bool{}, map[string]bool{}, map[*run]int{}
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
			n := number(m.Text)
			if before, ok := last[l.by]; ok && n < before {
				w.errorf("%s shows %q after number %d", i.Name, m.Text, before)
			}
			last[l.by] = n
		}
		if !slices.IsSortedFunc(page, func(a, b node.Message) int { return cmp.Compare(a.Key.HLC, b.Key.HLC) }) {
			w.errorf("%s shows lines out of order", i.Name)
		}
		for _, h := range w.hosts {
			for _, r := range h.runs {
				for _, e := range r.events() {
					if d, ok := e.(node.Delivered); ok && d.Copies >= 2 && !ids[d.ID] {
						w.errorf("%s lost %x of %s%d, which was on %d disks", i.Name, d.ID, h.name, r.n, d.Copies)
					}
				}
			}
		}
		for _, l := range w.lines {
			if l.must && !seen[l.text] && !(w.c.Open && l.by.ended) {
				w.errorf("%s lacks %s, which was on its author's disk", i.Name, l.text)
			}
		}
		w.complete(i, page)
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
	seen, last := map[string]bool{}, map[message.LogID]int{} // a day's log is told after a newer one's where it is fetched
	for _, e := range r.events() {
		s, ok := e.(node.Said)
		if !ok {
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
		if n := number(s.Text); n < last[s.Key.Log] {
			w.errorf("%s%d told %q after number %d", r.host.name, r.n, s.Text, last[s.Key.Log])
		} else {
			last[s.Key.Log] = n
		}
	}
}

// number is a line's among those its process said.
func number(text string) (n int) {
	n, _ = strconv.Atoi(text[strings.LastIndexByte(text, '.')+1:])
	return n
}

func names(all []*instance.Instance) (out []string) {
	for _, i := range all {
		out = append(out, i.Name)
	}
	return out
}

func texts(page []node.Message) (out []string) {
	for _, m := range page {
		out = append(out, m.Text)
	}
	return out
}
