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
	// hunger is how much of that a thread may stand in line for a processor before its process counts as starved: a hub is taken for silent after 700 ms, of which 330
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
	waited := map[string]time.Duration{}
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
			for thread, now := range p.waited() {
				starved = starved || now-waited[thread] > hunger // of one that is new it is all
				waited[thread] = now
			}
		}
		if starved {
			l.mu.Lock()
			l.starved = seen
			l.mu.Unlock()
		}
	}
}

// waited is how long each thread of the process has stood in line for a processor so far: the second number in schedstat (Documentation/scheduler/sched-stats.rst). There is none where the kernel does
// not count that, and when the process has ended.
func (p *Process) waited() map[string]time.Duration {
	all := map[string]time.Duration{}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var ran, waited int64
		if _, err := fmt.Sscan(string(b), &ran, &waited); err == nil {
			all[path] = time.Duration(waited)
		}
	}
	return all
}
