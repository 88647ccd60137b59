package lab_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"earshot/node/lab"
)

var figures = flag.Int("figures", 0, "how many times TestFigures measures each switch of the hub, and TestDiscoveryFigures each start; 0: they are skipped, for they only report; each takes about 45 s, or 15: mind -timeout")

// A series is one row of the report.
type series struct {
	what  string
	times []time.Duration
}

func (s *series) add(d time.Duration) { s.times = append(s.times, d) }

func (s *series) String() string {
	if len(s.times) == 0 {
		return s.what + ": none"
	}
	sorted := slices.Sorted(slices.Values(s.times))
	return fmt.Sprintf("%-62s median %7v  worst %7v  all %v", s.what, rounded(sorted[len(sorted)/2]), rounded(sorted[len(sorted)-1]), milliseconds(s.times))
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func milliseconds(all []time.Duration) (ms []int64) {
	for _, d := range all {
		ms = append(ms, d.Milliseconds())
	}
	return ms
}

// slowest is when the last of them printed where it stands to the hub.
func slowest(all []*lab.Process) (t time.Time) {
	for _, p := range all {
		if seen := last(p, "hub").Seen; seen.After(t) {
			t = seen
		}
	}
	return t
}

// settled waits until all are with one hub and the succession has been told: what is measured begins from rest.
func settled(t *testing.T, l *lab.Lab, all []*lab.Process) *lab.Process {
	t.Helper()
	for {
		hub := together(t, l, 4*soon, all...)
		<-time.After(3 * time.Second) // a link that stood for less than a second is redialled with a rest, and claims settle for two
		if hubOf(all) == hub {
			return hub
		}
	}
}

// switched waits until all are with one hub and returns how long after began the last of them was.
func switched(t *testing.T, l *lab.Lab, what string, began time.Time, all []*lab.Process, not *lab.Process) time.Duration {
	t.Helper()
	l.Wait(8*soon, what, func() bool { hub := hubOf(all); return hub != nil && hub != not })
	return slowest(all).Sub(began)
}

// TestFigures measures how long the hub's death and other switches take, from the outside: from the act to the last process that prints its new hub.
func TestFigures(t *testing.T) {
	if *figures == 0 {
		t.Skip("only reports; -figures N measures")
	}
	const hosts = 5
	var report []*series
	row := func(what string) *series {
		report = append(report, &series{what: what})
		return report[len(report)-1]
	}
	t.Cleanup(func() {
		for _, s := range report {
			t.Log(s)
		}
	})
	started := row("five started at once: with one hub")
	alone := row("one started alone: hub")
	newcomer := row("one started beside four: linked")
	killed := row("hub killed -9: the other four with the new hub")
	handed := row("hub terminated: the other four with the new hub")
	usual := row("  of the lines typed in 100 ms, the slowest to another screen")
	late := row("  the same in the 100 ms after the hub is terminated")
	cut := row("hub's cable pulled: the other four with a new hub")
	healed := row("cable back: all five with one hub")
	joined := row("three and two joined: all five with one hub")
	theirs := row("memberlist's defaults, one of five killed: the last is told")
	l := lab.New(t, hosts)
	launch := func(i int) *lab.Process {
		return start(l, i, "--log-level", "debug", "--log-file", "log")
	}
	for n := range *figures {
		began := time.Now()
		var all []*lab.Process
		for i := 1; i <= hosts; i++ {
			all = append(all, launch(i))
		}
		started.add(switched(t, l, "one hub at the start", began, all, nil))
		act := func(s *series, hub *lab.Process, act func()) (int, []*lab.Process) {
			rest := others(all, hub)
			began := time.Now()
			act()
			s.add(switched(t, l, s.what, began, rest, hub))
			t.Logf("%d: %s %v, from %v", n, s.what, s.times[len(s.times)-1].Round(time.Millisecond), began.Format("05.000"))
			return slices.Index(all, hub), rest
		}
		hub := settled(t, l, all)
		i, _ := act(killed, hub, hub.Kill)
		began = time.Now()
		all[i] = launch(i + 1)
		linked := all[i].Wait(8*soon, "the newcomer is linked", func(e lab.Event) bool { return e.Kind == "hub" && e.State == "linked" })
		newcomer.add(linked.Seen.Sub(began))

		hub = settled(t, l, all)
		i, rest := act(cut, hub, func() { l.Cut(slices.Index(all, hub) + 1) })
		l.Wait(8*soon, "the one without a cable serves itself", func() bool { return last(hub, "hub").State == "serving" })
		settled(t, l, rest)
		began = time.Now()
		l.Heal(i + 1)
		healed.add(switched(t, l, "one hub after the cable is back", began, all, nil))

		settled(t, l, all)
		l.Split([]int{1, 2, 3}, []int{4, 5})
		settled(t, l, all[:3])
		settled(t, l, all[3:])
		began = time.Now()
		l.Join()
		joined.add(switched(t, l, "one hub after three and two are joined", began, all, nil))

		hub = settled(t, l, all)
		i, _ = act(handed, hub, func() { hub.Signal(syscall.SIGTERM) })
		hub.Stop()
		all[i] = launch(i + 1)

		hub = settled(t, l, all)
		rest = others(all, hub)
		usual.add(chat(t, rest, fmt.Sprint("before", n)))
		hub.Signal(syscall.SIGTERM)
		late.add(chat(t, rest, fmt.Sprint("during", n)))
		for _, p := range all {
			p.Kill()
		}
		began = time.Now()
		all[0] = launch(1)
		alone.add(switched(t, l, "alone", began, all[:1], nil))
		all[0].Kill()
		theirs.add(defaults(t, l, hosts))
	}
}

// chat has each type a line every 10 ms, ten times, and returns the longest that one took to another's screen.
func chat(t *testing.T, all []*lab.Process, name string) (longest time.Duration) {
	t.Helper()
	typed := map[string]time.Time{}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range 10 {
		for k, p := range all {
			text := fmt.Sprintf("%s.%d %d", name, k, i)
			typed[text] = time.Now()
			p.Send(text)
		}
		<-tick.C
	}
	for _, p := range all {
		for text, at := range typed {
			if e := reads(p, text); !e.Mine {
				longest = max(longest, e.Seen.Sub(at))
			}
		}
	}
	return longest
}

// TestIdleFigures measures what hosts that say nothing cost.
func TestIdleFigures(t *testing.T) {
	if *figures == 0 {
		t.Skip("only reports; -figures N measures")
	}
	const rest, span = 20 * time.Second, 60 * time.Second // whole rounds of what goes round every 30 s
	for _, n := range []int{10, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := lab.New(t, n)
			var all []*lab.Process
			began := time.Now()
			for i := 1; i <= n; i++ {
				all = append(all, start(l, i))
			}
			t.Logf("%d hosts started at once: with one hub after %v", n, switched(t, l, "one hub at the start", began, all, nil).Round(time.Millisecond))
			together(t, l, 8*soon, all...)
			<-time.After(rest) // the start is over: the questions asked one by one, and the answers
			hub := hubOf(all)
			cpu, in, out := make([]time.Duration, n), make([]int, n), make([]int, n)
			began = time.Now()
			for i, p := range all {
				cpu[i] = p.CPU()
				in[i], out[i] = l.Host(i + 1).Traffic()
			}
			<-time.After(span)
			took := time.Since(began).Seconds()
			for i, p := range all {
				cpu[i] = p.CPU() - cpu[i]
				a, b := l.Host(i + 1).Traffic()
				in[i], out[i] = a-in[i], b-out[i]
			}
			if hub == nil || hubOf(all) != hub {
				t.Fatal("the hub moved")
			}
			h := slices.Index(all, hub)
			report := func(who string, cpu time.Duration, in, out int) {
				t.Logf("%d hosts, %s: %.2f %% of a core, %.1f KB/s in, %.1f KB/s out", n, who, 100*cpu.Seconds()/took, float64(in)/took/1000, float64(out)/took/1000)
			}
			report("hub", cpu[h], in[h], out[h])
			cpu, in, out = slices.Delete(cpu, h, h+1), slices.Delete(in, h, h+1), slices.Delete(out, h, h+1)
			slices.Sort(cpu)
			slices.Sort(in)
			slices.Sort(out)
			report("median member", cpu[n/2], in[n/2], out[n/2])
			report("worst member", cpu[n-2], in[n-2], out[n-2])
		})
	}
}

