package storm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Step is one thing that happens, at a time since the beginning.
type Step struct {
	At   time.Duration
	Do   string
	Host int           // hub: whoever it is then; others count
	N    int           // how many, which, or how much
	For  time.Duration // how long
}

// hub as a Step's Host.
const hub = -1

func (s Step) String() string {
	host := fmt.Sprint(s.Host)
	if s.Host == hub {
		host = "hub"
	}
	return fmt.Sprintf("%7.3fs %s %s %d %v", s.At.Seconds(), s.Do, host, s.N, s.For)
}

// faults are what happens and how often, beside what is said: hub is how much likelier it meets the hub, talk that people often speak just before it.
var faults = []struct {
	do          string
	weight, hub int
	talk        bool
}{
	// what others broke
	{"start", 18, 0, false}, // one that is down
	{"heal", 8, 0, false},   // one that is cut off
	{"join", 8, 0, false},
	{"calm", 6, 0, false}, // no loss

	{"kill", 8, 10, true},
	{"power", 4, 5, true},
	{"stop", 4, 4, true},
	{"flap", 2, 2, true},
	{"freeze", 3, 4, true},
	{"reset", 8, 6, true}, // connections
	{"cut", 3, 3, true},
	{"deafen", 2, 2, true}, // one direction of the cable
	{"mumble", 2, 2, false},
	{"split", 5, 0, true},
	{"loss", 4, 0, false},
	{"stall", 6, 5, false}, // a disk
	{"full", 2, 2, true},
	{"blackout", 2, 0, true},
	{"rename", 2, 1, false},
	{"jump", 5, 0, true}, // a clock
}

// repairs are how many of them are no faults.
const repairs = 4

// traits are the families of what a storm has from its beginning, or once.
var traits = []string{"server", "never", "forgetful", "byhand", "twins", "flat", "clock", "far", "keep", "midnight", "wipe", "restore", "copy", "session", "lull", "sealed"}

// Families are what Config.Only may name. Some traits: forgetful, one keeps no history; byhand, discovery does not reach one; far, a clock is days or years off; twins, two machines are one person's; flat,
// two profiles share a machine; keep, they keep history for different times; copy, a virtual machine is copied while it runs; session, with its session; lull, what holds in each part of a broken network is
// checked, too; sealed, something is said in direct conversations and in a private room.
func Families() (names []string) {
	for _, f := range faults[repairs:] {
		names = append(names, f.do)
	}
	return append(names, traits...)
}

// weights draws how often what happens in a storm: some faults more, some not at all.
func (w *world) weights(rng *rand.Rand) []int {
	var weights []int
	for i, f := range faults {
		times := []int{0, 1, 1, 2, 4}[rng.IntN(5)]
		switch {
		case i < repairs:
			times = 2
		case len(w.c.Only) > 0:
			times = 0
			if slices.Contains(w.c.Only, f.do) {
				times = 4
			}
		}
		if f.do == "jump" && len(w.wrong) == 0 {
			times = 0
		}
		weights = append(weights, times*(f.weight+f.hub))
	}
	return weights
}

// talk is what is said within the tenth of a second before a fault, sometimes while the disk that it concerns is slow: what is on its way then is what a fault can lose.
func talk(rng *rand.Rand, fault Step, hosts int) (steps []Step) {
	before := func(most time.Duration) time.Duration { return fault.At - time.Duration(rng.Int64N(int64(most))) }
	if rng.IntN(3) == 0 {
		steps = append(steps, Step{At: before(200 * time.Millisecond), Do: "stall", Host: fault.Host, N: rng.IntN(30), For: 300 * time.Millisecond})
	}
	for range rng.IntN(4) {
		speaker := rng.IntN(hosts)
		if rng.IntN(3) == 0 {
			speaker = fault.Host
		}
		steps = append(steps, Step{At: before(100 * time.Millisecond), Do: "say", Host: speaker, N: 1 + rng.IntN(3)})
	}
	return steps
}

