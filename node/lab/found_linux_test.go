package lab_test

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"earshot/node/lab"
)

// foundAgain is how long it may take until a machine that is back in the network is with the others again. Here the machines are slow.
const foundAgain = 6 * time.Second * lab.Slack

// The hub's adapter is pulled out and another is put in, with another address.
func TestAnotherAdapter(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	pulled := together(t, l, soon, all...)
	rest := others(all, pulled)
	i := slices.Index(all, pulled) + 1
	l.Detach(i, "eth0")
	l.Wait(2*soon, "the others have another hub", func() bool { return hubOf(rest) != nil })
	l.Attach(i, 0, "eth0", "10.77.1.1/16")
	back := time.Now()
	together(t, l, 2*soon, all...)
	within(t, l, "together", back, foundAgain)
	say(pulled, "back")
	haveAll(t, l, []string{"back"}, all...)
}

// within says how long something took, and fails where that is too long for processes that run when they can.
func within(t *testing.T, l *lab.Lab, what string, since time.Time, most time.Duration) {
	t.Helper()
	took := time.Since(since).Round(time.Millisecond)
	t.Logf("%s after %v", what, took)
	if took > most {
		marks{lab: l, at: since}.errorf(t, "that is more than %v", most)
	}
}

// A laptop sleeps for so long that the others have given it up, as a follower and as the hub.
func TestAsleep(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	hub := together(t, l, soon, all...)
	for _, sleeper := range []*lab.Process{others(all, hub)[0], hub} {
		rest := others(all, sleeper)
		sleeper.Signal(syscall.SIGSTOP)
		l.Wait(6*soon, "the others give it up", func() bool { return hubOf(rest) != nil && last(rest[0], "peer").Peers == 2 })
		sleeper.Signal(syscall.SIGCONT)
		woke := time.Now()
		together(t, l, 2*soon, all...)
		within(t, l, "awake and together", woke, foundAgain)
	}
}

// Multicast is dropped: they find each other by the beacon, and after a restart, when broadcast is dropped too, where they met before.
func TestBeaconThenMemory(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 2)
	for i := 1; i <= 2; i++ {
		l.Host(i).Drop("-p", "udp", "--dport", "5353")
		l.Host(i).Drop("-p", "udp", "--sport", "5353")
	}
	all := []*lab.Process{start(l, 1), start(l, 2)}
	began := time.Now()
	together(t, l, 4*soon, all...)
	t.Logf("by the beacon: together after %v", time.Since(began).Round(time.Millisecond))
	for _, p := range all {
		p.Stop()
	}
	for i := 1; i <= 2; i++ {
		l.Host(i).Drop("-m", "pkttype", "!", "--pkt-type", "unicast")
	}
	all = []*lab.Process{start(l, 1), start(l, 2)}
	began = time.Now()
	together(t, l, soon, all...)
	t.Logf("where they met: together after %v", time.Since(began).Round(time.Millisecond))
}

// A firewall that was told of IPv4 alone, as many are, lets nothing in there but what is for all, while IPv6 is open.
func TestFirewallForIPv4Alone(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	for i := 1; i <= 3; i++ {
		for _, kind := range []string{"tcp", "udp"} {
			l.Host(i).Firewall4("-A", "INPUT", "-p", kind, "--dport", "4327", "-j", "DROP")
		}
	}
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	began := time.Now()
	hub := together(t, l, soon, all...)
	within(t, l, "together", began, 2*foundAgain)
	m := mark(l, all...)
	<-time.After(8 * time.Second) // longer than memberlist takes to declare dead whom it cannot reach
	m.stayed(t, hub)
}

