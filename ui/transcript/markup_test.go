package transcript

import (
	"strings"
	"testing"
	"time"
)

// The letters below a text say what is part of what: c code, b bold, i italic, B both, l link, . a sign.
func TestMarkup(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"see `make rel` now", "    .cccccccc.    "},
		{"*bold* and _italic_", ".bbbb.     .iiiiii."},
		{"*_both_*", "..BBBB.."},
		{"2*3*4 snake_case_name a * b * c", strings.Repeat(" ", 31)},
		{"`*no*` *`co`*", ".cccc. ..cc.."},
		{"*open _to the end", strings.Repeat(" ", 17)},
		{"``` *go*\nx *y* _z_\n```\n*a*", "........ ccccccccc ... .b."},
		{"``` never closed\n`x`", "................ ccc"},
		{"go to https://a.b/c_d_e*f*.", "      lllllllllllllllllll  "},
		{"(http://a.b/(c)), ahttp://x https://", " llllllllllllll" + strings.Repeat(" ", 21)},
		{"javascript://x HTTP://A file://y", "               llllllll         "},
		{"*", " "},
		{"", ""},
	} {
		var got strings.Builder
		for _, a := range markup(c.text) {
			switch {
			case a&sign != 0:
				got.WriteByte('.')
			case a&code != 0:
				got.WriteByte('c')
			case a&link != 0:
				got.WriteByte('l')
			case a&bold != 0 && a&italic != 0:
				got.WriteByte('B')
			case a&bold != 0:
				got.WriteByte('b')
			case a&italic != 0:
				got.WriteByte('i')
			default:
				got.WriteByte(' ')
			}
		}
		if got.String() != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.text, got.String(), c.want)
		}
	}
}

// What would take long to look at takes no longer than a moment: the work grows with the text, not with its square.
func TestMarkupIsQuick(t *testing.T) {
	for _, text := range []string{strings.Repeat(" *a", 20000), strings.Repeat("`a", 30000), strings.Repeat("http://", 9000), strings.Repeat("_a_ ", 15000), "http://a" + strings.Repeat(")", 60000)} {
		var took time.Duration
		for range 5 { // on a machine that is busy with other things the quickest counts
			start := time.Now()
			markup(text)
			if took = time.Since(start); took < time.Second {
				break
			}
		}
		if took >= time.Second {
			t.Errorf("%.10q… took %v", text, took)
		}
	}
}

// Only what is seen as it is becomes a hyperlink.
func TestHyperlink(t *testing.T) {
	for target, want := range map[string]bool{"https://example.org/a?b=c;d": true, "https://exаmple.org/": false, "https://a/\u00ad": false} {
		if hyperlink(target) != want {
			t.Errorf("%q: not %v", target, want)
		}
	}
}
