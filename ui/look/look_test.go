package look

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node/identity"
	"earshot/ui/cell"
)

func TestGlyphs(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		glyphs := reflect.ValueOf(New(256, Theme{ASCII: ascii}).Glyphs)
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
		theme   Colours
	}{{256, Auto}, {256, Light}, {1 << 24, Dark}, {8, Dark}, {0, Light}, {256, Mono}} {
		l, none := New(c.colours, Theme{Colours: c.theme}), c.theme == Mono
		for i := range 100 {
			id := identity.PeerID{byte(i), 7}
			style := l.Author(id)
			if style != l.Author(id) {
				t.Errorf("%+v: a person has two styles", c)
			}
			if !none && c.colours >= 256 {
				people[style] = true
			}
		}
		styles := []tcell.Style{l.Text, l.Dim, l.Strong, l.Border, l.Title, l.Good, l.Warn, l.Bad, l.Mention, l.Unread, l.Badge, l.Crown, l.Selected, l.Code, l.Link, l.Author(identity.PeerID{})}
		for i, s := range styles {
			fg, bg, _ := s.Decompose()
			if bg != tcell.ColorDefault || (none || c.colours < 8) && fg != tcell.ColorDefault {
				t.Errorf("%+v: style %d is %v on %v", c, i, fg, bg)
			}
		}
	}
	if len(people) < 5 {
		t.Errorf("100 people have %d styles", len(people))
	}
}

// What is to be read stands out from the backgrounds that are common: those of xterm and most others, VS Code, Dracula, Solarized, GitHub.
func TestContrast(t *testing.T) {
	for theme, backgrounds := range map[Colours][]int32{Dark: {0x000000, 0x1e1e1e, 0x282a36, 0x002b36}, Light: {0xffffff, 0xfdf6e3, 0xf6f8fa}} {
		l := New(256, Theme{Colours: theme})
		styles := append([]tcell.Style{l.Dim, l.Good, l.Warn, l.Bad, l.Mention, l.Unread, l.Badge, l.Crown, l.Code, l.Link}, l.authors...)
		for i, s := range styles {
			for _, bg := range backgrounds {
				fg, _, _ := s.Decompose()
				if c := contrast(fg.Hex(), bg); c < 4.5 {
					t.Errorf("%s: style %d, #%06x on #%06x: %.1f", theme, i, fg.Hex(), bg, c)
				}
			}
		}
	}
}

// contrast is WCAG 2.2's: 1 to 21.
func contrast(a, b int32) float64 {
	light, dark := luminance(a), luminance(b)
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

func luminance(rgb int32) float64 {
	sum := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(rgb>>(8*i)&0xff) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

func TestTheme(t *testing.T) {
	for words, want := range map[string]string{"": "auto", "light": "light", "Mono,ascii": "mono ascii", "ascii unicode dark": "dark"} {
		if got, err := (Theme{}).With(words); err != nil || got.String() != want {
			t.Errorf("%q: %v %v, want %s", words, got, err, want)
		}
	}
	if _, err := (Theme{}).With("pink"); err == nil {
		t.Error("pink is taken")
	}
}

// Every locale writes times in no more cells than it says and its days without a control character.
func TestClock(t *testing.T) {
	day := time.Date(2026, 11, 20, 21, 5, 0, 0, time.UTC)
	for locale, want := range map[string]string{
		"C.UTF-8":     "Friday 20 November|21:05",
		"":            "Friday 20 November|21:05",
		"xx_YY":       "Friday 20 November|21:05",
		"de_DE.UTF-8": "Freitag, 20. November 2026|21:05",
		"de_AT@euro":  "Freitag, 20. November 2026|21:05",
		"en_US.UTF-8": "Friday, November 20, 2026| 9:05 pm",
		"en_GB.UTF-8": "Friday, 20 November 2026|21:05",
		"fr_FR.UTF-8": "vendredi 20 novembre 2026|21:05",
		"ja_JP.eucJP": "2026年11月20日金曜日|21:05",
	} {
		c := ClockFor(locale)
		if got := c.Day(day, false) + "|" + c.Time(day); got != want {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
	}
	for locale := range known() {
		c := ClockFor(locale)
		for m := time.January; m <= time.December; m++ {
			at := time.Date(2026, m, 1+2*int(m), int(m)*2-1, 59, 0, 0, time.UTC)
			if day := c.Day(at, false); day == "" || cell.Width(day) > 40 || cell.Line(day) != day {
				t.Errorf("%s: %q", locale, day)
			}
			if clock := c.Time(at); cell.Width(clock) != c.Width() || c.Width() > 14 {
				t.Errorf("%s: %q is not %d wide", locale, clock, c.Width())
			}
		}
	}
}
