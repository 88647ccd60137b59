package node_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// While the hub changes lines wait for the next one, and for nothing else.
func TestNoLineWaitsForTheSwitch(t *testing.T) {
	type instances = []*instance.Instance
	server := func(t *testing.T, lan *nodetest.LAN) *instance.Instance {
		return instance.Start(t, lan, "box", node.Config{ServerOnly: true})
	}
	for name, play := range map[string]func(t *testing.T, lan *nodetest.LAN, all instances, hub *instance.Instance){
		"the hub leaves": func(t *testing.T, _ *nodetest.LAN, all instances, hub *instance.Instance) {
			noLineWaits(t, others(all, hub), hub.Stop)
			instance.Meet(t, time.Second, others(all, hub)...)
		},
		"the hub is killed": func(t *testing.T, _ *nodetest.LAN, all instances, hub *instance.Instance) {
			noLineWaits(t, others(all, hub), hub.Crash)
			instance.Meet(t, 8*time.Second, others(all, hub)...)
		},
		"a server takes over": func(t *testing.T, lan *nodetest.LAN, all instances, hub *instance.Instance) {
			box := server(t, lan)
			time.Sleep(1950 * time.Millisecond) // it claims after two seconds
			noLineWaits(t, others(all, hub), func() {})
			if instance.Meet(t, time.Second, append(all, box)...) != box {
				t.Error("the server is not the hub")
			}
		},
		"a server leaves": func(t *testing.T, lan *nodetest.LAN, all instances, _ *instance.Instance) {
			box := server(t, lan)
			instance.Until(t, 5*time.Second, "the server is the hub", box.Serving)
			time.Sleep(5 * time.Second)
			noLineWaits(t, all, box.Stop)
			instance.Meet(t, time.Second, all...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var all instances
				for _, h := range []string{"alice", "bob", "carol", "dave", "eve"} {
					all = append(all, instance.Start(t, lan, h, node.Config{Rate: -1}))
				}
				hub := instance.Meet(t, 3*time.Second, all...)
				time.Sleep(5 * time.Second) // a link that stood for less than a second is redialled with a rest
				play(t, lan, all, hub)
			})
		})
	}
}

// noLineWaits has two type a line every 5 ms, a quarter of them before act, and fails where one is not on all screens within 20 ms. Only the wire takes time, 1 ms at
// most: that is enough to dial, for two round trips of handshake and admission, and for HELLO and STATE.
func noLineWaits(t *testing.T, all []*instance.Instance, act func()) {
	t.Helper()
	const most, ticks = 20 * time.Millisecond, 40
	var mu sync.Mutex
	var came int
	var longest time.Duration
	for _, i := range all {
		go func() {
			for e := range i.Node.Events(t.Context(), 0) {
				if m, ok := e.(node.Said); ok && !m.Mine {
					var said int64
					fmt.Sscan(m.Text, &said)
					mu.Lock()
					came, longest = came+1, max(longest, time.Since(time.Unix(0, said)))
					mu.Unlock()
				}
			}
		}()
	}
	var acting sync.WaitGroup
	for n := range ticks {
		if n == ticks/4 {
			acting.Go(act)
		}
		for _, i := range all[:2] {
			i.Say(fmt.Sprint(time.Now().UnixNano()))
		}
		time.Sleep(5 * time.Millisecond)
	}
	acting.Wait()
	time.Sleep(time.Second)
	mu.Lock()
	defer mu.Unlock()
	t.Logf("the slowest of %d lines took %v", came, longest)
	if want := 2 * ticks * (len(all) - 1); came != want || longest > most {
		t.Errorf("%d lines came of %d", came, want)
	}
}
