package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// What the vault wants said of conversations and private rooms is written here where it is to be replicated, and what it makes of what came is told.

// speak says what the vault wants said.
func (n *Node) speak(ctx context.Context, list []vault.Message) error {
	for _, m := range list {
		if err := n.gather.write(ctx, n.sealed(m.Room), m.Kind, m.Body); err != nil {
			return err
		}
	}
	return nil
}

// Of a conversation keepVault tells the other.
func (c Seen) do(_ context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil {
		return err
	}
	if err = n.gather.read(r, journal.Key(c.Up)); err != nil || !r.direct() || n.profile.get().Discreet {
		return err
	}
	n.mu.Lock()
	up := journal.Key(c.Up)
	if was, ok := n.looked[r.id]; !ok || was.Compare(up) < 0 {
		n.looked[r.id] = up
	}
	n.mu.Unlock()
	n.tend()
	return nil
}

const (
	// receiptsEvery is how often the others are told what was seen: a receipt is 2.6 KB.
	receiptsEvery = 2 * time.Second
	// tendEvery is how often it is looked what rooms are owed though nothing happened.
	tendEvery = time.Minute
	// stateEvery is how often a private room's state is said again that the journal lacks: no less often than days are forgotten.
	stateEvery = 24 * time.Hour
)

// openVault reads what conversations and private rooms there are. Where no history is kept, nothing of them is either.
func (n *Node) openVault(ring *seal.Ring) (err error) {
	c := vault.Config{Network: n.network.ID(), Who: n.who, Ring: ring, KeepRing: n.profile.keepRing, Changed: n.tend, Log: n.log}
	if n.config.Beside != nil {
		c.KeepRing = nil // that one does
	}
	if !n.config.NoHistory {
		c.Dir = n.profile.network(n.network.ID())
	}
	if n.vault, err = vault.Open(c); err != nil {
		return &Error{Text: err.Error(), Hint: "restore the file, or move it away: what it remembers is lost then", cause: err}
	}
	return nil
}

// tend wakes keepVault.
func (n *Node) tend() {
	select {
	case n.tended <- struct{}{}:
	default:
	}
}

// keepVault does, until ctx ends, what the vault may not do itself: it reads in journals, says what is owed, and tells the user.
func (n *Node) keepVault(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	looked, began, again := time.Now(), time.Time{}, map[message.Hash]bool{}
	if err := n.recallTalks(); err != nil && ctx.Err() == nil {
		n.log.Warn("cannot look for conversations", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			n.log.Debug("vault closed", "err", n.vault.Save())
			return
		case <-n.tended:
		case <-wait.C:
		}
		n.takeWork(ctx)
		now, _ := n.gather.clock.Now()
		here := func(id identity.PeerID) bool { _, here := n.people.person(id); return here } // ignored or not: who is not to have the key is removed
		out, err := n.vault.Tend(now, here, n.keys)
		if err = errors.Join(err, n.speak(ctx, out)); err != nil && ctx.Err() == nil {
			n.log.Warn("cannot tend a private room", "err", err)
		}
		if time.Since(looked) >= tendEvery {
			looked = time.Now()
			if now.Sub(began).Abs() >= stateEvery {
				began = now
				clear(again)
			}
			if err := n.repeatStates(ctx, again); err != nil && ctx.Err() == nil {
				n.log.Warn("cannot say again what a private room is", "err", err)
			}
			if err := n.deleteRest(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("cannot delete what came after it was to be", "err", err)
			}
		}
		next := tendEvery
		if n.tellSeen(ctx) {
			next = receiptsEvery
		}
		if err := n.vault.Save(); err != nil {
			n.log.Warn("cannot save conversations and rooms", "err", err)
		}
		wait.Reset(next)
	}
}

// recallTalks shows conversations again that the process before had no time to write down, of which it had written what was said (vault.Recall).
func (n *Node) recallTalks() error {
	for _, at := range n.gather.shown() {
		if at.past != nil {
			continue
		}
		for _, m := range at.journal.Mailboxes(0) {
			id := message.RoomID(m.Group)
			if t, known := n.vault.Talk(id); m.Author == n.who.ID() || known && t.Open || !n.vault.Concerns(m.Group, m.Author, n.who.ID()) {
				continue
			}
			lines, err := at.journal.Page(id, journal.Key{}, 16)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if _, _, ok := said(&l, "@"); ok && l.Author == m.Author && n.vault.Recall(id, l.Author, l.HLC) {
					n.log.Info("a conversation is shown again that was not written down")
				}
			}
		}
	}
	return nil
}

// repeatStates says again those states of private rooms that this person made and that the journal lacks, each once a day: the vault knew them before they were written, or it is longer ago than history is
// kept, and who comes back has not got them. Until then nobody else, or not all, can read what is said in the room. So it does where this person has accepted an invitation, declined it or left, and the room was not told: its owner would wait for that.
func (n *Node) repeatStates(ctx context.Context, again map[message.Hash]bool) error {
	at, _ := n.gather.now()
	if at.alone || at.full() != nil { // nobody is there who could miss them, or it would be taken for said
		return nil
	}
	for _, s := range n.vault.Signed() {
		if again[s.Hash()] {
			continue
		}
		held, err := holds(at.journal, s)
		if err != nil {
			return err
		}
		if held {
			continue
		}
		again[s.Hash()] = true
		n.log.Info("a private room's state is said again", "room", s.Room(), "epoch", s.Epoch)
		out, err := n.vault.Again(s, n.keys)
		if err = errors.Join(err, n.speak(ctx, out)); err != nil {
			return err
		}
	}
	return n.speak(ctx, n.vault.Unheard(at.journal.Durable() >= at.journal.Last()))
}

