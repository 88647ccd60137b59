package node_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// unplug and plug are what pulling a cable and putting it in somewhere do to a machine's addresses.
func unplug(i *instance.Instance) { i.Moved(nil) }

func plug(lan *nodetest.LAN, i *instance.Instance) { i.Moved([]netip.Addr{lan.Host(i.Name).IP()}) }

// A hub whose cable was touched goes on with its gathering, also when somebody new comes at that moment.
func TestReplugKeepsTheGathering(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "dave")
		instance.Meet(t, 3*time.Second, all...)
		all[2].Say("the office's history")
		same(t, 2*time.Second, 1, all...)
		all[2].Stop() // nobody is left who could say it anew
		all = all[:2]
		hub := instance.Meet(t, 8*time.Second, all...)
		follower := others(all, hub)[0]
		before := len(follower.Events())
		unplug(hub)
		plug(lan, hub)
		carol := instance.Start(t, lan, "carol", node.Config{})
		all = append(all, carol)
		instance.Meet(t, 15*time.Second, all...)
		same(t, 3*time.Second, 1, all...)
		for _, e := range follower.Events()[before:] {
			if h, ok := e.(node.HubChanged); ok {
				t.Errorf("%s saw %+v", follower.Name, h)
			}
		}
	})
}

// What is said while the own cable is out is told when it is in again, as what a cut-off side says is.
func TestSaidWhileUnplugged(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		for _, i := range all {
			i.Say(i.Name + " says: nobody is here yet")
		}
		instance.Meet(t, 3*time.Second, all...)
		all[0].Say("before")
		same(t, 2*time.Second, 4, all...)
		for i, away := range all {
			unplug(away)
			lan.Cut(away.Name)
			instance.Until(t, 10*time.Second, "it is alone", func() bool { return away.Serving() && len(away.Snapshot().People) == 1 })
			time.Sleep(10 * time.Second)
			away.Say(away.Name + " says: nobody hears me")
			time.Sleep(time.Second)
			lan.Heal(away.Name)
			plug(lan, away)
			instance.Meet(t, 15*time.Second, all...)
			same(t, 5*time.Second, 5+i, all...)
		}
	})
}

// Who took another nick goes by that when they are alone again, too.
func TestRenamedAndAlone(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob")
		bob := all[1]
		instance.Meet(t, 3*time.Second, all...)
		do(t, bob, node.Rename{Nick: "robert"})
		unplug(bob)
		lan.Cut("bob")
		instance.Until(t, 30*time.Second, "bob is alone", func() bool { return bob.Snapshot().Undecided })
		bob.Say("nobody hears me")
		time.Sleep(time.Second)
		lan.Heal("bob")
		plug(lan, bob)
		instance.Meet(t, 15*time.Second, all...)
		same(t, 5*time.Second, 1, all...)
		for _, i := range all {
			if got := i.Lines(instance.Lobby); !slices.Equal(got, []string{"robert: nobody hears me"}) {
				t.Errorf("%s shows %q", i.Name, got)
			}
		}
	})
}

// What was said here alone is told as said now, also to who reads it only when others were met; what they had said is not.
func TestSaidBeforeMeeting(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		const lines = 200 // more than wait for a reader
		bob := instance.Start(t, lan, "bob", node.Config{Rate: -1})
		events := bob.Node.Events(t.Context(), -1)
		lan.Cut("alice")
		alice := instance.Start(t, lan, "alice", node.Config{})
		time.Sleep(5 * time.Second) // each is caught up with itself
		alice.Say("elsewhere")
		for i := range lines {
			bob.Say(fmt.Sprint("alone ", i))
		}
		lan.Heal("alice")
		instance.Meet(t, 30*time.Second, bob, alice)
		time.Sleep(5 * time.Second)
		told := map[string]bool{}
		for len(told) < lines+1 {
			select {
			case list := <-events:
				for _, e := range list {
					if s, ok := e.(node.Said); ok {
						if told[s.Text] = true; s.History == s.Mine {
							t.Errorf("mine: %v, told as history: %v: %s", s.Mine, s.History, s.Text)
						}
					}
				}
			case <-time.After(time.Second):
				t.Fatalf("%d of %d lines are told", len(told), lines+1)
			}
		}
	})
}

