package ui

import (
	"testing"

	"earshot/node"
)

func TestComplete(t *testing.T) {
	f := lobby()
	f.snapshot.People = append(f.snapshot.People, person("carla"))
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "@erin", Kind: node.DirectRoom, With: node.Named{Nick: "erin", ID: id("erin")}})
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"/wh", "Tab"}, "/who "},
		{[]string{"/", "Tab"}, "/help "},
		{[]string{"/", "Tab", "Tab"}, "/nick "},
		{[]string{"/", "Shift-Tab"}, "/quit "},
		{[]string{"/", "Tab", "Shift-Tab"}, "/quit "},
		{[]string{"/send", "Tab"}, "/send"},
		{[]string{"/ms", "Tab", "ca", "Tab", "Enter", "hi"}, "/msg carol hi"},
		{[]string{"/query ", "Tab"}, "/query bob "},
		{[]string{"/query @da", "Tab"}, "/query @dave "},
		{[]string{"/query er", "Tab"}, "/query erin "}, // who is not here, but was spoken with
		{[]string{"/room ", "Tab"}, "/room new "},
		{[]string{"/room ha", "Tab", "bo", "Tab"}, "/room hand-over bob "},
		{[]string{"/invite #bu", "Tab", "ca", "Tab", "Esc"}, "/invite #build carol "},
		{[]string{"/room new bo", "Tab"}, "/room new bob "},
		{[]string{"bo", "Tab"}, "bob: "},
		{[]string{"BO", "Tab"}, "bob: "},
		{[]string{"ca", "Tab", "Tab"}, "carla: "},
		{[]string{"ca", "Tab", "Tab", "Tab"}, "carol: "},
		{[]string{"hi ca", "Tab", "Enter", "x"}, "hi carol x"},
		{[]string{"hi @b", "Tab"}, "hi @bob "},
		{[]string{"see #bu", "Tab"}, "see #build "},
		{[]string{"ali", "Tab"}, "ali"}, // not oneself
		{[]string{"zz", "Tab"}, "zz"},
		{[]string{"Tab"}, ""},
		{[]string{"漢字 @da", "Tab"}, "漢字 @dave "},
		{[]string{"ok :+1", "Tab"}, "ok 👍 "},
		{[]string{":thumbsu", "Tab", "Esc"}, "👍 "},
		{[]string{":x", "Tab"}, ":x"},
		{[]string{"at 10:30", "Tab"}, "at 10:30"},
		{[]string{"@", "Down", "Down", "Up", "Enter", "hi"}, "@bob hi"},
		{[]string{"/w", "Esc", "h", "Down"}, "/wh"},
	} {
		s := newStage(t, 80, 24, f, Config{})
		s.press(c.keys...)
		if got := s.input.GetText(); got != c.want {
			t.Errorf("%q: %q, want %q", c.keys, got, c.want)
		}
	}
}

// What is offered while one types takes no key away from what is typed: Enter sends.
func TestSuggest(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("/w")
	s.want("/who", "list who is here")
	s.press("Esc")
	s.wantNot("list who is here")
	s.press("h")
	s.wantNot("list who is here")
	s.press("Ctrl-C", "hi @bo")
	s.want("@bob", "the hub, 0.4 ms")
	s.press("Enter")
	s.want("⧗ hi @bo")
	s.press("a/b a@b a#b 1:00 :")
	s.wantNot("Tab takes one")
	s.press(" :smil")
	s.want("😄", ":smile:")
	s.wantNot("🏽")
}
