package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// Who is behind a translator and was given an address by hand chats like everybody else: others cannot begin to speak to it, and do not hold it dead for that.
func TestBehindATranslator(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Translate("far")
		near := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, near...)
		far := instance.Start(t, lan, "far", node.Config{Join: []string{address(lan, hub)}})
		all := append(slices.Clone(near), far)
		instance.Meet(t, 3*time.Second, all...)
		began := make([]int, len(all))
		for i, p := range all {
			began[i] = len(p.Events())
		}
		lines := 0
		for minute := range 3 {
			for _, p := range all {
				p.Say(fmt.Sprintf("%s, minute %d", p.Name, minute))
				lines++
			}
			time.Sleep(time.Minute) // longer than the translator remembers what says nothing
		}
		same(t, time.Second, lines, all...)
		for i, p := range all {
			for _, e := range p.Events()[began[i]:] {
				switch e.(type) {
				case node.HubChanged, node.PeerChanged, node.Notice:
					t.Errorf("%s saw %T%+v", p.Name, e, e)
				}
			}
			for _, c := range p.Snapshot().Candidates {
				if !c.Me && (c.Session == far.Session() || p == far) {
					t.Errorf("%s has %+v in its gossip", p.Name, c)
				}
			}
		}

		hub.Crash()
		far.Say("who is next?")
		rest := others(all, hub)
		next := instance.Meet(t, 8*time.Second, rest...)
		same(t, 2*time.Second, lines+1, rest...)

		// Now the next one is out of reach.
		last := others(others(rest, next), far)[0]
		lan.Sever(far.Name, last.Name)
		before := len(far.Events())
		next.Crash()
		instance.Until(t, 5*time.Second, "the last one serves", last.Serving)
		last.Say("is anybody there?")
		far.Say("I cannot hear you")
		time.Sleep(time.Minute)
		said := told(far, before)
		if len(said) != 1 || !strings.Contains(said[0].Text, "no other hub can be reached") || said[0].Hint == "" {
			t.Errorf("out of reach, it was told %+v", said)
		}
		for _, e := range far.Events()[before:] {
			if d, ok := e.(node.Delivered); ok && d.Copies > 1 {
				t.Errorf("delivered to nobody: %+v", d)
			}
		}
		lan.Heal(far.Name)
		instance.Meet(t, 10*time.Second, last, far)
		same(t, 2*time.Second, lines+3, last, far)
	})
}

// told are those shown after the first n events.
func told(i *instance.Instance, n int) (out []node.Notice) {
	for _, e := range i.Events()[n:] {
		if notice, ok := e.(node.Notice); ok {
			out = append(out, notice)
		}
	}
	return out
}
