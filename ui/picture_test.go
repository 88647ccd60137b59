package ui

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/look"
)

// TestPicture draws a conversation in the three layouts, for dark and for light, and compares them with the committed pictures: what the README shows is what the
// screen looks like. They are made anew by: go test ./ui -run TestPicture -update
func TestPicture(t *testing.T) {
	for name, c := range map[string]struct {
		w, h  int
		theme look.Theme
		paper paper
	}{
		"dark-80x24":  {80, 24, look.Theme{}, paper{ink: "#d4d7dd", back: "#15181e"}},
		"dark-120x40": {120, 40, look.Theme{}, paper{ink: "#d4d7dd", back: "#15181e"}},
		"dark-40x15":  {40, 15, look.Theme{}, paper{ink: "#d4d7dd", back: "#15181e"}},
		"light-80x24": {80, 24, look.Theme{Colours: look.Light}, paper{ink: "#24292f", back: "#ffffff"}},
	} {
		s := newStage(t, c.w, c.h, lobby(), Config{Theme: c.theme})
		release(s)
		s.draw()
		got, path := c.paper.svg(s.sim), "testdata/screen-"+name+".svg"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || got != string(want) {
			t.Errorf("%s is not what the screen looks like (%v): go test ./ui -run TestPicture -update", path, err)
		}
	}
}

// release plays the conversation of the pictures.
func release(s *stage) {
	f := s.fake
	box := person("attic")
	box.Server, box.Hub, box.Latency = true, true, 400*time.Microsecond
	f.snapshot.Hub = node.HubChanged{State: node.Linked, Hub: "attic", HubID: box.ID, Term: 7}
	people := f.snapshot.People
	people[1].Hub = false
	for i := range people {
		people[i].Latency = 0 // only that of the hub is measured
	}
	f.snapshot.People = []node.Person{people[0], box, people[1], people[2], people[3]}
	f.snapshot.Rooms[0].Topic.Text = "release on the 21st"
	s.time = start.Add(-16 * time.Hour)
	s.said(0, node.Message{Room: "#lobby", Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "nightly build is green again, off home 👋"}, true)
	s.time = start
	s.apply(f.snapshot.Hub)
	s.apply(node.CaughtUp{})
	s.time = s.time.Add(time.Minute)
	s.apply(node.PeerChanged{State: node.Joined, Nick: "carol", ID: id("carol")})
	s.apply(node.PeerChanged{State: node.Joined, Nick: "dave", ID: id("dave")})
	asked := node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: "morning! the release notes are at\nhttps://git.lan/earshot/notes"}
	asked.ID = s.said(time.Minute, asked, false)
	asked.Reactions = []node.Reaction{{Emoji: "👍", Count: 2}}
	s.apply(node.Reacted{Message: asked, Emoji: "👍"})
	mine := s.say(time.Minute, "alice", "reading. can we say what happens when the hub's machine is switched off?")
	s.apply(node.Delivered{ID: mine, Copies: 3})
	s.say(30*time.Second, "carol", "another one takes over within a second\nnothing is lost, @alice, see `node/seat.go`")
	mine = s.say(20*time.Second, "alice", "then let us say *just that*")
	s.apply(node.Delivered{ID: mine, Copies: 2})
	s.said(time.Minute, node.Message{Room: "#lobby", Kind: message.Action, Nick: "bob", Author: id("bob"), Text: "pulls the plug to try it"}, false)
	s.apply(node.Said{Message: node.Message{Room: "#build", ID: message.ID{1}, Kind: message.Text, Nick: "dave", Author: id("dave"), Text: "tagged", At: s.time}, Unread: true})
}

const (
	cellWidth, cellHeight = 9, 19
	margin                = 14
)

// paper is what a terminal looks like where a program asks for no colour.
type paper struct{ ink, back string }

// svg draws a screen on a strict grid, whatever the font is like. Frames are drawn as lines: fonts leave gaps between rows.
func (p paper) svg(s tcell.Screen) string {
	w, h := s.Size()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="ui-monospace,'SF Mono','Cascadia Mono','DejaVu Sans Mono',Consolas,monospace" font-size="15">`+"\n",
		w*cellWidth+2*margin, h*cellHeight+2*margin)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", p.back)
	for y := range h {
		for x := 0; x < w; {
			text, style, n := s.Get(x, y)
			end := x + n
			for ; len(text) == end-x && end < w; end++ { // a run of ASCII in one style is one element
				more, st, _ := s.Get(end, y)
				if st != style || len(more) > 1 {
					break
				}
				text += more
			}
			p.span(&b, x, y, end-x, text, style)
			x = end
		}
	}
	if x, y, visible := s.(tcell.SimulationScreen).GetCursor(); visible {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" opacity=".6"/>`+"\n", margin+x*cellWidth, margin+y*cellHeight, cellWidth, cellHeight, p.ink)
	}
	return b.String() + "</svg>\n"
}

func (p paper) span(b *strings.Builder, x, y, cells int, text string, style tcell.Style) {
	fg, bg, attr := style.Decompose()
	front, back := colour(fg, p.ink), colour(bg, p.back)
	if attr&tcell.AttrReverse != 0 {
		front, back = back, front
	}
	left, top := margin+x*cellWidth, margin+y*cellHeight
	if back != p.back {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", left, top, cells*cellWidth, cellHeight, back)
	}
	trimmed := strings.TrimLeft(text, " ")
	left += (len(text) - len(trimmed)) * cellWidth
	cells -= len(text) - len(trimmed)
	text = strings.TrimRight(trimmed, " ")
	cells -= len(trimmed) - len(text)
	if text == "" {
		return
	}
	if path := line(text, left, top); path != "" {
		fmt.Fprintf(b, `<path d="%s" stroke="%s" fill="none"/>`+"\n", path, front)
		return
	}
	more := ""
	if attr&tcell.AttrBold != 0 {
		more += ` font-weight="bold"`
	}
	if attr&tcell.AttrItalic != 0 {
		more += ` font-style="italic"`
	}
	if attr&tcell.AttrUnderline != 0 {
		more += ` text-decoration="underline"`
	}
	if attr&tcell.AttrDim != 0 {
		more += ` opacity=".6"`
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" textLength="%d" fill="%s"%s xml:space="preserve">`, left, top+14, cells*cellWidth, front, more)
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</text>\n")
}

func colour(c tcell.Color, otherwise string) string {
	if !c.Valid() {
		return otherwise
	}
	return fmt.Sprintf("#%06x", c.Hex())
}

// line returns the path of a piece of a frame.
func line(glyph string, left, top int) string {
	cx, cy, right, bottom := float64(left)+cellWidth/2.0, float64(top)+cellHeight/2.0, left+cellWidth, top+cellHeight
	switch glyph {
	case "─":
		return fmt.Sprintf("M%d %gH%d", left, cy, right)
	case "│":
		return fmt.Sprintf("M%g %dV%d", cx, top, bottom)
	case "┌":
		return fmt.Sprintf("M%d %gH%gV%d", right, cy, cx, bottom)
	case "┐":
		return fmt.Sprintf("M%d %gH%gV%d", left, cy, cx, bottom)
	case "└":
		return fmt.Sprintf("M%d %gH%gV%d", right, cy, cx, top)
	case "┘":
		return fmt.Sprintf("M%d %gH%gV%d", left, cy, cx, top)
	}
	return ""
}
