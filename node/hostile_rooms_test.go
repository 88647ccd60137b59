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
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// What a private room must withstand that takes several machines, or days.

// meeting is a room of alice's, #plans, in which these others are.
func meeting(t *testing.T, lan *nodetest.LAN, all ...*instance.Instance) {
	t.Helper()
	instance.Meet(t, 10*time.Second, all...)
	holdsKeys(t, all[0], all[1:]...)
	do(t, all[0], node.NewRoom{Name: "plans"})
	for _, i := range all[1:] {
		joinPlans(t, all[0], i)
	}
	for _, i := range all { // what is said in an epoch is for those who were members in it
		counts(t, i, len(all))
	}
}

// fourWithPlans begins alice, in whose #plans bob and carol are, and dave, who is not.
func fourWithPlans(t *testing.T, lan *nodetest.LAN) []*instance.Instance {
	t.Helper()
	all := start(t, lan, "alice", "bob", "carol", "dave")
	alice, bob, carol := all[0], all[1], all[2]
	instance.Meet(t, 10*time.Second, all...)
	holdsKeys(t, alice, all[1:]...)
	do(t, alice, node.NewRoom{Name: "plans"})
	joinPlans(t, alice, bob)
	joinPlans(t, alice, carol)
	counts(t, bob, 3)
	return all
}

func joinPlans(t *testing.T, owner, i *instance.Instance) {
	t.Helper()
	do(t, owner, node.Invite{Room: "#plans", Person: i.Name})
	instance.Until(t, 10*time.Second, i.Name+" is invited", func() bool { return toldOf(i, func(e node.Invited) bool { return e.Room == "#plans" }) })
	do(t, i, node.Join{Room: "#plans"})
}

// later says something when all have read what was said before.
func later(t *testing.T, i *instance.Instance, text string) {
	t.Helper()
	time.Sleep(2 * time.Second)
	say(t, i, "#plans", text)
}

// counts waits until an instance sees so many members.
func counts(t *testing.T, i *instance.Instance, n int) {
	t.Helper()
	instance.Until(t, 2*time.Minute, i.Name+" sees the members", func() bool {
		m, err := i.Members("#plans")
		return err == nil && len(m) == n
	})
}

// Bob is removed where he is not, and goes on speaking where nobody knows. When the halves meet he is out everywhere, what others said there counts, and what he said after his removal is shown by nobody who
// hears of both at once.
func TestRemovedDuringAPartition(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave")
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		meeting(t, lan, all...)
		later(t, bob, "as a member")
		for _, i := range all {
			reads(t, i, "#plans", "as a member")
		}
		lan.Split([]string{"alice", "carol"}, []string{"bob", "dave"})
		instance.Meet(t, 20*time.Second, alice, carol)
		instance.Meet(t, 20*time.Second, bob, dave)
		do(t, alice, node.Remove{Room: "#plans", Person: "bob"})
		counts(t, carol, 3)
		later(t, bob, "removed, and does not know")
		later(t, dave, "a member, in the old epoch")
		reads(t, dave, "#plans", "as a member", "removed, and does not know", "a member, in the old epoch")
		later(t, alice, "without bob")
		reads(t, carol, "#plans", "as a member", "without bob")
		lan.Join()
		instance.Meet(t, 30*time.Second, all...)
		instance.Until(t, 10*time.Second, "bob is told", func() bool { return toldOf(bob, func(e node.Members) bool { return e.Out }) })
		fails(t, bob, node.Say{Room: "#plans", Text: "x"}, "any more")
		counts(t, dave, 3)
		later(t, dave, "in the new epoch")
		for _, i := range []*instance.Instance{alice, carol, dave} {
			reads(t, i, "#plans", "as a member", "a member, in the old epoch", "without bob", "in the new epoch")
		}
		for _, i := range []*instance.Instance{bob, dave} {
			instance.Until(t, 5*time.Second, i.Name+" is told that it does not count", func() bool {
				return toldOf(i, func(e node.Withdrawn) bool { return e.Text == "removed, and does not know" })
			})
		}
		if got := onDisk(t, dave.Dir(), "removed", ""); len(got) > 0 {
			t.Errorf("on dave's disk there is found %q", got)
		}
		if page := bob.Lines("#plans"); slices.ContainsFunc(page, func(l string) bool {
			return strings.HasSuffix(l, "without bob") || strings.HasSuffix(l, "in the new epoch")
		}) {
			t.Errorf("bob reads on: %q", page)
		}
	})
}

