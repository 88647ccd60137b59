// Package storm drives whole nodes through a schedule of faults and then checks what must hold: nothing that is on two disks is lost, all replicas are equal,
// nothing is told twice, an author's order is kept, and there is one hub.
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

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// Config of a storm.
type Config struct {
	Seed   uint64
	Length time.Duration // of the faults
	Open   bool          // on the open network: no disk is lost then
	Trace  bool          // tell everything, not only what failed
}

// A world is a storm under way. Its methods are called by the test's goroutine.
type world struct {
	t      testing.TB
	c      Config
	rng    *rand.Rand // what the schedule does not fix
	lan    *nodetest.LAN
	net    *identity.Network
	dir    string
	began  time.Time
	hosts  []*host
	lines  map[string]*line // by text
	lost   int              // disks
	filled time.Time        // until then a disk was full

	mu     sync.Mutex // protects what follows
	trace  []string
	differ time.Time // when two journals were last found to differ
}

// A host is a machine and the process on it.
type host struct {
	name     string
	config   node.Config
	disk     *disk
	dir      string // of the process that runs, or of the next
	dirs     int
	snapshot string
	snapAt   time.Time
	held     held // as of the last audit
	runs     []*run
}

// A run is one process.
type run struct {
	*instance.Instance
	host  *host
	n     int // of the host's
	said  chan string
	done  chan struct{} // closed when nothing is being said any more
	until time.Time     // what it told later does not count; zero: it runs
	ended bool
	full  bool // its disk was, once
	// of audit
	audited int
	keys    map[message.ID]node.Key
	ticks   map[message.ID]int
	told    []node.Event

	mu       sync.Mutex // protects accepted
	accepted []string
}

// A line is something said.
type line struct {
	text  string
	by    *run
	must  bool // it must be everywhere in the end
	since time.Time
}

// up is the process that runs, or nil.
func (h *host) up() *run {
	if n := len(h.runs); n > 0 && !h.runs[n-1].ended {
		return h.runs[n-1]
	}
	return nil
}

