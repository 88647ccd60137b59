package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/wire"
)

// guest links to a hub as the person called name, who says to be nick.
func guest(t *testing.T, lan *nodetest.LAN, to *instance.Instance, name, nick string) *frames.Peer {
	t.Helper()
	p := frames.Dial(t, lan, name, frames.Identity(t, name), address(lan, to))
	p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Nick: nick, Session: identity.NewSession()})
	p.Await(time.Second, wire.TypeHello, new(wire.Hello))
	return p
}

// seen is how a node shows someone who is here; empty: not at all.
func seen(i *instance.Instance, id identity.PeerID) node.Person {
	for _, p := range i.Snapshot().People {
		if p.ID == id {
			return p
		}
	}
	return node.Person{}
}

// sees waits until a node shows someone by that nick.
func sees(t *testing.T, i *instance.Instance, id identity.PeerID, nick string) {
	t.Helper()
	instance.Until(t, 2*time.Second, i.Name+" sees "+nick, func() bool { return seen(i, id).Nick == nick })
}

// warnings are the notices of nicks that are another's.
func warnings(i *instance.Instance) (out []string) {
	for _, e := range i.Events() {
		if n, ok := e.(node.Notice); ok && strings.Contains(n.Hint, "/whois") {
			out = append(out, n.Text)
		}
	}
	return out
}

// Who takes a nick that is known under another key, that looks like one, or that the program speaks by, has the tag of their key behind it and one warning that stays: also while the person they
// would pass for is away, after a restart, and however often they change it.
func TestImpostor(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := alone(t, lan, "bob")
		alice := instance.Start(t, lan, "alice", node.Config{Join: []string{address(lan, bob)}})
		instance.Meet(t, 3*time.Second, alice, bob)
		alice.Say("it is me")
		same(t, time.Second, 1, alice, bob)
		alice.Stop()
		time.Sleep(time.Hour)

		id := frames.Identity(t, "mallory").ID()
		tag := "~" + id.Tag()
		for _, nick := range []string{"alice", "Alice", "аlісе", "bob", "hub", "everyone", "ｅａｒｓｈｏｔ"} {
			p := guest(t, lan, bob, "mallory", nick)
			instance.Until(t, 2*time.Second, nick+" has a tag", func() bool {
				q := seen(bob, id)
				return strings.HasSuffix(q.Nick, tag) && q.Warning != ""
			})
			p.Hangup()
			instance.Until(t, 2*time.Second, "mallory left", func() bool { return seen(bob, id).Nick == "" })
		}
		if w := warnings(bob); len(w) != 5 { // once each, however it is written
			t.Errorf("%d warnings: %q", len(w), w)
		}

		bob.Stop()
		bob = alone(t, lan, "bob")
		p := guest(t, lan, bob, "mallory", "alice")
		sees(t, bob, id, "alice"+tag)
		if w := seen(bob, id).Warning; !strings.Contains(w, alice.ID().Fingerprint()) {
			t.Errorf("the warning is %q", w)
		}
		alice = instance.Start(t, lan, "alice", node.Config{Join: []string{address(lan, bob)}})
		sees(t, bob, alice.ID(), "alice")
		for range 20 { // back and forth, as fast as it goes
			for _, nick := range []string{"zoe", "alice", "аlice"} {
				p.Send(wire.TypeNote, &wire.Note{Nick: nick})
				time.Sleep(27 * time.Millisecond)
			}
		}
		p.Send(wire.TypeNote, &wire.Note{Nick: "alice"})
		time.Sleep(time.Second)
		sees(t, bob, id, "alice"+tag)
		sees(t, bob, alice.ID(), "alice")
		for _, e := range bob.Events() {
			if r, ok := e.(node.Renamed); ok && (r.ID == alice.ID() || r.ID == id && r.New != "zoe" && !strings.HasSuffix(r.New, tag)) {
				t.Errorf("told %+v", r)
			}
			if j, ok := e.(node.PeerChanged); ok && j.ID == id && !strings.HasSuffix(j.Nick, tag) && j.State == node.Joined {
				t.Errorf("told %+v", j)
			}
		}
		if w := warnings(bob); len(w) != 1 { // since the restart: of hub and the rest it was warned before
			t.Errorf("%d warnings: %q", len(w), w)
		}
		// The nick alone means neither; what tells them apart is said.
		_, err := bob.Whois("alice")
		if e := (*node.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Hint, "alice"+tag+" (here") || !strings.Contains(e.Hint, "alice~"+alice.ID().Tag()+" (here") {
			t.Errorf("%v: %+v", err, err)
		}
		if w, err := bob.Whois("@alice" + tag); err != nil || w.ID != id || w.Gone || !slices.Contains(w.Nicks, "zoe") {
			t.Errorf("%+v, %v", w, err)
		}
		p.Send(wire.TypeNote, &wire.Note{Nick: "zoe"})
		instance.Until(t, time.Second, "mallory is zoe again", func() bool { return seen(bob, id).Nick == "zoe" })
		if w, err := bob.Whois("alice"); err != nil || w.ID != alice.ID() { // who is shown so
			t.Errorf("%+v, %v", w, err)
		}
		p.Hangup()
		instance.Until(t, 10*time.Second, "mallory left", func() bool { return seen(bob, id).Nick == "" })
		if w, err := bob.Whois("ALICE"); err != nil || w.ID != alice.ID() || w.Warning != "" { // the other is away, and never had it first
			t.Errorf("%+v, %v", w, err)
		}
	})
}