// Bob leaves where the owner is not, who changes the room meanwhile: when the halves meet he is no member, and gets no key any more.
func TestLeavesDuringAPartition(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := fourWithPlans(t, lan)
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		lan.Split([]string{"alice", "dave"}, []string{"bob", "carol"})
		instance.Meet(t, 20*time.Second, alice, dave)
		instance.Meet(t, 20*time.Second, bob, carol)
		do(t, bob, node.Leave{Room: "#plans"})
		time.Sleep(time.Second)
		joinPlans(t, alice, dave)
		lan.Join()
		instance.Meet(t, 30*time.Second, all...)
		for _, i := range []*instance.Instance{alice, carol, dave} {
			counts(t, i, 3)
		}
		if !toldOf(alice, func(e node.Answered) bool { return e.By.ID == bob.ID() && !e.Yes }) {
			t.Error("alice was not told that bob left")
		}
	})
}

// Bob leaves where the owner is not, who hands the room over meanwhile: when the halves meet the new owner takes him out, also if nobody was where he was who could keep what he said.
func TestLeavesDuringAHandOver(t *testing.T) {
	for name, with := range map[string][]string{"with a member": {"dave"}, "with a stranger": {"erin"}, "alone": nil} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "alice", "bob", "carol", "dave", "erin")
				alice, bob, carol := all[0], all[1], all[2]
				instance.Meet(t, 10*time.Second, all...)
				holdsKeys(t, alice, all[1:]...)
				do(t, alice, node.NewRoom{Name: "plans"})
				for _, i := range all[1:4] {
					joinPlans(t, alice, i)
				}
				counts(t, bob, 4)
				instance.Until(t, 10*time.Second, "carol has accepted", func() bool {
					return toldOf(alice, func(e node.Answered) bool { return e.By.ID == carol.ID() && e.Yes })
				})
				var left, right []*instance.Instance
				var one, other []string
				for _, i := range all {
					if i == bob || slices.Contains(with, i.Name) {
						right, other = append(right, i), append(other, i.Name)
					} else {
						left, one = append(left, i), append(one, i.Name)
					}
				}
				lan.Split(one, other)
				instance.Meet(t, 20*time.Second, left...)
				instance.Meet(t, 20*time.Second, right...)
				do(t, bob, node.Leave{Room: "#plans"})
				time.Sleep(time.Second)
				do(t, alice, node.HandOver{Room: "#plans", Person: "carol"})
				time.Sleep(time.Second)
				lan.Join()
				instance.Meet(t, 30*time.Second, all...)
				for _, i := range []*instance.Instance{alice, carol, all[3]} {
					counts(t, i, 3)
				}
				if !toldOf(carol, func(e node.Answered) bool { return e.By.ID == bob.ID() && !e.Yes }) {
					t.Error("carol was not told that bob left")
				}
			})
		})
	}
}

// Bob leaves where the owner is not, who makes him the owner meanwhile: when the halves meet the room is alice's again, and bob is out, without being asked anything.
func TestLeavesWhileMadeOwner(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := fourWithPlans(t, lan)
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		instance.Until(t, 10*time.Second, "bob has accepted", func() bool {
			return toldOf(alice, func(e node.Answered) bool { return e.By.ID == bob.ID() && e.Yes })
		})
		lan.Split([]string{"alice", "carol"}, []string{"bob", "dave"})
		instance.Meet(t, 20*time.Second, alice, carol)
		instance.Meet(t, 20*time.Second, bob, dave)
		do(t, alice, node.HandOver{Room: "#plans", Person: "bob"})
		time.Sleep(2 * time.Minute) // more than clocks are allowed to differ
		do(t, bob, node.Leave{Room: "#plans"})
		time.Sleep(time.Second)
		lan.Join()
		instance.Meet(t, 30*time.Second, all...)
		counts(t, alice, 2)
		counts(t, carol, 2)
		instance.Until(t, 10*time.Second, "alice is the owner", func() bool {
			m, err := alice.Members("#plans")
			return err == nil && m[0].Me
		})
		joinPlans(t, alice, dave)
		later(t, dave, "it goes on")
		reads(t, carol, "#plans", "it goes on")
		asked := 0
		for _, e := range bob.Events() {
			if _, ok := e.(node.Invited); ok {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("bob was asked %d times", asked)
		}
	})
}

