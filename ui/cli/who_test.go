package cli

import (
	"strings"
	"testing"

	"earshot/node/identity"
	"earshot/node/probe"
)

func TestPrintPeers(t *testing.T) {
	me := identity.PeerID{7}
	hub := probe.Seen{Session: identity.Session{1}, ID: identity.PeerID{1}, Nick: "漢字", Address: "10.0.0.1:4327", Class: 1, Hub: true, Weight: 2, Term: 3, Answered: true, Software: "earshot 0.1", With: identity.Session{1}}
	list := []probe.Seen{
		hub,
		{Session: identity.Session{2}, ID: me, Nick: "alice", Address: "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:43278", Class: 0, LinkOnly: true, Away: true},
		{Session: identity.Session{3}, ID: identity.PeerID{3}, Nick: strings.Repeat("w", 24), Class: 2, Address: "10.0.0.3:4327"},
	}
	for _, tc := range []struct {
		list []probe.Seen
		show func(*strings.Builder, []probe.Seen) error
		want string
	}{
		{list, forPeople(me), `NICK                      TAG   ROLE                ADDRESS
漢字                      VU5C  hub                 10.0.0.1:4327
alice                     GFRV  you, by hand, away  [2001:db8:ffff:ffff:ffff:ff…
wwwwwwwwwwwwwwwwwwwwwwww  EWCK  server              10.0.0.3:4327

漢字 is the hub: class 1 (like most),
weight 2 (2 to 3 follow it), term 3.
It stays while it is there, unless one of a higher class comes.
`},
		{list[1:2], forPeople(identity.PeerID{}), `NICK   TAG   ROLE           ADDRESS
alice  GFRV  by hand, away  [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:43278

Nobody is the hub at this moment.
`},
		{list[:2], forScripts(me), `{"event":"instance","nick":"漢字","id":"ID1","session":"0100000000000000","address":"10.0.0.1:4327","me":false,"hub":true,"class":1,"weight":2,"term":3,"link_only":false,"away":false,"answered":true,"with":"0100000000000000","software":"earshot 0.1"}
{"event":"instance","nick":"alice","id":"ID7","session":"0200000000000000","address":"[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:43278","me":true,"hub":false,"class":0,"weight":0,"term":0,"link_only":true,"away":true,"answered":false}
`},
	} {
		var b strings.Builder
		if err := tc.show(&b, tc.list); err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer("ID1", hub.ID.Fingerprint(), "ID7", me.Fingerprint()).Replace(tc.want)
		if b.String() != want {
			t.Errorf("printed\n%swant\n%s", b.String(), want)
		}
	}
}

func forPeople(me identity.PeerID) func(*strings.Builder, []probe.Seen) error {
	return func(b *strings.Builder, list []probe.Seen) error { return PrintPeers(b, list, me) }
}

func forScripts(me identity.PeerID) func(*strings.Builder, []probe.Seen) error {
	return func(b *strings.Builder, list []probe.Seen) error { return PrintPeersJSON(b, list, me) }
}
