package node_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// closedBy returns the network "office" by a key.
func closedBy(t *testing.T, key string) *identity.Network {
	t.Helper()
	n, err := identity.NewNetwork("office", []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const oldKey, newKey = "OLDOLDOLDOLDOLDOLDOLDOLDOL", "NEWNEWNEWNEWNEWNEWNEWNEWNE"

// texts returns what a room shows.
func texts(t *testing.T, i *instance.Instance, room string) (out []string) {
	t.Helper()
	page, err := i.Page(room, node.Key{}, 1000)
	if err != nil {
		t.Fatalf("%s reads %s: %v", i.Name, room, err)
	}
	for _, m := range page {
		out = append(out, m.Text)
	}
	return out
}

// displays waits until a room shows exactly these texts.
func displays(t *testing.T, i *instance.Instance, room string, want ...string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = texts(t, i, room); slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("%s shows %q in %s, want %q", i.Name, got, room, want)
}

func finds(t *testing.T, i *instance.Instance, words string, want ...string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		found, err := i.Search(context.Background(), words, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, h := range found.Hits {
			got = append(got, h.Room+" "+h.Text)
		}
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("%s finds %q for %s, want %q", i.Name, got, words, want)
}

// What was said by a key that a network had before is shown beside what is said by the present one, and only that.
func TestPastIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		before, now := closedBy(t, oldKey), closedBy(t, newKey)
		start := func(names ...string) (all []*instance.Instance) {
			for _, name := range names {
				all = append(all, instance.Start(t, lan, name, node.Config{Network: before}))
			}
			return all
		}
		all := start("alice", "bob", "carol")
		alice, bob, carol := all[0], all[1], all[2]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, bob, carol)
		alice.Say("in the open")
		say(t, alice, "@bob", "between us")
		reads(t, bob, "@alice", "between us")
		do(t, alice, node.NewRoom{Name: "plans"})
		do(t, alice, node.Invite{Room: "#plans", Person: "bob"})
		instance.Until(t, 10*time.Second, "bob is invited", func() bool { return toldOf(bob, func(node.Invited) bool { return true }) })
		do(t, bob, node.Join{Room: "#plans"})
		say(t, alice, "#plans", "in the room")
		reads(t, bob, "#plans", "in the room")
		do(t, bob, node.Verify{Person: "alice", Fingerprint: alice.ID().Fingerprint()})
		do(t, bob, node.Ignore{Person: "carol"})
		for _, i := range all {
			i.Stop()
		}

		again := func(name string) *instance.Instance {
			return instance.Start(t, lan, name, node.Config{Network: now, Previous: []*identity.Network{before}})
		}
		bob = again("bob")
		instance.Meet(t, 10*time.Second, bob)
		displays(t, bob, "#lobby", "in the open")
		reads(t, bob, "@alice", "between us")
		reads(t, bob, "#plans", "in the room")
		for _, want := range []string{"in the open", "between us", "in the room"} {
			if !toldOf(bob, func(s node.Said) bool { return s.Text == want && s.History }) {
				t.Errorf("bob was not told again: %s", want)
			}
		}
		finds(t, bob, "between", "@alice between us")
		finds(t, bob, "in the", "#lobby in the open", "#plans in the room")
		if w, err := bob.Whois("alice"); err != nil || !w.Verified {
			t.Errorf("alice is not verified any more: %+v, %v", w, err)
		}
		if s := bob.Snapshot(); len(s.Ignored) != 1 || s.Ignored[0].ID != carol.ID() {
			t.Errorf("%+v are ignored", s.Ignored)
		}
		fails(t, bob, node.Say{Room: "#plans", Text: "x"}, "only read")
		fails(t, bob, node.Invite{Room: "#plans", Person: "alice"}, "only read")
		fails(t, bob, node.Leave{Room: "#plans"}, "only read")
		old, err := bob.Page("#lobby", node.Key{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		fails(t, bob, node.React{Target: old[0].Ref(), Emoji: "👍"}, "only be read")
		fails(t, bob, node.Reply{To: old[0].Ref(), Text: "x"}, "only be read")

		alice = again("alice")
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		holdsKeys(t, bob, alice)
		say(t, bob, "@alice", "go on")
		reads(t, alice, "@bob", "between us", "go on")
		bob.Say("and here")
		displays(t, alice, "#lobby", "in the open", "and here")
		page, err := alice.Page("@bob", node.Key{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		do(t, bob, node.Seen{Room: "@alice", Up: page[0].Key})
		do(t, alice, node.CopyRoom{Room: "#plans", Name: "plans"})
		instance.Until(t, 10*time.Second, "bob is invited again", func() bool { return toldOf(bob, func(e node.Invited) bool { return e.Room == "#plans" }) })
		do(t, bob, node.Join{Room: "#plans"})
		say(t, bob, "#plans", "made again")
		reads(t, alice, "#plans", "made again")
		var names []string
		for _, r := range alice.Snapshot().Rooms {
			if r.Kind == node.PrivateRoom {
				names = append(names, r.Name)
			}
		}
		if len(names) != 2 || names[0] != "#plans" || !strings.HasPrefix(names[1], "#plans~") {
			t.Fatalf("alice has the rooms %q", names)
		}
		reads(t, alice, names[1], "in the room")

		carol = instance.Start(t, lan, "carol", node.Config{Network: before})
		time.Sleep(30 * time.Second)
		if len(carol.Snapshot().People) != 1 || alice.Here() != 2 {
			t.Error("who has the old key is not alone")
		}
		displays(t, carol, "#lobby", "in the open")
		for _, i := range []*instance.Instance{alice, bob} { // once more: what goes on need not go on again
			i.Stop()
		}
		alice = again("alice")
		instance.Meet(t, 10*time.Second, alice)
		reads(t, alice, "@bob", "between us", "go on")
	})
}

// Nobody else brings back what was said by an earlier key: that it is damaged is told.
func TestDamagedPast(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		before, now := closedBy(t, oldKey), closedBy(t, newKey)
		alice := instance.Start(t, lan, "alice", node.Config{Network: before})
		alice.Say("x")
		time.Sleep(time.Second)
		alice.Stop()
		stores, err := filepath.Glob(filepath.Join(alice.Dir(), "networks", "*", "realm-*", "history.db"))
		if err != nil || len(stores) != 1 {
			t.Fatalf("stores %q: %v", stores, err)
		}
		if err := os.WriteFile(stores[0], []byte(strings.Repeat("garbage", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		alice = instance.Start(t, lan, "alice", node.Config{Network: now, Previous: []*identity.Network{before}})
		time.Sleep(time.Second)
		if !toldOf(alice, func(n node.Notice) bool { return strings.Contains(n.Hint, stores[0]+".corrupt-") }) {
			t.Error("alice was not told")
		}
	})
}
