package cell

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"a\r\nb\rc\vd\fe":        "a\nb\nc\nd\ne",
		"a\u0085b\u2028c\u2029":  "a\nb\nc\n",
		"a\tb":                   "a    b",
		"a\x1b[31mb\x07\x00\x7f": "a[31mb",
		"\u009b31m\u0090x":       "31mx",
		"a\u202eb\u2067c\u200e":  "abc",
		"a\u200bb\ufeffc\u00ad":  "abc",
		"a\u3164\u2800b":         "ab",
		"a\u200db":               "ab",
		"می\u200cخواهم":          "می\u200cخواهم",
		"👨‍👩‍👧 🇩🇪 👍🏽 ❤️ 1️⃣": "👨‍👩‍👧 🇩🇪 👍🏽 ❤️ 1️⃣",
		"e\u0301":                          "e\u0301",
		"z" + strings.Repeat("\u0300", 60): "z\u0300\u0300\u0300\u0300",
		"a\U000E0041b":                     "ab",
		"\xff\xfe":                         "\uFFFD\uFFFD",
		"\u2e3a":                           "—",
		"\u0301":                           "",
		"ကြွော်":                           "ကြွော်",
		"क" + strings.Repeat("ा", 20):      "क" + strings.Repeat("ा", 20),
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := CleanTabs(in); strings.ReplaceAll(got, "\t", tab) != want || strings.Contains(got, "\t") != strings.Contains(in, "\t") {
			t.Errorf("%q: %q with its tabs", in, got)
		}
	}
}

// A cluster takes no more cells than each of its runes takes by itself, for that is how most terminals show it.
func TestNext(t *testing.T) {
	for in, want := range map[string]string{
		"ကြွော်":                            "ကြွ|ေ|ာ်",
		"क" + strings.Repeat("ा", 4):        "का|ाा|ा",
		strings.Repeat("\u1100", 3):         "\u1100|\u1100|\u1100",
		"\u1100\u1161\u11a8\u1100\u1161":    "\u1100\u1161\u11a8|\u1100\u1161",
		"ที่นี่":                            "ที่|นี่",
		"👨‍👩‍👧🇩🇪👍🏽❤️1️⃣":                    "👨‍👩‍👧|🇩🇪|👍🏽|❤️|1️⃣",
		strings.Repeat("👩\u200d", 12) + "👩": strings.Repeat("👩\u200d", 7) + "👩|" + strings.Repeat("👩\u200d", 4) + "👩",
	} {
		var parts []string
		for rest := in; rest != ""; {
			cluster, after, width := Next(rest)
			if width < 1 || width > 2 {
				t.Errorf("%q in %q takes %d cells", cluster, in, width)
			}
			parts, rest = append(parts, cluster), after
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"漢字漢字", 5, "漢字…"}, {"漢字漢字", 4, "漢…"}, {"abc", 1, "…"}, {"abc", 0, ""}, {"abc", -3, ""}} {
		if got := Fit(c.in, c.max, "…"); got != c.want {
			t.Errorf("%q in %d: %q", c.in, c.max, got)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 5, ""},
		{"one two three", 7, "one two|three"},
		{"one  two", 4, "one|two"},
		{"  indented text", 10, "  indented|text"},
		{"a\n\nb", 5, "a||b"},
		{"abcdefgh", 3, "abc|def|gh"},
		{"well-known", 6, "well-|known"},
		{"http://a.b/cd/ef", 10, "http://|a.b/cd/ef"},
		{"漢字漢字", 4, "漢字|漢字"},
		{"漢字漢字。", 8, "漢字漢|字。"},
		{"👍🏽👍🏽 ok", 4, "👍🏽👍🏽|ok"},
		{"👍🏽 ok", 8, "👍🏽 ok"},
		{" abcdefghi。", 10, "|abcdefghi|。"},
		{"漢", 1, "漢"},
		{"ab", 0, "a|b"},
	} {
		var lines []string
		for _, r := range Wrap(c.in, c.width) {
			lines = append(lines, c.in[r.Start:r.End])
		}
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

// Whatever the text: cleaning it twice changes nothing, its lines fit, only spaces and line ends are lost between them, and no cluster is cut.
func FuzzWrap(f *testing.F) {
	for _, s := range []string{"one two three", "漢字漢字。漢", "👍🏽👍🏽 👨‍👩‍👧‍👦", "a\x1b[31m\r\u2028b\u202e", "e\u0301" + strings.Repeat("\u0300", 9), "\xff 🇩🇪🇩🇪🇩 x", strings.Repeat("w", 50), "   ", "\u2e3b\u2e3b", "ကြွော်\u1100\u1100\u1161", strings.Repeat("👩\u200d", 12) + "\U0001f3f4\U000e0067"} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = min(max(width, 1), 200)
		text := Clean(s)
		if again := Clean(text); again != text {
			t.Fatalf("%q cleaned is %q, and again %q", s, text, again)
		}
		for _, r := range text {
			if r != '\n' && !Allowed(r) {
				t.Fatalf("%q lets %U through", s, r)
			}
		}
		at := 0
		for _, r := range Wrap(text, width) {
			if lost := text[at:r.Start]; strings.Trim(lost, " \n") != "" {
				t.Fatalf("%q in %d: %q is lost", text, width, lost)
			}
			line := text[r.Start:r.End]
			if n := Width(line); n > width && (width > 1 || uniseg.GraphemeClusterCount(line) > 1) {
				t.Fatalf("%q in %d: %q has %d", text, width, line, n)
			}
			if !utf8.ValidString(line) {
				t.Fatalf("%q in %d: a rune is cut in %q", text, width, line)
			}
			at = r.End
		}
		if lost := text[at:]; strings.Trim(lost, " \n") != "" {
			t.Fatalf("%q in %d: %q is lost", text, width, lost)
		}
	})
}