// Run runs a storm and checks what is left. It must be called in a bubble.
func Run(t *testing.T, c Config) {
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	w := &world{t: t, c: c, rng: rand.New(rand.NewPCG(c.Seed, 2)), lan: nodetest.New(c.Seed), dir: t.TempDir(), lines: map[string]*line{}}
	if !c.Open {
		var err error
		if w.net, err = identity.NewNetwork("storm", []byte("0123456789abcdef0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if rng.IntN(4) == 0 {
		time.Sleep(24*time.Hour - c.Length/2) // midnight in the middle of it
	}
	w.began = time.Now()
	defer w.tell()
	hosts := 4 + rng.IntN(3)
	for i := range hosts {
		h := &host{name: string(rune('a' + i)), config: node.Config{Network: w.net}}
		if i == hosts-1 && rng.IntN(2) == 0 {
			h.config.ServerOnly = true
		}
		if rng.IntN(3) == 0 {
			h.config.Rate = -1
		}
		h.disk = newDisk(t, filepath.Join(w.dir, h.name))
		h.dir = w.newDir(h)
		w.hosts = append(w.hosts, h)
	}
	if rng.IntN(5) == 0 {
		w.hosts[2].config.NoHistory = !c.Open // it would know no gathering when it comes again, and begin another
	}
	if rng.IntN(5) == 0 {
		w.hosts[3].config.ServerOnly, w.hosts[3].config.NeverHub = false, true
	}
	if rng.IntN(4) == 0 {
		w.twins(w.hosts[0], w.hosts[1])
	}
	for _, h := range w.hosts {
		w.start(h)
	}
	if c.Open { // one gathering: what two say that never met is another story
		instance.Until(t, 20*time.Second, "all have met", func() bool { return linked(w.running()) })
	}
	steps := schedule(rng, hosts, c.Length, c.Open)
	for _, s := range steps {
		if d := time.Until(w.began.Add(s.At)); d > 0 {
			time.Sleep(d)
		}
		w.step(s)
	}
	w.calm()
	w.check()
}

// twins makes one person of two: the profile was copied to another machine.
func (w *world) twins(a, b *host) {
	key := filepath.Join(a.name, "identity.key")
	if _, err := identity.Load(filepath.Join(a.dir, a.name)); err != nil {
		w.t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(a.dir, key))
	if err == nil {
		err = os.MkdirAll(filepath.Join(b.dir, b.name), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, b.name, filepath.Base(key)), secret, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.logf("== %s and %s are one person", a.name, b.name)
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
	return filepath.Join(w.dir, fmt.Sprintf("%s-%d", h.name, h.dirs))
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
	if s.Do != "say" {
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
	case "start":
		for i := range w.hosts {
			if down := w.hosts[(s.Host+i)%len(w.hosts)]; down.up() == nil {
				w.start(down)
				break
			}
		}
	case "kill":
		w.kill(h, false)
	case "power":
		w.kill(h, true)
	case "stop":
		w.stop(h)
	case "blackout":
		for _, h := range w.hosts {
			w.kill(h, true)
		}
	case "reset":
		for range 1 + s.N%3 {
			w.lan.Reset(h.name)
		}
	case "cut":
		w.lan.Cut(h.name)
	case "heal":
		for _, h := range w.hosts {
			if h.up() != nil {
				w.lan.Heal(h.name)
			}
		}
	case "split":
		w.split(s.N)
	case "join":
		w.lan.Join()
	case "loss":
		w.lan.Loss(s.N % 30)
	case "calm":
		w.lan.Loss(0)
	case "stall":
		h.disk.set(time.Duration(1+s.N%30)*time.Millisecond, s.For)
		w.audit()
	case "full":
		if up != nil && !w.c.Open {
			h.disk.fill(s.For)
			up.full, w.filled = true, time.Now().Add(s.For)
		}
	case "rename":
		if up != nil {
			up.said <- "/"
		}
	case "snapshot":
		synctest.Wait()
		h.snapshot, h.snapAt = w.newDir(h), time.Now()
		copyDisk(w.t, h.dir, h.snapshot)
	case "restore", "wipe":
		w.lose(h, s)
	}
}

// split plugs the hosts into two switches, or three.
func (w *world) split(n int) {
	groups := make([][]string, 2+n%2)
	for i, h := range w.hosts {
		g := (n >> (2 * i)) % len(groups)
		groups[g] = append(groups[g], h.name)
	}
	w.lan.Split(groups...)
}

// start starts a host's next process.
func (w *world) start(h *host) *run {
	h.disk.set(0, 0)
	w.lan.Heal(h.name)
	r := &run{host: h, n: len(h.runs), said: make(chan string, 1<<10), done: make(chan struct{}),
		keys: map[message.ID]node.Key{}, ticks: map[message.ID]int{}}
	c := h.config
	c.HostDir, c.Nick = h.dir, h.name
	c.Log = slog.New(&tracer{w: w, name: fmt.Sprintf("%s%d", h.name, r.n)})
	r.Instance = instance.Start(w.t, w.lan, h.name, c)
	if !w.c.Open { // there a history is closed while others wait for a mutex, and fake time with them
		synctest.Wait()
		h.disk.attach(w.t, h.dir)
		h.disk.set(5*time.Millisecond, 0)
	}
	h.runs = append(h.runs, r)
	w.logf("-- started %s%d session %x", h.name, r.n, r.Session())
	go r.sayAll()
	w.t.Cleanup(func() {
		if !r.ended { // it goes on after this, where the test failed
			close(r.said)
		}
	})
	return r
}

// say hands a line to whoever types at the process.
func (r *run) say(w *world) {
	n := 0
	for _, l := range w.lines {
		if l.by == r {
			n++
		}
	}
	l := &line{text: fmt.Sprintf("%s.%d.%d", r.host.name, r.n, n), by: r}
	w.lines[l.text] = l
	r.said <- l.text
}

// sayAll types, one line after the other.
func (r *run) sayAll() {
	defer close(r.done)
	for text := range r.said {
		if text == "/" {
			r.Do(context.Background(), node.Rename{Nick: fmt.Sprint(r.host.name, rand.IntN(100))}) // not, where the disk is full
			continue
		}
		if err := r.Do(context.Background(), node.Say{Room: instance.Lobby, Text: text}); err == nil {
			r.mu.Lock()
			r.accepted = append(r.accepted, text)
			r.mu.Unlock()
		}
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
	copyDisk(w.t, h.dir, next)
	w.ends(r)
	if power {
		losePower(w.t, next, w.rng)
		w.lan.Cut(h.name)
	}
	w.end(r, r.Crash)
	h.dir = next
}

// stop ends the process as its user would.
func (w *world) stop(h *host) {
	r := h.up()
	if r == nil {
		return
	}
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
	r.host.disk.set(0, 0)
	close(r.said)
	how()
	<-r.done
}

// lose lets a host lose its disk: all of it, all but the key, or what came after the snapshot.
func (w *world) lose(h *host, s Step) {
	w.kill(h, true)
	old, since := h.dir, time.Time{}
	h.dir = w.newDir(h)
	switch {
	case s.Do == "restore":
		copyDisk(w.t, h.snapshot, h.dir)
		since = h.snapAt
	case s.N > 0:
		copyDisk(w.t, old, h.dir)
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
	w.lost++
	h.held = nil
	for _, l := range w.lines {
		if l.by.host == h && l.since.After(since) {
			l.must = false
		}
	}
}

// calm ends the faults.
func (w *world) calm() {
	w.logf("== calm")
	w.lan.Loss(0)
	w.lan.Join()
	for _, h := range w.hosts {
		w.lan.Heal(h.name)
		h.disk.set(5*time.Millisecond, 0)
	}
	for _, h := range w.hosts {
		if h.up() == nil {
			w.start(h)
		}
	}
	if time.Since(w.filled) < retry { // a disk that was full is tried again by then
		time.Sleep(retry)
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
	if r.Message == "journals differ" { // package exchange
		l.w.mu.Lock()
		l.w.differ = time.Now()
		l.w.mu.Unlock()
	}
	return nil
}
