package identity

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestNetworkVectors(t *testing.T) {
	secret := make([]byte, 16)
	for i := range secret {
		secret[i] = byte(i)
	}
	for _, v := range []struct {
		secret    []byte
		id, admit string
	}{
		{nil, "581c0b673446a5013a0ce3fabb466eb2", "b70a1424a67f6f44d8361de2f37d93c56561c61a70b05132823722a36b251c23"},
		{secret, "c59cd596c46e1d174c8b56485897fb10", "d9ff13f148dce61abf78b2695a77972b22b25fe6c593719c4c1edd747daa20db"},
	} {
		n := network(t, "lobby", string(v.secret))
		id := n.ID()
		if got := hex.EncodeToString(id[:]); got != v.id {
			t.Errorf("netid %s, want %s", got, v.id)
		}
		if got := hex.EncodeToString(n.keys().admit); got != v.admit {
			t.Errorf("admit %s, want %s", got, v.admit)
		}
		if n.Closed() != (v.secret != nil) || n.Name() != "lobby" {
			t.Errorf("name %s, closed %v", n.Name(), n.Closed())
		}
	}
}

// The bytes other machines compare with: once shipped, they never change.
func TestNetworkGolden(t *testing.T) {
	n := network(t, "lobby", "")
	s := Session{1, 2, 3, 4, 5, 6, 7, 8}
	tag := n.MDNSTag(s, 4327)
	realm := Realm{15: 1}.Tag(s, PeerID{31: 1})
	for _, v := range []struct {
		what, want string
		got        []byte
	}{
		{"gossip key", "3b405b9b2f1a2b6588246f1990ad8ec005ad9c5439550bc86addeb1b7608afe0", n.GossipKey()},
		{"beacon key", "e6585661365e169c6807ff6398d62e9e17a0f0d6b2715dfcc0995ff073927a8d", n.BeaconKey()},
		{"mDNS tag", "1c5abb83bf490ac73b4e2ac661494344", tag[:]},
		{"realm tag", "177a9875ae4a340f", realm[:]},
	} {
		if got := hex.EncodeToString(v.got); got != v.want {
			t.Errorf("%s %s, want %s", v.what, got, v.want)
		}
	}
	if n.MDNSTag(s, 4328) == tag || n.MDNSTag(Session{}, 4327) == tag || network(t, "lobbz", "").MDNSTag(s, 4327) == tag {
		t.Error("a tag does not cover session, port and network")
	}
}

func TestNetworkRefusals(t *testing.T) {
	for _, v := range []struct{ name, secret string }{
		{"lobby", "0123456789abcde"},
		{"", ""},
		{strings.Repeat("x", MaxNetworkName+1), ""},
		{"\xff", ""},
	} {
		if n, err := NewNetwork(v.name, []byte(v.secret)); err == nil {
			t.Errorf("%q with %d secret bytes became %v", v.name, len(v.secret), n)
		}
	}
}

func TestNetworkKeysAreCopies(t *testing.T) {
	n := network(t, "lobby", "")
	n.GossipKey()[0] ^= 1
	if n.GossipKey()[0] != n.keys().gossip[0] {
		t.Error("a caller changed the network's key")
	}
}

func TestNewRealm(t *testing.T) {
	if r := NewRealm(); r == NewRealm() || r == (Realm{}) {
		t.Error("realms are not random")
	}
}
