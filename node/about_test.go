package node_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
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

// views returns the lobby as it is shown, with what became of each message.
func views(t *testing.T, i *instance.Instance) (out []string) {
	t.Helper()
	page, err := i.Page(instance.Lobby, node.Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page {
		out = append(out, view(m))
	}
	return out
}

func view(m node.Message) string {
	s := m.Nick + ": " + m.Text
	if m.Quote.ID != (message.ID{}) {
		s += " re " + m.Quote.Nick + " " + m.Quote.Text
	}
	if m.Edited {
		s += " (edited)"
	}
	if m.Redacted {
		s += "(deleted)"
	}
	for _, r := range m.Reactions {
		s += fmt.Sprintf(" %s%d%v", r.Emoji, r.Count, map[bool]string{true: "!"}[r.Mine])
	}
	return s
}

// toldViews returns the lobby as what was told adds up to, in the order in which it was told first.
func toldViews(i *instance.Instance) (out []string) {
	var order []message.ID
	now := map[message.ID]node.Message{}
	for _, e := range i.Events() {
		switch e := e.(type) {
		case node.Said:
			order, now[e.ID] = append(order, e.ID), e.Message
		case node.Edited:
			now[e.ID] = e.Message
		case node.Redacted:
			now[e.ID] = e.Message
		case node.Reacted:
			now[e.ID] = e.Message
		case node.Withdrawn:
			order = slices.DeleteFunc(order, func(id message.ID) bool { return id == e.ID })
		}
	}
	slices.SortStableFunc(order, func(a, b message.ID) int {
		ka, kb := now[a].Key, now[b].Key
		return cmp.Or(cmp.Compare(ka.HLC, kb.HLC), bytes.Compare(ka.Log[:], kb.Log[:]))
	})
	for _, id := range order {
		m := now[id]
		if quoted, ok := now[m.Quote.ID]; ok { // it is told of the target alone
			m.Quote.Text = quoted.Text
		}
		out = append(out, view(m))
	}
	return out
}

// find waits until a message with that text is shown, and returns what names it.
func find(t *testing.T, i *instance.Instance, text string) (ref message.Ref) {
	t.Helper()
	instance.Until(t, 5*time.Second, i.Name+" shows "+text, func() bool {
		page, err := i.Page(instance.Lobby, node.Key{}, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			if m.Text == text {
				ref = m.Ref()
			}
		}
		return ref != message.Ref{}
	})
	return ref
}

func do(t *testing.T, i *instance.Instance, c node.Command) {
	t.Helper()
	if err := i.Do(context.Background(), c); err != nil {
		t.Errorf("%s does %+v: %v", i.Name, c, err)
	}
}

// refused checks that a command fails, and says how to go on or why.
func refused(t *testing.T, i *instance.Instance, c node.Command, text string) {
	t.Helper()
	if err := i.Do(context.Background(), c); err == nil || err.Error() != text {
		t.Errorf("%s does %+v: %v, want %q", i.Name, c, err, text)
	}
}

// show waits until all show these lines, and have been told so. Own reactions are marked with "!", which is left out here.
func show(t *testing.T, within time.Duration, all []*instance.Instance, want ...string) {
	t.Helper()
	plain := func(lines []string) []string {
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], "!", "")
		}
		return lines
	}
	end := time.Now().Add(within)
	for _, i := range all {
		for !slices.Equal(plain(views(t, i)), want) || !slices.Equal(plain(toldViews(i)), want) {
			if time.Now().After(end) {
				t.Fatalf("%s shows\n%q\nand was told\n%q\nwant\n%q", i.Name, plain(views(t, i)), plain(toldViews(i)), want)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func TestAboutMessages(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		alice, bob, carol := all[0], all[1], all[2]
		instance.Meet(t, 3*time.Second, all...)
		alice.Say("moring")
		ref := find(t, bob, "moring")
		do(t, bob, node.Reply{To: ref, Text: "hi"})
		do(t, carol, node.React{Target: ref, Emoji: "👍"})
		show(t, time.Second, all, "alice: moring 👍1", "bob: hi re alice moring")
		do(t, bob, node.React{Target: ref, Emoji: "👍"})
		do(t, alice, node.Edit{Target: find(t, alice, "moring"), Text: "morning"})
		show(t, time.Second, all, "alice: morning (edited) 👍2", "bob: hi re alice morning")
		do(t, carol, node.React{Target: ref, Emoji: "👍"}) // takes it back
		refused(t, bob, node.Edit{Target: ref, Text: "evil"}, "only alice can change that message")
		refused(t, bob, node.Redact{Target: ref}, "only alice can delete that message")
		refused(t, alice, node.Edit{Target: ref, Text: " "}, "nothing is left of that message")
		refused(t, alice, node.Edit{Target: message.Ref{Log: ref.Log, Seq: 9, ID: ref.ID}, Text: "x"}, "that message is not in this gathering")
		refused(t, carol, node.React{Target: ref, Emoji: "two words"}, `"two words" is no reaction`)
		show(t, time.Second, all, "alice: morning (edited) 👍1", "bob: hi re alice morning")
		do(t, alice, node.Redact{Target: ref})
		show(t, time.Second, all, "alice: (deleted)", "bob: hi re alice ")
		refused(t, carol, node.React{Target: ref, Emoji: "👍"}, "that message was deleted")
		do(t, bob, node.SetTopic{Room: instance.Lobby, Text: "the\nweather"})
		show(t, time.Second, all, "alice: (deleted)", "bob: hi re alice ", "bob: the weather")
		dave := instance.Start(t, lan, "dave", node.Config{})
		all = append(all, dave)
		instance.Meet(t, 3*time.Second, all...)
		show(t, 3*time.Second, all, "alice: (deleted)", "bob: hi re alice ", "bob: the weather")
		for _, i := range all {
			instance.Until(t, time.Second, "the topic is told", func() bool {
				return slices.ContainsFunc(i.Events(), func(e node.Event) bool {
					c, ok := e.(node.TopicChanged)
					return ok && c.Room == instance.Lobby && c.Text == "the weather" && c.Nick == "bob"
				})
			})
		}
		gone(t, "moring", all...)
	})
}

// gone checks that a text is on nobody's disk.
func gone(t *testing.T, text string, all ...*instance.Instance) {
	t.Helper()
	for _, i := range all {
		instance.Until(t, 5*time.Second, text+" is not on "+i.Name+"'s disk", func() bool { return len(onDisks(t, text, i)) == 0 })
	}
}

// What one person shows beside a message in thirty ways keeps nobody else's from being seen.
func TestReactionsOfOthers(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice, bob := instance.Start(t, lan, "alice", node.Config{Rate: -1}), instance.Start(t, lan, "bob", node.Config{Rate: -1})
		instance.Meet(t, 3*time.Second, alice, bob)
		alice.Say("x")
		ref := find(t, bob, "x")
		for i := range 30 {
			do(t, bob, node.React{Target: ref, Emoji: fmt.Sprint(10 + i)})
		}
		do(t, alice, node.React{Target: ref, Emoji: "👍"})
		want := "alice: x 101 111 121 131 141 👍1"
		for i := range 14 {
			want += fmt.Sprintf(" %d1", 15+i)
		}
		show(t, 3*time.Second, []*instance.Instance{alice, bob}, want)
	})
}

