package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// toldOf reports whether an event was told that fits.
func toldOf[E node.Event](i *instance.Instance, fits func(E) bool) bool {
	return slices.ContainsFunc(i.Events(), func(e node.Event) bool {
		x, ok := e.(E)
		return ok && fits(x)
	})
}

// reads waits until a room of an instance shows exactly these texts.
func reads(t *testing.T, i *instance.Instance, room string, texts ...string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		page, err := i.Page(room, node.Key{}, 1000)
		if err != nil {
			t.Fatalf("%s reads %s: %v", i.Name, room, err)
		}
		got = nil
		for _, m := range page {
			if !m.Sealed {
				t.Fatalf("%s shows %q in %s as not sealed", i.Name, m.Text, room)
			}
			got = append(got, m.Text)
		}
		if slices.Equal(got, texts) {
			return
		}
	}
	t.Fatalf("%s reads %q in %s, want %q", i.Name, got, room, texts)
}

// fails checks that a command fails and says so with these words.
func fails(t *testing.T, i *instance.Instance, c node.Command, words string) {
	t.Helper()
	if err := i.Do(context.Background(), c); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s does %+v: %v, want an error with %q", i.Name, c, err, words)
	}
}

func say(t *testing.T, i *instance.Instance, room, text string) {
	t.Helper()
	do(t, i, node.Say{Room: room, Text: text})
}

// holdsKeys waits until an instance can seal for people.
func holdsKeys(t *testing.T, i *instance.Instance, who ...*instance.Instance) {
	t.Helper()
	instance.Until(t, 10*time.Second, i.Name+" knows the others' keys", func() bool {
		for _, w := range who {
			if p, err := i.Profile(w.ID()); err != nil || p == nil {
				return false
			}
		}
		return true
	})
}

func TestDirectMessages(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, alice, bob, carol)
		holdsKeys(t, alice, bob, carol)
		say(t, alice, "@bob", "psst")
		reads(t, bob, "@alice", "psst")
		say(t, bob, "@alice", "what?")
		reads(t, alice, "@bob", "psst", "what?")
		if !toldOf(bob, func(e node.Said) bool { return e.Text == "psst" && e.Sealed && e.Room == "@alice" && !e.History }) {
			t.Error("bob was not told of it as something that was just said")
		}
		instance.Until(t, 5*time.Second, "delivered to three", func() bool {
			return toldOf(alice, func(e node.Delivered) bool { return e.Copies >= 3 })
		})

		page, _ := bob.Page("@alice", node.Key{}, 1)
		do(t, bob, node.Edit{Target: page[0].Ref(), Text: "what is it?"})
		first, _ := alice.Page("@bob", node.Key{}, 10)
		do(t, alice, node.React{Target: first[1].Ref(), Emoji: "👍"})
		do(t, alice, node.Redact{Target: first[0].Ref()})
		instance.Until(t, 5*time.Second, "edited, deleted, reacted to", func() bool {
			now, _ := bob.Page("@alice", node.Key{}, 10)
			return len(now) == 2 && now[0].Redacted && now[1].Edited && now[1].Text == "what is it?" && len(now[1].Reactions) == 1
		})

		last, _ := bob.Page("@alice", node.Key{}, 1)
		say(t, alice, "@bob", "look here")
		instance.Until(t, 5*time.Second, "bob has it", func() bool {
			last, _ = bob.Page("@alice", node.Key{}, 1)
			return last[0].Text == "look here"
		})
		do(t, bob, node.Seen{Room: "@alice", Up: last[0].Key})
		instance.Until(t, 10*time.Second, "alice knows that bob has read it", func() bool {
			now, _ := alice.Page("@bob", node.Key{}, 1)
			return now[0].Read && toldOf(alice, func(e node.Read) bool { return e.Room == "@bob" && e.ID == now[0].ID })
		})

		for _, e := range carol.Events() {
			if s, ok := e.(node.Said); ok {
				t.Errorf("carol was told %q in %s", s.Text, s.Room)
			}
		}
		for _, r := range carol.Snapshot().Rooms {
			if r.Kind != node.PublicRoom {
				t.Errorf("carol has %+v", r)
			}
		}
		fails(t, carol, node.Say{Room: "@nobody", Text: "x"}, "nobody")
		fails(t, carol, node.Say{Room: "@carol", Text: "x"}, "you")
	})
}

