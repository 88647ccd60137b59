package exchange

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// read takes frames until one fails. A link at rest is this goroutine, which waits; all else is done aside.
func (p *peer) read(ctx context.Context) (err error) {
	if p.resting == nil {
		return p.take(ctx)
	}
	for err == nil {
		came := p.resting.Await()
		p.exchange.crew.Aside(func() { err = p.takeAll(ctx, came) })
	}
	return err
}

// takeAll takes what has come after a wait that ended so, and begins to wait again.
func (p *peer) takeAll(ctx context.Context, came error) error {
	again, err := p.waited(came)
	if err == nil && !again {
		err = p.take(ctx)
		p.Reader.Rest()
	}
	p.wait()
	return err
}

// A resting connection can be waited for without reading from it (identity.Conn).
type resting interface {
	Awaits() bool
	Await() error
}

// take takes frames until one fails, or, where the connection can be waited for, until there are no more.
func (p *peer) take(ctx context.Context) error {
	if p.Hub && p.exchange.config.Limit != nil {
		p.limit = p.exchange.config.Limit(p.Peer)
	}
	for ctx.Err() == nil {
		t, body, err := p.next()
		if p.resting != nil && errors.Is(err, identity.ErrNothing) {
			return nil // whether that is too long is for wait to say
		}
		if err != nil {
			return err
		}
		live, err := p.frame(ctx, t, body)
		if err != nil {
			return fmt.Errorf("frame %d: %w", t, err)
		}
		for p.limit != nil && live > 0 {
			n := min(live, p.limit.Burst())
			if err := p.limit.WaitN(ctx, n); err != nil {
				return err
			}
			live -= n
		}
	}
	return ctx.Err()
}

// Stalled reports whether this process did not run when it should have, at due: then that nothing came until due says nothing.
func Stalled(due time.Time) bool { return time.Since(due) > stall }

// next returns the next frame, if need be after waiting for it.
func (p *peer) next() (t wire.Type, body []byte, err error) {
	if p.resting != nil || p.Reader.Buffered() {
		return p.Reader.Next()
	}
	for again := true; again; {
		p.wait()
		t, body, err = p.Reader.Next()
		again, err = p.waited(err)
	}
	return t, body, err
}

// A wait is one for the other end. That nothing came counts only while this process ran: what arrived while it did not lies in the kernel, and what did not arrive may have been
// kept back by what kept this process back.
type wait struct {
	began  time.Time // by the machine's clock; zero: it has not
	from   time.Time // the same by the clock that nobody sets
	due    time.Time
	most   time.Duration
	stalls int
}

// wait begins to wait, or goes on.
func (p *peer) wait() {
	w := &p.waiting
	if w.began.IsZero() {
		w.began, w.from, w.most, w.stalls = p.journal.Clock().Local(), time.Now(), p.Silence, 0
	}
	if p.Silence > 0 {
		w.due = time.Now().Add(w.most)
		p.Conn.SetReadDeadline(w.due)
	}
}

// waited is called when something came, or the deadline; again: it is to be waited on. It notes since when there was nothing.
func (p *peer) waited(came error) (again bool, err error) {
	w := &p.waiting
	if p.Silence > 0 && errors.Is(came, os.ErrDeadlineExceeded) {
		switch {
		case Stalled(w.due) && w.stalls < maxStalls:
			w.most, w.stalls = p.Silence, w.stalls+1
			return true, nil
		case w.most > glance:
			w.most = glance
			return true, nil
		}
		came = ErrSilent
	}
	if p.journal.Clock().Local().Sub(w.began) > glance {
		p.since = w.began
	}
	if p.Patience != nil && came == nil && w.stalls == 0 && !Stalled(w.due) {
		p.Silence = p.Patience(time.Since(w.from))
	}
	w.began = time.Time{}
	return false, came
}

