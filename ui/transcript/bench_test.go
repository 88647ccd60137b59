package transcript

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rivo/tview"

	"earshot/node"
)

// beside is how many messages tview's list of text is given to be compared with: a tenth of a room of a million, of which it takes seconds to draw one screen.
const beside = 100_000

func textView(b *testing.B) *tview.TextView {
	b.Helper()
	var text strings.Builder
	for _, m := range history(0, beside) {
		fmt.Fprintf(&text, "%s %s\n      %s\n", m.At.Format("15:04"), m.Nick, m.Text)
	}
	v := tview.NewTextView().SetText(text.String()).ScrollToEnd()
	v.SetRect(0, 0, 80, 24)
	return v
}

// The first drawing of as much of a long history as is kept, beside tview's own list of text.
func BenchmarkFirstDraw(b *testing.B) {
	s := screen(b, 80, 24)
	b.Run("transcript", func(b *testing.B) {
		l := filled(Limit)
		for b.Loop() {
			l.SetLook(l.look) // forgets what was wrapped
			l.End()
			l.Draw(s, 0, 0, 80, 24)
		}
	})
	b.Run("tview.TextView", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			v := textView(b)
			b.StartTimer()
			v.Draw(s)
		}
	})
}

// Another width, while scrolled up into the middle.
func BenchmarkResize(b *testing.B) {
	s := screen(b, 80, 24)
	width := func(n int) int { return 60 + n%2*20 }
	b.Run("transcript", func(b *testing.B) {
		l := filled(Limit)
		l.Draw(s, 0, 0, 80, 24)
		l.lookAt(Limit/2, 0)
		for n := 0; b.Loop(); n++ {
			l.Draw(s, 0, 0, width(n), 24)
		}
	})
	b.Run("tview.TextView", func(b *testing.B) {
		v := textView(b)
		for n := 0; b.Loop(); n++ {
			v.SetRect(0, 0, width(n), 24)
			v.Draw(s)
		}
	})
}

// A message that arrives, and its drawing: while the end is in view, and while one has scrolled up.
func BenchmarkAppend(b *testing.B) {
	const line = "a line of an ordinary length, as people write them"
	s := screen(b, 80, 24)
	for _, up := range []bool{false, true} {
		where := map[bool]string{false: "at the end", true: "scrolled up"}[up]
		b.Run(where+"/transcript", func(b *testing.B) {
			l := filled(Limit)
			l.Draw(s, 0, 0, 80, 24)
			if up {
				l.lookAt(Limit-500, 0)
			}
			for n := Limit; b.Loop(); n++ {
				l.Add(node.Said{Message: msg(n, line)}, "alice", false)
				l.Draw(s, 0, 0, 80, 24)
			}
		})
		b.Run(where+"/tview.TextView", func(b *testing.B) {
			v := textView(b)
			v.Draw(s)
			if up {
				v.ScrollTo(beside, 0)
			}
			for b.Loop() {
				fmt.Fprintln(v, line)
				v.Draw(s)
			}
		})
	}
}
