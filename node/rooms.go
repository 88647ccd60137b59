package node

import (
	"context"
	"encoding/hex"
	"slices"
	"sort"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/vault"
)

// maxRooms bounds the rooms joined.
const maxRooms = 64

func (c Join) do(ctx context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil {
		return err
	}
	defer n.watch.wake()
	if r.direct() || r.past {
		return n.ready(r)
	}
	if !r.public() {
		shown, _ := n.vault.Room(r.id)
		if shown.Status != vault.Asked {
			return nil
		}
		n.gather.readAll(r)
		return n.answer(ctx, shown, true)
	}
	name := r.name
	if slices.Contains(n.profile.rooms(), name) {
		return nil
	}
	if len(n.profile.rooms()) >= maxRooms {
		return &Error{Text: "you are in as many rooms as there can be", Hint: "leave one: /leave #room"}
	}
	n.gather.readAll(r)
	defer n.joins.Add(1)
	return n.profile.change(func(s *settings) { s.Rooms = append(s.Rooms, name) })
}

func (c Leave) do(ctx context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil {
		return err
	}
	if r.direct() {
		defer n.watch.wake()
		return n.vault.Close(r.id)
	}
	if r.past {
		return n.overWith(c.Room)
	}
	if shown, ok := n.vault.Room(r.id); ok {
		return n.answer(ctx, shown, false)
	}
	name := r.name
	if name == message.Lobby {
		return &Error{Text: "everyone is in #lobby: it cannot be left", Hint: "/quit ends earshot"}
	}
	if !slices.Contains(n.profile.rooms(), name) {
		return &Error{Text: "you are not in #" + name, Hint: "/rooms lists the rooms"}
	}
	defer n.watch.wake()
	return n.profile.change(func(s *settings) { s.Rooms = slices.DeleteFunc(s.Rooms, func(r string) bool { return r == name }) })
}

func (c Mute) do(_ context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil {
		return err
	}
	defer n.watch.wake()
	return n.profile.change(func(s *settings) {
		s.Muted = slices.DeleteFunc(s.Muted, func(m string) bool { return m == r.mark() })
		if c.On {
			s.Muted = append(s.Muted, r.mark())
			s.Muted = s.Muted[max(0, len(s.Muted)-maxRooms):]
		}
	})
}

// mark is what a room is remembered by in the settings.
func (r *room) mark() string {
	if r.public() {
		return r.name
	}
	return "@" + hex.EncodeToString(r.id[:])
}

// rooms lists what is joined, the lobby first, private rooms and conversations, and then what else was spoken in.
func (n *Node) rooms() []Room {
	last := n.spokenIn()
	out := n.takenUp()
	for i := range out {
		r := &out[i]
		r.Last = last[r.ID].last
		delete(last, r.ID)
	}
	var others []Room
	for id, r := range last {
		if r.name != "" {
			others = append(others, Room{Name: "#" + r.name, ID: id, Last: r.last})
		}
	}
	sort.Slice(others, func(i, j int) bool { return others[i].Name < others[j].Name })
	out = append(out, others...)
	at, _ := n.gather.now()
	muted := n.profile.get().Muted
	for i := range out {
		r := room{id: out[i].ID}
		if out[i].Kind == PublicRoom {
			r.name = out[i].Name[1:]
		}
		var err error
		out[i].Muted = slices.Contains(muted, r.mark())
		if out[i].Topic, err = n.topic(at, out[i].ID); err != nil {
			n.log.Debug("cannot read a topic", "err", err)
			break
		}
	}
	return out
}

// spokenIn returns the rooms that something was said in, in the gatherings shown.
func (n *Node) spokenIn() map[message.RoomID]inRoom {
	last := map[message.RoomID]inRoom{}
	for _, from := range n.gather.shown() {
		known, err := from.book.rooms()
		if err != nil {
			n.log.Debug("cannot list rooms", "err", err)
		}
		for id, r := range known {
			id = n.gather.roomNow(id)
			was := last[id]
			if r.last.After(was.last) {
				was.last = r.last
			}
			was.name = r.name
			last[id] = was
		}
	}
	return last
}

// takenUp lists what is joined, or asks to be, without what was said in it.
func (n *Node) takenUp() (out []Room) {
	for _, name := range n.profile.rooms() {
		out = append(out, Room{Name: "#" + name, ID: message.Room(name), Joined: true})
	}
	for _, r := range n.vault.Rooms() {
		if n.hides(&r) {
			continue
		}
		shown := Room{Name: n.called(r.ID), ID: r.ID, Kind: PrivateRoom, Joined: r.Status != vault.Asked, Owner: n.named(r.Owner), Members: len(r.Members), Out: r.Status == vault.Out}
		if r.Status == vault.Asked {
			shown.By = n.named(r.By)
		}
		out = append(out, shown)
	}
	for _, r := range n.gather.pastRooms() {
		out = append(out, Room{Name: n.called(r.ID), ID: r.ID, Kind: PrivateRoom, Joined: true, Owner: n.named(r.Owner), Members: len(r.Members), Out: true})
	}
	for _, t := range n.vault.Talks() {
		if n.people.known.ignores(t.With) {
			continue
		}
		out = append(out, Room{Name: n.called(t.Room), ID: t.Room, Kind: DirectRoom, Joined: true, With: n.named(t.With)})
	}
	return out
}

