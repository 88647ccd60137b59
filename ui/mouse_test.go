package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
)

// click makes an event of the mouse.
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
	x, y = at("#build")
	do(x, y, tcell.Button1)
	s.wantNot("Esc back") // among the messages no longer
	s.want("> @carol ")
	x, y = at("#lobby")
	do(x, y, tcell.Button1)
	s.wantNot("▸line 97")
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
	s.wantNot("hold Shift")
	s.handle(click(30, 10, tcell.Button1))
	s.handle(click(40, 10, tcell.ButtonNone))
	s.draw()
	s.want("hold Shift to select text")
	s.resize(20, 5)
	do(3, 3, tcell.Button1)
	do(3, 3, tcell.WheelUp)
}

// Where there is no room for all rooms or people, the last row stands for the others: it tells of news there, and leads to all.
func TestMore(t *testing.T) {
	f := lobby()
	for i := range 60 {
		f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: fmt.Sprint("#room", i), Joined: true})
		f.snapshot.People = append(f.snapshot.People, person(fmt.Sprint("person", i)))
	}
	s := newStage(t, 120, 40, f, Config{})
	at := func(words string) (x, y int) {
		t.Helper()
		for y, row := range s.rows() {
			if i := strings.Index(row, words); i >= 0 {
				return len([]rune(row[:i])), y
			}
		}
		t.Fatalf("no %q in\n%s", words, strings.Join(s.rows(), "\n"))
		return 0, 0
	}
	do := func(words string) {
		t.Helper()
		x, y := at(words)
		s.handle(click(x, y, tcell.Button1))
		s.handle(click(x, y, tcell.ButtonNone))
		s.draw()
	}
	s.wantNot("▲ … and")
	s.said(time.Minute, node.Message{Room: "#room50", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "hi"}, false)
	s.draw()
	s.want("▲ … and 27 more")
	do("and 27 more")
	s.want("─ rooms ─")
	s.press("Esc")
	do("(/who)")
	s.want("─ peers ─")
	if got := s.input.GetText(); got != "" {
		t.Errorf("%q is typed", got)
	}
	s.press("Esc")
	do("person10")
	s.want("> @person10 ")
}
