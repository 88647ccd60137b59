package node_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/wire"
)

// alone starts a node that finds nobody.
func alone(t *testing.T, lan *nodetest.LAN, name string, join ...string) *instance.Instance {
	t.Helper()
	lan.Mute(name)
	i := instance.Start(t, lan, name, node.Config{Join: join})
	if len(join) == 0 {
		instance.Until(t, time.Second, name+" serves", i.Serving)
	}
	return i
}

// shows fails unless these lines are on a node's screen, told once each and no others, however it is asked.
func shows(t *testing.T, i *instance.Instance, texts ...string) {
	t.Helper()
	slices.Sort(texts)
	var page []string
	lines, err := i.Page(instance.Lobby, node.Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range lines {
		page = append(page, m.Text)
	}
	slices.Sort(page)
	if !slices.Equal(page, texts) {
		t.Errorf("%s shows %q, want %q", i.Name, page, texts)
	}
	if heard := slices.Sorted(slices.Values(i.Heard(instance.Lobby))); !slices.Equal(heard, texts) {
		t.Errorf("%s was told %q, want %q", i.Name, heard, texts)
	}
}

// call dials a node as mallory with that HELLO, and returns its HELLO and its STATE.
func call(t *testing.T, lan *nodetest.LAN, to *instance.Instance, h wire.Hello) (hello wire.Hello, state *wire.State) {
	t.Helper()
	p := frames.Dial(t, lan, "mallory", frames.Identity(t, "mallory"), address(lan, to))
	defer p.Hangup()
	h.Version, h.Class = wire.Version, 1
	p.Send(wire.TypeHello, &h)
	p.Await(time.Second, wire.TypeHello, &hello)
	state = new(wire.State)
	p.Await(time.Second, wire.TypeState, state)
	return hello, state
}

// A session is kept for its person while they are away, also by a hub that never had a link to them.
func TestSessionOfWhoIsAway(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "anna", "ben", "cleo", "dan")
		gather(t, "all are at one hub", 3*time.Second, all...)
		hub, away := at(all...), others(all, at(all...))[2]
		rest := others(others(all, hub), away)
		lan.Cut(away.Name)
		time.Sleep(2 * time.Minute)
		hub.Crash()
		next := gather(t, "the others have another hub", 3*time.Second, rest...)
		mallory := frames.Dial(t, lan, "mallory", frames.Identity(t, "mallory"), address(lan, next))
		mallory.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Session: away.Session()})
		if _, _, err := mallory.Next(time.Second); err == nil {
			t.Error("mallory is let in by the session of somebody who is away")
		}
		lan.Heal(away.Name)
		gather(t, "who was away is back", 5*time.Second, append(rest, away)...)
	})
}

// Realm tags that were heard from one person do not open the realm to another who repeats them, session and all.
func TestTagsOfAnother(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := alone(t, lan, "alice")
		bob := instance.Start(t, lan, "bob", node.Config{Join: []string{address(lan, alice)}})
		instance.Meet(t, 3*time.Second, alice, bob)
		bob.Say("the office's secret")
		same(t, time.Second, 1, alice, bob)
		office := alice.Snapshot().Realms[0].ID
		for _, i := range []*instance.Instance{bob, alice} {
			i.Stop()
		}
		bob = alone(t, lan, "bob") // somewhere else, with nobody
		heard, state := call(t, lan, bob, wire.Hello{Session: identity.NewSession()})
		if len(heard.Tags) == 0 {
			t.Fatal("bob shows no tags")
		}
		bob.Stop()
		alice = alone(t, lan, "alice")
		_, opened := call(t, lan, alice, wire.Hello{Session: heard.Session, Tags: heard.Tags})
		for _, s := range []*wire.State{state, opened} {
			if got := fmt.Sprintf("%x", s.Realm[:4]); got == office {
				t.Errorf("mallory is let into realm %s, the office's", got)
			}
		}
	})
}

// What was typed while nobody was there stays on the own screen, once: after a restart, and when a realm is entered then, where others see it too.
func TestSaidAloneStays(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := alone(t, lan, "bob")
		bob.Say("is anybody there?")
		shown := func(texts ...string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			shows(t, bob, texts...)
		}
		shown("is anybody there?")
		bob.Stop()
		bob = alone(t, lan, "bob")
		shown("is anybody there?")
		bob.Say("still nobody")
		alice := alone(t, lan, "alice", address(lan, bob))
		instance.Meet(t, 3*time.Second, bob, alice)
		bob.Say("hello alice")
		shown("is anybody there?", "still nobody", "hello alice")
		shows(t, alice, "is anybody there?", "still nobody", "hello alice")
		bob.Stop()
		alice.Stop()
		bob = alone(t, lan, "bob")
		shown("is anybody there?", "still nobody", "hello alice")
	})
}

