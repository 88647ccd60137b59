package node_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// A reader is a screen that is told of everything (Node.Resume), and looks at no room until it is told to.
type reader struct {
	*instance.Instance
	t      *testing.T
	events <-chan []node.Event
	unread map[string][]string // by room, in the order told
	last   map[string]node.Key
	live   []string // that was not told as history
	all    int      // how many were told
	caught []bool   // CaughtUp or, false, RealmChanged
}

func readerOf(t *testing.T, i *instance.Instance, history int) *reader {
	return &reader{Instance: i, t: t, events: i.Resume(t.Context(), history), unread: map[string][]string{}, last: map[string]node.Key{}}
}

// look takes in what was told.
func (s *reader) look() {
	for {
		select {
		case list := <-s.events:
			for _, e := range list {
				switch e := e.(type) {
				case node.Said:
					s.all++
					if !e.Mine {
						s.last[e.Room] = e.Key
					}
					if e.Unread {
						s.unread[e.Room] = append(s.unread[e.Room], e.Text)
					}
					if !e.History {
						s.live = append(s.live, e.Text)
					}
				case node.CaughtUp:
					s.caught = append(s.caught, true)
				case node.RealmChanged:
					s.caught = append(s.caught, false)
				}
			}
		case <-time.After(2 * time.Second): // there is nothing more, and what was read is on the disk
			return
		}
	}
}

// visit reads a room.
func (s *reader) visit(room string) {
	s.t.Helper()
	if err := s.Do(context.Background(), node.Seen{Room: room, Up: s.last[room]}); err != nil {
		s.t.Fatal(err)
	}
	delete(s.unread, room)
}

// want compares what is unread: rooms with their lines.
func (s *reader) want(rooms ...[]string) {
	s.t.Helper()
	s.look()
	want := map[string][]string{}
	for _, r := range rooms {
		want[r[0]] = r[1:]
	}
	if !maps.EqualFunc(s.unread, want, slices.Equal) {
		s.t.Errorf("%s has unread %q, want %q", s.Name, s.unread, want)
	}
}

// restart ends a process and starts it again on the profile it left: as it is on the disk when it is killed, or after a goodbye.
func restart(t *testing.T, lan *nodetest.LAN, i *instance.Instance, killed bool, c node.Config) *instance.Instance {
	t.Helper()
	if !killed {
		i.Stop()
		return instance.Start(t, lan, i.Name, c)
	}
	c.HostDir = t.TempDir()
	c.Dir = filepath.Join(c.HostDir, "profile")
	if err := os.CopyFS(c.Dir, os.DirFS(i.Dir())); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"identity.key", "keyring"} {
		if err := os.Chmod(filepath.Join(c.Dir, secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i.Crash()
	return instance.Start(t, lan, i.Name, c)
}

// What was unread at the end is unread at the next start, with what came meanwhile, and what was read is not.
func TestUnreadAfterRestart(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%v", killed), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "alice", "bob")
				alice, bob := readerOf(t, all[0], 500), all[1]
				instance.Meet(t, 3*time.Second, all...)
				holdsKeys(t, all[0], all[1])
				for _, i := range all {
					if err := i.Do(t.Context(), node.Join{Room: "#plans"}); err != nil {
						t.Fatal(err)
					}
				}
				bob.Say("in the lobby")
				for n := range 3 {
					say(t, bob, "#plans", fmt.Sprint("plan ", n))
				}
				say(t, bob, "@alice", "between us")
				alice.want([]string{"#lobby", "in the lobby"}, []string{"#plans", "plan 0", "plan 1", "plan 2"}, []string{"@bob", "between us"})
				alice.visit("#lobby")
				alice.Say("my own")
				alice.look()

				*alice = *readerOf(t, restart(t, lan, alice.Instance, killed, node.Config{}), 2) // what is unread is told in any case
				alice.want([]string{"#plans", "plan 0", "plan 1", "plan 2"}, []string{"@bob", "between us"})
				if len(alice.live) > 0 {
					t.Errorf("told as live: %q", alice.live)
				}
				again := readerOf(t, alice.Instance, 500)
				again.want([]string{"#plans", "plan 0", "plan 1", "plan 2"}, []string{"@bob", "between us"})
				if again.all != 6 {
					t.Errorf("%d lines were told, want each once", again.all)
				}
				alice.visit("#plans")
				alice.look()
				instance.Meet(t, 10*time.Second, alice.Instance, bob)
				*alice = *readerOf(t, restart(t, lan, alice.Instance, killed, node.Config{}), 500)
				say(t, bob, "#plans", "after that")
				instance.Meet(t, 20*time.Second, alice.Instance, bob)
				alice.want([]string{"#plans", "after that"}, []string{"@bob", "between us"})
				alice.visit("@bob")
				alice.visit("#plans")
				alice.look()
				*alice = *readerOf(t, restart(t, lan, alice.Instance, killed, node.Config{}), 500)
				alice.want()
			})
		})
	}
}