// envAgent makes TestMemberlistAgent a member of a memberlist: its name, its address, and whom to join.
const envAgent = "LAB_MEMBERLIST_AGENT"

// TestMemberlistAgent is no test but a program for defaults: it says "left NAME" when it is told that one is gone.
func TestMemberlistAgent(t *testing.T) {
	words := strings.Fields(os.Getenv(envAgent))
	if len(words) != 3 {
		t.Skip("run by TestFigures")
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.AdvertiseAddr, c.Logger = words[0], words[1], words[1], log.New(io.Discard, "", 0)
	events := make(chan memberlist.NodeEvent, 100)
	c.Events = &memberlist.ChannelEventDelegate{Ch: events}
	m, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown()
	if _, err := m.Join(words[2:]); err != nil {
		t.Fatal(err)
	}
	here := 0
	for e := range events {
		switch e.Event {
		case memberlist.NodeJoin:
			here++
			fmt.Println("here", here)
		case memberlist.NodeLeave:
			fmt.Println("left", e.Node.Name)
		}
	}
}

// defaults returns how long members of a memberlist as it comes take to be told that one of them was killed.
func defaults(t *testing.T, l *lab.Lab, n int) time.Duration {
	t.Helper()
	up, complete, left := make(chan int, n), make(chan int, n), make(chan int, n)
	late := time.After(time.Minute)
	wait := func(c <-chan int, times int) {
		t.Helper()
		for range times {
			select {
			case <-c:
			case <-late:
				t.Fatal("memberlist did not say so within a minute")
			}
		}
	}
	var kill []func()
	for i := 1; i <= n; i++ {
		cmd := l.Host(i).Command(executable(t), "-test.run=^TestMemberlistAgent$", "-test.timeout=10m")
		cmd.Env = append(cmd.Env, "EARSHOT_LAB_REASON=none is needed", fmt.Sprintf("%s=%d %s %s", envAgent, i, l.Host(i).IP(), l.Host(1).IP()))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				switch lines.Text() {
				case "here 1":
					up <- i
				case fmt.Sprint("here ", n):
					complete <- i
				case fmt.Sprint("left ", n):
					left <- i
				}
			}
			cmd.Wait()
		}()
		kill = append(kill, func() { cmd.Process.Kill(); <-done })
		defer kill[i-1]()
		wait(up, 1) // the first must be there when others join it
	}
	wait(complete, n)
	began := time.Now()
	kill[n-1]()
	wait(left, n-1)
	return time.Since(began)
}