// A replica that was away has what is deleted meanwhile, until it comes back; edits of both sides of a partition meet.
func TestEditsMeet(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		alice, bob, carol := all[0], all[1], all[2]
		instance.Meet(t, 3*time.Second, all...)
		alice.Say("a secret")
		find(t, bob, "a secret")
		bob.Say("a question")
		secret, question := find(t, carol, "a secret"), find(t, carol, "a question")
		find(t, alice, "a question")
		carol.Stop()
		do(t, alice, node.Edit{Target: secret, Text: "a secret, still"})
		do(t, alice, node.Redact{Target: secret})
		show(t, time.Second, all[:2], "alice: (deleted)", "bob: a question")
		carol = instance.Start(t, lan, "carol", node.Config{})
		all[2] = carol
		instance.Meet(t, 5*time.Second, all...)
		show(t, 3*time.Second, all, "alice: (deleted)", "bob: a question")
		gone(t, "a secret", all...)

		lan.Cut("bob")
		instance.Until(t, 15*time.Second, "bob is alone", bob.Serving)
		instance.Meet(t, 15*time.Second, alice, carol)
		do(t, alice, node.React{Target: question, Emoji: "❓"})
		do(t, carol, node.Reply{To: question, Text: "what?"})
		do(t, bob, node.Edit{Target: question, Text: "a question, please"})
		do(t, bob, node.Redact{Target: question})
		show(t, time.Second, []*instance.Instance{alice, carol}, "alice: (deleted)", "bob: a question ❓1", "carol: what? re bob a question")
		lan.Heal("bob")
		instance.Meet(t, 15*time.Second, all...)
		show(t, 3*time.Second, all, "alice: (deleted)", "bob: (deleted)", "carol: what? re bob ")
		for _, i := range all {
			i.Stop()
		}
		gone(t, "a question", all...)
		again := instance.Start(t, lan, "alice", node.Config{})
		show(t, 3*time.Second, []*instance.Instance{again}, "alice: (deleted)", "bob: (deleted)", "carol: what? re bob ")
	})
}

