package load

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

var modes = map[string]func(*generator, Result) error{
	"flood": (*generator).runFlood, "paced": (*generator).runPaced, "idle": (*generator).runIdle, "stuck": (*generator).runStuck,
	"join": (*generator).runJoin, "fill": (*generator).runFill, "behind": (*generator).runBehind,
}

// delays reports whether the mode measures how long deliveries take.
func (g *generator) delays() bool { return g.Mode == "paced" || g.Mode == "behind" }

// patience bounds what is waited for beside the time measured.
const patience = time.Minute

// maxHeap is how much memory this process takes before it collects garbage while it measures.
const maxHeap = 2 << 30

// measure warms up, then counts for g.Time. No garbage is collected meanwhile: that takes the generator's core for milliseconds, for a server whose bytes cost it more memory many times as often,
// and would be measured as that server's delay.
func (g *generator) measure(r Result, step func() (time.Duration, error)) error {
	runtime.GC()
	debug.SetMemoryLimit(maxHeap)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if err := g.during(g.Warm, step); err != nil {
		return err
	}
	g.timing.Store(g.delays())
	messages, lost, sent := g.messages(), g.lost, g.sent
	server, own, all, began := cpu(g.PID), cpu(self()), busy(), time.Now()
	if err := g.during(g.Time, step); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	server, own, all = cpu(g.PID)-server, cpu(self())-own, busy()-all
	n := float64(g.messages() - messages)
	r["deliveries_s"], r["messages_s"] = n/took, float64(g.sent-sent)/took
	r["server_cpu"], r["generator_cpu"], r["other_cpu"] = server/took, own/took, (all-server-own)/took
	if n > 0 {
		r["cpu_us"] = server / n * 1e6
	}
	r["lost"] = float64(g.lost - lost)
	return nil
}

func (g *generator) runFlood(r Result) error {
	if err := g.join(); err != nil {
		return err
	}
	g.settle(300 * time.Millisecond)
	if err := g.measure(r, func() (time.Duration, error) { return time.Millisecond, g.flood() }); err != nil {
		return err
	}
	for _, c := range g.receivers {
		if c.dead.Load() {
			r["dead"]++
		}
	}
	return nil
}

// runPaced says g.Rate messages a second and tells how long they take.
func (g *generator) runPaced(r Result) error {
	if err := g.join(); err != nil {
		return err
	}
	g.settle(300 * time.Millisecond)
	next := time.Now()
	if err := g.measure(r, func() (time.Duration, error) { return g.pace(&next) }); err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Second); g.slowest() < g.sent && time.Now().Before(end); {
		g.engine.poll(5 * time.Millisecond)
	}
	for _, c := range g.receivers {
		r["lost"] += float64(max(0, g.sent-c.recv.Load()))
	}
	g.tellDelays(r, "")
	return nil
}

// tellDelays says how long deliveries took since it was asked last.
func (g *generator) tellDelays(r Result, prefix string) {
	g.timing.Store(false)
	time.Sleep(20 * time.Millisecond) // who reads on goroutines of their own sees it with the next message
	var all []int32
	for _, c := range g.receivers {
		all = append(all, c.delays...)
		c.delays = c.delays[:0]
	}
	slices.Sort(all)
	if n := len(all); n > 0 {
		r[prefix+"p50_us"], r[prefix+"p99_us"], r[prefix+"max_us"] = float64(all[n/2]), float64(all[n*99/100]), float64(all[n-1])
	}
}

// runIdle tells what a connection at rest takes of the server's memory.
func (g *generator) runIdle(r Result) error {
	before, began := statusKB(g.PID, "VmRSS:"), time.Now()
	var err error
	if g.receivers, err = g.connect(0, g.Receivers, receiver); err != nil {
		return err
	}
	r["join_s"] = time.Since(began).Seconds()
	g.settle(300 * time.Millisecond)
	if err := g.during(g.Time, func() (time.Duration, error) { return 20 * time.Millisecond, nil }); err != nil {
		return err
	}
	r["kb_connection"] = (statusKB(g.PID, "VmRSS:") - before) / float64(g.Receivers)
	for _, c := range g.receivers {
		if c.dead.Load() {
			return fmt.Errorf("a connection ended")
		}
	}
	return nil
}

