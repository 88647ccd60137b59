package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/nodetest/instance"
)

// office begins whole nodes in the network "office" as the command line does: by the keys that are stored on their machine.
type office struct {
	t    *testing.T
	lan  *nodetest.LAN
	dirs map[string]string
	key  string
}

func newOffice(t *testing.T) *office {
	return &office{t: t, lan: nodetest.New(1), dirs: map[string]string{}, key: oldKey}
}

func (o *office) keys(name string) identity.Keys {
	return identity.OpenKeys(filepath.Join(o.dirs[name], "keys"))
}

// config is that of a machine by what is stored on it.
func (o *office) config(name string) node.Config {
	o.t.Helper()
	if o.dirs[name] == "" {
		o.dirs[name] = filepath.Join(o.t.TempDir(), name)
		if err := o.keys(name).Put("office", o.key); err != nil {
			o.t.Fatal(err)
		}
	}
	keys := o.keys(name)
	key, err := keys.Get("office")
	if err != nil {
		o.t.Fatal(err)
	}
	before, err := keys.Before("office")
	if err != nil {
		o.t.Fatal(err)
	}
	c := node.Config{HostDir: o.dirs[name], Dir: filepath.Join(o.dirs[name], "profile"), Network: closedBy(o.t, key), Key: func() string { return key },
		Succeed: func(old, key string) error { return keys.Succeed("office", old, key) }}
	for _, k := range before {
		c.Previous = append(c.Previous, closedBy(o.t, k))
	}
	return c
}

func (o *office) start(names ...string) (all []*instance.Instance) {
	o.t.Helper()
	for _, name := range names {
		all = append(all, instance.Start(o.t, o.lan, name, o.config(name)))
	}
	return all
}

// offered waits until someone is offered a key, and says what they are told.
func offered(t *testing.T, i *instance.Instance, within time.Duration) (text string) {
	t.Helper()
	instance.Until(t, within, i.Name+" is offered a key", func() bool {
		return toldOf(i, func(n node.Notice) bool { text = n.Text; return strings.Contains(n.Hint, "/key accept") })
	})
	return text
}

// storedKey is the key that a machine has now.
func (o *office) storedKey(name string) string {
	o.t.Helper()
	key, err := o.keys(name).Get("office")
	if err != nil {
		o.t.Fatal(err)
	}
	return key
}