// Bob declines what alice invited him to, when the room is carol's: it is she who takes him out.
func TestDeclinesAfterAHandOver(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		alice, bob, carol := all[0], all[1], all[2]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, bob, carol)
		do(t, alice, node.NewRoom{Name: "plans"})
		do(t, alice, node.Invite{Room: "#plans", Person: "bob"})
		joinPlans(t, alice, carol)
		counts(t, carol, 3)
		instance.Until(t, 10*time.Second, "carol has accepted", func() bool {
			return toldOf(alice, func(e node.Answered) bool { return e.By.ID == carol.ID() && e.Yes })
		})
		do(t, alice, node.HandOver{Room: "#plans", Person: "carol"})
		instance.Until(t, 10*time.Second, "carol is the owner", func() bool {
			m, err := carol.Members("#plans")
			return err == nil && m[0].Me
		})
		do(t, bob, node.Leave{Room: "#plans"})
		counts(t, carol, 2)
		counts(t, alice, 2)
	})
}

// The owner changes the room while half of it is out of reach: both halves go on, each in an epoch of its own, and then there is one history, and one epoch.
func TestEpochChangesWhileSplit(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave", "erin")
		alice, bob, carol, dave, erin := all[0], all[1], all[2], all[3], all[4]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, all[1:]...)
		do(t, alice, node.NewRoom{Name: "plans"})
		for _, i := range all[1:4] {
			joinPlans(t, alice, i)
		}
		for _, i := range all[:4] {
			counts(t, i, 4)
		}
		lan.Split([]string{"alice", "bob", "erin"}, []string{"carol", "dave"})
		instance.Meet(t, 20*time.Second, alice, bob, erin)
		instance.Meet(t, 20*time.Second, carol, dave)
		later(t, carol, "one")
		reads(t, dave, "#plans", "one")
		joinPlans(t, alice, erin)
		counts(t, bob, 5)
		later(t, bob, "two")
		reads(t, erin, "#plans", "two")
		later(t, dave, "three")
		reads(t, carol, "#plans", "one", "three")
		lan.Join()
		instance.Meet(t, 30*time.Second, all...)
		later(t, erin, "four")
		counts(t, carol, 5)
		later(t, carol, "five")
		for _, i := range all[:4] {
			reads(t, i, "#plans", "one", "two", "three", "four", "five")
		}
		reads(t, erin, "#plans", "two", "four", "five") // not what was said in an epoch that she had no part in
	})
}

// The owner's machine is copied while it runs, and each changes the room out of reach of the other: all come to see the same members, both changes among them.
func TestTwoOwnersFromACopiedProfile(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave")
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, all[1:]...)
		do(t, alice, node.NewRoom{Name: "plans"})
		joinPlans(t, alice, bob)
		later(t, alice, "before")
		reads(t, bob, "#plans", "before")
		time.Sleep(5 * time.Second)
		lan.Host("clone")
		lan.Split([]string{"alice", "bob", "carol"}, []string{"clone", "dave"})
		clone := alice.Clone("clone", false)
		instance.Meet(t, 30*time.Second, alice, bob, carol)
		instance.Until(t, 30*time.Second, "the copy is with dave", func() bool { return clone.Here() == 2 && dave.Here() == 2 })
		joinPlans(t, alice, carol)
		joinPlans(t, clone, dave)
		later(t, alice, "on the left")
		later(t, clone, "on the right")
		lan.Join()
		for _, i := range append(all, clone) {
			counts(t, i, 4)
		}
		later(t, bob, "together")
		for _, i := range append(all, clone) {
			instance.Until(t, time.Minute, i.Name+" reads it", func() bool { return slices.Contains(i.Lines("#plans"), "bob: together") })
		}
		want, err := alice.Members("#plans")
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range append(all, clone) {
			got, err := i.Members("#plans")
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s sees %+v, %v", i.Name, got, err)
			}
			for n := range want {
				if got[n].ID != want[n].ID {
					t.Errorf("%s sees %+v, alice %+v", i.Name, got, want)
				}
			}
		}
	})
}

