package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/look"
	"earshot/ui/transcript"
)

// talking is a network with a private room, an invitation to another, and conversations with carol, who is here, and erin, who is not.
func talking() *fake {
	f := lobby()
	named := func(nick string) node.Named { return node.Named{Nick: nick, ID: id(nick)} }
	f.snapshot.Rooms = append(f.snapshot.Rooms,
		node.Room{Name: "#plans", ID: message.RoomID{1}, Kind: node.PrivateRoom, Joined: true, Owner: named("alice"), Members: 3},
		node.Room{Name: "#party", ID: message.RoomID{2}, Kind: node.PrivateRoom, By: named("dave"), Owner: named("dave"), Members: 2},
		node.Room{Name: "@carol", ID: message.RoomID{3}, Kind: node.DirectRoom, Joined: true, With: named("carol")},
		node.Room{Name: "@erin", ID: message.RoomID{4}, Kind: node.DirectRoom, Joined: true, With: named("erin")})
	f.members = map[string][]node.Member{"#plans": {
		{Named: named("alice"), Owner: true, Me: true, Here: true}, {Named: named("bob"), Here: true}, {Named: named("erin"), Moderator: true},
	}}
	return f
}

// sealed is a message in a room that is not public.
func (s *stage) sealed(after time.Duration, room byte, name, who, text string) message.ID {
	return s.said(after, node.Message{Room: name, RoomID: message.RoomID{room}, Sealed: true, Kind: message.Text, Nick: who, Author: id(who), Text: text}, false)
}

// conversation plays what is said between alice and carol, and shows it.
func conversation(s *stage) {
	s.fake.snapshot.People[2].Verified = true
	s.time = start.Add(-time.Hour)
	s.said(0, node.Message{Room: "@carol", RoomID: message.RoomID{3}, Kind: message.Text, Nick: "alice", Author: id("alice"), Text: "good morning", Read: true}, true)
	s.time = start
	s.apply(s.fake.snapshot.Hub)
	s.apply(node.CaughtUp{})
	s.sealed(time.Minute, 3, "@carol", "carol", "do you have a minute?")
	s.draw()
	s.press("F6")
	mine := []message.ID{s.sealed(time.Minute, 3, "@carol", "alice", "sure"), s.sealed(time.Second, 3, "@carol", "alice", "what is it?"), s.sealed(time.Minute, 3, "@carol", "alice", "hello?")}
	for _, m := range mine {
		s.apply(node.Delivered{ID: m, Copies: 3})
	}
	s.apply(node.Read{Room: "@carol", By: node.Named{Nick: "carol", ID: id("carol")}, ID: mine[1], Up: node.Key{HLC: uint64(s.time.Add(-time.Minute).UnixMilli()) << 16, Seq: s.seq - 1}})
	s.sealed(time.Second, 4, "@erin", "erin", "back at ten")
}

// plans plays what happens in a private room, and shows it.
func plans(s *stage) {
	s.apply(s.fake.snapshot.Hub)
	s.apply(node.CaughtUp{})
	s.apply(node.Invited{Room: "#party", By: node.Named{Nick: "dave", ID: id("dave")}})
	s.press("/join #plans", "Enter")
	s.carry(nil)
	s.time = s.time.Add(time.Minute)
	s.apply(node.Members{Room: "#plans", Added: []node.Named{{Nick: "bob", ID: id("bob")}, {Nick: "erin", ID: id("erin")}}})
	s.apply(node.Answered{Room: "#plans", By: node.Named{Nick: "bob", ID: id("bob")}, Yes: true})
	s.apply(node.Delivered{ID: s.sealed(time.Minute, 1, "#plans", "alice", "nobody else reads this"), Copies: 2})
	s.sealed(time.Minute, 1, "#plans", "bob", "not even the hub")
	s.apply(node.Answered{Room: "#plans", By: node.Named{Nick: "erin", ID: id("erin")}})
	s.apply(node.Members{Room: "#plans", Taken: []node.Named{{Nick: "erin", ID: id("erin")}}})
}

