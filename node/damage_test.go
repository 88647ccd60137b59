package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
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

// What was said is shown to who is alone, though the file that says where it was said is missing, as from a backup of a part, or garbage; and the stores know each other again.
func TestRealmsAreFoundAgain(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"missing": os.Remove,
		"garbage": func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "alice", "bob")
				instance.Meet(t, 3*time.Second, all...)
				all[0].Say("before")
				same(t, time.Second, 1, all...)
				for _, i := range all {
					i.Stop()
					files, err := filepath.Glob(filepath.Join(i.Dir(), "networks", "*", "realms.json"))
					if err != nil || len(files) != 1 {
						t.Fatal(files, err)
					}
					if err := damage(files[0]); err != nil {
						t.Fatal(err)
					}
				}
				alice := start(t, lan, "alice")[0]
				same(t, 3*time.Second, 1, alice)
				bob := start(t, lan, "bob")[0]
				instance.Meet(t, 5*time.Second, alice, bob)
				bob.Say("after")
				same(t, 3*time.Second, 2, alice, bob)
			})
		})
	}
}

// A disk that fails to sync once, at the hub, at a follower, or where nobody else is: the store is set aside while earshot runs on, with one notice, and nothing is missing
// that the others or this process have.
func TestStoreFailsWhileRunning(t *testing.T) {
	for _, c := range []struct {
		name  string
		hub   bool
		alone bool
	}{{name: "hub", hub: true}, {name: "follower"}, {name: "alone", alone: true}} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				dir := t.TempDir()
				d := disk.Under(t, dir)
				all := []*instance.Instance{instance.Start(t, lan, "alice", node.Config{Dir: dir})}
				alice := all[0]
				if !c.alone {
					time.Sleep(2 * time.Second)
					all = append(all, start(t, lan, "bob", "carol")...)
					instance.Meet(t, 3*time.Second, all...)
				}
				if !c.hub && !c.alone { // alice comes again, to a hub that is there
					alice.Stop()
					instance.Meet(t, 8*time.Second, all[1:]...)
					alice = instance.Start(t, lan, "alice", node.Config{Dir: dir})
					all[0] = alice
				}
				if !c.alone {
					if hub := instance.Meet(t, 8*time.Second, all...); (hub == alice) != c.hub {
						t.Fatalf("%s is the hub", hub.Name)
					}
				}
				n := 0
				for range 3 {
					for _, i := range all {
						n++
						i.Say(fmt.Sprint(i.Name, " says ", n))
					}
				}
				same(t, 2*time.Second, n, all...)
				d.Break("history.db")
				for range 3 { // the first of them meets it
					for _, i := range all {
						n++
						i.Say(fmt.Sprint(i.Name, " says ", n))
					}
				}
				instance.Until(t, 2*time.Second, "alice is told", func() bool {
					return slices.ContainsFunc(alice.Events(), func(e node.Event) bool { _, ok := e.(node.Notice); return ok })
				})
				same(t, 3*time.Second, n, all...)
				if !c.alone {
					instance.Meet(t, 3*time.Second, all...)
				}
				n++
				all[len(all)-1].Say("on we go")
				same(t, 2*time.Second, n, all...)
				aside, err := filepath.Glob(filepath.Join(dir, "networks", "*", "*", "history.db.corrupt-*"))
				if len(aside) != 1 || err != nil {
					t.Errorf("set aside: %q, %v", aside, err)
				}
				notices := 0
				for _, e := range alice.Events() {
					switch e := e.(type) {
					case node.Notice:
						if notices++; len(aside) == 1 && !strings.Contains(e.Hint, aside[0]) {
							t.Errorf("notice %+v", e)
						}
					case node.RealmChanged:
						t.Error("the gathering is said to be another")
					}
				}
				if notices != 1 {
					t.Errorf("%d notices", notices)
				}
				alice.Stop()
				alice = instance.Start(t, lan, "alice", node.Config{Dir: dir})
				instance.Until(t, time.Second, "all is on disk", func() bool { return len(alice.Lines(instance.Lobby)) == n })
			})
		})
	}
}

// While nothing can be written one is told why, and hears when it can be again: only of a full disk is one to make room.
func TestDiskThatCannotBeWritten(t *testing.T) {
	for _, c := range []struct {
		name       string
		fail       func(*disk.Disk, bool)
		why, again string
	}{
		{"full", (*disk.Disk).Fill, "the disk is full", "there is room on the disk again"},
		{"broken", (*disk.Disk).Refuse, "the history cannot be written (disk I/O error (778))", "the history can be written again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				dir := t.TempDir()
				d := disk.Under(t, dir)
				alice := instance.Start(t, lan, "alice", node.Config{Dir: dir})
				time.Sleep(2 * time.Second)
				c.fail(d, true)
				alice.Say("one line too many")
				time.Sleep(2 * time.Second)
				if err := alice.Do(t.Context(), node.Say{Room: "#lobby", Text: "and one more"}); err == nil || !strings.HasPrefix(err.Error(), c.why+": nothing can be said") {
					t.Errorf("said: %v", err)
				}
				c.fail(d, false)
				time.Sleep(20 * time.Second)
				alice.Say("on we go")
				var told []string
				for _, e := range alice.Events() {
					if n, ok := e.(node.Notice); ok {
						told = append(told, n.Text)
					}
				}
				if len(told) != 2 || !strings.HasPrefix(told[0], c.why+": what is said is not kept") || !strings.HasPrefix(told[1], c.again) {
					t.Errorf("told %q", told)
				}
				same(t, 2*time.Second, 2, alice)
			})
		})
	}
}
