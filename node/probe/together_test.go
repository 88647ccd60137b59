package probe_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
	"earshot/node/probe"
	"earshot/node/wire"
)

// A look at two of four shows all, also who came by hand, and nobody there hears of it.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		lan.Mute("far")
		hub := instance.Start(t, lan, "anna", node.Config{ServerOnly: true})
		instance.Until(t, time.Second, "anna serves", hub.Serving)
		bob := instance.Start(t, lan, "bob", node.Config{})
		carol := instance.Start(t, lan, "carol", node.Config{NeverHub: true})
		far := instance.Start(t, lan, "far", node.Config{Join: []string{address(lan, "anna", hub.Port())}})
		all := []*instance.Instance{hub, bob, carol, far}
		instance.Meet(t, 5*time.Second, all...)
		time.Sleep(6 * time.Second)
		before := len(bob.Events())
		list := probe.Together([]probe.Answer{look(t, lan, network(t, ""), address(lan, "carol", carol.Port())), look(t, lan, network(t, ""), address(lan, "anna", hub.Port())),
			look(t, lan, network(t, ""), address(lan, "bob", 1))})
		if len(list) != len(all) {
			t.Fatalf("%d are seen: %+v", len(list), list)
		}
		for k, i := range all {
			s := list[k]
			if s.Session != i.Session() || s.ID != i.ID() || s.Nick != i.Name || s.Hub != (i == hub) || s.LinkOnly != (i == far) || s.Answered != (i == hub || i == carol) || (s.Address == "") != (i == far) {
				t.Errorf("of %s: %+v", i.Name, s)
			}
			if want := map[*instance.Instance]uint8{hub: 2, bob: 1}[i]; s.Class != want {
				t.Errorf("%s is of class %d, want %d", i.Name, s.Class, want)
			}
			if s.Answered && s.With != hub.Session() {
				t.Errorf("%s is with %v", i.Name, s.With)
			}
		}
		if least, most := list[0].Followers(); list[0].Term == 0 || least != 2 || most != 3 {
			t.Errorf("the hub has %d to %d followers, term %d", least, most, list[0].Term)
		}
		time.Sleep(time.Minute)
		if n := len(bob.Events()); n != before {
			t.Errorf("bob was told of it: %+v", bob.Events()[before:])
		}
	})
}

// What peers claim of others is shown only as far as it can be, and their claims are in the order in which one of them stays.
func TestTogetherOfLiars(t *testing.T) {
	one, two, three := identity.Session{1}, identity.Session{2}, identity.Session{3}
	list := probe.Together([]probe.Answer{
		{Session: one, Nick: "one", Address: "10.0.0.1:1", View: wire.View{Here: []wire.Instance{{Session: one, Hub: true, Class: 1, Weight: 3, Term: 9}, {Session: two, Nick: "2", Term: 1},
			{Session: three, Address: "[fe80::1%\x1b[2J]:1", Class: 200, Hub: true, Weight: 255}}}, Hub: true},
		{Session: two, Nick: "two", Address: "10.0.0.2:1", Hub: true, Term: 5, Class: 2},
		{Session: identity.Session{4}, Refusal: probe.Silent},
	})
	if len(list) != 3 || list[0].Session != three || list[1].Session != two || list[2].Session != one {
		t.Fatalf("%+v", list)
	}
	if list[0].Address != "" || list[0].Nick != "?" || list[1].Nick != "two" || list[1].Term != 5 {
		t.Errorf("%+v", list)
	}
	if least, most := list[0].Followers(); least != 0 || most != math.MaxInt {
		t.Errorf("%d to %d followers", least, most)
	}
}

// Of an instance that answered at a link-local address the one is shown that it is reached by elsewhere, if it names one.
func TestTogetherAddress(t *testing.T) {
	const local, far = "[fe80::1%eth0]:1", "10.0.0.1:1"
	one := identity.Session{1}
	for _, c := range []struct{ answered, named, want string }{{local, far, far}, {local, "", local}, {local, "no address", local}, {"10.0.0.2:1", far, "10.0.0.2:1"}, {"anna.example:1", far, "anna.example:1"}} {
		list := probe.Together([]probe.Answer{{Session: one, Address: c.answered, View: wire.View{Here: []wire.Instance{{Session: one, Address: c.named}}}}})
		if got := list[0].Address; got != c.want {
			t.Errorf("answered at %s and says %q: %s, want %s", c.answered, c.named, got, c.want)
		}
	}
}
