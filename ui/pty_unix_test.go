//go:build unix

package ui

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"earshot/node"
	"earshot/node/message"
)

// inTerminal names how the screen ends in the process that TestTerminal starts.
const inTerminal = "EARSHOT_TEST_TERMINAL"

// typedText is what typedBytes are, in any locale: UTF-8, and a byte that is none.
const (
	typedText  = "hé é 漢 👍🏽 ?"
	typedBytes = "h\xe9 é 漢 👍🏽 \ufffd"
)

// TestInTerminal is that process: it runs the screen on its terminal until something is said.
func TestInTerminal(t *testing.T) {
	how := os.Getenv(inTerminal)
	if how == "" {
		t.Skip("started by TestTerminal")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if how == "terminate" {
		ctx, cancel = signal.NotifyContext(ctx, syscall.SIGTERM)
	}
	guard, f, heard := &Guard{}, lobby(), make(chan struct{})
	f.do = func(c node.Command) error {
		if say, ok := c.(node.Say); !ok || say.Text != "hello" && say.Text != typedText {
			t.Errorf("what was typed is %#v", c)
		}
		close(heard)
		return nil
	}
	for i := range 3000 * strings.Count(how, "flood") {
		m := node.Message{ID: message.ID{byte(i), byte(i >> 8), 1}, Key: node.Key{HLC: uint64(i)}, Room: "#lobby", Nick: "bob", Author: id("bob"), Text: fmt.Sprint("flood ", i), At: time.Now()}
		f.tell(node.Said{Message: m})
	}
	go func() {
		defer guard.Recover()
		<-heard
		if how == "panic" {
			panic("the sky falls")
		}
		cancel()
	}()
	if err := Run(ctx, Config{Node: f, Guard: guard}); err != nil && how != "panic" {
		t.Error(err)
	}
	if how == "panic" {
		select {} // the panic is on its way
	}
}

// On a real terminal: the screen is drawn, keys arrive, and whatever ends it leaves the terminal as it was, with what is said then readable.
func TestTerminal(t *testing.T) {
	for how, want := range map[string]string{"quit": "PASS", "cancel": "PASS", "panic": "the sky falls", "latin": "PASS", "ascii": "PASS", "stop": "PASS"} {
		t.Run(how, func(t *testing.T) {
			master, tty, err := pty.Open()
			if err != nil {
				t.Skip("no pseudo terminal: ", err)
			}
			defer master.Close()
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
				t.Fatal(err)
			}
			before, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(os.Args[0], "-test.run=^TestInTerminal$")
			c.Env = append(os.Environ(), inTerminal+"="+how, "TERM=xterm-256color", "LC_ALL=C.UTF-8")
			switch how {
			case "latin": // of which tcell knows no characters
				c.Env = append(c.Env, "LC_ALL=de_DE.ISO-8859-1")
			case "ascii":
				c.Env = append(c.Env, "LC_ALL=C")
			}
			c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			left := make(chan *term.State, 1)
			go func() { // the last to close the terminal ends what is read from it
				_ = c.Wait() // a panic is an error, as it should be
				after, _ := term.GetState(int(tty.Fd()))
				tty.Close()
				left <- after
			}()
			out := expect(t, master, "", "Message #lobby")
			keys := typedBytes + "\r"
			switch how {
			case "quit":
				keys = "\x11" // Ctrl-Q
			case "stop": // Ctrl-Z, where no shell would have it go on
				if _, err := master.WriteString("\x1a"); err != nil {
					t.Fatal(err)
				}
				_, out, _ = strings.Cut(expect(t, master, out, "\x1b[?1049l"), "\x1b[?1049l")
				out = expect(t, master, out, "Message #lobby")
			}
			if _, err := master.WriteString(keys); err != nil {
				t.Fatal(err)
			}
			out = expect(t, master, out, "\x1b[?1049l")
			after := out[strings.Index(out, "\x1b[?1049l"):]
			expect(t, master, after, want)
			if after := <-left; after == nil || *after != *before {
				t.Errorf("the terminal's modes were %v and are %v", before, after)
			}
		})
	}
}

// Ctrl-Z gives the terminal back to the shell, and fg the screen: Enter is Enter again, which it is not where the shell has the last word on the modes.
func TestSuspend(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminal: ", err)
	}
	defer master.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("bash", "--norc", "-i")
	shell.Env = append(os.Environ(), inTerminal+"=cancel", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "PS1=shell: ", "ENV=", "TEST="+os.Args[0])
	shell.Stdin, shell.Stdout, shell.Stderr = tty, tty, tty
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Skip("no bash: ", err)
	}
	tty.Close()
	defer func() { _ = shell.Wait() }()
	overdue := time.AfterFunc(time.Minute, func() { _ = shell.Process.Kill() })
	defer overdue.Stop()
	read := ""
	for _, step := range []struct{ see, then string }{
		{"shell: ", "\"$TEST\" -test.run='^TestInTerminal$'\r"},
		{"Message #lobby", "\x1a"},
		{"Stopped", ""},
		{"shell: ", "fg\r"},
		{"Message #lobby", "hello\r"},
		{"PASS", ""},
		{"shell: ", "exit\r"},
	} {
		_, read, _ = strings.Cut(expect(t, master, read, step.see), step.see)
		if _, err := master.WriteString(step.then); err != nil {
			t.Fatal(err)
		}
	}
}

// On a line of 9600 baud, while more is said than it can carry, a key is heard and what is typed said: frames are left out, keys are not.
func TestSlowTerminal(t *testing.T) {
	t.Parallel() // it waits for the line
	master, tty, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminal: ", err)
	}
	defer master.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 15, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestInTerminal$")
	c.Env = append(os.Environ(), inTerminal+"=flood", "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	late := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Kill() })
	defer late.Stop()
	const bytesPerTick = 96 // of a tenth of a second: 9600 baud are 960 bytes a second
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	read, typed := "", false
	for b := make([]byte, bytesPerTick); ; <-tick.C {
		n, err := master.Read(b)
		read += string(b[:n])
		if err != nil {
			break
		}
		if !typed && strings.Contains(read, "Message #lobby") {
			typed = true
			if _, err := master.WriteString("hello\r"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err != nil || !strings.Contains(read, "\x1b[?1049l") {
		t.Errorf("%v; the end of what was written is %q", err, read[max(len(read)-300, 0):])
	}
}

// expect reads until want is there, beginning with what was read already, and returns all of it.
func expect(t *testing.T, f *os.File, read, want string) string {
	t.Helper()
	for b := make([]byte, 4096); !strings.Contains(read, want); {
		n, err := f.Read(b)
		if read += string(b[:n]); err != nil {
			t.Fatalf("%v; no %q in %q", err, want, read)
		}
	}
	return read
}

// A browser that is opened is not of the terminal's session: Ctrl-Z would stop it, and the end of the terminal end it.
func TestLaunchApart(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := launch("sh", "-c", `echo $$ >"$0"; read end <"$0"`, pipe); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(pipe) // waits for who writes
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(pipe, []byte("end\n"), 0o600)
	pid, err := strconv.Atoi(strings.TrimSpace(string(said)))
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("process %d is in the group %d (%v), this one in %d", pid, group, err, syscall.Getpgrp())
	}
}
