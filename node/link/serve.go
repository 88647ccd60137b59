package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/wire"
)

var errParted = errors.New("the hub parted")

// serve greets the other end and keeps the journals equal. parted: it is not the hub, or no longer.
func (l *Link) serve(ctx context.Context, c *identity.Conn) (parted bool, err error) {
	stop := context.AfterFunc(ctx, func() { c.NetConn().Close() })
	defer stop()
	defer c.NetConn().Close()
	r := wire.NewReader(c)
	hello, err := l.greet(c, r)
	if err != nil {
		return false, err
	}
	rep := Report{State: Linked, Peer: c.Peer, Hello: *hello}
	t, body, err := r.Next()
	if err != nil {
		return false, err
	}
	switch t {
	case wire.TypeRedirect:
		var to wire.Redirect
		if err := wire.Decode(body, &to); err != nil {
			return false, err
		}
		rep.State, rep.Successor, rep.Address = Parted, to.Hub, to.Address
		l.config.Report(rep)
		return true, nil
	case wire.TypeBye:
		rep.State = Parted
		l.config.Report(rep)
		return true, nil
	case wire.TypeState:
	default:
		return false, fmt.Errorf("frame %d instead of STATE: %w", t, wire.ErrFrame)
	}
	var state wire.State
	if err := wire.Decode(body, &state); err != nil {
		return false, err
	}
	x, err := l.config.Enter(ctx, hello, state.Realm)
	if err != nil {
		return false, err
	}
	c.SetDeadline(time.Time{})
	l.config.Report(rep)
	ctl := &control{link: l}
	defer l.poked(nil)
	err = x.Run(ctx, &exchange.Link{Conn: c, Reader: r, Peer: c.Peer, Session: hello.Session, Host: hello.Host, State: &state, Silence: l.patient(0), Patience: l.patient, Control: ctl, Trip: l.config.Trip, CaughtUp: l.config.CaughtUp})
	if errors.Is(err, errParted) {
		rep.State, rep.Successor, rep.Address, rep.Leaving = Parted, ctl.bye.Successor, ctl.bye.Address, ctl.bye.Leaving
		l.config.Report(rep)
		return true, nil
	}
	if errors.Is(err, exchange.ErrSilent) {
		l.patient(l.patient(0))
	}
	if !l.left() {
		l.log.Info("link lost", "hub", hello.Session, "err", err)
	}
	return false, errors.Join(errLinked, err)
}

// patient takes note of a wait, and returns how long the hub may say nothing: where packets are lost it is late though it is there.
func (l *Link) patient(wait time.Duration) time.Duration {
	if now := time.Now(); wait >= max(late, l.waited) {
		l.waited, l.waitedAt = wait, now
	} else if now.Sub(l.waitedAt) > lateFor {
		l.waited, l.waitedAt = l.waited/2, now
	}
	return min(max(silence, lateTimes*l.waited), silenceMax)
}

// greet exchanges HELLO, this end first.
func (l *Link) greet(c *identity.Conn, r *wire.Reader) (*wire.Hello, error) {
	c.SetDeadline(time.Now().Add(greeting))
	mine := l.config.Hello()
	if _, err := c.Write(wire.Append(nil, wire.TypeHello, &mine)); err != nil {
		return nil, err
	}
	t, body, err := r.Next()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil, ErrTurnedAway
	}
	if err != nil {
		return nil, err
	}
	if t != wire.TypeHello {
		return nil, fmt.Errorf("frame %d instead of HELLO: %w", t, wire.ErrFrame)
	}
	hello := new(wire.Hello)
	if err := wire.Decode(body, hello); err != nil {
		return nil, err
	}
	if err := wire.CheckVersion(hello); err != nil {
		return nil, err
	}
	if l.config.Hub != (identity.Session{}) && hello.Session != l.config.Hub {
		return nil, fmt.Errorf("another instance answered: %w", identity.ErrUnexpected)
	}
	return hello, nil
}

// control is exchange.Control for the hub's end of things.
type control struct {
	link *Link
	bye  wire.Bye

	// What follows is the writer's.
	noted uint64
	typed uint64
	left  bool
}

func (c *control) Begin(poke func()) { c.link.poked(poke) }

func (c *control) Receive(t wire.Type, body []byte) error {
	switch t {
	case wire.TypePresence:
		var p wire.Presence
		if err := wire.Decode(body, &p); err != nil {
			return err
		}
		c.link.config.Presence(p)
	case wire.TypeTyping:
		var t wire.Typing
		if err := wire.Decode(body, &t); err != nil {
			return err
		}
		if c.link.config.Typist != nil {
			c.link.config.Typist(t)
		}
	case wire.TypeOrder:
		var o wire.Order
		if err := wire.Decode(body, &o); err != nil {
			return err
		}
		c.link.config.Order(o)
	case wire.TypeBye:
		if err := wire.Decode(body, &c.bye); err != nil {
			return err
		}
		return errParted
	}
	return nil
}

func (c *control) Next(b []byte, drained bool) []byte {
	if note, n := c.link.config.Notes(c.noted); n != c.noted {
		c.noted = n
		if note != nil {
			b = wire.Append(b, wire.TypeNote, note)
		}
	}
	if c.link.config.Typing != nil {
		var t *wire.Typing
		if t, c.typed = c.link.config.Typing(c.typed); t != nil {
			b = wire.Append(b, wire.TypeTyping, t)
		}
	}
	if c.link.left() && !c.left && drained {
		c.left = true
		b = wire.Append(b, wire.TypeBye, &wire.Bye{})
	}
	return b
}
