// Package storm drives whole nodes through a schedule of faults and then checks what must hold: nothing that is on two disks is lost, all replicas are equal,
// nothing is told twice, an author's order is kept, and there is one hub; what is said in sealed rooms (confided.go) is read by whom it is for, and nobody else.
//
// A seed fixes the schedule: who says something when, and what breaks when. How the nodes' goroutines interleave it does not fix, so a
// seed that failed once may need a few runs to fail again. What happens, and to whom "hub" meant, is in the trace.
//
// What a disk keeps is the moment's: a kill leaves the next process a copy of the folder as it was, while commits were under way (disk.go makes them slow, as disks
// are); a power cut takes from that copy what was not synced.
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
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// Config of a storm.
type Config struct {
	Seed   uint64
	Length time.Duration // of the faults
	Open   bool          // on the open network: no disk is lost then
	Only   []string      // these families of faults; none: as they are drawn
	Sealed bool          // something is said in sealed rooms, too, though it was not drawn
	Trace  bool          // tell everything, not only what failed
}

// A world is a storm under way. Its methods are called by the test's goroutine.
type world struct {
	t        testing.TB
	c        Config
	rng      *rand.Rand // what the schedule does not fix
	lan      *nodetest.LAN
	net      *identity.Network
	dir      string
	began    time.Time
	hosts    []*host
	lines    map[string]*line // by text
	wrong    []*host          // their clocks may be
	due      []due
	filled   time.Time                // until then a disk was full
	together bool                     // all are at one hub, and nothing is broken
	sealed   *confidence              // nil: nothing is said in sealed rooms
	torn     map[identity.PeerID]bool // people of two machines, one of which was lost with its keys

	mu     sync.Mutex // protects what follows
	trace  []string
	differ time.Time // when two journals were last found to differ
	seated time.Time // when somebody last became the hub
}

