package node

import (
	"bytes"
	"testing"

	"earshot/node/identity"
	"earshot/node/seal"
	"earshot/node/wire"
)

// What an instance shows is believed where its own person signed it, and an old one does not take the place of a newer.
func TestMeet(t *testing.T) {
	who := func(n byte) *identity.Identity {
		i, err := identity.FromSeed(bytes.Repeat([]byte{n}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	profile := func(i *identity.Identity, version uint64) *seal.Profile {
		dir := &profile{dir: t.TempDir(), settings: settings{Version: version - 1 + 1<<60}}
		ring, err := dir.openRing(timeOf(0))
		if err != nil {
			t.Fatal(err)
		}
		a := &acquaintances{who: i, ring: ring, profile: dir}
		if err := a.introduce("x"); err != nil {
			t.Fatal(err)
		}
		if a.own.Version != version+1<<60 {
			t.Fatalf("version %d", a.own.Version)
		}
		return a.own
	}
	bob, mallory := who(2), who(9)
	a := &acquaintances{own: profile(who(1), 1), known: map[identity.PeerID]*seal.Profile{}}
	two := profile(bob, 2)
	if err := a.meet(mallory.ID(), two.Bytes()); err == nil || a.newest(mallory.ID()) != nil {
		t.Errorf("another's profile: %v", err)
	}
	forged := bytes.Clone(two.Bytes())
	forged[70] ^= 1
	if err := a.meet(bob.ID(), forged); err == nil || a.newest(bob.ID()) != nil {
		t.Errorf("a forged profile: %v", err)
	}
	for version, want := range map[uint64]uint64{2: 2, 1: 2} {
		p := two
		if version != 2 {
			if err := a.meet(bob.ID(), two.Bytes()); err != nil {
				t.Fatal(err)
			}
			p = profile(bob, version)
		}
		if err := a.meet(bob.ID(), p.Bytes()); err != nil || a.newest(bob.ID()).Version != want+1<<60 {
			t.Errorf("version %d: %v, and it is %d", version, err, a.newest(bob.ID()).Version-1<<60)
		}
	}
	own, known := a.shown(), a.marks()
	if len(known) != 1 || known[0] != wire.ProfileMark(two.Bytes()) || !bytes.Equal(own, a.own.Bytes()) {
		t.Errorf("%d bytes and %d marks are told", len(own), len(known))
	}
	for n := range byte(200) {
		for k := range byte(3) {
			p := *two
			a.known[identity.PeerID{n, k}] = &p
		}
	}
	a.forget(map[identity.PeerID]bool{bob.ID(): true, {1, 1}: true})
	if len(a.known) != 2 || a.newest(bob.ID()) == nil {
		t.Errorf("%d are remembered", len(a.known))
	}
}
