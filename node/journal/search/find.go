package search

import (
	"context"
	"math"
)

// recent is how many of the newest messages are looked at one by one for a word of one or two letters before the index is asked for all words that begin with it: that
// takes the longer the more there are (0.8 s for "e" in a million messages), and then most likely a page of the newest is among these.
const recent = 1024

// A Finder yields what may match a query, page by page.
type Finder struct {
	index *Index
	query Query
	older int64
	seen  int
	ahead []Place // read, and not yet given
}

// Find returns a Finder for messages with slots below older; 0: all.
func (x *Index) Find(q Query, older int64) *Finder {
	if older <= 0 {
		older = math.MaxInt64
	}
	return &Finder{index: x, query: q, older: min(older, q.slotBefore())}
}

// Next returns the newest n or fewer that come next; none: there are no more.
func (f *Finder) Next(ctx context.Context, n int) ([]Place, error) {
	if f.query.Empty() || f.query.nowhere() {
		return nil, nil
	}
	if len(f.ahead) > 0 {
		places := f.ahead[:min(n, len(f.ahead))]
		f.ahead = f.ahead[len(places):]
		return places, nil
	}
	whole := !f.query.short()
	if !whole && f.seen >= recent { // all words with that beginning are gathered each time it is asked for
		places, err := f.next(ctx, true, recent)
		f.ahead = places[min(n, len(places)):]
		return places[:min(n, len(places))], err
	}
	if !whole {
		n = min(n, recent-f.seen)
	}
	return f.next(ctx, whole, n)
}

func (f *Finder) next(ctx context.Context, whole bool, n int) ([]Place, error) {
	if match := f.query.expression(whole); match != "" {
		return f.read(ctx, `SELECT text.rowid, doc.arrival, doc.n FROM text CROSS JOIN doc ON doc.id=text.rowid
			WHERE text MATCH ? AND text.rowid<? AND text.rowid>=? ORDER BY text.rowid DESC LIMIT ?`, match, f.older, f.query.slotAfter(), n)
	}
	return f.read(ctx, "SELECT id, arrival, n FROM doc WHERE id<? AND id>=? ORDER BY id DESC LIMIT ?", f.older, f.query.slotAfter(), n)
}

func (f *Finder) read(ctx context.Context, q string, args ...any) ([]Place, error) {
	places, err := f.index.places(ctx, q, args...)
	if len(places) > 0 {
		f.older = places[len(places)-1].Slot
		f.seen += len(places)
	}
	return places, err
}

func (x *Index) places(ctx context.Context, q string, args ...any) (out []Place, err error) {
	rows, err := x.r.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Place
		if err := rows.Scan(&p.Slot, &p.Arrival, &p.N); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Oldest returns at most n places from slot on and below another, in this order.
func (x *Index) Oldest(ctx context.Context, slot, below int64, n int) ([]Place, error) {
	return x.places(ctx, "SELECT id, arrival, n FROM doc WHERE id>=? AND id<? ORDER BY id LIMIT ?", slot, below, n)
}

// At returns the places of what is in a run.
func (x *Index) At(ctx context.Context, arrival int64) ([]Place, error) {
	return x.places(ctx, "SELECT id, arrival, n FROM doc WHERE arrival=?", arrival)
}
