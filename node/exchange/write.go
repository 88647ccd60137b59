package exchange

import (
	"iter"
	"slices"
	"sync"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// write sends all there is, for who has taken the turn, and gives it back.
func (p *peer) write() {
	for {
		if err := p.send(); err != nil {
			p.broken(err)
			return
		}
		if p.turn.done() {
			return
		}
	}
}

// broken ends the link, for who has the turn, and gives it back.
func (p *peer) broken(err error) {
	p.turn.set(false)
	p.fail(err)
	p.turn.done()
}

// A buffer is what one round is collected in.
type buffer []byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) free() {
	if cap(*b) <= 2*writeBytes {
		buffers.Put(b)
	}
}

// send goes round until nothing is left.
func (p *peer) send() error {
	b := buffers.Get().(*buffer)
	defer b.free()
	if p.eager != nil { // sendNow left it
		p.writes()
		if err := p.eager.Flush(); err != nil {
			return err
		}
	}
	defer p.writing.Store(0)
	for more := true; more; {
		var frames []byte
		var err error
		if frames, *b, more, err = p.round((*b)[:0]); err != nil {
			return err
		}
		for _, part := range [...][]byte{frames, *b} {
			if len(part) == 0 {
				continue
			}
			p.writes()
			if _, err := p.Conn.Write(part); err != nil {
				return err
			}
			p.spoke(time.Since(p.exchange.born))
		}
		p.serve.giveWay(p.journal)
	}
	return nil
}

// writes comes before each write that may wait.
func (p *peer) writes() {
	now := time.Now()
	p.writing.Store(int64(now.Sub(p.exchange.born)))
	p.Conn.SetWriteDeadline(now.Add(WriteTimeout))
}

// spoke comes after a write, with a time since Exchange.born that is not after it.
func (p *peer) spoke(at time.Duration) { p.wrote.Store(int64(at)) }

// spoken reports whether the other end was written to so lately that it needs no PING: if none comes now, it hears the next one in time.
func (p *peer) spoken() bool {
	return time.Since(p.exchange.born)-time.Duration(p.wrote.Load()) < p.Ping/lately
}

// stuck reports whether a follower takes nothing while more is said than a slow link could be behind by: what it lacks it gets from the store when it comes again. Where less is said nobody is cut
// off before WriteTimeout, and a machine may sleep for a moment.
func (p *peer) stuck() bool {
	began := time.Duration(p.writing.Load())
	if !p.Hub || began == 0 || time.Since(p.exchange.born)-began < stuckAfter {
		return false
	}
	p.mu.Lock()
	tailing, at := p.tailing, p.at
	p.mu.Unlock()
	return tailing && p.journal.Behind(at) > stuckBehind
}

// eager is a connection that can write without waiting (identity.Conn).
type eager interface {
	WriteNow(b []byte) (all bool, err error)
	Flush() error
}

// sendNow sends lines, which are the newest in the journal, and a BEAT that is due, without waiting for the other end, and gives the turn back; it is for who brought them, and costs half of what it does to let a
// goroutine do it. False: write is to be called, for there is more to do than that, or now there is.
func (p *peer) sendNow(lines []journal.Entry, began time.Duration) bool {
	if p.eager == nil {
		return false
	}
	if frames, ok := p.only(lines); ok {
		return p.hasten(began, false, frames)
	}
	return p.speak(little)
}

// speak is write without waiting for the other end, where at most so many entries are to be sent; false: write is to be called.
func (p *peer) speak(most int64) bool {
	p.mu.Lock()
	ok := p.eager != nil && p.tailing && len(p.serving) == 0 && p.serve.next == nil && p.journal.Last()-p.cursor.Arrival() <= most
	p.mu.Unlock()
	if !ok {
		return false
	}
	b := buffers.Get().(*buffer)
	defer b.free()
	began := time.Since(p.exchange.born)
	frames, rest, more, err := p.round((*b)[:0])
	if *b = rest; err != nil {
		p.broken(err)
		return true
	}
	if len(frames) > 0 && len(rest) > 0 && len(frames)+len(rest) <= talk {
		*b = slices.Insert(rest, 0, frames...) // one record, which is one write
		return p.hasten(began, more, *b)
	}
	return p.hasten(began, more, frames, rest)
}

