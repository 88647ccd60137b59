package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/secure/precis"
)

// CleanNick makes a nickname of s by PRECIS nickname rules (RFC 8266) and the rules of CleanText on one line, at most MaxNick runes;
// white space becomes '_'. It drops '@', '#', ',', ':' and control characters, and '~' and the signs that this program shows beside
// nicks, so that nobody can claim them. It is an error where nothing is left or the name is reserved (hub, server, system, earshot,
// everyone, here, all, you, someone, nobody, lobby). A clean nick stays as it is when cleaned again.
func CleanNick(s string) (string, error) {
	nick, err := trimNick(s)
	if err != nil {
		return "", err
	}
	if isReserved(nick) {
		return "", fmt.Errorf("%q is reserved, choose another nickname", nick)
	}
	return nick, nil
}

// ShowNick is CleanNick for a nick that came from elsewhere: it never fails, shows "?" where nothing is left, and puts "?" behind a
// reserved one.
func ShowNick(s string) string {
	nick, err := trimNick(s)
	switch {
	case err != nil:
		return "?"
	case isReserved(nick):
		return nick + "?"
	default:
		return nick
	}
}

// Reserved reports whether the nicks of a key (NickKey) are those, or look like those, that CleanNick refuses, as ShowNick leaves them.
func Reserved(key string) bool { return reserved(strings.TrimRight(key, "?")) }

// trimNick does what CleanNick does but for reserved names. Neither PRECIS nor what is dropped around it is idempotent: as RFC 8266 §2.1
// asks, it is done until nothing changes, and given up after three times more.
func trimNick(s string) (string, error) {
	if simple(s, MaxNick) {
		return s, nil
	}
	return trimAnyNick(s)
}

func trimAnyNick(s string) (string, error) {
	const enough = 4 * MaxNickBytes // what is beyond it is not looked at
	nick := s[:min(len(s), enough)]
	for range 4 {
		next := cutRunes(freeform(strings.Map(nickRune, Tidy(nick))), MaxNick)
		if next == "" {
			return "", errors.New("nothing is left of this nickname: choose one with letters or digits")
		}
		if next == nick {
			return nick, nil
		}
		nick = next
	}
	return "", errors.New("this nickname cannot be used: choose another one")
}

// simple reports whether s is at most so many of the letters, digits and signs that names mostly consist of, and not none: such a name stays as it is. Each message is shown with two.
func simple(s string, most int) bool {
	for i := range len(s) {
		if c := s[i]; ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// nickRune maps a rune of a nick to what stands for it, or removes it.
func nickRune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' ' // PRECIS makes one of several and none of those around
	case strings.ContainsRune("@#,:~∼〜✓✔✅☑🗸√♛♕👑⧗\u2800", r): // U+2800 is a blank that is no space
		return -1
	default:
		return r
	}
}

// freeform applies the profile to s. Where the profile refuses s as a whole, it keeps the runes that it accepts one after another.
func freeform(s string) string {
	nick, err := precis.Nickname.String(s)
	if err != nil {
		for _, r := range s {
			if len(nick) > MaxNickBytes {
				break
			}
			if next, err := precis.Nickname.String(nick + string(r)); err == nil {
				nick = next
			}
		}
	}
	return strings.ReplaceAll(nick, " ", "_")
}

// cutRunes cuts s, which is tidy, to at most n runes without cutting through what is drawn as one character.
func cutRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return cutBefore(s, i)
		}
	}
	return s
}

// isReserved reports whether nick is, or looks like, a name by which the program speaks or many are addressed.
func isReserved(nick string) bool { return reserved(NickKey(nick)) }

func reserved(key string) bool {
	switch key {
	case "hub", "server", "system", "earshot", "everyone", "here", "all", "you", "someone", "nobody", "lobby":
		return true
	default:
		return false
	}
}
