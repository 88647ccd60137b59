package node

import (
	"cmp"
	"slices"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
)

// maxRooms bounds the rooms joined.
const maxRooms = 64

func (n *Node) join(room string) error {
	name, err := message.CleanRoom(room)
	if err != nil {
		return err
	}
	if slices.Contains(n.profile.rooms(), name) {
		return nil
	}
	if len(n.profile.rooms()) >= maxRooms {
		return &Error{Text: "you are in as many rooms as there can be", Hint: "leave one: /leave #room"}
	}
	defer n.watch.wake()
	return n.profile.change(func(s *settings) { s.Rooms = append(s.Rooms, name) })
}

func (n *Node) leave(room string) error {
	name, err := message.CleanRoom(room)
	if err != nil {
		return err
	}
	if name == message.Lobby {
		return &Error{Text: "everyone is in #lobby: it cannot be left", Hint: "/quit ends earshot"}
	}
	if !slices.Contains(n.profile.rooms(), name) {
		return &Error{Text: "you are not in #" + name, Hint: "/rooms lists the rooms"}
	}
	defer n.watch.wake()
	return n.profile.change(func(s *settings) { s.Rooms = slices.DeleteFunc(s.Rooms, func(r string) bool { return r == name }) })
}

func (n *Node) mute(c Mute) error {
	name, err := message.CleanRoom(c.Room)
	if err != nil {
		return err
	}
	defer n.watch.wake()
	return n.profile.change(func(s *settings) {
		s.Muted = slices.DeleteFunc(s.Muted, func(r string) bool { return r == name })
		if c.On {
			s.Muted = append(s.Muted, name)
			s.Muted = s.Muted[max(0, len(s.Muted)-maxRooms):]
		}
	})
}

// rooms lists what is joined, the lobby first, and then what else was spoken in.
func (n *Node) rooms() []Room {
	joined := n.profile.rooms()
	last := map[string]inRoom{}
	for _, from := range n.gather.shown() {
		known, err := from.book.rooms()
		if err != nil {
			n.log.Debug("cannot list rooms", "err", err)
		}
		for name, r := range known {
			was := last[name]
			if was.count += r.count; r.last.After(was.last) {
				was.last = r.last
			}
			last[name] = was
		}
	}
	var out []Room
	for _, name := range joined {
		out = append(out, Room{Name: "#" + name, Joined: true, Last: last[name].last, Count: last[name].count})
		delete(last, name)
	}
	others := len(out)
	for name, r := range last {
		out = append(out, Room{Name: "#" + name, Last: r.last, Count: r.count})
	}
	slices.SortFunc(out[others:], func(a, b Room) int { return cmp.Compare(a.Name, b.Name) })
	at, _ := n.gather.now()
	muted := n.profile.get().Muted
	for i := range out {
		var err error
		out[i].Muted = slices.Contains(muted, out[i].Name[1:])
		if out[i].Topic, err = n.topic(at, out[i].Name[1:]); err != nil {
			n.log.Debug("cannot read a topic", "err", err)
			break
		}
	}
	return out
}

// timeOf is the time in a hybrid clock's stamp.
func timeOf(hlc uint64) time.Time { return time.UnixMilli(int64(hlc >> 16)) }

// message makes a line fit to be shown; ok is false for what is not shown by itself, and for what someone said who is ignored.
func (n *Node) message(l journal.Line) (m Message, ok bool) {
	verified, ignored := n.people.known.marked(l.Author)
	m, answers, ok := said(l)
	if !ok || ignored {
		return m, false
	}
	n.people.known.heard(l.Author, m.Nick, m.At)
	m.Reactions, m.Nick, m.Mine, m.Verified = n.reactions(l), n.people.name(l.Author, l.Nick), l.Author == n.who.ID(), verified
	if answers.ID != (message.ID{}) {
		m.Quote = n.quote(answers)
	}
	if m.Mine {
		m.Nick = message.ShowNick(l.Nick)
		m.Copies, m.Again, m.Here = n.own.mine(l.ID)
	}
	return m, true
}

// said is what a line says by itself, whoever looks at it, and which message it answers.
func said(l journal.Line) (m Message, answers message.Ref, ok bool) {
	name, err := message.CleanRoom(l.Name)
	if err != nil || l.Room != message.Room(name) {
		return m, answers, false
	}
	var text string
	switch marks := l.Marks; {
	case l.Kind != message.Text && l.Kind != message.Action && l.Kind != message.Reply && l.Kind != message.Topic:
		return m, answers, false // later versions know more kinds
	case marks.Redacted:
	case l.Body == nil:
		return m, answers, false // it is missing, for now
	case l.Kind == message.Reply:
		about, ok := message.ParseAbout(l.Kind, l.Body)
		if !ok {
			return m, answers, false
		}
		text, answers = string(about.Text), about.Refs[0]
	default:
		text = string(l.Body)
	}
	if l.Marks.Edit != nil {
		about, _ := message.ParseAbout(message.Edit, l.Marks.Edit.Body)
		text = string(about.Text)
	}
	text, cut := message.CleanText(text)
	if l.Kind == message.Topic {
		text = oneLine(text)
	}
	if cut {
		text += " …"
	}
	return Message{Edited: l.Marks.Edit != nil, Redacted: l.Marks.Redacted, ID: l.ID, Room: "#" + name, RoomID: l.Room, Key: Key{l.HLC, l.Log, l.Seq}, Kind: l.Kind, Author: l.Author, Text: text, At: timeOf(l.HLC),
		Nick: message.ShowNick(l.Nick)}, answers, true
}

// Page returns the newest max messages of a room before k (the zero Key: from the end), oldest first.
func (n *Node) Page(room string, k Key, max int) (out []Message, err error) {
	name, err := message.CleanRoom(room)
	if err != nil {
		return nil, err
	}
	for at := journal.Key(k); len(out) < max; {
		lines, err := n.gather.page(message.Room(name), at, max)
		if err != nil || len(lines) == 0 {
			return out, err
		}
		out, at = append(n.messages(lines), out...), lines[0].Key
	}
	return out[len(out)-min(max, len(out)):], nil
}

// After returns the oldest max messages of a room after k (the zero Key: from its first), oldest first.
func (n *Node) After(room string, k Key, max int) (out []Message, err error) {
	name, err := message.CleanRoom(room)
	if err != nil {
		return nil, err
	}
	for at := journal.Key(k); len(out) < max; {
		lines, err := n.gather.after(message.Room(name), at, max-len(out))
		if err != nil || len(lines) == 0 {
			return out, err
		}
		out, at = append(out, n.messages(lines)...), lines[len(lines)-1].Key
	}
	return out, nil
}

// messages are the lines that are shown by themselves.
func (n *Node) messages(lines []journal.Line) (out []Message) {
	for _, l := range lines {
		if m, ok := n.message(l); ok {
			out = append(out, m)
		}
	}
	return out
}
