package ui

import (
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
)

// sent takes what waits for the node.
func (s *stage) sent() (commands []node.Command) {
	for _, j := range s.aside {
		commands = append(commands, j.command)
		j.after(nil)
	}
	s.aside = nil
	return commands
}

// Who presses nothing for ten minutes is away, and back with the next key; who said so themselves stays away.
func TestIdle(t *testing.T) {
	f := lobby()
	s := newStage(t, 80, 24, f, Config{})
	s.press("x")
	s.sent()
	s.time = s.time.Add(command.IdleAfter - time.Second)
	s.idle()
	if got := s.sent(); len(got) > 0 {
		t.Errorf("too early: %v", got)
	}
	if d := s.nextChange(); d > time.Second+time.Millisecond {
		t.Errorf("looks again in %v", d)
	}
	s.time = s.time.Add(time.Second)
	s.idle()
	s.idle()
	if got := s.sent(); !slices.Equal(got, []node.Command{node.SetAway{Away: true}}) {
		t.Errorf("away: %v", got)
	}
	s.press("Left")
	s.press("Down")
	if got := s.sent(); len(got) == 0 || got[0] != (node.SetAway{}) || slices.Contains(got[1:], node.Command(node.SetAway{})) {
		t.Errorf("back: %v", got)
	}
	f.snapshot.Me.Away = true
	s.refresh()
	s.time = s.time.Add(time.Hour)
	s.idle()
	s.press("Down")
	if got := s.sent(); len(got) > 0 {
		t.Errorf("away by their own word: %v", got)
	}
}

// What is typed is told now and then; a command is not, and nothing where the user does not like it.
func TestTypingIsTold(t *testing.T) {
	f := lobby()
	s := newStage(t, 80, 24, f, Config{})
	s.press("hello there")
	if got := s.sent(); !slices.Equal(got, []node.Command{node.Typing{Room: "#lobby"}}) {
		t.Errorf("told %v", got)
	}
	s.time = s.time.Add(typedEvery)
	s.press("Down", "Ctrl-C", "/join x")
	if got := s.sent(); len(got) > 0 {
		t.Errorf("a command: %v", got)
	}
	s.press("Ctrl-C", "//etc")
	if got := s.sent(); len(got) != 1 {
		t.Errorf("text with a slash: %v", got)
	}
	f.snapshot.Silent = true
	s.refresh()
	s.time = s.time.Add(typedEvery)
	s.press("more")
	if got := s.sent(); len(got) > 0 {
		t.Errorf("silent: %v", got)
	}
}

func TestTypistsAreShown(t *testing.T) {
	f := lobby()
	f.snapshot.Typing = []node.Typist{{Room: "#lobby", ID: id("bob"), Nick: "bob"}, {Room: "#build", ID: id("carol"), Nick: "carol"}}
	for _, w := range []int{80, 40} {
		s := newStage(t, w, 20, f, Config{})
		s.want("bob is typing")
		if s.has("carol is typing") {
			t.Error("of another room")
		}
	}
	f.snapshot.Typing = append(f.snapshot.Typing, node.Typist{Room: "#lobby", ID: id("dave"), Nick: "d\x1b[31mave"})
	newStage(t, 80, 20, f, Config{}).want("bob and d[31mave are typing")
}

// How far the hub is is told also where it is a box, or away; of others who are away that is enough.
func TestLatencyIsShown(t *testing.T) {
	f := lobby()
	s := newStage(t, 80, 24, f, Config{})
	hub, carol := &f.snapshot.People[1], &f.snapshot.People[2]
	for _, c := range []struct {
		nick         string
		server, away bool
		want         string
	}{{"bob", false, false, "♛ bob            0.4 ms"}, {"attic", true, false, "♛ attic   server 0.4 ms"}, {"bob", false, true, "♛ bob       away 0.4 ms"}, {"conference-room", true, false, "♛ conference-ro… 0.4 ms"}} {
		hub.Nick, hub.Server, hub.Away = c.nick, c.server, c.away
		s.refresh()
		s.draw()
		s.want(c.want)
	}
	carol.Away = true
	s.refresh()
	s.draw()
	s.want("◐ carol            away")
}

// A muted room counts nothing and rings no bell, and the list of rooms says why.
func TestMuted(t *testing.T) {
	f := lobby()
	f.snapshot.Rooms[1].Muted = true
	s := newStage(t, 80, 24, f, Config{})
	s.apply(node.CaughtUp{})
	s.apply(node.Said{Message: node.Message{Room: "#build", ID: message.ID{1}, Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "red again, alice", At: s.time}, Unread: true})
	if news, _, named := s.others(); news > 0 || named {
		t.Errorf("%d unread, named %v", news, named)
	}
	if !s.notified.IsZero() {
		t.Error("the bell rang")
	}
	s.resize(120, 40)
	s.want("#build", "muted")
}
