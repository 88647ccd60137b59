package command

import (
	"cmp"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kyokomi/emoji/v2"
	"github.com/rivo/uniseg"

	"earshot/node"
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
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i].Code, found[j].Code
		if first := strings.HasPrefix(a[1:], prefix); first != strings.HasPrefix(b[1:], prefix) {
			return first
		}
		return cmp.Or(len(a)-len(b), strings.Compare(a, b)) < 0
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

// picture returns the emoji that a shortcode stands for, with or without its colons.
func picture(code string) (string, bool) {
	picture, ok := emoji.CodeMap()[":"+strings.ToLower(strings.Trim(code, ":"))+":"]
	return picture, ok
}

// isEmoji reports whether text is a single sign that is no letter or number, nor on many keyboards, or that asks to be drawn as a picture (U+FE0F, U+20E3): "1️⃣".
func isEmoji(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	sign := first == 'ℹ' || first > unicode.MaxLatin1 && !unicode.In(first, unicode.L, unicode.M, unicode.N)
	return uniseg.GraphemeClusterCount(text) == 1 && (sign || strings.ContainsAny(text, "\ufe0f\u20e3"))
}

// pictures puts the emoji in place of shortcodes that stand by themselves, outside of code: "10:30:45" and "std::end::x" stay as they are.
func pictures(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 { // between them is code
		parts[i] = word.ReplaceAllStringFunc(parts[i], func(word string) string {
			codes := strings.Trim(word, "().,;!?")
			drawn, rest := "", codes
			for rest != "" {
				end := strings.Index(rest[1:], ":") + 2
				picture, ok := picture(rest[:end])
				if !ok || rest[0] != ':' {
					return word
				}
				drawn, rest = drawn+picture, rest[end:]
			}
			return strings.Replace(word, codes, drawn, 1)
		})
	}
	return strings.Join(parts, "`")
}

// word is immutable.
var word = regexp.MustCompile(`\S+`)

// drawn returns a command that says something with the pictures in it.
func drawn(c node.Command) node.Command {
	switch c := c.(type) {
	case node.Say:
		c.Text = pictures(c.Text)
		return c
	case node.Reply:
		c.Text = pictures(c.Text)
		return c
	case node.Edit:
		c.Text = pictures(c.Text)
		return c
	}
	return c
}
