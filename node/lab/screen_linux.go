package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Screen is a terminal on a host in which the binary runs full-screen: a tmux of its own.
type Screen struct {
	t    testing.TB
	host *Host
	drew chan struct{} // has a value when something was drawn since it was last taken
}

// screenScript runs the binary between two looks at the terminal's settings, says how it ended, and stays.
const screenScript = `stty -g >before; sh -c 'echo $$ >pid; exec "$@"' sh "$@"; status=$?; stty -g >after; echo "exit status $status"; exec cat`

// Screen starts the binary in a terminal of that size. Without tmux it skips the test, or fails it with CI=true.
func (h *Host) Screen(width, height int, args ...string) *Screen {
	h.t.Helper()
	Need(h.t, "tmux")
	s := &Screen{t: h.t, host: h, drew: make(chan struct{}, 1)}
	config := "set -g status off\nset -g default-terminal tmux-256color\nset -g escape-time 0\n"
	if err := os.WriteFile(filepath.Join(h.dir, "tmux.conf"), []byte(config), 0o600); err != nil {
		h.t.Fatal(err)
	}
	s.tmux(append([]string{"new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height),
		"sh", "-c", screenScript, "sh", h.lab.binary}, args...)...)
	h.t.Cleanup(func() { s.tmux("kill-server") })
	s.tmux("set-option", "-g", "window-size", "manual") // now: tmux 3.3 crashes where a new window finds it
	s.follow()
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("screen of %s:\n%s", h.ip, strings.TrimRight(s.Text(), "\n"))
		}
	})
	return s
}

func (s *Screen) command(args ...string) *exec.Cmd {
	cmd := s.host.Command("tmux", append([]string{"-u", "-S", filepath.Join(s.host.dir, "tmux"), "-f", filepath.Join(s.host.dir, "tmux.conf")}, args...)...)
	cmd.Dir = s.host.dir
	return cmd
}

func (s *Screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// follow has tmux say when the program draws: a client in control mode is told (tmux(1), CONTROL MODE).
func (s *Screen) follow() {
	s.t.Helper()
	cmd := s.command("-C", "attach")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewReader(stdout); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				cmd.Wait()
				return
			}
			if strings.HasPrefix(line, "%output") {
				select {
				case s.drew <- struct{}{}:
				default:
				}
			}
		}
	}()
	s.t.Cleanup(func() {
		stdin.Close()
		<-ended
	})
}

// Text returns what the screen shows.
func (s *Screen) Text() string { s.t.Helper(); return s.tmux("capture-pane", "-p") }

// Wait waits until the screen shows what is enough, and returns it.
func (s *Screen) Wait(within time.Duration, what string, enough func(text string) bool) string {
	s.t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		if text := s.Text(); enough(text) {
			return text
		}
		select {
		case <-s.drew:
		case <-timeout.C:
			s.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// Type types text; Key presses keys by tmux' names for them: Enter, C-c, PageUp.
func (s *Screen) Type(text string) { s.t.Helper(); s.tmux("send-keys", "-l", text) }
func (s *Screen) Key(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// Resize changes the size of the terminal.
func (s *Screen) Resize(width, height int) {
	s.t.Helper()
	s.tmux("resize-window", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
}

// Signal sends the program a signal.
func (s *Screen) Signal(sig syscall.Signal) {
	s.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(s.file("pid")))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// Ended waits for the program's end, returns its exit status, and fails the test where it left the terminal other than it was.
func (s *Screen) Ended(within time.Duration) (status int) {
	s.t.Helper()
	s.Wait(within, "the program ends", func(text string) bool {
		_, after, ok := strings.Cut(text, "exit status ")
		if ok {
			_, err := fmt.Sscan(after, &status)
			return err == nil
		}
		return false
	})
	if before, after := s.file("before"), s.file("after"); before != after {
		s.t.Errorf("the terminal's settings are %q; they were %q", after, before)
	}
	if flags := strings.TrimSpace(s.tmux("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{keypad_flag} #{keypad_cursor_flag} #{cursor_flag}")); flags != "0 0 0 0 1" {
		s.t.Errorf("alternate screen, mouse, keypad, cursor keys, cursor: %s; want 0 0 0 0 1", flags)
	}
	return status
}

// file reads a file that screenScript writes; one that is not there yet is empty.
func (s *Screen) file(name string) string {
	b, err := os.ReadFile(filepath.Join(s.host.dir, name))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(b)
}