// inRooms returns the rooms that are joined, without direct conversations.
func (n *Node) inRooms() map[message.RoomID]bool {
	in := map[message.RoomID]bool{}
	for _, r := range n.shownRooms() {
		if !r.direct() {
			in[r.id] = true
		}
	}
	return in
}

// shownRooms returns the rooms whose lines are shown: those that are joined, and conversations.
func (n *Node) shownRooms() (out []room) {
	for _, name := range n.profile.rooms() {
		out = append(out, public(name))
	}
	for _, r := range n.vault.Rooms() {
		if r.Status != vault.Asked {
			out = append(out, room{id: r.ID})
		}
	}
	for _, t := range n.vault.Talks() {
		out = append(out, room{id: t.Room, with: t.With})
	}
	return out
}

// timeOf is the time in a hybrid clock's stamp.
func timeOf(hlc uint64) time.Time { return time.UnixMilli(int64(hlc >> 16)) }

// A voice is what is the same of all lines of one log: who speaks there, and in which room.
type voice struct {
	log               message.LogID
	room              message.RoomID
	called            string // the room; empty: it is not shown
	verified, ignored bool
	mine              bool
	nick              string // as shown; empty: nobody has heard it yet
}

func (n *Node) voice(l *journal.Line) voice {
	v := voice{log: l.Log, room: n.gather.roomNow(l.Room), mine: l.Author == n.who.ID()}
	v.verified, v.ignored = n.people.known.marked(l.Author)
	if v.called = publicOf(l); l.Name == "" {
		v.called = n.called(v.room)
	}
	return v
}

// message makes a line fit to be shown; ok is false for what is not shown by itself, and for what someone said who is ignored.
func (n *Node) message(l journal.Line) (Message, bool) {
	v := n.voice(&l)
	return n.messageOf(&v, &l)
}

// messageOf is message for a line whose voice is known.
func (n *Node) messageOf(v *voice, l *journal.Line) (m Message, ok bool) {
	m, answers, ok := said(l, v.called)
	if m.RoomID = v.room; !ok || v.ignored || l.Sealed && n.vault.Hides(v.room, l.Author, l.HLC) {
		return m, false
	}
	if v.nick == "" {
		n.people.known.heard(l.Author, m.Nick, m.At)
		if v.nick = n.people.name(l.Author, l.Nick); v.mine {
			v.nick = m.Nick
		}
	}
	m.Reactions, m.Nick, m.Mine, m.Verified = n.reactions(l), v.nick, v.mine, v.verified
	if answers.ID != (message.ID{}) {
		m.Quote = n.quote(answers)
	}
	if m.Mine {
		own, here := n.own.mine(l.ID)
		m.Copies, m.All, m.Again, m.Here = own.copies(), own.every, own.was, here
		if t, direct := n.vault.Talk(v.room); direct {
			m.Read = l.Key.Compare(t.Read) <= 0
		}
	}
	return m, true
}

// where returns what the room of a line is called; empty: it is not shown.
func (n *Node) where(l journal.Line) string {
	if l.Name == "" {
		return n.called(l.Room)
	}
	return publicOf(&l)
}

// publicOf returns what the public room of a line is called; empty: it is not well called so.
func publicOf(l *journal.Line) string {
	name, err := message.CleanRoom(l.Name)
	if err != nil || l.Room != message.Room(name) {
		return ""
	}
	return "#" + name
}

// said is what a line says by itself, whoever looks at it, in the room called so, and which message it answers.
func said(l *journal.Line, room string) (m Message, answers message.Ref, ok bool) {
	if room == "" {
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
	return Message{Edited: l.Marks.Edit != nil, Redacted: l.Marks.Redacted, ID: l.ID, Room: room, RoomID: l.Room, Sealed: l.Sealed, Key: Key{l.HLC, l.Log, l.Seq}, Kind: l.Kind, Author: l.Author, Text: text, At: timeOf(l.HLC),
		Nick: message.ShowNick(l.Nick)}, answers, true
}

// Page returns the newest max messages of a room before k (the zero Key: from the end), oldest first.
func (n *Node) Page(called string, k Key, max int) (out []Message, err error) {
	r, err := n.room(called)
	if err != nil {
		return nil, err
	}
	for at := journal.Key(k); len(out) < max; {
		lines, err := n.gather.page(r, at, max)
		if err != nil || len(lines) == 0 {
			return out, err
		}
		out, at = append(n.messages(lines), out...), lines[0].Key
	}
	return out[len(out)-min(max, len(out)):], nil
}

// After returns the oldest max messages of a room after k (the zero Key: from its first), oldest first.
func (n *Node) After(called string, k Key, max int) (out []Message, err error) {
	r, err := n.room(called)
	if err != nil {
		return nil, err
	}
	for at := journal.Key(k); len(out) < max; {
		lines, err := n.gather.after(r, at, max-len(out))
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
