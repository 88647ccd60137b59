package ui

import (
	"testing"
)

func TestComplete(t *testing.T) {
	f := lobby()
	f.snapshot.People = append(f.snapshot.People, person("carla"))
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"/wh", "Tab"}, "/who "},
		{[]string{"/", "Tab"}, "/help "},
		{[]string{"/", "Tab", "Tab"}, "/nick "},
		{[]string{"/", "Shift-Tab"}, "/quit "},
		{[]string{"/", "Tab", "Shift-Tab"}, "/quit "},
		{[]string{"/msg", "Tab"}, "/msg"},
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
