package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"earshot/node/journal/search"
	"earshot/node/message"
)

const (
	// textEvery is how long what is committed may wait for the index where nobody searches: what is said meanwhile goes in at once. So may what was left at the last start, since the first screen, and
	// the hub, are waited for then.
	textEvery = time.Second
	// textMessages is how many messages go in at once: the more, the fewer segments there are to merge; so many take about 0.05 s.
	textMessages = 1024
	// textShare is how many rows and pages the index writes, in about 0.5 ms, before it looks whether it is in the way. While anything is said it rests for a lullNap after each share: a process that
	// has one core looks at the network when nobody wants to run, and otherwise every 10 ms.
	textShare = 64
	// textPatience is how long it waits at a stretch for commits, and for less to arrive, before it takes a share all the same: while much is said it has a fiftieth of a core.
	textPatience = 50 * time.Millisecond
	// purgeAfter is how long after something was taken out the index begins to be written anew without it, so that several go together; and then it rests purgeShare times as long as that took: with a million
	// messages it is half a minute of one core, and 250 MB.
	purgeAfter = 10 * time.Second
	purgeShare = 50
	// textRetry is how long after an error it is tried again.
	textRetry = 10 * time.Second
)

// textIndex is the search index of a journal, and who wants it. There is none for a journal in memory: that is looked through instead.
type textIndex struct {
	wanted chan struct{} // has room for one: somebody searches, do not wait

	using sync.RWMutex // held for reading by whoever uses index, for as long as a search takes
	index *search.Index
}

// want makes the index take in what is there.
func (t *textIndex) want() {
	select {
	case t.wanted <- struct{}{}:
	default:
	}
}

// rest waits for textEvery, or until somebody searches.
func (t *textIndex) rest(ctx context.Context) {
	wait := time.NewTimer(textEvery)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-t.wanted:
	case <-wait.C:
	}
}

// use returns the index, or nil while there is none, and what to call when it is used no more.
func (t *textIndex) use() (*search.Index, func()) {
	t.using.RLock()
	return t.index, t.using.RUnlock
}