// What was said while this person was away is unread, in its order on disk or from the others, however much; own lines are not, nor those of a room that they join.
func TestUnreadFromBefore(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		alice, bob, carol := all[0], all[1], all[2]
		say(t, bob, "#plans", "nobody asked alice")
		bob.Say("hello")
		same(t, 2*time.Second, 1, all...)
		s := readerOf(t, alice, 500)
		s.look()
		s.visit(instance.Lobby)
		if err := alice.Do(t.Context(), node.Join{Room: "#plans"}); err != nil {
			t.Fatal(err)
		}
		s.want()
		alice.Stop()
		for n := range 100 {
			say(t, bob, "#plans", fmt.Sprint("plan ", n))
		}
		bob.Say("an answer")
		carol.Say("another")
		time.Sleep(5 * time.Second)
		s = readerOf(t, instance.Start(t, lan, "alice", node.Config{}), 500)
		instance.Meet(t, 10*time.Second, s.Instance, bob, carol)
		s.look()
		if n := len(s.unread["#plans"]); n != 100 || len(s.unread["#lobby"]) != 2 || len(s.unread) != 2 {
			t.Errorf("%d lines of #plans are unread; and %q", n, s.unread["#lobby"])
		}
		s.Stop()
		s = readerOf(t, instance.Start(t, lan, "alice", node.Config{}), 5)
		s.look()
		if n := len(s.unread["#plans"]); n != 100 || s.unread["#plans"][99] != "plan 99" {
			t.Errorf("%d lines of #plans are unread after another start, the last %q", n, s.unread["#plans"])
		}
	})
}

// What came late is unread after a restart also where much that was said after it has been read.
func TestLateIsUnreadAfterRestart(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		alice, bob, carol := readerOf(t, all[0], 500), all[1], all[2]
		instance.Meet(t, 3*time.Second, all...)
		lan.Split([]string{"alice", "bob"}, []string{"carol"})
		carol.Say("said apart")
		time.Sleep(10 * time.Second)
		for n := range 300 {
			bob.Say(fmt.Sprint("line ", n))
		}
		alice.look()
		alice.visit(instance.Lobby)
		lan.Join()
		instance.Meet(t, time.Minute, all...)
		alice.want([]string{instance.Lobby, "said apart"})
		*alice = *readerOf(t, restart(t, lan, alice.Instance, false, node.Config{}), 500)
		alice.want([]string{instance.Lobby, "said apart"})
		if alice.all != 301 {
			t.Errorf("%d lines were told, want each once", alice.all)
		}
	})
}

// A newcomer has missed nothing: what the others have of before is history, also where it is little and comes one by one, whoever is the hub, and whether or not another gathering was here before.
func TestNewcomer(t *testing.T) {
	for _, first := range []string{"newcomer", "office"} {
		t.Run(first, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				lan.Split([]string{"alice", "bob"}, []string{"newcomer", "friend"})
				office := start(t, lan, "alice", "bob")
				instance.Meet(t, 3*time.Second, office...)
				for n := range 10 {
					office[0].Say(fmt.Sprint("of the office ", n))
				}
				all := start(t, lan, "newcomer")
				if first == "newcomer" {
					all = append(all, start(t, lan, "friend")...)
					instance.Meet(t, 3*time.Second, all...)
					all[1].Say("at home")
				}
				s := readerOf(t, all[0], 500)
				s.look()
				if first == "newcomer" {
					all[1].Stop()
					unplug(all[0])
				}
				s.live = nil
				s.visit(instance.Lobby)
				lan.Join()
				if first == "newcomer" {
					plug(lan, all[0])
				}
				now := append(office, all[0])
				instance.Meet(t, 60*time.Second, now...)
				s.want()
				if len(s.live) > 0 {
					t.Errorf("told as live: %q", s.live)
				}
				if first == "newcomer" && !slices.Equal(s.caught, []bool{true, false, true}) {
					t.Errorf("caught up, another gathering: %v", s.caught)
				}
				office[0].Say("welcome")
				s.want([]string{instance.Lobby, "welcome"})
			})
		})
	}
}

// With another key it goes on: what was unread by the old one is, and what is said by the new one before this person has it.
func TestUnreadByAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		before, now := closedBy(t, oldKey), closedBy(t, newKey)
		begin := func(name string, c node.Config) *instance.Instance { return instance.Start(t, lan, name, c) }
		alice, bob := begin("alice", node.Config{Network: before}), begin("bob", node.Config{Network: before})
		instance.Meet(t, 10*time.Second, alice, bob)
		holdsKeys(t, alice, bob)
		bob.Say("by the old key")
		say(t, bob, "@alice", "between us")
		s := readerOf(t, alice, 500)
		s.want([]string{"#lobby", "by the old key"}, []string{"@bob", "between us"})
		alice.Stop()
		bob.Stop()
		by := node.Config{Network: now}
		by.Previous = append(by.Previous, before)
		bob = begin("bob", by)
		bob.Say("by the new key")
		time.Sleep(5 * time.Second)
		s = readerOf(t, begin("alice", by), 500)
		instance.Meet(t, 10*time.Second, s.Instance, bob)
		s.want([]string{"#lobby", "by the old key", "by the new key"}, []string{"@bob", "between us"})
		s.visit("#lobby")
		s.look()
		s.Stop()
		s = readerOf(t, begin("alice", by), 500)
		s.want([]string{"@bob", "between us"})
		s.visit("@bob")
		s.Stop()
		s = readerOf(t, begin("alice", by), 500)
		s.want()
	})
}

// Where no history is kept nothing is of how far it was read.
func TestUnreadWithoutHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{NoHistory: true})
		bob := instance.Start(t, lan, "bob", node.Config{})
		s := readerOf(t, alice, 500)
		instance.Meet(t, 3*time.Second, alice, bob)
		s.look()
		bob.Say("one")
		s.want([]string{instance.Lobby, "one"})
		s.Stop()
		s = readerOf(t, instance.Start(t, lan, "alice", node.Config{NoHistory: true}), 500)
		instance.Meet(t, 10*time.Second, s.Instance, bob)
		s.want()
		filepath.WalkDir(s.Dir(), func(path string, d os.DirEntry, err error) error {
			if strings.Contains(path, "history.db") {
				t.Errorf("there is %s", path)
			}
			return err
		})
	})
}