func TestGoldenTalk(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 15}} {
		at := fmt.Sprintf("-%dx%d", size[0], size[1])
		for name, theme := range map[string]look.Theme{"": {}, "-mono": {Colours: look.Mono}, "-ascii": {ASCII: true}} {
			if name != "" && size[0] == 120 {
				continue
			}
			s := newStage(t, size[0], size[1], talking(), Config{Theme: theme})
			conversation(s)
			s.golden("conversation" + name + at)
			s = newStage(t, size[0], size[1], talking(), Config{Theme: theme})
			plans(s)
			s.golden("private" + name + at)
			s.press("F5")
			s.golden("private-rooms" + name + at)
		}
		s := newStage(t, size[0], size[1], talking(), Config{})
		s.press("Alt-2", "/room members #plans", "Enter")
		s.golden("members" + at)
		s.press("Esc", "F6")
		s.golden("invitation" + at)
	}
}

// asked returns what the node was asked, but for what travels by itself.
func (s *stage) asked() (list []node.Command) {
	for _, j := range append(slices.Clone(s.outbox), s.aside...) {
		list = append(list, j.command)
	}
	return list
}

// What is said to one person is shown in the conversation at once, without going there; it is given back where it could not be said.
func TestMsg(t *testing.T) {
	s := newStage(t, 80, 24, talking(), Config{})
	s.press("/msg carol psst", "Enter")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Say{Room: "@carol", Text: "psst"}}) {
		t.Errorf("asked for %v", got)
	}
	s.want("#lobby ·")
	s.wantNot("psst")
	s.carry(nil)
	s.want("said to @carol")
	s.press("/query carol", "Enter")
	s.carry(nil)
	s.want("@carol · direct · end-to-end encrypted")
	s.want("⧗ psst")
	s.time = s.time.Add(time.Minute)
	s.press("/msg carol here", "Enter", "/msg bob there", "Enter")
	s.want("⧗ here")
	s.carry(nil)
	s.wantNot("said to @carol")
	s.carry(errors.New("bob was never here"))
	s.want("! bob was never here")
	s.want("> /msg bob there")
	s.press("Ctrl-C", "//x", "Enter")
	s.carry(errors.New("no"))
	s.want("> //x")
	s.wantNot("⧗ /x")
}

// What is typed while the way to a conversation is not open yet is meant for it: it is not said where the user still is, and goes along.
func TestTypedAhead(t *testing.T) {
	s := newStage(t, 80, 24, talking(), Config{})
	s.press("/query carol", "Enter", "psst", "Enter")
	s.want("this was not said in #lobby")
	if n := len(s.outbox); n != 1 {
		t.Errorf("%d commands", n)
	}
	s.carry(nil)
	s.want("@carol · direct · end-to-end encrypted")
	s.want("> psst")
	s.press("Enter")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Say{Room: "@carol", Text: "psst"}}) {
		t.Errorf("asked for %v", got)
	}
	s.carry(nil)
	s.press("Ctrl-P")
	s.wantNot("> psst")

	s.press("/join #nowhere", "Enter", "hello")
	s.carry(errors.New("no"))
	s.press("Enter")
	if got := s.asked(); !slices.Contains(got, node.Command(node.Say{Room: s.here().name, Text: "hello"})) {
		t.Errorf("where there was no way, asked for %v", got)
	}
}

