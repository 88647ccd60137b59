package plain

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
	"earshot/ui/look"
)

// gutter begins every line but the first of one event, so that nobody can write a line that looks like another's.
const gutter = "      | "

// A printer writes events to Config.Out, each with one Write.
type printer struct {
	Config
	room  string // the current one, which needs no naming
	day   string // of the message last printed
	clock clock
	found bool       // a hub was, at least once
	topic message.ID // printed last
	buf   []byte
}

// print prints what happened, if there is something to say of it.
func (p *printer) print(e node.Event) (err error) {
	if p.JSON {
		p.buf, err = appendJSON(p.buf[:0], time.Now(), e, p.ServerOnly)
	} else {
		p.buf = p.appendText(p.buf[:0], time.Now(), e)
	}
	if err == nil && len(p.buf) > 0 {
		_, err = p.Out.Write(p.buf)
	}
	return err
}

// tell prints what happened, unless it is what became of a message that was printed so, and remembers it.
func (p *printer) tell(e node.Event, t *told) error {
	if !p.JSON && t.stale(e) {
		return nil
	}
	t.see(e)
	if err := p.print(e); err != nil {
		return err
	}
	if s, ok := p.seen(e); ok {
		t.look(s)
	}
	return nil
}

// seen is what the user has seen with an event that was printed: a line of the conversation that they are in. What a program does with a line nobody knows: it says so itself (/read).
func (p *printer) seen(e node.Event) (node.Seen, bool) {
	if p.JSON || p.ServerOnly {
		return node.Seen{}, false
	}
	said, ok := e.(node.Said)
	return node.Seen{Room: said.Room, Up: said.Key}, ok && !said.Mine && said.Room == p.room && strings.HasPrefix(p.room, "@")
}

// answer prints what came of a line of input.
func (p *printer) answer(a answer) error {
	if a.err != nil {
		n := node.Notice{Text: a.err.Error()}
		if e := (*node.Error)(nil); errors.As(a.err, &e) {
			n.Hint = e.Hint
		}
		return p.print(n)
	}
	if a.room != "" && a.room != p.room {
		p.room = a.room
		a.lines = append(a.lines, "what you type goes to "+a.room+" now")
	}
	if a.found != nil {
		return p.hits(a.found)
	}
	for _, m := range a.history {
		if err := p.print(node.Said{Message: m, History: true}); err != nil {
			return err
		}
	}
	if len(a.lines) == 0 {
		return nil
	}
	if err := p.print(node.Notice{Text: strings.Join(a.lines, "\n")}); err != nil || a.qr == "" || p.JSON {
		return err
	}
	drawn, err := look.PrintQR(a.qr, p.Colour)
	if err == nil {
		_, err = io.WriteString(p.Out, drawn)
	}
	return err
}

// appendText appends an event as people read it: the time, then what happened. Lines that are nobody's words begin with a star.
func (p *printer) appendText(b []byte, now time.Time, e node.Event) []byte {
	if said, ok := e.(node.Said); ok { // says itself when it was
		return p.appendSaid(b, &said)
	}
	if text := p.text(e); text != "" {
		return p.appendLines(b, now, "* ", text)
	}
	return b
}

// text is what is said of an event that is no message; empty: nothing.
func (p *printer) text(e node.Event) string {
	switch e := e.(type) {
	case node.Ready:
		return strings.Join(command.Welcome(p.Node.Snapshot()), "\n")
	case node.HubChanged:
		if p.found = p.found || e.State != node.Searching; !p.found {
			return "" // the welcome has said so
		}
		return command.Standing(node.Snapshot{Hub: e})
	case node.PeerChanged:
		what := map[node.PeerState]string{node.Away: "is away", node.Back: "is back"}[e.State]
		if what == "" {
			what = string(e.State) // joined, left
		}
		if e.State == node.Away && e.Why != "" {
			what += ": " + oneLine(e.Why)
		}
		return fmt.Sprintf("%s %s (%d here)", oneLine(e.Nick), what, e.Peers)
	case node.Passed:
		return p.passed(&e)
	case node.Withdrawn:
		if e.Mine || e.Restated || p.ServerOnly {
			return "" // it was said again
		}
		return fmt.Sprintf("withdrawn, for %s said two things at once: %s", oneLine(e.Nick), e.Text)
	case node.Edited:
		return p.where(e.Room) + p.about(e.Message, "changed", "to: "+e.Text)
	case node.Redacted:
		return p.where(e.Room) + p.about(e.Message, "deleted", "")
	case node.Reacted:
		what := oneLine(e.By) + " reacts with " + oneLine(e.Emoji)
		if !e.On {
			what = oneLine(e.By) + " takes " + oneLine(e.Emoji) + " back"
		}
		return p.where(e.Room) + what + ", on what " + oneLine(e.Nick) + " said at " + e.At.Local().Format("15:04") + begins(e.Text, p.ServerOnly)
	case node.TopicChanged:
		if e.ID == p.topic || e.Text == "" || p.ServerOnly {
			return "" // it stands above
		}
		return e.Room + " is about: " + e.Text
	case node.Renamed:
		return fmt.Sprintf("%s is now called %s", oneLine(e.Old), oneLine(e.New))
	case node.RoomRenamed:
		if e.Old == p.room {
			p.room = e.New
		}
		return oneLine(e.Old) + " is called " + oneLine(e.New) + " now"
	case node.Invited:
		return oneLine(command.InvitedLine(e))
	case node.Members:
		return oneLine(p.where(e.Room) + command.MembersLine(e))
	case node.Answered:
		return oneLine(p.where(e.Room) + command.AnsweredLine(e))
	case node.Read:
		return oneLine(p.where(e.Room) + command.ReadLine(e))
	case node.RealmChanged:
		return "this is another gathering, with a history of its own; /realms lists them"
	case node.Notice:
		text := e.Text
		if e.Hint != "" {
			text += "\nhint: " + e.Hint
		}
		return text
	}
	return "" // Delivered, CaughtUp, TypingChanged
}

