package node_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/wire"
)

const year = 365 * 24 * time.Hour

// A wrongClock is that far off.
type wrongClock struct{ atomic.Int64 }

func (w *wrongClock) set(off time.Duration) { w.Store(int64(off)) }
func (w *wrongClock) now() time.Time        { return time.Now().Add(time.Duration(w.Load())) }

// notices are what i's user was told.
func notices(i *instance.Instance) (texts []string) {
	for _, e := range i.Events() {
		if n, ok := e.(node.Notice); ok {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// delivered fails unless what i said in this process, and shows, is on another disk too.
func delivered(t *testing.T, i *instance.Instance) {
	t.Helper()
	page, err := i.Page(instance.Lobby, node.Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page {
		if m.Mine && m.Copies == 1 {
			t.Errorf("%s: %q is on no other disk", i.Name, m.Text)
		}
	}
}

// Of two clocks a year apart nobody knows which is right: both people are told, once, and what the one says stands last.
func TestTwoClocksApart(t *testing.T) {
	for _, off := range []time.Duration{year, -year} {
		for _, neverHub := range []bool{false, true} {
			t.Run(fmt.Sprint(off, neverHub), func(t *testing.T) {
				story(t, func(t *testing.T, lan *nodetest.LAN) {
					var wrong wrongClock
					wrong.set(off)
					carol := instance.Start(t, lan, "carol", node.Config{NeverHub: neverHub, Clock: wrong.now})
					time.Sleep(2 * time.Second)
					bob := instance.Start(t, lan, "bob", node.Config{NeverHub: !neverHub})
					instance.Meet(t, 5*time.Second, bob, carol)
					for n := range 3 {
						bob.Say(fmt.Sprint("bob", n))
						carol.Say(fmt.Sprint("carol", n))
						time.Sleep(time.Second)
					}
					want := []string{"bob: bob0", "bob: bob1", "bob: bob2", "carol: carol0", "carol: carol1", "carol: carol2"}
					if off < 0 {
						want = append(want[3:], want[:3]...)
					}
					lan.Cut("bob")
					time.Sleep(5 * time.Second)
					lan.Heal("bob")
					instance.Meet(t, 20*time.Second, bob, carol)
					time.Sleep(10 * time.Second)
					for _, i := range []*instance.Instance{bob, carol} {
						if got := i.Lines(instance.Lobby); !slices.Equal(got, want) {
							t.Errorf("%s shows %q", i.Name, got)
						}
						delivered(t, i)
						if told := notices(i); len(told) != 1 || !strings.Contains(told[0], "1 year apart") {
							t.Errorf("%s was told %q", i.Name, told)
						}
					}
				})
			})
		}
	}
}

// screen is what i's user sees of the lobby in the order of arrival: what was told, without what was taken back.
func screen(i *instance.Instance) (messages []node.Message) {
	for _, e := range i.Events() {
		switch e := e.(type) {
		case node.Said:
			messages = append(messages, e.Message)
		case node.Withdrawn:
			messages = slices.DeleteFunc(messages, func(m node.Message) bool { return m.ID == e.ID })
		}
	}
	return messages
}

// said is a line, and when.
type said struct {
	text string
	at   time.Time
}

// agree fails unless all show each line once, in one order, dated at most off from when it was said, on two disks, and after a restart as well.
func agree(t *testing.T, off time.Duration, want []said, all ...*instance.Instance) {
	t.Helper()
	first := all[0].Lines(instance.Lobby)
	for _, i := range all {
		if got := i.Lines(instance.Lobby); !slices.Equal(got, first) {
			t.Errorf("%s shows %q, %s %q", i.Name, got, all[0].Name, first)
		}
		delivered(t, i)
		page, err := i.Page(instance.Lobby, node.Key{}, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for what, list := range map[string][]node.Message{"page": page, "screen": screen(i)} {
			var got, texts []string
			for _, m := range list {
				got = append(got, m.Text)
				if n := slices.IndexFunc(want, func(s said) bool { return s.text == m.Text }); n >= 0 && m.At.Sub(want[n].at).Abs() > off {
					t.Errorf("%s's %s: %q was said at %v and is dated %v", i.Name, what, m.Text, want[n].at, m.At)
				}
			}
			for _, s := range want {
				texts = append(texts, s.text)
			}
			slices.Sort(got)
			slices.Sort(texts)
			if !slices.Equal(got, texts) {
				t.Errorf("%s's %s has %q, want %q", i.Name, what, got, texts)
			}
		}
	}
}

// What a clock that is far off dated while it was alone is said again when it is known what day it is, before anyone has it: in a gathering that is entered, and in a closed
// network, where it was there all along.
func TestSaidAloneByAWrongClock(t *testing.T) {
	for _, off := range []time.Duration{year, -2 * year, -40 * 24 * time.Hour} {
		for _, closed := range []bool{false, true} {
			for _, how := range []string{"follows", "serves", "was put right"} {
				t.Run(fmt.Sprint(off, " closed=", closed, " ", how), func(t *testing.T) {
					story(t, func(t *testing.T, lan *nodetest.LAN) {
						var c node.Config
						if closed {
							c.Network = network(t, "office")
						}
						var wrong wrongClock
						wrong.set(off)
						lan.Cut("carol")
						config := c
						config.Clock, config.NeverHub, config.ServerOnly, config.Keep = wrong.now, how != "serves", how == "serves", 30*24*time.Hour
						carol := instance.Start(t, lan, "carol", config)
						var want []said
						say := func(i *instance.Instance, text string) {
							want = append(want, said{text, time.Now()})
							i.Say(text)
						}
						time.Sleep(2 * time.Second)
						say(carol, "is anybody there?")
						say(carol, "no")
						var others []*instance.Instance
						for _, name := range []string{"alice", "bob", "dave"} {
							others = append(others, instance.Start(t, lan, name, c))
						}
						instance.Meet(t, 5*time.Second, others...)
						time.Sleep(3 * time.Second)
						say(others[0], "before")
						time.Sleep(time.Second)
						if how == "was put right" {
							wrong.set(0)
						}
						lan.Heal("carol")
						all := append(others, carol)
						instance.Meet(t, 20*time.Second, all...)
						say(carol, "now")
						time.Sleep(15 * time.Second)
						say(others[1], "after")
						time.Sleep(5 * time.Second)
						agree(t, 30*time.Second, want, all...)
						for _, i := range others {
							for _, e := range i.Events() {
								if w, ok := e.(node.Withdrawn); ok && !(how == "serves" && w.Restated) { // a hub learns the time when three are linked
									t.Errorf("%s was told %+v", i.Name, w)
								}
							}
							if told := notices(i); len(told) != 0 {
								t.Errorf("%s was told %q", i.Name, told)
							}
						}
						if told := notices(carol); how == "was put right" {
							if len(told) != 0 {
								t.Errorf("carol was told %q", told)
							}
						} else if len(told) != 1 || !strings.Contains(told[0], "the others' here: what you say is dated by theirs") {
							t.Errorf("carol was told %q", told)
						}
						for _, i := range all {
							i.Stop()
						}
						wrong.set(0)
						for n, i := range all {
							if i == carol {
								all[n] = instance.Start(t, lan, "carol", config)
							} else {
								all[n] = instance.Start(t, lan, i.Name, c)
							}
						}
						instance.Meet(t, 10*time.Second, all...)
						time.Sleep(5 * time.Second)
						agree(t, 30*time.Second, want, all...)
					})
				})
			}
		}
	}
}

// What was said before the clock was put right, by years, is not forgotten as old before it is said again.
func TestPutRight(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprint("closed=", closed), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var wrong wrongClock
				wrong.set(-2 * year)
				c := node.Config{Clock: wrong.now, Keep: 30 * 24 * time.Hour}
				if closed {
					c.Network = network(t, "office")
				}
				all := []*instance.Instance{instance.Start(t, lan, "carol", c)}
				time.Sleep(2 * time.Second)
				want := []said{{"what year is it?", time.Now()}}
				all[0].Say(want[0].text)
				time.Sleep(time.Second)
				wrong.set(0)
				c.Clock = nil
				for _, name := range []string{"alice", "bob"} {
					all = append(all, instance.Start(t, lan, name, c))
				}
				instance.Meet(t, 10*time.Second, all...)
				time.Sleep(10 * time.Second)
				agree(t, 20*time.Second, want, all...)
			})
		})
	}
}

