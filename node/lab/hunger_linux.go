package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	lookEvery = 250 * time.Millisecond
	// hunger is how much of that the threads of a process may stand in line for a processor, all together, before it counts as starved: a hub is taken for silent after 700 ms, of which 330
	// pass between two signs of life anyway, so that one that stands in line for the rest does so for half of that in one look at least.
	hunger = 150 * time.Millisecond
)

// Starved returns whether since then any process of the lab waited for a processor for so long that the others may have taken it for dead, or the whole machine stood still. What a test says of
// nobody having lost anybody holds where processes run when they can.
func (l *Lab) Starved(since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starved.After(since)
}

// look notes when processes starve, until the context ends.
func (l *Lab) look(ctx context.Context) {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	seen := time.Now()
	waited := map[*Process]time.Duration{}
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		running := l.running
		l.mu.Unlock()
		starved := time.Since(seen) > 2*lookEvery
		seen = time.Now()
		for _, p := range running {
			now := p.waited()
			before, known := waited[p]
			starved = starved || known && now-before > hunger
			waited[p] = now
		}
		if starved {
			l.mu.Lock()
			l.starved = seen
			l.mu.Unlock()
		}
	}
}

// waited is how long the threads of the process have stood in line for a processor so far: the second number in schedstat (Documentation/scheduler/sched-stats.rst). It is 0 where the kernel does not
// count that, and when the process has ended.
func (p *Process) waited() (all time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var ran, waited int64
		if _, err := fmt.Sscan(string(b), &ran, &waited); err == nil {
			all += time.Duration(waited)
		}
	}
	return all
}
