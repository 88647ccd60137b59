//go:build unix

package ui

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pane is a shell in tmux, in which the screen of TestInTerminal is started.
type pane struct {
	t      *testing.T
	socket string
}

// newPane starts a tmux of its own with a shell of 80x24, or skips the test where there is none.
func newPane(t *testing.T, how string) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("no tmux")
	}
	dir, err := os.MkdirTemp("", "tmux") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", p.socket, "kill-server").Run()
		os.RemoveAll(dir)
	})
	c := exec.Command("tmux", "-S", p.socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env PS1=shell:\\  bash --norc -i")
	c.Env = append(os.Environ(), inTerminal+"="+how, "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TEST="+os.Args[0], "TMUX=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("tmux does not run: %v: %s", err, out)
	}
	p.see("shell:")
	p.keys(`"$TEST" -test.run='^TestInTerminal$'`, "Enter")
	p.see("Message #lobby")
	return p
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", p.socket}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (p *pane) keys(keys ...string) {
	p.t.Helper()
	p.tmux(append([]string{"send-keys"}, keys...)...)
}

// see waits until words are on the screen.
func (p *pane) see(words string) {
	p.t.Helper()
	p.until(words, func() bool { return strings.Contains(p.tmux("capture-pane", "-p"), words) })
}

func (p *pane) until(what string, holds func() bool) {
	p.t.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.NewTimer(20*time.Second)
	defer again.Stop()
	defer late.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-late.C:
			p.t.Fatalf("no %q in\n%s", what, p.tmux("capture-pane", "-p"))
		}
	}
}

// restored waits until the terminal is as it was: the first screen, a cursor, no mouse.
func (p *pane) restored() {
	p.t.Helper()
	p.until("a restored terminal", func() bool {
		return strings.TrimSpace(p.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}")) == "0 1 0"
	})
}

// kill sends a signal to what the shell has started.
func (p *pane) kill(s syscall.Signal) {
	p.t.Helper()
	child, err := exec.Command("pgrep", "-P", strings.TrimSpace(p.tmux("display-message", "-p", "#{pane_pid}"))).Output()
	if err != nil {
		p.t.Skip("no pgrep: ", err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(child))[0])
	if err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Kill(pid, s); err != nil {
		p.t.Fatal(err)
	}
}

// In tmux: stopped by its key or by others, the terminal is the shell's, and the screen's again when the process goes on, even where it could not give it back (SIGSTOP).
func TestTmuxSuspend(t *testing.T) {
	p := newPane(t, "cancel")
	if got := strings.TrimSpace(p.tmux("display-message", "-p", "#{alternate_on} #{mouse_any_flag}")); got != "1 1" {
		t.Errorf("alternate screen and mouse: %s", got)
	}
	for _, stop := range []func(){
		func() { p.kill(syscall.SIGTSTP) },
		func() { p.keys("C-z") },
		func() { p.kill(syscall.SIGTSTP) },
	} {
		stop()
		p.see("Stopped")
		p.restored()
		p.keys("clear; fg", "Enter")
		p.see("Message #lobby")
	}
	p.kill(syscall.SIGSTOP)
	p.see("Stopped")
	p.keys("fg", "Enter")
	p.until("the screen alone", func() bool { return !strings.Contains(p.tmux("capture-pane", "-p"), "Stopped") })
	p.keys("hello", "Enter")
	p.see("PASS")
	p.restored()
}

// In tmux: a panic elsewhere, and a SIGTERM, leave the terminal as it was.
func TestTmuxRestored(t *testing.T) {
	for how, words := range map[string]string{"panic": "the sky falls", "terminate": "PASS"} {
		t.Run(how, func(t *testing.T) {
			p := newPane(t, how)
			if how == "panic" {
				p.keys("hello", "Enter")
			} else {
				p.kill(syscall.SIGTERM)
			}
			p.see(words)
			p.restored()
		})
	}
}

// In tmux: a storm of sizes ends in the layout of the last.
func TestTmuxResize(t *testing.T) {
	p := newPane(t, "cancel")
	for i := range 40 {
		p.tmux("resize-window", "-x", strconv.Itoa(20+i*37%120), "-y", strconv.Itoa(5+i*13%40))
	}
	p.tmux("resize-window", "-x", "100", "-y", "30")
	p.until("the layout of 100x30", func() bool {
		rows := strings.Split(strings.TrimRight(p.tmux("capture-pane", "-p"), "\n"), "\n")
		return len(rows) == 30 && strings.Contains(rows[1], "ROOMS") && strings.Contains(rows[1], "PEERS") &&
			strings.Contains(rows[27], "└") && strings.Contains(rows[28], "> Message #lobby") && strings.Contains(rows[29], "F1 help")
	})
	p.keys("C-q")
	p.restored()
}