// Someone who is away gets it on return, through another hub, though the author is gone.
func TestDirectMessageWaits(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave", "erin")
		alice, bob := all[0], all[1]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, bob)
		bob.Stop()
		rest := append(all[:1:1], all[2:]...)
		instance.Meet(t, 10*time.Second, rest...)
		say(t, alice, "@bob", "for later")
		instance.Until(t, 5*time.Second, "delivered", func() bool { return toldOf(alice, func(e node.Delivered) bool { return e.Copies >= 3 }) })
		alice.Stop()
		hub := instance.Meet(t, 10*time.Second, rest[1:]...)
		hub.Crash()
		rest = slices.DeleteFunc(rest[1:], func(i *instance.Instance) bool { return i == hub })
		instance.Meet(t, 10*time.Second, rest...)
		bob = instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, append(rest, bob)...)
		reads(t, bob, "@alice", "for later")
	})
}

// Who starts alone can write to those they have met, who read it when they are back.
func TestDirectMessageWhileAlone(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		say(t, alice, "@bob", "psst")
		reads(t, bob, "@alice", "psst")
		alice.Stop()
		bob.Stop()

		alice = instance.Start(t, lan, "alice", node.Config{})
		say(t, alice, "@bob", "are you there?")
		reads(t, alice, "@bob", "psst", "are you there?")
		bob = instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, alice, bob)
		reads(t, bob, "@alice", "psst", "are you there?")
		say(t, bob, "@alice", "I am")
		reads(t, alice, "@bob", "psst", "are you there?", "I am")
	})
}

// Who took another nick after they came is called by that one, also to who starts alone and in what is found on the disk.
func TestConversationHasTheNewestNick(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{NeverHub: true})
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		do(t, bob, node.Rename{Nick: "rob"})
		instance.Until(t, 5*time.Second, "alice sees rob", func() bool { return toldOf(alice, func(e node.Renamed) bool { return e.New == "rob" }) })
		say(t, alice, "@rob", "psst")
		bob.Stop()
		alice.Stop()

		if got := onDisk(t, alice.Dir(), "psst", "@rob"); !slices.Equal(got, []string{"@rob alice: [psst]"}) {
			t.Errorf("on the disk there is %q", got)
		}
		alice = instance.Start(t, lan, "alice", node.Config{})
		reads(t, alice, "@rob", "psst")
		if !slices.ContainsFunc(alice.Snapshot().Rooms, func(r node.Room) bool { return r.Name == "@rob" && r.With.Nick == "rob" }) {
			t.Errorf("alice has %+v", alice.Snapshot().Rooms)
		}
	})
}