// Who takes another IPv6 address of the network that they are in has not moved: what was said alone still waits for who comes.
func TestSaidBeforeAnotherAddress(t *testing.T) {
	for next, heard := range map[string]bool{"fd77::2": true, "fd78::1": false} {
		t.Run(next, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				here := lan.Host("bob").IP()
				bob := instance.Start(t, lan, "bob", node.Config{})
				bob.Moved([]netip.Addr{here, netip.MustParseAddr("fd77::1")})
				bob.Say("alone")
				time.Sleep(3 * time.Second)
				bob.Moved([]netip.Addr{here, netip.MustParseAddr(next), netip.MustParseAddr("fd77::1")})
				bob.Moved([]netip.Addr{here, netip.MustParseAddr(next)})
				bob.Say("later")
				carol := instance.Start(t, lan, "carol", node.Config{})
				instance.Meet(t, 10*time.Second, bob, carol)
				time.Sleep(5 * time.Second)
				if got := carol.Lines(instance.Lobby); slices.Contains(got, "bob: alone") != heard || !slices.Contains(got, "bob: later") {
					t.Errorf("carol has %q", got)
				}
			})
		})
	}
}

// A laptop that is carried from the office to a café while earshot runs tells nobody there what was said in the office, whoever is the hub.
func TestCarriedToACafe(t *testing.T) {
	for _, first := range []string{"laptop", "stranger"} {
		t.Run(first, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				office := start(t, lan, "laptop", "desk")
				instance.Meet(t, 3*time.Second, office...)
				laptop := office[0]
				laptop.Say("the office's secret")
				office[1].Say("the desk's secret")
				same(t, 2*time.Second, 2, office...)
				unplug(laptop)
				lan.Split([]string{"desk"}, []string{"laptop", "stranger"})
				time.Sleep(10 * time.Second)
				laptop.Say("a secret of the way")
				time.Sleep(time.Second)
				var stranger *instance.Instance
				if first == "stranger" {
					stranger = instance.Start(t, lan, "stranger", node.Config{})
					time.Sleep(2 * time.Second)
				}
				plug(lan, laptop)
				laptop.Say("is anybody here?")
				if stranger == nil {
					stranger = instance.Start(t, lan, "stranger", node.Config{})
				}
				instance.Meet(t, 30*time.Second, laptop, stranger)
				laptop.Say("hello café")
				instance.Until(t, 5*time.Second, "the stranger hears what is said there", func() bool {
					return len(stranger.Lines(instance.Lobby)) >= 2
				})
				time.Sleep(10 * time.Second)
				for _, l := range stranger.Lines(instance.Lobby) {
					if strings.Contains(l, "secret") {
						t.Errorf("the stranger has %q", l)
					}
				}
			})
		})
	}
}

// What is said alone at home, between two days at the office, is not for the office.
func TestSaidAtHome(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		office := start(t, lan, "laptop", "desk")
		instance.Meet(t, 3*time.Second, office...)
		laptop := office[0]
		laptop.Say("see you tomorrow")
		same(t, 2*time.Second, 1, office...)
		unplug(laptop)
		lan.Cut("laptop")
		instance.Until(t, 10*time.Second, "it is alone", laptop.Serving)
		laptop.Moved([]netip.Addr{netip.MustParseAddr("192.168.7.7")})
		time.Sleep(10 * time.Second)
		laptop.Say("a secret of home")
		time.Sleep(time.Second)
		unplug(laptop)
		time.Sleep(10 * time.Second)
		lan.Heal("laptop")
		plug(lan, laptop)
		laptop.Say("good morning")
		instance.Meet(t, 15*time.Second, office...)
		instance.Until(t, 5*time.Second, "the desk hears what is said at the office", func() bool { return len(office[1].Lines(instance.Lobby)) >= 2 })
		time.Sleep(5 * time.Second)
		for _, l := range office[1].Lines(instance.Lobby) {
			if strings.Contains(l, "secret") {
				t.Errorf("the desk has %q", l)
			}
		}
	})
}

