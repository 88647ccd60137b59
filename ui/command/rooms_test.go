package command_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
	"earshot/ui/command"
)

// Of a room it is said when something was said there last, and not how much: what is held of it are also the edits and reactions, and some lines twice.
func TestRoomsOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice := instance.Start(t, nodetest.New(1), "alice", node.Config{})
		instance.Until(t, 2*time.Second, "alice serves", alice.Serving)
		alice.Say("helo")
		instance.Until(t, time.Second, "that is said", func() bool { return len(alice.Lines(instance.Lobby)) == 1 })
		said, err := alice.Page(instance.Lobby, node.Key{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []node.Command{node.Edit{Target: said[0].Ref(), Text: "hello"}, node.React{Target: said[0].Ref(), Emoji: "👍"}} {
			if err := alice.Do(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
		lines := command.Rooms(alice.Snapshot(), false)
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "  #lobby  joined, last message ") }) {
			t.Errorf("%q", lines)
		}
	})
}
