package lab_test

import (
	"bytes"
	"testing"

	"earshot/node/lab"
)

// Nothing that people say, nor who they are, crosses the network in a way that others could read. What README says of how to look for yourself is done here.
func TestNothingPlainCrossesTheNetwork(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	wire := l.Capture()
	alice := l.Host(1).Earshot("--json", "--nick", "alice-of-the-test")
	bob := l.Host(2).Earshot("--json", "--nick", "bob-of-the-test")
	carol := l.Host(3).Earshot("--json", "--nick", "carol-of-the-test")
	together(t, l, soon, alice, bob, carol)
	words := []string{"said to everyone at noon", "whispered to one of them", "kept among the members", "gathering-of-members"}
	say(alice, words[0])
	reads(carol, words[0])
	alice.Send("/msg bob-of-the-test " + words[1])
	bob.Wait(soon, "bob reads it", func(e lab.Event) bool { return e.Kind == "message" && e.Text == words[1] })
	alice.Send("/room new " + words[3])
	alice.Send("/invite bob-of-the-test")
	bob.Wait(soon, "bob is invited", func(e lab.Event) bool { return e.Kind == "invite" })
	bob.Send("/accept #" + words[3])
	alice.Wait(soon, "bob accepts", func(e lab.Event) bool { return e.Kind == "answer" })
	bob.Send("/join #" + words[3])
	bob.Send(words[2])
	alice.Wait(soon, "alice reads it", func(e lab.Event) bool { return e.Kind == "message" && e.Text == words[2] })
	seen := wire.Stop()
	if !bytes.Contains(seen, []byte("_earshot")) {
		t.Fatal("not even what is announced was captured: this looks in the wrong place")
	}
	for _, secret := range append(words, "alice-of-the-test", "bob-of-the-test", "carol-of-the-test") {
		if bytes.Contains(seen, []byte(secret)) {
			t.Errorf("%q can be read on the network", secret)
		}
	}
	for _, e := range carol.Events() {
		if e.Kind == "message" && e.Text != words[0] {
			t.Errorf("carol was told %s", e.Raw)
		}
	}
}