// Three stay and one is out; a fifth was away, and gets the key days later from another than the one who made it, who is gone.
func TestRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob", "carol", "mallory", "dave")
		alice, bob, carol, mallory, dave := all[0], all[1], all[2], all[3], all[4]
		instance.Meet(t, 10*time.Second, all...)
		alice.Say("with mallory")
		displays(t, bob, "#lobby", "with mallory")
		displays(t, dave, "#lobby", "with mallory")
		do(t, bob, node.Verify{Person: "alice", Fingerprint: alice.ID().Fingerprint()})
		dave.Stop()
		instance.Meet(t, 20*time.Second, all[:4]...)

		do(t, alice, node.Rotate{})
		do(t, alice, node.Rotate{Except: []string{"mallory"}})
		instance.Until(t, time.Second, "alice is told who is out", func() bool {
			return toldOf(alice, func(n node.Notice) bool {
				return strings.Contains(n.Text, "to: bob, carol, dave. Out") && strings.HasSuffix(n.Text, ": mallory")
			})
		})
		fails(t, alice, node.Rotate{Except: []string{"nobody"}, Sure: true}, "nobody called")
		fails(t, alice, node.Rotate{Except: []string{"bob"}, All: true, Sure: true}, "who is to have")
		fails(t, alice, node.AcceptKey{}, "nobody has offered")
		if o.storedKey("alice") != oldKey {
			t.Fatal("the key was changed by asking")
		}
		do(t, alice, node.Rotate{Except: []string{"mallory"}, Sure: true})
		alice = alice.Moves(10 * time.Second)
		if o.storedKey("alice") == oldKey {
			t.Fatal("the key is not changed")
		}
		for _, i := range []*instance.Instance{bob, carol} {
			if text := offered(t, i, 30*time.Second); strings.HasPrefix(text, "✓alice gives office") != (i == bob) || strings.Contains(text, "not verified") != (i == carol) {
				t.Errorf("%s is told: %s", i.Name, text)
			}
			if o.storedKey(i.Name) != oldKey {
				t.Errorf("%s was not asked", i.Name)
			}
			do(t, i, node.AcceptKey{})
		}
		bob, carol = bob.Moves(10*time.Second), carol.Moves(10*time.Second)
		instance.Meet(t, 20*time.Second, alice, bob, carol)
		bob.Say("without mallory")
		for _, i := range []*instance.Instance{alice, bob, carol} {
			displays(t, i, "#lobby", "with mallory", "without mallory")
			instance.Until(t, 10*time.Second, i.Name+" knows for whom it is waited", func() bool {
				k := i.Snapshot().Key
				return k != nil && k.String() == "3 of 4 have the new key; waiting for dave"
			})
		}
		finds(t, carol, "mallory", "#lobby with mallory", "#lobby without mallory")
		if k, err := node.ProgressOf(carol.Dir(), closedBy(t, o.storedKey("carol"))); err != nil || k == nil || k.Have != 3 {
			t.Errorf("on the disk %v, %v", k, err)
		}

		alice.Stop()
		carol.Crash()
		bob.Stop()
		mallory.Stop()
		time.Sleep(3 * 24 * time.Hour)
		all = o.start("bob", "dave", "mallory")
		bob, dave, mallory = all[0], all[1], all[2]
		if text := offered(t, dave, time.Minute); !strings.HasPrefix(text, "bob gives office a new key, made by alice as they say, for you and 3 more") {
			t.Errorf("dave is told: %s", text)
		}
		do(t, dave, node.AcceptKey{})
		dave = dave.Moves(10 * time.Second)
		instance.Meet(t, 20*time.Second, bob, dave)
		displays(t, dave, "#lobby", "with mallory", "without mallory")
		instance.Until(t, time.Minute, "all have it", func() bool { return bob.Snapshot().Key == nil })

		mallory.Say("anybody?")
		time.Sleep(time.Minute)
		displays(t, mallory, "#lobby", "with mallory", "anybody?")
		displays(t, bob, "#lobby", "with mallory", "without mallory")
		for _, p := range mallory.Snapshot().People {
			if !p.Me && !p.Away { // dave has not met carol since, and has a courier for her
				t.Errorf("mallory is not alone: %+v", p)
			}
		}
		if toldOf(mallory, func(n node.Notice) bool { return strings.Contains(n.Text, "key") }) {
			t.Error("mallory was told")
		}
		if got := o.storedKey("mallory"); got != oldKey {
			t.Error("mallory has the key")
		}
		fails(t, mallory, node.AcceptKey{}, "nobody has offered")
		noSecret(t, o.storedKey("alice"), all...)
		noSecret(t, o.storedKey("alice"), alice, bob, carol, dave)
	})
}

// noSecret checks that a key is in nothing that was told, and in no file of a profile but offers that wait.
func noSecret(t *testing.T, key string, all ...*instance.Instance) {
	t.Helper()
	for _, i := range all {
		for _, e := range i.Events() {
			if n, ok := e.(node.Notice); ok && (strings.Contains(n.Text, key) || strings.Contains(n.Hint, key)) {
				t.Errorf("%s was told the key", i.Name)
			}
		}
		if in := disk.Find(t, i.Dir(), key); len(in) > 0 {
			t.Errorf("of %s %q hold the key", i.Name, in)
		}
	}
}

// Whoever changed the key was killed before anybody was told, and one who took it before it went on.
func TestRotateInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob", "carol")
		alice, bob, carol := all[0], all[1], all[2]
		instance.Meet(t, 10*time.Second, all...)
		do(t, alice, node.Rotate{Only: []string{"bob", "carol"}, Sure: true})
		alice.Crash()
		if toldOf(bob, func(n node.Notice) bool { return strings.Contains(n.Hint, "/key accept") }) {
			t.Fatal("bob was told already: this test does not interrupt anything")
		}
		alice = o.start("alice")[0]
		offered(t, bob, time.Minute)
		offered(t, carol, time.Minute)
		alice.Stop()
		bob.Crash() // it is asked again, by what it holds
		bob = o.start("bob")[0]
		if !strings.HasPrefix(offered(t, bob, time.Second), "alice gives office a new key for you and 2 more") {
			t.Error("bob is told something else after a restart")
		}
		alice = o.start("alice")[0]
		do(t, bob, node.AcceptKey{})
		bob.Crash()
		bob = o.start("bob")[0]
		instance.Meet(t, time.Minute, alice, bob)
		do(t, carol, node.DeclineKey{})
		carol.Stop()
		carol = o.start("carol")[0]
		time.Sleep(time.Minute)
		if toldOf(carol, func(n node.Notice) bool { return strings.Contains(n.Hint, "/key accept") }) {
			t.Error("carol is asked again")
		}
		fails(t, carol, node.AcceptKey{}, "nobody has offered")
		if o.storedKey("carol") != oldKey || o.storedKey("bob") != o.storedKey("alice") {
			t.Error("the keys are not as they should be")
		}
	})
}