func TestPrivateRoom(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave")
		alice, bob, carol, dave := all[0], all[1], all[2], all[3]
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, alice, bob, carol, dave)
		do(t, alice, node.NewRoom{Name: "plans"})
		say(t, alice, "#plans", "alone")
		reads(t, alice, "#plans", "alone")
		fails(t, alice, node.NewRoom{Name: "plans"}, "already")
		do(t, alice, node.Invite{Room: "#plans", Person: "bob"})
		do(t, alice, node.Invite{Room: "#plans", Person: "carol", History: true})
		for _, i := range []*instance.Instance{bob, carol} {
			instance.Until(t, 10*time.Second, i.Name+" is invited", func() bool {
				return toldOf(i, func(e node.Invited) bool { return e.Room == "#plans" && e.By.Nick == "alice" })
			})
			fails(t, i, node.Say{Room: "#plans", Text: "x"}, "accepted")
			say(t, alice, "#plans", "before "+i.Name+" comes")
			time.Sleep(time.Second)
			do(t, i, node.Join{Room: "#plans"})
			instance.Until(t, 10*time.Second, i.Name+" is told what was said before it answered", func() bool {
				return toldOf(i, func(e node.Said) bool { return e.Text == "before "+i.Name+" comes" && e.History })
			})
		}
		say(t, alice, "#plans", "welcome")
		reads(t, bob, "#plans", "before bob comes", "before carol comes", "welcome")
		reads(t, carol, "#plans", "alone", "before bob comes", "before carol comes", "welcome")
		if toldOf(carol, func(e node.Said) bool { return e.Text == "alone" && !e.History }) {
			t.Error("carol was told of what was said before she came as if it were new")
		}
		do(t, bob, node.SetTopic{Room: "#plans", Text: "secret"})
		instance.Until(t, 5*time.Second, "carol sees the topic", func() bool {
			return slices.ContainsFunc(carol.Snapshot().Rooms, func(r node.Room) bool { return r.Name == "#plans" && r.Topic.Text == "secret" && r.Members == 3 })
		})
		fails(t, bob, node.Remove{Room: "#plans", Person: "carol"}, "only alice")
		do(t, alice, node.Remove{Room: "#plans", Person: "bob"})
		instance.Until(t, 5*time.Second, "bob is told", func() bool { return toldOf(bob, func(e node.Members) bool { return e.Room == "#plans" && e.Out }) })
		say(t, carol, "#plans", "without bob")
		reads(t, alice, "#plans", "alone", "before bob comes", "before carol comes", "welcome", "secret", "without bob")
		reads(t, bob, "#plans", "before bob comes", "before carol comes", "welcome", "secret")
		fails(t, bob, node.Say{Room: "#plans", Text: "x"}, "any more")
		do(t, alice, node.HandOver{Room: "#plans", Person: "carol"})
		instance.Until(t, 5*time.Second, "carol is the owner", func() bool {
			m, err := carol.Members("#plans")
			return err == nil && m[0].Owner && m[0].Me
		})
		said := map[message.ID]bool{}
		for _, e := range alice.Events() {
			switch e := e.(type) {
			case node.Said:
				said[e.ID] = true
			case node.Delivered:
				if !said[e.ID] {
					t.Error("alice was told how far something got that she did not say")
				}
			}
		}
		do(t, alice, node.Leave{Room: "#plans"})
		instance.Until(t, 70*time.Second, "alice is out", func() bool {
			m, err := carol.Members("#plans")
			return err == nil && len(m) == 1
		})
		for _, e := range dave.Events() {
			if s, ok := e.(node.Said); ok {
				t.Errorf("dave was told %q in %s", s.Text, s.Room)
			}
		}
	})
}

// A room is handed over when the other has accepted the invitation, and not before.
func TestHandOverToWhoAccepted(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		do(t, alice, node.NewRoom{Name: "plans"})
		do(t, alice, node.Invite{Room: "#plans", Person: "bob"})
		instance.Until(t, 10*time.Second, "bob is invited", func() bool { return toldOf(bob, func(node.Invited) bool { return true }) })
		fails(t, alice, node.HandOver{Room: "#plans", Person: "bob"}, "bob has not accepted the invitation to #plans yet")
		do(t, bob, node.Join{Room: "#plans"})
		instance.Until(t, 10*time.Second, "alice is told", func() bool { return toldOf(alice, func(e node.Answered) bool { return e.Yes }) })
		do(t, alice, node.HandOver{Room: "#plans", Person: "bob"})
		instance.Until(t, 10*time.Second, "bob is the owner", func() bool {
			m, err := bob.Members("#plans")
			return err == nil && m[0].Owner && m[0].Me
		})
	})
}

// A room goes on with its owner away, over a change of hub and a restart of everyone.
func TestPrivateRoomGoesOn(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol", "dave")
		instance.Meet(t, 10*time.Second, all...)
		holdsKeys(t, all[0], all[1], all[2])
		do(t, all[0], node.NewRoom{Name: "plans"})
		for _, i := range all[1:3] {
			do(t, all[0], node.Invite{Room: "#plans", Person: i.Name})
			instance.Until(t, 10*time.Second, i.Name+" is invited", func() bool { return toldOf(i, func(e node.Invited) bool { return true }) })
			do(t, i, node.Join{Room: "#plans"})
		}
		instance.Until(t, 10*time.Second, "bob knows of carol: what was said before can only those read who were members", func() bool {
			m, err := all[1].Members("#plans")
			return err == nil && len(m) == 3
		})
		all[0].Stop()
		hub := instance.Meet(t, 10*time.Second, all[1:]...)
		say(t, all[1], "#plans", "one")
		hub.Crash()
		rest := slices.DeleteFunc(slices.Clone(all[1:]), func(i *instance.Instance) bool { return i == hub })
		instance.Meet(t, 10*time.Second, rest...)
		for _, i := range rest {
			i.Stop()
		}
		all = start(t, lan, "alice", "bob", "carol", "dave")
		instance.Meet(t, 10*time.Second, all...)
		say(t, all[2], "#plans", "two")
		for _, i := range all[:3] {
			reads(t, i, "#plans", "one", "two")
		}
	})
}

