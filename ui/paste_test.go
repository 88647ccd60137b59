package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
)

// paste pastes text as a terminal does.
func (s *stage) paste(text string) {
	s.handle(tcell.NewEventPaste(true))
	for _, r := range text {
		key := tcell.NewEventKey(tcell.KeyRune, r, 0)
		if r == '\n' {
			key = tcell.NewEventKey(tcell.KeyEnter, 0, 0)
		}
		s.handle(key)
	}
	s.handle(tcell.NewEventPaste(false))
	s.draw()
}

// A paste that is more than a message is asked about; nothing of it is lost, and nothing sent unasked.
func TestLongPaste(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	var text strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&text, "line %d: /quit is no command here\n", i)
	}
	s.press("before")
	s.paste(text.String())
	s.want("you pasted 10000 lines, 359 kB: too much for one message")
	s.wantNot("messages", "each second") // 250 of them are too many
	s.press("Enter")
	if got := s.input.GetText(); got != "before" || len(s.outbox) > 0 {
		t.Errorf("%q stands there, %d are sent", got, len(s.outbox))
	}

	part := strings.Join(strings.SplitAfter(text.String(), "\n")[:100], "")
	s.press("Ctrl-C")
	s.paste("/me\n" + part)
	s.want("send 3 messages")
	s.press("Down", "Enter")
	if len(s.outbox) != 3 {
		t.Fatalf("%d messages are sent", len(s.outbox))
	}
	var sent []string
	for _, j := range s.outbox {
		sent = append(sent, j.command.(node.Say).Text)
	}
	if got := strings.Join(sent, "\n"); got+"\n" != "/me\n"+part {
		t.Errorf("what is sent is not what was pasted: %.200q", got)
	}
	s.press("Ctrl-C")
	s.paste(part)
	s.press("End", "Enter")
	if got := s.input.GetText(); !strings.HasPrefix(part, got) || len(got) < 1000 {
		t.Errorf("%.100q", got)
	}
	for _, long := range []string{strings.Repeat("漢", 5000), strings.Repeat("x", 9000), "a\n\n\n" + strings.Repeat("\n", 100) + "b"} {
		for _, p := range split(long) {
			if len(p) > message.MaxText || strings.Count(p, "\n") >= message.MaxLines || tidy(p) != p {
				t.Errorf("%.10q…: a part of %d bytes", long, len(p))
			}
		}
		if got := strings.Join(split(long), ""); strings.ReplaceAll(got, "\n", "") != strings.ReplaceAll(long, "\n", "") {
			t.Errorf("%.10q…: something is missing", long)
		}
	}
}

// Of a paste that is long only for its blank lines nothing is asked; one that has a single line is not said to have lines.
func TestPasteBlank(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	for _, words := range []string{"", "one\ntwo"} {
		s.paste(words + strings.Repeat(" \n", 100) + " ")
		s.wantNot("you pasted")
		if got := s.input.GetText(); strings.TrimSpace(got) != words {
			t.Errorf("%q stands there", got)
		}
		s.press("Ctrl-C")
	}
	s.paste(strings.Repeat("x", 9000))
	s.want("you pasted 9 kB: too much for one message")
}

// What begins with a slash and was not said comes back as what can be sent once more, not as a command.
func TestPasteGivenBack(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.paste("/etc\n" + strings.Repeat("line\n", 50))
	s.press("Down", "Enter")
	s.carry(errors.New("no"))
	if got := s.input.GetText(); !strings.HasPrefix(got, "//etc\n") {
		t.Errorf("%.20q", got)
	}
}

