package message

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// CleanText makes text fit to store and show: valid UTF-8, NFC, line ends as \n, no control characters but \n and \t, no bidirectional
// overrides, zero-width, tag or stacked combining characters beyond what scripts need, no U+2028/2029/0085, at most MaxText bytes and MaxLines
// lines (cut is true where something was cut off). It is applied to what is typed before it is signed and to what is received before it is shown.
// Clean text stays as it is when cleaned again. Of a text that is much too long only the beginning is looked at.
func CleanText(s string) (clean string, cut bool) {
	const enough = 4 * MaxText
	if len(s) > enough {
		s, cut = s[:enough], true
	}
	clean = Tidy(s)
	if end, more := lines(clean, MaxLines); more {
		clean, cut = clean[:end], true
	}
	if len(clean) > MaxText {
		clean, cut = cutBefore(clean, MaxText), true
	}
	return clean, cut
}

// lines returns where line n of s ends, and whether there are more.
func lines(s string, n int) (end int, more bool) {
	if strings.Count(s, "\n") < n { // most text
		return len(s), false
	}
	for i := range len(s) {
		if s[i] != '\n' {
			continue
		}
		if n--; n == 0 {
			return i, true
		}
	}
	return len(s), false
}

// cutBefore cuts s, which is tidy, to at most limit bytes without cutting through a rune, what is drawn as one character, or a joiner's pair.
func cutBefore(s string, limit int) string {
	for limit > 0 {
		r, _ := utf8.DecodeRuneInString(s[limit:])
		if utf8.RuneStart(s[limit]) && !isMark(r) && !isJoiner(r) {
			break
		}
		limit--
	}
	return strings.TrimRightFunc(s[:limit], isJoiner)
}

// maxMarks is how many marks may sit on one character. Vietnamese needs two, pointed Hebrew and Thai three, few scripts four.
const maxMarks = 4

// Tidy does what CleanText does but for the cutting: it is for what is put together of clean text, and so may be longer. It works on decomposed text, where marks are counted: so the sum of what it
// removes does not depend on how the text was composed, and doing it twice changes nothing.
func Tidy(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = norm.NFD.String(strings.Map(visible, strings.ReplaceAll(s, "\r\n", "\n")))
	return norm.NFC.String(sift(s))
}

// plain reports whether s is ASCII that needs no cleaning, as most text is. Eight bytes are looked at together; only where one of them may be below ' ', 0x7f or above, each by itself.
func plain(s string) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (w|(w-' '*each)|(w+each))&top != 0 && !plainBytes(s[:8]) {
			return false
		}
	}
	return plainBytes(s)
}

func plainBytes(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// visible maps a rune to what stands for it wherever it is: every line end is \n, and what cannot be seen is removed (-1), except what
// sift decides about.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || ' ' <= r && r < 0x7f || 0xad < r && r < 0x300: // most text, without a look at the tables
		return r
	case r == '\r' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029:
		return '\n'
	case isJoiner(r) || isSelector(r) || unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return r
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return -1
	default:
		return r
	}
}

// sift removes from decomposed text what only its neighbours can justify:
// marks beyond maxMarks, or with nothing to sit on; variation selectors, but for the first after a character that can have one;
// joiners (ZWJ and ZWNJ), but for one between two characters neither of which is ASCII, as emoji and many scripts need.
func sift(s string) string {
	var (
		b      strings.Builder
		prev   rune // what was kept last, 0 at the start
		marks  int  // since the last character that is none
		joiner rune // that is kept if what follows justifies it
	)
	for _, r := range s {
		switch {
		case isJoiner(r):
			if joiner == 0 && prev >= utf8.RuneSelf {
				joiner = r
			}
			continue
		case isSelector(r):
			if joiner != 0 || !varies(prev) {
				continue
			}
		case isMark(r):
			if marks == maxMarks || prev == 0 || prev == '\n' || prev == '\t' {
				continue
			}
			marks++
		default:
			marks = 0
		}
		if joiner != 0 && r >= utf8.RuneSelf {
			b.WriteRune(joiner)
		}
		joiner, prev = 0, r
		b.WriteRune(r)
	}
	return b.String()
}

func isJoiner(r rune) bool { return r == 0x200c || r == 0x200d }

func isSelector(r rune) bool { return r >= 0x180b && unicode.Is(unicode.Variation_Selector, r) }

// isMark reports whether r is drawn over the character before it. Spacing marks are drawn beside it and do not stack,
// but for the few that are reordered like the others.
func isMark(r rune) bool {
	return r >= 0x300 && (unicode.In(r, unicode.Mn, unicode.Me) || unicode.Is(unicode.Mc, r) && norm.NFD.PropertiesString(string(r)).CCC() != 0)
}

// varies reports whether a variation selector after r can mean something: r is a digit or sign of which keycaps are made, or not ASCII.
func varies(r rune) bool {
	return r == '#' || r == '*' || '0' <= r && r <= '9' || r >= utf8.RuneSelf && !isMark(r)
}