// What is on the disks of those who are not meant to read it does not hold what was said.
func TestNothingPlainAtOthers(t *testing.T) {
	const words = "the eagle has landed at noon"
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := instance.Start(t, lan, "box", node.Config{ServerOnly: true})
		instance.Meet(t, 10*time.Second, hub)
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, hub, alice, bob, carol)
		holdsKeys(t, alice, bob)
		say(t, alice, "@bob", words)
		reads(t, bob, "@alice", words)
		instance.Until(t, 5*time.Second, "delivered", func() bool { return toldOf(alice, func(e node.Delivered) bool { return e.Copies >= 3 }) })
		for _, i := range []*instance.Instance{hub, carol, alice} {
			i.Stop()
			in := disk.Find(t, i.Dir(), words)
			if i != alice && len(in) > 0 {
				t.Errorf("of %s %q hold what was said", i.Name, in)
			}
			if i == alice && len(in) == 0 {
				t.Error("not even who said it has it: this test looks in the wrong place")
			}
		}
	})
}

// Two people of one nick are told apart before anything is sent.
func TestDirectToOneOfTwo(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		other := instance.Start(t, lan, "other", node.Config{Nick: "bob"})
		instance.Meet(t, 10*time.Second, alice, bob, other)
		holdsKeys(t, alice, bob, other)
		var err *node.Error
		if !errors.As(alice.Do(t.Context(), node.Say{Room: "@bob", Text: "x"}), &err) {
			t.Fatal("it was said to one of two")
		}
		if !strings.Contains(err.Hint, bob.ID().Tag()) || !strings.Contains(err.Hint, other.ID().Tag()) {
			t.Errorf("the error does not tell them apart: %v, hint %s", err, err.Hint)
		}
		say(t, alice, "@bob~"+other.ID().Tag(), "to you")
		reads(t, other, "@alice", "to you")
		if page, err := bob.Page("@alice", node.Key{}, 1); err != nil || len(page) != 0 {
			t.Errorf("bob has %v, %v", page, err)
		}
	})
}

// Of someone who is ignored no direct message is shown, and no invitation; both are there when they are not ignored any more.
func TestIgnoredInSealedRooms(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		holdsKeys(t, bob, alice)
		do(t, alice, node.Ignore{Person: "bob"})
		do(t, bob, node.NewRoom{Name: "spam"})
		do(t, bob, node.Invite{Room: "#spam", Person: "alice"})
		say(t, bob, "@alice", "buy")
		instance.Until(t, 5*time.Second, "delivered", func() bool { return toldOf(bob, func(e node.Delivered) bool { return e.Copies >= 2 }) })
		time.Sleep(3 * time.Second)
		sealed := func() (n int) {
			for _, r := range alice.Snapshot().Rooms {
				if r.Kind != node.PublicRoom {
					n++
				}
			}
			return n
		}
		if n := sealed(); n != 0 {
			t.Errorf("alice has %d rooms of whom she ignores", n)
		}
		if toldOf(alice, func(e node.Said) bool { return e.Text == "buy" }) || toldOf(alice, func(node.Invited) bool { return true }) {
			t.Error("alice was told")
		}
		do(t, alice, node.Unignore{Person: "bob"})
		if n := sealed(); n != 2 {
			t.Errorf("alice has %d rooms, want the conversation and the invitation", n)
		}
		reads(t, alice, "@bob", "buy")
	})
}