// Two who come at once by one nick both have a tag, until one is verified; the sign is on what that one said too, and outlasts a restart.
func TestVerify(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := alone(t, lan, "bob")
		one, two := frames.Identity(t, "one").ID(), frames.Identity(t, "two").ID()
		guest(t, lan, bob, "one", "alice")
		guest(t, lan, bob, "two", "alice")
		sees(t, bob, one, "alice~"+one.Tag())
		sees(t, bob, two, "alice~"+two.Tag())
		refused(t, bob, node.Verify{Person: "alice", Fingerprint: one.Fingerprint()}, "2 people go by alice, or by a nick that looks like it")
		refused(t, bob, node.Verify{Person: "alicia", Fingerprint: one.Fingerprint()}, "nobody here, or met here, is called alicia")
		refused(t, bob, node.Verify{Person: "bob", Fingerprint: bob.ID().Fingerprint()}, "that is you")
		name := "alice~" + strings.ToLower(one.Tag())
		for typed, want := range map[string]string{
			"":                     "which fingerprint did alice~" + one.Tag() + " read to you?",
			one.Fingerprint()[:24]: "that is no fingerprint",
			two.Fingerprint():      "that is not the fingerprint of alice~" + one.Tag() + " here",
			"earshot:verify:00000000000000000000000000000000:" + one.Fingerprint(): "that code is of another network",
		} {
			refused(t, bob, node.Verify{Person: name, Fingerprint: typed}, want)
		}
		if p := seen(bob, one); p.Verified {
			t.Error("verified by nothing")
		}
		do(t, bob, node.Verify{Person: name, Fingerprint: strings.ToLower(strings.ReplaceAll(one.Fingerprint(), "-", " "))})
		sees(t, bob, one, "alice")
		sees(t, bob, two, "alice~"+two.Tag())
		if p := seen(bob, two); p.Verified || !strings.Contains(p.Warning, "whom you have verified") {
			t.Errorf("%+v", p)
		}
		instance.Until(t, time.Second, "that is told", func() bool {
			return slices.ContainsFunc(bob.Events(), func(e node.Event) bool {
				m, ok := e.(node.Marked)
				return ok && m.ID == one && m.Verified && !m.Ignored
			})
		})
		w, err := bob.Whois(two.Fingerprint())
		if err != nil {
			t.Fatal(err)
		}
		do(t, bob, node.Verify{Person: w.Code, Fingerprint: w.Code}) // scanned
		do(t, bob, node.Unverify{Person: two.Fingerprint()})
		bob.Stop()

		bob = alone(t, lan, "bob")
		carol := instance.Start(t, lan, "carol", node.Config{Join: []string{address(lan, bob)}})
		instance.Meet(t, 3*time.Second, bob, carol)
		guest(t, lan, bob, "one", "alice")
		sees(t, bob, one, "alice")
		if w, err := bob.Whois("alice"); err != nil || !w.Verified || w.Gone || w.Machines != 1 {
			t.Errorf("%+v, %v", w, err)
		}
		do(t, bob, node.Verify{Person: "carol", Fingerprint: carol.ID().Fingerprint()})
		carol.Say("it is me")
		same(t, time.Second, 1, bob, carol)
		page, err := bob.Page(instance.Lobby, node.Key{}, 10)
		if err != nil || !page[0].Verified {
			t.Errorf("%+v, %v", page, err)
		}
		carol.Stop()
		instance.Until(t, 10*time.Second, "carol left", func() bool { return seen(bob, carol.ID()).Nick == "" })
		if w, err := bob.Whois("Carol"); err != nil || w.ID != carol.ID() || !w.Gone || !w.Verified || w.First.IsZero() {
			t.Errorf("%+v, %v", w, err)
		}
		_, err = bob.Whois("carrol")
		if e := (*node.Error)(nil); !errors.As(err, &e) || e.Hint != "did you mean carol?" {
			t.Errorf("%v: %+v", err, err)
		}
	})
}

// The hub is shown by the nick that it has now, with the tag where that is another's first, and is no other hub for it.
func TestHubRenamed(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		hub := at(all...)
		others := others(all, hub)
		time.Sleep(time.Minute)
		since := map[*instance.Instance]time.Time{}
		from := map[*instance.Instance]int{}
		for _, i := range all {
			since[i], from[i] = i.Snapshot().Since, len(i.Events())
		}
		tag := "~" + hub.ID().Tag()
		for _, as := range []struct{ nick, told string }{{"chief", "chief"}, {others[0].Name, others[0].Name + tag}} {
			do(t, hub, node.Rename{Nick: as.nick})
			for _, i := range others {
				sees(t, i, hub.ID(), as.told)
				if s := i.Snapshot(); s.Hub.Hub != as.told || i.Hub().Hub != as.told {
					t.Errorf("at %s the hub is %q, and shown as %q", i.Name, s.Hub.Hub, as.told)
				}
			}
			if s := hub.Snapshot(); s.Hub.Hub != as.nick {
				t.Errorf("the hub, %q, calls itself %q", as.nick, s.Hub.Hub)
			}
		}
		time.Sleep(time.Second)
		for _, i := range all {
			if s := i.Snapshot(); !s.Since.Equal(since[i]) {
				t.Errorf("at %s it is the hub since %v, once %v", i.Name, s.Since, since[i])
			}
			for _, e := range i.Events()[from[i]:] {
				if e, ok := e.(node.HubChanged); ok {
					t.Errorf("%s was told %+v", i.Name, e)
				}
			}
		}
	})
}

