package journal

import (
	"fmt"
	"sort"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// A Fork is the end of a log that was continued twice: nothing from number Seq on counts. Was is where it ended before that was known, 0: nowhere.
type Fork struct {
	Log      message.LogID
	Author   identity.PeerID
	Nonce    message.Nonce
	Seq, Was uint64
}

// conflict takes note that run, whose signature verifies, differs from what is held of l at a number both have, and returns ErrConflict.
func (j *Journal) conflict(l *state, run *message.Run, hashes []message.Hash) error {
	// Where two chains differ they differ from there on: the first is found by halving.
	var failed error
	n := sort.Search(int(min(run.Last(), l.Seq)-run.First), func(i int) bool {
		have, err := j.hashAt(l, run.First+uint64(i))
		if err == errForgotten {
			return false // of what is not there any more nothing is known
		}
		if err != nil {
			failed = err
		}
		return have != hashes[i]
	})
	if failed != nil {
		return failed
	}
	at := run.First + uint64(n)
	held, err := j.runAt(l, at)
	if err != nil {
		return err
	}
	if err := j.cut(l, at, proof(at, held, run), Stored); err != nil {
		return err
	}
	return ErrConflict
}

// proof encodes that a and b, which both hold number at, differ there. What comes before it is left out.
func proof(at uint64, a, b *message.Run) []byte {
	return message.AppendProof(nil, since(at, a), since(at, b))
}

func since(at uint64, run *message.Run) *message.Run {
	if at == run.First {
		return run
	}
	return run.From(at, run.Hashes()[at-1-run.First])
}

// cut ends l before number at, if it does not end there already.
func (j *Journal) cut(l *state, at uint64, proof []byte, from Origin) error {
	for l.Fork == 0 || at < l.Fork {
		end, err := j.upTo(l, at-1)
		if err == errForgotten {
			end, err = endOf(l, at, proof)
		}
		if err != nil {
			return err
		}
		j.mu.Lock()
		if c := j.logs.get(l.Log); c != nil && c.Head == l.Head && c.Day >= j.horizonLocked(c.Group, false) {
			was := c.Fork
			j.changeLocked(c, func() {
				c.Seq, c.Tip, c.hlc, c.nick, c.named = end.Seq, end.Tip, end.hlc, end.nick, end.named
				c.Fork, c.proof = at, proof
			})
			j.cutOff = append(j.cutOff, cutOff{c.row, at, was})
			j.relayLocked(c, was, from)
			j.mu.Unlock()
			j.forked(l, at, was, proof)
			j.wake()
			j.watchers.tell(0)
			return nil
		}
		j.mu.Unlock()
		again, ok, err := j.lookup(l.Log)
		if err != nil || !ok {
			return err
		}
		*l = again
	}
	return nil
}

// upTo returns how l was when seq was its last message; l itself where it does not go that far.
func (j *Journal) upTo(l *state, seq uint64) (*state, error) {
	if seq >= l.Seq {
		return l, nil
	}
	if seq == 0 {
		return &state{Head: Head{Log: l.Log}, nick: l.opener}, nil
	}
	run, err := j.runAt(l, seq)
	if err != nil {
		return nil, err
	}
	i := seq - run.First
	end := &state{Head: Head{Log: l.Log, Seq: seq, Tip: run.Hashes()[i]}, nick: l.nick, named: l.named, hlc: run.Records[i].HLC}
	if l.named == 0 || l.named > seq {
		end.nick, end.named, err = j.nickAt(l, seq)
	}
	return end, err
}

// nickAt returns what the author of l called itself when seq was the last message, and since which. A liar may cut a log off once for each of its messages: all of it is read for that once.
func (j *Journal) nickAt(l *state, seq uint64) (nick string, since uint64, err error) {
	for seq > 0 {
		run, err := j.runAt(l, seq)
		if err == errForgotten {
			return l.nick, 1, nil
		}
		if err != nil {
			return "", 0, err
		}
		for ; seq >= run.First; seq-- {
			if nick, ok := nickIn(&run.Records[seq-run.First]); ok {
				return nick, seq, nil
			}
		}
	}
	return l.opener, 1, nil
}

// endOf returns how l was before number at, as far as the proof of a fork there tells: what follows names what it follows.
func endOf(l *state, at uint64, proof []byte) (*state, error) {
	one, _, err := message.ParseProof(proof)
	if err != nil {
		return nil, err
	}
	return &state{Head: Head{Log: l.Log, Seq: at - 1, Tip: one.Prev}, nick: l.nick, hlc: l.hlc}, nil
}

// Proof returns the proof of a log's fork, the body of a PROOF frame, or nil.
func (j *Journal) Proof(id message.LogID) []byte {
	l, ok, err := j.lookup(id)
	if err != nil || !ok || l.Fork == 0 {
		return nil
	}
	if l.proof != nil {
		return l.proof
	}
	b, err := j.store.proof(l.row)
	if j.fault(err) != nil {
		return nil
	}
	return b
}

// relayLocked puts the proof of a fork into the tail, so that it travels like any row, behind those of its log. On disk it stands with the log instead: who follows
// from the store finds out by comparing.
func (j *Journal) relayLocked(c *state, was uint64, from Origin) {
	f := j.tail.frame(wire.TypeProof, len(c.proof), func(b []byte) []byte { return append(b, c.proof...) })
	j.arriveLocked(item{Entry: Entry{Frame: f, From: from, Group: c.Group, Day: c.Day, Log: c.Log, Fork: c.Fork, Was: was}})
}

// AppendProof accepts the proof of a fork of a log that is held, or whose first message is in it, and ends the log there. Errors are ErrGap where the
// log is not held, ErrForeign, ErrDay, those of message.ParseProof and message.ErrSignature; a proof that says nothing new is accepted, and goes no further.
func (j *Journal) AppendProof(b []byte, from Origin) error {
	one, two, err := message.ParseProof(b)
	if err != nil {
		return err
	}
	for {
		l, held, err := j.lookup(one.Log)
		if err != nil {
			return err
		}
		author := l.Author
		if !held {
			if one.Opening == nil || two.Opening == nil {
				return ErrGap
			}
			if err := j.checkOpening(one.Opening, from); err != nil {
				return err
			}
			author = one.Opening.Author
		}
		at, err := message.Fork(author, one, two)
		if err != nil {
			return err
		}
		if held {
			return j.cut(&l, at, proof(at, one, two), from)
		}
		// A log that forks at its first message has nothing to hold but that. Fork at a later one: nothing of it is held yet.
		if at > 1 {
			return ErrGap
		}
		if ok, err := j.bury(&l, one.Opening, proof(at, one, two), from); ok || err != nil {
			return err
		}
	}
}

// bury adds a log that forks at its first message; ok is false where it came to be held since it was looked up.
func (j *Journal) bury(l *state, o *message.Opening, proof []byte, from Origin) (ok bool, err error) {
	own := j.owns(o.Group, o.Author)
	j.mu.Lock()
	switch {
	case j.closed:
		err = ErrClosed
	case o.Day < j.horizonLocked(o.Group, own):
		err = ErrDay
	case j.logs.get(o.Log()) == nil && l.epoch == j.logs.epoch:
		ok = true
		j.lastLog++
		c := newState(o, j.lastLog)
		j.logs.put(c)
		j.groupLocked(c.Group, own)
		j.joinLocked(c.Group, c.Author)
		j.changeLocked(c, func() { c.Fork, c.proof = 1, proof })
		j.relayLocked(c, 0, from)
	}
	j.mu.Unlock()
	if ok {
		j.forked(newState(o, 0), 1, 0, proof)
	}
	j.wake()
	j.watchers.tell(0)
	return ok, err
}

// forked tells of a fork, unless it is one by its author's wish.
func (j *Journal) forked(l *state, at, was uint64, proof []byte) {
	if void(proof) {
		j.log.Debug("a log was ended by its author", "log", fmt.Sprintf("%x", l.Log))
		return
	}
	j.log.Warn("a log was continued twice", "log", fmt.Sprintf("%x", l.Log), "seq", at)
	if j.conf.Forked != nil {
		j.conf.Forked(Fork{Log: l.Log, Author: l.Author, Nonce: l.Nonce, Seq: at, Was: was})
	}
}
