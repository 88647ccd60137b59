package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// The rules of package election, told by whole nodes. The times are bounds: what they are on a real network package lab measures.

// at returns the hub that all of them are at, if there is one.
func at(all ...*instance.Instance) (hub *instance.Instance) {
	for _, i := range all {
		if i.Serving() {
			if hub != nil {
				return nil
			}
			hub = i
		}
	}
	if hub == nil {
		return nil
	}
	for _, i := range others(all, hub) {
		if s := i.Hub(); s.State != node.Linked || s.HubID != hub.ID() {
			return nil
		}
	}
	return hub
}

// gather waits until all are at one hub, says how long that took, and returns it.
func gather(t *testing.T, what string, within time.Duration, all ...*instance.Instance) *instance.Instance {
	t.Helper()
	began := time.Now()
	instance.Until(t, within, what, func() bool { return at(all...) != nil })
	t.Logf("%s: %v", what, time.Since(began))
	return at(all...)
}

// stays asserts that a hub stays the hub of all.
func stays(t *testing.T, long time.Duration, hub *instance.Instance, all ...*instance.Instance) {
	t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if at(all...) != hub {
			t.Fatalf("%s is not the hub of all any more", hub.Name)
		}
	}
}

func names(all []*instance.Instance) (list []string) {
	for _, i := range all {
		list = append(list, i.Name)
	}
	return list
}

// five starts five, the first of whom is the hub, the second next in line, and so on.
func five(t *testing.T, lan *nodetest.LAN, c node.Config) (all []*instance.Instance) {
	t.Helper()
	for _, name := range []string{"anna", "ben", "cleo", "dan", "emma"} {
		all = append(all, instance.Start(t, lan, name, c))
		time.Sleep(1500 * time.Millisecond)
	}
	if at(all...) != all[0] {
		t.Fatal("the first is not the hub of all")
	}
	time.Sleep(2 * time.Second)
	return all
}

// moves counts how often a node has been at a hub, or lost it, since its event number from.
func moves(i *instance.Instance, from int) (linked, lost int) {
	for _, e := range i.Events()[from:] {
		if h, ok := e.(node.HubChanged); ok {
			switch h.State {
			case node.Linked, node.Serving:
				linked++
			case node.Lost:
				lost++
			}
		}
	}
	return linked, lost
}

func TestManyStartAtOnce(t *testing.T) {
	for _, n := range []int{5, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				var all []*instance.Instance
				for i := range n {
					all = append(all, instance.Start(t, lan, fmt.Sprint("host", i), node.Config{}))
					time.Sleep(100 * time.Millisecond / time.Duration(n))
				}
				hub := gather(t, "all are at one hub", 1500*time.Millisecond, all...)
				stays(t, 5*time.Second, hub, all...)
			})
		})
	}
}

// Whoever falls out, and however: who is left is at one hub in time, and when it is back nothing moves.
func TestOneFallsOut(t *testing.T) {
	for _, how := range []struct {
		name       string
		out, in    func(lan *nodetest.LAN, i *instance.Instance)
		long       time.Duration
		heir, back time.Duration // at most until the others have another hub, and until the old one is with them
	}{
		{"a cable is pulled", func(lan *nodetest.LAN, i *instance.Instance) { lan.Cut(i.Name) }, func(lan *nodetest.LAN, i *instance.Instance) { lan.Heal(i.Name) },
			10 * time.Second, 1500 * time.Millisecond, 3 * time.Second},
		{"a process is frozen", func(_ *nodetest.LAN, i *instance.Instance) { i.Freeze() }, func(_ *nodetest.LAN, i *instance.Instance) { i.Thaw() },
			3 * time.Second, 1500 * time.Millisecond, 3 * time.Second},
		{"a host is deaf", func(lan *nodetest.LAN, i *instance.Instance) { lan.Deafen(i.Name) }, func(lan *nodetest.LAN, i *instance.Instance) { lan.Heal(i.Name) },
			20 * time.Second, 6 * time.Second, 8 * time.Second},
		{"a host is not heard", func(lan *nodetest.LAN, i *instance.Instance) { lan.Gag(i.Name) }, func(lan *nodetest.LAN, i *instance.Instance) { lan.Heal(i.Name) },
			20 * time.Second, 2 * time.Second, 8 * time.Second},
	} {
		for k, who := range []string{"the hub", "the standby", "a third"} {
			t.Run(how.name+" at "+who, func(t *testing.T) {
				story(t, func(t *testing.T, lan *nodetest.LAN) {
					all := five(t, lan, node.Config{})
					hub, victim := all[0], all[k]
					rest := others(all, victim)
					before := len(all[4].Events())
					how.out(lan, victim)
					began := time.Now()
					if k == 0 {
						hub = gather(t, "the others have another hub", how.heir, rest...)
						if hub != all[1] {
							t.Errorf("the hub is %s and not the standby", hub.Name)
						}
					}
					stays(t, how.long-time.Since(began), hub, rest...)
					how.in(lan, victim)
					if gather(t, "all are at one hub again", how.back, all...) != hub {
						t.Error("the hub moved")
					}
					stays(t, 5*time.Second, hub, all...)
					if linked, _ := moves(all[4], before); k == 0 && linked != 1 || k > 0 && linked > 0 {
						t.Errorf("one who was there all the time was linked %d times", linked)
					}
				})
			})
		}
	}
}

