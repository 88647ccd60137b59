package ui

import (
	"slices"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
)

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