// Of who is ignored nothing is shown, whatever they call themselves and also after a restart: no line, no reaction, no typing, no coming and going. The others hear them, and so does
// this one again when they no longer are.
func TestIgnore(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		instance.Meet(t, 3*time.Second, all...)
		alice, bob, carol := all[0], all[1], all[2]
		bob.Say("before")
		same(t, time.Second, 1, all...)
		time.Sleep(time.Second)
		alice.Say("a question")
		same(t, time.Second, 2, all...)
		do(t, alice, node.Ignore{Person: "@bob"})
		instance.Until(t, time.Second, "that is told", func() bool {
			return slices.ContainsFunc(alice.Events(), func(e node.Event) bool {
				m, ok := e.(node.Marked)
				return ok && m.ID == bob.ID() && m.Nick == "bob" && m.Ignored
			})
		})
		from := len(alice.Events())
		do(t, bob, node.Typing{Room: instance.Lobby})
		page, err := bob.Page(instance.Lobby, node.Key{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			do(t, bob, node.React{Target: page[i].Ref(), Emoji: "👍"})
		}
		do(t, bob, node.Edit{Target: page[0].Ref(), Text: "changed"})
		do(t, bob, node.SetTopic{Room: instance.Lobby, Text: "shouting"})
		time.Sleep(time.Second)
		do(t, bob, node.Rename{Nick: "robert"})
		do(t, bob, node.SetAway{Away: true})
		bob.Say("after")
		same(t, time.Second, 4, bob, carol)
		time.Sleep(time.Second)
		quiet := func() {
			t.Helper()
			for _, e := range alice.Events()[from:] {
				switch e := e.(type) {
				case node.Delivered, node.CaughtUp, node.Ready, node.HubChanged:
				case node.PeerChanged:
					if e.ID == bob.ID() || e.Peers > 2 {
						t.Errorf("alice was told %+v", e)
					}
				case node.Said:
					if e.Author == bob.ID() || len(e.Reactions) > 0 {
						t.Errorf("alice was told %+v", e)
					}
				default:
					t.Errorf("alice was told %T%+v", e, e)
				}
			}
			s := alice.Snapshot()
			if lines := alice.Lines(instance.Lobby); !slices.Equal(lines, []string{"alice: a question"}) {
				t.Errorf("alice sees %q", lines)
			}
			if found, err := alice.Search(context.Background(), "after", 0, 10); err != nil || len(found.Hits) > 0 {
				t.Errorf("alice finds %+v, %v", found.Hits, err)
			}
			if len(s.People) != 2 || len(s.Typing) > 0 || len(s.Ignored) != 1 || s.Ignored[0].ID != bob.ID() || s.Ignored[0].Gone {
				t.Errorf("%+v, typing %v, ignored %+v", s.People, s.Typing, s.Ignored)
			}
		}
		quiet()
		alice.Stop()
		for words, n := range map[string]int{"after": 0, "question": 1} {
			if got := onDisk(t, alice.Dir(), words, ""); len(got) != n {
				t.Errorf("%q is found on the disk %d times", words, len(got))
			}
		}
		from = 0
		alice = instance.Start(t, lan, "alice", node.Config{})
		instance.Until(t, 10*time.Second, "alice is back", func() bool {
			return alice.Snapshot().Hub.Hub != "" && len(bob.Snapshot().People) == 3 && len(alice.Snapshot().Ignored) == 1 && !alice.Snapshot().Ignored[0].Gone
		})
		bob.Say("and again")
		same(t, time.Second, 5, bob, carol)
		time.Sleep(time.Second)
		quiet()
		refused(t, alice, node.Ignore{Person: "alice"}, "that is you")
		do(t, alice, node.Unignore{Person: "robert"})
		same(t, time.Second, 5, bob, carol)
		if a, b := alice.Lines(instance.Lobby), bob.Lines(instance.Lobby); !slices.Equal(a, b) {
			t.Errorf("then alice sees %q, bob %q", a, b)
		}
		if s := alice.Snapshot(); len(s.People) != 3 || len(s.Ignored) > 0 {
			t.Errorf("%+v, ignored %+v", s.People, s.Ignored)
		}
		bob.Say("thanks")
		instance.Until(t, time.Second, "alice hears bob", func() bool {
			return slices.Equal(alice.Heard(instance.Lobby)[len(alice.Heard(instance.Lobby))-1:], []string{"thanks"})
		})
	})
}
