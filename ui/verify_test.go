package ui

import (
	"slices"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
	"rsc.io/qr"

	"earshot/node"
	"earshot/ui/look"
)

// modules reads a QR code off the screen as a camera would: what is black, what is white, and whatever else is there.
func modules(t *testing.T, s *stage) (rows []string) {
	t.Helper()
	w, h := s.sim.Size()
	for y := range h {
		var upper, lower strings.Builder
		for x := range w {
			text, style, _ := s.sim.Get(x, y)
			fg, bg, attr := style.Decompose()
			if fg != tcell.PaletteColor(16) || bg != tcell.PaletteColor(231) || attr != 0 {
				continue
			}
			half := map[string][2]string{" ": {".", "."}, "█": {"#", "#"}, "▀": {"#", "."}, "▄": {".", "#"}}[text]
			upper.WriteString(half[0])
			lower.WriteString(half[1])
		}
		if upper.Len() > 0 {
			rows = append(rows, upper.String(), lower.String())
		}
	}
	return rows
}

// The QR code is black on white, whole and with its quiet zone, on any background and in the smallest usual terminal; where it has no room that is said.
func TestVerifyShowsQR(t *testing.T) {
	for _, theme := range []look.Theme{{Colours: look.Dark}, {Colours: look.Light}, {Colours: look.Mono}} {
		s := newStage(t, 80, 24, lobby(), Config{Theme: theme})
		s.press("/verify bob", "Enter")
		if len(s.fake.done) > 0 {
			t.Fatalf("did %v", s.fake.done)
		}
		me, _ := s.fake.Whois("alice")
		want, err := qr.Encode(me.Code, qr.L)
		if err != nil {
			t.Fatal(err)
		}
		rows := modules(t, s)
		if len(rows) < want.Size+8 || len(rows) > want.Size+9 {
			t.Fatalf("%v: %d rows of modules, want %d and the quiet zone\n%s", theme.Colours, len(rows), want.Size, strings.Join(s.rows(), "\n"))
		}
		for y, row := range rows {
			if len(row) != want.Size+8 {
				t.Fatalf("%v: row %d has %d modules", theme.Colours, y, len(row))
			}
			for x := range row {
				if (row[x] == '#') != want.Black(x-4, y-4) {
					t.Fatalf("%v: module %d,%d is %c", theme.Colours, x, y, row[x])
				}
			}
		}
		s.press("Esc")
		s.want("what bob must read:")
		s.resize(60, 20)
		s.press("/fingerprint", "Enter")
		s.want("A QR code needs a window")
		if len(modules(t, s)) > 0 {
			t.Error("half a code")
		}
		s.press("x") // typing goes on
		s.wantNot("A QR code needs a window")
		if s.input.GetText() != "x" {
			t.Errorf("the input holds %q", s.input.GetText())
		}
	}
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("/verify bob MMWC-JIVT", "Enter")
	if len(s.outbox) != 1 || s.outbox[0].command != (node.Verify{Person: "bob", Fingerprint: "MMWC-JIVT"}) || s.overlay != nil {
		t.Errorf("does %v", s.outbox)
	}
}

// Who is verified has a sign, who goes by another's nick an alarm, and of who is ignored there is only a number.
func TestPeersMarks(t *testing.T) {
	f := lobby()
	f.snapshot.People[1].Verified = true
	f.snapshot.People = append(f.snapshot.People, node.Person{ID: id("eve"), Nick: "bob~7Q2K", Warning: "is not the bob you met first"})
	f.snapshot.Ignored = []node.Person{person("zoe"), {Nick: "gone", Gone: true}}
	s := newStage(t, 120, 24, f, Config{})
	s.want("PEERS 5 (1 ignored)")
	s.want("♛ bob ✓", "0.4 ms")
	s.want("▲ bob~7Q2K")
	s.wantNot("zoe")
	s.press("/who", "Enter")
	s.want("bob~7Q2K", "is not the bob you met first")
	s.press("/unignore z", "Tab")
	if got := s.input.GetText(); got != "/unignore zoe " {
		t.Errorf("the input holds %q", got)
	}
}

// What someone said goes off the screen when they are ignored, and is read again when they no longer are.
func TestIgnoreOnScreen(t *testing.T) {
	f := lobby()
	s := newStage(t, 120, 24, f, Config{})
	s.say(0, "bob", "spam, spam")
	s.say(0, "carol", "and eggs")
	f.snapshot.Ignored, f.snapshot.People = []node.Person{f.snapshot.People[1]}, slices.Delete(slices.Clone(f.snapshot.People), 1, 2)
	s.apply(node.Marked{ID: id("bob"), Nick: "bob", Mark: node.Mark{Ignored: true}})
	s.draw()
	s.wantNot("spam, spam")
	s.want("and eggs")
	if _, asks := s.here().list.Ask(); asks {
		t.Error("what is hidden is read again")
	}
	s.apply(node.Marked{ID: id("bob"), Nick: "bob"})
	if w, asks := s.here().list.Ask(); !asks {
		t.Errorf("nothing is read again: %+v", w)
	}
}
