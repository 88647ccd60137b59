package ui

import (
	"slices"
	"strings"
	"unicode/utf8"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// completion is the word before the cursor and what it may become. It is offered while one types /command, @nick, #room or :emoji:; Tab takes it,
// for a bare nick too.
type completion struct {
	start, end int      // of what stands in the input
	choices    []choice // none: nothing is offered
	at         int      // which of them stands there; -1: none yet
	closed     string   // Esc has closed it: nothing is offered while the word begins with this
}

// choice is one thing a word may become: what then stands there, and what it means.
type choice struct{ text, about string }

// maxEmoji is how many emoji are looked through with Tab.
const maxEmoji = 40

// word returns the word before the cursor.
func (i *input) word() (word string, start, end int) {
	text := i.GetText()
	_, _, end = i.GetSelection()
	start = strings.LastIndexAny(text[:end], " \n\t") + 1
	return text[start:end], start, end
}

// suggest offers what the word being typed may become, where it begins with a sign.
func (a *app) suggest() {
	in := a.input
	word, start, end := in.word()
	closed := in.complete.closed
	in.complete = completion{}
	if closed != "" && strings.HasPrefix(word, closed) {
		in.complete.closed = closed
		return
	}
	before := in.GetText()[:start]
	ends, person := command.Next(before)
	if !person && len(ends) == 0 && (word == "" || !strings.ContainsRune("/@#:", rune(word[0]))) {
		return
	}
	choices := a.choices(word, before)
	if len(choices) == 1 && strings.TrimSpace(choices[0].text) == word {
		return
	}
	in.complete = completion{start: start, end: end, choices: choices, at: -1}
}

// tabOrBrowse completes the word before the cursor; where nothing is typed, it goes among the messages.
func (a *app) tabOrBrowse(by int) {
	if a.input.GetTextLength() == 0 {
		a.openBrowse()
		return
	}
	a.tab(by)
}

// tab takes the next choice for the word before the cursor (by 1), or the one before (by -1).
func (a *app) tab(by int) {
	in := a.input
	c := &in.complete
	if len(c.choices) == 0 {
		word, start, end := in.word()
		*c = completion{start: start, end: end, choices: a.choices(word, in.GetText()[:start]), at: -1}
	}
	n := len(c.choices)
	if n == 0 {
		return
	}
	if c.at < 0 && by < 0 {
		c.at = 0
	}
	c.at = (c.at + by + n) % n
	in.Replace(c.start, c.end, c.choices[c.at].text)
	c.end = c.start + len(c.choices[c.at].text)
	if n == 1 {
		*c = completion{}
	}
}

// take ends a completion with what stands in the input. It reports whether there was one.
func (i *input) takeChoice() bool {
	taken := len(i.complete.choices) > 0 && i.complete.at >= 0
	i.complete = completion{}
	return taken
}

// closeChoices takes the offer off the screen, and reports whether there was one.
func (i *input) closeChoices() bool {
	if len(i.complete.choices) == 0 {
		return false
	}
	word, _, _ := i.word()
	i.complete = completion{closed: word}
	return true
}

// choices returns what a word may become: /command at the start, what ends the name of one, #room, @nick, :emoji:, or a nick, with a colon at the start. before is what stands before it.
func (a *app) choices(word, before string) []choice {
	var found []choice
	first := before == ""
	ends, person := command.Next(before)
	switch {
	case len(ends) > 0:
		for _, end := range ends {
			if strings.HasPrefix(end, word) {
				spec, _ := command.Lookup(strings.TrimSpace(before)[1:] + " " + end)
				found = append(found, choice{end + " ", spec.Help})
			}
		}
	case person && word == "":
		found = a.nicks("", "", " ")
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
	case strings.HasPrefix(word, ":") && len(word) > 2:
		for _, e := range command.Emojis(word[1:], maxEmoji) {
			found = append(found, choice{e.Picture + " ", e.Code})
		}
	case word != "" && first:
		found = a.nicks(word, "", ": ")
	case word != "":
		found = a.nicks(word, "", " ")
	}
	return found
}

func (a *app) nicks(prefix, before, after string) []choice {
	var found []choice
	people := a.snapshot.People
	if strings.HasPrefix(a.input.GetText(), "/unignore ") {
		people = a.snapshot.Ignored
	}
	for _, p := range people {
		if !p.Me && begins(p.Nick, prefix) {
			found = append(found, choice{before + cell.Line(p.Nick) + after, command.About(p)})
		}
	}
	for _, r := range a.snapshot.Rooms { // with those one has spoken, who are not here
		here := slices.ContainsFunc(a.snapshot.People, func(p node.Person) bool { return p.ID == r.With.ID })
		if r.Kind == node.DirectRoom && !here && begins(r.With.Nick, prefix) {
			found = append(found, choice{before + cell.Line(r.With.Nick) + after, "not here"})
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

// drawChoices draws what a word may become, above the input, without a frame where that has no room.
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
	box := rect{input.x + 1, input.y - n - 2, min(max(text+about+5, len(" Tab takes one ")+4), input.w-2), n + 2}
	a.drawFrame(box)
	if len(c.choices) > n || c.at < 0 {
		cell.Put(a.screen, box.x+2, box.y+box.h-1, box.w-4, " Tab takes one ", a.look.Dim)
	}
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
