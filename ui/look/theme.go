package look

import (
	"fmt"
	"strings"
)

// Colours says for which background colours are, or that there are none.
type Colours string

const (
	Auto  Colours = "auto" // as the terminal's background is, dark where it does not tell
	Dark  Colours = "dark"
	Light Colours = "light"
	Mono  Colours = "mono"
)

// A Theme is what one chooses of a look. The zero Theme is Auto, with all glyphs.
type Theme struct {
	Colours Colours
	ASCII   bool   // only glyphs that every font and terminal has
	Locale  string // whose days and times, as LC_TIME names it; empty: C
}

// Themes are the words With takes.
const Themes = "auto, dark, light, mono, ascii or unicode"

// With returns the theme changed by words, separated by spaces or commas.
func (t Theme) With(words string) (Theme, error) {
	for _, w := range strings.FieldsFunc(strings.ToLower(words), func(r rune) bool { return r == ' ' || r == ',' }) {
		switch c := Colours(w); {
		case c == Auto || c == Dark || c == Light || c == Mono:
			t.Colours = c
		case w == "ascii" || w == "unicode":
			t.ASCII = w == "ascii"
		default:
			return t, fmt.Errorf("%q is none of %s", w, Themes)
		}
	}
	return t, nil
}

// String returns the words for t.
func (t Theme) String() string {
	c := t.Colours
	if c == "" {
		c = Auto
	}
	if t.ASCII {
		return string(c) + " ascii"
	}
	return string(c)
}

// ink is a colour of a terminal with 256 of them, and what is nearest to it of the first eight, whose looks are the user's choice.
type ink struct{ rich, poor int }

type palette struct {
	dim, border, good, warn, bad, mention, code, link ink
	authors                                           []ink
}

// palettes returns the colours for a background that is light, or not.
func palettes() map[bool]palette {
	return map[bool]palette{
		false: {
			dim: ink{247, 7}, border: ink{240, 7}, good: ink{114, 2}, warn: ink{179, 3}, bad: ink{210, 1}, mention: ink{221, 3}, code: ink{116, 6}, link: ink{75, 4},
			authors: []ink{{80, 6}, {114, 2}, {111, 4}, {176, 5}, {211, 1}, {180, 3}},
		},
		true: {
			dim: ink{241, 0}, border: ink{250, 0}, good: ink{22, 2}, warn: ink{94, 3}, bad: ink{160, 1}, mention: ink{124, 1}, code: ink{54, 5}, link: ink{25, 4},
			authors: []ink{{24, 6}, {22, 2}, {26, 4}, {91, 5}, {125, 1}, {94, 3}},
		},
	}
}
