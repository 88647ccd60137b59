package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// A store that is garbage is set aside with one notice, and what it held comes back from the others.
func TestDamagedStoreComesBack(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		dir := filepath.Join(t.TempDir(), "bob")
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{Dir: dir})
		instance.Meet(t, 3*time.Second, alice, bob)
		for range 3 {
			alice.Say("from alice " + time.Now().String())
			bob.Say("from bob " + time.Now().String())
			time.Sleep(10 * time.Millisecond)
		}
		same(t, 2*time.Second, 6, alice, bob)
		bob.Stop()
		stores, err := filepath.Glob(filepath.Join(dir, "networks", "*", "realm-*", "history.db"))
		if err != nil || len(stores) != 1 {
			t.Fatalf("stores %q: %v", stores, err)
		}
		if err := os.WriteFile(stores[0], []byte(strings.Repeat("garbage", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		bob = instance.Start(t, lan, "bob", node.Config{Dir: dir})
		instance.Meet(t, 5*time.Second, alice, bob)
		same(t, 3*time.Second, 6, alice, bob)
		notices := slices.DeleteFunc(bob.Events(), func(e node.Event) bool { _, ok := e.(node.Notice); return !ok })
		if len(notices) != 1 || !strings.Contains(notices[0].(node.Notice).Hint, ".corrupt-") {
			t.Errorf("notices %q", notices)
		}
	})
}
