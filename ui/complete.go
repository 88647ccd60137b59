package ui

import (
	"slices"
	"strings"
	"unicode/utf8"

	"earshot/ui/cell"
	"earshot/ui/command"
)

// completion is a word being completed: what it may become, and which of that stands in the input now.
type completion struct {
	start, end int      // of what stands in the input
	choices    []choice // none: nothing is going on
	at         int
}

// choice is one thing a word may become, and what it means.
type choice struct{ text, about string }

// tab completes the word before the cursor; again, it goes to the next choice (by 1) or the one before (by -1).
func (a *app) tab(by int) {
	in := a.input
	c := &in.complete
	if len(c.choices) == 0 {
		text := in.GetText()
		_, _, cursor := in.GetSelection()
		c.start = strings.LastIndexAny(text[:cursor], " \n") + 1
		c.end = cursor
		c.choices = a.choices(text[c.start:cursor], c.start == 0)
		c.at = -1
		if by < 0 {
			c.at = 0
		}
	}
	if len(c.choices) == 0 {
		return
	}
	c.at = (c.at + by + len(c.choices)) % len(c.choices)
	in.Replace(c.start, c.end, c.choices[c.at].text)
	c.end = c.start + len(c.choices[c.at].text)
	if len(c.choices) == 1 {
		in.complete = completion{}
	}
}

// choices returns what a word may become: /command at the start, #room, @nick, or a nick, with a colon at the start.
func (a *app) choices(word string, first bool) []choice {
	var found []choice
	switch {
	case first && strings.HasPrefix(word, "/"):
		for _, name := range command.Complete(word[1:]) {
			spec, _ := command.Lookup(name)
			found = append(found, choice{"/" + name + " ", spec.Help})
		}
	case strings.HasPrefix(word, "#"):
		for _, r := range a.snapshot.Rooms {
			if begins(r.Name, word) {
				found = append(found, choice{cell.Line(r.Name) + " ", ""})
			}
		}
	case strings.HasPrefix(word, "@"):
		found = a.nicks(word[1:], "@", " ")
	case word != "" && first:
		found = a.nicks(word, "", ": ")
	case word != "":
		found = a.nicks(word, "", " ")
	}
	return found
}

func (a *app) nicks(prefix, before, after string) []choice {
	var found []choice
	for _, p := range a.snapshot.People {
		if !p.Me && begins(p.Nick, prefix) {
			found = append(found, choice{before + cell.Line(p.Nick) + after, ""})
		}
	}
	return slices.Compact(found)
}

// begins is HasPrefix in any letter case.
func begins(s, prefix string) bool {
	n := utf8.RuneCountInString(prefix)
	for i := range s {
		if n == 0 {
			return strings.EqualFold(s[:i], prefix)
		}
		n--
	}
	return n == 0 && strings.EqualFold(s, prefix)
}

// maxChoices is how many completions are shown at once.
const maxChoices = 8

// drawChoices draws what a word may become, above the input.
func (a *app) drawChoices(input rect) {
	c := a.input.complete
	n := min(len(c.choices), maxChoices, input.y-4)
	if n < 1 {
		return
	}
	text, about := 0, 0
	for _, ch := range c.choices {
		text, about = max(text, cell.Width(ch.text)), max(about, cell.Width(ch.about))
	}
	box := rect{input.x + 1, input.y - n - 2, min(text+about+5, input.w-2), n + 2}
	a.drawFrame(box)
	first := min(max(c.at-n+1, 0), len(c.choices)-n)
	for i := range n {
		ch, style, dim := c.choices[first+i], a.look.Text, a.look.Dim
		if first+i == c.at {
			style, dim = a.look.Selected, a.look.Selected
		}
		y, w := box.y+1+i, box.w-2
		cell.Put(a.screen, box.x+1, y, w, strings.Repeat(" ", w), style)
		cell.Put(a.screen, box.x+2, y, w-2, ch.text, style)
		cell.Put(a.screen, box.x+3+text, y, w-2-text, cell.Fit(ch.about, w-3-text, a.look.More), dim)
	}
}
