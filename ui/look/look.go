// Package look says what things look like: the styles and the glyphs of the full screen.
//
// Backgrounds are the terminal's own. Colours come from the 256-colour palette, in the middle of its brightness, so that they can be read on
// dark and on light; whatever a colour says, a glyph or a word says too, so that nothing is lost where there is none.
package look

import (
	"hash/fnv"

	"github.com/gdamore/tcell/v2"

	"earshot/node/identity"
)

// A Look is one set of styles and glyphs. It is not changed once made.
type Look struct {
	Text, Dim, Strong             tcell.Style
	Border, Title                 tcell.Style
	Good, Warn, Bad               tcell.Style
	Mention, Unread, Badge, Crown tcell.Style
	Selected, Code, Link          tcell.Style
	authors                       []tcell.Style

	Glyphs
}

// Glyphs are the signs beside the words. All are one cell wide, but Three.
type Glyphs struct {
	Hub, Here, Away, Server     string
	Searching, Connected, Alert string
	Waiting, Two, Three, Lost   string // delivery of an own message
	Note, Problem, Mentioned    string
	Down, Current, More, Dot    string
	Bar, Rule                   string
	TopLeft, TopRight           string
	BottomLeft, BottomRight     string
}

// New returns the look for a terminal with that many colours. noColor asks for none; ascii for glyphs that every font and terminal has.
func New(colours int, noColor, ascii bool) *Look {
	l := &Look{Glyphs: unicodeGlyphs()}
	if ascii {
		l.Glyphs = asciiGlyphs()
	}
	plain := tcell.StyleDefault
	l.Text, l.Strong, l.Title = plain, plain.Bold(true), plain.Bold(true)
	l.Dim, l.Border = plain.Dim(true), plain.Dim(true)
	l.Good, l.Warn, l.Bad = plain, plain.Bold(true), plain.Bold(true)
	l.Mention, l.Unread, l.Crown = plain.Bold(true).Underline(true), plain.Bold(true), plain.Bold(true)
	l.Badge, l.Selected = plain.Reverse(true), plain.Reverse(true)
	l.Code, l.Link = plain, plain.Underline(true)
	l.authors = []tcell.Style{plain.Bold(true)}
	if noColor || colours < 8 {
		return l
	}
	pick := func(rich, poor int) tcell.Style {
		if colours >= 256 {
			return plain.Foreground(tcell.PaletteColor(rich))
		}
		return plain.Foreground(tcell.PaletteColor(poor))
	}
	if colours >= 256 {
		l.Dim, l.Border = pick(245, 7), pick(241, 7)
	}
	l.Good, l.Warn, l.Bad = pick(71, 2), pick(172, 3), pick(167, 1).Bold(true)
	l.Mention, l.Unread, l.Crown = pick(172, 3).Bold(true), pick(167, 1), pick(172, 3)
	l.Badge = pick(172, 3).Reverse(true)
	l.Code, l.Link = pick(108, 6), pick(74, 4).Underline(true)
	l.authors = nil
	for _, c := range [][2]int{{37, 6}, {71, 2}, {69, 4}, {134, 5}, {168, 1}, {137, 3}} {
		l.authors = append(l.authors, pick(c[0], c[1]).Bold(true))
	}
	return l
}

// Author returns the style of a person's nick: the same everywhere, from the key, so that another key looks another.
func (l *Look) Author(id identity.PeerID) tcell.Style {
	h := fnv.New32a()
	_, _ = h.Write(id[:])
	return l.authors[h.Sum32()%uint32(len(l.authors))]
}

func unicodeGlyphs() Glyphs {
	return Glyphs{
		Hub: "♛", Here: "●", Away: "◐", Server: "■",
		Searching: "◌", Connected: "●", Alert: "▲",
		Waiting: "⧗", Two: "✓", Three: "✓✓", Lost: "✗",
		Note: "·", Problem: "!", Mentioned: "»",
		Down: "↓", Current: "▸", More: "…", Dot: "·",
		Bar: "│", Rule: "─", TopLeft: "┌", TopRight: "┐", BottomLeft: "└", BottomRight: "┘",
	}
}

func asciiGlyphs() Glyphs {
	return Glyphs{
		Hub: "^", Here: "*", Away: "-", Server: "=",
		Searching: "?", Connected: "*", Alert: "!",
		Waiting: ".", Two: "+", Three: "++", Lost: "x",
		Note: "-", Problem: "!", Mentioned: ">",
		Down: "v", Current: ">", More: "~", Dot: "-",
		Bar: "|", Rule: "-", TopLeft: "+", TopRight: "+", BottomLeft: "+", BottomRight: "+",
	}
}
