package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// CleanRoom makes a public room's name of s, with or without a leading '#': lower case, letters, digits, '-', '_', '.', at most MaxRoomName runes.
// It is an error where s holds anything else, or no letter and no digit: dropping a character could lead into another room.
// A clean name stays as it is when cleaned again.
func CleanRoom(s string) (string, error) {
	if simple(s, MaxRoomName) && strings.ToLower(s) == s && strings.ContainsAny(s, letters) {
		return s, nil
	}
	return cleanAnyRoom(s)
}

func cleanAnyRoom(s string) (string, error) {
	const enough = MaxRoomNameBytes * 4 // bytes: a name that long is too long in any form
	name := strings.TrimPrefix(strings.TrimSpace(s[:min(len(s), enough)]), "#")
	name = lower(lower(name)) // there are letters whose lower case is not normal
	switch {
	case strings.IndexFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0:
		return "", errors.New("a room's name needs a letter or a digit")
	case utf8.RuneCountInString(name) > MaxRoomName:
		return "", fmt.Errorf("a room's name has at most %d characters", MaxRoomName)
	case strings.ContainsFunc(name, notInRoom) || Tidy(name) != name || lower(name) != name:
		return "", errors.New("a room's name consists of letters, digits, - _ and . only")
	}
	return name, nil
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

func lower(s string) string { return norm.NFKC.String(strings.ToLower(s)) }

func notInRoom(r rune) bool {
	return r == utf8.RuneError || !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Nd) && !strings.ContainsRune("-_.", r)
}
