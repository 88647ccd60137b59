package node_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// found returns what is found, as "room nick: text" with the words in brackets, read n at a time.
func found(t *testing.T, search func(older int64) (node.Found, error)) (out []string) {
	t.Helper()
	for older := int64(0); ; {
		f, err := search(older)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range f.Hits {
			text, at := "", 0
			for _, s := range h.Spans {
				text += h.Text[at:s.Start] + "[" + h.Text[s.Start:s.End] + "]"
				at = s.End
			}
			out = append(out, h.Room+" "+h.Nick+": "+text+h.Text[at:])
		}
		if older = f.Older; older == 0 {
			return out
		}
	}
}

// Two people talk in two rooms, one of them was alone at first. Either finds all of it, in a room that was never joined as well; so does a look at the disk beside the process, and
// when it has ended.
func TestSearchStory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		alice.Say("Is a fox here?")
		bob := instance.Start(t, lan, "bob", node.Config{NoHistory: true})
		instance.Meet(t, 5*time.Second, alice, bob)
		for _, c := range []node.Command{node.Join{Room: "#build"}, node.Say{Room: "#build", Text: "build of FOXES"}, node.Say{Room: instance.Lobby, Text: "no"}} {
			if err := bob.Do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		same(t, 5*time.Second, 2, alice, bob)
		instance.Until(t, time.Second, "it is on alice's disk", func() bool {
			page, err := alice.Page("#build", node.Key{}, 9)
			return len(page) == 1 && err == nil
		})
		want := []string{"#build bob: build of [FOX]ES", "#lobby alice: Is a [fox] here?"}
		for _, i := range []*instance.Instance{alice, bob} {
			for _, n := range []int{1, 50} {
				if got := found(t, func(older int64) (node.Found, error) { return i.Search(t.Context(), "fox", older, n) }); !slices.Equal(got, want) {
					t.Errorf("%s finds %q", i.Name, got)
				}
			}
		}
		var e *node.Error
		if _, err := alice.Search(t.Context(), "before:tomorrow", 0, 9); !errors.As(err, &e) || e.Hint == "" || !strings.Contains(e.Text, "tomorrow") {
			t.Errorf("a day that is none: %v", err)
		}
		check := func() {
			t.Helper()
			if got := onDisk(t, alice.Dir(), "fox", ""); !slices.Equal(got, want) {
				t.Errorf("on the disk there is %q", got)
			}
			if got := onDisk(t, alice.Dir(), "fox", "#lobby"); !slices.Equal(got, want[1:]) {
				t.Errorf("in the lobby there is %q", got)
			}
		}
		check()
		alice.Stop()
		check()
		network, err := identity.NewNetwork(message.Lobby, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := node.OpenHistory(bob.Dir(), network); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is not kept: %v", err)
		}
	})
}

// A room is read from its first line to its last and back, page by page.
func TestPagesBothWays(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{Rate: -1})
		var want []string
		for i := range 95 {
			want = append(want, fmt.Sprint("line ", i))
			if err := alice.Do(t.Context(), node.Say{Room: instance.Lobby, Text: want[i]}); err != nil {
				t.Fatal(err)
			}
		}
		var down, up []string
		for k := (node.Key{}); ; {
			page, err := alice.After(instance.Lobby, k, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, m := range page {
				down = append(down, m.Text)
			}
			k = page[len(page)-1].Key
		}
		for k := (node.Key{}); ; {
			page, err := alice.Page(instance.Lobby, k, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, m := range slices.Backward(page) {
				up = append(up, m.Text)
			}
			k = page[0].Key
		}
		slices.Reverse(up)
		if !slices.Equal(down, want) || !slices.Equal(up, want) {
			t.Errorf("down %d lines, up %d", len(down), len(up))
		}
	})
}

// What was said alone and goes along to those who are met is found by what it says now, and not at all once it is deleted, wherever else on the disk it is still held.
func TestSearchAfterGoingAlong(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		alice.Say("the wolf is here")
		alice.Say("the bear is here")
		bob := instance.Start(t, lan, "bob", node.Config{})
		instance.Meet(t, 5*time.Second, alice, bob)
		same(t, 5*time.Second, 2, alice, bob)
		page, err := alice.Page(instance.Lobby, node.Key{}, 9)
		if err != nil || len(page) != 2 {
			t.Fatal(page, err)
		}
		for _, c := range []node.Command{node.Edit{Target: page[0].Ref(), Text: "the lamb is here"}, node.Redact{Target: page[1].Ref()}} {
			if err := alice.Do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		for words, want := range map[string][]string{"wolf": nil, "bear": nil, "lamb": {"#lobby alice: the [lamb] is here"}, "is here": {"#lobby alice: the lamb [is] [here]"}} {
			for _, n := range []int{1, 50} {
				if got := found(t, func(older int64) (node.Found, error) { return alice.Search(t.Context(), words, older, n) }); !slices.Equal(got, want) {
					t.Errorf("alice finds for %s %q", words, got)
				}
				if got := onDisk(t, alice.Dir(), words, ""); !slices.Equal(got, want) {
					t.Errorf("on the disk there is for %s %q", words, got)
				}
			}
		}
	})
}

// Of two who go by one nick what each said is found by the nick with its tag, as it is shown.
func TestSearchByTag(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := instance.Start(t, lan, "bob", node.Config{})
		one := instance.Start(t, lan, "one", node.Config{Nick: "alice"})
		two := instance.Start(t, lan, "two", node.Config{Nick: "alice"})
		instance.Meet(t, 5*time.Second, bob, one, two)
		one.Say("fox one")
		two.Say("fox two")
		instance.Until(t, 5*time.Second, "bob has both", func() bool { return len(bob.Lines(instance.Lobby)) == 2 })
		time.Sleep(5 * time.Second)
		for i, want := range map[*instance.Instance]string{one: "[fox] one", two: "[fox] two"} {
			query := "from:alice~" + i.ID().Tag() + " fox"
			for where, got := range map[string][]string{
				"here":        found(t, func(older int64) (node.Found, error) { return bob.Search(t.Context(), query, older, 1) }),
				"on the disk": onDisk(t, bob.Dir(), query, ""),
			} {
				if len(got) != 1 || !strings.HasSuffix(got[0], want) {
					t.Errorf("%s, %s: %q", where, query, got)
				}
			}
		}
		if got := found(t, func(older int64) (node.Found, error) { return bob.Search(t.Context(), "from:alice fox", older, 1) }); len(got) != 2 {
			t.Errorf("without a tag: %q", got)
		}
	})
}
