package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// linked waits until all are at one hub, whoever they are.
func linked(t *testing.T, within time.Duration, all ...*instance.Instance) {
	t.Helper()
	instance.Until(t, within, "all are at one hub", func() bool {
		hub := all[0].Snapshot().Hub.HubID
		return !slices.ContainsFunc(all, func(i *instance.Instance) bool {
			s := i.Snapshot().Hub
			return s.HubID != hub || s.State != node.Serving && s.State != node.Linked
		})
	})
}

// noticed is what an instance was given notice of since its event number from.
func noticed(i *instance.Instance, from int) (texts []string) {
	for _, e := range i.Events()[from:] {
		if n, ok := e.(node.Notice); ok {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// outcome is what was told of a line: how far it was said to be, and whether it was taken back.
func outcome(i *instance.Instance, text string) (said int, copies []int, withdrawn int) {
	ids := map[message.ID]bool{}
	for _, e := range i.Events() {
		switch e := e.(type) {
		case node.Said:
			if e.Text == text {
				ids[e.ID] = true
				said++
			}
		case node.Delivered:
			if ids[e.ID] {
				copies = append(copies, e.Copies)
			}
		case node.Withdrawn:
			if ids[e.ID] {
				withdrawn++
			}
		}
	}
	return said, copies, withdrawn
}

func resend(t *testing.T, i *instance.Instance) {
	t.Helper()
	if err := i.Do(context.Background(), node.Resend{}); err != nil {
		t.Errorf("%s says it again: %v", i.Name, err)
	}
}

// A virtual machine is copied while it runs, and both go on with the same logs. What they say at the same time is delivered to nobody; both are told so, once, and say it
// again; from then on they are one person in two places.
func TestRunningMachineIsCopied(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "bob", "carol", "alice")
		instance.Meet(t, 5*time.Second, all...)
		alice := all[2]
		alice.Say("before")
		same(t, time.Second, 1, all...)
		build := func(i *instance.Instance, text string) {
			if err := i.Do(context.Background(), node.Say{Room: "#build", Text: text}); err != nil {
				t.Error(err)
			}
		}
		build(alice, "before")
		time.Sleep(time.Second)
		synctest.Wait()
		clone := alice.Clone("clone", false)
		linked(t, 5*time.Second, append(all, clone)...)
		time.Sleep(3 * time.Second)
		all = append(all, clone)
		same(t, time.Second, 1, all...)
		from := []int{len(alice.Events()), len(clone.Events())}

		alice.Say("on the left")
		clone.Say("on the right")
		alice.Say("and more on the left")
		time.Sleep(2 * time.Second)
		same(t, time.Second, 1, all[:2]...)
		for k, i := range []*instance.Instance{alice, clone} {
			want := []string{"2 lines of yours were not delivered: a copy of this machine said something else at the same time", "a line of yours was not delivered: a copy of this machine said something else at the same time"}[k]
			if got := noticed(i, from[k]); !slices.Equal(got, []string{want}) {
				t.Errorf("%s was told %q, want %q once", i.Name, got, want)
			}
		}
		for _, c := range []struct {
			i    *instance.Instance
			text string
		}{{alice, "on the left"}, {alice, "and more on the left"}, {clone, "on the right"}} {
			if said, copies, withdrawn := outcome(c.i, c.text); said != 1 || withdrawn != 0 || len(copies) == 0 || copies[len(copies)-1] != 0 {
				t.Errorf("%s: %q was told %d times, is on %v disks, withdrawn %d times", c.i.Name, c.text, said, copies, withdrawn)
			}
		}
		for _, i := range all[:2] {
			for _, text := range []string{"on the left", "on the right", "and more on the left"} {
				if said, _, withdrawn := outcome(i, text); said != withdrawn {
					t.Errorf("%s was told %q %d times, and %d times that it does not count", i.Name, text, said, withdrawn)
				}
			}
		}

		from = []int{len(alice.Events()), len(clone.Events())}
		build(alice, "on the left") // the log of this room has not shown yet that both write it
		build(clone, "on the right")
		resend(t, alice)
		resend(t, clone)
		for n := range 5 {
			alice.Say(fmt.Sprint("left ", n))
			clone.Say(fmt.Sprint("right ", n))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		first := all[0].Lines(instance.Lobby)
		if len(first) != 14 {
			t.Errorf("%q, want 14 lines", first)
		}
		for k, i := range all {
			if got := i.Lines(instance.Lobby); !slices.Equal(got, first) {
				t.Errorf("%s shows %q, and %s %q", i.Name, got, all[0].Name, first)
			}
			if k >= 2 && len(noticed(i, from[k-2])) > 0 {
				t.Errorf("%s was told %q", i.Name, noticed(i, from[k-2]))
			}
		}
		for _, c := range []struct {
			i    *instance.Instance
			text string
		}{{alice, "on the left"}, {clone, "on the right"}} {
			if said, copies, withdrawn := outcome(c.i, c.text); said != 2 || withdrawn != 1 || copies[len(copies)-1] < 3 {
				t.Errorf("%s: %q was told %d times, is on %v disks, withdrawn %d times", c.i.Name, c.text, said, copies, withdrawn)
			}
		}
		for _, i := range all {
			if got := i.Lines("#build"); len(got) != 3 {
				t.Errorf("%s shows %q in the other room", i.Name, got)
			}
		}
		if err := alice.Do(context.Background(), node.Resend{}); err == nil || !strings.Contains(err.Error(), "nothing to say again") {
			t.Errorf("a second time: %v", err)
		}
	})
}

// The copy of a running machine has its session, too, and the others take both for one process. Both are linked all the same, as long as neither was the hub, and one of
// them at least is told what to do.
func TestCopyWithTheSameSession(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		box := instance.Start(t, lan, "box", node.Config{ServerOnly: true})
		all := append([]*instance.Instance{box}, start(t, lan, "carol", "alice")...)
		if instance.Meet(t, 8*time.Second, all...) != box {
			t.Fatal("the box is not the hub")
		}
		alice := all[2]
		alice.Say("before")
		same(t, time.Second, 1, all...)
		time.Sleep(time.Second)
		synctest.Wait()
		clone := alice.Clone("clone", true)
		both := []*instance.Instance{alice, clone}
		linked(t, 5*time.Second, append(all, clone)...)
		time.Sleep(10 * time.Second)
		from := []int{len(alice.Events()), len(clone.Events())}
		for n := range 20 {
			alice.Say(fmt.Sprint("left ", n))
			clone.Say(fmt.Sprint("right ", n))
			time.Sleep(500 * time.Millisecond)
		}
		for _, i := range both {
			if err := i.Do(context.Background(), node.Resend{}); err != nil && !strings.Contains(err.Error(), "nothing to say again") {
				t.Error(err)
			}
		}
		time.Sleep(3 * time.Second)
		first := box.Lines(instance.Lobby)
		for _, i := range append(all, clone) {
			if got := i.Lines(instance.Lobby); len(got) != 41 || !slices.Equal(got, first) {
				t.Errorf("%s shows %q, the box %q; want the same 41 lines", i.Name, got, first)
			}
		}
		told := 0
		for k, i := range both {
			for _, e := range i.Events()[from[k]:] {
				if h, ok := e.(node.HubChanged); ok {
					t.Errorf("%s saw %+v", i.Name, h)
				}
			}
			n := len(slices.DeleteFunc(noticed(i, 0), func(text string) bool { return !strings.Contains(text, "copied while earshot ran") }))
			if told += n; n > 1 {
				t.Errorf("%s was told %q", i.Name, noticed(i, 0))
			}
		}
		if told == 0 {
			t.Error("neither was told that it was copied")
		}
	})
}

