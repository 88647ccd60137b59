package node

import (
	"context"
	"errors"
	"fmt"

	"earshot/node/message"
)

// Do carries a command out; it waits while the author's rate is used up. Errors are *Error.
func (n *Node) Do(ctx context.Context, c Command) error {
	err := c.do(ctx, n)
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Text: err.Error(), cause: err}
}

func (c Say) do(ctx context.Context, n *Node) error {
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

func (c SetAway) do(_ context.Context, n *Node) error {
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

func (c Rename) do(ctx context.Context, n *Node) error {
	nick, err := message.CleanNick(c.Nick)
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

func (c SetReceipts) do(_ context.Context, n *Node) error {
	defer n.watch.wake()
	return n.profile.change(func(s *settings) { s.Discreet = !c.On })
}

func (c SetTyping) do(_ context.Context, n *Node) error {
	defer n.watch.wake()
	return n.profile.change(func(s *settings) { s.Silent = !c.On })
}

func (c Prefer) do(_ context.Context, n *Node) error { return n.profile.prefer(c) }
