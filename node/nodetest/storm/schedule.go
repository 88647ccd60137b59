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
	{"start", 18, 0, false}, // one that is down
	{"kill", 8, 10, true},
	{"power", 4, 5, true},
	{"stop", 4, 4, true},
	{"reset", 8, 6, true}, // connections
	{"cut", 3, 3, true},
	{"heal", 8, 0, false}, // one that is cut off
	{"split", 5, 0, true},
	{"join", 8, 0, false},
	{"loss", 4, 0, false},
	{"calm", 6, 0, false}, // no loss
	{"stall", 6, 5, false},
	{"blackout", 2, 0, true},
	{"full", 2, 2, true},
	{"rename", 2, 1, false},
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

// schedule draws what happens to a number of hosts. It is the seed's alone: nothing that happens changes it.
func schedule(rng *rand.Rand, hosts int, length time.Duration, open bool) []Step {
	var steps []Step
	total := 0
	for _, f := range faults {
		total += f.weight + f.hub
	}
	often := time.Duration(400+rng.IntN(2000)) * time.Millisecond
	for at := 2 * time.Second; at < length; at += time.Duration(rng.ExpFloat64() * float64(often)) {
		k := rng.IntN(total)
		for _, f := range faults {
			if k < f.weight+f.hub {
				s := Step{At: at, Do: f.do, Host: rng.IntN(hosts), N: rng.IntN(1 << 16), For: time.Duration(rng.ExpFloat64() * float64(time.Second))}
				if k >= f.weight {
					s.Host = hub
				}
				steps = append(steps, s)
				if f.talk {
					steps = append(steps, talk(rng, s, hosts)...)
				}
				break
			}
			k -= f.weight + f.hub
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
	if at := time.Duration(rng.Int64N(int64(length))); !open {
		victim := rng.IntN(hosts)
		switch rng.IntN(4) {
		case 0:
			steps = append(steps, Step{At: at, Do: "wipe", Host: victim, N: rng.IntN(4)})
		case 1:
			steps = append(steps, Step{At: at, Do: "wipe", Host: hub, N: rng.IntN(4)})
		case 2:
			steps = append(steps, Step{At: at / 2, Do: "snapshot", Host: victim}, Step{At: at, Do: "restore", Host: victim})
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return int(a.At - b.At) })
	return steps
}
