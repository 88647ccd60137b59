package journal

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"earshot/node/journal/search"
	"earshot/node/message"
)

// A Hit is a line that matches a query. Slot is its place in the order of hits.
type Hit struct {
	Line
	Slot int64
}

// Found is a page of hits, the newest first. Unseen is how many arrivals were not looked at, because the index has not come so far yet.
type Found struct {
	Hits   []Hit
	More   bool
	Unseen int64
}

// maxScan is how many arrivals that are not in the index a search looks at one by one.
const maxScan = 16 << 10

// Search returns the newest n lines, or a few more, that match q and have slots below older (0: from the end). It sees what is on disk. What the
// index does not have yet, or not as it is now, is looked at too, unless that is too much.
func (j *Journal) Search(ctx context.Context, q search.Query, older int64, n int) (Found, error) {
	j.text.want()
	durable := j.durable.Load()
	index, release := j.text.use()
	defer release()
	var from, left int64
	var again []int64
	if index != nil {
		w, err := index.Watermark(ctx)
		if err == nil {
			from = w
		} else if ctx.Err() != nil {
			return Found{}, ctx.Err()
		} else {
			index = nil // it is made anew
		}
		if again, err = j.store.again(); err != nil {
			return Found{}, j.fault(err)
		}
		if len(again) > maxScan {
			again, left = again[:maxScan], int64(len(again)-maxScan)
		}
	}
	limit := int64(maxScan)
	if !j.Persistent() {
		limit = durable
	}
	scan := max(from, durable-limit)
	found, err := j.find(ctx, index, q, older, n, again, scan, durable)
	if err != nil {
		return Found{}, j.fault(err)
	}
	found.Unseen = left + scan - from
	return found, nil
}

// find looks into the index, which may be nil, at the runs that it has not looked at again, which are read before it is, and at what arrived after from, up to to.
func (j *Journal) find(ctx context.Context, index *search.Index, q search.Query, older int64, n int, again []int64, from, to int64) (Found, error) {
	if q.Empty() {
		return Found{}, nil
	}
	hits, err := j.scan(ctx, q, older, n, again, from, to)
	if err != nil || index == nil {
		return page(hits, n), err
	}
	finder, indexed := index.Find(q, older), 0
	said := q.FromAnyone() // the index goes by the nick its author had then
	for step := n + n/4 + 1; indexed <= n; step = min(2*step, 1024) {
		places, err := finder.Next(ctx, step)
		if err != nil {
			return Found{}, err
		}
		if len(places) == 0 {
			break
		}
		found, err := j.linesIn(&said, places)
		if err == nil {
			found, err = j.hits(ctx, found)
		}
		if err != nil {
			return Found{}, err
		}
		indexed += len(found)
		hits = append(hits, found...)
	}
	return page(hits, n), nil
}

// page sorts hits and cuts them to n, but never between two of one slot: whoever goes on below it would miss the other.
func page(hits []Hit, n int) Found {
	sort.Slice(hits, func(i, j int) bool {
		return cmp.Or(cmp.Compare(hits[j].Slot, hits[i].Slot), hits[j].Compare(hits[i].Key)) < 0
	})
	seen := make(map[Key]bool, len(hits))
	hits = slices.DeleteFunc(hits, func(h Hit) bool {
		was := seen[h.Key]
		seen[h.Key] = true
		return was
	})
	for n > 0 && n < len(hits) && hits[n].Slot == hits[n-1].Slot {
		n++
	}
	if n >= len(hits) {
		return Found{Hits: hits}
	}
	return Found{Hits: hits[:n:n], More: true}
}

// Merge returns the newest n, or a few more, of pages of n of the same query in several journals, each message once.
func Merge(n int, pages ...Found) Found {
	var hits []Hit
	more, unseen := false, int64(0)
	for _, p := range pages {
		hits, more, unseen = append(hits, p.Hits...), more || p.More, unseen+p.Unseen
	}
	out := page(hits, n)
	out.More, out.Unseen = out.More || more, unseen
	return out
}

// linesIn reads the lines at places that are left and match as they were said, in no order.
func (j *Journal) linesIn(q *search.Query, places []search.Place) (out []Hit, err error) {
	byRun := map[int64][]search.Place{}
	var arrivals []int64
	for _, p := range places {
		if byRun[p.Arrival] == nil {
			arrivals = append(arrivals, p.Arrival)
		}
		byRun[p.Arrival] = append(byRun[p.Arrival], p)
	}
	list, err := jsonOf(arrivals)
	if err != nil {
		return nil, err
	}
	return j.matching(q, runsOfList, []any{list}, func(_ *message.Run, arrival int64) []search.Place { return byRun[arrival] })
}