// An invitation by somebody who is ignored is not shown, and does not stand in the place of the public room of its name.
func TestIgnoredInvites(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := instance.Start(t, lan, "bob", node.Config{})
		mallory := instance.Start(t, lan, "mallory", node.Config{})
		instance.Meet(t, 10*time.Second, bob, mallory)
		holdsKeys(t, mallory, bob)
		do(t, bob, node.Ignore{Person: "mallory"})
		do(t, mallory, node.NewRoom{Name: "general"})
		do(t, mallory, node.Invite{Room: "#general", Person: "bob"})
		time.Sleep(5 * time.Second)
		do(t, bob, node.Join{Room: "#general"})
		say(t, bob, "#general", "hello everyone")
		for _, r := range bob.Snapshot().Rooms {
			if r.Name == "#general" && r.Kind != node.PublicRoom {
				t.Errorf("bob is in %+v", r)
			}
		}
		time.Sleep(time.Second)
		if lines := mallory.Lines("#general"); len(lines) > 0 {
			t.Errorf("in mallory's room stands %q", lines)
		}
		do(t, bob, node.Unignore{Person: "mallory"})
		if !slices.ContainsFunc(bob.Snapshot().Rooms, func(r node.Room) bool { return r.Kind == node.PrivateRoom && !r.Joined && r.By.ID == mallory.ID() }) {
			t.Error("the invitation is lost")
		}
	})
}

// A person on two machines, the second a copy of the first one's profile, reads on both what is said to it, and what it says itself.
func TestDirectMessagesOnTwoMachines(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		desk := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, desk, bob, carol)
		holdsKeys(t, bob, desk)
		holdsKeys(t, desk, bob)
		say(t, bob, "@alice", "before the copy")
		reads(t, desk, "@bob", "before the copy")
		laptop := desk.Clone("laptop", false)
		time.Sleep(10 * time.Second)
		say(t, bob, "@alice", "to both")
		reads(t, laptop, "@bob", "before the copy", "to both")
		reads(t, desk, "@bob", "before the copy", "to both")
		say(t, laptop, "@bob", "from the laptop")
		reads(t, desk, "@bob", "before the copy", "to both", "from the laptop")
		do(t, desk, node.NewRoom{Name: "plans"})
		instance.Until(t, 10*time.Second, "the laptop is in the room too", func() bool {
			return slices.ContainsFunc(laptop.Snapshot().Rooms, func(r node.Room) bool { return r.Name == "#plans" && r.Joined })
		})
		say(t, desk, "#plans", "note to self")
		reads(t, laptop, "#plans", "note to self")
	})
}

// sameIdentity returns a new profile of the same person.
func sameIdentity(t *testing.T, i *instance.Instance) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key, err := os.ReadFile(filepath.Join(i.Dir(), "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "identity.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Machines that share no profile file but the identity find each other's keys, too: each renews its own.
func TestDirectMessagesWithTwoKeyrings(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		desk := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, desk, bob)
		dir := sameIdentity(t, desk)
		holdsKeys(t, bob, desk)
		say(t, bob, "@alice", "to the first")
		reads(t, desk, "@bob", "to the first")
		laptop := instance.Start(t, lan, "laptop", node.Config{Dir: dir, Nick: "alice"})
		time.Sleep(10 * time.Second)
		reads(t, laptop, "@bob", "to the first")
		say(t, bob, "@alice", "to both")
		reads(t, laptop, "@bob", "to the first", "to both")
		reads(t, desk, "@bob", "to the first", "to both")
	})
}

// The keys of the other machine have come, and the process is killed before what they open was read again. The next reads it.
func TestKilledWhenAKeyringCame(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		desk := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, desk, bob)
		holdsKeys(t, bob, desk)
		say(t, bob, "@alice", "to the first")
		reads(t, desk, "@bob", "to the first")
		dir := sameIdentity(t, desk)
		d := disk.Under(t, dir)
		size := func() int64 {
			info, err := os.Stat(filepath.Join(dir, "keyring"))
			if err != nil {
				t.Fatal(err)
			}
			return info.Size()
		}
		config := node.Config{Dir: dir, Nick: "alice", HostDir: t.TempDir()}
		desk.Stop()
		laptop := instance.Start(t, lan, "laptop", config)
		instance.Meet(t, 20*time.Second, bob, laptop)
		closed := func(e node.Notice) bool { return strings.Contains(e.Text, "cannot be opened") }
		instance.Until(t, 5*time.Second, "the laptop is told", func() bool { return toldOf(laptop, closed) })
		time.Sleep(5 * time.Second) // what cannot be read yet is on the disk
		laptop.Stop()
		laptop = instance.Start(t, lan, "laptop", config)
		instance.Meet(t, 20*time.Second, bob, laptop)
		if time.Sleep(5 * time.Second); toldOf(laptop, closed) {
			t.Error("the laptop is told again")
		}
		d.Slow(time.Second)
		before := size()
		start(t, lan, "alice")
		instance.Until(t, 10*time.Second, "the keyring has come", func() bool { return size() != before })
		laptop = restart(t, lan, laptop, true, config)
		reads(t, laptop, "@bob", "to the first")
	})
}

