package node

import (
	"context"
	"errors"
	"fmt"

	"earshot/node/message"
)

// Do carries a command out; it waits while the author's rate is used up. Errors are *Error.
func (n *Node) Do(ctx context.Context, c Command) error {
	err := n.do(ctx, c)
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Text: err.Error(), cause: err}
}

func (n *Node) do(ctx context.Context, c Command) error {
	switch c := c.(type) {
	case Say:
		return n.say(ctx, c)
	case Reply:
		return n.reply(ctx, c)
	case Edit:
		return n.edit(ctx, c)
	case Redact:
		return n.redact(ctx, c)
	case React:
		return n.react(ctx, c)
	case SetTopic:
		return n.setTopic(ctx, c)
	case Rename:
		return n.rename(ctx, c.Nick)
	case Join:
		return n.join(ctx, c.Room)
	case Leave:
		return n.leave(ctx, c.Room)
	case NewRoom:
		return n.newRoom(ctx, c.Name)
	case Invite:
		return n.invite(ctx, c)
	case Remove:
		return n.remove(ctx, c)
	case HandOver:
		return n.handOver(ctx, c)
	case CopyRoom:
		return n.copyRoom(ctx, c)
	case Seen:
		return n.seen(c)
	case SetReceipts:
		defer n.watch.wake()
		return n.profile.change(func(s *settings) { s.Discreet = !c.On })
	case Resend:
		return n.resend(ctx)
	case SetAway:
		return n.setAway(c)
	case Typing:
		return n.typed(c.Room)
	case SetTyping:
		defer n.watch.wake()
		return n.profile.change(func(s *settings) { s.Silent = !c.On })
	case Mute:
		return n.mute(c)
	case Verify:
		return n.verify(c)
	case Unverify:
		return n.markPerson(c.Person, func(k *contact) { k.Verified = false })
	case Ignore:
		return n.markPerson(c.Person, func(k *contact) { k.Ignored = true })
	case Unignore:
		return n.markPerson(c.Person, func(k *contact) { k.Ignored = false })
	case Rotate, AcceptKey, DeclineKey:
		return n.changeKey(c)
	case Prefer:
		return n.profile.prefer(c)
	}
	return fmt.Errorf("unknown command %T", c)
}

func (n *Node) say(ctx context.Context, c Say) error {
	room, err := n.room(c.Room)
	if err != nil {
		return err
	}
	text, err := sayable(c.Text)
	if err != nil || text == "" {
		return err
	}
	if err := n.ready(room); err != nil {
		return err
	}
	if err := n.pace(ctx); err != nil {
		return err
	}
	k := message.Text
	if c.Action {
		k = message.Action
	}
	return n.gather.write(ctx, room, k, []byte(text))
}

func (n *Node) setAway(c SetAway) error {
	why := oneLine(c.Why)
	if len(why) > MaxWhy {
		return &Error{Text: fmt.Sprintf("that is too long: at most %d bytes say why you are away", MaxWhy)}
	}
	if !c.Away {
		why = ""
	}
	n.mu.Lock()
	same := n.away == c.Away && n.why == why
	if !same {
		n.away, n.why = c.Away, why
		n.noted++
	}
	n.mu.Unlock()
	if same {
		return nil
	}
	n.people.rename(func(p *Person) { p.Away, p.Why = c.Away, why })
	n.seat.noted()
	return nil
}

func (n *Node) rename(ctx context.Context, nick string) error {
	nick, err := message.CleanNick(nick)
	if err != nil {
		return err
	}
	if err := n.profile.change(func(s *settings) { s.Nick = nick }); err != nil {
		return err
	}
	n.mu.Lock()
	n.nick = nick
	n.noted++
	n.mu.Unlock()
	if err := n.met.introduce(nick); err != nil {
		return err
	}
	n.people.rename(func(p *Person) { p.Nick = nick })
	n.seat.noted()
	at, _ := n.gather.now()
	return at.author.Rename(ctx, nick)
}