// Two change the key at the same time: all end in one network, each asked at most twice.
func TestRotateTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob", "carol", "dave")
		instance.Meet(t, 10*time.Second, all...)
		o.lan.Split([]string{"alice", "carol"}, []string{"bob", "dave"})
		time.Sleep(time.Minute)
		do(t, all[0], node.Rotate{All: true, Sure: true})
		do(t, all[1], node.Rotate{All: true, Sure: true})
		all[0], all[1] = all[0].Moves(10*time.Second), all[1].Moves(10*time.Second)
		for n := 2; n < 4; n++ {
			offered(t, all[n], time.Minute)
			do(t, all[n], node.AcceptKey{})
			all[n] = all[n].Moves(10 * time.Second)
		}
		if o.storedKey("alice") != o.storedKey("carol") || o.storedKey("bob") != o.storedKey("dave") || o.storedKey("alice") == o.storedKey("bob") {
			t.Fatal("the keys are not as they should be")
		}
		all[0].Say("on one side")
		time.Sleep(time.Second)
		all[1].Say("on the other")
		displays(t, all[2], "#lobby", "on one side")
		displays(t, all[3], "#lobby", "on the other")
		o.lan.Join()
		a, b := closedBy(t, o.storedKey("alice")).ID(), closedBy(t, o.storedKey("bob")).ID()
		first := 1 // of those who go
		if string(a[:]) > string(b[:]) {
			first = 0
		}
		for n := first; n < 4; n += 2 {
			offered(t, all[n], 5*time.Minute)
			do(t, all[n], node.AcceptKey{})
			all[n] = all[n].Moves(10 * time.Second)
		}
		instance.Meet(t, time.Minute, all...)
		for n := first; n < 4; n += 2 { // what they said is theirs to read
			displays(t, all[n], "#lobby", "on one side", "on the other")
		}
		for n := 1 - first; n < 4; n += 2 {
			if toldOf(all[n], func(n node.Notice) bool { return strings.Contains(n.Hint, "/key accept") }) {
				t.Errorf("%s is asked", all[n].Name)
			}
		}
	})
}

// A box asks nobody: it takes a key from those alone whom its operator has verified.
func TestRotateBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		c := o.config("box")
		c.ServerOnly = true
		box := instance.Start(t, o.lan, "box", c)
		all := append(o.start("alice", "bob"), box)
		alice, bob := all[0], all[1]
		instance.Meet(t, 10*time.Second, all...)
		do(t, bob, node.Rotate{All: true, Sure: true})
		bob = bob.Moves(10 * time.Second)
		offered(t, box, time.Minute)
		offered(t, alice, time.Minute)
		do(t, box, node.Verify{Person: "bob", Fingerprint: bob.ID().Fingerprint()})
		do(t, alice, node.AcceptKey{})
		alice = alice.Moves(10 * time.Second)
		instance.Meet(t, time.Minute, alice, bob)
		do(t, box, node.AcceptKey{}) // by its operator
		box = box.Moves(10 * time.Second)
		instance.Meet(t, time.Minute, alice, bob, box)
		do(t, bob, node.Rotate{Only: []string{"box"}, Sure: true})
		bob = bob.Moves(10 * time.Second)
		box = box.Moves(time.Minute)
		instance.Meet(t, time.Minute, bob, box)
	})
}

// A profile that no process uses changes the key without taking part.
func TestKeyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob", "carol")
		instance.Meet(t, 10*time.Second, all...)
		if _, err := node.OpenKeyChange(o.config("alice")); err == nil || !strings.Contains(err.Error(), "already running") {
			t.Fatalf("while it runs: %v", err)
		}
		all[0].Stop()
		k, err := node.OpenKeyChange(o.config("alice"))
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Holders) != 2 || k.Holders[0].Nick != "bob" || k.Holders[1].Nick != "carol" {
			t.Errorf("known are %+v", k.Holders)
		}
		in, out, err := node.Rotate{Except: []string{"carol"}}.Choose(k.Holders)
		if err != nil || len(in) != 1 || len(out) != 1 || out[0].ID != all[2].ID() {
			t.Fatalf("in %v, out %v, %v", in, out, err)
		}
		if err := k.Rotate(in); err != nil {
			t.Fatal(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		alice := o.start("alice")[0]
		offered(t, all[1], time.Minute)
		do(t, all[1], node.AcceptKey{})
		bob := all[1].Moves(10 * time.Second)
		instance.Meet(t, time.Minute, alice, bob)
		if toldOf(all[2], func(n node.Notice) bool { return strings.Contains(n.Hint, "/key accept") }) {
			t.Error("carol is offered the key")
		}
	})
}