// A profile is copied to another machine, and both are used at once: one person, who is here as long as one of the two is; nothing forks, and each machine is a disk.
func TestProfileIsCopied(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		profile := filepath.Join(t.TempDir(), "alice")
		desk := instance.Start(t, lan, "desk", node.Config{Nick: "alice", Dir: profile})
		bob := start(t, lan, "bob")[0]
		instance.Meet(t, 5*time.Second, desk, bob)
		desk.Say("before")
		same(t, time.Second, 1, desk, bob)
		desk.Stop()
		copied := filepath.Join(t.TempDir(), "alice")
		err := os.CopyFS(copied, os.DirFS(profile))
		for _, secret := range []string{"identity.key", "keyring"} {
			if err == nil {
				err = os.Chmod(filepath.Join(copied, secret), 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		from := len(bob.Events())
		desk = instance.Start(t, lan, "desk", node.Config{Nick: "alice", Dir: profile})
		laptop := instance.Start(t, lan, "laptop", node.Config{Nick: "alice", Dir: copied})
		both := []*instance.Instance{desk, laptop}
		linked(t, 5*time.Second, desk, laptop, bob)
		time.Sleep(3 * time.Second)
		for n := range 5 {
			for _, i := range both {
				i.Say(fmt.Sprintf("%s %d", i.Name, n))
			}
			time.Sleep(100 * time.Millisecond)
		}
		bob.Say("hello alice")
		same(t, time.Second, 12, desk, laptop, bob)
		time.Sleep(3 * time.Second)
		for k, i := range both {
			if got := noticed(i, 0); len(got) > 0 {
				t.Errorf("%s was told %q", i.Name, got)
			}
			if people := i.Snapshot().People; len(people) != 2 {
				t.Errorf("%s sees %v", i.Name, people)
			}
			for _, e := range i.Events() {
				s, ok := e.(node.Said)
				if ok && !s.History && (s.Mine != (s.Author == i.ID()) || s.Here != strings.HasPrefix(s.Text, i.Name)) {
					t.Errorf("%s was told %+v", i.Name, s)
				}
				if d, ok := e.(node.Delivered); ok && d.Copies > 3 {
					t.Errorf("%s was told of %d disks", i.Name, d.Copies)
				}
			}
			for n := range 5 {
				if c, all := copies(i, fmt.Sprintf("%s %d", i.Name, n)); c != 3 || !all {
					t.Errorf("%s's line %d is on %d disks", i.Name, n, c)
				}
			}
			if n, _ := copies(i, both[1-k].Name+" 0"); n != 0 {
				t.Errorf("%s was told of the other's line", i.Name)
			}
		}
		changes := func() (of []node.PeerState) {
			for _, e := range bob.Events()[from:] {
				if p, ok := e.(node.PeerChanged); ok && p.ID == desk.ID() {
					of = append(of, p.State)
				}
			}
			return of
		}
		present := func() {
			t.Helper()
			if got, people := changes(), bob.Snapshot().People; !slices.Equal(got, []node.PeerState{node.Joined}) || len(people) != 2 {
				t.Errorf("bob saw that alice %v, and sees %v", got, people)
			}
		}
		present()
		desk.Stop()
		time.Sleep(10 * time.Second)
		present()
		laptop.Say("still here")
		same(t, time.Second, 13, laptop, bob)
		laptop.Stop()
		instance.Until(t, 10*time.Second, "alice has left", func() bool { return slices.Equal(changes(), []node.PeerState{node.Joined, node.Left}) })
	})
}

// A line that turns out not to be delivered while its author's slow disk still writes it is told, and told to be lost after that: no screen forgets it or shows it as waiting.
func TestLostBeforeItIsTold(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		bob := start(t, lan, "bob")[0]
		dir := t.TempDir()
		d := disk.Under(t, dir)
		alice := instance.Start(t, lan, "alice", node.Config{Dir: filepath.Join(dir, "alice"), HostDir: dir})
		instance.Meet(t, 5*time.Second, alice, bob)
		alice.Say("before")
		same(t, time.Second, 1, alice, bob)
		time.Sleep(time.Second)
		synctest.Wait()
		clone := alice.Clone("clone", false)
		linked(t, 5*time.Second, alice, bob, clone)
		time.Sleep(3 * time.Second)
		d.Slow(300 * time.Millisecond)
		alice.Say("on the left")
		clone.Say("on the right")
		time.Sleep(100 * time.Millisecond)
		if got := noticed(alice, 0); len(got) != 1 || slices.Contains(alice.Heard(instance.Lobby), "on the left") {
			t.Fatalf("alice was told %q and %q, too early or too late for this test", got, alice.Heard(instance.Lobby))
		}
		time.Sleep(2 * time.Second)
		if said, copies, _ := outcome(alice, "on the left"); said != 1 || len(copies) == 0 || copies[len(copies)-1] != 0 {
			t.Errorf("the line was told %d times, and then to be on %v disks", said, copies)
		}
		if n := len(noticed(alice, 0)); n != 1 {
			t.Errorf("%d notices", n)
		}
	})
}