// What an earlier process said alone, by the same wrong clock, is said again as well.
func TestMisdatedBeforeARestart(t *testing.T) {
	for _, off := range []time.Duration{year, -2 * year} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var wrong wrongClock
				wrong.set(off)
				c := node.Config{Clock: wrong.now, Keep: 30 * 24 * time.Hour}
				carol := instance.Start(t, lan, "carol", c)
				time.Sleep(2 * time.Second)
				want := []said{{"what year is it?", time.Now()}}
				carol.Say(want[0].text)
				time.Sleep(time.Second)
				carol.Stop()
				all := []*instance.Instance{instance.Start(t, lan, "carol", c)}
				c.Clock = nil
				for _, name := range []string{"alice", "bob"} {
					all = append(all, instance.Start(t, lan, name, c))
				}
				instance.Meet(t, 10*time.Second, all...)
				time.Sleep(10 * time.Second)
				agree(t, 20*time.Second, want, all...)
			})
		})
	}
}

// All start at once and talk at once, before anyone knows what day it is: what one of them dates a year off is soon where it belongs, on every screen.
func TestFirstWordsByAWrongClock(t *testing.T) {
	for _, off := range []time.Duration{year, -40 * 24 * time.Hour} {
		for _, serves := range []bool{false, true} {
			t.Run(fmt.Sprint(off, " serves=", serves), func(t *testing.T) {
				story(t, func(t *testing.T, lan *nodetest.LAN) {
					var wrong wrongClock
					wrong.set(off)
					all := []*instance.Instance{instance.Start(t, lan, "carol", node.Config{Clock: wrong.now, NeverHub: !serves, ServerOnly: serves})}
					all = append(all, start(t, lan, "alice", "bob", "dave", "erin")...)
					var want []said
					for n := range 20 {
						for _, i := range all {
							text := fmt.Sprint(i.Name, n)
							want = append(want, said{text, time.Now()})
							i.Say(text)
						}
						time.Sleep(250 * time.Millisecond)
					}
					instance.Meet(t, 10*time.Second, all...)
					time.Sleep(20 * time.Second)
					agree(t, 10*time.Second, want, all...)
					for _, i := range all[1:] {
						if told := notices(i); len(told) != 0 {
							t.Errorf("%s was told %q", i.Name, told)
						}
					}
				})
			})
		}
	}
}