// One that cannot reach the hub, and it alone, goes on trying and does not move it.
func TestOneCannotReachTheHub(t *testing.T) {
	for k, who := range []string{"", "the standby", "a third"} {
		if k == 0 {
			continue
		}
		t.Run(who, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := five(t, lan, node.Config{})
				hub, victim := all[0], all[k]
				rest := others(all, victim)
				lan.Sever(hub.Name, victim.Name)
				stays(t, 30*time.Second, hub, rest...)
				if s := victim.Snapshot().Hub; s.State != node.Lost {
					t.Errorf("the victim says %+v", s)
				}
				if k == 1 { // who is not linked is not next in line
					hub.Crash()
					rest = others(rest, hub)
					if heir := gather(t, "the next is the hub", 100*time.Millisecond, rest...); heir != all[2] {
						t.Errorf("%s took over", heir.Name)
					}
					return
				}
				lan.Heal(victim.Name)
				if gather(t, "it is with the others", 3*time.Second, all...) != hub {
					t.Error("the hub moved")
				}
			})
		})
	}
}

// Where all others reach only one, which may not be the hub, nobody can be the hub of most: the seat does not go round for that.
func TestOnlyOneIsReached(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		middle := instance.Start(t, lan, "middle", node.Config{NeverHub: true})
		leaves := start(t, lan, "anna", "ben", "cleo")
		for k, i := range leaves {
			for _, o := range leaves[:k] {
				lan.Sever(i.Name, o.Name)
			}
		}
		time.Sleep(time.Minute) // each may have tried
		before := len(middle.Events())
		time.Sleep(2 * time.Minute)
		if linked, lost := moves(middle, before); linked+lost > 0 || middle.Hub().State != node.Linked {
			t.Errorf("in two minutes it was linked %d times and lost the hub %d times: %+v", linked, lost, middle.Hub())
		}
	})
}

func TestHubIsKilled(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := five(t, lan, node.Config{})
		for k := range 3 {
			all[k].Crash()
			if heir := gather(t, "the others have another hub", 100*time.Millisecond, all[k+1:]...); heir != all[k+1] {
				t.Errorf("%s took over, not the standby", heir.Name)
			}
			stays(t, 5*time.Second, all[k+1], all[k+1:]...)
		}
	})
}

func TestHubSaysGoodbye(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := five(t, lan, node.Config{})
		for k := range 3 {
			before := len(all[4].Events())
			stopped := make(chan struct{})
			go func() {
				all[k].Stop()
				close(stopped)
			}()
			if heir := gather(t, "the others have another hub", 50*time.Millisecond, all[k+1:]...); heir != all[k+1] {
				t.Errorf("%s took over, not the standby", heir.Name)
			}
			<-stopped
			stays(t, 5*time.Second, all[k+1], all[k+1:]...)
			if linked, lost := moves(all[4], before); linked != 1 || lost != 0 {
				t.Errorf("linked %d times, lost the hub %d times", linked, lost)
			}
		}
	})
}

func TestPartitions(t *testing.T) {
	for name, parts := range map[string][][]int{"3/2": {{0, 2, 4}, {1, 3}}, "2/3": {{0, 1}, {2, 3, 4}}, "2/2/1": {{0, 3}, {1, 4}, {2}}} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := five(t, lan, node.Config{})
				var groups [][]*instance.Instance
				var split [][]string
				for _, p := range parts {
					var g []*instance.Instance
					for _, k := range p {
						g = append(g, all[k])
					}
					groups, split = append(groups, g), append(split, names(g))
				}
				lan.Split(split...)
				for k, g := range groups {
					hub := gather(t, fmt.Sprint("part ", k, " has a hub"), 12*time.Second, g...)
					if k == 0 && hub != all[0] {
						t.Error("the hub moved where it was")
					}
				}
				time.Sleep(20 * time.Second)
				lan.Join()
				hub := gather(t, "all are at one hub", 2*time.Second, all...)
				stays(t, 10*time.Second, hub, all...)
			})
		})
	}
}