// Back in a realm that is known after typing alone, nothing is told twice, and a nick chosen meanwhile is kept.
func TestBackAfterTypingAlone(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := alone(t, lan, "harry")
		at := address(lan, hub)
		far := alone(t, lan, "far", at)
		instance.Meet(t, 3*time.Second, hub, far)
		far.Say("one")
		same(t, time.Second, 1, hub, far)
		far.Stop()
		hub.Stop()
		far = alone(t, lan, "far", at)
		instance.Until(t, 3*time.Second, "far serves", far.Serving)
		far.Say("two, alone")
		if err := far.Do(context.Background(), node.Rename{Nick: "faraway"}); err != nil {
			t.Fatal(err)
		}
		far.Say("three, alone")
		time.Sleep(time.Second)
		hub = alone(t, lan, "harry")
		instance.Meet(t, 10*time.Second, hub, far)
		far.Say("four")
		same(t, 2*time.Second, 4, hub, far)
		for _, i := range []*instance.Instance{hub, far} {
			shows(t, i, "one", "two, alone", "three, alone", "four")
			if last := i.Lines(instance.Lobby)[3]; last != "faraway: four" {
				t.Errorf("%s shows %q", i.Name, last)
			}
		}
	})
}

// Two realms meet while everyone types: all show the same, and nobody is told anything twice, or not at all.
func TestRealmsMeetWhileTyping(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Split([]string{"a", "b"}, []string{"c", "d"})
		all := start(t, lan, "a", "b", "c", "d")
		instance.Meet(t, 5*time.Second, all[:2]...)
		instance.Meet(t, 5*time.Second, all[2:]...)
		var said []string
		say := func(rounds int, every time.Duration) {
			for range rounds {
				for _, i := range all {
					said = append(said, fmt.Sprint(i.Name, len(said)))
					i.Say(said[len(said)-1])
				}
				time.Sleep(every)
			}
		}
		say(5, 100*time.Millisecond)
		lan.Join()
		say(20, 250*time.Millisecond)
		instance.Meet(t, 20*time.Second, all...)
		say(1, 0)
		time.Sleep(5 * time.Second)
		for _, i := range all {
			shows(t, i, slices.Clone(said)...)
		}
	})
}

// What time it is according to one who calls holds at the hub only as long as that one is linked, and changes nothing of what was said; at a follower,
// not at all.
func TestCallersTime(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice := alone(t, lan, "alice")
		alice.Say("before")
		lie := func(to *instance.Instance) {
			p := frames.Dial(t, lan, "mallory", frames.Identity(t, "mallory"), address(lan, to))
			then := time.Now().AddDate(-2, 0, 0).UnixMilli()
			p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Net: then})
			p.Await(time.Second, wire.TypeHello, new(wire.Hello))
			p.Send(wire.TypeBeat, &wire.Beat{Clock: then, Net: then, Vouched: true})
			time.Sleep(2 * time.Second)
			p.Hangup()
			time.Sleep(time.Second)
		}
		lie(alice)
		alice.Say("after")
		bob := instance.Start(t, lan, "bob", node.Config{Join: []string{address(lan, alice)}})
		instance.Meet(t, 3*time.Second, alice, bob)
		lie(bob)
		bob.Say("at last")
		same(t, time.Second, 3, alice, bob)
		lines, err := alice.Page(instance.Lobby, node.Key{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range lines {
			if time.Since(m.At).Abs() > time.Minute {
				t.Errorf("%q is dated %v", m.Text, m.At)
			}
		}
	})
}

// Strangers who connect from many addresses and say nothing keep nobody who is here from the next hub.
func TestNextHubAmongStrangers(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var all []*instance.Instance
		for i := range 16 { // so many that not each has dialled each
			all = append(all, instance.Start(t, lan, fmt.Sprint("host", i), node.Config{}))
			time.Sleep(time.Second)
		}
		instance.Meet(t, 3*time.Second, all...)
		next := all[1]
		address := netip.AddrPortFrom(lan.Host(next.Name).IP(), uint16(next.Port())).String()
		for i := range 128 {
			stranger := lan.Host(fmt.Sprint("stranger", i)).Net()
			for range 4 {
				c, err := stranger.Dial(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
		}
		all[0].Crash()
		if hub := gather(t, "all are at the next hub", 2*time.Second, all[1:]...); hub != next {
			t.Errorf("%s is the hub", hub.Name)
		}
	})
}