// The other is told what was seen, and of nothing that the user does not look at.
func TestSeen(t *testing.T) {
	s := newStage(t, 80, 24, talking(), Config{})
	told := func(want ...node.Command) {
		t.Helper()
		s.draw()
		s.draw()
		if got := s.asked(); !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		s.aside = nil
	}
	up := func() node.Command {
		return node.Seen{Room: "@carol", Up: node.Key{HLC: uint64(s.time.UnixMilli()) << 16, Seq: s.seq}}
	}
	s.sealed(time.Minute, 3, "@carol", "carol", "hi")
	told()
	s.press("F6")
	s.want("@carol ·")
	told(up())
	s.sealed(time.Minute, 3, "@carol", "alice", "hello")
	told()
	s.handle(tcell.NewEventFocus(false))
	s.sealed(time.Minute, 3, "@carol", "carol", "are you there?")
	told()
	s.handle(tcell.NewEventFocus(true))
	told(up())
	s.press("F1")
	s.sealed(time.Minute, 3, "@carol", "carol", "under the help")
	told()
	s.press("Esc")
	told(up())
	for i := range 40 {
		s.sealed(time.Minute, 3, "@carol", "carol", fmt.Sprint("line ", i))
	}
	told(up())
	s.press("PgUp")
	s.sealed(time.Minute, 3, "@carol", "carol", "below")
	told()
	s.press("End")
	told(up())
	s.idled = true
	s.sealed(time.Minute, 3, "@carol", "carol", "nobody is there")
	told()
	s.idled = false
	s.press("Alt-1")
	s.aside = nil
	lobby := func() node.Command {
		return node.Seen{Room: "#lobby", Up: node.Key{HLC: uint64(s.time.UnixMilli()) << 16, Seq: s.seq}}
	}
	s.say(time.Minute, "bob", "hi all")
	told(lobby())
	s.said(-time.Hour, node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "late"}, true)
	told(lobby())
	s.time = s.time.Add(2 * time.Hour)
	for range 3 { // as long as the node has not heard of the last, it hears of the newest alone
		s.say(time.Minute, "bob", "more")
		s.draw()
	}
	told(lobby())
	s.apply(node.RealmChanged{})
	told()
}

// What is unread is counted, and the line stands above the oldest of it, whether it was on the disk or comes from the others, in whatever order; the bell does not ring again for the first. Another gathering
// has other news.
func TestBack(t *testing.T) {
	s := newStage(t, 120, 40, talking(), Config{})
	old := func(at int, room byte, name, text string, unread bool) {
		s.time = start.Add(time.Duration(at) * time.Minute)
		m := node.Message{Room: name, RoomID: message.RoomID{room}, Kind: message.Text, Nick: "erin", Author: id("erin"), Text: text}
		s.seq++
		copy(m.ID[:], fmt.Sprintf("id %013d", s.seq))
		m.At, m.Key = s.time, node.Key{HLC: uint64(s.time.UnixMilli()) << 16, Seq: s.seq}
		s.apply(node.Said{Message: m, History: true, Unread: unread})
	}
	rung := func() bool { defer func() { s.notified = time.Time{} }(); return !s.notified.IsZero() }
	s.apply(node.Ready{Nick: "alice", ID: id("alice")})
	old(-100, 4, "@erin", "seen", false)
	old(-100, 1, "#plans", "seen", false)
	old(-90, 4, "@erin", "not seen", true)
	old(-90, 1, "#plans", "not seen", true)
	old(-80, 1, "#plans", "nor this", true)
	old(-100, 5, "#lobby", "seen in the lobby", false)
	old(-90, 5, "#lobby", "not seen in the lobby", true)
	s.apply(node.HubChanged{State: node.Searching})
	if s.draw(); rung() {
		t.Error("the bell rang for what was there before")
	}
	s.want("@erin", "●1")
	s.want("#plans", "⚷ 2")
	s.apply(s.fake.snapshot.Hub)
	old(-20, 4, "@erin", "this morning", true)
	if !rung() {
		t.Error("the bell did not ring for what came meanwhile")
	}
	old(-20, 1, "#plans", "today", true)
	old(-95, 1, "#plans", "yesterday", true)
	old(-94, 1, "#plans", "later that day", true)
	old(-10, 9, "#heron", "of a room that is new here", false)
	s.apply(node.CaughtUp{})
	s.draw()
	s.want("@erin", "●2")
	s.want("#plans", "⚷ 5")
	if n := s.roomOf(message.RoomID{9}, "#heron").news; n != 0 {
		t.Errorf("%d messages that are not unread are news", n)
	}
	below := func(words string) {
		t.Helper()
		rows := s.rows()
		i := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, "─ new messages ─") })
		if i < 0 || !strings.Contains(rows[i+1]+rows[i+2], words) {
			t.Errorf("%q is not what is new first:\n%s", words, strings.Join(rows, "\n"))
		}
	}
	below("not seen in the lobby")
	s.show("#plans")
	s.draw()
	below("yesterday")
	s.show("@erin")
	s.draw()
	below("not seen")
	s.show("#lobby")
	old(-1, 4, "@erin", "and this", true)
	s.apply(node.RealmChanged{})
	s.draw()
	s.wantNot("@erin", "●1")
	old(-60, 4, "@erin", "stored elsewhere", true)
	s.apply(s.fake.snapshot.Hub)
	old(-50, 1, "#plans", "all there is", false)
	s.draw()
	s.want("@erin", "●1")
	s.wantNot("#plans", "⚷ 1")
}

