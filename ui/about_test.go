package ui

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// What becomes of messages is seen where they stand.
func TestChangedMessages(t *testing.T) {
	f := lobby()
	f.snapshot.Rooms[0].Topic = node.Topic{Text: "release of the 21st", Nick: "bob"}
	s := newStage(t, 80, 24, f, Config{})
	m := node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "when do we relase?"}
	m.ID = s.said(time.Minute, m, false)
	answer := node.Message{Room: "#lobby", Kind: message.Reply, Nick: "carol", Author: id("carol"), Text: "on the 21st", Quote: node.Quote{ID: m.ID, Nick: "bob", Text: m.Text}}
	s.said(time.Minute, answer, false)
	wrong := node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "my password is swordfish"}
	wrong.ID = s.said(time.Minute, wrong, false)
	m.Text, m.Edited = "when do we release?", true
	s.apply(node.Edited{Message: m})
	m.Reactions = []node.Reaction{{Emoji: "👍", Count: 2, Mine: true}, {Emoji: "❤️", Count: 1}}
	s.apply(node.Reacted{Message: m, Emoji: "👍", By: "alice", ByID: id("alice"), On: true})
	wrong.Text, wrong.Redacted = "", true
	s.apply(node.Redacted{Message: wrong})
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Topic, Nick: "bob", Author: id("bob"), Text: "release of the 21st"}, false)
	s.draw()
	s.golden("changed-80x24")
	if s.has("swordfish") {
		t.Error("what was deleted is on the screen")
	}
	// What cannot be known again as a message of this room is no harm.
	s.apply(node.Edited{Message: node.Message{Room: "#lobby", ID: message.ID{9}, Text: "x"}})
	s.draw()
}

// The arrow up brings the last own message back to be changed, and commands about messages know what is on the screen.
func TestEditLast(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("moring", "Enter")
	m := node.Message{Room: "#lobby", Kind: message.Text, Nick: "alice", Author: id("alice"), Text: "moring"}
	m.ID = s.said(time.Second, m, false)
	bob := s.say(time.Second, "bob", "what?")
	s.draw()
	edit := "/edit " + hex.EncodeToString(m.ID[:4]) + " moring"
	s.press("Up")
	if got := s.input.GetText(); got != edit {
		t.Errorf("the arrow up brings %q", got)
	}
	s.press("Up")
	if got := s.input.GetText(); got != edit {
		t.Errorf("once more, %q", got)
	}
	s.press("Down", "Up", "Ctrl-C", "/react 👍", "Enter", "/reply hi", "Enter", "/edit morning", "Enter", "/delete", "Enter")
	var got []node.Command
	for _, j := range s.outbox {
		got = append(got, j.command)
	}
	own := func(c node.Command) bool {
		switch c := c.(type) {
		case node.Edit:
			return c.Target.ID == m.ID && c.Text == "morning"
		case node.Redact:
			return c.Target.ID == m.ID
		case node.React:
			return c.Target.ID == bob && c.Emoji == "👍"
		case node.Reply:
			return c.To.ID == bob && c.Text == "hi"
		}
		return false
	}
	if n := len(got); n != 5 || slices.ContainsFunc(got[1:], func(c node.Command) bool { return !own(c) }) {
		t.Errorf("%d commands: %+v", n, got)
	}
	s.press("Up")
	if got := s.input.GetText(); !strings.HasPrefix(got, "/delete") {
		t.Errorf("then the arrow up brings %q", got)
	}
}

// A command about the last message waits for the one that is on its way: the one before is not meant.
func TestEditOnItsWay(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	own := node.Message{Room: "#lobby", Kind: message.Text, Nick: "alice", Author: id("alice"), Text: "before"}
	s.said(time.Second, own, false)
	s.press("moring", "Enter", "/edit morning", "Enter")
	s.want("which message?")
	if n := len(s.outbox); n != 1 || s.input.GetText() != "/edit morning" {
		t.Errorf("%d commands, %q is left", n, s.input.GetText())
	}
	own.Text = "moring"
	own.ID = s.said(time.Second, own, false)
	s.press("Enter")
	if e, ok := s.outbox[len(s.outbox)-1].command.(node.Edit); !ok || e.Target.ID != own.ID {
		t.Errorf("then %+v", s.outbox[len(s.outbox)-1].command)
	}
}

// What the arrow up brings changes the last message whatever that begins with, and is known again however it was typed.
func TestEditLastAsTyped(t *testing.T) {
	for typed, text := range map[string]string{
		"2 people come": "2 people come", "last call": "last call", "hello @bob ": "hello @bob", "well done :tada:": "well done 🎉", "//etc": "/etc", "a\tb": "a\tb",
	} {
		s := newStage(t, 80, 24, lobby(), Config{})
		own := node.Message{Room: "#lobby", Kind: message.Text, Nick: "alice", Author: id("alice"), Text: "before"}
		s.said(time.Second, own, false)
		s.input.set(typed)
		s.press("Enter")
		if say := s.outbox[0].command; say != (node.Say{Room: "#lobby", Text: text}) {
			t.Errorf("%q says %v", typed, say)
		}
		own.Text = text
		own.ID = s.said(time.Second, own, false)
		s.press("Up", "!", "Enter")
		if e, ok := s.outbox[len(s.outbox)-1].command.(node.Edit); !ok || e.Target.ID != own.ID || e.Text != text+"!" {
			t.Errorf("after %q the arrow up leads to %+v", typed, s.outbox[len(s.outbox)-1].command)
		}
	}
}
