package port

import (
	"context"
	"errors"
	"net"
	"time"

	"earshot/node/identity"
)

// retry is how long to wait after an error of accept or receive that may pass (too many open files).
const retry = 50 * time.Millisecond

// accept takes connections in until the listener is closed.
func (p *Port) accept(ctx context.Context) error {
	for {
		conn, err := p.listener.Accept()
		switch {
		case err == nil:
			p.arrive(ctx, arrival{conn, addrPort(conn.RemoteAddr()).Addr(), time.Now()})
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return err
		default:
			p.log.Warn("cannot accept a connection", "err", err)
			pause(ctx, retry)
		}
	}
}

func (p *Port) arrive(ctx context.Context, a arrival) {
	now, drop := p.door.arrive(a)
	if drop != nil {
		p.log.Debug("connection closed before its turn", "ip", addrPort(drop.RemoteAddr()).Addr())
		drop.Close()
	}
	if now {
		p.turn(ctx, a)
	}
}

// turn has a connection admitted.
func (p *Port) turn(ctx context.Context, a arrival) {
	p.work.Add(1)
	p.crew.Do(func() {
		defer p.work.Done()
		p.admit(ctx, a)
	})
}

// admit is what becomes of a connection whose turn it is.
func (p *Port) admit(ctx context.Context, a arrival) {
	inTime, cancel := context.WithDeadline(ctx, a.at.Add(identity.AdmissionTimeout)) // waiting counts: nobody stays longer by it
	c, err := p.gate.Accept(inTime, a.conn, p.protos...)
	cancel()
	for _, next := range p.door.leave(a.ip) {
		p.turn(ctx, next)
	}
	if err != nil {
		p.log.Debug("connection not admitted", "ip", a.ip, "err", err)
		return
	}
	if !p.door.enter(a.ip) {
		p.log.Warn("connection closed: its address has too many", "ip", a.ip, "peer", c.Peer.Tag())
		c.NetConn().Close()
		return
	}
	serve := p.serve[c.Proto](ctx, c)
	if serve == nil {
		p.door.exit(a.ip)
		return
	}
	p.work.Go(func() {
		serve()
		p.door.exit(a.ip)
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