// Run runs a storm and checks what is left. It must be called in a bubble.
func Run(t *testing.T, c Config) {
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	w := &world{t: t, c: c, rng: rand.New(rand.NewPCG(c.Seed, 2)), lan: nodetest.New(c.Seed), dir: t.TempDir(), lines: map[string]*line{}, torn: map[identity.PeerID]bool{}}
	if !c.Open {
		var err error
		if w.net, err = identity.NewNetwork("storm", []byte("0123456789abcdef0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	w.began = time.Now()
	defer w.tell()
	w.cast(rng)
	for _, h := range w.hosts {
		w.start(h)
	}
	if c.Open { // one gathering: what two say that never met is another story
		instance.Until(t, 20*time.Second, "all have met", func() bool { return linked(w.running()) })
	}
	begins := time.Now()
	for _, s := range w.schedule(rng) {
		w.sleep(time.Until(begins.Add(s.At)))
		w.step(s)
		if s.Do == "lull" { // the rest comes after it
			begins = time.Now().Add(-s.At)
		}
	}
	w.calm()
	w.check()
}

// after does something later, on the test's goroutine.
func (w *world) after(d time.Duration, do func()) { w.due = append(w.due, due{time.Now().Add(d), do}) }

type due struct {
	at time.Time
	do func()
}

// sleep lets time pass, and does what falls due meanwhile.
func (w *world) sleep(d time.Duration) {
	for end := time.Now().Add(d); ; {
		next := -1
		for i, x := range w.due {
			if !x.at.After(end) && (next < 0 || x.at.Before(w.due[next].at)) {
				next = i
			}
		}
		if next < 0 {
			time.Sleep(time.Until(end))
			return
		}
		x := w.due[next]
		w.due = slices.Delete(w.due, next, next+1)
		time.Sleep(time.Until(x.at))
		x.do()
	}
}

// logf adds to the trace.
func (w *world) logf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%8.3f ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

// tell tells the trace where it is wanted.
func (w *world) tell() {
	if !w.c.Trace && !w.t.Failed() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("storm-%d.trace", w.c.Seed))
	if err := os.WriteFile(path, []byte(strings.Join(w.trace, "\n")+"\n"), 0o600); err != nil {
		w.t.Error(err)
	}
	w.t.Logf("seed %d: trace in %s", w.c.Seed, path)
}

func (w *world) newDir(h *host) string {
	h.dirs++
	return filepath.Join(w.dir, h.name, fmt.Sprint(h.dirs))
}

// running are the processes that run.
func (w *world) running() (all []*instance.Instance) {
	for _, h := range w.hosts {
		if r := h.up(); r != nil {
			all = append(all, r.Instance)
		}
	}
	return all
}

// find returns the host that a step means; nil: there is none.
func (w *world) find(s Step) *host {
	if s.Host != hub {
		return w.hosts[s.Host]
	}
	for _, h := range w.hosts {
		if r := h.up(); r != nil && r.Serving() {
			return h
		}
	}
	return nil
}

func (w *world) step(s Step) {
	h := w.find(s)
	if h == nil {
		return
	}
	up := h.up()
	if s.Do != "say" && s.Do != "about" && s.Do != "confide" {
		w.logf("== %v (%s, up %v)", s, h.name, up != nil)
	}
	switch s.Do {
	case "say":
		for range s.N {
			if up != nil {
				up.say(w)
			}
		}
		if s.N > 1 {
			w.audit()
		}
	case "about":
		if up != nil && !up.frozen {
			up.said <- fmt.Sprint("@", s.N)
		}
	case "confide":
		if up != nil && !up.frozen {
			up.said <- fmt.Sprint("%", s.N)
		}
	case "start":
		for i := range w.hosts {
			if down := w.hosts[(s.Host+i)%len(w.hosts)]; down.up() == nil {
				w.start(down)
				break
			}
		}
	case "up":
		if up == nil {
			w.start(h)
		}
	case "kill":
		w.kill(h, false)
	case "power":
		w.power(h)
	case "stop":
		w.stop(h)
	case "blackout":
		for _, h := range w.hosts {
			w.kill(h, true)
		}
	case "reset":
		for range 1 + s.N%3 {
			w.lan.Reset(h.machine)
		}
	case "freeze":
		w.freeze(up, time.Second+2*s.For)
	case "cut":
		w.cut(h)
	case "deafen":
		w.lan.Deafen(h.machine)
	case "mumble":
		w.lan.Mumble(h.machine, s.N%60)
	case "heal":
		for _, h := range w.hosts {
			if h.up() != nil {
				w.heal(h)
			}
		}
	case "split":
		w.split(s.N)
	case "join":
		w.join()
	case "loss":
		w.lan.Loss(s.N % 30)
	case "calm":
		w.lan.Loss(0)
	case "stall":
		w.stall(h, time.Duration(1+s.N%30)*time.Millisecond, s.For)
		w.audit()
	case "full":
		w.fill(h, s.For)
	case "rename":
		if up != nil {
			up.said <- "/"
		}
	case "jump":
		w.jump(s.N)
	case "copy":
		w.copyMachine(h, slices.Contains(w.c.Only, "session"))
	case "lull":
		w.lull()
	case "snapshot":
		synctest.Wait()
		for _, o := range w.mates(h) {
			o.snapshot, o.snapAt = w.newDir(o), time.Now()
			copyDir(w.t, o.dir, o.snapshot)
		}
	case "restore", "wipe":
		w.lose(h, s)
	}
}

// jump sets a wrong clock. With the family far one machine's may be anywhere, another's is wrong by an hour at most: against two that agree on another day there is no help. Far is not
// drawn: who took a line of a day to come, and was cut off when it was dated anew, shows it until that day.
func (w *world) jump(n int) {
	if len(w.wrong) == 0 {
		return
	}
	i := n % len(w.wrong)
	by := jumps[n/2%len(jumps)]
	if i > 0 || !slices.Contains(w.c.Only, "far") {
		by = jumps[n/2%small]
	}
	for _, o := range w.mates(w.wrong[i]) {
		o.clock.Store(int64(by))
	}
	w.logf("== the clock of %s is %v ahead", w.wrong[i], by)
}

var jumps = []time.Duration{0, 2 * time.Minute, -2 * time.Minute, time.Hour, -time.Hour, 40 * day, -40 * day, 365 * day, -365 * day}

// small is how many of them are wrong by an hour at most.
const small = 5

// The network, as it is and as it is noted.

func (w *world) cut(h *host) {
	w.lan.Cut(h.machine)
	for _, o := range w.mates(h) {
		o.cut = true
	}
}

func (w *world) heal(h *host) {
	w.lan.Heal(h.machine)
	for _, o := range w.mates(h) {
		o.cut = false
	}
}

func (w *world) join() {
	w.lan.Join()
	for _, h := range w.hosts {
		h.group = 0
	}
}

// split plugs the hosts into two switches, or three.
func (w *world) split(n int) {
	groups := make([][]string, 2+n%2)
	for i, h := range w.hosts {
		if w.mates(h)[0] != h {
			continue
		}
		g := (n >> (2 * i)) % len(groups)
		groups[g] = append(groups[g], h.machine)
		for _, o := range w.mates(h) {
			o.group = g
		}
	}
	w.lan.Split(groups...)
}

// calm ends the faults.
func (w *world) calm() {
	w.logf("== calm")
	w.lan.Loss(0)
	w.join()
	w.due = nil
	for _, h := range w.hosts {
		w.heal(h)
		w.thaw(h.up())
		w.hush(h.up())
		h.disk.Fill(false)
		h.disk.Slow(usual)
	}
	for _, h := range w.hosts {
		if h.up() == nil {
			w.start(h)
		}
	}
	if time.Since(w.filled) < retry { // a disk that was full is tried again by then
		w.sleep(retry)
	}
}

// retry is the longest that a journal waits before it tries again to write.
const retry = 10 * time.Second

// A tracer writes a process's log into the trace.
type tracer struct {
	w     *world
	name  string
	attrs []slog.Attr
}

func (*tracer) Enabled(context.Context, slog.Level) bool { return true }
func (l *tracer) WithGroup(string) slog.Handler          { return l }
func (l *tracer) WithAttrs(a []slog.Attr) slog.Handler {
	return &tracer{l.w, l.name, slices.Concat(l.attrs, a)}
}
func (l *tracer) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	for _, a := range l.attrs {
		fmt.Fprintf(&b, " %v", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %v", a)
		return true
	})
	l.w.logf("%s %v %s%s", l.name, r.Level, r.Message, b.String())
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	switch r.Message {
	case "journals differ": // package exchange
		l.w.differ = time.Now()
	case "serving as the hub": // package node
		l.w.seated = time.Now()
	}
	return nil
}