// A member whom the owner ignores, and never met before, is given the room's key all the same: ignoring is not removing.
func TestIgnoredMemberGetsTheKey(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		meeting(t, lan, alice, bob)
		say(t, bob, instance.Lobby, "hello")
		time.Sleep(5 * time.Second)
		bob.Stop()
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, alice, carol)
		holdsKeys(t, alice, carol)
		joinPlans(t, alice, carol)
		instance.Until(t, 10*time.Second, "carol has accepted", func() bool {
			return toldOf(alice, func(e node.Answered) bool { return e.By.ID == carol.ID() && e.Yes })
		})
		do(t, alice, node.HandOver{Room: "#plans", Person: "carol"})
		time.Sleep(5 * time.Second)
		do(t, carol, node.Ignore{Person: "bob"})
		bob = instance.Start(t, lan, "bob", node.Config{})
		instance.Until(t, 10*time.Second, "bob is back", func() bool { return alice.Here() == 3 })
		later(t, alice, "welcome back")
		reads(t, bob, "#plans", "welcome back")
	})
}

// A machine of the same person whose clock was once years ahead, and which is gone for good, is not what the others seal for for years: what this machine tells of itself afterwards is newer.
func TestDirectMessagesAfterAWrongClock(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		desk := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		dir := sameIdentity(t, desk)
		if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(`{"version":4000000000000}`), 0o600); err != nil {
			t.Fatal(err)
		}
		laptop := instance.Start(t, lan, "laptop", node.Config{Dir: dir, Nick: "alice"})
		time.Sleep(10 * time.Second)
		say(t, bob, "@alice", "to both")
		reads(t, desk, "@bob", "to both")
		for _, i := range []*instance.Instance{laptop, desk, bob} {
			i.Stop()
		}
		for range 2 { // the second finds the laptop's key too old
			time.Sleep(15 * 24 * time.Hour)
			desk = instance.Start(t, lan, "alice", node.Config{})
			bob = instance.Start(t, lan, "bob", node.Config{})
			instance.Meet(t, 10*time.Second, desk, bob)
			time.Sleep(5 * time.Second)
			bob.Stop()
			desk.Stop()
		}
		desk = instance.Start(t, lan, "alice", node.Config{})
		bob = instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 10*time.Second, desk, bob)
		say(t, bob, "@alice", "to the desk")
		reads(t, desk, "@bob", "to both", "to the desk")
	})
}

// However much was said in rooms that are not joined, the newest of those that are is told at a start.
func TestHistoryOfShownRooms(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{Rate: -1})
		bob := instance.Start(t, lan, "bob", node.Config{Rate: -1})
		instance.Meet(t, 10*time.Second, alice, bob)
		say(t, alice, instance.Lobby, "in the lobby")
		do(t, bob, node.Join{Room: "#noise"})
		for range 40 {
			say(t, bob, "#noise", "noise")
		}
		instance.Until(t, 10*time.Second, "alice holds it all", func() bool {
			page, err := alice.Page("#noise", node.Key{}, 50)
			return err == nil && len(page) == 40
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for list := range alice.Node.Events(ctx, 10) {
			for _, e := range list {
				switch e := e.(type) {
				case node.Said:
					if e.Text != "in the lobby" || !e.History {
						t.Errorf("told %q", e.Text)
					}
					return
				case node.CaughtUp:
					t.Error("nothing of the lobby was told")
					return
				}
			}
		}
	})
}
