package lab_test

import (
	"slices"
	"strings"
	"testing"

	"earshot/node/lab"
)

// A closed network gets a new key while people chat: the same processes go on in the new one, with what was said before; who is out stays alone; who was away gets the key from somebody who stayed. No key is printed, or stands
// among the arguments.
func TestRotate(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	key, _, code := l.Host(1).Run("", "key", "new", "office")
	if code != 0 {
		t.Fatal(code)
	}
	for i := 2; i <= 4; i++ {
		if _, stderr, code := l.Host(i).Run(key, "key", "join", "office"); code != 0 {
			t.Fatal(stderr)
		}
	}
	begin := func(i int, nick string) *lab.Process {
		return l.Host(i).Earshot("--network", "office", "--nick", nick)
	}
	alice, bob, mallory, dave := begin(1, "alice"), begin(2, "bob"), begin(3, "mallory"), begin(4, "dave")
	all := []*lab.Process{alice, bob, mallory, dave}
	for _, p := range all {
		p.Wait(soon, "all four are there", func(e lab.Event) bool { return e.Kind == "peer" && e.Peers == 4 })
	}
	alice.Send("with mallory")
	for _, p := range all {
		p.Wait(soon, "it is heard", func(e lab.Event) bool { return e.Kind == "message" && e.Text == "with mallory" })
	}
	if dave.Stop() != 0 {
		t.Error("dave ended badly")
	}
	asked := func(p *lab.Process) {
		t.Helper()
		p.Wait(soon, "the key is offered", func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Hint, "/key accept") })
		n := len(p.Events())
		p.Send("/key accept")
		p.WaitFrom(n, soon, "it goes on", func(e lab.Event) bool { return e.Kind == "ready" })
	}
	alice.Send("/key rotate --except mallory")
	alice.Wait(soon, "it is asked", func(e lab.Event) bool { return e.Kind == "notice" && strings.HasSuffix(e.Text, ": mallory") })
	n := len(alice.Events())
	alice.Send("/key rotate --except mallory --yes")
	alice.WaitFrom(n, soon, "alice goes on", func(e lab.Event) bool { return e.Kind == "ready" && e.Network == "office" && e.Closed })
	alice.Send("without mallory") // by the same input
	asked(bob)
	bob.Wait(soon, "bob hears it", func(e lab.Event) bool { return e.Kind == "message" && e.Text == "without mallory" })
	alice.Wait(soon, "alice knows that bob has it", func(e lab.Event) bool {
		return e.Kind == "notice" && strings.HasPrefix(e.Text, "the new key has come to bob")
	})
	n = len(alice.Events())
	alice.Send("/net")
	alice.WaitFrom(n, soon, "dave is waited for", func(e lab.Event) bool { return strings.Contains(e.Raw, "3 have the new key; waiting for dave") })
	if alice.Stop() != 0 {
		t.Error("alice ended badly")
	}
	dave = begin(4, "dave")
	asked(dave)
	dave.Wait(soon, "dave hears it", func(e lab.Event) bool { return e.Kind == "message" && e.Text == "without mallory" })
	if dave.Stop() != 0 { // what was heard is on the disk then
		t.Error("dave ended badly")
	}
	if found, _, code := l.Host(4).Run("", "search", "--network", "office", "mallory"); code != 0 || strings.Count(found, "mallory\n") != 2 {
		t.Errorf("dave finds %q, %d", found, code)
	}
	now, _, _ := l.Host(4).Run("", "key", "show", "office")
	old, _, _ := l.Host(3).Run("", "key", "show", "office")
	if now == old || old != key {
		t.Error("the keys are not as they should be")
	}
	secret := strings.ReplaceAll(strings.TrimSpace(now), "-", "")
	for _, p := range []*lab.Process{alice, bob, mallory, dave} {
		if slices.ContainsFunc(p.Events(), func(e lab.Event) bool {
			return strings.Contains(e.Raw, secret) || strings.Contains(e.Raw, strings.TrimSpace(now))
		}) || strings.Contains(p.Stderr(), secret) {
			t.Errorf("%s prints the key", p)
		}
	}
	for _, e := range mallory.Events() {
		if e.Text == "without mallory" || strings.Contains(e.Raw, "new key") {
			t.Errorf("mallory is told %s", e.Raw)
		}
	}
}

// On the full screen it is the same window, with what was being typed.
func TestRotateFullScreen(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 2)
	key, _, code := l.Host(1).Run("", "key", "new", "office")
	if code != 0 {
		t.Fatal(code)
	}
	if _, stderr, code := l.Host(2).Run(key, "key", "join", "office"); code != 0 {
		t.Fatal(stderr)
	}
	alice := l.Host(1).Earshot("--network", "office", "--nick", "alice")
	screen := l.Host(2).Screen(80, 24, "--network", "office", "--nick", "bob")
	screen.Wait(soon, "both are there", shows("2 here", "alice", "bob (you)"))
	alice.Send("from before")
	screen.Wait(soon, "the line", shows("from before"))
	screen.Type("/key rotate --all --yes")
	screen.Key("Enter")
	screen.Type("half a li")
	screen.Wait(soon, "it goes on", shows("from before", "office has a new key now", "half a li"))
	alice.Wait(10*soon, "the key is offered", func(e lab.Event) bool { return e.Kind == "notice" && strings.Contains(e.Hint, "/key accept") })
	alice.Send("/key accept")
	screen.Wait(10*soon, "both are there again", shows("2 here", "alice", "bob (you)", "from before", "half a li"))
	screen.Type("ne")
	screen.Key("Enter")
	alice.Wait(soon, "the line that was begun before", func(e lab.Event) bool { return e.Kind == "message" && e.Text == "half a line" })
	screen.Type("/quit")
	screen.Key("Enter")
	if status := screen.Ended(soon); status != 0 {
		t.Errorf("/quit: exit status %d", status)
	}
}
