// Package look says what things look like: the styles and the glyphs of the full screen, and how a day and a time are written.
//
// Backgrounds are the terminal's own. Colours come from the 256-colour palette, one set for dark backgrounds and one for light, each with a contrast of
// at least 4.5:1 (WCAG 2.2 §1.4.3) on the backgrounds that are common. Whatever a colour says, a glyph or a word says too, so that nothing is lost where there
// is none.
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
	Faded                         tcell.Style // what lies under something else: not to be read
	QR                            tcell.Style // of the rows of QR: black on white
	authors                       []tcell.Style

	Glyphs
	Clock Clock
}

// Glyphs are the signs beside the words. All are one cell wide, but Three.
type Glyphs struct {
	Hub, Here, Away, Server     string
	Searching, Connected, Alert string
	Waiting, Two, Three, Lost   string // delivery of an own message
	Seen                        string // likewise: the other has read it
	Private                     string // a room that only its members can read
	Verified                    string // the user has compared a person's fingerprint
	Note, Problem, Mentioned    string
	Down, Current, More, Dot    string
	Bar, Rule                   string
	TopLeft, TopRight           string
	BottomLeft, BottomRight     string
}

// New returns the look of a theme on a terminal with that many colours.
func New(colours int, t Theme) *Look {
	l := &Look{Glyphs: unicodeGlyphs(), Clock: ClockFor(t.Locale)}
	if t.ASCII {
		l.Glyphs = asciiGlyphs()
	}
	plain := tcell.StyleDefault
	l.QR = plain.Foreground(tcell.PaletteColor(black)).Background(tcell.PaletteColor(white)) // no matter of taste
	l.Text, l.Strong, l.Title = plain, plain.Bold(true), plain.Bold(true)
	l.Dim, l.Border = plain.Dim(true), plain.Dim(true)
	l.Good, l.Warn, l.Bad = plain, plain.Bold(true), plain.Bold(true)
	l.Mention, l.Unread, l.Crown = plain.Bold(true).Underline(true), plain.Bold(true), plain.Bold(true)
	l.Badge, l.Selected = plain.Reverse(true), plain.Reverse(true)
	l.Code, l.Link, l.Faded = plain, plain.Underline(true), l.Dim
	l.authors = []tcell.Style{plain.Bold(true)}
	if t.Colours == Mono || colours < 8 {
		return l
	}
	p := palettes()[t.Colours == Light]
	rich := colours >= 256
	pick := func(i ink) tcell.Style {
		if rich {
			return plain.Foreground(tcell.PaletteColor(i.rich))
		}
		return plain.Foreground(tcell.PaletteColor(i.poor))
	}
	if rich {
		l.Dim, l.Border, l.Faded = pick(p.dim), pick(p.border), pick(p.border)
	}
	l.Good, l.Warn, l.Bad = pick(p.good), pick(p.warn), pick(p.bad).Bold(true)
	l.Mention, l.Unread, l.Crown = pick(p.mention).Bold(true), pick(p.bad), pick(p.warn)
	l.Badge = pick(p.warn).Reverse(true)
	l.Code, l.Link = pick(p.code), pick(p.link).Underline(true)
	l.authors = nil
	for _, i := range p.authors {
		l.authors = append(l.authors, pick(i).Bold(true))
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
		Waiting: "⧗", Two: "✓", Three: "✓✓", Lost: "✗", Seen: "◉", Private: "⚷", Verified: "✓",
		Note: "·", Problem: "!", Mentioned: "»",
		Down: "↓", Current: "▸", More: "…", Dot: "·",
		Bar: "│", Rule: "─", TopLeft: "┌", TopRight: "┐", BottomLeft: "└", BottomRight: "┘",
	}
}

func asciiGlyphs() Glyphs {
	return Glyphs{
		Hub: "^", Here: "*", Away: "-", Server: "=",
		Searching: "?", Connected: "*", Alert: "!",
		Waiting: ".", Two: "+", Three: "++", Lost: "x", Seen: "r", Private: "p", Verified: "+",
		Note: "-", Problem: "!", Mentioned: ">",
		Down: "v", Current: ">", More: "~", Dot: "-",
		Bar: "|", Rule: "-", TopLeft: "+", TopRight: "+", BottomLeft: "+", BottomRight: "+",
	}
}
