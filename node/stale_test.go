package node_test

import (
	"context"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// A hub whose store fails takes leave of its links while one of them does not answer, and meanwhile the rest of it goes on: that someone has another name now is seen at once.
// With a lock held for as long as that takes, fake time would stand still, and the test with it.
func TestHubLeavesItsStore(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		dir := t.TempDir()
		d := disk.Under(t, dir)
		hub := instance.Start(t, lan, "harry", node.Config{Dir: dir})
		instance.Until(t, 3*time.Second, "it serves", hub.Serving)
		all := append(start(t, lan, "alice", "bob"), hub)
		instance.Meet(t, 5*time.Second, all...)
		lan.Cut("bob")
		d.Break("history.db")
		hub.Say("this cannot be kept")
		if err := all[0].Do(context.Background(), node.Rename{Nick: "alicia"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		lan.Heal("bob")
		instance.Meet(t, 5*time.Second, all...)
		same(t, 5*time.Second, 1, all...)
	})
}
