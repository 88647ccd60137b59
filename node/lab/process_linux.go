package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exitWithin is how long a program may take to end once it was asked to. Even one that is killed ends only when what it had begun to write is on the disk, and others may keep that busy.
const exitWithin = time.Minute * Slack

// A Process is the binary in line mode on a host.
type Process struct {
	t      testing.TB
	lab    *Lab
	host   *Host
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *os.File
	done   chan struct{} // closed once stdout has ended and the process is reaped

	// Guarded by lab.mu.
	events []Event
	broken error // a line that is no event
	exited bool
}

// Earshot starts the binary with --plain --json and args.
func (h *Host) Earshot(args ...string) *Process {
	h.t.Helper()
	p := &Process{t: h.t, lab: h.lab, host: h, done: make(chan struct{})}
	p.cmd = h.Command(h.lab.binary, append([]string{"--plain", "--json"}, args...)...)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if p.stderr, err = os.CreateTemp(h.dir, "stderr-"); err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.lab.happened(func() { p.lab.running = append(p.lab.running, p) })
	go p.read(stdout)
	p.t.Cleanup(p.end)
	return p
}

// read takes in events until the process has ended.
func (p *Process) read(stdout io.Reader) {
	defer close(p.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e, err := parse(lines.Text())
		p.lab.happened(func() {
			if err != nil && p.broken == nil {
				p.broken = fmt.Errorf("%s printed %q: %w", p, lines.Text(), err)
			}
			p.events = append(p.events, e)
		})
	}
	p.cmd.Wait()
	p.lab.happened(func() { p.exited = true })
}

// end is what every process comes to: it is killed where it still runs, and looked at for what must never happen.
func (p *Process) end() {
	p.t.Helper()
	p.Kill()
	if p.broken != nil {
		p.t.Error(p.broken)
	}
	stderr := p.Stderr()
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if strings.Contains(stderr, bad) {
			p.t.Errorf("%s: %s", p, bad)
		}
	}
	if p.t.Failed() {
		p.t.Log(p.report())
	}
	p.stderr.Close()
}

// String names the process in failures.
func (p *Process) String() string {
	return fmt.Sprintf("earshot %s on %s", strings.Join(p.cmd.Args[6:], " "), p.host.ip)
}

// report is what is known of the process.
func (p *Process) report() string {
	var b strings.Builder
	events := p.Events()
	fmt.Fprintf(&b, "%s, %d lines:\n", p, len(events))
	for _, e := range events[max(0, len(events)-60):] {
		fmt.Fprintln(&b, e.Seen.Format("05.000"), e.Raw)
	}
	if stderr := p.Stderr(); stderr != "" {
		fmt.Fprintf(&b, "stderr:\n%s", stderr)
	}
	return b.String()
}

// Send types a line.
func (p *Process) Send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("%s: type %q: %v", p, line, err)
	}
}

// Events returns what was printed so far. It is not to be changed.
func (p *Process) Events() []Event {
	p.lab.mu.Lock()
	defer p.lab.mu.Unlock()
	return slices.Clip(p.events)
}

// Wait waits until an event matches, one that was printed already or one to come, and returns it. what is for the failure.
func (p *Process) Wait(within time.Duration, what string, match func(Event) bool) Event {
	p.t.Helper()
	return p.WaitFrom(0, within, what, match)
}

// WaitFrom is Wait without the first n events.
func (p *Process) WaitFrom(n int, within time.Duration, what string, match func(Event) bool) (found Event) {
	p.t.Helper()
	ok := p.lab.await(within, func() bool {
		ended := p.ended()
		events := p.Events()[n:]
		i := slices.IndexFunc(events, match)
		if i >= 0 {
			found = events[i]
		}
		return i >= 0 || ended
	})
	switch {
	case !ok:
		p.t.Fatalf("%s: not within %v: %s", p, within, what)
	case found.Raw == "":
		p.t.Fatalf("%s ended before: %s", p, what)
	}
	return found
}

func (p *Process) ended() bool {
	p.lab.mu.Lock()
	defer p.lab.mu.Unlock()
	return p.exited
}

// Stderr returns the end of what was written there.
func (p *Process) Stderr() string {
	b, err := os.ReadFile(p.stderr.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-16<<10):])
}

// Kill is kill -9. Stop is SIGTERM, Interrupt is SIGINT; both return the exit status.
func (p *Process) Kill() { p.t.Helper(); p.signal(syscall.SIGKILL) }

func (p *Process) Stop() int      { p.t.Helper(); return p.signal(syscall.SIGTERM) }
func (p *Process) Interrupt() int { p.t.Helper(); return p.signal(syscall.SIGINT) }

func (p *Process) signal(s syscall.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	late := time.NewTimer(exitWithin)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		p.cmd.Process.Signal(syscall.SIGABRT) // the runtime says where it hangs
		<-p.done
		p.t.Errorf("%s did not end within %v of %v", p, exitWithin, s)
	}
	return p.cmd.ProcessState.ExitCode()
}

// runToEnd runs a command that is expected to end by itself.
func runToEnd(t testing.TB, cmd *exec.Cmd, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(4*exitWithin, func() { cmd.Process.Signal(syscall.SIGABRT) })
	defer late.Stop()
	cmd.Wait()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