// One clock of five is set while all talk, ahead and back again, and something is said at that very moment: the others' lines stay where they are, and so do its own.
func TestClockIsSet(t *testing.T) {
	for _, serves := range []bool{false, true} {
		t.Run(fmt.Sprint("serves=", serves), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var wrong wrongClock
				all := []*instance.Instance{instance.Start(t, lan, "carol", node.Config{Clock: wrong.now, NeverHub: !serves, ServerOnly: serves})}
				all = append(all, start(t, lan, "alice", "bob", "dave", "erin")...)
				instance.Meet(t, 10*time.Second, all...)
				time.Sleep(3 * time.Second)
				var want []said
				for n, off := range []time.Duration{time.Hour, 0, -time.Hour, year, 0, -year, 40 * 24 * time.Hour, -40 * 24 * time.Hour, 0} {
					time.Sleep(1300 * time.Millisecond)
					wrong.set(off)
					for k := range 3 {
						for _, i := range all {
							text := fmt.Sprint(i.Name, n, " ", k)
							want = append(want, said{text, time.Now()})
							i.Say(text)
						}
						time.Sleep(400 * time.Millisecond)
					}
				}
				time.Sleep(30 * time.Second)
				agree(t, time.Hour+5*time.Second, want, all...)
				for _, i := range all[1:] {
					for _, m := range screen(i) {
						n := slices.IndexFunc(want, func(s said) bool { return s.text == m.Text })
						if m.Nick != "carol" && m.At.Sub(want[n].at).Abs() > time.Second {
							t.Errorf("%s's honest %q is %v off", m.Nick, m.Text, m.At.Sub(want[n].at))
						}
					}
					if told := notices(i); len(told) != 0 {
						t.Errorf("%s was told %q", i.Name, told)
					}
				}
			})
		})
	}
}

