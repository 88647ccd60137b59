package ui

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/look"
)

// morning plays a conversation.
func morning(s *stage) {
	s.said(-15*time.Hour, node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "the nightly build is green again"}, true)
	s.time = start
	s.apply(node.Ready{Nick: "alice", ID: id("alice"), Network: "lobby"})
	s.apply(s.fake.snapshot.Hub)
	s.apply(node.CaughtUp{})
	s.time = s.time.Add(time.Minute)
	s.apply(node.PeerChanged{State: node.Joined, Nick: "carol", ID: id("carol"), Peers: 4})
	s.say(time.Minute, "bob", "morning, @alice see `make rel`")
	s.say(20*time.Second, "bob", "https://example.org/notes")
	hi := s.say(90*time.Second, "alice", "looks good. One thing: the paragraph about the hub is too long, can we split it?")
	s.apply(node.Delivered{ID: hi, Copies: 3})
	ok := s.say(8*time.Second, "alice", "and 👍🏽 for the 漢字 example")
	s.apply(node.Delivered{ID: ok, Copies: 2})
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Action, Nick: "carol", Author: id("carol"), Text: "brings coffee"}, false)
	s.say(30*time.Second, "alice", "you are the best")
}

func TestGolden(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 15}} {
		w, h := size[0], size[1]
		at := fmt.Sprintf("-%dx%d", w, h)
		stage := func(c Config, f *fake) *stage { return newStage(t, w, h, f, c) }

		s := stage(Config{}, lobby())
		morning(s)
		s.golden("busy" + at)

		s.apply(node.Said{Message: node.Message{Room: "#build", ID: message.ID{1}, Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "red again, alice", At: s.time}, Unread: true})
		s.press("PgUp")
		s.say(time.Minute, "carol", "are you all in?")
		s.golden("scrolled-up" + at)
		s.press("End")
		s.golden("new-messages" + at)

		s.press("one", "Ctrl-J", "two", "Alt-Enter", "three", "Ctrl-J", "four", "Ctrl-J", "five", "Ctrl-J", "six", "Ctrl-J", "seven")
		s.golden("six-lines" + at)
		s.press("Ctrl-C", "F1")
		s.golden("help" + at)
		s.press("Esc", "/", "Tab", "Tab")
		s.golden("complete" + at)
		s.press("Ctrl-C", "Ctrl-K")
		s.golden("palette" + at)

		f := lobby()
		s = stage(Config{}, f)
		morning(s)
		f.snapshot.Hub = node.HubChanged{State: node.Lost, Hub: "bob", HubID: id("bob"), Term: 3}
		s.apply(f.snapshot.Hub)
		s.press("still here?", "Enter")
		s.golden("choosing" + at)
		f.snapshot.Hub = node.HubChanged{State: node.Linked, Hub: "carol", HubID: id("carol"), Term: 4}
		s.apply(f.snapshot.Hub)
		s.golden("new-hub" + at)

		s = stage(Config{Theme: look.Theme{Colours: look.Mono}}, lobby())
		morning(s)
		s.golden("mono" + at)
		s = stage(Config{Theme: look.Theme{ASCII: true}}, lobby())
		morning(s)
		s.golden("ascii" + at)

		f = lobby()
		f.snapshot = node.Snapshot{Me: f.snapshot.Me, Network: "lobby", Hub: node.HubChanged{State: node.Searching}, People: f.snapshot.People[:1], Rooms: f.snapshot.Rooms[:1], Address: f.snapshot.Address}
		s = stage(Config{}, f)
		s.golden("searching" + at)
		f.snapshot.Hub.State = node.Serving
		s.apply(f.snapshot.Hub)
		s.apply(node.CaughtUp{})
		s.golden("alone" + at)
	}
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("looks good @")
	s.golden("complete-nick-80x24")
	s.press("Ctrl-C", "well done :thu", "Tab")
	s.golden("complete-emoji-80x24")
	s = newStage(t, 80, 24, lobby(), Config{})
	s.say(time.Minute, "bob", "*bold*, _italic_ and `code` are shown, 2*3 and snake_case_too are not\n```go\nfunc main() { *p = \"_\" }\n\tfmt.Println(1)\n```\nafter")
	s.golden("code-80x24")
	s = newStage(t, 80, 24, lobby(), Config{})
	s.say(time.Minute, "bob", "see https://example.org/a/rather/long/path/that/wraps?with=a&query=too, (http://a.test/b_(c)) and javascript://no https://exаmple.org/cyrillic")
	s.golden("links-80x24")
	for _, locale := range []string{"en_US", "de_DE"} {
		s = newStage(t, 80, 24, lobby(), Config{Theme: look.Theme{Locale: locale}})
		morning(s)
		s.golden(locale + "-80x24")
	}
	s = newStage(t, 80, 24, lobby(), Config{})
	s.apply(s.fake.snapshot.Hub)
	s.apply(node.CaughtUp{})
	for i, who := range []string{"carol", "dave", "erin", "frank", "grace"} {
		s.time = s.time.Add(time.Duration(i) * time.Second)
		s.apply(node.PeerChanged{State: node.Joined, Nick: who, ID: id(who)})
	}
	s.apply(node.PeerChanged{State: node.Left, Nick: "grace", ID: id("grace")})
	s.say(time.Minute, "bob", "welcome")
	s.apply(node.PeerChanged{State: node.Left, Nick: "frank", ID: id("frank")})
	s.golden("joins-80x24")

	s = newStage(t, 80, 24, lobby(), Config{})
	s.say(time.Minute, "bob", "漢字と仮名が混ざった文章は、行の終わりで正しく折り返されなければなりません。「括弧」も同じです。")
	s.say(time.Second, "bob", strings.Repeat("👍🏽", 30)+" 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 done")
	s.say(time.Second, "bob", "한국어 문장도 단어 사이에서 나뉩니다 그리고 긴 문장은 다음 줄로 이어집니다 ไม่มีช่องว่าง")
	s.golden("wrap-80x24")

	f := lobby()
	evil := person("a\x1b]0;x\a\u202e[red]b\r\nadmin" + strings.Repeat("\u0300", 9) + strings.Repeat("x", 40))
	f.snapshot.People = append(f.snapshot.People, evil)
	f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#\x1b[2J\u2028" + strings.Repeat("r", 40), Joined: true})
	s = newStage(t, 120, 40, f, Config{})
	s.say(time.Minute, evil.Nick, "who am I?")
	s.said(time.Second, node.Message{Room: "#lobby", Kind: message.Action, Nick: evil.Nick, Author: evil.ID, Text: "waves"}, false)
	s.apply(node.Renamed{Old: "mallory", New: evil.Nick, ID: evil.ID})
	s.golden("hostile-nick-120x40")

	f = lobby()
	f.snapshot.Hub = node.HubChanged{State: node.Serving, Hub: "alice", HubID: id("alice"), Term: 4}
	s = newStage(t, 80, 24, f, Config{})
	morning(s)
	s.golden("serving-80x24")

	f = lobby()
	s = newStage(t, 80, 24, f, Config{})
	morning(s)
	f.snapshot.Hub, f.snapshot.Address, f.snapshot.People = node.HubChanged{State: node.Searching}, netip.Addr{}, f.snapshot.People[:1]
	s.apply(f.snapshot.Hub)
	s.press("is anybody there?", "Enter", "I will say it again when you are back", "Enter")
	s.golden("offline-80x24")

	s = newStage(t, 40, 15, lobby(), Config{})
	s.press("F4")
	s.golden("peers-40x15")
	s.press("Esc", "F5", "Down")
	s.golden("rooms-40x15")
	s.resize(20, 5)
	s.golden("too-small")
}

