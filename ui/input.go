package ui

import (
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/command"
	"earshot/ui/look"
	"earshot/ui/transcript"
)

const (
	maxInputRows = 6
	// maxInput bounds what can be typed before Enter says that it is too long: room to edit a paste down.
	maxInput = 4 * message.MaxText
	// maxRecall is how many lines that were sent or discarded the arrow up brings back.
	maxRecall = 100
)

// input is the line at the bottom: tview's TextArea, what stood there before, and the completion that is going on.
type input struct {
	*tview.TextArea
	look      *look.Look
	sent      []string // or discarded
	recalled  int      // how far back; 0: not recalling
	complete  completion
	uncounted bool // its length is not shown
}

func newInput(l *look.Look) *input {
	area := tview.NewTextArea().SetWrap(true).SetWordWrap(true).SetMaxLength(maxInput)
	area.SetRect(0, 0, 70, 1)
	area.Focus(func(tview.Primitive) {})
	i := &input{TextArea: area}
	i.setLook(l)
	return i
}

// newPrompt is an input for a few words of the user's own, whose length is nobody's business.
func newPrompt(l *look.Look) *input {
	i := newInput(l)
	i.uncounted = true
	return i
}

func (i *input) setLook(l *look.Look) {
	i.look = l
	i.SetTextStyle(l.Text).SetSelectedStyle(l.Selected).SetBackgroundColor(tcell.ColorDefault)
}

// press gives a key to the text area.
func (i *input) press(ev *tcell.EventKey) {
	if ev.Key() == tcell.KeyRune && !cell.Allowed(ev.Rune()) {
		return
	}
	i.InputHandler()(ev, func(tview.Primitive) {})
}

// killBack deletes from the beginning of the line to the cursor, as readline does (the text area would delete the whole line).
func (i *input) killBack() {
	_, _, cursor := i.GetSelection()
	i.Replace(strings.LastIndexByte(i.GetText()[:cursor], '\n')+1, cursor, "")
	i.complete = completion{}
}

// insert puts text at the cursor, as a paste does.
func (i *input) insert(text string) {
	i.complete = completion{}
	i.PasteHandler()(cell.CleanTabs(text), func(tview.Primitive) {})
}

// take empties the input and remembers what stood there.
func (i *input) take(text string) {
	i.remember(text)
	i.set("")
}

// discard empties the input and remembers what stood there, unless it was only recalled. last is the user's last message in the room.
func (i *input) discard(last transcript.Selected) {
	if text := i.GetText(); i.recalled == 0 || text != i.was(i.recalled, last) {
		i.remember(text)
	}
	i.set("")
}

func (i *input) remember(text string) {
	if strings.TrimSpace(text) != "" && (len(i.sent) == 0 || i.sent[len(i.sent)-1] != text) {
		i.sent = append(i.sent, text)
		i.sent = i.sent[max(len(i.sent)-maxRecall, 0):]
	}
}

func (i *input) set(text string) {
	i.recalled, i.complete = 0, completion{}
	i.SetText(text, true)
}

// restore gives a line back that could not be said, where nothing else was typed meanwhile.
func (i *input) restore(typed string) {
	if i.GetText() == "" {
		i.set(typed)
	}
}

// moveTo puts what is being typed into another input, where nothing is.
func (i *input) moveTo(other *input) {
	if text := i.GetText(); text != "" && other.GetText() == "" {
		i.set("")
		other.set(text)
	}
}

// was is what stood in the input so many times back. last is the user's last message in the room: where that was sent last, it is to be changed. It is named, for its text may begin like the name of
// another: with a number.
func (i *input) was(back int, last transcript.Selected) string {
	text := i.sent[len(i.sent)-back]
	if back == 1 && last.ID != (message.ID{}) && says(text) == last.Text {
		return naming("/edit", last) + last.Text
	}
	return text
}

// recall goes back (1) or forth (-1) in what was sent or discarded. It starts only from an empty input, and goes on only from an unchanged line.
func (i *input) recall(by int, last transcript.Selected) bool {
	text := i.GetText()
	if i.recalled == 0 && (text != "" || by < 0) || i.recalled > 0 && text != i.was(i.recalled, last) {
		return false
	}
	to := i.recalled + by
	if to > len(i.sent) {
		return true
	}
	text = ""
	if to > 0 {
		text = i.was(to, last)
	}
	i.set(text)
	i.recalled = to
	return true
}

// says is what a line says that was sent, as it comes back; nothing of a command.
func says(line string) string {
	if command.IsCommand(line) {
		return ""
	}
	action, _ := command.Parse(tidy(line), command.At{})
	say, _ := action.Do.(node.Say)
	return cell.CleanTabs(say.Text)
}

// rows returns how many rows the text takes at a width. The text area does not tell; it may wrap a little differently, so the cursor has its say.
func (i *input) rows(width int) int {
	text := cell.Clean(i.GetText())
	if text == "" {
		return 1
	}
	_, _, cursor, _ := i.GetCursor()
	return max(len(cell.Wrap(text, width)), cursor+1)
}

// fill moves the text down where there is room above it: the area scrolls when it is too small, but not back when it has grown.
func (i *input) fill(width, height int) {
	most := max(i.rows(width)-height, 0)
	if row, _ := i.GetOffset(); row > most {
		i.SetOffset(most, 0)
	}
}

// draw draws the prompt, the text, and how long it is where that matters.
func (i *input) draw(s tcell.Screen, x, y, width, height int, hint string) {
	cell.Put(s, x, y, 2, "> ", i.look.Strong)
	count, style := i.count(width)
	field := width - 2 - cell.Width(count)
	i.SetRect(x+2, y, max(field, 1), height)
	i.fill(field, height)
	i.TextArea.Draw(s)
	if i.GetTextLength() == 0 {
		cell.Put(s, x+2, y, field, hint, i.look.Dim)
	}
	cell.Put(s, x+2+field, y, width-2-field, count, style)
}

// count says how long the text is, in bytes: where it is narrow, once it is near the limit.
func (i *input) count(width int) (string, tcell.Style) {
	n := i.GetTextLength()
	style := i.look.Dim
	switch {
	case i.uncounted:
		return "", style
	case n > message.MaxText:
		style = i.look.Bad
	case width < peersFrom-2 && n < message.MaxText*3/4:
		return "", style
	}
	return fmt.Sprintf(" %d/%d", n, message.MaxText), style
}
