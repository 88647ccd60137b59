package node_test

import (
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// typists returns who is typing as i was told: "alice on", "alice off".
func typists(i *instance.Instance) (out []string) {
	for _, e := range i.Events() {
		if c, ok := e.(node.TypingChanged); ok {
			out = append(out, c.Nick+map[bool]string{true: " on", false: " off"}[c.On])
		}
	}
	return out
}

// Who types is seen by the others for as long as that goes on, and is no longer when it is said, and nobody sees it of who does not want that.
func TestTyping(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		rest := others(all, hub)
		for n, who := range []*instance.Instance{hub, rest[0]} {
			before := map[*instance.Instance]int{}
			for _, i := range all {
				before[i] = len(typists(i))
			}
			for range 100 { // ten seconds of it
				do(t, who, node.Typing{Room: instance.Lobby})
				time.Sleep(100 * time.Millisecond)
			}
			for _, i := range others(all, who) {
				if got := typists(i)[before[i]:]; !slices.Equal(got, []string{who.Name + " on"}) {
					t.Errorf("%s was told %q", i.Name, got)
				}
				if s := i.Snapshot().Typing; len(s) != 1 || s[0].Nick != who.Name || s[0].Room != instance.Lobby {
					t.Errorf("%s sees %v", i.Name, s)
				}
			}
			if n == 0 {
				time.Sleep(7 * time.Second)
			} else {
				who.Say("there")
				time.Sleep(time.Second)
			}
			for _, i := range others(all, who) {
				if got := typists(i)[before[i]:]; !slices.Equal(got, []string{who.Name + " on", who.Name + " off"}) {
					t.Errorf("%s was told %q in the end", i.Name, got)
				}
			}
			if got := typists(who)[before[who]:]; len(got) > 0 {
				t.Errorf("%s was told of itself: %q", who.Name, got)
			}
			time.Sleep(4 * time.Second)
		}
		before := len(typists(hub))
		do(t, rest[0], node.SetTyping{On: false})
		do(t, rest[0], node.Typing{Room: instance.Lobby})
		do(t, rest[1], node.Typing{Room: "#elsewhere"})
		time.Sleep(time.Second)
		if got := typists(hub)[before:]; len(got) > 0 {
			t.Errorf("the hub was told %q", got)
		}
	})
}

// Nothing is sent while nobody types, and little while someone does.
func TestTypingIsRare(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		time.Sleep(5 * time.Second)
		carried := func() int64 {
			before := lan.Carried()
			time.Sleep(9 * time.Second)
			return int64(lan.Carried() - before)
		}
		idle := carried()
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					do(t, all[0], node.Typing{Room: instance.Lobby})
				}
			}
		}()
		busy := carried()
		close(stop)
		<-done
		if more := busy - idle; more > 1500 {
			t.Errorf("nine seconds of typing cost %d bytes over %d", more, idle)
		}
	})
}

func TestAwayAndWhy(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		who := others(all, hub)[0]
		sees := func(i *instance.Instance, away bool, why string) func() bool {
			return func() bool {
				return slices.ContainsFunc(i.Snapshot().People, func(p node.Person) bool { return p.ID == who.ID() && p.Away == away && p.Why == why })
			}
		}
		do(t, who, node.SetAway{Away: true, Why: "at\nlunch"})
		for _, i := range all {
			instance.Until(t, time.Second, i.Name+" sees it", sees(i, true, "at lunch"))
		}
		hub.Crash()
		rest := others(all, hub)
		instance.Meet(t, 8*time.Second, rest...)
		for _, i := range rest {
			instance.Until(t, 2*time.Second, i.Name+" still sees it", sees(i, true, "at lunch"))
		}
		do(t, who, node.SetAway{})
		for _, i := range rest {
			instance.Until(t, time.Second, i.Name+" sees "+who.Name+" again", sees(i, false, ""))
			instance.Until(t, time.Second, i.Name+" was told so, and nothing else", func() bool {
				var told []node.PeerState
				for _, e := range i.Events() {
					if p, ok := e.(node.PeerChanged); ok && p.ID == who.ID() && (p.State == node.Away || p.State == node.Back) {
						told = append(told, p.State)
					}
				}
				return slices.Equal(told, []node.PeerState{node.Away, node.Back})
			})
		}
	})
}

// The way to the hub and back is measured, at both ends.
func TestLatency(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		sane := func(d time.Duration) bool { return d > 0 && d < 50*time.Millisecond }
		for _, i := range others(all, hub) {
			instance.Until(t, 4*time.Second, i.Name+" knows how far the hub is", func() bool {
				s := i.Snapshot()
				return sane(s.Latency) && slices.ContainsFunc(s.People, func(p node.Person) bool { return p.Hub && p.Latency == s.Latency })
			})
			instance.Until(t, 4*time.Second, "the hub knows how far "+i.Name+" is", func() bool {
				return slices.ContainsFunc(hub.Snapshot().People, func(p node.Person) bool { return p.ID == i.ID() && sane(p.Latency) })
			})
		}
		if hub.Snapshot().Latency != 0 {
			t.Error("the hub is far from itself")
		}
		// What is measured later is there to be seen, but nothing is drawn for each few µs.
		bob := others(all, hub)[0]
		time.Sleep(10 * time.Second) // settled
		changes := [...]<-chan struct{}{hub.Changed(t.Context()), bob.Changed(t.Context())}
		var there, back []time.Duration
		woken := 0
		for range 20 {
			time.Sleep(time.Second)
			people := hub.Snapshot().People
			there = append(there, people[slices.IndexFunc(people, func(p node.Person) bool { return p.ID == bob.ID() })].Latency)
			back = append(back, bob.Snapshot().Latency)
			for _, c := range changes {
				select {
				case <-c:
					woken++
				default:
				}
			}
		}
		for end, list := range map[string][]time.Duration{"there": there, "back": back} {
			if n := len(slices.Compact(slices.Sorted(slices.Values(list)))); n < 10 || woken > 3 {
				t.Errorf("%s: %d ways in 20 s, and %d changes: %v", end, n, woken, list)
			}
		}
	})
}

// What a person chose of rooms is remembered.
func TestRoomsAreRemembered(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		instance.Until(t, 2*time.Second, "alice serves", alice.Serving)
		do(t, alice, node.Join{Room: "#build"})
		do(t, alice, node.Join{Room: "#noise"})
		do(t, alice, node.Say{Room: "#build", Text: "red"})
		do(t, alice, node.SetTopic{Room: "#build", Text: "what is broken"})
		do(t, alice, node.Mute{Room: "#build", On: true})
		do(t, alice, node.Mute{Room: "#noise", On: true})
		do(t, alice, node.Mute{Room: "#noise"})
		do(t, alice, node.Leave{Room: "#noise"})
		do(t, alice, node.SetTyping{})
		check := func() {
			t.Helper()
			s := alice.Snapshot()
			if len(s.Rooms) != 2 || !s.Silent {
				t.Fatalf("%+v, silent %v", s.Rooms, s.Silent)
			}
			r := s.Rooms[1]
			if r.Name != "#build" || !r.Joined || !r.Muted || r.Topic.Text != "what is broken" || r.Topic.Nick != "alice" || r.Topic.At.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		check()
		alice.Stop()
		alice = instance.Start(t, lan, "alice", node.Config{})
		instance.Until(t, 2*time.Second, "alice serves again", alice.Serving)
		check()
		refused(t, alice, node.Leave{Room: "#noise"}, "you are not in #noise")
	})
}
