package ui

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
)

// Each room keeps what is being typed there, where the cursor is, and what was sent.
func TestDrafts(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("for the lobby", "Ctrl-A", "Ctrl-N")
	s.want("> Message #build")
	s.press("for build", "Enter", "draft", "Ctrl-P", "words ")
	s.want("> words for the lobby")
	s.press("Ctrl-N")
	s.want("> draft")
	s.carry(errors.New("no"))
	s.press("Ctrl-C", "Up", "Up")
	s.want("> for build")
	s.press("Ctrl-P", "Ctrl-C", "Up")
	s.want("> words for the lobby")
}

func TestRecall(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("one", "Enter", "two", "Enter", "two", "Enter", "Up")
	steps := []struct{ key, want string }{{"", "two"}, {"Up", "one"}, {"Up", "one"}, {"Down", "two"}, {"Down", ""}, {"Down", ""}, {"Up", "two"}, {"!", "two!"}, {"Up", "two!"}}
	for _, step := range steps {
		if step.key != "" {
			s.press(step.key)
		}
		if got := s.input.GetText(); got != step.want {
			t.Errorf("%s: %q, want %q", step.key, got, step.want)
		}
	}
}

// What Ctrl-C throws away the arrow up brings back; what it had brought back already stays where it was.
func TestDiscarded(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("one", "Enter", "two", "Enter")
	mine := s.say(time.Second, "alice", "two")
	again := "/edit " + hex.EncodeToString(mine[:4]) + " two"
	for _, step := range []struct{ keys, want string }{
		{"Up", again}, {"Ctrl-C Up Up", "one"}, {"Ctrl-C Up", again}, {"Ctrl-C a Ctrl-J draft Ctrl-C", ""}, {"Up", "a\ndraft"}, {"Up", "two"}, {"Down", "a\ndraft"}, {"! Ctrl-C Up", "a\ndraft!"}, {"Up", "a\ndraft"},
	} {
		s.time = s.time.Add(time.Minute) // not twice
		for _, k := range strings.Fields(step.keys) {
			s.press(k)
			s.time = s.time.Add(time.Minute)
		}
		if got := s.input.GetText(); got != step.want || s.quit {
			t.Fatalf("%s: %q, want %q", step.keys, got, step.want)
		}
	}
}

func TestEdit(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("one two", "Ctrl-W", "three", "Ctrl-A", "> ", "Ctrl-J", "Ctrl-Z")
	if got := s.input.GetText(); got != "one three" {
		t.Errorf("%q", got)
	}
	s.press("\u202e\u009b")
	if got := s.input.GetText(); got != "one three" {
		t.Errorf("%q", got)
	}
	s.press("Ctrl-C", "one", "Ctrl-J", "two", "Alt-Enter", "three")
	s.want("> one")
	s.want("   two")
	s.want("   three")
	s.press("Ctrl-C")
	if s.input.GetText() != "" || s.quit {
		t.Error("Ctrl-C empties the input")
	}
	s.press(strings.Repeat("x", message.MaxText*3/4))
	s.want("3072/4096")
	s.press(strings.Repeat("x", message.MaxText/4+1), "Enter")
	s.want("4097/4096")
	s.want("! this has 4097 bytes and a message at most")
	if len(s.outbox) > 0 {
		t.Error("what is too long is not sent")
	}
}

func TestRooms(t *testing.T) {
	f := lobby()
	s := newStage(t, 120, 40, f, Config{})
	elsewhere := func(text string) {
		s.said(time.Second, node.Message{Room: "#build", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: text}, false)
		s.draw()
	}
	elsewhere("red")
	elsewhere("red, alice")
	s.want("#build", "»2")
	s.press("Alt-a")
	s.want("▸#build")
	s.want("» red, alice")
	s.want("─ new messages ─")
	s.wantNot("»2")
	s.press("Esc")
	s.wantNot("new messages")
	s.press("Ctrl-N")
	s.want("▸#lobby")
	s.press("Alt-2")
	s.want("▸#build")
	s.press("Ctrl-P")
	s.want("▸#lobby")

	s.press("/join #tea", "Enter")
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#tea", Joined: true})
	s.carry(nil)
	s.want("▸#tea")
	s.press("/leave", "Enter")
	f.snapshot.Rooms = f.snapshot.Rooms[:2]
	s.carry(nil)
	s.want("▸#lobby")
	s.wantNot("#tea")
	s.press("F5")
	s.wantNot("ROOMS")
	s.resize(80, 24)
	elsewhere("green")
	s.want("▲ 1 unread in #build")
	s.press("F5", "Down", "Enter")
	s.want("#build ·")
	s.press("F4")
	s.wantNot("PEERS")
	s.resize(40, 15)
	s.press("F4", "Down", "Enter")
	if len(s.outbox) != 1 || s.outbox[0].command != (node.Join{Room: "@bob"}) {
		t.Errorf("sent %v", s.outbox)
	}
}

