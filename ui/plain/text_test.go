package plain

import (
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/ui/command"
)

func TestText(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 1, 2, 0, time.Local)
	said := func(change func(*node.Said)) node.Said {
		return message1(func(s *node.Said) {
			s.At, s.Text = now, "morning"
			if change != nil {
				change(s)
			}
		})
	}
	for name, c := range map[string]struct {
		event   node.Event
		server  bool
		forgets bool
		want    string
	}{
		"message":      {event: said(nil), want: "09:01 bob: morning\n"},
		"other room":   {event: said(func(s *node.Said) { s.Room = "#build" }), want: "09:01 #build bob: morning\n"},
		"action":       {event: said(func(s *node.Said) { s.Kind, s.Text = message.Action, "waves" }), want: "09:01 * bob waves\n"},
		"lines":        {event: said(func(s *node.Said) { s.Text = "one\n09:02 eve: two" }), want: "09:01 bob: one\n      | 09:02 eve: two\n"},
		"another day":  {event: said(func(s *node.Said) { s.At = now.AddDate(0, 0, -1) }), want: "-- Thursday 19 November 2026\n09:01 bob: morning\n"},
		"on a box":     {event: said(nil), server: true, want: "09:01 * message ab000000000000000000000000000001 in #lobby by bob\n"},
		"not listed":   {event: node.Passed{Room: "#lobby", Count: 79_000}, server: true, want: "09:01 * 79000 more messages in #lobby, kept like the others but not listed here\n"},
		"one of them":  {event: node.Passed{Count: 1}, server: true, want: "09:01 * 1 more message, kept like the others but not listed here\n"},
		"not kept":     {event: node.Passed{Room: "#lobby", Count: 2}, server: true, forgets: true, want: "09:01 * 2 more messages in #lobby, passed on like the others but not listed here\n"},
		"joined":       {event: node.PeerChanged{State: node.Joined, Nick: "carol", Peers: 4}, want: "09:01 * carol joined (4 here)\n"},
		"left":         {event: node.PeerChanged{State: node.Left, Nick: "carol", Peers: 3}, want: "09:01 * carol left (3 here)\n"},
		"away":         {event: node.PeerChanged{State: node.Away, Nick: "carol", Peers: 3}, want: "09:01 * carol is away (3 here)\n"},
		"hub":          {event: node.HubChanged{State: node.Linked, Hub: "bob"}, want: "09:01 * bob is the hub\n"},
		"searching":    {event: node.HubChanged{State: node.Searching}, want: ""},
		"hub lost":     {event: node.HubChanged{State: node.Lost, Hub: "bob", HubID: identity.PeerID{1}}, want: "09:01 * hub bob lost, choosing another\n"},
		"renamed":      {event: node.Renamed{Old: "bob", New: "rob"}, want: "09:01 * bob is now called rob\n"},
		"invited":      {event: node.Invited{Room: "#plans", By: node.Named{Nick: "bob"}}, want: "09:01 * bob invites you to the private room #plans: /accept #plans or /decline #plans\n"},
		"members":      {event: node.Members{Room: "#plans", Added: []node.Named{{Nick: "bob"}}}, want: "09:01 * #plans bob was invited\n"},
		"accepted":     {event: node.Answered{Room: "#plans", By: node.Named{Nick: "bob"}, Yes: true}, want: "09:01 * #plans bob accepted the invitation\n"},
		"declined":     {event: node.Answered{Room: "#lobby", By: node.Named{Nick: "bob"}, Declined: true}, want: "09:01 * bob declined the invitation\n"},
		"has left":     {event: node.Answered{Room: "#lobby", By: node.Named{Nick: "bob"}, Left: true}, want: "09:01 * bob left the room\n"},
		"not there":    {event: node.Answered{Room: "#lobby", By: node.Named{Nick: "bob"}}, want: "09:01 * bob declined, or left\n"},
		"read":         {event: node.Read{Room: "@bob", By: node.Named{Nick: "bob"}, Up: node.Key{HLC: uint64(now.UnixMilli()) << 16}}, want: "09:01 * @bob bob has read what you said until 09:01\n"},
		"room renamed": {event: node.RoomRenamed{Old: "@bob", New: "@rob"}, want: "09:01 * @bob is called @rob now\n"},
		"direct":       {event: said(func(s *node.Said) { s.Room = "@bob" }), want: "09:01 @bob bob: morning\n"},
		"notice":       {event: node.Notice{Text: "no room", Hint: "make some"}, want: "09:01 * no room\n      | hint: make some\n"},
		"withdrawn":    {event: node.Withdrawn{Message: said(nil).Message}, want: "09:01 * withdrawn, for bob said two things at once: morning\n"},
		"said again":   {event: node.Withdrawn{Message: said(func(s *node.Said) { s.Mine = true }).Message}, want: ""},
		"restated":     {event: said(func(s *node.Said) { s.Again = message.ID{1} }), want: ""},
		"for a clock":  {event: node.Withdrawn{Message: said(nil).Message, Restated: true}, want: ""},
		"delivery":     {event: node.Delivered{Copies: 2}, want: ""},
		"forged names": {event: node.PeerChanged{State: node.Joined, Nick: "x\n09:02 bob: hi", Peers: 4}, want: "09:01 * x 09:02 bob: hi joined (4 here)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &printer{Config: Config{ServerOnly: c.server, NoHistory: c.forgets}, room: "#lobby", day: "Friday 20 November 2026"}
			if got := string(p.appendText(nil, now, c.event)); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// What is printed beside the longest of messages, and the longest of answers, is printed whole.
func TestNothingIsCutOff(t *testing.T) {
	p := &printer{room: "#lobby", day: "Friday 20 November 2026"}
	end := func(e node.Event, want string) {
		t.Helper()
		if got := string(p.appendText(nil, time.Now(), e)); !strings.HasSuffix(got, want+"\n") {
			t.Errorf("%d bytes end in %q, want %q", len(got), got[max(len(got)-40, 0):], want)
		}
	}
	longest, lines := strings.Repeat("x", message.MaxText-1)+"E", strings.Repeat("x\n", message.MaxLines-1)+"E"
	end(message1(func(s *node.Said) { s.Text = longest }), "xE")
	end(message1(func(s *node.Said) { s.Text, s.Edited = lines, true }), "E (edited)")
	end(message1(func(s *node.Said) { s.Text, s.Quote = lines, node.Quote{ID: message.ID{1}, Nick: "carol"} }), "| E")
	end(node.Edited{Message: node.Message{Text: longest}}, "xE")
	help, err := command.Help("")
	if err != nil {
		t.Fatal(err)
	}
	end(node.Notice{Text: strings.Join(help, "\n")}, help[len(help)-1])
	if b, err := appendJSON(nil, time.Now(), node.Notice{Text: strings.Join(help, "\n")}, false); err != nil || !strings.Contains(string(b), "//TEXT") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestHostileText(t *testing.T) {
	p := &printer{room: "#lobby"}
	got := p.appendText(nil, time.Now(), message1(func(s *node.Said) { s.Text, s.Nick = hostile, hostile }))
	for l := range strings.Lines(string(got)) {
		if strings.ContainsFunc(strings.TrimSuffix(l, "\n"), harmful) {
			t.Errorf("a control character in %q", l)
		}
		if strings.HasPrefix(l, "09:00 eve:") {
			t.Errorf("a forged line: %q", got)
		}
	}
}

// What a box prints of a message is put together of clean parts: it is clean as a whole.
func TestBoxLineIsClean(t *testing.T) {
	p := &printer{Config: Config{ServerOnly: true}}
	for _, name := range []string{"bob", "x\n09:02 eve: hi", hostile, "\u0301\u0301a", "\u200d👩", "각", "\u1161", "\ufe0f", "é\u0323", ""} {
		got := string(p.appendText(nil, time.Now(), message1(func(s *node.Said) { s.Nick, s.Room = name, name })))
		_, line, _ := strings.Cut(strings.TrimSuffix(got, "\n"), "\n") // below the day
		if p.day = today(); line == "" {
			line = strings.TrimSuffix(got, "\n")
		}
		if strings.Contains(line, "\n") || clean(line) != line {
			t.Errorf("%q is printed as %q", name, line)
		}
	}
}