// hasten writes parts without waiting, and gives the turn back. False: write is to be called, for not all has gone, or there is more.
func (p *peer) hasten(began time.Duration, more bool, parts ...[]byte) bool {
	all := true
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		var err error
		if all, err = p.eager.WriteNow(part); err != nil {
			p.broken(err)
			return true
		}
		if all {
			p.spoke(began)
		}
	}
	return all && !more && p.turn.done()
}

// only returns the frames of lines that the other end is to get, and moves the cursor past them, if nothing else is to be written to it first.
func (p *peer) only(lines []journal.Entry) (frames []byte, ok bool) {
	p.mu.Lock()
	theirs := p.theirs
	ok = p.tailing && !p.due && len(p.answers)+len(p.serving) == 0 && !(p.witness && !p.Hub)
	p.mu.Unlock()
	if !ok || p.serve.next != nil || p.cursor.Arrival() != lines[0].Arrival-1 {
		return nil, false
	}
	sent := uint64(0)
	for i := range lines {
		e := &lines[i]
		if e.From == p.origin || e.Bulk || !p.takes(e, theirs) {
			continue
		}
		if frames, ok = journal.Join(frames, e.Frame); !ok {
			return nil, false
		}
		sent++
	}
	p.mu.Lock()
	p.sent += sent
	p.at = p.cursor.Pass(lines)
	p.mu.Unlock()
	return frames, true
}

// round collects what is to be sent now: frames as they lie in the journal's tail, which are not copied, and what goes behind them, in b. more: there is more already.
func (p *peer) round(b []byte) (frames, _ []byte, more bool, err error) {
	p.mu.Lock()
	b = append(b, p.answers...)
	if p.answers = p.answers[:0]; cap(p.answers) > 64 { // a PING needs no more
		p.answers = nil
	}
	if p.serve.next == nil && len(p.serving) > 0 {
		p.serve.start(p.journal, p.serving, p.served > bulkFrom)
		p.serving = nil
	}
	beat := p.due
	if p.due = false; beat && !p.gone && p.alarm != nil {
		p.alarm.Reset(p.rest())
	}
	tailing, witness := p.tailing, p.witness && !p.Hub && p.journal.Persistent()
	p.mu.Unlock()
	b = p.exchange.acks.next(p, b)
	if tailing {
		if frames, b, err = p.tail(b, witness); err != nil {
			return nil, b, false, err
		}
		b = p.report(b, witness)
	}
	if p.Control != nil {
		b = p.Control.Next(b, tailing && p.cursor.Arrival() == p.journal.Last())
	}
	if b, err = p.serve.append(b, p); err != nil {
		return nil, b, false, err
	}
	switch {
	case beat && tailing:
		b, err = p.appendBeat(b, p.serve.next != nil)
	case beat:
		b = wire.AppendFrame(b, wire.TypePing, nil)
	}
	return frames, b, p.serve.next != nil || tailing && p.cursor.Arrival() < p.journal.Last(), err
}

// tail collects what arrived in the journal since: the first frames, if nothing goes before them, as far as they lie side by side, and all others in b.
func (p *peer) tail(b []byte, witness bool) (frames, _ []byte, err error) {
	entries, err := p.cursor.Next(writeBytes)
	if err != nil {
		return nil, b, err
	}
	p.mu.Lock()
	theirs := p.theirs
	p.mu.Unlock()
	sent := uint64(0)
	for i := range entries {
		e := &entries[i]
		if witness {
			put(&p.dirty, e.Log, e.Arrival)
		}
		if e.From == p.origin || e.Bulk || !p.takes(e, theirs) {
			continue
		}
		sent++
		if len(b) == 0 {
			if more, ok := journal.Join(frames, e.Frame); ok {
				frames = more
				continue
			}
		}
		b = append(b, e.Frame...)
	}
	p.mu.Lock()
	p.sent += sent
	p.at = p.cursor.Arrival()
	p.mu.Unlock()
	return frames, b, nil
}

