package ui

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/sahilm/fuzzy"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// target is what the palette finds: a room, a person, a command or what a key does.
type target struct {
	text, about string
	do          func()
	command     bool
}

// sign is how long a sign before the name is, # @ or /, that is not looked for.
func (t target) sign(words string) int {
	const signs = "#@/"
	if strings.ContainsRune(signs, rune(words[0])) || !strings.ContainsRune(signs, rune(t.text[0])) {
		return 0
	}
	return 1
}

// openPalette lays over the screen everything one can go to, to be found by a few of its letters.
func (a *app) openPalette() {
	a.open(&picker{app: a, title: "go to", width: helpWidth, prompt: newPrompt(a.look), picks: func(words string) []pick {
		targets := a.targets()
		if words = strings.TrimSpace(words); words == "" {
			var all []pick
			for _, t := range targets {
				all = append(all, a.pickTarget(t, nil))
			}
			return all
		}
		var names []string
		for _, t := range targets {
			names = append(names, t.text[t.sign(words):])
		}
		matches := fuzzy.FindNoSort(words, names)
		for i, m := range matches { // rooms and people before commands that fit no better
			if targets[m.Index].command {
				matches[i].Score -= 10
			}
		}
		sort.SliceStable(matches, func(i, j int) bool { return matches[i].Score > matches[j].Score })
		var found []pick
		for _, m := range matches {
			for i := range m.MatchedIndexes {
				m.MatchedIndexes[i] += targets[m.Index].sign(words)
			}
			found = append(found, a.pickTarget(targets[m.Index], m.MatchedIndexes))
		}
		return found
	}})
}

// targets lists everything: rooms, those with news first, people, commands.
func (a *app) targets() []target {
	var all []target
	rooms := slices.Clone(a.rooms)
	slices.SortStableFunc(rooms, func(a, b *room) int { return min(b.news, 1) - min(a.news, 1) })
	for _, r := range rooms {
		about := cmp.Or(cell.Line(strings.Join(command.AboutRoom(r.info), ", ")), "room")
		if r.news > 0 {
			about += fmt.Sprintf(", %d unread", r.news)
		}
		all = append(all, target{cell.Line(r.name), about, func() { a.show(r.name) }, false})
	}
	for _, r := range a.snapshot.Rooms {
		if !r.Joined && r.Kind == node.PublicRoom {
			all = append(all, target{cell.Line(r.Name), "room, not joined", func() { a.submit("/join " + r.Name) }, false})
		}
	}
	for _, p := range a.snapshot.People {
		if !p.Me {
			nick := cell.Line(p.Nick)
			about := "person"
			if words := command.About(p); words != "" {
				about += ", " + words
			}
			all = append(all, target{"@" + nick, about, func() { a.submit("/query " + p.Nick) }, false})
		}
	}
	for _, c := range command.Table() {
		if c.Built() {
			all = append(all, target{"/" + c.Name, c.Help, func() { a.begin(c) }, true})
		}
	}
	for _, b := range bindings() {
		if b.menu {
			all = append(all, target{b.help, b.keys, func() { b.do(a, b.chords[0]) }, true})
		}
	}
	return all
}

// begin does a command that takes nothing; of another it types the name.
func (a *app) begin(c command.Spec) {
	if c.Args == "" || c.Name == "help" || c.Name == "room members" {
		a.submit("/" + c.Name)
		return
	}
	a.input.set("/" + c.Name + " " + strings.TrimSpace(a.input.GetText()))
}

// pickTarget shows a target with the letters that were found.
func (a *app) pickTarget(t target, found []int) pick {
	draw := func(x, y, w int) {
		var pieces []piece
		for rest := t.text; rest != ""; {
			at := len(t.text) - len(rest)
			var cluster string
			cluster, rest, _ = cell.Next(rest)
			style := a.look.Text
			if slices.Contains(found, at) {
				style = a.look.Mention
			}
			pieces = append(pieces, piece{cluster, style})
		}
		used := a.put(x+1, y, w-1, pieces...)
		at := max(used+2, 18)
		cell.Put(a.screen, x+1+at, y, max(w-1-at, 0), cell.Fit(t.about, w-1-at, a.look.More), a.look.Dim)
	}
	return pick{draw, t.do}
}