// frame handles one frame; live is how many records it brought that nobody asked for.
func (p *peer) frame(ctx context.Context, t wire.Type, body []byte) (live int, err error) {
	switch t {
	case wire.TypeRun, wire.TypePulled, wire.TypeBulk:
		return p.run(ctx, t, body)
	case wire.TypeProof:
		p.mu.Lock()
		p.received++
		p.mu.Unlock()
		if err := p.journal.AppendProof(body, p.origin); err != nil && !errors.Is(err, journal.ErrGap) && !errors.Is(err, journal.ErrDay) {
			return 0, err
		}
		return len(body) / proofRecord, nil
	case wire.TypeState:
		return 0, decode(body, p.compare)
	case wire.TypeAskDays:
		return 0, decode(body, p.days)
	case wire.TypeAskHeads:
		return 0, decode(body, p.heads)
	case wire.TypeDays:
		return 0, decode(body, p.walkDays)
	case wire.TypeHeads:
		return 0, decode(body, p.walkHeads)
	case wire.TypeWant:
		return 0, decode(body, p.want)
	case wire.TypeDone:
		return 0, decode(body, p.done)
	case wire.TypeBeat:
		return 0, decode(body, p.beat)
	case wire.TypeHave:
		return 0, decode(body, p.have)
	case wire.TypeStable:
		return 0, decode(body, p.stable)
	case wire.TypePing:
		return 0, nil
	}
	if p.Control != nil {
		return 1, p.Control.Receive(t, body)
	}
	return 0, nil
}

// decode hands a control body to who takes it.
func decode[T any](body []byte, take func(*T) error) error {
	v := new(T)
	if err := wire.Decode(body, v); err != nil {
		return err
	}
	return take(v)
}

// have takes what is on a follower's disk.
func (p *peer) have(h *wire.Have) error {
	if !p.Hub {
		return fmt.Errorf("HAVE from the hub: %w", wire.ErrFrame)
	}
	p.exchange.acks.have(p, h.Heads)
	return nil
}

// stable takes what the hub counted.
func (p *peer) stable(s *wire.Stable) error {
	if p.Hub {
		return fmt.Errorf("STABLE from a follower: %w", wire.ErrFrame)
	}
	p.exchange.acks.stable(s.Logs)
	return nil
}

// run accepts what the other end sent.
func (p *peer) run(ctx context.Context, t wire.Type, body []byte) (live int, err error) {
	r, err := message.ParseRun(body)
	if err != nil {
		return 0, err
	}
	until, asked := p.wants[r.Log]
	asked = asked && t != wire.TypeRun && r.First <= until
	via := journal.Live // what was not asked for comes by itself, whatever it says
	switch {
	case asked && t == wire.TypeBulk:
		via = journal.Bulk
	case asked:
		via = journal.Asked
	}
	frames := uint64(1)
	p.exchange.bring()
	var added int
	if whole, more, bytes := p.ahead(t, r, len(body)); more > 0 {
		if added, err = p.journal.Append(ctx, whole, p.origin, via); err == nil {
			p.Reader.Skip(bytes)
			r, frames = whole, 1+more
		}
	}
	if frames == 1 {
		added, err = p.journal.Append(ctx, r, p.origin, via)
	}
	if added > 0 && p.Hub { // before it is passed on, for it may be on the disk before it is
		p.exchange.acks.arrived(p, r.Log, r.First, r.Last())
	}
	p.exchange.brought(len(r.Records))
	switch {
	case err == nil:
	case errors.Is(err, journal.ErrStripped): // it would be stripped again: another link is asked, when that says what it has
		if len(p.stripped) < maxGaps {
			put(&p.stripped, r.Log, struct{}{})
		}
	case errors.Is(err, journal.ErrGap):
		if len(p.gaps) < maxGaps && !time.Now().Before(p.vain[r.Log]) {
			put(&p.gaps, r.Log, r.Last())
		}
	case errors.Is(err, journal.ErrDay):
		p.exchange.log.Debug("run not taken", "peer", p.Session, "log", r.Log, "seq", r.First, "err", err)
	case errors.Is(err, journal.ErrConflict):
		if err := p.wantFrom(r.Log, 1, r.Last()); err != nil {
			return 0, err
		}
		asked = false // a liar can fork a log as often as it has messages
	default:
		return 0, err
	}
	if added > 0 {
		p.again, p.pause = time.Time{}, 0
		p.exchange.pulled(r.Log, p, false)
	}
	p.mu.Lock()
	p.received += frames
	p.mu.Unlock()
	if asked {
		return 0, nil
	}
	return len(r.Records), p.fill()
}

