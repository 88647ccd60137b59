package journal

import (
	"context"
	"fmt"

	"earshot/node/message"
)

// A Restated message was said again.
type Restated struct {
	Old, New message.ID
	Key      Key // of the new one
}

// Restate says again what is in a log of this author's, as of now, in the same order, and ends the log before its first message: it was dated by a wrong clock, others may
// not take it. That is a fork that the author makes: wherever the log was taken what it held is not shown any more. before is told of what is said again
// before anyone can see it. A log that is not held, or ended already, is left alone.
func (a *Author) Restate(ctx context.Context, id message.LogID, before func([]Restated)) error {
	j := a.j
	if err := j.waitQueue(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l, held, err := j.lookup(id)
	if err != nil || !held || l.Fork != 0 || l.Author != a.id.ID() {
		return err
	}
	o, _ := j.Opening(id)
	var runs []*message.Run
	count := uint64(0)
	for data, err := range j.Serve(id, 1) {
		if err != nil {
			return err
		}
		run, err := parseHeld(data)
		if err != nil {
			return j.fault(err)
		}
		runs = append(runs, run)
		count += uint64(len(run.Records))
	}
	if count != l.Seq {
		return fmt.Errorf("%d of %d messages can be read", count, l.Seq)
	}
	if o.Nonce == a.nonce {
		a.mint()
	}
	var records []message.Record // as they are to be sealed, where they are
	var were []message.Ref
	flush := func() error {
		if len(records) == 0 {
			return nil
		}
		_, _, _, err := a.append(o.Group, o.Room, o.Name, records, func(run *message.Run, hashes []message.Hash) {
			var again []Restated
			for i, h := range hashes {
				is := Key{HLC: run.Records[i].HLC, Log: run.Log, Seq: run.First + uint64(i)}
				again = append(again, Restated{Old: were[i].ID, New: h.ID(), Key: is})
				a.moved[were[i]] = message.Ref{Log: is.Log, Seq: is.Seq, ID: h.ID()}
			}
			before(again)
		})
		records, were = nil, nil
		return err
	}
	for _, old := range runs {
		lines := l.lines(old, 0)
		if err := j.unseal(lines); err != nil {
			return err
		}
		for i, h := range old.Hashes() {
			r := &old.Records[i]
			if line := &lines[i]; line.Sealed && line.Body != nil {
				r = &message.Record{Kind: line.Kind, Body: line.Body}
			}
			if r.Kind == message.NickName || r.Redacted { // the new log opens with the nick
				continue
			}
			if r.Kind.About() { // it may be about one before it
				if err := flush(); err != nil {
					return err
				}
			}
			records, were = append(records, message.Body(0, r.Kind, a.follow(r))), append(were, message.Ref{Log: id, Seq: old.First + uint64(i), ID: h.ID()})
		}
		if err := flush(); err != nil {
			return err
		}
	}
	first := runs[0]
	void := &message.Run{Log: id, First: 1, Opening: o, Records: []message.Record{message.Body(first.Records[0].HLC, message.Void, nil)}}
	void.Sign(a.id)
	return j.cut(&l, 1, proof(1, first, void), 0)
}

// follow returns the body of a record, about what was said again where it is about something that was.
func (a *Author) follow(r *message.Record) []byte {
	about, ok := message.ParseAbout(r.Kind, r.Body)
	for i, ref := range about.Refs {
		if now, ok := a.moved[ref]; ok {
			about.Refs[i] = now
		}
	}
	if !ok {
		return r.Body
	}
	return about.Body(r.Kind)
}

// Void reports whether a log that is held was ended by its author's wish, before its first message.
func (j *Journal) Void(id message.LogID) bool {
	return void(j.Proof(id))
}

func void(proof []byte) bool {
	one, two, err := message.ParseProof(proof)
	by := func(r *message.Run) bool { return r.First == 1 && r.Records[0].Kind == message.Void }
	return err == nil && (by(one) || by(two))
}