// passed says how many messages are not listed, and that nobody missed them.
func (p *printer) passed(e *node.Passed) string {
	what, where, kept := "messages", "", "kept"
	if e.Count == 1 {
		what = "message"
	}
	if e.Room != "" {
		where = " in " + oneLine(e.Room)
	}
	if p.NoHistory {
		kept = "passed on"
	}
	return fmt.Sprintf("%d more %s%s, %s like the others but not listed here", e.Count, what, where, kept)
}

// about says what became of a message.
func (p *printer) about(m node.Message, what, to string) string {
	if p.ServerOnly {
		to = hex.EncodeToString(m.ID[:])
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s what they said at %s %s", oneLine(m.Nick), what, m.At.Local().Format("15:04"), to))
}

// begins is how a text begins, behind a colon.
func begins(text string, server bool) string {
	const most = 40
	r := []rune(oneLine(text))
	if server || len(r) == 0 {
		return ""
	}
	if len(r) > most {
		r = append(r[:most], '…')
	}
	return ": " + string(r)
}

// where names a room that is not the current one.
func (p *printer) where(room string) string {
	if room = oneLine(room); room == p.room {
		return ""
	}
	return room + " "
}

// appendSaid appends a message; for a box without its words, and as quickly as a hub's whole traffic asks for.
func (p *printer) appendSaid(b []byte, e *node.Said) []byte {
	if e.Again != (message.ID{}) {
		return b // it stands above
	}
	if day := p.clock.day(e.At); day != p.day {
		p.day = day
		b = append(b, "-- "+day+"\n"...)
	}
	if !p.ServerOnly {
		return p.appendLines(b, e.At, "", p.said(e))
	}
	b = append(append(b, p.clock.minute(e.At)...), "* message "...)
	b = append(hex.AppendEncode(b, e.ID[:]), " in "...)
	b = append(append(b, oneLine(e.Room)...), " by "...)
	return append(append(b, oneLine(e.Nick)...), '\n')
}

// said is a message without its time.
func (p *printer) said(e *node.Said) string {
	nick, where, text := oneLine(e.Nick), p.where(e.Room), e.Text
	if e.Edited {
		text += " (edited)"
	}
	if e.Redacted {
		text = "(message deleted)"
	}
	for _, r := range e.Reactions {
		text += fmt.Sprintf(" [%s %d]", oneLine(r.Emoji), r.Count)
	}
	switch {
	case e.Kind == message.Action:
		return where + "* " + nick + " " + text
	case e.Kind == message.Topic:
		p.topic = e.ID
		return where + "* " + nick + " set the topic: " + text
	case e.Quote.ID != (message.ID{}):
		return where + nick + ", answering " + cmp.Or(oneLine(e.Quote.Nick), "someone") + begins(e.Quote.Text, false) + "\n" + text
	}
	return where + nick + ": " + text
}

// appendLines appends text with the time before its first line and the gutter before the others.
func (p *printer) appendLines(b []byte, t time.Time, mark, text string) []byte {
	b = append(append(b, p.clock.minute(t)...), mark...)
	line, rest, more := strings.Cut(clean(text), "\n")
	for b = append(b, line...); more; b = append(b, line...) {
		line, rest, more = strings.Cut(rest, "\n")
		b = append(append(b, '\n'), gutter...)
	}
	return append(b, '\n')
}

// A clock knows what the second looked at last is called: the next message is mostly of the same.
type clock struct {
	second      int64 // since 1970
	hour, today string
}

func (c *clock) look(t time.Time) {
	if s := t.Unix(); s != c.second || c.today == "" {
		c.second, c.hour, c.today = s, t.Local().Format("15:04 "), dayOf(t)
	}
}

// minute is how a line of that time begins.
func (c *clock) minute(t time.Time) string { c.look(t); return c.hour }

// day is the date, for people.
func (c *clock) day(t time.Time) string { c.look(t); return c.today }

func today() string { return dayOf(time.Now()) }

func dayOf(t time.Time) string { return t.Local().Format("Monday 2 January 2006") }

// clean is message.Tidy once more, where text reaches a terminal: a line that was not cleaned before is harmless all the same. Nothing is cut off: a message may be as long as it can be before its
// author's nick is put to it, and an answer longer.
func clean(s string) string { return message.Tidy(s) }

// oneLine is clean for names.
func oneLine(s string) string { return strings.ReplaceAll(clean(s), "\n", " ") }