// set puts another in the place of the index, and closes that when nobody uses it any more.
func (t *textIndex) set(index *search.Index) error {
	t.using.Lock()
	old := t.index
	t.index = index
	t.using.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

// lookAgain makes the index look again at a run of which bodies were deleted, have come, or have opened, also should the process stop before; textIndex.want wakes it after the transaction. Until
// then such runs are looked at by each search.
func (s *store) lookAgain(tx *sql.Tx, arrival int64) error {
	if s.r == s.w { // in memory there is no index
		return nil
	}
	_, err := tx.Exec("INSERT INTO again(arrival) VALUES (?)", arrival)
	return err
}

// again reads the runs that are to be looked at again, the newest first, each once.
func (s *store) again() (arrivals []int64, err error) {
	err = s.each("SELECT DISTINCT arrival FROM again ORDER BY arrival DESC", nil, func(rows *sql.Rows) error {
		var arrival int64
		defer func() { arrivals = append(arrivals, arrival) }()
		return rows.Scan(&arrival)
	})
	return arrivals, err
}

// runText keeps the index until ctx ends. None of its errors is one of the journal's: the index is made of what that holds, and one that is damaged is made anew.
func (j *Journal) runText(ctx context.Context) {
	if !j.Persistent() {
		return
	}
	defer func() {
		if err := j.text.set(nil); err != nil {
			j.log.Debug("close the search index", "err", err)
		}
	}()
	for ctx.Err() == nil {
		err := j.fillText(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		j.log.Warn("the search index cannot be written", "err", err)
		j.text.set(nil)
		if damaged(err) {
			if err := search.Drop(j.conf.Dir); err != nil {
				j.log.Warn("the search index is damaged and cannot be deleted", "err", err)
			}
		}
		wait := time.NewTimer(textRetry)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
}

// openText opens the index, or makes one where there is none of this store, or one that cannot be read.
func (j *Journal) openText(ctx context.Context) (index *search.Index, watermark int64, err error) {
	for range 2 {
		if index, err = search.Open(j.conf.Dir, j.store.id); err == nil {
			if watermark, err = index.Watermark(ctx); err == nil && watermark <= j.durable.Load() {
				return index, watermark, nil
			}
			if err == nil {
				err = fmt.Errorf("%w: it is ahead of it", search.ErrOther)
			}
			err = errors.Join(err, index.Close())
		}
		if !damaged(err) && !errors.Is(err, search.ErrOther) {
			break
		}
		j.log.Info("the search index is made anew", "err", err)
		if err := search.Drop(j.conf.Dir); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, err
}

// fillText opens the index and keeps it full until ctx ends or something fails.
func (j *Journal) fillText(ctx context.Context) error {
	index, watermark, err := j.openText(ctx)
	if err != nil {
		return err
	}
	index.Pause = j.giveWay(ctx)
	if err := j.text.set(index); err != nil {
		return err
	}
	changed, stop := j.Watch()
	defer stop()
	horizon := uint32(0)
	var p purge
	j.text.rest(ctx)
	for ctx.Err() == nil {
		for to := j.durable.Load(); watermark < to && ctx.Err() == nil; {
			if watermark, err = j.addText(index, watermark, to); err != nil {
				return err
			}
		}
		for more := true; more && ctx.Err() == nil; {
			if more, err = j.mendText(ctx, index, watermark); err != nil {
				return err
			}
		}
		if now := j.gone.Load(); now != horizon {
			if err := j.dropText(ctx, index, now); err != nil {
				return err
			}
			horizon = now
		}
		due := p.plan(index)
		if p.begins() { // while people talk something has changed each time, too
			if err := p.step(index); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-j.text.wanted:
		case <-due:
		case <-changed:
			j.text.rest(ctx)
		}
	}
	return nil
}

// A purge takes what was removed from an index out of its files, in steps, when there is time.
type purge struct {
	next time.Time     // step; zero: there is none
	took time.Duration // up to now
	free time.Time     // when the next may begin
}

// plan sees to it that what was removed is purged, and returns what tells of the next step; nil: there is none.
func (p *purge) plan(index *search.Index) (due <-chan time.Time) {
	if p.next.IsZero() && index.Removed() {
		p.next = time.Now().Add(max(purgeAfter, time.Until(p.free)))
	}
	if p.next.IsZero() {
		return nil
	}
	return time.After(time.Until(p.next))
}

// begins reports whether it is time for the next step.
func (p *purge) begins() bool { return !p.next.IsZero() && !time.Now().Before(p.next) }

// step does one.
func (p *purge) step(index *search.Index) error {
	began := time.Now()
	more, err := index.Purge()
	p.took += time.Since(began)
	if p.next = began; !more {
		p.next, p.free = time.Time{}, time.Now().Add(purgeShare*p.took)
		p.took = 0
	}
	return err
}

// giveWay returns what lets commits and the relay go before a row or a page goes into the index. It is the processor that they would wait for, not the disk: where all cores are taken, each step of a
// commit waits for a time slice of several milliseconds (BenchmarkWriteWhileIndexing).
func (j *Journal) giveWay(ctx context.Context) func() {
	share := 0
	var l lull
	return func() {
		if share > 0 {
			share--
			return
		}
		share = textShare
		for range textPatience / lullNap {
			late := l.flooded(j.messages.Load()) || j.last.Load() > j.durable.Load()
			if late || l.talk() {
				j.nap(ctx)
			}
			if !late || ctx.Err() != nil {
				return
			}
		}
	}
}

// nap lets others run. It is looked from time to time whether they are done, instead of being woken by a commit: whoever else was waiting for that shall run first.
func (j *Journal) nap(ctx context.Context) {
	nap := time.NewTimer(lullNap)
	defer nap.Stop()
	select {
	case <-nap.C:
	case <-ctx.Done():
	}
}

// addText puts what arrived after from, up to to, into the index, or the first of it, and returns how far it came.
func (j *Journal) addText(index *search.Index, from, to int64) (int64, error) {
	docs, to, err := j.store.docs(from, to)
	if err != nil {
		return from, j.fault(err)
	}
	return to, index.Add(docs, to)
}

// docs reads what is to be found of what arrived after from, no further than to, and how far that is.
func (s *store) docs(from, to int64) (docs []search.Doc, end int64, err error) {
	end = to
	records := 0
	var closed []search.Doc // what is sealed, and where it stands
	var places []spot
	var room message.RoomID
	var name, nick string
	var data sql.RawBytes
	var arrival int64
	var seq uint64
	columns := []any{&arrival, &data, fixed(room[:]), &name, &nick, &seq}
	err = s.each("SELECT run.arrival, run.data, log.room, log.name, log.nick, log.seq FROM run CROSS JOIN log ON log.id=run.log WHERE run.arrival>? AND run.arrival<=? ORDER BY run.arrival",
		[]any{from, to}, func(rows *sql.Rows) error {
			if err := rows.Scan(columns...); err != nil {
				return err
			}
			run, err := parseHeld(data)
			if err != nil {
				return err
			}
			shown := message.ShowNick(nick)
			for n := range run.Records {
				r := &run.Records[n]
				at := spot{run.Log, run.First + uint64(n)}
				if at.seq > seq { // past a fork: it is not seen
					break
				}
				doc := search.Doc{Place: search.Place{Arrival: arrival, N: n}, HLC: r.HLC, Room: room, Nick: shown}
				if name == "" {
					if r.Kind == message.Sealed && !r.Redacted {
						places, closed = append(places, at), append(closed, doc)
					}
					continue
				}
				if text, ok := textOf(r.Kind, r.Body); ok {
					doc.Text = text
					docs = append(docs, doc)
				}
			}
			if records += len(run.Records); records >= textMessages {
				end = arrival
				return errEnough
			}
			return nil
		})
	if err != nil {
		return nil, 0, err
	}
	found := map[spot]said{}
	if err := s.read(func(db *sql.DB) error { return readSaid(db, places, found) }); err != nil {
		return nil, 0, err
	}
	for i, doc := range closed {
		what := found[places[i]]
		if text, ok := textOf(what.kind, what.body); ok {
			doc.Text = text
			docs = append(docs, doc)
		}
	}
	return docs, end, nil
}

// mendText puts in what is missing of the next runs that were changed since they were read, takes out what is not there any more, and reports whether there may be more. What the
// index has not read yet it reads as it is then.
func (j *Journal) mendText(ctx context.Context, index *search.Index, watermark int64) (more bool, err error) {
	var last int64
	var runs []int64
	err = j.store.each("SELECT id, arrival FROM again ORDER BY id LIMIT ?", []any{textMessages}, func(rows *sql.Rows) error {
		var arrival int64
		defer func() { runs = append(runs, arrival) }()
		return rows.Scan(&last, &arrival)
	})
	if err != nil {
		return false, j.fault(err)
	}
	if len(runs) == 0 {
		return false, nil
	}
	slices.Sort(runs)
	for _, arrival := range slices.Compact(runs) {
		if arrival > watermark {
			break
		}
		if err := j.mendRun(ctx, index, arrival, watermark); err != nil {
			return false, err
		}
	}
	if err := index.Sync(); err != nil { // before it is forgotten what was to be looked at
		return false, err
	}
	index.Pause()
	err = j.store.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM again WHERE id<=?", last)
		return err
	})
	if err != nil {
		return false, j.fault(err)
	}
	return true, nil
}

// mendRun makes the index have of a run what is to be found of it.
func (j *Journal) mendRun(ctx context.Context, index *search.Index, arrival, watermark int64) error {
	docs, _, err := j.store.docs(arrival-1, arrival)
	if err != nil {
		return j.fault(err)
	}
	at, err := index.At(ctx, arrival)
	if err != nil {
		return err
	}
	held := map[int]bool{}
	for _, d := range docs {
		held[d.N] = true
	}
	var gone []int64
	for _, p := range at {
		if !held[p.N] {
			gone = append(gone, p.Slot)
		}
		docs = slices.DeleteFunc(docs, func(d search.Doc) bool { return d.N == p.N })
	}
	if err := index.Remove(gone); err != nil {
		return err
	}
	return index.Add(docs, watermark)
}

// dropText takes out what was said before a horizon and is not held any more.
func (j *Journal) dropText(ctx context.Context, index *search.Index, horizon uint32) error {
	// A log of a day holds what was said then, and perhaps a little later.
	below := search.SlotOf(uint64(int64(horizon)+1) * 24 * 3600 * 1000 << 16)
	for slot := int64(0); ctx.Err() == nil; {
		places, err := index.Oldest(ctx, slot, below, textMessages)
		if err != nil || len(places) == 0 {
			return err
		}
		slot = places[len(places)-1].Slot + 1
		if err := j.removeGone(index, places); err != nil {
			return err
		}
	}
	return nil
}

// removeGone takes those of places out that have no text any more.
func (j *Journal) removeGone(index *search.Index, places []search.Place) error {
	left, err := j.linesIn(&search.Query{}, places)
	if err != nil {
		return j.fault(err)
	}
	held := make(map[int64]bool, len(left))
	for _, h := range left {
		held[h.Slot] = true
	}
	var slots []int64
	for _, p := range places {
		if !held[p.Slot] {
			slots = append(slots, p.Slot)
		}
	}
	return index.Remove(slots)
}
