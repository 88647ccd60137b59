package exchange_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// A sluggish connection takes its time to write what is long.
type sluggish struct{ net.Conn }

func (c sluggish) Write(b []byte) (int, error) {
	if len(b) > 16<<10 {
		time.Sleep(300 * time.Millisecond)
	}
	return c.Conn.Write(b)
}

// A hub that was alone for long has caught up with those who come together when it has what they had, whoever of them brings it.
func TestHubIsCaughtUpAfterThoseWhoBring(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		a.say(1999)
		log := a.sayText("the last").Log
		end := b.link(a)
		time.Sleep(10 * time.Second)
		end()
		equal(t, 2000, a, b)
		time.Sleep(time.Minute)
		var links sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		defer links.Wait()
		defer stop()
		var caughtUp atomic.Int64
		for _, r := range []*replica{a, b} {
			here, there := ends(t, lan, r.name, hub)
			if r == a {
				here = sluggish{here}
			}
			links.Go(func() {
				hub.x.Run(ctx, &exchange.Link{Conn: there, Reader: wire.NewReader(there), Peer: r.who.ID(), Hub: true, Silence: 5 * time.Second, Ping: 250 * time.Millisecond, Session: r.session, Host: hostID(r.name),
					CaughtUp: func() {
						caughtUp.Add(1)
						if h, _ := hub.journal.Head(log); h.Seq < 2000 {
							t.Errorf("caught up with %s when %d of 2000 are here", r.name, h.Seq)
						}
					}})
			})
			links.Go(func() {
				r.x.Run(ctx, &exchange.Link{Conn: here, Reader: wire.NewReader(here), Peer: hub.who.ID(), Silence: 5 * time.Second, Session: hub.session, Host: hostID("hub")})
			})
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := caughtUp.Load(); n != 2 {
			t.Errorf("caught up %d times", n)
		}
		equal(t, 2000, hub, a, b)
	})
}
