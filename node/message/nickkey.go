package message

import (
	"strings"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// NickKey returns what nicks that people could take for each other have in common: letter case, width, accents and joiners do not
// count, and letters of other scripts are the Latin ones they look like. It is for comparing, not for showing.
func NickKey(nick string) string {
	if simple(nick, len(nick)) {
		return strings.Map(latin, strings.ToLower(nick))
	}
	return anyNickKey(nick)
}

func anyNickKey(nick string) string {
	if key, err := precis.Nickname.CompareKey(nick); err == nil {
		nick = key
	}
	return strings.Map(func(r rune) rune {
		if isMark(r) || isJoiner(r) {
			return -1
		}
		return latin(r)
	}, norm.NFKD.String(strings.ToLower(nick)))
}

// latin returns the Latin letter that r, a letter in lower case, looks like in one case or the other; letters and digits that look alike are one.
// The pairs are the most deceiving ones of Unicode's confusables.txt (UTS #39) for letters of the living scripts.
func latin(r rune) rune {
	switch r {
	case 'а', 'α', 'ɑ':
		return 'a'
	case 'в', 'β', 'ь':
		return 'b'
	case 'с', 'ϲ', 'ᴄ':
		return 'c'
	case 'ԁ':
		return 'd'
	case 'е', 'ε', 'є':
		return 'e'
	case 'ɡ', 'ց':
		return 'g'
	case 'һ', 'н', 'η', 'հ':
		return 'h'
	case 'i', '1', '|', 'l', 'і', 'ι', 'ı', 'ӏ', 'ɩ', 'ǀ', 'ا':
		return 'l'
	case 'ј', 'ϳ':
		return 'j'
	case 'к', 'κ':
		return 'k'
	case 'м', 'μ':
		return 'm'
	case 'ո', 'п':
		return 'n'
	case '0', 'о', 'ο', 'օ', 'σ', 'ө', 'ه', '०', '٥':
		return 'o'
	case 'р', 'ρ':
		return 'p'
	case 'ԛ', 'գ':
		return 'q'
	case 'г':
		return 'r'
	case 'ѕ', '5':
		return 's'
	case 'т', 'τ':
		return 't'
	case 'ս', 'υ':
		return 'u'
	case 'ѵ', 'ν':
		return 'v'
	case 'ԝ', 'ω', 'ш':
		return 'w'
	case 'х', 'χ':
		return 'x'
	case 'у', 'γ', 'ү':
		return 'y'
	case 'ζ':
		return 'z'
	default:
		return r
	}
}
