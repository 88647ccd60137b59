package ui

import (
	"fmt"
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

		s.apply(node.Said{Message: node.Message{Room: "#build", ID: message.ID{1}, Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "red again, alice", At: s.time}})
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
	s = newStage(t, 40, 15, lobby(), Config{})
	s.press("F4")
	s.golden("peers-40x15")
	s.press("Esc", "F5", "Down")
	s.golden("rooms-40x15")
	s.resize(20, 5)
	s.golden("too-small")
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
