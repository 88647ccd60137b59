package ui

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

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

// What cannot be done with a message is not offered, and a letter says why instead of beginning what would be refused.
func TestBrowseDeleted(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{Getenv: func(string) string { return "" }})
	s.say(time.Minute, "bob", "stays")
	was := node.Message{Room: "#lobby", Kind: message.Text, Nick: "alice", Author: id("alice"), Text: "oops", Mine: true}
	was.ID = s.said(time.Minute, was, false)
	was.Text, was.Redacted = "", true
	s.apply(node.Redacted{Message: was})
	s.press("Tab")
	s.want("▸message deleted")
	s.want("> Esc back")
	for _, letter := range []string{"y", "r", "+", "e", "d"} {
		s.flash = ""
		s.press(letter)
		s.want("that message was deleted")
	}
	s.press("Esc", "/copy", "Enter")
	if got := string(s.sim.GetClipboardData()); got != "stays" {
		t.Errorf("copied %q", got)
	}
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Topic, Nick: "alice", Author: id("alice"), Text: "rain"}, false)
	s.press("Tab")
	s.want("▸· alice set the topic: rain")
	s.want("> y copy · r reply · + react · d delete · Esc back")
	s.press("e")
	s.want("a topic is set anew")
	s.press("Esc", "/version", "Enter", "Tab", "j")
	s.want("▸· earshot test")
	s.want("> y copy · Esc back")
}
