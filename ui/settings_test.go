package ui

import (
	"errors"
	"slices"
	"testing"

	"earshot/node"
	"earshot/ui/look"
)

// What is chosen is remembered for the next start; where something else decides then, that is said.
func TestPrefer(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{Fixed: []string{"notify"}})
	s.press("/theme", "Enter", "/theme Light,ascii", "Enter", "/notify mentions", "Enter", "/mouse off", "Enter", "/mouse", "Enter")
	want := []node.Command{node.Prefer{Name: "colours", Value: "light"}, node.Prefer{Name: "glyphs", Value: "ascii"}, node.Prefer{Name: "notify", Value: "mentions"}, node.Prefer{Name: "mouse", Value: "off"}}
	if got := s.sent(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s.theme.Colours != look.Light || !s.theme.ASCII || s.attention != AttendMentions || s.mouse {
		t.Errorf("%+v", s.app)
	}
	s.want("next start: then --notify")
	s.press("/mouse on", "Enter")
	s.aside[0].after(errors.New("the disk is full"))
	s.draw()
	s.want("the disk is full")
}
