package ui

import (
	"testing"

	"earshot/node"
)

// The palette goes to rooms, people and commands by a few letters, and says nothing by itself.
func TestPalette(t *testing.T) {
	f := lobby()
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#tea"})
	for _, c := range []struct {
		keys []string
		see  string // on the screen
		text string // in the input
	}{
		{[]string{"bld", "Enter"}, "#build ·", ""},
		{[]string{"who", "Enter"}, "4 here in lobby:", ""},
		{[]string{"nick", "Enter"}, "#lobby ·", "/nick "},
		{[]string{"Down", "Enter"}, "#build ·", ""},
		{[]string{"bu", "Down", "Up", "Enter"}, "#build ·", ""},
		{[]string{"zzz"}, "nothing is called like that", ""},
		{[]string{"zzz", "Enter"}, "#lobby ·", ""},
		{[]string{"j k", "Esc"}, "#lobby ·", ""},
		{[]string{"F1"}, "─ help ─", ""},
	} {
		s := newStage(t, 80, 24, f, Config{})
		s.press("F2")
		s.want("─ go to ─")
		s.press(c.keys...)
		s.want(c.see)
		if got := s.input.GetText(); got != c.text {
			t.Errorf("%q: %q is typed, want %q", c.keys, got, c.text)
		}
		if len(s.outbox) > 0 {
			t.Errorf("%q: something was sent", c.keys)
		}
	}
	for letters, room := range map[string]string{"tea": "#tea", "crl": "@carol", "CRL": "@carol"} {
		s := newStage(t, 80, 24, f, Config{})
		s.press("hello", "Ctrl-K", letters, "Enter")
		if len(s.outbox) != 1 || s.outbox[0].command != (node.Join{Room: room}) {
			t.Errorf("sent %v", s.outbox)
		}
		if got := s.input.GetText(); got != "hello" {
			t.Errorf("what was being typed is now %q", got)
		}
	}
}
