package ui

import (
	"context"

	"earshot/node"
	"earshot/ui/transcript"
)

// fetchPages reads the history that the current room's list asks for, in the background.
func (a *app) fetchPages(ctx context.Context) {
	r := a.here()
	want, ok := r.list.Ask()
	if !ok {
		return
	}
	a.start(func() {
		page, err := a.readPage(r.name, want)
		a.report(ctx, func() {
			if err != nil {
				a.log.Warn("read history", "room", r.name, "err", err)
				r.list.Problem(a.now(), "older messages cannot be read: "+err.Error(), "")
				r.list.Fail(want)
				return
			}
			r.list.Take(want, page, a.snapshot.Me.Nick)
		})
	})
}

// readPage reads what a list wants of a room.
func (a *app) readPage(room string, w transcript.Want) ([]node.Message, error) {
	const n = transcript.PageSize
	switch w.Kind {
	case transcript.Older:
		return a.node.Page(room, w.Key, n)
	case transcript.Newer:
		return a.node.After(room, w.Key, n)
	case transcript.Newest:
		return a.node.Page(room, node.Key{}, n)
	case transcript.First:
		return a.node.After(room, node.Key{}, n)
	}
	page, err := a.node.Page(room, w.Key, n/2)
	if err != nil {
		return nil, err
	}
	before := w.Key
	before.Seq-- // the key below, whether there is a message or not
	after, err := a.node.After(room, before, n/2)
	return append(page, after...), err
}
