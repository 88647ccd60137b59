package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, which is 100 a second wherever Linux runs (proc(5)).
const clockTick = 10 * time.Millisecond

// CPU returns the processor time that the process has used.
func (p *Process) CPU() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name in parentheses may be anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		p.t.Fatalf("/proc/%d/stat is %q", p.cmd.Process.Pid, b)
	}
	var used time.Duration
	for _, ticks := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(ticks)
		if err != nil {
			p.t.Fatal(err)
		}
		used += time.Duration(n) * clockTick
	}
	return used
}

// Traffic returns how many bytes came in and went out at the host's cable so far, Ethernet headers included.
func (h *Host) Traffic() (in, out int) {
	h.t.Helper()
	cmd := command(h.name, "ip", "-s", "-o", "link", "show", "eth0")
	b, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%s: %v", cmd, err)
	}
	// …\    RX:  bytes packets …\     1234 … \    TX:  bytes packets …\    5678 …
	parts := strings.Split(string(b), "\\")
	for i, s := range parts[:max(0, len(parts)-1)] {
		f := strings.Fields(parts[i+1])
		if len(f) == 0 {
			continue
		}
		switch s = strings.TrimSpace(s); {
		case strings.HasPrefix(s, "RX:"):
			in, err = strconv.Atoi(f[0])
		case strings.HasPrefix(s, "TX:"):
			out, err = strconv.Atoi(f[0])
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	if in == 0 {
		h.t.Fatalf("no traffic in %q", b)
	}
	return in, out
}

// Signal sends the process a signal and does not wait for what comes of it.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