// holds reports whether a journal has a state. It is looked for where it was made, and for an hour after that: a clock may have been set since.
func holds(j *journal.Journal, s *seal.State) (bool, error) {
	const minute = uint64(time.Minute/time.Millisecond) << 16
	for k := (journal.Key{HLC: s.HLC - min(s.HLC, minute)}); k.HLC < s.HLC+60*minute; {
		lines, err := j.After(s.Room(), k, 64)
		if err != nil || len(lines) == 0 {
			return false, err
		}
		for _, l := range lines {
			if k = l.Key; l.Kind == message.State && bytes.Equal(l.Body, s.Bytes()) {
				return true, nil
			}
		}
	}
	return false, nil
}

// takeWork does what the vault has left.
func (n *Node) takeWork(ctx context.Context) {
	w := n.vault.Take()
	if w.Sibling != nil {
		out, err := n.vault.Sibling(w.Sibling)
		if err = errors.Join(err, n.speak(ctx, out)); err != nil && ctx.Err() == nil {
			n.log.Warn("cannot send the keyring to another instance", "err", err)
		}
	}
	for _, id := range w.Reopen {
		for _, at := range n.gather.shown() {
			at.journal.Reopen(message.GroupID(id))
		}
	}
	for _, e := range w.Events {
		n.tellOf(e)
	}
	if len(w.Reopen) > 0 { // another instance of this person may have joined it
		n.joins.Add(1)
	}
	if len(w.Events)+len(w.Reopen) > 0 {
		n.watch.wake()
	}
}

// tellOf makes of what the vault tells what users are told.
func (n *Node) tellOf(e vault.Event) {
	switch e := e.(type) {
	case vault.Invited:
		if n.people.known.ignores(e.By) {
			return
		}
		n.own.tell(Invited{Room: n.called(e.Room), By: n.named(e.By)})
	case vault.Answered:
		n.own.tell(Answered{Room: n.called(e.Room), By: n.named(e.By), Yes: e.Yes, Left: e.Left, Declined: e.Declined})
	case vault.Removed:
		n.own.tell(Members{Room: n.called(e.Room), Out: true})
		n.withdraw(e.Room, n.who.ID(), e.At)
	case vault.Changed:
		m := Members{Room: n.called(e.Room)}
		for _, id := range e.Added {
			m.Added = append(m.Added, n.named(id))
		}
		for _, id := range e.Taken {
			m.Taken = append(m.Taken, n.named(id))
		}
		if e.Owner != (identity.PeerID{}) {
			m.Owner = n.named(e.Owner)
		}
		n.own.tell(m)
		for _, id := range e.Taken {
			n.withdraw(e.Room, id, e.At)
		}
	case vault.Closed:
		if n.people.known.ignores(e.By) || !n.alarms.Allow() { // a stranger may come with a thousand keys, and a conversation for each
			return
		}
		nick := n.named(e.By).Nick
		n.notice(fmt.Sprintf("%s wrote something to you that cannot be opened: it is sealed for a key that this machine does not hold, or no longer", nick), "ask "+nick+" to say it again")
	case vault.Offered:
		to := n
		if n.config.Beside != nil {
			to = n.config.Beside
		}
		to.offered(e, n.network.ID())
	case vault.Seen:
		if t, ok := n.vault.Talk(e.Room); ok {
			r := Read{Room: n.called(e.Room), By: n.named(t.With), Up: Key(e.Up)}
			for _, at := range n.gather.shown() {
				if h, ok := at.journal.Hash(e.Up.Log, e.Up.Seq); ok {
					r.ID = h.ID()
				}
			}
			n.own.tell(r)
		}
	}
}

// withdraw tells that what someone said in a private room from a time on is not shown any more: who was removed then and did not know.
func (n *Node) withdraw(id message.RoomID, author identity.PeerID, hlc uint64) {
	for k := (journal.Key{HLC: hlc}); ; {
		lines, err := n.gather.after(room{id: id}, k, 256)
		if err != nil {
			n.log.Warn("cannot read what is withdrawn", "err", err)
		}
		if len(lines) == 0 {
			return
		}
		for _, l := range lines {
			k = l.Key
			if l.Author != author || !l.Sealed {
				continue
			}
			if m, _, ok := said(&l, n.where(l)); ok {
				n.own.tell(Withdrawn{Message: m})
			}
		}
	}
}

// tellSeen tells the others of conversations what the user has seen, and reports whether it will again before long.
func (n *Node) tellSeen(ctx context.Context) (again bool) {
	n.mu.Lock()
	looked := n.looked
	if len(looked) == 0 || time.Since(n.receipted) < receiptsEvery {
		n.mu.Unlock()
		return len(looked) > 0
	}
	n.looked, n.receipted = map[message.RoomID]journal.Key{}, time.Now()
	n.mu.Unlock()
	for id, up := range looked {
		if n.ready(n.sealed(id)) != nil {
			continue
		}
		if err := n.speak(ctx, n.vault.Tell(id, up)); err != nil && ctx.Err() == nil {
			n.log.Debug("cannot tell what was seen", "err", err)
		}
	}
	return false
}
