package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
)

// What is said about messages: replies, edits, redactions, reactions. Each is a message of its own in the room of its target, which must be held in the current gathering.

// target is a message that something is said about.
type target struct {
	journal.Line
	shown Message
	at    *gathering
	room  room
}

// target finds what ref names.
func (n *Node) target(ref message.Ref) (t target, err error) {
	t.at, _ = n.gather.now()
	line, ok, err := t.at.journal.Find(ref)
	if err != nil {
		return t, err
	}
	t.Line = line
	if ok {
		t.shown, ok = n.message(line)
	}
	if !ok {
		for _, at := range n.gather.bygone() {
			if _, held, err := at.journal.Find(ref); err == nil && held {
				return t, &Error{Text: "that was said before the network had this key: it can only be read"}
			}
		}
		return t, &Error{Text: "that message is not in this gathering", Hint: "name one that was said here"}
	}
	t.room = n.roomOf(line)
	if t.shown.Redacted {
		return t, &Error{Text: "that message was deleted"}
	}
	return t, nil
}

// own refuses messages of others.
func (n *Node) ownTarget(ref message.Ref, what string) (target, error) {
	t, err := n.target(ref)
	if err == nil && t.Author != n.who.ID() {
		err = &Error{Text: "only " + t.shown.Nick + " can " + what + " that message", Hint: "name one of your own"}
	}
	return t, err
}

func (c Reply) do(ctx context.Context, n *Node) error {
	text, err := sayable(c.Text)
	if err != nil || text == "" {
		return err
	}
	t, err := n.target(c.To)
	if err != nil {
		return err
	}
	return n.write(ctx, t.room, message.Reply, message.About{Refs: []message.Ref{c.To}, Text: []byte(text)})
}

func (c Edit) do(ctx context.Context, n *Node) error {
	text, err := sayable(c.Text)
	if err != nil {
		return err
	}
	if text == "" {
		return &Error{Text: "nothing is left of that message", Hint: "/delete deletes it"}
	}
	t, err := n.ownTarget(c.Target, "change")
	switch {
	case err != nil:
		return err
	case t.Kind == message.Topic:
		return &Error{Text: "a topic is not changed but set anew", Hint: "/topic TEXT"}
	case t.shown.Text == text:
		return nil
	}
	return n.alter(ctx, &t, message.Edit, message.About{Refs: []message.Ref{c.Target}, Text: []byte(text)})
}

// The message is deleted with all that it was edited to, also where it is held besides: in stores that are not open soon after (tidy.go).
func (c Redact) do(ctx context.Context, n *Node) error {
	t, err := n.ownTarget(c.Target, "delete")
	if err != nil {
		return err
	}
	edits, err := t.at.journal.Edits(t.Line)
	if err != nil {
		return err
	}
	all := append([]message.Ref{c.Target}, edits...)
	for refs := range slices.Chunk(all, message.MaxRefs) {
		if err := n.write(ctx, t.room, message.Redact, message.About{Refs: refs}); err != nil {
			return err
		}
	}
	if err := n.besides(&t, func(at *gathering, l journal.Line) error { return deleteIn(ctx, at.journal, at.author, l, all...) }); err != nil {
		return err
	}
	n.gather.deleted.Store(true)
	return nil
}

// deleteRest deletes what this person's messages were edited to that are deleted already: another instance did that, or edited them, which did not know of what was done here.
func (n *Node) deleteRest(ctx context.Context) error {
	at, _ := n.gather.now()
	if at.full() != nil {
		return nil
	}
	half, err := at.journal.HalfDeleted(n.who.ID())
	if err != nil {
		return err
	}
	lines, err := at.journal.FindAll(half)
	for _, l := range lines {
		if l.Marks.Redacted {
			err = errors.Join(err, deleteIn(ctx, at.journal, at.author, l))
		}
	}
	return err
}

// deleteIn deletes what a line was edited to in a journal, and also what is named besides.
func deleteIn(ctx context.Context, j *journal.Journal, a *journal.Author, l journal.Line, also ...message.Ref) error {
	edits, err := j.Edits(l)
	if err != nil {
		return err
	}
	r := room{id: l.Room, name: l.Name}
	for refs := range slices.Chunk(append(also, edits...), message.MaxRefs) {
		about := message.About{Refs: refs}
		if _, _, _, err := a.Write(ctx, r.group(), r.id, r.name, message.Redact, about.Body(message.Redact)); err != nil {
			return err
		}
	}
	return nil
}

// alter says something about a message wherever that is held: in a gathering that is entered again later it would be as it was.
func (n *Node) alter(ctx context.Context, t *target, k message.Kind, about message.About) error {
	if err := n.write(ctx, t.room, k, about); err != nil {
		return err
	}
	return n.besides(t, func(at *gathering, _ journal.Line) error {
		_, _, _, err := at.author.Write(ctx, t.room.group(), t.Room, t.room.name, k, about.Body(k))
		return err
	})
}

// besides calls f for the other gatherings that hold a message, as it is there.
func (n *Node) besides(t *target, f func(*gathering, journal.Line) error) error {
	for _, at := range n.gather.shown() {
		l, held, err := at.journal.Find(t.Ref())
		if at == t.at || at.past != nil || err != nil || !held {
			continue
		}
		if err := f(at, l); err != nil {
			return err
		}
	}
	return nil
}