// Bob's process is killed when he has accepted, declined or left, before that is in his journal, and the next finds the disk full. When there is room the owner hears of it, and bob has done it.
func TestAnswersAndIsKilled(t *testing.T) {
	for name, c := range map[string]struct {
		before []node.Command
		answer node.Command
		hears  func(node.Answered) bool
	}{
		"accepts":  {answer: node.Join{Room: "#plans"}, hears: func(e node.Answered) bool { return e.Yes }},
		"declines": {answer: node.Leave{Room: "#plans"}, hears: func(e node.Answered) bool { return e.Declined }},
		"leaves":   {before: []node.Command{node.Join{Room: "#plans"}}, answer: node.Leave{Room: "#plans"}, hears: func(e node.Answered) bool { return e.Left }},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				alice := start(t, lan, "alice")[0]
				host := t.TempDir()
				d := disk.Under(t, host)
				config := node.Config{Dir: filepath.Join(host, "bob"), HostDir: host}
				bob := instance.Start(t, lan, "bob", config)
				instance.Meet(t, 10*time.Second, alice, bob)
				holdsKeys(t, alice, bob)
				do(t, alice, node.NewRoom{Name: "plans"})
				do(t, alice, node.Invite{Room: "#plans", Person: "bob"})
				instance.Until(t, 10*time.Second, "bob is invited", func() bool { return toldOf(bob, func(e node.Invited) bool { return true }) })
				for _, b := range c.before {
					do(t, bob, b)
				}
				time.Sleep(3 * time.Second)
				lan.Cut("bob")
				d.Slow(time.Second)
				bob.Say("the disk is busy with this")
				time.Sleep(100 * time.Millisecond)
				do(t, bob, c.answer)
				killed := t.TempDir()
				if err := os.CopyFS(killed, os.DirFS(host)); err != nil {
					t.Fatal(err)
				}
				bob.Crash()
				for _, secret := range []string{"identity.key", "keyring"} {
					if err := os.Chmod(filepath.Join(killed, "bob", secret), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				lan.Heal("bob")
				config.Dir, config.HostDir = filepath.Join(killed, "bob"), killed
				d = disk.Under(t, killed)
				bob = instance.Start(t, lan, "bob", config)
				instance.Meet(t, 10*time.Second, alice, bob)
				hears := func(e node.Answered) bool { return e.By.Nick == "bob" && c.hears(e) }
				if toldOf(alice, hears) {
					t.Fatal("the owner has heard of it: the process was killed too late for this test")
				}
				d.Fill(true) // that may be why the process ended
				bob.Say("one line too many")
				time.Sleep(3 * time.Minute)
				d.Fill(false)
				instance.Until(t, 3*time.Minute, "the owner hears of it", func() bool { return toldOf(alice, hears) })
				members, joined := 1, c.answer == node.Command(node.Join{Room: "#plans"})
				if joined {
					members = 2
				}
				counts(t, alice, members)
				if is := slices.ContainsFunc(bob.Snapshot().Rooms, func(r node.Room) bool { return r.Name == "#plans" }); is != joined {
					t.Errorf("bob is in the room: %v", is)
				}
			})
		})
	}
}

// Bob's disk has his room as it was before the owner changed it, and what was said since: the process was killed before it was written, or the file is from a backup. He is told by his journal.
func TestRoomOlderThanTheJournal(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob")
		alice, bob := all[0], all[1]
		meeting(t, lan, all...)
		carol := start(t, lan, "carol")[0]
		instance.Meet(t, 10*time.Second, alice, bob, carol)
		holdsKeys(t, alice, carol)
		later(t, bob, "one")
		time.Sleep(time.Second)
		files, err := filepath.Glob(filepath.Join(bob.Dir(), "networks", "*", "rooms", "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		old, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		joinPlans(t, alice, carol)
		counts(t, bob, 3)
		later(t, carol, "two")
		reads(t, bob, "#plans", "one", "two")
		bob.Stop()
		alice.Stop()
		carol.Stop()
		if err := os.WriteFile(files[0], old, 0o600); err != nil {
			t.Fatal(err)
		}
		bob = instance.Start(t, lan, "bob", node.Config{})
		counts(t, bob, 3)
		reads(t, bob, "#plans", "one", "two")
		later(t, bob, "three")
		carol = instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, bob, carol)
		later(t, carol, "four")
		reads(t, bob, "#plans", "one", "two", "three", "four")
		reads(t, carol, "#plans", "two", "three", "four")
	})
}