// ahead returns r, which takes size bytes, with the runs behind it that have arrived already and continue it, and how many those are, of how many bytes: one signature is verified for all of
// them, and one run is kept and relayed. Where that does not verify, each is to be taken for itself. Who says more than it may is not read ahead of.
func (p *peer) ahead(t wire.Type, r *message.Run, size int) (whole *message.Run, frames uint64, bytes int) {
	both := *r
	both.Records = slices.Clip(r.Records) // those of r stay as they are
	whole = &both
	most := message.MaxRecords
	if p.limit != nil {
		most = min(most, int(p.limit.Tokens()))
	}
	for t == wire.TypeRun {
		next, body, n := p.Reader.Ahead(bytes)
		if size += len(body); next != t || size > message.MaxRunBytes {
			break
		}
		run, err := message.ParseRun(body)
		if err != nil || len(whole.Records)+len(run.Records) > most || !whole.Extend(run) {
			break
		}
		frames, bytes = frames+1, bytes+n
	}
	return whole, frames, bytes
}

// offer sends STATE; reply asks for the other's. What arrives in the journal from here on is the tail's. It returns what it
// sent.
func (p *peer) offer(reply bool) (*wire.State, error) {
	p.mu.Lock()
	if p.mine == nil {
		p.cursor = *p.journal.Follow(p.journal.Last())
		p.at = p.cursor.Arrival()
	}
	p.served = 0
	p.mu.Unlock()
	s, err := p.hold()
	if err != nil {
		return nil, err
	}
	s.Reply = reply
	mine := p.exchange.listOf(s)
	p.mu.Lock()
	p.mine = mine
	p.coverLocked()
	p.mu.Unlock()
	return s, p.answer(wire.TypeState, s)
}

// days answers ASKDAYS.
func (p *peer) days(ask *wire.AskDays) error {
	sums, err := p.journal.Days(ask.Group, max(ask.From, p.journal.Horizon(ask.Group)), p.journal.Tomorrow())
	if err != nil {
		return err
	}
	a := wire.Days{Group: ask.Group, From: ask.From}
	if len(sums) > wire.MaxDays {
		sums, a.More = sums[:wire.MaxDays], true
	}
	for _, s := range sums {
		a.Days = append(a.Days, wire.DaySum{Day: s.Day, Sum: s.Sum})
	}
	return p.answer(wire.TypeDays, &a)
}

// heads answers ASKHEADS.
func (p *peer) heads(ask *wire.AskHeads) error {
	differs := func(message.LogID) bool { return true }
	if len(ask.Parts) > 0 {
		mine, err := p.journal.Parts(ask.Group, ask.Day)
		if err != nil {
			return err
		}
		if mine != nil {
			differs = func(l message.LogID) bool {
				at := journal.Part(l) * wire.PartBytes
				return !bytes.Equal(mine[at:at+wire.PartBytes], ask.Parts[at:at+wire.PartBytes])
			}
		}
	}
	a := wire.Heads{Group: ask.Group, Day: ask.Day, More: true}
	for after, pages := ask.After, 1; a.More && len(a.Heads) < wire.MaxHeads; pages++ {
		hs, more, err := p.journal.Heads(ask.Group, ask.Day, after, wire.MaxHeads)
		if err != nil {
			return err
		}
		a.More = more
		for i, h := range hs {
			last := pages == maxPages && i == len(hs)-1 // so that the asker goes on from there
			if after = h.Log; !differs(h.Log) && !last {
				continue
			}
			if a.Heads = append(a.Heads, head(h)); len(a.Heads) == wire.MaxHeads {
				a.More = more || i+1 < len(hs)
				break
			}
		}
		if pages == maxPages {
			break
		}
	}
	return p.answer(wire.TypeHeads, &a)
}

func head(h journal.Head) wire.Head {
	return wire.Head{Log: h.Log, Seq: h.Seq, Tip: h.Tip, Fork: h.Fork}
}

// want takes on what the other end asks for; the writer serves it, of one request the log first that ended first: an author's lines come in the order in which they were
// written also where they are in several logs.
func (p *peer) want(w *wire.Want) error {
	records := 0
	ends := make(map[message.LogID]uint64, len(w.Wants))
	for _, l := range w.Wants {
		ends[l.Log] = p.journal.End(l.Log)
		if h, ok := p.journal.Head(l.Log); ok && h.Seq >= l.From {
			records += int(min(h.Seq-l.From+1, bulkFrom+1))
		}
	}
	slices.SortStableFunc(w.Wants, func(a, b wire.WantLog) int { return cmp.Compare(ends[a.Log], ends[b.Log]) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.serving)+len(w.Wants) > maxServing {
		return ErrFlood
	}
	p.served += records
	p.serving = append(p.serving, w.Wants...)
	p.poke()
	return nil
}