// A room that is called something else keeps what is typed there, what is unread, and its place; and another may have its old name.
func TestRoomRenamed(t *testing.T) {
	f := talking()
	s := newStage(t, 120, 40, f, Config{})
	s.press("/join #plans", "Enter")
	s.carry(nil)
	s.sealed(time.Minute, 1, "#plans", "bob", "hello")
	s.press("a draft", "Alt-1")
	s.sealed(time.Minute, 1, "#plans", "bob", "unread")
	s.sealed(time.Minute, 3, "@carol", "carol", "unread too")
	s.draw()
	s.want("▸#lobby", "│")
	s.want("@carol", "●1")

	f.snapshot.Rooms[2].Name = "#plans~ABCD"
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#plans", ID: message.RoomID{9}, Kind: node.PrivateRoom, Joined: true, Members: 1})
	s.sealed(time.Minute, 9, "#plans", "bob", "another room")
	s.apply(node.RoomRenamed{ID: message.RoomID{1}, Old: "#plans", New: "#plans~ABCD"})
	f.snapshot.Rooms[4].Name, f.snapshot.Rooms[4].With.Nick = "@caro", "caro"
	s.apply(node.RoomRenamed{ID: message.RoomID{3}, Old: "@carol", New: "@caro"})
	s.sealed(time.Minute, 3, "@carol", "carol", "said before the change was told")
	s.draw()
	s.want("#plans~ABCD", "⚷ 1")
	s.want("@caro", "●2")
	s.wantNot("@carol")
	s.press("/join #plans~ABCD", "Enter")
	s.carry(nil)
	s.want("#plans~ABCD · private · 3 members")
	s.want("> a draft")
	s.want("hello")
	s.want("· #plans is called #plans~ABCD now")
	s.wantNot("another room")
	if n := len(s.rooms); n != 7 {
		t.Errorf("%d rooms", n)
	}
	f.snapshot.Rooms[2].Name = "#schemes" // what happens is told later than how things stand
	s.refresh()
	s.draw()
	s.want("#schemes · private")
	s.want("> a draft")
	s.apply(node.RoomRenamed{ID: message.RoomID{1}, Old: "#plans~ABCD", New: "#schemes"})
	s.draw()
	s.want("· #plans~ABCD is called #schemes now")
}

