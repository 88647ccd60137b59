package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/seal"
	"earshot/node/wire"
)

// knows waits until i knows of o what is right by ok, and returns that.
func knows(t *testing.T, i *instance.Instance, o identity.PeerID, ok func(*seal.Profile) bool) (p *seal.Profile) {
	t.Helper()
	instance.Until(t, 10*time.Second, i.Name+" knows "+o.Tag(), func() bool {
		var err error
		if p, err = i.Profile(o); err != nil {
			t.Error(err)
		}
		return p != nil && ok(p)
	})
	return p
}

// A hub is told which profiles it need not say; who has dialled one needs no such list, which is long where many were met.
func TestHubListsNoProfiles(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		for _, o := range others(all, hub) {
			knows(t, hub, o.ID(), func(p *seal.Profile) bool { return p.Nick == o.Name })
		}
		p := frames.Dial(t, lan, "dave", frames.Identity(t, "dave"), address(lan, hub))
		p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Session: identity.NewSession(), Nick: "dave", LinkOnly: true})
		var hello wire.Hello
		if p.Await(time.Second, wire.TypeHello, &hello); len(hello.Known) > 0 {
			t.Errorf("the hub lists %d profiles", len(hello.Known))
		}
	})
}

// People tell each other the keys to seal for them with, over the hub, and are known when they are away; a key is renewed when it is a day old, and a changed nick told.
func TestPeopleAreKnown(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		all := start(t, lan, "alice", "bob", "carol")
		hub := instance.Meet(t, 3*time.Second, all...)
		first := map[string]*seal.Profile{}
		for _, i := range all {
			for _, o := range others(all, i) {
				p := knows(t, i, o.ID(), func(p *seal.Profile) bool { return p.Nick == o.Name })
				if was := first[o.Name]; was != nil && was.Key != p.Key {
					t.Errorf("%s has two keys", o.Name)
				}
				first[o.Name] = p
			}
		}
		if first["alice"].Key == first["bob"].Key || first["bob"].Person != all[1].ID() {
			t.Error("two have one key, or it is another's")
		}
		bob := all[1].ID()
		do(t, hub, node.Rename{Nick: "chief"})
		for _, i := range others(all, hub) {
			if p := knows(t, i, hub.ID(), func(p *seal.Profile) bool { return p.Nick == "chief" }); p.Key != first[hub.Name].Key {
				t.Error("with another nick it has another key")
			}
		}
		for _, i := range all {
			i.Stop()
		}
		time.Sleep(25 * time.Hour)
		alice := instance.Start(t, lan, "alice", node.Config{})
		carol := instance.Start(t, lan, "carol", node.Config{})
		instance.Meet(t, 10*time.Second, alice, carol)
		p := knows(t, alice, bob, func(*seal.Profile) bool { return true })
		if p.Key != first["bob"].Key {
			t.Error("who is away has another key")
		}
		again := instance.Start(t, lan, "bob", node.Config{Nick: "bob"})
		for _, i := range []*instance.Instance{alice, carol} {
			p = knows(t, i, bob, func(p *seal.Profile) bool { return p.Key != first["bob"].Key })
			if p.Version <= first["bob"].Version || p.Nick != "bob" {
				t.Errorf("%s knows version %d of %s after %d", i.Name, p.Version, p.Nick, first["bob"].Version)
			}
		}
		ring, err := identity.ReadSecret(filepath.Join(again.Dir(), "keyring"))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := seal.ParseRing(ring); err != nil || !r.Has(first["bob"].Key.ID()) || !r.Has(p.Key.ID()) {
			t.Errorf("bob's ring is %v, %v", r, err)
		}
	})
}

// A keyring that others could have read, or that is damaged, stops the start and is left alone.
func TestBadKeyring(t *testing.T) {
	for name, c := range map[string]struct {
		mode os.FileMode
		want error
	}{"exposed": {0o644, identity.ErrExposed}, "damaged": {0o600, seal.ErrMalformed}} {
		if runtime.GOOS == "windows" && c.want == identity.ErrExposed {
			continue // no such mode bits
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "keyring")
		if err := errors.Join(os.WriteFile(path, []byte("no keys"), c.mode), os.Chmod(path, c.mode)); err != nil { // whatever the umask
			t.Fatal(err)
		}
		if n, err := node.New(node.Config{Dir: dir, HostDir: t.TempDir(), Nick: "alice"}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
		if b, err := os.ReadFile(path); string(b) != "no keys" || err != nil {
			t.Errorf("%s: now %q, %v", name, b, err)
		}
	}
}