// Someone in the network offers keys of their own: it is said from whom each is, no offer takes the place of another, and which is taken has to be said.
func TestRotateAmongLiars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob", "mallory")
		alice, bob, mallory := all[0], all[1], all[2]
		instance.Meet(t, 10*time.Second, all...)
		do(t, bob, node.Verify{Person: "alice", Fingerprint: alice.ID().Fingerprint()})
		do(t, mallory, node.Rotate{All: true, Sure: true})
		mallory.Moves(10 * time.Second)
		if text := offered(t, bob, time.Minute); !strings.HasPrefix(text, "mallory gives") || !strings.Contains(text, "not verified") {
			t.Errorf("bob is told: %s", text)
		}
		fails(t, bob, node.AcceptKey{From: "alice"}, "offered no new key")
		do(t, alice, node.Rotate{Only: []string{"bob"}, Sure: true})
		alice = alice.Moves(10 * time.Second)
		instance.Until(t, time.Minute, "bob is offered the other", func() bool {
			return toldOf(bob, func(n node.Notice) bool { return strings.HasPrefix(n.Text, "✓alice gives") })
		})
		fails(t, bob, node.AcceptKey{}, "not the same")
		do(t, bob, node.AcceptKey{From: "alice"})
		bob = bob.Moves(10 * time.Second)
		if o.storedKey("bob") != o.storedKey("alice") || o.storedKey("bob") == o.storedKey("mallory") {
			t.Error("bob has taken another key")
		}
		instance.Meet(t, time.Minute, alice, bob)
	})
}

// Where many go by one nick, of which the user is warned, a new key is offered all the same.
func TestRotateAmongNamesakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		all := o.start("alice", "bob")
		for i := range 9 {
			name := fmt.Sprintf("admin%d", i)
			c := o.config(name)
			c.Nick = "admin"
			all = append(all, instance.Start(t, o.lan, name, c))
		}
		instance.Meet(t, 20*time.Second, all...)
		time.Sleep(5 * time.Second)
		do(t, all[0], node.Rotate{Only: []string{"bob"}, Sure: true})
		all[0].Moves(10 * time.Second)
		offered(t, all[1], time.Minute)
	})
}

// Another machine of the same person is told too, and one that keeps nothing goes along without being waited with.
func TestRotateElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		alice := o.start("alice")[0]
		time.Sleep(time.Minute)
		alice.Stop()
		c := o.config("laptop")
		for _, secret := range []string{"identity.key", "keyring"} {
			b, err := os.ReadFile(filepath.Join(alice.Dir(), secret))
			if err == nil {
				err = identity.ReplaceSecret(filepath.Join(c.Dir, secret), b)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		alice = o.start("alice")[0]
		c.Nick = "alice"
		laptop := instance.Start(t, o.lan, "laptop", c)
		c = o.config("bob")
		c.NoHistory = true
		bob := instance.Start(t, o.lan, "bob", c)
		instance.Until(t, time.Minute, "all are there", func() bool { return bob.Peers() == 2 && bob.Here() == 2 && laptop.Here() == 2 && alice.Here() == 2 })
		fails(t, bob, node.Rotate{All: true, Sure: true}, "--no-history")
		do(t, alice, node.Rotate{All: true, Sure: true})
		alice = alice.Moves(10 * time.Second)
		offered(t, laptop, time.Minute)
		offered(t, bob, time.Minute)
		do(t, laptop, node.AcceptKey{})
		do(t, bob, node.AcceptKey{})
		laptop, bob = laptop.Moves(10*time.Second), bob.Moves(10*time.Second)
		instance.Until(t, time.Minute, "all are there again", func() bool { return bob.Peers() == 2 && bob.Here() == 2 && laptop.Here() == 2 && alice.Here() == 2 })
		if k := bob.Snapshot().Key; k != nil {
			t.Errorf("bob knows of %v", k)
		}
	})
}