// An invitation is asked about where the user goes to it, is passed over on the way, and goes when it is answered.
func TestInvitation(t *testing.T) {
	f := talking()
	s := newStage(t, 80, 24, f, Config{})
	beeps := 0
	s.screen = beeping{s.sim, &beeps}
	s.apply(node.Invited{Room: "#party", By: node.Named{Nick: "dave", ID: id("dave")}})
	s.draw()
	if beeps != 1 {
		t.Errorf("the bell rang %d times", beeps)
	}
	s.want("▲ dave invites you to #party")
	s.want("· dave invites you to the private room")
	s.press("Ctrl-N", "Ctrl-N", "Ctrl-N")
	s.want("@carol ·")
	s.press("F6", "Esc")
	s.want("@carol ·")
	s.press("F5", "Up", "Enter")
	s.want("dave invites you to #party")
	s.press("Down", "Enter")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Leave{Room: "#party"}}) {
		t.Errorf("asked for %v", got)
	}
	s.outbox = nil
	s.press("F6", "Enter")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Join{Room: "#party"}}) {
		t.Errorf("asked for %v", got)
	}
	f.snapshot.Rooms[3].By, f.snapshot.Rooms[3].Joined = node.Named{}, true
	s.carry(nil)
	s.want("#party · private · 2 members")
	s.wantNot("▲")
	f.snapshot.Rooms = slices.Delete(f.snapshot.Rooms, 3, 4)
	s.refresh()
	s.draw()
	s.want("#lobby ·")

	// In the wide layout it has two rows, and a click on either asks.
	s = newStage(t, 120, 40, talking(), Config{})
	for _, y := range []int{5, 6} {
		s.handle(tcell.NewEventMouse(3, y, tcell.Button1, 0))
		s.handle(tcell.NewEventMouse(3, y, tcell.ButtonNone, 0))
		s.draw()
		s.want("dave invites you to #party", "─")
		s.press("Esc")
	}
	s.handle(tcell.NewEventMouse(3, 7, tcell.Button1, 0))
	s.draw()
	s.want("@carol · direct")
}

// Enter on a member opens the conversation; who is no member has no list to look at.
func TestMembers(t *testing.T) {
	f := talking()
	s := newStage(t, 80, 24, f, Config{})
	s.press("/room members #plans", "Enter", "Enter")
	if len(s.outbox) > 0 {
		t.Errorf("a conversation with oneself: %v", s.asked())
	}
	s.press("/room members #plans", "Enter", "Down", "Enter")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Join{Room: "@bob"}}) {
		t.Errorf("asked for %v", got)
	}
	s.press("/room members #party", "Enter")
	s.want("! #party is not a private room")
}

// In a sealed room nobody is told that the user types; who was removed is told so.
func TestSealedRoom(t *testing.T) {
	f := talking()
	s := newStage(t, 80, 24, f, Config{})
	s.press("Alt-5", "x")
	if got := s.asked(); len(got) > 0 {
		t.Errorf("told %v", got)
	}
	s.press("Ctrl-C", "Alt-1", "x")
	if got := s.asked(); !slices.Equal(got, []node.Command{node.Typing{Room: "#lobby"}}) {
		t.Errorf("told %v", got)
	}
	f.snapshot.Rooms[2].Out = true
	s.apply(node.Members{Room: "#plans", Out: true})
	for _, e := range []node.Event{node.Read{Room: "@closed"}, node.Members{Room: "#left", Out: true}, node.Answered{Room: "#left"}} {
		s.apply(e)
	}
	if n := len(s.rooms); n != 6 {
		t.Errorf("%d rooms: what happens in one that was closed brings it back", n)
	}
	s.press("Ctrl-C", "/join #plans", "Enter")
	s.outbox = s.outbox[:1]
	s.carry(nil)
	s.want("#plans · private · you are no longer a member")
	s.want("> you are no longer a member, and can only read")
	s.want("· you are no longer a member: what was said")
}

// Of a room that is gone to for the first time what was said before is read, for it is not told of rooms that were not shown; after /clear it is not.
func TestFirstVisit(t *testing.T) {
	s := newStage(t, 80, 24, talking(), Config{})
	s.press("Alt-5")
	want, ok := s.here().list.Ask()
	if !ok || want.Kind != transcript.Older || s.here().name != "@carol" {
		t.Fatalf("asked for %v %v of %s", want, ok, s.here().name)
	}
	s.here().list.Take(want, []node.Message{{Room: "@carol", ID: message.ID{1}, Key: node.Key{Seq: 1}, Kind: message.Text, Nick: "carol", Author: id("carol"), Text: "long ago"}}, "alice")
	s.draw()
	s.want("long ago")
	s.press("/clear", "Enter", "Alt-1", "Alt-5")
	if want, ok := s.here().list.Ask(); ok {
		t.Errorf("asked for %v", want)
	}
}