// All that gets in is earshot's port, on all three, and what belongs to a connection: who is told the hub's address comes in.
func TestNothingButThePort(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	for i := 1; i <= 3; i++ {
		h := l.Host(i)
		h.Firewall("-A", "INPUT", "-i", "lo", "-j", "ACCEPT")
		h.Firewall("-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
		h.Firewall("-A", "INPUT", "-p", "tcp", "--dport", "4327", "-j", "ACCEPT")
		h.Firewall("-P", "INPUT", "DROP")
	}
	hub := start(l, 1)
	l.Wait(soon, "the first serves", func() bool { return last(hub, "hub").State == "serving" })
	all := []*lab.Process{hub, start(l, 2, "--join", l.Host(1).IP().String()), start(l, 3, "--join", l.Host(1).IP().String())}
	together(t, l, soon, all...)
	for i, text := range []string{"one", "two", "three"} {
		say(all[i], text)
	}
	haveAll(t, l, []string{"one", "two", "three"}, all...)
}

// A machine with a card in each of two networks, and others in each. Whoever is there first: that machine is the hub in the end, and stays it.
func TestTwoNetworks(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{2, 1, 3, 4}, {1, 2, 3, 4}, {4, 3, 2, 1}, {1, 3, 4, 2}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t, 4)
			for _, i := range []int{3, 4} {
				l.Detach(i, "eth0")
				l.Attach(i, 1, "eth0", fmt.Sprintf("10.88.0.%d/16", i))
			}
			l.Attach(2, 1, "eth1", "10.88.0.2/16")
			all := make([]*lab.Process, 4)
			for _, i := range order {
				p := start(l, i)
				all[i-1] = p
				p.Wait(2*soon, "it has a hub", func(e lab.Event) bool { return e.State == "serving" || e.State == "linked" })
			}
			began := time.Now()
			m := mark(l, all...)
			hub := together(t, l, 2*soon, all...)
			t.Logf("together after %v", time.Since(began).Round(time.Millisecond))
			if hub != all[1] {
				m.errorf(t, "%s is the hub", hub)
			}
			m = mark(l, all...)
			say(all[0], "left 1")
			say(all[2], "right 1")
			haveAll(t, l, []string{"left 1", "right 1"}, all...)
			<-time.After(8 * time.Second) // longer than memberlist takes to declare dead whom it cannot reach: two seconds until it asks, three of suspicion
			m.stayed(t, hub)
			say(all[0], "left 2")
			say(all[2], "right 2")
			haveAll(t, l, []string{"left 2", "right 2"}, all...)
		})
	}
}

// A cable between two machines on which nobody gives out addresses, so that it has link-local ones of IPv6 alone, and one of them or both have a card with IPv4 in a network of its own.
func TestCableWithoutIPv4(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprint("both=", both), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t, 2)
			l.Attach(1, 1, "eth1")
			l.Detach(2, "eth0")
			l.Attach(2, 1, "eth1")
			if both {
				l.Attach(2, 2, "eth0", "10.99.0.2/16")
			}
			began := time.Now()
			all := []*lab.Process{start(l, 1), start(l, 2)}
			hub := together(t, l, soon, all...)
			within(t, l, "together", began, foundAgain)
			m := mark(l, all...)
			<-time.After(8 * time.Second) // as above
			m.stayed(t, hub)
			say(all[0], "one")
			say(all[1], "two")
			haveAll(t, l, []string{"one", "two"}, all...)
		})
	}
}

// Whoever is on an open network can make records whose tags are valid. While 10,000 come in, of peers that do not exist at addresses where nobody is, those that do exist
// find each other: who is new, and who has heard thousands of fakes when two networks become one.
func TestFoundAmongFakes(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	l.Split([]int{1, 2, 3}, []int{4, 5})
	var said []io.Reader
	for _, i := range []int{3, 5} {
		attack := l.Host(i).Command(executable(t))
		attack.Env = append(attack.Env, envHelper+"=fakes 10000")
		out, err := attack.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := attack.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { attack.Process.Kill(); attack.Wait() }()
		said = append(said, out)
	}
	first, far := start(l, 1), start(l, 4)
	for _, p := range []*lab.Process{first, far} {
		l.Wait(soon, "it serves", func() bool { return last(p, "hub").State == "serving" })
	}
	for _, out := range said {
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has sent thousands
			t.Fatal(err)
		}
	}
	second := start(l, 2)
	id(t, second)
	began := time.Now()
	together(t, l, 4*soon, first, second)
	within(t, l, "the new one is there", began, 5*time.Second*lab.Slack)
	l.Join()
	began = time.Now()
	together(t, l, 4*soon, first, second, far)
	within(t, l, "the far one is there", began, 5*time.Second*lab.Slack)
}
