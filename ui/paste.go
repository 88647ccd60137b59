package ui

import (
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// maxPaste bounds what is kept of a paste, in runes; longestPrompt what an overlay gets of it, in cells.
const (
	maxPaste      = 2 << 20
	longestPrompt = 500
)

// collect gathers what is pasted. Lines end in CR or LF, as the terminal likes; CR LF is one end.
func (a *app) collect(ev *tcell.EventKey) {
	if len(a.paste) > maxPaste {
		return
	}
	switch key := ev.Key(); {
	case key == tcell.KeyRune:
		a.paste = append(a.paste, ev.Rune())
	case key == tcell.KeyEnter:
		a.paste = append(a.paste, '\r')
	case key == tcell.KeyCtrlJ || key == tcell.KeyLF:
		a.paste = append(a.paste, '\n')
	case key == tcell.KeyTab:
		a.paste = append(a.paste, '\t')
	}
}

// pasted puts what was pasted at the cursor, where it can be looked at before Enter sends it. What is more than a message holds is asked about. An overlay in which
// one types gets it in one line.
func (a *app) pasted(raw string) {
	if o, ok := a.overlay.(interface{ pasted(line string) bool }); ok && o.pasted(cell.Fit(strings.TrimSpace(cell.Line(raw)), longestPrompt, "")) {
		return
	}
	a.closeOverlay()
	text := strings.TrimRight(cell.CleanTabs(raw), "\n")
	lines := strings.Count(text, "\n") + 1
	if len(text) <= message.MaxText && lines <= message.MaxLines {
		a.input.insert(raw)
		return
	}
	parts := split(text)
	if len(parts) < 2 { // the rest is blank
		a.input.insert(strings.Join(parts, ""))
		return
	}
	much := size(len(text))
	if lines > 1 {
		much = fmt.Sprintf("%d lines, %s", lines, much)
	}
	r := a.here()
	choose := func(words, about string, do func()) pick {
		return pick{func(x, y, w int) {
			used := a.put(x+1, y, w-1, piece{words, a.look.Text})
			cell.Put(a.screen, x+max(used+3, 24), y, max(w-max(used+3, 24), 0), cell.Fit(about, w-max(used+3, 24), a.look.More), a.look.Dim)
		}, do}
	}
	picks := []pick{choose("throw it away", "nothing is sent", func() {})}
	if room := maxOutbox - len(a.outbox); len(parts) <= room {
		picks = append(picks, choose(fmt.Sprintf("send %d messages", len(parts)), "a few each second", func() {
			for _, p := range parts {
				typed := p
				if strings.HasPrefix(p, "/") {
					typed = "/" + p
				}
				a.send(r, command.Action{Do: node.Say{Room: r.name, Text: tidy(p)}}, typed)
			}
			r.list.End()
		}))
	}
	picks = append(picks, choose("take the beginning", "as much as a message holds", func() { a.input.insert(parts[0]) }))
	a.open(&picker{app: a, title: "you pasted " + much + ": too much for one message", width: 64,
		picks: func(string) []pick { return picks }})
}

// size writes a number of bytes: "640 bytes", "12 kB", "1.2 MB".
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprint(n, " bytes")
	case n < 1000_000:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// split cuts text into parts that each fit a message: between lines, or between clusters in a line that is longer. Blank parts are left out.
func split(text string) []string {
	var parts []string
	part, lines := "", 0
	end := func() {
		if strings.TrimSpace(part) != "" {
			parts = append(parts, strings.TrimRight(part, "\n"))
		}
		part, lines = "", 0
	}
	for line := range strings.Lines(text) {
		if lines == message.MaxLines || len(part)+len(line) > message.MaxText {
			end()
		}
		for len(line) > message.MaxText {
			n := 0
			for n < message.MaxText {
				_, rest, _ := cell.Next(line[n:])
				if next := len(line) - len(rest); next <= message.MaxText {
					n = next
					continue
				}
				break
			}
			part, line = line[:max(n, 1)], line[max(n, 1):]
			end()
		}
		part += line
		lines++
	}
	end()
	return parts
}
