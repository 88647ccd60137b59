// Package cell puts text into the cells of a terminal: it cuts text into grapheme clusters, measures them, wraps lines, and keeps out
// what would command the terminal or hide in it.
//
// It is the second of two barriers. The node cleans text when it arrives; here every cluster is looked at again just before it is drawn,
// because a screen passes on whatever bytes a cell holds. Everything is a pure function or draws on the screen it is given.
package cell

import (
	"strings"
	"unicode"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
)

// maxMarks is how many marks one letter may carry: Vietnamese needs two, Hebrew with cantillation four.
const maxMarks = 4

// maxRunes bounds a cluster: a family of four with skin tones has eleven. What is longer is cut.
const maxRunes = 16

// Allowed reports whether a rune may stand in a cell: no control, no bidirectional override, no separator of lines, nothing invisible but the
// joiners and tags that emoji and some scripts are made with.
func Allowed(r rune) bool {
	switch {
	case r < 0x20:
		return false
	case r < 0x7f:
		return true
	case r == 0x200c || r == 0x200d || r >= 0xe0020 && r <= 0xe007f:
		return true // ZWNJ, ZWJ, tags of flags
	case r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 || r == 0x2800:
		return false // fillers: letters that look like nothing
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
}

// Next cuts the first cluster from s, without what is not allowed in it, and returns its width in cells: 1 or 2, or 0 where nothing
// of it can be shown. A cluster that takes more than two cells, as in Burmese, comes in parts.
func Next(s string) (cluster, rest string, width int) {
	if s == "" {
		return "", "", 0
	}
	if c := s[0]; c >= 0x20 && c < 0x7f && (len(s) == 1 || s[1] < 0x80) {
		return s[:1], s[1:], 1
	}
	cluster, _, width, _ = uniseg.FirstGraphemeClusterInString(s[:window(s)], -1)
	if n := part(cluster); n < len(cluster) {
		cluster = cluster[:n]
		width = uniseg.StringWidth(cluster)
	}
	rest = s[len(cluster):]
	if clean := filter(cluster); clean != cluster {
		cluster, width = clean, uniseg.StringWidth(clean)
	}
	switch {
	case width <= 0:
		return "", rest, 0
	case width > 2: // the two- and three-em dashes
		return "—", rest, 1
	}
	return cluster, rest, width
}

// window is where the first maxRunes runes of s end.
func window(s string) int {
	runes := 0
	for i := range s {
		if runes++; runes > maxRunes {
			return i
		}
	}
	return len(s)
}

// part is how much of a cluster two cells can hold, where that is text and each of its runes takes its own: letters and vowels beside them, or leading consonants of Hangul, which no syllable has two of.
// The signs that a picture is made of take one place together.
func part(cluster string) int {
	cells := 0
	for i, r := range cluster {
		switch {
		case i == 0 && unicode.IsSymbol(r):
			return len(cluster)
		case r >= 0x1160 && r < 0x1200 || r >= 0xd7b0 && r < 0xd800:
			continue // the rest of a syllable
		}
		if cells += uniseg.StringWidth(string(r)); cells > 2 && i > 0 {
			return i
		}
	}
	return len(cluster)
}

func filter(cluster string) string {
	marks := 0
	base := rune(0)
	keep := func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Me) && !unicode.Is(unicode.Variation_Selector, r) {
			marks++
		}
		tag := r >= 0xe0020 && r <= 0xe007f
		if !Allowed(r) || marks > maxMarks || tag && base != 0x1f3f4 {
			return -1
		}
		if base == 0 {
			base = r
		}
		return r
	}
	clean := strings.Map(keep, strings.ToValidUTF8(cluster, "\uFFFD"))
	return strings.TrimRight(clean, "\u200d") // a joiner that joins nothing
}

// tab is what a tab is shown as: as wide as in tview's TextArea.
const tab = "    "

// Clean returns text as its cells will show it: clusters as Next returns them, lines ended by \n alone, tabs as four spaces.
func Clean(text string) string { return clean(text, tab) }

// CleanTabs is Clean for what is to be said, or copied: tabs stay.
func CleanTabs(text string) string { return clean(text, "\t") }

func clean(text, tab string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] >= 0x20 && text[i] < 0x7f || text[i] == '\n'
	}
	if plain {
		return text
	}
	text = strings.NewReplacer("\t", tab, "\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	var b strings.Builder
	for text != "" {
		if text[0] == '\n' || text[0] == '\t' {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		var cluster string
		cluster, text, _ = Next(text)
		b.WriteString(cluster)
	}
	return b.String()
}

// Line is Clean on one line: for nicks, names of rooms and networks.
func Line(text string) string { return strings.ReplaceAll(Clean(text), "\n", " ") }

// Width returns how many cells a line takes.
func Width(line string) int {
	n := 0
	for line != "" {
		var w int
		_, line, w = Next(line)
		n += w
	}
	return n
}

// Fit returns line, or as much of it as fits into max cells with tail at its end.
func Fit(line string, max int, tail string) string {
	if Width(line) <= max {
		return line
	}
	room := max - Width(tail)
	if room < 0 {
		return ""
	}
	var b strings.Builder
	for line != "" {
		var cluster string
		var w int
		if cluster, line, w = Next(line); w > room {
			break
		}
		room -= w
		b.WriteString(cluster)
	}
	return b.String() + tail
}

// Put draws a line from x, y on at most max cells and returns how many it took.
func Put(s tcell.Screen, x, y, max int, line string, style tcell.Style) int {
	used := 0
	for line != "" {
		var cluster string
		var w int
		cluster, line, w = Next(line)
		if w == 0 {
			continue
		}
		if used+w > max {
			break
		}
		s.Put(x+used, y, cluster, style)
		used += w
	}
	return used
}