func (c React) do(ctx context.Context, n *Node) error {
	emoji, ok := cleanEmoji(c.Emoji)
	if !ok {
		return &Error{Text: fmt.Sprintf("%q is no reaction", oneLine(c.Emoji)), Hint: "react with one emoji: /react 👍"}
	}
	t, err := n.target(c.Target)
	if err != nil {
		return err
	}
	on := !slices.ContainsFunc(t.shown.Reactions, func(r Reaction) bool { return r.Emoji == emoji && r.Mine })
	return n.alter(ctx, &t, message.React, message.About{Refs: []message.Ref{c.Target}, Emoji: emoji, On: on})
}

func (c SetTopic) do(ctx context.Context, n *Node) error {
	room, err := n.room(c.Room)
	if err != nil {
		return err
	}
	text, err := sayable(oneLine(c.Text))
	if err != nil || text == "" {
		return err
	}
	if room.direct() {
		return &Error{Text: "a direct conversation has no topic"}
	}
	if err := n.ready(room); err != nil {
		return err
	}
	if len(text) > maxTopic {
		return &Error{Text: fmt.Sprintf("a topic has at most %d bytes", maxTopic)}
	}
	if err := n.pace(ctx); err != nil {
		return err
	}
	return n.gather.write(ctx, room, message.Topic, []byte(text))
}

// maxTopic is the most bytes of a topic; of longer ones the beginning is shown.
const maxTopic = 400

// roomOf returns where a line was said.
func (n *Node) roomOf(l journal.Line) room {
	r := n.sealed(l.Room)
	r.name = l.Name
	return r
}

// write says something about a message.
func (n *Node) write(ctx context.Context, room room, k message.Kind, a message.About) error {
	if err := n.ready(room); err != nil {
		return err
	}
	if err := n.pace(ctx); err != nil {
		return err
	}
	return n.gather.write(ctx, room, k, a.Body(k))
}

// pace waits while the author's rate is used up.
func (n *Node) pace(ctx context.Context) error {
	if n.rate == nil {
		return nil
	}
	return n.rate.Wait(ctx)
}

// sayable cleans a text that is to be said; empty: there is nothing to say.
func sayable(s string) (string, error) {
	text, cut := message.CleanText(s)
	switch {
	case strings.TrimSpace(text) == "":
		return "", nil
	case cut:
		return "", &Error{Text: fmt.Sprintf("that is too long: a message has at most %d bytes and %d lines", message.MaxText, message.MaxLines), Hint: "send it in parts"}
	}
	return text, nil
}

// cleanEmoji returns what is shown for a reaction; ok is false for what is not shown.
func cleanEmoji(s string) (emoji string, ok bool) {
	emoji, cut := message.CleanText(strings.TrimSpace(s))
	return emoji, !cut && emoji != "" && len(emoji) <= message.MaxEmoji && !strings.ContainsAny(emoji, " \t\n")
}

// oneLine is clean text without line ends.
func oneLine(s string) string {
	s, _ = message.CleanText(s)
	return strings.TrimSpace(strings.ReplaceAll(s, "\n", " "))
}

// quoted is how much of a message is quoted in a reply, in bytes.
const quoted = 120

// quote says what a reply answers.
func (n *Node) quote(ref message.Ref) Quote {
	q := Quote{ID: ref.ID}
	for _, at := range n.gather.shown() {
		line, ok, err := at.journal.Find(ref)
		if err != nil || !ok {
			continue
		}
		if line.Kind == message.Reply { // what that answers is not quoted
			line.Kind = message.Text
			if a, ok := message.ParseAbout(message.Reply, line.Body); ok {
				line.Body = a.Text
			}
		}
		if m, ok := n.message(line); ok {
			q.Nick, q.Text = m.Nick, oneLine(m.Text)
			if r := []rune(q.Text); len(r) > quoted {
				q.Text = string(r[:quoted]) + "…"
			}
		}
		break
	}
	return q
}

// reactions are those of a line, fit to be shown.
func (n *Node) reactions(l *journal.Line) (out []Reaction) {
	var later []journal.Reaction // of who shows many that nobody else does
	single := map[identity.PeerID]int{}
	list := slices.DeleteFunc(slices.Clone(l.Marks.React), func(r journal.Reaction) bool {
		if len(r.By) > 1 {
			return false
		}
		single[r.By[0].Author]++
		many := single[r.By[0].Author] > maxSingle
		if many {
			later = append(later, r)
		}
		return many
	})
	for _, r := range append(list, later...) {
		emoji, ok := cleanEmoji(r.Emoji)
		if !ok || emoji != r.Emoji || len(out) == maxReactions {
			continue
		}
		shown := Reaction{Emoji: emoji}
		for _, v := range r.By {
			if n.people.known.ignores(v.Author) {
				continue
			}
			shown.Count++
			shown.Mine = shown.Mine || v.Author == n.who.ID()
			if len(shown.Nicks) < maxVoices {
				shown.Nicks = append(shown.Nicks, n.people.name(v.Author, v.Nick))
			}
		}
		if shown.Count > 0 {
			out = append(out, shown)
		}
	}
	return out
}

// How many reactions of one message are shown, of those how many that one person alone shows come before others', and how many names are with each.
const (
	maxReactions = 20
	maxSingle    = 5
	maxVoices    = 20
)

// topic says what a room is about in the current gathering.
func (n *Node) topic(at *gathering, room message.RoomID) (t Topic, err error) {
	line, ok, err := at.book.topic(room)
	if err != nil || !ok {
		return t, err
	}
	m, ok := n.message(line)
	if !ok {
		return t, nil
	}
	return Topic{ID: m.ID, Text: m.Text, Nick: m.Nick, Author: m.Author, At: m.At}, nil
}
