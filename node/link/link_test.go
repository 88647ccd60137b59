package link_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/link"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

var realm = identity.Realm{7}

// A way is a link from alice to a hub that the test plays by hand.
type way struct {
	*link.Link
	t       *testing.T
	hub     net.Listener
	author  *journal.Author
	mu      sync.Mutex // protects reports
	reports []link.State
	stall   time.Duration // of this process, whenever it is about to dial
}

func start(t *testing.T, f func(w *way)) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		l, _, err := lan.Host("hub").Net().Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(journal.Config{Network: identity.NetworkID{1}, Realm: realm})
		if err != nil {
			t.Fatal(err)
		}
		who := frames.Identity(t, "alice")
		w := &way{t: t, hub: l, author: j.NewAuthor(who, "alice")}
		x := exchange.New(exchange.Config{Journal: j})
		process, gate := lan.Host("alice").Net(), frames.Gate(t, who)
		w.Link = link.New(link.Config{
			Dial: func(ctx context.Context, address string) (*identity.Conn, error) {
				raw, err := process.Dial(ctx, address)
				if err != nil {
					return nil, err
				}
				return gate.Dial(ctx, raw, identity.ProtoChat, nil)
			},
			Addresses: func() []string {
				w.mu.Lock()
				stall := w.stall
				w.mu.Unlock()
				time.Sleep(stall)
				return []string{l.Addr().String()}
			},
			Hello: func() wire.Hello { return wire.Hello{Version: wire.Version, Nick: "alice"} },
			Enter: func(context.Context, *wire.Hello, identity.Realm) (*exchange.Exchange, error) { return x, nil },
			Report: func(r link.Report) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.reports = append(w.reports, r.State)
			},
			Presence: func(wire.Presence) {},
			Order:    func(wire.Order) {},
			Notes:    func(n uint64) (*wire.Note, uint64) { return nil, n },
		})
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { j.Run(ctx) })
		work.Go(func() { w.Run(ctx) })
		t.Cleanup(func() {
			l.Close()
			stop()
			work.Wait()
		})
		f(w)
	})
}

// accept takes alice's call, and says nothing.
func (w *way) accept() *identity.Conn {
	w.t.Helper()
	raw, err := w.hub.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := frames.Gate(w.t, frames.Identity(w.t, "hub")).Accept(w.t.Context(), raw, identity.ProtoChat)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// admit takes alice's call and greets her, as the hub of her realm.
func (w *way) admit() *frames.Peer {
	w.t.Helper()
	p := frames.Over(w.t, w.accept())
	p.Await(time.Second, wire.TypeHello, nil)
	p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Session: identity.NewSession(), Nick: "hub"})
	p.Send(wire.TypeState, &wire.State{Realm: realm, Reply: true, Groups: []wire.GroupState{{Group: message.Public}}})
	p.Await(time.Second, wire.TypeState, nil)
	return p
}

// reported fails unless these were the reports so far.
func (w *way) reported(want ...link.State) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.reports, want) {
		w.t.Errorf("reported %v, want %v", w.reports, want)
	}
}

// A hub says something three times a second: it is not given up, also when one ping is late by most of a period. Who is silent is.
func TestSlowPingIsEnough(t *testing.T) {
	start(t, func(w *way) {
		hub := w.admit()
		for i := range 20 {
			time.Sleep(time.Second / 3)
			if i%5 == 4 {
				time.Sleep(300 * time.Millisecond)
			}
			hub.Bytes(wire.AppendFrame(nil, wire.TypePing, nil))
		}
		w.reported(link.Dialing, link.Linked)
		time.Sleep(1400 * time.Millisecond)
		w.reported(link.Dialing, link.Linked, link.Dialing)
	})
}

// Where what the hub says comes late, more is lost on the way than that: it is given more time, until it was in time for a while.
func TestLateWhereMuchIsLost(t *testing.T) {
	start(t, func(w *way) {
		hub := w.admit()
		say := func(after time.Duration) {
			time.Sleep(after)
			hub.Bytes(wire.AppendFrame(nil, wire.TypePing, nil))
		}
		for _, ms := range []time.Duration{333, 600, 333, 1100, 333, 2100, 333, 2900, 333} {
			say(ms * time.Millisecond)
		}
		w.reported(link.Dialing, link.Linked)
		for range 3 * 60 * 25 {
			say(time.Second / 3)
		}
		time.Sleep(710 * time.Millisecond)
		w.reported(link.Dialing, link.Linked, link.Dialing)
	})
}

// A hub that was given up and is there all the same is given more time the next time.
func TestGivenUpForNothing(t *testing.T) {
	start(t, func(w *way) {
		w.admit()
		time.Sleep(710 * time.Millisecond)
		hub := w.admit()
		time.Sleep(1300 * time.Millisecond)
		hub.Bytes(wire.AppendFrame(nil, wire.TypePing, nil))
		time.Sleep(333 * time.Millisecond)
		w.reported(link.Dialing, link.Linked, link.Dialing, link.Linked)
	})
}

// Who leaves says goodbye after all that was said, however much that is.
func TestGoodbyeComesLast(t *testing.T) {
	start(t, func(w *way) {
		hub := w.admit()
		const n = 500
		body := make([]byte, 1000)
		for range n {
			if _, _, _, err := w.author.Write(t.Context(), message.Public, message.Room(message.Lobby), message.Lobby, message.Text, body); err != nil {
				t.Fatal(err)
			}
		}
		w.Leave()
		heard := 0
		for {
			typ, body, err := hub.Next(time.Second)
			if err != nil {
				t.Fatal(err)
			}
			switch typ {
			case wire.TypeRun:
				r, err := message.ParseRun(body)
				if err != nil {
					t.Fatal(err)
				}
				heard += len(r.Records)
			case wire.TypeBye:
				if heard != n {
					t.Errorf("said goodbye after %d lines of %d", heard, n)
				}
				return
			}
		}
	})
}

// A hub that does not answer for 300 ms is reported silent, and goes on being tried.
func TestLateAnswer(t *testing.T) {
	start(t, func(w *way) {
		time.Sleep(400 * time.Millisecond)
		w.reported(link.Dialing, link.Silent)
		w.admit()
		synctest.Wait()
		w.reported(link.Dialing, link.Silent, link.Linked)
	})
}

// A process that did not run while it was to dial gives the hub its 300 ms all the same, once.
func TestStalledWhileDialling(t *testing.T) {
	start(t, func(w *way) {
		w.admit()
		w.mu.Lock()
		w.stall = 450 * time.Millisecond
		w.mu.Unlock()
		time.Sleep(time.Second + 250*time.Millisecond) // silent after 700 ms, and 100 of dialling are over
		synctest.Wait()
		w.reported(link.Dialing, link.Linked, link.Dialing)
		time.Sleep(time.Second)
		w.reported(link.Dialing, link.Linked, link.Dialing, link.Silent)
	})
}

// Who is let in now and then is not one too many, however often it was turned away before and after that.
func TestTurnedAwayInARow(t *testing.T) {
	start(t, func(w *way) {
		rejected := func() bool {
			time.Sleep(10 * time.Millisecond)
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Contains(w.reports, link.Rejected)
		}
		for range 2 {
			for range 4 {
				w.accept().NetConn().Close()
			}
			w.admit().Close()
		}
		if rejected() {
			w.t.Errorf("let in at every fifth call, it reported %v", w.reports)
		}
		for range 5 {
			w.accept().NetConn().Close()
		}
		if !rejected() {
			w.t.Errorf("turned away five times in a row, it reported %v", w.reports)
		}
	})
}