// matching returns what matches, as it was said, of runs, which are as eachRun reads them, at those places that at returns of each.
func (j *Journal) matching(q *search.Query, runs string, args []any, at func(run *message.Run, arrival int64) []search.Place) (out []Hit, err error) {
	var sealed []Hit
	err = j.store.eachRun(runs, args, func(l *state, run *message.Run, arrival int64) {
		var lines []Line
		for _, p := range at(run, arrival) {
			if p.N >= len(run.Records) || run.First+uint64(p.N) > l.Seq || !mayMatch(q, l, &run.Records[p.N]) {
				continue
			}
			if lines == nil { // what it takes to know their ids is not for those that do not match
				lines = l.lines(run, arrival)
			}
			if line := lines[p.N]; line.Kind == message.Sealed {
				sealed = append(sealed, Hit{line, p.Slot})
			} else {
				out = append(out, Hit{line, p.Slot})
			}
		}
	})
	if err == nil {
		sealed, err = j.opening(q, sealed)
	}
	return append(out, sealed...), err
}

// opening returns those of sealed lines that are open and match as they were said.
func (j *Journal) opening(q *search.Query, sealed []Hit) (out []Hit, err error) {
	lines := make([]Line, len(sealed))
	for i := range sealed {
		lines[i] = sealed[i].Line
	}
	if err := j.unseal(lines); err != nil {
		return nil, err
	}
	for i, l := range lines {
		if text, ok := textOf(l.Kind, l.Body); ok && l.Sealed && q.Match(text) {
			out = append(out, Hit{l, sealed[i].Slot})
		}
	}
	return out, nil
}

// hits returns those of lines of which it is shown what they said. A message that was edited is found by the edit that counts, at the time of that.
func (j *Journal) hits(ctx context.Context, lines []Hit) ([]Hit, error) {
	said := make([]Line, len(lines))
	for i := range lines {
		said[i] = lines[i].Line
	}
	if err := j.mark(said); err != nil {
		return nil, err
	}
	out := lines[:0]
	for i, l := range said {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if l.Kind == message.Edit {
			about, ok := message.ParseAbout(l.Kind, l.Body)
			if !ok {
				continue
			}
			edited, ok, err := j.Find(about.Refs[0])
			if err != nil {
				return nil, err
			}
			if !ok || edited.Marks.Edit == nil || edited.Marks.Edit.Key != l.Key {
				continue
			}
			l = edited
		} else if l.Marks.Edit != nil {
			continue
		}
		if !l.Marks.Redacted {
			out = append(out, Hit{l, lines[i].Slot})
		}
	}
	return out, nil
}

// mayMatch looks at what a record of l says, unless that is sealed.
func mayMatch(q *search.Query, l *state, r *message.Record) bool {
	if !q.Covers(l.Room, l.nick, r.HLC) {
		return false
	}
	if l.Group != message.Public {
		return r.Kind == message.Sealed && !r.Redacted
	}
	text, ok := textOf(r.Kind, r.Body)
	return ok && q.Match(text)
}

// textOf is the text by which a message is found, as it is shown.
func textOf(k message.Kind, body []byte) (string, bool) {
	switch k {
	case message.Text, message.Action, message.Topic:
	case message.Reply, message.Edit:
		about, ok := message.ParseAbout(k, body)
		if !ok {
			return "", false
		}
		body = about.Text
	default:
		return "", false
	}
	if len(body) == 0 {
		return "", false
	}
	text, _ := message.CleanText(string(body))
	return text, true
}

// scanned is how many arrivals are read at once: the only connection of a store in memory is not to be held for long.
const scanned = 1024

// scan looks at some runs, and at all that arrived after from, up to to, and returns the newest n that match, or some more.
func (j *Journal) scan(ctx context.Context, q search.Query, older int64, n int, runs []int64, from, to int64) (hits []Hit, err error) {
	add := func(some []Hit, err error) error {
		if err == nil {
			some, err = j.hits(ctx, some)
		}
		if hits = append(hits, some...); len(hits) > 4*n+scanned {
			hits = page(hits, n+1).Hits
		}
		return cmp.Or(err, ctx.Err())
	}
	var places []search.Place // of one run
	all := func(run *message.Run, arrival int64) []search.Place {
		places = places[:0]
		for n := range run.Records {
			if slot := search.SlotOf(run.Records[n].HLC); older <= 0 || slot < older {
				places = append(places, search.Place{Slot: slot, Arrival: arrival, N: n})
			}
		}
		return places
	}
	for some := range slices.Chunk(runs, scanned) {
		list, err := jsonOf(some)
		if err != nil {
			return nil, err
		}
		if err := add(j.matching(&q, runsOfList, []any{list}, all)); err != nil {
			return nil, err
		}
	}
	for ; from < to; from += scanned {
		if err := add(j.matching(&q, "run CROSS JOIN log ON log.id=run.log WHERE run.arrival>? AND run.arrival<=?", []any{from, min(from+scanned, to)}, all)); err != nil {
			return nil, err
		}
	}
	return hits, ctx.Err()
}
