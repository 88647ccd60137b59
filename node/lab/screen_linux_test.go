package lab_test

import (
	"strings"
	"syscall"
	"testing"

	"earshot/node/lab"
)

// shows is what a screen has to hold.
func shows(words ...string) func(string) bool {
	return func(text string) bool {
		for _, w := range words {
			if !strings.Contains(text, w) {
				return false
			}
		}
		return true
	}
}

func TestFullScreen(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 2)
	other := start(l, 1)
	l.Wait(soon, "the first serves", func() bool { return last(other, "hub").State == "serving" })
	screen := l.Host(2).Screen(80, 24, "--nick", "zoë")
	text := screen.Wait(soon, "both are there", shows("#lobby · 2 here", "host1", "zoë (you)", "♛", "anyone on"))
	if lines := strings.Split(strings.TrimRight(text, "\n"), "\n"); len(lines) != 24 {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	say(other, "can you see this?")
	screen.Wait(soon, "the line of the other", shows("can you see this?"))
	screen.Type("i can")
	screen.Key("Enter")
	if e := reads(other, "i can"); e.Nick != "zoë" {
		t.Errorf("%s", e.Raw)
	}
	screen.Wait(soon, "the own line, on two disks", shows("i can", "✓"))

	screen.Resize(40, 15)
	screen.Wait(soon, "a small screen", shows("can you see this?", "i can"))
	screen.Resize(120, 40)
	screen.Wait(soon, "a large screen", shows("can you see this?", "i can", "ROOMS"))

	// Nothing of another's words is taken for a style or a command to the terminal.
	other.Send("[red]not red[-] \x1b]0;title\x07\x1b[31m")
	screen.Wait(soon, "the words as they are", shows("[red]not red[-]"))

	screen.Type("/quit")
	screen.Key("Enter")
	if status := screen.Ended(soon); status != 0 {
		t.Errorf("/quit: exit status %d", status)
	}
}

func TestFullScreenLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	for i, end := range []struct {
		name   string
		do     func(*lab.Screen)
		status int
	}{
		{"SIGTERM", func(s *lab.Screen) { s.Signal(syscall.SIGTERM) }, 0},
		{"SIGHUP", func(s *lab.Screen) { s.Signal(syscall.SIGHUP) }, 0},
		{"SIGINT", func(s *lab.Screen) { s.Signal(syscall.SIGINT) }, 130},
		{"Ctrl-C twice", func(s *lab.Screen) { s.Key("C-c", "C-c") }, 0},
	} {
		screen := l.Host(i+1).Screen(80, 24)
		screen.Wait(soon, "the first screen", shows("#lobby", "Message"))
		end.do(screen)
		if status := screen.Ended(soon); status != end.status {
			t.Errorf("%s: exit status %d; want %d", end.name, status, end.status)
		}
	}
}
