package storm

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/instance"
)

// A run is one process.
type run struct {
	*instance.Instance
	host   *host
	n      int // of the host's
	said   chan string
	done   chan struct{} // closed when nothing is being said any more
	until  time.Time     // what it told later does not count; zero: it runs
	ended  bool
	full   bool // its disk was, once
	frozen bool
	copied time.Time // when its machine was copied, or became a copy; zero: it was not
	// of audit
	audited int
	keys    map[message.ID]node.Key
	ticks   map[message.ID]int
	told    []node.Event

	mu       sync.Mutex // protects what follows
	accepted []string
	redacted []message.ID
	confided []string // accepted, in sealed rooms
	secrets  int
	times    map[string][2]time.Time // when a line was being said
}

// A line is something said.
type line struct {
	text  string
	by    *run
	must  bool // it must be everywhere in the end
	since time.Time
	at    time.Time // when it was given to be said
	day   int       // since 1970, of one from the prologue
	calm  bool      // said when all were together
}

func (l *line) String() string {
	if l == nil {
		return "something"
	}
	return l.text
}

// start starts a host's next process.
func (w *world) start(h *host) *run {
	w.heal(h)
	w.shareHostID(h)
	r := &run{host: h, n: len(h.runs), said: make(chan string, 1<<10), done: make(chan struct{}),
		keys: map[message.ID]node.Key{}, ticks: map[message.ID]int{}, times: map[string][2]time.Time{}}
	c := h.config
	c.HostDir, c.Dir, c.Nick = h.dir, filepath.Join(h.dir, h.profile), h.profile
	c.Log = slog.New(&tracer{w: w, name: fmt.Sprintf("%s%d", h.name, r.n)})
	h.disk.Slow(0)
	r.Instance = instance.Start(w.t, w.lan, h.machine, c)
	r.Name = h.name
	h.disk.Slow(usual)
	h.runs = append(h.runs, r)
	w.logf("-- started %s%d session %x", h.name, r.n, r.Session())
	if c := w.sealed; c != nil {
		c.mu.Lock()
		c.persons[h] = r.ID()
		c.mu.Unlock()
	}
	go r.sayAll(w)
	w.t.Cleanup(func() {
		if !r.ended { // it goes on after this, where the test failed
			close(r.said)
		}
	})
	return r
}

// say hands a line to whoever types at the process.
func (r *run) say(w *world) {
	if r.frozen {
		return
	}
	n := 0
	for _, l := range w.lines {
		if l.by == r {
			n++
		}
	}
	l := &line{text: fmt.Sprintf("%s.%d.%d", r.host.name, r.n, n), by: r, at: time.Now(), calm: w.together}
	w.lines[l.text] = l
	r.said <- l.text
}

// hush forgets what is still to be said: an author says five lines a second, and some are given more.
func (w *world) hush(r *run) {
	for r != nil {
		select {
		case text := <-r.said:
			delete(w.lines, text)
		default:
			return
		}
	}
}

// sayAll types, one line after the other.
func (r *run) sayAll(w *world) {
	defer close(r.done)
	r.Do(context.Background(), node.Join{Room: aboutRoom})
	for text := range r.said {
		if n, ok := strings.CutPrefix(text, "@"); ok {
			r.about(atoi(n))
			continue
		}
		if n, ok := strings.CutPrefix(text, "%"); ok {
			r.confide(w, atoi(n))
			continue
		}
		if text == "/" {
			r.Do(context.Background(), node.Rename{Nick: fmt.Sprint(r.host.name, rand.IntN(100))}) // not, where the disk is full
			continue
		}
		from := time.Now()
		err := r.Do(context.Background(), node.Say{Room: instance.Lobby, Text: text})
		r.mu.Lock()
		r.times[text] = [2]time.Time{from, time.Now()}
		if err == nil {
			r.accepted = append(r.accepted, text)
		}
		r.mu.Unlock()
	}
}

// ends notes what a process told up to now, and what follows for the lines.
func (w *world) ends(r *run) {
	r.told, r.until = r.Events(), time.Now()
	w.mustHave(r)
}

// mustHave says of the lines that a process told as its own that they must be everywhere: it has them on its disk. One whose disk was full tells what it has not.
func (w *world) mustHave(r *run) {
	for _, e := range r.told {
		if s, ok := e.(node.Said); ok && (!r.full || r.host.held[s.Key.Log] >= s.Key.Seq) && !r.host.config.NoHistory {
			if l := w.lines[s.Text]; l != nil && l.by == r && !l.must && l.since.IsZero() {
				l.must, l.since = true, time.Now()
			}
		}
	}
}

// kill ends the process on a host without a word, and leaves the next one what is on the disk.
func (w *world) kill(h *host, power bool) {
	r := h.up()
	if r == nil {
		return
	}
	w.audit()
	next := w.newDir(h)
	copyDir(w.t, h.dir, next)
	w.ends(r)
	if power {
		h.disk.LosePower(w.t, h.dir, next, w.rng)
		w.cut(h)
	}
	w.end(r, r.Crash)
	h.dir = next
}

// power takes the power from a machine.
func (w *world) power(h *host) {
	for _, o := range w.mates(h) {
		w.kill(o, true)
	}
}