// What is unread in several rooms is not said to be in one.
func TestUnreadElsewhere(t *testing.T) {
	f := lobby()
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#tea", Joined: true})
	s := newStage(t, 80, 24, f, Config{})
	for _, room := range []string{"#build", "#tea"} {
		s.said(time.Second, node.Message{Room: room, Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "hello"}, false)
	}
	s.draw()
	s.want("▲ 2 unread in #build and elsewhere")
	s.press("F6")
	s.want("▲ 1 unread in #tea")
	s.wantNot("elsewhere")
}

// What was said below what one looked at is still unread when one has gone elsewhere.
func TestUnreadBelow(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	for i := range 60 {
		s.say(time.Minute, "bob", fmt.Sprint("line ", i))
	}
	s.press("PgUp")
	s.say(time.Minute, "bob", "news")
	s.say(time.Minute, "bob", "more news")
	s.press("Ctrl-N")
	s.want("▲ 2 unread in #lobby")
	s.say(time.Minute, "bob", "and more")
	s.draw()
	s.want("▲ 3 unread in #lobby")
	s.press("F6")
	s.wantNot("unread")
	s.want("↓ 3 new (End)")
	s.press("End")
	s.want("─ new messages ─")
	s.press("Ctrl-N")
	s.wantNot("unread")
	s.press("F6", "Ctrl-P")
	s.wantNot("new messages")
}

// carry ends the oldest command with err, as the worker does.
func (s *stage) carry(err error) {
	s.t.Helper()
	if len(s.outbox) == 0 {
		s.t.Fatal("there is no command")
	}
	j := s.outbox[0]
	s.outbox = s.outbox[1:]
	j.after(err)
	s.draw()
}

func TestUnread(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.say(0, "bob", "seen")
	s.draw()
	s.wantNot("new messages")
	s.handle(tcell.NewEventFocus(false))
	s.say(0, "bob", "unseen")
	s.handle(tcell.NewEventFocus(true))
	s.draw()
	s.want("─ new messages ─")
	s.press("ok", "Enter")
	s.wantNot("new messages")
	s.carry(errors.New("no"))
	s.want("! no")
	if got := s.input.GetText(); got != "ok" {
		t.Errorf("the line is not given back: %q", got)
	}

	// What the others have said before is not news; what arrives late is told of.
	s.said(-time.Hour, node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "old"}, true)
	s.draw()
	s.wantNot("earlier")
	s.apply(node.CaughtUp{})
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "late"}, true)
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "later"}, true)
	s.draw()
	s.want("· 2 earlier messages arrived")
}

// An emptied screen does not say that nothing was said.
func TestClear(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.want("Nothing was said here yet")
	s.press("/who", "Enter", "/clear", "Enter")
	s.want("Nothing was said here yet")
	s.say(time.Second, "bob", "hello")
	for range 2 {
		s.press("/clear", "Enter")
		s.want("PgUp brings it back")
		s.wantNot("Nothing was said")
	}
	s.press("Ctrl-N")
	s.want("Nothing was said here yet")
}

// Commands mean the same message after /clear as before.
func TestMeantAfterClear(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	bobs := s.say(0, "bob", "hello, see https://example.org")
	mine := s.say(time.Second, "alice", "teh end")
	s.press("/clear", "Enter", "/reply hi", "Enter", "/edit the end", "Enter", "/delete", "Enter", "/copy", "Enter")
	var sent []node.Command
	for _, j := range s.outbox {
		sent = append(sent, j.command)
	}
	want := []node.Command{node.Reply{To: message.Ref{Seq: 1, ID: bobs}, Text: "hi"}, node.Edit{Target: message.Ref{Seq: 2, ID: mine}, Text: "the end"}, node.Redact{Target: message.Ref{Seq: 2, ID: mine}}}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	s.wantNot("there is no message")
}