// What one said at the office before anybody came is changed there, too, where that is done at home.
func TestChangedAtHome(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		laptop := start(t, lan, "laptop")[0]
		for _, text := range []string{"wrong words", "rash"} {
			laptop.Say(text)
		}
		time.Sleep(time.Second)
		desk := start(t, lan, "desk")[0]
		instance.Meet(t, 5*time.Second, laptop, desk)
		same(t, 2*time.Second, 2, laptop, desk)
		unplug(laptop)
		lan.Cut("laptop")
		instance.Until(t, 10*time.Second, "it is alone", laptop.Serving)
		laptop.Moved([]netip.Addr{netip.MustParseAddr("192.168.7.7")})
		time.Sleep(10 * time.Second)
		do(t, laptop, node.Edit{Target: find(t, laptop, "wrong words"), Text: "right words"})
		do(t, laptop, node.React{Target: find(t, laptop, "right words"), Emoji: "👍"})
		do(t, laptop, node.Redact{Target: find(t, laptop, "rash")})
		time.Sleep(time.Second)
		unplug(laptop)
		time.Sleep(10 * time.Second)
		lan.Heal("laptop")
		plug(lan, laptop)
		instance.Meet(t, 15*time.Second, laptop, desk)
		time.Sleep(5 * time.Second)
		want := []string{"laptop: right words", "laptop: "}
		for _, i := range []*instance.Instance{laptop, desk} {
			if lines := i.Lines(instance.Lobby); !slices.Equal(lines, want) {
				t.Errorf("%s shows %q", i.Name, lines)
			}
			if page, err := i.Page(instance.Lobby, node.Key{}, 2); err != nil || len(page[0].Reactions) != 1 || page[0].Reactions[0].Count != 1 {
				t.Errorf("%s shows %+v, %v", i.Name, page, err)
			}
		}
		do(t, laptop, node.Redact{Target: find(t, laptop, "right words")})
		time.Sleep(5 * time.Minute)
		for _, text := range []string{"wrong words", "right words"} {
			if in := onDisks(t, text, laptop, desk); len(in) > 0 {
				t.Errorf("%q is in %q", text, in)
			}
		}
	})
}

// Of a gathering entered so much is told as was asked for, its newest, and what was said here alone as said now.
func TestEnteredWithHistory(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		const lines = 30
		alice, bob := instance.Start(t, lan, "alice", node.Config{Rate: -1}), instance.Start(t, lan, "bob", node.Config{Rate: -1})
		instance.Meet(t, 3*time.Second, alice, bob)
		for i := range lines {
			alice.Say(fmt.Sprint("at home ", i))
		}
		same(t, 3*time.Second, lines, alice, bob)
		bob.Stop()
		lan.Split([]string{"alice"}, []string{"bob", "carol"})
		bob = instance.Start(t, lan, "bob", node.Config{Rate: -1})
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, bob, carol) // in a gathering of their own, the one that bob left last
		carol.Say("elsewhere")
		instance.Until(t, 3*time.Second, "bob has it", func() bool { return len(bob.Lines(instance.Lobby)) > 0 })
		bob.Stop()
		carol.Stop()
		lan.Join()
		lan.Cut("bob")
		bob = instance.Start(t, lan, "bob", node.Config{Rate: -1})
		asked := []int{0, 5, 1000, -1}
		heard := make([][]node.Event, len(asked))
		var reading sync.WaitGroup
		for i, history := range asked {
			events := bob.Node.Events(t.Context(), history)
			reading.Go(func() { heard[i] = until(events, "welcome back") })
		}
		bob.Say("alone")
		lan.Heal("bob")
		instance.Meet(t, 30*time.Second, alice, bob)
		time.Sleep(5 * time.Second)
		alice.Say("welcome back")
		reading.Wait()
		for i, history := range asked {
			var told []string
			for _, e := range heard[i] {
				s, ok := e.(node.Said)
				if !ok {
					continue
				}
				if now := s.Text == "alone" || s.Text == "welcome back"; s.History == now {
					t.Errorf("history %d: %q is told as history: %v", history, s.Text, s.History)
				}
				if !strings.HasPrefix(s.Text, "elsewhere") {
					told = append(told, s.Text)
				}
			}
			var want []string
			for i := range lines {
				if history < 0 || i > lines-history { // "alone" is one of the newest
					want = append(want, fmt.Sprint("at home ", i))
				}
			}
			want = append(want, "alone", "welcome back")
			slices.Sort(want)
			slices.Sort(told)
			if !slices.Equal(told, want) {
				t.Errorf("history %d: told %q", history, told)
			}
		}
	})
}

