package command

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kyokomi/emoji/v2"
)

// An Emoji is a picture and its shortcode, ":smile:".
type Emoji struct{ Code, Picture string }

// Emojis returns up to max emoji whose shortcode begins with ":" and prefix, the shortest first, then those in which another word does. There is one code for
// each, and none with a skin tone.
func Emojis(prefix string, max int) []Emoji {
	prefix = strings.ToLower(prefix)
	var found []Emoji
	for code, picture := range emoji.CodeMap() {
		if (strings.HasPrefix(code[1:], prefix) || strings.Contains(code, "_"+prefix)) && !strings.ContainsAny(picture, "🏻🏼🏽🏾🏿") {
			found = append(found, Emoji{code, picture})
		}
	}
	first := func(e Emoji) int {
		if strings.HasPrefix(e.Code[1:], prefix) {
			return 0
		}
		return 1
	}
	slices.SortFunc(found, func(a, b Emoji) int {
		return cmp.Or(first(a)-first(b), len(a.Code)-len(b.Code), strings.Compare(a.Code, b.Code))
	})
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(e Emoji) bool {
		plain := strings.TrimSuffix(e.Picture, "\ufe0f") // some are there with and without asking for colour
		again := seen[plain]
		seen[plain] = true
		return again
	})
	return found[:min(len(found), max)]
}

// Picture returns the emoji that a shortcode stands for, with or without its colons.
func Picture(code string) (string, bool) {
	picture, ok := emoji.CodeMap()[":"+strings.Trim(code, ":")+":"]
	return picture, ok
}