func TestCommands(t *testing.T) {
	f := lobby()
	s := newStage(t, 80, 24, f, Config{})
	for in, want := range map[string]string{
		"/who":      "bob    the hub, 0.4 ms",
		"/hub":      "bob is the hub (term 3)",
		"/rooms":    "#build  joined",
		"/help me":  "/me TEXT: say what you do",
		"/version":  "earshot test",
		"/msg bob ": "! say what to bob?",
		"/send x":   "! /send is not in this version",
		"/jion #x":  "did you mean /join?",
		"/help":     "─ help ─",
	} {
		s.press("/clear", "Enter", in, "Enter")
		s.want(want)
		if f.done != nil || len(s.outbox) > 0 {
			t.Errorf("%s: was sent", in)
		}
		s.press("Esc", "Ctrl-C")
	}
	s.press("//etc", "Enter", "/me waves", "Enter", "/away", "Enter", "/nick zoe", "Enter")
	s.want("⧗ /etc")
	s.want("⧗ alice waves")
	var sent []node.Command
	for _, j := range s.outbox {
		sent = append(sent, j.command)
	}
	want := []node.Command{node.Say{Room: "#lobby", Text: "/etc"}, node.Say{Room: "#lobby", Text: "waves", Action: true}, node.SetAway{Away: true}, node.Rename{Nick: "zoe"}}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	for range 4 {
		s.carry(nil)
	}
	s.want("· you are away; /back when you return")
	s.apply(node.Renamed{ID: id("alice"), Old: "alice", New: "zoe"})
	s.draw()
	s.want("· you are now zoe")
}

func TestReadline(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("one two", "Ctrl-W", "2")
	s.want("> one 2")
	s.press("Ctrl-A", "x ", "Ctrl-J", "second line")
	s.press("Ctrl-U", "y")
	if got := s.input.GetText(); got != "x \nyone 2" {
		t.Errorf("%q", got)
	}
	s.press("Ctrl-Z")
	if got := s.input.GetText(); got != "x \nsecond lineone 2" {
		t.Errorf("Ctrl-Z does not undo: %q", got)
	}
}

// The help is read to its last line, whatever the size; where there is more, it says so.
func TestHelp(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 15}, {24, 6}, {120, 80}} {
		s := newStage(t, size[0], size[1], lobby(), Config{})
		s.press("F1")
		s.want("KEYS")
		if size[1] < 80 {
			s.want("↓ more")
		}
		s.press("End")
		s.wantNot("↓ more")
		if size[0] >= 80 {
			s.want("✗  it cannot be delivered: /resend")
			s.want("✓  beside a nick: you have verified")
			s.want("names you")
		}
		s.press("g", "j", "k")
		s.want("KEYS")
		for range 300 {
			s.handle(named["PgDn"])
		}
		s.draw()
		s.wantNot("↓ more")
	}
}

// What the README says of keys is the table.
func TestReadme(t *testing.T) {
	const readme, begin, end = "../README.md", "| key | |\n|---|---|\n", "\n"
	var table strings.Builder
	for _, b := range bindings() {
		if b.keys != "" {
			fmt.Fprintf(&table, "| %s | %s |\n", b.keys, b.help)
		}
	}
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	old, after, ends := strings.Cut(rest, "|\n"+end)
	if !ok || !ends {
		t.Fatal("there is no table of keys")
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old+"|\n" != table.String() {
		t.Error("the README's keys are not those of the program: go test ./ui -run TestReadme -update")
	}
}

// The table names each key once, and chord knows them all.
func TestBindings(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range bindings() {
		for _, c := range b.chords {
			if seen[c] {
				t.Errorf("%s is bound twice", c)
			}
			seen[c] = true
		}
		if len(b.help) > 52 || cell.Width(b.keys) > 21 {
			t.Errorf("%s: %s: it does not fit the help at 80 columns", b.keys, b.help)
		}
		if (b.keys == "") != (b.help == "") {
			t.Errorf("%v: keys %q, help %q", b.chords, b.keys, b.help)
		}
	}
	for name, ev := range map[string]*tcell.EventKey{
		"Alt-Enter": tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModAlt), "Shift-Enter": tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModShift),
		"Alt-Up": tcell.NewEventKey(tcell.KeyUp, 0, tcell.ModAlt), "Shift-Up": tcell.NewEventKey(tcell.KeyUp, 0, tcell.ModShift),
		"Alt-A": tcell.NewEventKey(tcell.KeyRune, 'a', tcell.ModAlt), "Ctrl-J": tcell.NewEventKey(tcell.KeyLF, 0, 0),
		"Ctrl-L": tcell.NewEventKey(tcell.KeyRune, 'l', tcell.ModCtrl), "Alt-9": tcell.NewEventKey(tcell.KeyRune, '9', tcell.ModAlt),
	} {
		if got := chord(ev); got != name || !seen[name] {
			t.Errorf("%s is called %q", name, got)
		}
	}
}
