package storm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// A host is a profile on a machine and the process that uses it.
type host struct {
	name     string
	profile  string // the folder of it; a copied machine has the name of the first
	machine  string // on the network; two profiles may share one, and its disk
	config   node.Config
	disk     *disk.Disk
	dir      string // of the process that runs, or of the next
	dirs     int
	snapshot string
	snapAt   time.Time
	clock    atomic.Int64 // how far the machine's is ahead
	mute     bool         // discovery does not reach it
	old      bool         // it has what was said in the prologue
	held     held         // as of the last audit
	lost     held         // what a disk had that is gone
	broken   bool         // a disk broke while its process ran, which went on writing for a moment
	runs     []*run

	// what the network does to it
	cut   bool
	group int
}

// up is the process that runs, or nil.
func (h *host) up() *run {
	if n := len(h.runs); n > 0 && !h.runs[n-1].ended {
		return h.runs[n-1]
	}
	return nil
}

func (h *host) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// wrong reports whether its machine's clock may be.
func (h *host) wrong(w *world) bool {
	return slices.ContainsFunc(w.wrong, func(o *host) bool { return o.machine == h.machine })
}

// today is the day by its machine's clock, since 1970.
func (h *host) today() int { return int(h.now().Unix() / int64(day/time.Second)) }

// keeps is how many days it keeps.
func (h *host) keeps() int {
	if h.config.Keep == 0 {
		return 365
	}
	return int(h.config.Keep / day)
}

const day = 24 * time.Hour

// has draws whether a storm has a family's trait, or goes by the families that were asked for.
func (w *world) has(rng *rand.Rand, family string, oneIn int) bool {
	drawn := rng.IntN(oneIn) == 0
	if len(w.c.Only) > 0 {
		return slices.Contains(w.c.Only, family)
	}
	return drawn
}

// cast draws who is there. Whatever is drawn, two can be the hub.
func (w *world) cast(rng *rand.Rand) {
	n := 4 + rng.IntN(3)
	wrong := w.has(rng, "clock", 3)
	if wrong {
		n = max(n, 5) // two of them may be wrong
	}
	for i := range n {
		w.add(string(rune('a' + i)))
	}
	role := rng.Perm(n)
	as := func(i int) *host { return w.hosts[role[i]] }
	if rng.IntN(3) == 0 {
		as(0).config.Rate = -1
	}
	if w.has(rng, "server", 2) {
		as(0).config.ServerOnly = true
	}
	if w.has(rng, "never", 5) {
		as(1).config.NeverHub = true
	}
	if w.has(rng, "forgetful", 5) {
		as(2).config.NoHistory = !w.c.Open // it would know no gathering when it comes again, and begin another
	}
	if w.has(rng, "byhand", 5) {
		w.byHand(as(3), as(0), as(2))
	}
	if w.has(rng, "twins", 4) {
		w.twins(as(3), as(1))
	}
	if w.has(rng, "flat", 4) {
		w.share(as(2), as(1))
	}
	if wrong {
		w.wrong = []*host{as(1), as(3)}[:1+rng.IntN(2)]
	}
	if w.has(rng, "keep", 4) && !w.c.Open {
		for _, h := range w.hosts {
			h.config.Keep = []time.Duration{0, day, 3 * day, 30 * day}[rng.IntN(4)]
		}
		w.prologue(time.Duration(20+rng.IntN(80)) * time.Hour)
	}
	for _, h := range w.hosts {
		c := h.config
		w.logf("== %s: server %v, never hub %v, no history %v, keeps %d days, wrong clock %v", h, c.ServerOnly, c.NeverHub, c.NoHistory, h.keeps(), h.wrong(w))
	}
	if w.has(rng, "midnight", 4) {
		time.Sleep(day - time.Duration(time.Now().UnixNano()%int64(day)) - w.c.Length/2)
	}
}

func (w *world) add(name string) *host {
	h := &host{name: name, profile: name, machine: name, config: node.Config{Network: w.net}, disk: disk.Under(w.t, filepath.Join(w.dir, name))}
	h.config.Clock = h.now
	h.dir = w.newDir(h)
	w.hosts = append(w.hosts, h)
	return h
}

// byHand lets discovery not reach h, which is told where others are.
func (w *world) byHand(h *host, others ...*host) {
	h.mute = true
	w.lan.Mute(h.machine)
	for _, o := range others {
		h.config.Join = append(h.config.Join, w.lan.Host(o.machine).IP().String())
	}
	w.logf("== %s knows %v by hand", h.name, h.config.Join)
}

// twins makes one person of two: the profile was copied to another machine.
func (w *world) twins(a, b *host) {
	key := filepath.Join(a.profile, "identity.key")
	if _, err := identity.Load(filepath.Join(a.dir, a.profile)); err != nil {
		w.t.Fatal(err)
	}
	w.copyFile(filepath.Join(a.dir, key), filepath.Join(b.dir, b.profile, filepath.Base(key)))
	w.logf("== %s and %s are one person", a.name, b.name)
}

// share puts b on a's machine: two profiles, one disk.
func (w *world) share(a, b *host) {
	b.machine = a.machine
	w.logf("== %s and %s are one machine", a.name, b.name)
}

// mates are the hosts on h's machine, h among them.
func (w *world) mates(h *host) (mates []*host) {
	for _, o := range w.hosts {
		if o.machine == h.machine {
			mates = append(mates, o)
		}
	}
	return mates
}

// shareHostID gives h the id of its machine, where another profile has it.
func (w *world) shareHostID(h *host) {
	for _, o := range w.mates(h) {
		from := filepath.Join(o.dir, "host-id")
		if _, err := os.Stat(from); o != h && err == nil {
			w.copyFile(from, filepath.Join(h.dir, "host-id"))
		}
	}
}

func (w *world) copyFile(from, to string) {
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// prologue lets all say something, and puts the machines away for a while.
func (w *world) prologue(away time.Duration) {
	for _, h := range w.hosts {
		w.start(h)
	}
	instance.Until(w.t, 20*time.Second, "all meet", func() bool { return linked(w.running()) })
	for _, h := range w.hosts {
		h.up().say(w)
		h.up().say(w)
	}
	for _, l := range w.lines {
		l.day = int(time.Now().Unix() / int64(day/time.Second))
	}
	w.settle("the prologue")
	for _, h := range w.hosts {
		h.old = !h.config.NoHistory
		w.stop(h)
	}
	w.logf("== for %v nobody is there", away)
	time.Sleep(away)
}

// horizon is the oldest day that all of these keep.
func (w *world) horizon(hosts ...*host) int {
	keep := 365
	for _, h := range hosts {
		keep = min(keep, h.keeps())
	}
	return int(time.Now().Unix()/int64(day/time.Second)) - keep
}

func (h *host) String() string { return fmt.Sprintf("%s on %s", h.name, h.machine) }