// Of a line that was changed very often nothing stays on any disk when it is deleted, in the open and in a conversation.
func TestDeletedWithAllEdits(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{Rate: -1})
		bob := instance.Start(t, lan, "bob", node.Config{Rate: -1})
		instance.Meet(t, 5*time.Second, alice, bob)
		for room, times := range map[string]int{instance.Lobby: message.MaxRefs + 40, "@bob": 40} {
			secret := "secret of " + room
			do(t, alice, node.Say{Room: room, Text: secret})
			page, err := alice.Page(room, node.Key{}, 9)
			if err != nil || len(page) != 1 {
				t.Fatal(page, err)
			}
			for i := range times {
				do(t, alice, node.Edit{Target: page[0].Ref(), Text: fmt.Sprint(secret, " ", i)})
			}
			time.Sleep(5 * time.Second)
			if len(onDisks(t, secret, alice, bob)) == 0 {
				t.Fatal("the test does not find what is on the disks")
			}
			do(t, alice, node.Redact{Target: page[0].Ref()})
			time.Sleep(3 * time.Minute)
			if in := onDisks(t, secret, alice, bob); len(in) > 0 {
				t.Errorf("the %s is on the disks, in %q", secret, in)
			}
		}
	})
}

// Nor does what another instance of the author has changed it to, which had not heard that it is deleted: in the open, in a conversation, and in a room.
func TestDeletedBeforeItsEditComes(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		laptop := instance.Start(t, lan, "laptop", node.Config{Nick: "alice", Dir: sameIdentity(t, alice)})
		all := []*instance.Instance{alice, bob, laptop}
		linked(t, 5*time.Second, all...)
		holdsKeys(t, alice, bob)
		do(t, alice, node.NewRoom{Name: "plans"})
		joinPlans(t, alice, bob)
		rooms, first := []string{instance.Lobby, "@bob", "#plans"}, map[string]message.Ref{}
		for _, room := range rooms {
			do(t, alice, node.Say{Room: room, Text: "a secret"})
			instance.Until(t, 10*time.Second, "the laptop shows it in "+room, func() bool {
				page, err := laptop.Page(room, node.Key{}, 1)
				if err == nil && len(page) == 1 {
					first[room] = page[0].Ref()
				}
				return first[room] != message.Ref{}
			})
		}
		time.Sleep(2 * time.Minute)
		lan.Cut("laptop")
		instance.Until(t, 15*time.Second, "the laptop is alone", laptop.Serving)
		for _, room := range rooms {
			do(t, laptop, node.Edit{Target: first[room], Text: "another in " + room})
			do(t, alice, node.Redact{Target: first[room]})
		}
		time.Sleep(time.Second)
		lan.Heal("laptop")
		linked(t, 15*time.Second, all...)
		time.Sleep(time.Second)
		if in := onDisks(t, "another in ", bob); len(in) == 0 {
			t.Fatal("the test does not find what is on the disks")
		}
		time.Sleep(4 * time.Minute)
		for _, i := range all {
			if in := onDisks(t, "another in ", i); len(in) > 0 {
				t.Errorf("what was deleted is on the disks of %s, in %q", i.Name, in)
			}
		}
	})
}

// What was taken along into another realm and is deleted there is deleted in the store of the one that was left, too.
func TestDeletedWhereItWasLeft(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Split([]string{"alice", "bob"}, []string{"carol", "dave"})
		all := start(t, lan, "alice", "bob", "carol", "dave")
		instance.Meet(t, 5*time.Second, all[:2]...)
		instance.Meet(t, 5*time.Second, all[2:]...)
		authors := []*instance.Instance{all[0], all[2]} // one of them leaves the realm
		for _, i := range authors {
			i.Say("secret of " + i.Name)
			do(t, i, node.Edit{Target: find(t, i, "secret of "+i.Name), Text: "secret of " + i.Name + ", changed"})
		}
		time.Sleep(5 * time.Second)
		lan.Join()
		instance.Meet(t, 15*time.Second, all...)
		time.Sleep(2 * time.Minute)
		for _, i := range authors {
			do(t, i, node.Redact{Target: find(t, i, "secret of "+i.Name+", changed")})
		}
		time.Sleep(5 * time.Minute)
		for _, i := range authors {
			if in := onDisks(t, "secret of "+i.Name, i); len(in) > 0 {
				t.Errorf("the secret of %s is on its disk, in %q", i.Name, in)
			}
		}
	})
}

// onDisks are the files of instances that a text is in.
func onDisks(t *testing.T, text string, of ...*instance.Instance) (in []string) {
	t.Helper()
	for _, i := range of {
		in = append(in, disk.Find(t, i.Dir(), text)...)
	}
	return in
}