func TestPaste(t *testing.T) {
	for name, keys := range map[string][]*tcell.EventKey{
		"CR":    {tcell.NewEventKey(tcell.KeyEnter, 0, 0)},
		"LF":    {tcell.NewEventKey(tcell.KeyCtrlJ, 0, tcell.ModCtrl)},
		"CR LF": {tcell.NewEventKey(tcell.KeyEnter, 0, 0), tcell.NewEventKey(tcell.KeyCtrlJ, 0, tcell.ModCtrl)},
	} {
		s := newStage(t, 80, 24, lobby(), Config{})
		s.press("F1", "Esc", "see: ")
		s.handle(tcell.NewEventPaste(true))
		for _, r := range "a\x01" {
			s.handle(tcell.NewEventKey(tcell.KeyRune, r, 0))
		}
		for _, k := range keys {
			s.handle(k)
		}
		s.handle(tcell.NewEventKey(tcell.KeyTab, 0, 0))
		s.handle(tcell.NewEventKey(tcell.KeyEsc, 0, 0))
		s.handle(tcell.NewEventKey(tcell.KeyRune, 'b', 0))
		s.handle(tcell.NewEventKey(tcell.KeyRune, '\u202e', 0))
		s.handle(tcell.NewEventPaste(false))
		if got := s.input.GetText(); got != "see: a\n\tb" {
			t.Errorf("%s: %q", name, got)
		}
		if len(s.outbox) > 0 {
			t.Errorf("%s: a paste is not sent", name)
		}
	}
}

// A pasted Makefile keeps its tabs when it is said, changed and copied; they are shown as spaces.
func TestPasteTabs(t *testing.T) {
	const makefile, changed = "all:\n\tgo build\n\tgo vet", "all:\n\tgo build\n\tgo vet ./..."
	s := newStage(t, 40, 15, lobby(), Config{})
	s.paste(makefile)
	s.want("      go vet")
	if x, y, _ := s.sim.GetCursor(); x != 2+4+len("go vet") || y != 14 {
		t.Errorf("the cursor is at %d, %d in\n%s", x, y, strings.Join(s.rows(), "\n"))
	}
	s.press("Enter")
	if say := s.outbox[0].command; say != (node.Say{Room: "#lobby", Text: makefile}) {
		t.Errorf("said %q", say)
	}
	mine := s.say(time.Second, "alice", makefile)
	s.draw()
	s.want("     go vet")
	if n := strings.Count(strings.Join(s.rows(), "\n"), "go vet"); n != 1 {
		t.Errorf("it stands there %d times", n)
	}
	s.press("Tab", "y")
	if got := string(s.sim.GetClipboardData()); got != makefile {
		t.Errorf("copied %q", got)
	}
	s.press("Esc", "Up", " ./...", "Enter")
	if e := s.outbox[1].command; e != (node.Edit{Target: message.Ref{Seq: 1, ID: mine}, Text: changed}) {
		t.Errorf("changed to %q", e)
	}
	s.paste("x\t" + strings.Repeat("y", 33)) // as wide as the input: the last of it is on the next row
	s.want("> x    " + strings.Repeat("y", 31))
	s.want("  yy")
	s.press("Ctrl-C")
	long := strings.Repeat("\tline\n", 50)
	s.paste(long)
	s.press("Down", "Enter")
	var said []string
	for _, j := range s.outbox[2:] {
		said = append(said, j.command.(node.Say).Text)
	}
	if got := strings.Join(said, "\n"); got != strings.TrimSuffix(long, "\n") {
		t.Errorf("sent in parts: %q", got)
	}
}

// Where one types words to find something, what is pasted are such words, and nothing that Enter would say.
func TestPasteIntoPrompt(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("F3", "error ")
	s.paste("0x80070057\nin two lines\n")
	s.want("─ search ─")
	s.want("error 0x80070057 in two lines")
	s.want("looking")
	s.found.due = time.Time{}
	s.press("Esc", "F3")
	s.paste("another")
	s.want("another")
	s.wantNot("0x80070057")
	s.paste(strings.Repeat("long ", 100_000))
	if n := len(s.found.words()); n > 2*longestPrompt {
		t.Errorf("it looks for %d bytes", n)
	}
	s.press("F2")
	s.paste("build")
	s.want("─ go to ─")
	s.want("build")
	s.press("Enter")
	s.want("> Message #build")
	if s.input.GetText() != "" || len(s.outbox) > 0 {
		t.Errorf("%q is to be said", s.input.GetText())
	}
}