// report appends HAVE for what has become durable.
func (p *peer) report(b []byte, witness bool) []byte {
	if !witness || len(p.dirty) == 0 {
		return b
	}
	durable := p.journal.Durable()
	var have wire.Have
	for l, arrival := range p.dirty {
		if arrival > durable {
			continue
		}
		delete(p.dirty, l)
		if h, ok := p.journal.DurableHead(l); ok {
			have.Heads = append(have.Heads, head(h))
		}
		if len(have.Heads) == wire.MaxHeads {
			b = wire.Append(b, wire.TypeHave, &have)
			have.Heads = have.Heads[:0]
		}
	}
	if len(have.Heads) > 0 {
		b = wire.Append(b, wire.TypeHave, &have)
	}
	return b
}

// served is what the writer is sending of what was wanted. It belongs to the writer.
type served struct {
	next func() (step, error, bool)
	end  func()
	t    wire.Type

	size  int       // bytes since the last rest
	last  int64     // the newest arrival, when it was looked for last
	heard time.Time // when there was a new one
}

// While anything is said, who serves rests for a restFor, the shortest time for which the runtime waits for the network, after so many bytes, which take it about 1 ms, until nothing was
// said for talkFor.
const (
	restAfter = 128 << 10
	restFor   = time.Millisecond
	talkFor   = time.Second
)

// giveWay lets what is said go before what is served: a process that has one core looks at the network when nobody wants to run, and otherwise every 10 ms.
func (s *served) giveWay(j *journal.Journal) {
	if s.size < restAfter {
		return
	}
	s.size = 0
	now := time.Now()
	if last := j.Last(); last != s.last {
		s.last, s.heard = last, now
	}
	if now.Sub(s.heard) < talkFor {
		time.Sleep(restFor)
	}
}

// A step is one run, or the end of a log.
type step struct {
	run  []byte
	done message.LogID
}

// start begins to serve wants, in the order asked for: the asker walks from the newest day back.
func (s *served) start(j *journal.Journal, wants []wire.WantLog, bulk bool) {
	s.last, s.t = j.Last(), wire.TypePulled
	if bulk {
		s.t = wire.TypeBulk
	}
	s.next, s.end = iter.Pull2(func(yield func(step, error) bool) {
		for _, w := range wants {
			for run, err := range j.Serve(w.Log, w.From) {
				if !yield(step{run: run}, err) || err != nil {
					return
				}
			}
			// The proof of a fork comes last: it is taken for a log that is held.
			if proof := j.Proof(w.Log); proof != nil && !yield(step{run: proof, done: w.Log}, nil) {
				return
			}
			if !yield(step{done: w.Log}, nil) {
				return
			}
		}
	})
}

func (s *served) stop() {
	if s.end != nil {
		s.end()
	}
	s.next, s.end = nil, nil
}

// append adds about serveBytes of what is wanted.
func (s *served) append(b []byte, p *peer) ([]byte, error) {
	if s.next == nil {
		return b, nil
	}
	var done wire.Done
	sent, before := uint64(0), len(b)
	for most := before + serveBytes; len(b) < most && len(done.Logs) < wire.MaxWants; {
		st, err, ok := s.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			s.stop()
			break
		}
		switch {
		case st.run == nil:
			done.Logs = append(done.Logs, st.done)
			continue
		case st.done != message.LogID{}:
			b = wire.AppendFrame(b, wire.TypeProof, st.run)
		default:
			b = wire.AppendFrame(b, s.t, st.run)
		}
		sent++
	}
	if len(done.Logs) > 0 {
		b = wire.Append(b, wire.TypeDone, &done)
	}
	s.size += len(b) - before
	p.mu.Lock()
	p.sent += sent
	p.mu.Unlock()
	return b, nil
}
