package node

import (
	"context"
	"fmt"
	"slices"

	"earshot/node/journal"
	"earshot/node/message"
)

// What a process says while a copy of it runs elsewhere is in a log that both continue, and where they differ it ends for everyone (package journal, Forks). What was said past
// that was perhaps shown, and ticked; it is not delivered. Its author is told, once, and can say it again.

// An ownFork is one of a log of this person's.
type ownFork struct {
	at *gathering
	journal.Fork
}

// stranded is a line past a fork.
type stranded struct {
	message Message // of what is not shown by itself only the id
	again   Command
}

// anew is the command that says a line again in the room called so; nil: it is not said again, for what a reaction would do now nobody knows.
func anew(l journal.Line, room string) Command {
	a, ok := message.ParseAbout(l.Kind, l.Body)
	switch {
	case l.Kind == message.Text || l.Kind == message.Action:
		return Say{Room: room, Text: string(l.Body), Action: l.Kind == message.Action}
	case l.Kind == message.Topic:
		return SetTopic{Room: room, Text: string(l.Body)}
	case l.Kind == message.Reply && ok:
		return Reply{To: a.Refs[0], Text: string(a.Text)}
	case l.Kind == message.Edit && ok:
		return Edit{Target: a.Refs[0], Text: string(a.Text)}
	case l.Kind == message.Redact && ok:
		return Redact{Target: a.Refs[0]}
	}
	return nil
}

// forked is journal.Config.Forked for logs of this person's. The journal wakes who looks.
func (d *deliveries) forked(at *gathering, f journal.Fork) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forks = append(d.forks, ownFork{at, f})
}

// strand looks at the forks that were found.
func (n *Node) strand() {
	n.own.mu.Lock()
	forks := n.own.forks
	n.own.forks = nil
	n.own.mu.Unlock()
	for _, f := range forks {
		mine := slices.Contains(f.at.author.Nonces(), f.Nonce)
		f.at.author.Renew(f.Nonce)
		lines, err := f.at.journal.Beyond(f.Log, f.Seq, 0)
		if err != nil {
			n.log.Warn("cannot read what was not delivered", "err", err)
		}
		var list []stranded
		for _, l := range lines {
			m, ok := n.message(l)
			if !ok {
				m.ID = l.ID
			}
			if c := anew(l, n.where(l)); c != nil && l.Body != nil {
				list = append(list, stranded{m, c})
			}
		}
		switch count := n.own.strand(f.Log, f.Seq, list); {
		case count == 1:
			n.notice("a line of yours was not delivered: a copy of this machine said something else at the same time", "/resend says it again")
		case count > 1:
			n.notice(fmt.Sprintf("%d lines of yours were not delivered: a copy of this machine said something else at the same time", count), "/resend says them again")
		case f.Was == 0 && mine:
			n.notice("a copy of this machine is running, and speaks in your name", "start earshot again on one of the two")
		}
	}
}

// strand takes note of the lines of a log from number seq on, and returns how many of them were not known to be lost.
func (d *deliveries) strand(l message.LogID, seq uint64, list []stranded) (count int) {
	d.mu.Lock()
	d.pending[l] = slices.DeleteFunc(d.pending[l], func(s *spoken) bool { return s.key.Seq >= seq })
	d.sweepLocked(l)
	for _, s := range list {
		if d.isLostLocked(s.message.ID) {
			continue
		}
		count++
		d.lost = append(d.lost, s)
		if _, here := d.all[s.message.ID]; here {
			d.newsLocked(Delivered{ID: s.message.ID})
		}
	}
	d.mu.Unlock()
	d.changed()
	return count
}

// isLost reports whether a line was not delivered and waits to be said again.
func (d *deliveries) isLost(id message.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.isLostLocked(id)
}

func (d *deliveries) isLostLocked(id message.ID) bool {
	return slices.ContainsFunc(d.lost, func(o stranded) bool { return o.message.ID == id })
}

func (Resend) do(ctx context.Context, n *Node) error {
	for first := true; ; first = false {
		n.own.mu.Lock()
		list := n.own.lost
		n.own.mu.Unlock()
		if len(list) == 0 && first {
			return &Error{Text: "there is nothing to say again: no line of yours is known to be lost"}
		}
		if len(list) == 0 {
			return nil
		}
		err := list[0].again.do(ctx, n)
		if _, say := list[0].again.(Say); err != nil && (say || ctx.Err() != nil) {
			return err
		}
		if err != nil { // its target went the same way, perhaps
			n.notice("a change of yours could not be made again: "+err.Error(), "")
		}
		n.own.resent(list[0])
	}
}

// resent: the line was said again, and is not shown as lost any more.
func (d *deliveries) resent(s stranded) {
	d.mu.Lock()
	d.lost = slices.DeleteFunc(d.lost, func(o stranded) bool { return o.message.ID == s.message.ID })
	if _, here := d.all[s.message.ID]; here && s.message.Room != "" {
		d.newsLocked(Withdrawn{Message: s.message})
	}
	d.mu.Unlock()
	d.changed()
}