// until returns what is told until a line with this text is.
func until(events <-chan []node.Event, text string) (out []node.Event) {
	for list := range events {
		for _, e := range list {
			out = append(out, e)
			if s, ok := e.(node.Said); ok && s.Text == text {
				return out
			}
		}
	}
	return out
}

// The newest lines of the history are messages, however much was said about them since: in a chat, on a box, and of a time before the network had another key.
func TestHistoryWithoutReactions(t *testing.T) {
	before, now := closedBy(t, oldKey), closedBy(t, newKey)
	for name, c := range map[string]node.Config{"chat": {Network: before}, "box": {Network: before, ServerOnly: true}, "past": {Network: now, Previous: []*identity.Network{before}}} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				alice := instance.Start(t, lan, "alice", node.Config{Network: before, Rate: -1})
				for _, text := range []string{"one", "two", "three"} {
					alice.Say(text)
				}
				for range 20 {
					do(t, alice, node.React{Target: find(t, alice, "three"), Emoji: "👍"})
				}
				do(t, alice, node.Edit{Target: find(t, alice, "one"), Text: "once"})
				alice.Stop()
				alice = instance.Start(t, lan, "alice", c)
				var told []string
				for caughtUp, events := false, alice.Node.Events(t.Context(), 2); !caughtUp; {
					for _, e := range <-events {
						switch e := e.(type) {
						case node.Said:
							told = append(told, e.Text)
						case node.CaughtUp:
							caughtUp = true
						}
					}
				}
				if want := []string{"two", "three"}; !slices.Equal(told, want) {
					t.Errorf("told %q, want %q", told, want)
				}
			})
		})
	}
}

// Who comes to a hub whose machine may be in another place waits until it knows, and makes no hub of their own meanwhile. A closed network is the same in all places.
func TestComeWhileItIsUnsure(t *testing.T) {
	for _, tc := range []struct {
		name         string
		network      *identity.Network
		after, takes time.Duration
	}{
		{"at once", nil, 0, 7 * time.Second},
		{"a moment later, and again when it has given up once", nil, 100 * time.Millisecond, 7 * time.Second},
		{"later", nil, 4 * time.Second, 3 * time.Second},
		{"closed", closedBy(t, newKey), 0, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				c := node.Config{Network: tc.network}
				all := []*instance.Instance{instance.Start(t, lan, "alice", c), instance.Start(t, lan, "bob", c)}
				hub := instance.Meet(t, 3*time.Second, all...)
				time.Sleep(3 * time.Second)
				hub.Moved([]netip.Addr{netip.MustParseAddr("10.0.0.200")})
				time.Sleep(tc.after)
				carol := instance.Start(t, lan, "carol", c)
				gather(t, "carol is there", tc.takes, append(all, carol)...)
				time.Sleep(time.Second)
				if linked, lost := moves(carol, 0); linked != 1 || lost != 0 {
					t.Errorf("carol was at %d hubs, and lost %d", linked, lost)
				}
				for _, e := range hub.Events() {
					if p, ok := e.(node.PeerChanged); ok && p.State == node.Left {
						t.Errorf("%s is told %+v", hub.Name, p)
					}
				}
			})
		})
	}
}
