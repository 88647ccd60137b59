package command

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
)

func snapshot() node.Snapshot {
	me := node.Person{Nick: "alice", Me: true}
	return node.Snapshot{
		Me: me, Network: "lobby",
		Hub:        node.HubChanged{State: node.Linked, Hub: "bob", Term: 3},
		People:     []node.Person{me, {Nick: "bob", Hub: true, Latency: 400 * time.Microsecond}, {Nick: "漢字", Away: true}, {Nick: "box", Server: true}},
		Rooms:      []node.Room{{Name: "#lobby", Joined: true}, {Name: "#build"}},
		Realms:     []node.RealmInfo{{ID: "1f3a", Current: true}},
		Candidates: []node.Candidate{{Nick: "bob", Hub: true, Class: 1, Term: 3}, {Nick: "alice", Me: true}},
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want node.Command
		show string
		err  string
		hint string
	}{
		{in: ""},
		{in: " \n "},
		{in: "hi", want: node.Say{Room: "#x", Text: "hi"}},
		{in: "\n  indented\n  more \n", want: node.Say{Room: "#x", Text: "  indented\n  more"}},
		{in: " /not a command", want: node.Say{Room: "#x", Text: " /not a command"}},
		{in: "//etc", want: node.Say{Room: "#x", Text: "/etc"}},
		{in: "/me waves", want: node.Say{Room: "#x", Text: "waves", Action: true}},
		{in: "/ME waves", want: node.Say{Room: "#x", Text: "waves", Action: true}},
		{in: "/me", err: "what do you do?", hint: "usage: /me TEXT"},
		{in: "/nick Bob", want: node.Rename{Nick: "Bob"}},
		{in: "/nick hub", err: "*", hint: "a nick has up to 24 letters and no spaces"},
		{in: "/join Build", want: node.Join{Room: "#build"}, show: "#build"},
		{in: "/j #build", want: node.Join{Room: "#build"}, show: "#build"},
		{in: "/join", err: "which room?", hint: "usage: /join #ROOM"},
		{in: "/join a b", err: "*", hint: "a room is called like #build: small letters, digits, - _ ."},
		{in: "/leave", want: node.Leave{Room: "#x"}, show: "#lobby"},
		{in: "/part #other", want: node.Leave{Room: "#other"}},
		{in: "/leave #lobby", err: "#lobby is the room everyone is in", hint: "/quit leaves the chat"},
		{in: "/away", want: node.SetAway{Away: true}},
		{in: "/back", want: node.SetAway{}},
		{in: "/resend", want: node.Resend{}},
		{in: "/back now", err: "/back takes nothing after it", hint: "usage: /back"},
		{in: "/send x", err: "/send is not in this version", hint: "/help lists the commands"},
		{in: "/jion #a", err: "there is no command /jion", hint: "did you mean /join?"},
		{in: "/qui", err: "there is no command /qui", hint: "did you mean /quit?"},
		{in: "/exti", err: "there is no command /exti", hint: "did you mean /exit?"},
		{in: "/xyzzy", err: "there is no command /xyzzy", hint: "/help lists the commands"},
		{in: "/etc/hosts", err: "there is no command /etc/hosts", hint: "text that begins with a slash is typed with two: //etc/hosts"},
		{in: "/", err: "there is no command /", hint: "/help lists the commands"},
		{in: strings.Repeat("x", 4097), err: "this has 4097 bytes and a message at most 4096", hint: "say it in several messages"},
		{in: "a" + strings.Repeat("\na", 40), err: "this has 41 lines and a message at most 40", hint: "say it in several messages"},
	} {
		a, err := Parse(c.in, At{Room: "#x", Snapshot: snapshot()})
		if c.err != "" {
			var e *node.Error
			if !errors.As(err, &e) || e.Text != c.err && c.err != "*" || e.Text == "" || e.Hint != c.hint || a.Do != nil {
				t.Errorf("%.20q: %+v, %#v", c.in, a, err)
			}
			continue
		}
		if err != nil || a.Do != c.want || a.Show != c.show {
			t.Errorf("%.20q: %+v, %v", c.in, a, err)
		}
	}
}