// runStuck floods, and one more client takes part that does not read.
func (g *generator) runStuck(r Result) error {
	if err := g.join(); err != nil {
		return err
	}
	g.settle(300 * time.Millisecond)
	if err := g.during(g.Warm, func() (time.Duration, error) { return time.Millisecond, g.flood() }); err != nil {
		return err
	}
	stuck, err := g.engine.dial(g.Receivers+g.Senders+1, deaf)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(stuck) // or its connection would be closed by the collector
	open, began, looked := connections(g.Address), time.Now(), time.Now()
	r["cut_s"] = -1
	for _, c := range g.receivers {
		c.gap = 0
	}
	err = g.measure(r, func() (time.Duration, error) {
		if r["cut_s"] < 0 && time.Since(looked) > 50*time.Millisecond {
			if looked = time.Now(); connections(g.Address) < open {
				r["cut_s"] = time.Since(began).Seconds()
			}
		}
		return time.Millisecond, g.flood()
	})
	for _, c := range g.receivers {
		r["gap_ms"] = max(r["gap_ms"], float64(c.gap)/1e6)
		if c.dead.Load() {
			r["dead"]++
		}
	}
	return err
}

// fill says g.Messages messages, without waiting for more than acknowledgements.
func (g *generator) fill() error {
	if err := g.hire(); err != nil {
		return err
	}
	g.Window, g.Acks = int64(max(g.Run*len(g.senders)*8, 1000)), true
	g.moved = time.Now()
	for began := time.Now(); g.sent < int64(g.Messages); g.engine.poll(time.Millisecond) {
		g.Window = min(g.Window, int64(g.Messages)-g.lowest)
		if err := g.flood(); err != nil {
			return err
		}
		if time.Since(began) > 3*patience {
			return fmt.Errorf("%d of %d messages after %v", g.sent, g.Messages, time.Since(began))
		}
	}
	for end := time.Now().Add(patience); g.slowest() < g.sent; g.engine.poll(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d messages acknowledged", g.slowest(), g.sent)
		}
	}
	return nil
}

func (g *generator) runFill(r Result) error {
	began := time.Now()
	err := g.fill()
	r["messages_s"] = float64(g.sent) / time.Since(began).Seconds()
	return err
}

// runJoin has all receivers come at once to where g.Messages messages are, and read them.
func (g *generator) runJoin(r Result) error {
	if err := g.fill(); err != nil {
		return err
	}
	if err := g.during(time.Second, func() (time.Duration, error) { return 20 * time.Millisecond, nil }); err != nil {
		return err
	}
	g.Acks = false
	server, own, began := cpu(g.PID), cpu(self()), time.Now()
	var err error
	if g.receivers, err = g.connect(0, g.Receivers, receiver); err != nil {
		return err
	}
	r["joined_s"] = time.Since(began).Seconds()
	for g.slowest() < g.sent && time.Since(began) < patience {
		g.engine.poll(time.Millisecond)
	}
	r["all_s"], r["lost"] = time.Since(began).Seconds(), float64(g.sent-g.slowest())
	r["server_cpu_s"], r["generator_cpu_s"] = cpu(g.PID)-server, cpu(self())-own
	return nil
}

// runBehind has one client catch up with g.Messages messages that are there, while others go on at g.Rate.
func (g *generator) runBehind(r Result) error {
	if err := g.hire(); err != nil {
		return err
	}
	e, ok := g.engine.(*earshot)
	if !ok {
		return fmt.Errorf("only earshot catches up")
	}
	e.upToDate.Store(true) // the others are
	var err error
	if g.receivers, err = g.connect(0, g.Receivers, receiver); err != nil {
		return err
	}
	g.settle(300 * time.Millisecond)
	next := time.Now()
	pace := func() (time.Duration, error) { return g.pace(&next) }
	if err := g.measure(r, pace); err != nil {
		return err
	}
	g.tellDelays(r, "before_")
	g.timing.Store(true)
	before, server, began := statusKB(g.PID, "VmRSS:"), cpu(g.PID), time.Now()
	e.upToDate.Store(false)
	late, err := g.connect(g.Receivers+g.Senders, g.Receivers+g.Senders+1, receiver)
	if err != nil {
		return err
	}
	for late[0].recv.Load() < int64(g.Messages) && time.Since(began) < patience {
		r["grown_kb"] = max(r["grown_kb"], statusKB(g.PID, "VmRSS:")-before)
		if err := g.during(20*time.Millisecond, pace); err != nil {
			return err
		}
	}
	took := time.Since(began).Seconds()
	r["caught_up_s"], r["caught_up"] = took, float64(late[0].recv.Load())
	r["messages_s"], r["server_cpu_s"] = float64(late[0].recv.Load())/took, cpu(g.PID)-server
	g.tellDelays(r, "")
	r["lost"] = float64(max(0, int64(g.Messages)-late[0].recv.Load()))
	return nil
}
