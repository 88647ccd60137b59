package exchange

import (
	"context"
	"iter"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// write sends until it fails or ctx ends.
func (p *peer) write(ctx context.Context) error {
	changed, stop := p.journal.Watch()
	defer stop()
	var control <-chan struct{}
	if p.Control != nil {
		control = p.Control.Changed()
	}
	tick := time.NewTimer(p.rest())
	defer tick.Stop()
	var serve served
	defer serve.stop()
	buf := make([]byte, 0, 4<<10)
	for {
		p.mu.Lock()
		beat := p.due
		p.due = false
		p.mu.Unlock()
		b, err := p.round(buf[:0], &serve, beat)
		if err != nil {
			return err
		}
		if beat {
			tick.Reset(p.rest())
		}
		if len(b) > 0 {
			p.Conn.SetWriteDeadline(time.Now().Add(WriteTimeout))
			if _, err := p.Conn.Write(b); err != nil {
				return err
			}
			if buf = b; cap(buf) > 4*writeBytes {
				buf = make([]byte, 0, 4<<10)
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-control:
		case <-p.wake:
		case <-tick.C:
			p.tick()
			tick.Reset(p.rest())
		}
	}
}

// round collects what is to be sent now.
func (p *peer) round(b []byte, serve *served, beat bool) ([]byte, error) {
	p.mu.Lock()
	b = append(b, p.answers...)
	p.answers = p.answers[:0]
	if cap(p.answers) > wire.MaxFrame {
		p.answers = nil
	}
	if serve.next == nil && len(p.serving) > 0 {
		serve.start(p.journal, p.serving, p.served > bulkFrom)
		p.serving = nil
	}
	tailing, witness := p.tailing, p.witness && !p.Hub && p.journal.Persistent()
	p.mu.Unlock()
	b = p.exchange.acks.next(p, b)
	if tailing {
		var err error
		if b, err = p.tail(b, witness); err != nil {
			return nil, err
		}
		b = p.report(b, witness)
	}
	if p.Control != nil {
		b = p.Control.Next(b, tailing && p.cursor.Arrival() == p.journal.Last())
	}
	b, err := serve.append(b, p)
	if err != nil {
		return nil, err
	}
	switch {
	case beat && tailing:
		return p.appendBeat(b, serve.next != nil)
	case beat:
		b = wire.AppendFrame(b, wire.TypePing, nil)
	}
	return b, nil
}

// tail appends what arrived in the journal since.
func (p *peer) tail(b []byte, witness bool) ([]byte, error) {
	entries, err := p.cursor.Next(writeBytes)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	state := p.state
	p.mu.Unlock()
	sent := uint64(0)
	for _, e := range entries {
		if witness {
			p.dirty[e.Log] = e.Arrival
		}
		gs := shared(state, e.Group)
		if e.From == p.origin || e.Bulk || gs == nil || e.Day < gs.Horizon {
			continue
		}
		b = append(b, e.Frame...)
		sent++
	}
	p.mu.Lock()
	p.sent += sent
	p.at = p.cursor.Arrival()
	p.mu.Unlock()
	return b, nil
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
}

// A step is one run, or the end of a log.
type step struct {
	run  []byte
	done message.LogID
}

// start begins to serve wants, in the order asked for: the asker walks from the newest day back.
func (s *served) start(j *journal.Journal, wants []wire.WantLog, bulk bool) {
	s.t = wire.TypePulled
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

// append adds about writeBytes of what is wanted.
func (s *served) append(b []byte, p *peer) ([]byte, error) {
	if s.next == nil {
		return b, nil
	}
	var done wire.Done
	sent := uint64(0)
	for most := len(b) + writeBytes; len(b) < most && len(done.Logs) < wire.MaxWants; {
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
	p.mu.Lock()
	p.sent += sent
	p.mu.Unlock()
	return b, nil
}
