package plain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
)

// maxLine bounds a line of input in bytes: a message with room for a command before it. Of a longer one only the length is kept.
const maxLine = message.MaxText + 64

// A line of input. length counts its end, and is more than maxLine where text is not kept.
type line struct {
	text   string
	length int
}

// read sends the lines of r until it ends or ctx does, and closes lines. The last line needs no line feed.
func read(ctx context.Context, r io.Reader, lines chan<- line) {
	defer close(lines)
	for b := newReader(r, maxLine); ; {
		l, err := readLine(b, maxLine)
		if l.length > 0 {
			select {
			case lines <- l:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// newReader has a buffer that only a line of more than most bytes can fill. bufio's least is 16.
func newReader(r io.Reader, most int) *bufio.Reader { return bufio.NewReaderSize(r, most+1) }

// readLine returns the next line without its end, and no text of one of more than most bytes. With an error there may be a line.
func readLine(b *bufio.Reader, most int) (line, error) {
	part, err := b.ReadSlice('\n')
	l := line{length: len(part)}
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = b.ReadSlice('\n')
		l.length += len(part)
	}
	if l.length <= most {
		l.text = string(bytes.TrimRight(part, "\r\n"))
	}
	return l, err
}

// An answer is what came of a line of input.
type answer struct {
	lines   []string
	qr      string         // to be drawn below
	history []node.Message // to be printed again
	found   *node.Found    // what was looked for
	err     error
	room    string // the current one from now on; empty: as before
	said    bool   // comes back as a message
	spoke   bool   // something was said, or changed
	quit    bool
	end     bool // of the input
}

// tellWithin is how long a command waits for what was said before it to come back from the node, which takes as long as the disk does.
const tellWithin = 2 * time.Second

// obey does what the lines ask for, one after the other. It ends with the lines, which it says unless this is a box, or when ctx ends.
func obey(ctx context.Context, c Config, told *told, lines <-chan line, answers chan<- answer) {
	at := current{name: command.Lobby}
	tell := func(a answer) bool {
		select {
		case answers <- a:
			return true
		case <-ctx.Done():
			return false
		}
	}
	idle := time.NewTimer(command.IdleAfter)
	defer idle.Stop()
	idled := false
	for {
		var l line
		ok := false
		select {
		case <-ctx.Done():
			return
		case <-idle.C:
			if idled = c.Typed && !c.Node.Snapshot().Me.Away; idled { // who is away by their own word stays so
				_ = c.Node.Do(ctx, node.SetAway{Away: true}) // the node says so itself, or it does not matter
			}
			continue
		case <-told.looked:
			_ = c.Node.Do(ctx, told.sight()) // as above
			continue
		case l, ok = <-lines:
			l.text = clean(l.text) // a mark that cannot be seen, as before the first line of a file, does not make text of a command
		}
		if idle.Reset(command.IdleAfter); idled {
			idled = false
			_ = c.Node.Do(ctx, node.SetAway{})
		}
		if !ok {
			if !c.ServerOnly {
				tell(answer{end: true})
			}
			return
		}
		if command.IsCommand(l.text) && !within(ctx, tellWithin, told.level) { // it may be about what was said just before
			return
		}
		if c.Linger > 0 && command.Targets(l.text) && !within(ctx, c.Linger, told.full) { // a script was just started: messages are where the others are
			return
		}
		at.follow(c.Node.Snapshot())
		a := one(ctx, c, l, at, told)
		at.astray = at.astray || a.err != nil && !c.Typed && command.Secludes(l.text)
		if a.room != "" {
			at = current{name: a.room}
			at.follow(c.Node.Snapshot())
			a.room = at.name
		}
		if !tell(a) || a.quit {
			return
		}
	}
}

// within waits for c, but not for ever; false: ctx has ended.
func within(ctx context.Context, most time.Duration, c <-chan struct{}) bool {
	select {
	case <-c:
	case <-time.After(most): // it will not come any more
	case <-ctx.Done():
		return false
	}
	return true
}

// current is the room that text goes to.
type current struct {
	name string
	id   message.RoomID // zero: not known yet
	// astray: a program asked to go where few can read and could not, so that what it says next is not meant for this room. A person reads that before they type on.
	astray bool
}

// follow looks what the room is called by now.
func (r *current) follow(s node.Snapshot) {
	for _, k := range s.Rooms {
		if k.ID == r.id && r.id != (message.RoomID{}) {
			r.name = k.Name
			return
		}
	}
	if k, ok := command.Known(s, r.name); ok {
		r.name, r.id = k.Name, k.ID
	}
}

// one carries one line out.
func one(ctx context.Context, c Config, l line, at current, told *told) answer {
	room := at.name
	if l.length > maxLine {
		return answer{err: &node.Error{
			Text: fmt.Sprintf("a line of %d bytes was not said: a message has at most %d", l.length, message.MaxText),
			Hint: "say it in several messages",
		}}
	}
	a, err := command.Parse(l.text, command.At{Room: room, Snapshot: c.Node.Snapshot(), Version: c.Version, Recent: told.recent(), ServerOnly: c.ServerOnly, Whois: c.Node.Whois})
	if err != nil {
		return answer{err: err}
	}
	says, words := speaks(a.Do)
	if c.ServerOnly && (words || a.Show != "") { // to go somewhere is to say something there
		return answer{err: &node.Error{Text: "a server-only box says nothing", Hint: "/who, /hub and /quit work here; start earshot with another --profile to chat"}}
	}
	if say, ok := a.Do.(node.Say); ok && at.astray && say.Room == room {
		return answer{err: &node.Error{Text: "this was not said in " + room + ", for it may be meant for where you could not go", Hint: "/join " + room + " if it is for all there"}}
	}
	if a.Do != nil {
		if err := c.Node.Do(ctx, a.Do); err != nil {
			return answer{err: err}
		}
	}
	switch {
	case a.Members != "":
		list, err := c.Node.Members(a.Members)
		return answer{lines: command.MemberLines(a.Members, list), err: err}
	case a.History > 0:
		page, err := c.Node.Page(room, node.Key{}, a.History)
		return answer{history: page, err: err}
	case a.Find != nil && *a.Find == "":
		return answer{err: &node.Error{Text: "search for what?", Hint: "usage: /search WORDS, and from:NICK in:#ROOM after:2026-11-20 before:2026-11-27"}}
	case a.Find != nil:
		found, err := c.Node.Search(ctx, *a.Find, 0, foundMost+1)
		return answer{found: &found, err: err}
	case a.Export != nil:
		where, err := Export(ctx, c.Node, room, *a.Export)
		return answer{lines: []string{where}, err: err}
	}
	return answer{lines: a.Lines, qr: a.QR, room: a.Show, said: says, spoke: words, quit: a.Quit}
}

// speaks reports whether a command says something that comes back as a message, and whether it says anything at all.
func speaks(c node.Command) (message, words bool) {
	switch c.(type) {
	case node.Say, node.Reply, node.SetTopic:
		return true, true
	case node.Edit, node.Redact, node.React, node.NewRoom, node.Invite, node.Remove, node.HandOver, node.CopyRoom, node.Seen:
		return false, true
	}
	return false, false
}
