package ui

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
)

// Among the messages letters do things with the chosen one; whatever else is typed goes into the input.
func TestBrowse(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{Getenv: func(string) string { return "" }})
	var ids []message.ID
	for i := range 40 {
		ids = append(ids, s.say(time.Minute, "bob", fmt.Sprintf("line %d https://a.test/%d", i, i)))
	}
	mine := s.say(time.Minute, "alice", "teh end")
	s.draw()
	s.press("Tab")
	s.want("▸teh end")
	s.want("y copy", "e edit", "Esc back")
	s.press("k")
	s.want("▸line 39")
	s.wantNot("e edit")
	for range 25 {
		s.press("k")
	}
	s.want("▸line 14")
	s.press("y")
	if got := string(s.sim.GetClipboardData()); got != "line 14 https://a.test/14" {
		t.Errorf("copied %q", got)
	}
	var opened []string
	s.launch = func(name string, args ...string) error { opened = append([]string{name}, args...); return nil }
	s.press("o")
	if len(opened) < 2 || opened[len(opened)-1] != "https://a.test/14" {
		t.Errorf("opened %q", opened)
	}
	s.launch = func(string, ...string) error { return errors.New("no browser") }
	s.press("o")
	if got := string(s.sim.GetClipboardData()); got != "https://a.test/14" {
		t.Errorf("where there is no browser %q is copied", got)
	}
	s.press("r")
	if got, want := s.input.GetText(), "/reply "+hex.EncodeToString(ids[14][:4])+" "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.wantNot("▸line")
	s.press("Ctrl-C", "Tab", "g")
	s.want("▸line 0 ")
	s.press("G")
	s.want("▸teh end")
	s.press("e")
	if got, want := s.input.GetText(), "/edit "+hex.EncodeToString(mine[:4])+" teh end"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.press("Ctrl-C", "/version", "Enter", "Tab")
	s.want("▸teh end") // rather than the answer below it
	s.press("j")
	s.want("▸· earshot test")
	s.press("r")
	s.want("that is no message")
	s.press("Esc", "Tab", "hello")
	s.want("> hello")
	s.press("Ctrl-C", "Tab", "Esc")
	s.want("> Message #lobby")
	s.press("Tab", "?")
	s.want("─ help ─")
}

// event makes an event of the mouse.
func click(x, y int, b tcell.ButtonMask) *tcell.EventMouse { return tcell.NewEventMouse(x, y, b, 0) }

// The mouse scrolls, goes to rooms, names people, chooses messages, and picks from lists.
func TestMouse(t *testing.T) {
	s := newStage(t, 120, 40, lobby(), Config{})
	for i := range 100 {
		s.say(time.Minute, "bob", fmt.Sprint("line ", i))
	}
	s.draw()
	do := func(x, y int, b tcell.ButtonMask) {
		s.handle(click(x, y, b))
		s.handle(click(x, y, tcell.ButtonNone))
		s.draw()
	}
	at := func(words string) (x, y int) { // where they stand
		for y, row := range s.rows() {
			if i := strings.Index(row, words); i >= 0 {
				return len([]rune(row[:i])), y
			}
		}
		t.Fatalf("no %q in\n%s", words, strings.Join(s.rows(), "\n"))
		return 0, 0
	}
	do(40, 10, tcell.WheelUp)
	do(40, 10, tcell.WheelUp)
	s.want("↓ End")
	s.wantNot("line 99")
	s.say(time.Minute, "bob", "newest")
	s.draw()
	x, y := at("1 new (End)")
	do(x, y, tcell.Button1)
	s.want("newest")
	x, y = at("#build")
	do(x, y, tcell.Button1)
	s.want("▸#build")
	x, y = at("carol")
	do(x, y, tcell.Button1)
	s.want("> @carol ")
	x, y = at("#lobby")
	do(x, y, tcell.Button1)
	x, y = at("line 97")
	do(x+2, y, tcell.Button1)
	s.want("▸line 97")
	do(40, 10, tcell.WheelDown)
	x, y = at("F1 help")
	do(x, y, tcell.Button1)
	s.want("─ help ─")
	do(40, 10, tcell.WheelDown)
	do(40, 10, tcell.Button1)
	s.wantNot("─ help ─")
	s.press("Ctrl-K", "who")
	x, y = at("/who ")
	do(x, y, tcell.Button1)
	s.want("4 here in lobby:")
	s.press("Ctrl-K")
	do(0, 0, tcell.Button1)
	s.wantNot("─ go to ─")
	s.resize(20, 5)
	do(3, 3, tcell.Button1)
	do(3, 3, tcell.WheelUp)
}

// The bell rings for what the user would miss, and at most once in five seconds.
func TestNotify(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	beeps := 0
	s.screen = beeping{s.sim, &beeps}
	said := func(after time.Duration, room, text string) {
		s.said(after, node.Message{Room: room, Kind: message.Text, Nick: "bob", Author: id("bob"), Text: text}, false)
	}
	want := func(n int, why string) {
		t.Helper()
		if beeps != n {
			t.Errorf("%s: %d times, want %d", why, beeps, n)
		}
		beeps = 0
	}
	said(time.Minute, "#lobby", "hello @alice")
	want(0, "what is seen")
	said(time.Minute, "#build", "red")
	want(0, "another room, with the focus")
	said(time.Minute, "#build", "red, alice!")
	want(1, "named in another room")
	said(time.Second, "#build", "alice?")
	want(0, "a second later")
	said(time.Minute, "@bob", "psst")
	want(1, "said to the user alone")
	s.handle(tcell.NewEventFocus(false))
	said(time.Minute, "#lobby", "anyone?")
	want(1, "without the focus")
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "old, alice"}, true)
	want(0, "history")
	s.say(time.Minute, "alice", "hm, alice")
	want(0, "one's own")
	s.press("/notify mentions", "Enter")
	said(time.Minute, "#lobby", "anyone?")
	want(0, "/notify mentions: nobody named")
	said(time.Minute, "#lobby", "alice?")
	want(1, "/notify mentions: named")
	s.press("/notify off", "Enter")
	said(time.Minute, "#lobby", "alice?")
	want(0, "/notify off")
	s.press("/notify loud", "Enter")
	s.want(`"loud" is none of all, mentions, off`)
}

type beeping struct {
	tcell.SimulationScreen
	n *int
}

func (b beeping) Beep() error { *b.n++; return nil }

// The window's title names the room and counts what is unread elsewhere.
func TestTitle(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	var titles []string
	for range 3 {
		s.draw()
		titles = append(titles, s.title)
		s.said(time.Second, node.Message{Room: "#build", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "red"}, false)
	}
	s.press("Ctrl-N")
	if want := []string{"#lobby - earshot", "(1) #lobby - earshot", "(2) #lobby - earshot"}; !slices.Equal(titles, want) || s.title != "#build - earshot" {
		t.Errorf("%q, then %q", titles, s.title)
	}
}