// A laptop that was the hub of nobody, slept with its claim and wakes among others follows theirs.
func TestLoneLaptopWakes(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Split([]string{"anna", "ben", "cleo", "dan", "emma"}, []string{"laptop"})
		laptop := instance.Start(t, lan, "laptop", node.Config{})
		time.Sleep(3 * time.Second)
		laptop.Freeze()
		time.Sleep(time.Hour)
		all := five(t, lan, node.Config{})
		before := len(all[1].Events())
		lan.Join()
		laptop.Thaw()
		if gather(t, "the laptop is with the others", 3*time.Second, append(slices.Clone(all), laptop)...) != all[0] {
			t.Error("the hub moved")
		}
		if linked, lost := moves(all[1], before); linked+lost > 0 {
			t.Errorf("the others moved: linked %d times, lost the hub %d times", linked, lost)
		}
	})
}

// A box that comes and goes takes the seat along each time, no more often, and nobody is without a hub for it.
func TestBoxFlaps(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := five(t, lan, node.Config{})
		before := map[*instance.Instance]int{}
		for _, i := range all {
			before[i] = len(i.Events())
		}
		const times = 5
		for range times {
			box := instance.Start(t, lan, "box", node.Config{ServerOnly: true})
			instance.Until(t, 4*time.Second, "the box is the hub", func() bool { return at(append(slices.Clone(all), box)...) == box })
			time.Sleep(time.Second)
			box.Stop()
			gather(t, "the others have a hub", time.Second, all...)
			time.Sleep(time.Second)
			short := instance.Start(t, lan, "box", node.Config{ServerOnly: true})
			time.Sleep(1500 * time.Millisecond) // not long enough for the seat
			short.Stop()
		}
		for _, i := range all {
			if linked, lost := moves(i, before[i]); linked != 2*times || lost != 0 {
				t.Errorf("the box came and went %d times; %s was at %d hubs, and lost the hub %d times", times, i.Name, linked, lost)
			}
		}
	})
}

// A hub whose disk fills hands over, is no candidate while it has no room, and does not take the seat back. Where no disk has room there is a hub all the same.
func TestHubsDiskFills(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		var all []*instance.Instance
		var disks []*disk.Disk
		for _, name := range []string{"anna", "ben", "cleo"} {
			dir := t.TempDir()
			disks = append(disks, disk.Under(t, dir))
			all = append(all, instance.Start(t, lan, name, node.Config{Dir: dir}))
			time.Sleep(1500 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		before := len(all[2].Events())
		disks[0].Fill(true)
		all[1].Say("one line too many")
		instance.Until(t, 5*time.Second, "the standby is the hub", func() bool { return at(all...) == all[1] })
		if linked, lost := moves(all[2], before); linked != 1 || lost != 0 {
			t.Errorf("linked %d times, lost the hub %d times", linked, lost)
		}
		time.Sleep(time.Second)
		all[1].Crash()
		if gather(t, "who has room is the hub", 300*time.Millisecond, all[0], all[2]) != all[2] {
			t.Error("who has no room is the hub")
		}
		disks[2].Fill(true)
		all[2].Say("and one more")
		time.Sleep(5 * time.Second)
		hub := gather(t, "there is a hub without room", 5*time.Second, all[0], all[2])
		stays(t, 5*time.Second, hub, all[0], all[2])
		disks[0].Fill(false)
		instance.Until(t, 10*time.Second, "who has room is the hub", func() bool { return at(all[0], all[2]) == all[0] })
		disks[2].Fill(false)
		stays(t, 20*time.Second, all[0], all[0], all[2])
	})
}

// A hub, or a member, that gets another address goes on.
func TestAddressChanges(t *testing.T) {
	for k, who := range []string{"the hub", "a member"} {
		t.Run(who, func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := five(t, lan, node.Config{})
				unplug(all[k])
				lan.Renumber(all[k].Name)
				plug(lan, all[k])
				time.Sleep(800 * time.Millisecond) // till the silence is noticed
				hub := gather(t, "all are at one hub", 8*time.Second, all...)
				if k > 0 && hub != all[0] {
					t.Error("the hub moved")
				}
				stays(t, 20*time.Second, hub, all...)
				all[k].Say("still here")
				same(t, 2*time.Second, 1, all...)
			})
		})
	}
}