// Every built command does something or answers; every other one says that it is not there.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Table() {
		for _, n := range append([]string{s.Name}, s.Aliases...) {
			if seen[n] {
				t.Errorf("/%s stands twice", n)
			}
			seen[n] = true
		}
		args := map[string]string{"NAME": "zoe", "TEXT": "x", "#ROOM": "#y", "[#ROOM]": "#y", "[NAME]": "dark", "NICK": "bob", "[NICK]": "bob", "PERSON": "bob", "[PERSON]": "bob", "PERSON [TEXT]": "bob", "[WHAT]": "off", "[on|off]": "on", "[ID] TEXT": "x", "[ID] EMOJI": "x", "PERSON TEXT": "bob hi", "[@NICK]": "@bob"}[s.Args]
		room := "#x"
		if strings.HasPrefix(s.Name, "room ") {
			room = "#plans"
		}
		switch s.Name {
		case "accept", "decline":
			args = "#secret"
		case "mute", "unmute":
			args = "#plans"
		case "room leave", "room members":
			args = ""
		case "invite", "remove":
			args = "#plans bob"
		}
		at := acquainted()
		at.Room, at.Snapshot.Rooms, at.Recent = room, talks().Rooms, append(recent(), node.Message{Room: "@bob"})
		a, err := Parse("/"+s.Name+" "+args, at)
		if something := a.Do != nil || a.Members != "" || a.Lines != nil || a.Find != nil || a.Export != nil || a.History > 0 || a.Clear || a.Quit; something != s.Built() || (err == nil) != s.Built() {
			t.Errorf("%s: %+v, %v", s.Usage(), a, err)
		}
		if s.Help == "" || len(s.Help) > 52 || len(s.Usage()) > 21 { // help and palette show it whole from 80 columns on
			t.Errorf("%s has no help, or too much", s.Usage())
		}
	}
}

// recent is what was said lately, in two rooms.
func recent() (list []node.Message) {
	for i, m := range []node.Message{{Room: "#x", Mine: true}, {Room: "#x", Reactions: []node.Reaction{{Emoji: "lol", Mine: true}}}, {Room: "#y"}, {Room: "#x", Mine: true}, {Room: "#x", Mine: true, Redacted: true}, {Room: "#x", Kind: message.Topic, Mine: true}} {
		m.ID, m.Key.Seq = message.ID{0xab, 0xc0, byte(i)}, uint64(i)
		list = append(list, m)
	}
	return list
}

