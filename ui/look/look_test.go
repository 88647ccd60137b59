package look

import (
	"reflect"
	"testing"

	"github.com/gdamore/tcell/v2"

	"earshot/node/identity"
	"earshot/ui/cell"
)

func TestGlyphs(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		glyphs := reflect.ValueOf(New(256, false, ascii).Glyphs)
		for i := range glyphs.NumField() {
			name, g := glyphs.Type().Field(i).Name, glyphs.Field(i).String()
			want := 1
			if name == "Three" {
				want = 2
			}
			if cell.Width(g) != want || ascii && len(g) != want {
				t.Errorf("ascii %v: %s is %q", ascii, name, g)
			}
		}
	}
}

// Without colours none is used; with them no background is. People keep their style, and many have different ones.
func TestStyles(t *testing.T) {
	people := map[tcell.Style]bool{}
	for _, c := range []struct {
		colours int
		none    bool
	}{{256, false}, {1 << 24, false}, {8, false}, {0, false}, {256, true}} {
		l := New(c.colours, c.none, false)
		for i := range 100 {
			id := identity.PeerID{byte(i), 7}
			style := l.Author(id)
			if style != l.Author(id) {
				t.Errorf("%+v: a person has two styles", c)
			}
			if !c.none && c.colours >= 256 {
				people[style] = true
			}
		}
		styles := []tcell.Style{l.Text, l.Dim, l.Strong, l.Border, l.Title, l.Good, l.Warn, l.Bad, l.Mention, l.Unread, l.Badge, l.Crown, l.Selected, l.Author(identity.PeerID{})}
		for i, s := range styles {
			fg, bg, _ := s.Decompose()
			if bg != tcell.ColorDefault || (c.none || c.colours < 8) && fg != tcell.ColorDefault {
				t.Errorf("%+v: style %d is %v on %v", c, i, fg, bg)
			}
		}
	}
	if len(people) < 5 {
		t.Errorf("100 people have %d styles", len(people))
	}
}
