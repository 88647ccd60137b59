package transcript

import (
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/look"
)

// FuzzDraw: whatever somebody writes, and calls themselves, what is drawn holds no rune that a cell must not, and stays within its place.
func FuzzDraw(f *testing.F) {
	for _, text := range []string{
		"hello", "*a* `b` _c_ ```", "```\nfence\n```", "https://example.org/\u202e x", "a\x1b]52;c;eA==\ab", "09:01 bob\r09:02 eve\u2028x\u0085y",
		"👩‍👩‍👧‍👦👍🏽", "漢字漢字漢字", "z\u0300\u0300\u0300\u0300\u0300\u0300", "\xff\xfe", "⸻⸻", strings.Repeat("w", 100), "\t\t\n\n\n",
	} {
		f.Add("bob", text, "alice", uint8(30), uint8(6))
		f.Add(text, "@alice *x*", text, uint8(60), uint8(20))
	}
	sim := tcell.NewSimulationScreen("UTF-8")
	if err := sim.Init(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(sim.Fini)
	f.Fuzz(func(t *testing.T, nick, text, me string, width, height uint8) {
		const margin = 2
		w, h := int(width), int(height)
		sim.SetSize(w+2*margin, h+2*margin)
		sim.Show() // learns of its size
		sim.Clear()
		l := New(look.New(256, look.Theme{}))
		for i, kind := range []message.Kind{message.Text, message.Action, message.Topic, message.Reply} {
			m := node.Message{ID: message.ID{byte(i + 1)}, Key: node.Key{Seq: uint64(i)}, Kind: kind, Nick: nick, Text: text, At: time.Unix(0, 0)}
			m.Quote = node.Quote{ID: message.ID{9}, Nick: nick, Text: text}
			m.Reactions = []node.Reaction{{Emoji: text, Count: 2, Nicks: []string{nick}}}
			l.Add(node.Said{Message: m}, me, false)
		}
		l.Event(time.Unix(0, 0), text)
		l.Problem(time.Unix(0, 0), text, nick)
		l.Draw(sim, margin, margin, w, h)
		l.Select(-1)
		l.Scroll(-h / 2)
		l.Draw(sim, margin, margin, w, h)
		sim.Show()
		for y := range h + 2*margin {
			for x := range w + 2*margin {
				str, _, n := sim.Get(x, y)
				inside := x >= margin && x < w+margin && y >= margin && y < h+margin
				if !inside && str != " " && str != "" || inside && x+n > w+margin {
					t.Fatalf("%q stands at %d,%d of %dx%d", str, x-margin, y-margin, w, h)
				}
				for _, r := range str {
					if !cell.Allowed(r) {
						t.Fatalf("%q holds %U", str, r)
					}
				}
			}
		}
	})
}