// While one has scrolled up nothing moves, whatever arrives and whatever size the screen takes.
func TestPlace(t *testing.T) {
	s := newStage(t, 120, 40, lobby(), Config{})
	for i := range 300 {
		s.say(time.Minute, "bob", fmt.Sprintf("message %d, which is long enough to be wrapped where the screen is narrow, and a few words more", i))
	}
	s.draw()
	s.press("PgUp", "PgUp")
	top := func() string { return strings.Trim(s.rows()[2], "│ ") }
	before := s.rows()
	for i := range 1000 {
		s.say(time.Millisecond, "carol", fmt.Sprint("burst ", i))
	}
	s.draw()
	for y, row := range s.rows()[:30] {
		if row != before[y] && y > 0 {
			t.Errorf("row %d moved: %q, now %q", y, before[y], row)
		}
	}
	s.want("↓ 1000 new (End)")
	place := top()
	s.resize(40, 15)
	s.resize(80, 24)
	s.resize(24, 6)
	s.resize(120, 40)
	if got := top(); got != place {
		t.Errorf("the first line was %q, is %q", place, got)
	}
}

// How things stand is to be read however long names are.
func TestStanding(t *testing.T) {
	for _, w := range []int{72, 80, 120} {
		f := lobby()
		f.snapshot.Network, f.snapshot.Closed = strings.Repeat("n", 40), true
		f.snapshot.Hub.Hub = strings.Repeat("h", 40)
		s := newStage(t, w, 24, f, Config{})
		s.want("closed", "● connected", "F1 help", "nn", "hh")
		f.snapshot.Hub.State = node.Searching
		s.apply(f.snapshot.Hub)
		s.draw()
		s.want("closed", "◌ looking for people…", "F1 help")
	}
}

func TestHostile(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	for _, text := range hostile {
		s.say(time.Minute, "mal\x1b[31m[red]\u202elory", text)
	}
	s.draw()
	for y, row := range s.rows() {
		for _, r := range row {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u202e\u2066\u200b\u2028\u2029\u3164", r) {
				t.Errorf("row %d: %q", y, row)
			}
		}
	}
	s.golden("hostile")
}

// hostile is text that tries to command the terminal, to forge lines, or to hide.
var hostile = []string{
	"a\x1b[31mred\x1b]52;c;aGVsbG8=\x07z\x1b]0;title\x07 \u009b31m \x00\x7f",
	"one\r09:01 bob\u2028forged\u0085line\vtab\there",
	`[red]x[-] ["region"]y[""] [:::https://evil.example/]z[:::-]`,
	"\u202eevil\u202c \u2067i\u2069 \u200bzero\ufeff sh\u00ady \u3164 \U000E0041\U000E0042",
	"z" + strings.Repeat("\u0300\u0316", 30) + "algo \u0301lead",
	"👨‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️ 1️⃣ 🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F ⸻ end",
	"漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字。漢字",
	strings.Repeat("w", 200),
}