func TestTargets(t *testing.T) {
	ref := func(i int) message.Ref { return message.Ref{Seq: uint64(i), ID: message.ID{0xab, 0xc0, byte(i)}} }
	for in, want := range map[string]any{
		"/reply so do I":                         node.Reply{To: ref(1), Text: "so do I"}, // what others say is answered
		"/r last so do I":                        node.Reply{To: ref(3), Text: "so do I"},
		"/r 2 so do I":                           node.Reply{To: ref(1), Text: "so do I"},
		"/reply ABC002 so do I":                  node.Reply{To: ref(2), Text: "so do I"},
		"/reply 100 people":                      node.Reply{To: ref(1), Text: "100 people"},
		"/reply dead right":                      node.Reply{To: ref(1), Text: "dead right"},
		"/edit better":                           node.Edit{Target: ref(3), Text: "better"},
		"/e 2 better":                            node.Edit{Target: ref(0), Text: "better"},
		"/edit a\nb":                             node.Edit{Target: ref(3), Text: "a\nb"},
		"/delete":                                node.Redact{Target: ref(3)},
		"/delete 2":                              node.Redact{Target: ref(0)},
		"/delete abc00":                          node.Redact{Target: ref(5)},
		"/react 👍":                               node.React{Target: ref(1), Emoji: "👍"},
		"/react 3 👍":                             node.React{Target: ref(0), Emoji: "👍"},
		"/react +1":                              node.React{Target: ref(1), Emoji: "👍"},
		"/react 3 :Tada:":                        node.React{Target: ref(0), Emoji: "🎉"},
		"/react tada":                            node.React{Target: ref(1), Emoji: "🎉"},
		"/react 2 ❤":                             node.React{Target: ref(1), Emoji: "❤"},
		"/react last 1️⃣":                        node.React{Target: ref(3), Emoji: "1️⃣"},
		"/react lol":                             node.React{Target: ref(1), Emoji: "lol"}, // is taken back
		"/react last lol":                        `"lol" is no emoji`,
		"/react nosuch":                          `"nosuch" is no emoji`,
		"/react :nosuch:":                        `":nosuch:" is no emoji`,
		"/react 3 no":                            `"no" is no emoji`,
		"/react 👍👍":                              `"👍👍" is no emoji`,
		"/react 👍 so":                            `"👍 so" is no emoji`,
		"/react q":                               `"q" is no emoji`,
		"/react 漢":                               `"漢" is no emoji`,
		"/reply :wave:":                          node.Reply{To: ref(1), Text: "👋"},
		"/edit (:+1::tada:!) :nosuch: :":         node.Edit{Target: ref(3), Text: "(👍🎉!) :nosuch: :"},
		"/me waves :wave:":                       node.Say{Room: "#x", Text: "waves 👋", Action: true},
		"/msg bob :wave:":                        node.Say{Room: "@bob", Text: "👋"},
		":wave: at 10:30:45,\n\t:heart:":         node.Say{Room: "#x", Text: "👋 at 10:30:45,\n\t❤️"},
		"`:wave:` a:wave:b ::wave:: std::end::x": node.Say{Room: "#x", Text: "`:wave:` a:wave:b ::wave:: std::end::x"},
		"```\n:wave:\n``` :wave:":                node.Say{Room: "#x", Text: "```\n:wave:\n``` 👋"},
		"/topic what we do":                      node.SetTopic{Room: "#x", Text: "what we do"},
		"/reply":                                 "what do you answer?",
		"/reply 2":                               "what do you answer?",
		"/edit":                                  "what should it say?",
		"/edit 3 x":                              "there is no such message among the newest in #x",
		"/react":                                 "react with what?",
		"/delete it":                             `which message? "it" names none`,
		"/delete " + strings.Repeat("0", 32):     "there is no message " + strings.Repeat("0", 32) + " among the newest",
		"/reply 3f9ac2b1 so do I":                "there is no message 3f9ac2b1 among the newest", // and is not said with its id
		"/edit 3F9AC2B1C better":                 "there is no message 3F9AC2B1C among the newest",
		"/delete 3f9ac2b1":                       "there is no message 3f9ac2b1 among the newest",
		"/react 3f9ac2b1 👍":                      "there is no message 3f9ac2b1 among the newest",
		"/reply last 3f9ac2b1 broke it":          node.Reply{To: ref(3), Text: "3f9ac2b1 broke it"},
		"/reply deadbeef is no number":           node.Reply{To: ref(1), Text: "deadbeef is no number"},
		"/reply 20261120 is a date":              node.Reply{To: ref(1), Text: "20261120 is a date"},
		"/reply 3f9ac2b broke it":                node.Reply{To: ref(1), Text: "3f9ac2b broke it"},
		"/edit added a test":                     node.Edit{Target: ref(3), Text: "added a test"},
	} {
		a, err := Parse(in, At{Room: "#x", Snapshot: snapshot(), Recent: recent()})
		if text, failed := want.(string); failed {
			var e *node.Error
			if !errors.As(err, &e) || e.Text != text || e.Hint == "" {
				t.Errorf("%s: %+v, %#v", in, a, err)
			}
		} else if err != nil || a.Do != want {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
}

// Whatever has a shortcode may be reacted with.
func TestEmojisAreEmoji(t *testing.T) {
	for _, e := range Emojis("", 1<<20) {
		if !isEmoji(e.Picture) {
			t.Errorf("%s %q is none", e.Code, e.Picture)
		}
	}
}

// A word that happens to be how the id of an old message begins is a word.
func TestTargetsFarBack(t *testing.T) {
	at := At{Room: "#x", Snapshot: snapshot(), Recent: append([]node.Message{{Room: "#x", ID: message.ID{0xde, 0xad, 0xbe, 0xef}, Text: "old"}}, make([]node.Message, newest)...)}
	at.Recent[newest] = node.Message{Room: "#x", ID: message.ID{1}, Text: "new"}
	for in, want := range map[string]node.Reply{
		"/reply dead right":     {To: at.Recent[newest].Ref(), Text: "dead right"},
		"/reply deadbeef right": {To: at.Recent[0].Ref(), Text: "right"},
	} {
		if a, err := Parse(in, at); err != nil || a.Do != want {
			t.Errorf("%s: %+v, %v", in, a.Do, err)
		}
	}
}

// Where there are newer messages than those that are known, only one that is named is meant.
func TestTargetsBehind(t *testing.T) {
	at := At{Room: "#x", Snapshot: snapshot(), Recent: recent(), Behind: true}
	for _, in := range []string{"/reply so", "/reply last so", "/edit 2 so", "/delete", "/react 👍", "/delete 0123456789abcdef0123456789abcdef"} {
		if a, err := Parse(in, at); a.Do != nil || err == nil || !strings.HasPrefix(err.Error(), "which message?") {
			t.Errorf("%s: %+v, %v", in, a.Do, err)
		}
	}
	if a, err := Parse("/delete abc003", at); err != nil || a.Do.(node.Redact).Target != at.Recent[3].Ref() {
		t.Errorf("%+v, %v", a.Do, err)
	}
}

func TestAnswers(t *testing.T) {
	want := map[string]string{
		"/who":     "4 here in lobby:\n  alice  you\n  bob    the hub, 0.4 ms\n  漢字   away\n  box    a server",
		"/names":   "4 can read #lobby:\n  alice  you\n  bob    the hub, 0.4 ms, spoke 20 Nov 2026 09:01\n  漢字   away\n  box    a server",
		"/hub":     "bob is the hub (term 3)\nwho could be:\n  bob    the hub\n  alice  this machine, never the hub",
		"/rooms":   "  #lobby  joined\n  #build  not joined\n/join #ROOM opens one, or makes it",
		"/realms":  "each gathering of the open network lobby has a history of its own:\n  1f3a  now",
		"/key":     "  /key rotate [WHO]   give the network a new key, but not to everybody\n  /key accept [NICK]  take the new key that somebody offers\n  /key decline        do not take it",
		"/help me": "/me TEXT: say what you do: /me waves",
		"/help e":  "/edit [ID] TEXT: correct your last message, or another of yours\nalso /e\nID is how a message's id begins, a number that counts back (1 is the newest), or last, the newest; Tab and the arrows choose one too",
		"/version": "earshot 1.2",
		"/nick":    "you are alice; /nick NAME changes it",
	}
	for in, want := range want {
		at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.Local)
		s, bob := snapshot(), identity.PeerID{7}
		s.People[1].ID = bob
		said := []node.Message{{Room: "#lobby", Author: bob, At: at.Add(time.Minute)}, {Room: "#lobby", Author: bob, At: at}, {Room: "#build", Author: bob, At: at.Add(time.Hour)}}
		a, err := Parse(in, At{Room: "#lobby", Snapshot: s, Version: "1.2", Recent: said})
		if got := strings.Join(a.Lines, "\n"); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", in, err, got, want)
		}
	}
	for state, want := range map[node.HubChanged]string{
		{}:                               "looking for people",
		{State: node.Searching}:          "looking for people",
		{State: node.Serving}:            "you are the hub",
		{State: node.Linked, Hub: "bob"}: "bob is the hub",
		{State: node.Lost}:               "no longer the hub, choosing another", // this one's id is zero here
		{State: node.Lost, HubID: identity.PeerID{1}}:             "hub lost, choosing another",
		{State: node.Lost, Hub: "bob", HubID: identity.PeerID{1}}: "hub bob lost, choosing another",
	} {
		if got := Standing(node.Snapshot{Hub: state}); got != want {
			t.Errorf("%+v: %s", state, got)
		}
	}
	closed := snapshot()
	closed.Closed = true
	if got := Welcome(closed); got[0] != "this is the closed network lobby: only holders of its key can join or read" {
		t.Error(got)
	}
	if got := Welcome(snapshot()); !slices.Equal(got, []string{"this is the open network lobby: anyone on this LAN can join and read it", "bob is the hub; 4 are here", "you are alice; /nick NAME changes it"}) {
		t.Error(got)
	}
	box := snapshot()
	box.Me.Server = true
	if got := Welcome(box); !strings.Contains(got[2], "--nick") {
		t.Error(got)
	}
	built := len(Complete(""))
	if help, _ := Help(""); len(help) != built+1 || !strings.HasPrefix(help[0], "  /help [command]") {
		t.Error(help)
	}
}