// stop ends the process as its user would.
func (w *world) stop(h *host) {
	r := h.up()
	if r == nil {
		return
	}
	w.thaw(r)
	w.audit()
	w.end(r, r.Stop)
	w.ends(r)
	if h.config.NoHistory {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.accepted {
		w.lines[text].must, w.lines[text].since = true, time.Now()
	}
}

func (w *world) end(r *run, how func()) {
	w.logf("-- ends %s%d", r.host.name, r.n)
	r.ended = true
	r.host.disk.Slow(0)
	r.host.disk.Fill(false)
	close(r.said)
	how()
	<-r.done
}

// usual is what a sync takes on a disk that is well.
const usual = 5 * time.Millisecond

// stall makes the syncs of a machine's disk take as long as that, and those that begin within stuck longer still.
func (w *world) stall(h *host, latency, stuck time.Duration) {
	for _, o := range w.mates(h) {
		o.disk.Slow(latency + stuck)
	}
	w.after(stuck, func() {
		for _, o := range w.mates(h) {
			if o.up() != nil {
				o.disk.Slow(latency)
			}
		}
	})
}

// fill leaves no room on a machine's disk for a while.
func (w *world) fill(h *host, long time.Duration) {
	for _, o := range w.mates(h) {
		if r := o.up(); r != nil {
			r.full = true
			o.disk.Fill(true)
		}
	}
	w.filled = time.Now().Add(long)
	w.after(long, func() {
		for _, o := range w.mates(h) {
			o.disk.Fill(false)
		}
	})
}

// copyMachine copies a virtual machine while it runs, with what it has in memory: two go on with the same logs. With the family session they have one session, too, which is
// not drawn: the copy of a hub serves apart until one of the two is started again, and the user is told to.
func (w *world) copyMachine(h *host, session bool) {
	r := h.up()
	if r == nil || r.frozen || len(w.mates(h)) > 1 || h.config.NoHistory {
		return
	}
	w.sleep(200 * time.Millisecond) // what is not on disk yet is in the memory that cannot be copied here
	synctest.Wait()
	if r.full || len(r.said) > 0 || !r.toldAll(w) {
		return
	}
	c := w.add(h.name + "'")
	c.profile, c.old = h.profile, h.old
	copyDir(w.t, h.dir, c.dir)
	config := h.config
	config.Clock, config.Copied = c.now, r.Memory()
	if !session {
		config.Copied.Session = identity.Session{}
	}
	c.config = config
	c.clock.Store(h.clock.Load())
	if h.wrong(w) {
		w.wrong = append(w.wrong, c)
	}
	w.logf("== %s is a copy of %s", c.name, h.name)
	x := w.start(c)
	c.config.Copied = node.Memory{} // the next process is one like any other
	r.copied, x.copied = time.Now(), time.Now()
}

// toldAll reports whether all that a process took to be said is on its disk, so that it is told.
func (r *run) toldAll(w *world) bool {
	heard := r.Heard(instance.Lobby)
	if w.sealed != nil {
		for _, e := range r.Events() {
			if s, ok := e.(node.Said); ok && s.Sealed {
				heard = append(heard, s.Text)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(slices.Concat(r.accepted, r.confided), func(text string) bool { return !slices.Contains(heard, text) })
}

// stranded reports whether a line was lost to a copy of its author's machine, which the author was told, if it lived.
func (l *line) stranded() bool {
	if l.by.copied.IsZero() || l.at.Before(l.by.copied) {
		return false
	}
	lost := map[message.ID]bool{} // told before it is known to be said, perhaps
	for _, e := range l.by.events() {
		if d, ok := e.(node.Delivered); ok {
			lost[d.ID] = d.Copies == 0
		}
	}
	return l.by.ended || slices.ContainsFunc(l.by.events(), func(e node.Event) bool { s, ok := e.(node.Said); return ok && s.Text == l.text && lost[s.ID] })
}

// freeze stops a process for a while.
func (w *world) freeze(r *run, long time.Duration) {
	if r == nil || r.frozen {
		return
	}
	r.frozen = true
	r.Freeze()
	w.after(long, func() { w.thaw(r) })
}

func (w *world) thaw(r *run) {
	if r != nil && r.frozen {
		r.frozen = false
		r.Thaw()
	}
}

// lose lets a machine lose its disk: all of it, all but the key, what came after the snapshot, or, while it runs, the store that cannot be written any more.
func (w *world) lose(h *host, s Step) {
	mates := w.mates(h)
	if s.Do == "restore" && slices.ContainsFunc(mates, func(o *host) bool { return o.snapshot == "" }) {
		return
	}
	if s.Do == "wipe" && s.N == 4 {
		for _, o := range mates {
			if r := o.up(); r != nil {
				w.audit()
				r.full = true // what it told may be on the old disk alone
				o.disk.Break("history.db")
				w.lost(o, time.Time{})
				o.broken = true
			}
		}
		return
	}
	w.power(h)
	for _, o := range mates {
		w.loseOne(o, s)
	}
}

// lost notes that what a disk got after since is gone.
func (w *world) lost(h *host, since time.Time) {
	if h.lost == nil {
		h.lost = held{}
	}
	for l, seq := range h.held {
		h.lost[l] = max(h.lost[l], seq)
	}
	h.held, h.old = nil, false
	for _, l := range w.lines {
		if l.by.host == h && l.since.After(since) {
			l.must = false
		}
	}
}

func (w *world) loseOne(h *host, s Step) {
	old, since := h.dir, time.Time{}
	h.dir = w.newDir(h)
	switch {
	case s.Do == "restore":
		copyDir(w.t, h.snapshot, h.dir)
		since = h.snapAt
	case s.N == 0:
		w.torn[h.runs[len(h.runs)-1].ID()] = true // a new person begins; another machine of the old one cannot read what was sealed for this one
	default:
		copyDir(w.t, old, h.dir)
		for _, path := range stores(w.t, h.dir) {
			var err error
			switch s.N {
			case 1:
				err = os.RemoveAll(filepath.Dir(path)) // all but the key
			case 2:
				err = os.Remove(path)
			case 3:
				err = os.WriteFile(path, []byte("what a dying disk reads"), 0o600)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.lost(h, since)
}
