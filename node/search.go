package node

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"earshot/node/journal"
	"earshot/node/journal/search"
	"earshot/node/message"
)

// A Hit is a message that was looked for, and where in its Text the words are.
type Hit struct {
	Message
	Spans []Span
}

// A Span is a stretch of a text, in bytes.
type Span = search.Span

// Found are hits, the newest first. Older is where to go on; 0: there are no more. Unseen is how many messages were not looked at because they have not been
// indexed yet.
type Found struct {
	Hits   []Hit
	Older  int64
	Unseen int64
}

// Search looks for messages in all that is shown, in whatever room: those that hold all words of a query, which search.Parse tells. It returns about max of the newest, below older
// where that is not 0. It takes a few milliseconds in a million messages; of words of one or two letters up to 0.2 s. Errors in the query are an *Error.
func (n *Node) Search(ctx context.Context, query string, older int64, max int) (Found, error) {
	q, err := parseQuery(query)
	if err != nil {
		return Found{}, err
	}
	q = q.Also(n.calledSo(q.Room())...)
	stores := n.gather.journals()
	return collect(max, older, &q, func(l journal.Line) (Message, bool) {
		if outdated(&l, stores) {
			return Message{}, false
		}
		return n.message(l)
	}, func(older int64, max int) (out journal.Found, err error) {
		var pages []journal.Found
		err = n.gather.each(func() { pages = nil }, func(at *gathering) error {
			page, err := at.journal.Search(ctx, q, older, max)
			pages = append(pages, page)
			return err
		})
		return journal.Merge(max, pages...), err
	})
}

// calledSo returns the conversations and private rooms, of any time, that are shown by a name. A public room may be as well.
func (n *Node) calledSo(name string) (ids []message.RoomID) {
	add := func(shown message.RoomID, all ...message.RoomID) {
		if strings.EqualFold(n.called(shown), name) {
			ids = append(ids, all...)
		}
	}
	switch {
	case strings.HasPrefix(name, "@"):
		for _, t := range n.vault.AllTalks() {
			all := []message.RoomID{t.Room}
			for _, at := range n.gather.bygone() {
				all = append(all, at.roomIn(room{id: t.Room, with: t.With}, n.who.ID()))
			}
			add(t.Room, all...)
		}
	case name != "":
		for _, r := range append(n.vault.Rooms(), n.gather.pastRooms()...) {
			add(r.ID, r.ID)
		}
	}
	return ids
}

func parseQuery(s string) (search.Query, error) {
	q, err := search.Parse(s, time.Local)
	if errors.Is(err, search.ErrQuery) {
		return q, &Error{Text: strings.TrimPrefix(err.Error(), search.ErrQuery.Error()+": "), Hint: `look for words, "words in this order", from:NICK, in:#ROOM, in:@NICK, after:2026-11-20, before:2026-11-27`, cause: err}
	}
	return q, err
}

// outdated reports whether a line that was found in one store is deleted, or says something else, by what another knows that holds it too: there it is found by what it says now. It gives
// the line the marks of all.
func outdated[H interface {
	Find(message.Ref) (journal.Line, bool, error)
}](l *journal.Line, stores []H) bool {
	if len(stores) == 1 { // it was found there
		return l.Marks.Redacted
	}
	was := l.Marks.Edit
	for _, s := range stores {
		if other, held, err := s.Find(l.Ref()); err == nil && held {
			l.Marks = l.Marks.And(other.Marks)
		}
	}
	now := l.Marks.Edit
	return l.Marks.Redacted || now != nil && (was == nil || !bytes.Equal(was.Body, now.Body))
}

// collect reads pages until max messages were found that are fit to be shown.
func collect(max int, older int64, q *search.Query, show func(journal.Line) (Message, bool), page func(older int64, max int) (journal.Found, error)) (out Found, err error) {
	for len(out.Hits) < max {
		found, err := page(older, max-len(out.Hits))
		if err != nil {
			return out, err
		}
		for _, h := range found.Hits {
			if m, ok := show(h.Line); ok && q.By(m.Author.Tag()) {
				out.Hits = append(out.Hits, Hit{m, q.Spans(m.Text)})
			}
			older = h.Slot
		}
		out.Unseen = found.Unseen
		if !found.More {
			return out, nil
		}
	}
	out.Older = older
	return out, nil
}