func TestPeople(t *testing.T) {
	s := snapshot()
	s.People = append(s.People, node.Person{ID: identity.PeerID{1}, Nick: "carol~AAAA", Away: true, Why: "at lunch", Address: []string{"10.0.0.7:4327"}}, node.Person{ID: identity.PeerID{2}, Nick: "carol~BBBB"})
	s.Latency, s.Port, s.Address = 400*time.Microsecond, 4327, netip.MustParseAddr("10.0.0.1")
	s.Rooms[1] = node.Room{Name: "#build", Joined: true, Muted: true, Topic: node.Topic{Text: "what is broken", Nick: "bob"}}
	for in, want := range map[string]string{
		"/ping":       "bob, the hub: 0.4 ms there and back",
		"/ping bob":   "bob: 0.4 ms there and back",
		"/ping alice": "that is you",
		"/net":        "  network         lobby, open: anyone on this LAN can join and read it\n  this machine    10.0.0.1, port 4327 (TCP and UDP)\n  hub             bob is the hub\n  way to the hub  0.4 ms there and back\n  here            6, on 2 instances of earshot",
		"/topic":      "#lobby has no topic; /topic TEXT sets one",
		"/typing":     "the others are told when you type; /typing off changes it",
		"/rooms":      "  #lobby  joined\n  #build  joined, muted: what is broken\n/join #ROOM opens one, or makes it",
	} {
		a, err := Parse(in, At{Room: "#lobby", Snapshot: s})
		if got := strings.Join(a.Lines, "\n"); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", in, err, got, want)
		}
	}
	for in, want := range map[string]node.Command{
		"/away at  lunch": node.SetAway{Away: true, Why: "at lunch"},
		"/typing off":     node.SetTyping{},
		"/typing ON":      node.SetTyping{On: true},
		"/mute":           node.Mute{Room: "#lobby", On: true},
		"/mute build":     node.Mute{Room: "#build", On: true},
		"/unmute #build":  node.Mute{Room: "#build"},
	} {
		if a, err := Parse(in, At{Room: "#lobby", Snapshot: s}); err != nil || a.Do != want || len(a.Lines) != 1 {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
	for in, want := range map[string]string{
		"/ping box":                         "only the way to the hub is measured here",
		"/typing maybe":                     `"maybe" is none of on, off`,
		"/mute #nix":                        "there is no room #nix here",
		"/unmute nix":                       "there is no room #nix here",
		"/history 0":                        "how many lines? from 1 to 1000",
		"/history x":                        "how many lines? from 1 to 1000",
		"/away " + strings.Repeat("x", 121): "this has 121 bytes, and at most 120 say why you are away",
	} {
		var e *node.Error
		if a, err := Parse(in, At{Room: "#lobby", Snapshot: s}); !errors.As(err, &e) || e.Text != want {
			t.Errorf("%.30s: %+v, %v", in, a, err)
		}
	}
	if a, err := Parse("/history", At{}); err != nil || a.History != 20 {
		t.Errorf("%+v, %v", a, err)
	}
}
