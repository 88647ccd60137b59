package command

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"earshot/node"
	"earshot/node/identity"
)

var bob = node.Named{Nick: "bob", ID: identity.PeerID{7}}

// talks is a network with a private room of one's own, an invitation to another, and a conversation.
func talks() node.Snapshot {
	s := snapshot()
	s.Rooms = slices.Insert(s.Rooms, 1,
		node.Room{Name: "#plans", Kind: node.PrivateRoom, Joined: true, Owner: node.Named{Nick: "alice"}, Members: 4},
		node.Room{Name: "#secret", Kind: node.PrivateRoom, By: bob, Members: 2},
		node.Room{Name: "@bob", Kind: node.DirectRoom, Joined: true, With: bob})
	return s
}

func TestTalk(t *testing.T) {
	said := []node.Message{{Room: "@bob", Key: node.Key{Seq: 1}}, {Room: "@bob", Key: node.Key{Seq: 2}, Mine: true}, {Room: "#lobby", Key: node.Key{Seq: 3}}}
	for _, c := range []struct {
		room, in string
		want     node.Command
		show     string
	}{
		{"#lobby", "/msg bob  hi  there", node.Say{Room: "@bob", Text: "hi  there"}, ""},
		{"#lobby", "/w @bob hi", node.Say{Room: "@bob", Text: "hi"}, ""},
		{"#lobby", "/m bob~7Q2K /etc", node.Say{Room: "@bob~7Q2K", Text: "/etc"}, ""},
		{"#lobby", "/query @bob", node.Join{Room: "@bob"}, "@bob"},
		{"#lobby", "/dm bob hi there", node.Say{Room: "@bob", Text: "hi there"}, "@bob"},
		{"#lobby", "/dm ABCD-EFGH", node.Join{Room: "@ABCD-EFGH"}, "@ABCD-EFGH"},
		{"#lobby", "/room new Tea", node.NewRoom{Name: "tea"}, "#tea"},
		{"#lobby", "/ROOM NEW tea", node.NewRoom{Name: "tea"}, "#tea"},
		{"#plans", "/room copy tea", node.CopyRoom{Room: "#plans", Name: "tea"}, "#tea"},
		{"#lobby", "/room copy #plans tea", node.CopyRoom{Room: "#plans", Name: "tea"}, "#tea"},
		{"#plans", "/room hand-over bob", node.HandOver{Room: "#plans", Person: "bob"}, ""},
		{"#plans", "/room leave", node.Leave{Room: "#plans"}, "#lobby"},
		{"#lobby", "/room leave #plans", node.Leave{Room: "#plans"}, ""},
		{"#plans", "/invite @bob", node.Invite{Room: "#plans", Person: "bob"}, ""},
		{"#lobby", "/invite #plans bob --with-history", node.Invite{Room: "#plans", Person: "bob", History: true}, ""},
		{"#plans", "/invite --with-history bob", node.Invite{Room: "#plans", Person: "bob", History: true}, ""},
		{"#plans", "/remove bob", node.Remove{Room: "#plans", Person: "bob"}, ""},
		{"#lobby", "/remove #plans bob", node.Remove{Room: "#plans", Person: "bob"}, ""},
		{"#lobby", "/accept", node.Join{Room: "#secret"}, "#secret"},
		{"#lobby", "/accept secret", node.Join{Room: "#secret"}, "#secret"},
		{"#lobby", "/join #secret", node.Join{Room: "#secret"}, "#secret"},
		{"#lobby", "/decline #secret", node.Leave{Room: "#secret"}, ""},
		{"#lobby", "/receipts off", node.SetReceipts{}, ""},
		{"#lobby", "/receipts on", node.SetReceipts{On: true}, ""},
		{"@bob", "/leave", node.Leave{Room: "@bob"}, "#lobby"},
		{"#lobby", "/leave @bob", node.Leave{Room: "@bob"}, ""},
		{"#lobby", "/mute @BOB", node.Mute{Room: "@bob", On: true}, ""},
		{"@bob", "/read", node.Seen{Room: "@bob", Up: node.Key{Seq: 1}}, ""},
		{"#lobby", "/read @bob", node.Seen{Room: "@bob", Up: node.Key{Seq: 1}}, ""},
		{"@bob", "/read #lobby", node.Seen{Room: "#lobby", Up: node.Key{Seq: 3}}, ""},
		{"@bob", "hi", node.Say{Room: "@bob", Text: "hi"}, ""},
	} {
		if a, err := Parse(c.in, At{Room: c.room, Snapshot: talks(), Recent: said}); err != nil || a.Do != c.want || a.Show != c.show {
			t.Errorf("%s in %s: %+v, %v", c.in, c.room, a, err)
		}
	}
	for in, want := range map[string][2]string{
		"/msg":     {"say what, to whom?", "usage: /msg PERSON TEXT"},
		"/msg bob": {"say what to bob?", "usage: /msg PERSON TEXT"},
		"/query":   {"who?", "usage: /query PERSON [TEXT]"},
		"/query bob " + strings.Repeat("x", 4097): {"this has 4097 bytes and a message at most 4096", "say it in several messages"},
		"/room new":                             {"what is it to be called?", "usage: /room new NAME"},
		"/room new plans":                       {"#plans is there already", "call the new one something else"},
		"/room new a b":                         {"a room's name consists of letters, digits, - _ and . only", "a room is called like #build: small letters, digits, - _ ."},
		"/room mebers":                          {"there is no command /room mebers", "did you mean /room members?"},
		"/room xyzzy":                           {"there is no command /room xyzzy", "/help room lists those there are"},
		"/invite bob":                           {"#lobby is no private room", "/room new NAME makes one; elsewhere, name it: #ROOM before what else follows"},
		"/invite #plans":                        {"who?", "usage: /invite PERSON"},
		"/room leave":                           {"#lobby is no private room", "/room new NAME makes one; elsewhere, name it: #ROOM before what else follows"},
		"/room members #no":                     {"there is no room #no here", "/rooms lists the rooms"},
		"/accept #plans":                        {"you are not invited to #plans", "/rooms lists the rooms"},
		"/leave @zoe":                           {"there is no conversation with zoe", "/query PERSON opens one"},
		"/read #plans":                          {"nobody else has said anything in #plans that was shown", "/read #room or /read @nick names another"},
		"/receipts maybe":                       {`"maybe" is none of on, off`, "usage: /receipts [on|off]"},
		"/msg bob " + strings.Repeat("x", 4097): {"this has 4097 bytes and a message at most 4096", "say it in several messages"},
	} {
		var e *node.Error
		if a, err := Parse(in, At{Room: "#lobby", Snapshot: talks(), Recent: said}); !errors.As(err, &e) || [2]string{e.Text, e.Hint} != want || a.Do != nil {
			t.Errorf("%.30s: %+v, %#v", in, a, err)
		}
	}
	for in, want := range map[string]string{
		"/rooms":    "  #lobby   joined\n  #plans   private, 4 members\n  #secret  private, bob invites you\n  @bob     direct, end-to-end encrypted\n  #build   not joined\n/join #ROOM opens one, or makes it",
		"/names":    "only bob and you can read this conversation",
		"/receipts": "in a conversation the other is not told what you have read; /receipts on changes it",
	} {
		if a, err := Parse(in, At{Room: "@bob", Snapshot: talks()}); err != nil || strings.Join(a.Lines, "\n") != want {
			t.Errorf("%s: %v, %v", in, strings.Join(a.Lines, "\n"), err)
		}
	}
	for _, in := range []string{"/room", "/room members", "/names"} {
		if a, err := Parse(in, At{Room: "#plans", Snapshot: talks()}); err != nil || a.Members != "#plans" {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
	if a, err := Parse("/accept", At{Snapshot: snapshot()}); err == nil {
		t.Errorf("accepted %+v of nobody", a)
	}
	two := talks()
	two.Rooms = append(two.Rooms, node.Room{Name: "#more", Kind: node.PrivateRoom, By: bob})
	var e *node.Error
	if a, err := Parse("/decline", At{Snapshot: two}); !errors.As(err, &e) || e.Hint != "name one: /decline #secret, /decline #more" {
		t.Errorf("%+v, %v", a, err)
	}
	if help, err := Help("room"); err != nil || len(help) != 5 || !strings.HasPrefix(help[0], "  /room new NAME  ") {
		t.Errorf("%q, %v", help, err)
	}
}

func TestKnown(t *testing.T) {
	s := talks()
	for name, want := range map[string]string{"#plans": "#plans", "@bob": "@bob", "@BOB": "@bob", "@" + bob.ID.Fingerprint(): "@bob", "@zoe": "", "bob": "", "#x": ""} {
		if r, ok := Known(s, name); r.Name != want || ok != (want != "") {
			t.Errorf("%s is %q, %v", name, r.Name, ok)
		}
	}
}

func TestSecludes(t *testing.T) {
	for line, want := range map[string]bool{"/query bob": true, "/DM bob": true, "/accept": true, "/room new tea": true, "/room copy": true, "/room members": false, "/join #x": false, "query bob": false, "//query bob": false, "": false, "/": false} {
		if Secludes(line) != want {
			t.Errorf("%s", line)
		}
	}
}

func TestNext(t *testing.T) {
	for before, want := range map[string]bool{"/msg ": true, "/msg bob ": false, "/invite ": true, "/invite #plans ": true, "/invite #plans bob ": false, "/room hand-over ": true, "/query ": true,
		"/who ": false, "hello ": false, "//msg ": false, "": false, "/room new ": false} {
		if ends, person := Next(before); person != want || ends != nil {
			t.Errorf("%q: %v, %v", before, ends, person)
		}
	}
	if ends, _ := Next("/room "); !slices.Equal(ends, []string{"new", "members", "hand-over", "copy", "leave"}) {
		t.Errorf("%q", ends)
	}
}

func TestMembersLine(t *testing.T) {
	who := func(nicks ...string) (out []node.Named) {
		for _, n := range nicks {
			out = append(out, node.Named{Nick: n})
		}
		return out
	}
	for want, e := range map[string]node.Members{
		"bob was invited":                                                     {Added: who("bob")},
		"bob and carol were invited":                                          {Added: who("bob", "carol")},
		"a, b, c, d and e were invited":                                       {Added: who("a", "b", "c", "d", "e")},
		"a, b, c, d, e and 2 others are no longer members":                    {Taken: who("a", "b", "c", "d", "e", "f", "g")},
		"bob was invited, carol is no longer a member, dave is the owner now": {Added: who("bob"), Taken: who("carol"), Owner: node.Named{Nick: "dave"}},
		"you are no longer a member: what was said until now stays with you":  {Out: true},
	} {
		if got := MembersLine(e); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	list := []node.Member{{Named: bob, Owner: true, Here: true}, {Named: node.Named{Nick: "alice"}, Me: true}, {Named: node.Named{Nick: "carol"}, Moderator: true}}
	if got := strings.Join(MemberLines("#plans", list), "\n"); got != "3 members can read #plans:\n  bob    the owner\n  alice  you\n  carol  a moderator, not here" {
		t.Error(got)
	}
}
