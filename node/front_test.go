package node_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/nodetest/instance"
)

// A front end that began before the key was changed goes on in the new network: it is told of it, misses nothing and is told nothing twice, and whatever it asks meanwhile is answered.
func TestFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		bob := o.start("bob")[0]
		c := o.config("alice")
		c.Nick = "alice"
		host := o.lan.Host("alice")
		process := host.Net()
		c.Net = process
		front, err := node.NewFront(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, quit := context.WithCancel(context.Background())
		var work sync.WaitGroup
		var live func(context.Context, *node.Node) error
		live = func(ctx context.Context, n *node.Node) error {
			ctx, end := context.WithCancel(ctx)
			var beside sync.WaitGroup
			defer beside.Wait()
			defer end()
			n.Moved([]netip.Addr{host.IP()})
			defer process.Announce(n.Session(), n.Port(), func(s [8]byte, at []netip.AddrPort) { n.Found(s, at, nil) }, func(s [8]byte) { n.Gone(s) })()
			beside.Go(func() { n.Deliver(ctx, live) })
			return n.Run(ctx)
		}
		work.Go(func() {
			if err := front.Run(ctx, live); err != nil {
				t.Error(err)
			}
		})
		var mu sync.Mutex
		var said []string
		ready := 0
		events := front.Events(ctx, -1)
		work.Go(func() {
			for list := range events {
				mu.Lock()
				for _, e := range list {
					switch e := e.(type) {
					case node.Said:
						said = append(said, e.Text)
					case node.Ready:
						ready++
					}
				}
				mu.Unlock()
			}
		})
		asked := 0
		work.Go(func() { // a screen
			changed := front.Changed(ctx)
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-changed:
				case <-time.After(time.Millisecond):
				}
				if front.Snapshot(); ctx.Err() == nil {
					asked++
					if _, err := front.Page("#lobby", node.Key{}, 10); err != nil && ctx.Err() == nil {
						t.Errorf("the page: %v", err)
					}
				}
			}
		})
		hears := func(want ...string) {
			t.Helper()
			instance.Until(t, 20*time.Second, "it is heard", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return slices.Equal(said, want)
			})
		}
		instance.Until(t, 20*time.Second, "alice is there", func() bool { return bob.Here() == 2 })
		bob.Say("one")
		hears("one")
		old := front.Node().Port()
		if err := front.Do(ctx, node.Rotate{All: true, Sure: true}); err != nil {
			t.Fatal(err)
		}
		if err := front.Do(ctx, node.Say{Room: "#lobby", Text: "two"}); err != nil { // at once: it waits for the node to go on
			t.Fatal(err)
		}
		hears("one", "two")
		offered(t, bob, time.Minute)
		do(t, bob, node.AcceptKey{})
		bob = bob.Moves(10 * time.Second)
		displays(t, bob, "#lobby", "one", "two")
		bob.Say("three")
		hears("one", "two", "three")
		if front.Node().Port() != old {
			t.Errorf("the port is %d, and was %d", front.Node().Port(), old)
		}
		instance.Until(t, time.Minute, "all have it", func() bool { return front.Snapshot().Key == nil })
		quit()
		work.Wait()
		mu.Lock()
		defer mu.Unlock()
		if ready != 2 || asked == 0 {
			t.Errorf("ready %d times, asked %d times", ready, asked)
		}
	})
}