// schedule draws what happens. It is the seed's alone: nothing that happens changes it.
func (w *world) schedule(rng *rand.Rand) []Step {
	var steps []Step
	hosts, length := len(w.hosts), w.c.Length
	weights := w.weights(rng)
	total := 0
	for _, n := range weights {
		total += n
	}
	often := time.Duration(400+rng.IntN(2000)) * time.Millisecond
	for at := 2 * time.Second; at < length; at += time.Duration(rng.ExpFloat64() * float64(often)) {
		k, i := rng.IntN(total), 0
		for ; k >= weights[i]; i++ {
			k -= weights[i]
		}
		f := faults[i]
		s := Step{At: at, Do: f.do, Host: rng.IntN(hosts), N: rng.IntN(1 << 16), For: time.Duration(rng.ExpFloat64() * float64(time.Second))}
		if rng.IntN(f.weight+f.hub) < f.hub {
			s.Host = hub
		}
		if f.do == "flap" {
			s.Host = w.flapper(rng)
			steps = append(steps, flap(rng, s)...)
		} else {
			steps = append(steps, s)
		}
		if f.talk {
			steps = append(steps, talk(rng, s, hosts)...)
		}
	}
	for host := range hosts {
		pace := time.Duration(200+rng.IntN(3000)) * time.Millisecond
		for at := time.Duration(rng.Int64N(int64(2 * time.Second))); at < length; at += time.Duration(rng.ExpFloat64() * float64(pace)) {
			n := 1
			if rng.IntN(8) == 0 {
				n = 1 + rng.IntN(12)
			}
			steps = append(steps, Step{At: at, Do: "say", Host: host, N: n})
		}
	}
	// One disk a story is lost, whole or back to what it was.
	if at := time.Duration(rng.Int64N(int64(length))); !w.c.Open {
		victim := rng.IntN(hosts)
		if rng.IntN(2) == 0 {
			victim = hub
		}
		if w.has(rng, "wipe", 2) {
			steps = append(steps, Step{At: at, Do: "wipe", Host: victim, N: rng.IntN(5)})
		} else if w.has(rng, "restore", 2) {
			victim = rng.IntN(hosts)
			steps = append(steps, Step{At: at / 2, Do: "snapshot", Host: victim}, Step{At: at, Do: "restore", Host: victim})
		}
	}
	if w.has(rng, "copy", 6) {
		steps = append(steps, Step{At: time.Duration(rng.Int64N(int64(length))), Do: "copy", Host: rng.IntN(hosts)})
	}
	if w.has(rng, "lull", 2) {
		steps = append(steps, Step{At: time.Duration(rng.Int64N(int64(length))), Do: "lull"})
	}
	steps = append(steps, w.abouts(rand.New(rand.NewPCG(w.c.Seed, 3)))...)
	steps = append(steps, w.confidants(steps)...)
	slices.SortStableFunc(steps, func(a, b Step) int { return int(a.At - b.At) })
	return steps
}

// flapper draws who comes and goes: preferably one that is preferred as the hub.
func (w *world) flapper(rng *rand.Rand) int {
	if server := slices.IndexFunc(w.hosts, func(h *host) bool { return h.config.ServerOnly }); server >= 0 && rng.IntN(3) > 0 {
		return server
	}
	return rng.IntN(len(w.hosts))
}

// flap lets one go and come, a few times.
func flap(rng *rand.Rand, s Step) (steps []Step) {
	for range 2 + s.N%3 {
		s.Do = []string{"kill", "stop"}[rng.IntN(2)]
		steps = append(steps, s)
		s.Do = "up"
		s.At += time.Duration(rng.Int64N(int64(2 * time.Second)))
		steps = append(steps, s)
		s.At += time.Duration(rng.Int64N(int64(4 * time.Second)))
	}
	return steps
}
