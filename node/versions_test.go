package node_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/port"
	"earshot/node/roster"
	"earshot/node/wire"
)

// newer runs what speaks the next version, claims the seat with all its might, and tells one instance of itself again and again, until the returned function is called.
func newer(t *testing.T, lan *nodetest.LAN, to *instance.Instance) (stop func()) {
	t.Helper()
	gate := frames.Gate(t, frames.Identity(t, "zoe"))
	p, err := port.Open(port.Config{Gate: gate, Net: lan.Host("zoe").Net()})
	if err != nil {
		t.Fatal(err)
	}
	version := uint8(wire.Version + 1)
	r := roster.New(roster.Config{Gate: gate, Session: identity.NewSession(), Port: p, Version: version, Address: lan.Host("zoe").IP()})
	r.Publish(roster.Status{Class: 3, Hub: true, Weight: 9, Term: 99})
	p.Handle(identity.ProtoChat, func(_ context.Context, c *identity.Conn) {
		defer c.NetConn().Close()
		c.Write(wire.Append(nil, wire.TypeHello, &wire.Hello{Version: int(version), Nick: "zoe"}))
	})
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { p.Run(ctx) })
	work.Go(func() { r.Run(ctx) })
	work.Go(func() {
		again := time.NewTicker(10 * time.Second)
		defer again.Stop()
		for ctx.Err() == nil {
			r.Found(to.Session(), netip.AddrPortFrom(lan.Host(to.Name).IP(), uint16(to.Port())), lan.Host(to.Name).IP())
			select {
			case <-ctx.Done():
			case <-again.C:
			}
		}
	})
	return func() { cancel(); work.Wait() }
}

// Those who speak another version are not followed, and nobody is kept from the own hub by theirs; of that one is told, and not again and again.
func TestAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		alice, bob := instance.Start(t, lan, "alice", node.Config{}), instance.Start(t, lan, "bob", node.Config{})
		hub := instance.Meet(t, 5*time.Second, alice, bob)
		defer newer(t, lan, alice)()
		time.Sleep(5 * time.Minute)
		alice.Say("hello")
		time.Sleep(time.Second)
		if !hub.Serving() || !slices.Contains(bob.Heard("#lobby"), "hello") {
			t.Errorf("%s is at %v, bob heard %q", hub.Name, hub.Hub(), bob.Heard("#lobby"))
		}
		told := func(i *instance.Instance) (n int) {
			for _, e := range i.Events() {
				if x, ok := e.(node.Notice); ok && x.Text == fmt.Sprintf("zoe runs earshot protocol %d, this is %d: upgrade this machine", wire.Version+1, wire.Version) {
					n++
				}
			}
			return n
		}
		if a, b := told(alice), told(bob); a != 1 || b != 0 {
			t.Errorf("alice was told %d times, bob %d", a, b)
		}
		for _, i := range []*instance.Instance{alice, bob} {
			for _, e := range i.Events() {
				if h, ok := e.(node.HubChanged); ok && h.State == node.Lost {
					t.Errorf("%s: %+v", i.Name, h)
				}
			}
		}
	})
}