// A day ends while people talk whose clocks differ by minutes.
func TestMidnight(t *testing.T) {
	for hosts, offs := range map[int][]time.Duration{2: {2 * time.Minute, -2 * time.Minute}, 5: {0, 2 * time.Minute, -2 * time.Minute, 30 * time.Second, -20 * time.Second}} {
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				time.Sleep(24*time.Hour - 3*time.Minute)
				var all []*instance.Instance
				for n, off := range offs {
					var wrong wrongClock
					wrong.set(off)
					all = append(all, instance.Start(t, lan, fmt.Sprint("host", n), node.Config{Clock: wrong.now}))
				}
				instance.Meet(t, 10*time.Second, all...)
				var want []said
				for n := range 40 {
					i := all[n%len(all)]
					want = append(want, said{fmt.Sprint(i.Name, " ", n), time.Now()})
					i.Say(want[n].text)
					time.Sleep(9 * time.Second)
				}
				agree(t, 2*time.Minute+time.Second, want, all...)
			})
		})
	}
}

// Nothing is forgotten because one machine's clock says that it is old: neither alone, nor with two, nor where the others know better.
func TestNothingIsForgottenByAWrongClock(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		const keep = 10 * 24 * time.Hour
		all := []*instance.Instance{}
		var wrong wrongClock
		restart := func(names ...string) {
			t.Helper()
			for _, i := range all {
				i.Stop()
			}
			all = nil
			for _, name := range names {
				c := node.Config{Keep: keep, Network: network(t, "office")}
				if name == "carol" {
					c.Clock = wrong.now
				}
				all = append(all, instance.Start(t, lan, name, c))
			}
			if len(all) > 1 {
				instance.Meet(t, 5*time.Second, all...)
			}
			time.Sleep(5 * time.Second)
			for _, i := range all {
				if lines := i.Lines(instance.Lobby); len(all) < 3 && len(lines) != 3 {
					t.Errorf("with %d machines %s shows %q", len(all), i.Name, lines)
				}
			}
		}
		restart("alice", "bob", "carol")
		for _, i := range all {
			i.Say("mine is " + i.Name)
		}
		same(t, 2*time.Second, 3, all...)
		for _, off := range []time.Duration{year, -year} {
			wrong.set(off)
			restart("carol")
			restart("carol", "alice")
			restart("carol", "alice", "bob")
			same(t, 2*time.Second, 3, all...)
		}
	})
}

// network is a closed one.
func network(t *testing.T, name string) *identity.Network {
	t.Helper()
	n, err := identity.NewNetwork(name, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Who lies about the time in HELLO to a hub that does not know it is believed for as long as it is linked, and the next to come hears nothing of it.
func TestLyingHello(t *testing.T) {
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprint("gone=", gone), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				alice := alone(t, lan, "alice")
				p := frames.Dial(t, lan, "mallory", frames.Identity(t, "mallory"), address(lan, alice))
				p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Session: identity.NewSession(), Net: time.Now().Add(-2 * year).UnixMilli()})
				p.Await(time.Second, wire.TypeState, nil)
				if gone {
					p.Hangup()
					time.Sleep(time.Second)
				} else {
					defer p.Hangup()
				}
				bob := alone(t, lan, "bob", address(lan, alice))
				instance.Until(t, 3*time.Second, "bob is linked", func() bool { return bob.Snapshot().Hub.State == node.Linked })
				time.Sleep(3 * time.Second)
				bob.Say("what time is it?")
				time.Sleep(time.Second)
				if m := screen(bob); len(m) != 1 || time.Since(m[0].At).Abs() > 5*time.Second {
					t.Errorf("bob's line is dated %v, it is %v", m[0].At, time.Now())
				}
				if gone {
					alice.Say("now")
					time.Sleep(time.Second)
					if m := screen(bob); len(m) != 2 || time.Since(m[1].At).Abs() > 5*time.Second {
						t.Errorf("alice's line is dated %v, it is %v", m[1].At, time.Now())
					}
				}
			})
		})
	}
}
