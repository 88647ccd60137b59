package command

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
)

// acquainted is a user who knows bob, carol and a false bob.
func acquainted() At {
	s := snapshot()
	s.Me.ID = identity.PeerID{1}
	met := time.Date(2026, 11, 3, 9, 0, 0, 0, time.Local)
	known := map[string]node.Whois{
		"alice":    {Person: s.Me, Code: "EARSHOT:VERIFY:00:ALICE"},
		"bob":      {Person: node.Person{ID: identity.PeerID{2}, Nick: "bob", Hub: true, Latency: 400 * time.Microsecond, Address: []string{"10.0.0.7:4327"}}, Machines: 2, First: met, Last: met},
		"bob~AAAA": {Person: node.Person{ID: identity.PeerID{3}, Nick: "bob~AAAA", Warning: "is not the bob you met first", Ignored: true}, Machines: 1},
		"carol":    {Person: node.Person{ID: identity.PeerID{4}, Nick: "carol", Verified: true, Gone: true}, First: met, Last: met, Nicks: []string{"caro", "lina"}},
	}
	return At{Room: "#lobby", Snapshot: s, Whois: func(name string) (node.Whois, error) {
		for nick, w := range known {
			if nick == strings.TrimPrefix(name, "@") || w.ID.Fingerprint() == name || strings.HasPrefix(name, "EARSHOT:VERIFY:00:") && nick == "bob" {
				return w, nil
			}
		}
		return node.Whois{}, &node.Error{Text: "nobody is called " + name}
	}}
}

func TestWhois(t *testing.T) {
	print := func(n byte) string { return identity.PeerID{n}.Fingerprint() }
	for in, want := range map[string]string{
		"/whois @bob":     "bob: the hub, 0.4 ms\n  fingerprint " + print(2) + "\n  not verified; /verify bob makes sure of it\n  at 10.0.0.7:4327\n  on 2 machines\n  met first 3 Nov 2026 09:00",
		"/whois bob~AAAA": "bob~AAAA\n  careful: bob~AAAA is not the bob you met first\n  fingerprint " + print(3) + "\n  not verified; /verify bob~AAAA makes sure of it\n  ignored; /unignore bob~AAAA changes it",
		"/whois carol":    "carol: verified\n  fingerprint " + print(4) + "\n  was also called caro, lina\n  met first 3 Nov 2026 09:00\n  seen last 3 Nov 2026 09:00",
		"/whois alice":    "alice: you\n  fingerprint " + print(1),
	} {
		if a, err := Parse(in, acquainted()); err != nil || strings.Join(a.Lines, "\n") != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", in, err, strings.Join(a.Lines, "\n"), want)
		}
	}
}

func TestVerify(t *testing.T) {
	bob, me := identity.PeerID{2}.Fingerprint(), identity.PeerID{1}.Fingerprint()
	for in, want := range map[string]node.Command{
		"/verify bob " + bob:              node.Verify{Person: "bob", Fingerprint: bob},
		"/verify bob 3o5d jnar":           node.Verify{Person: "bob", Fingerprint: "3o5d jnar"},
		"/verify EARSHOT:VERIFY:00:BOB":   node.Verify{Person: "EARSHOT:VERIFY:00:BOB", Fingerprint: "EARSHOT:VERIFY:00:BOB"},
		"/verify bob earshot:verify:0:bO": node.Verify{Person: "bob", Fingerprint: "earshot:verify:0:bO"},
		"/unverify bob":                   node.Unverify{Person: "bob"},
		"/ignore @bob~AAAA":               node.Ignore{Person: "@bob~AAAA"},
		"/unignore " + bob:                node.Unignore{Person: bob},
	} {
		if a, err := Parse(in, acquainted()); err != nil || a.Do != want || len(a.Lines) != 1 || a.QR != "" {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
	a, err := Parse("/verify bob", acquainted())
	if err != nil || a.Do != nil || a.QR != "EARSHOT:VERIFY:00:ALICE" {
		t.Errorf("%+v, %v", a, err)
	}
	var read []string // the groups that are shown, with their words
	for _, l := range a.Lines {
		if groups, words, ok := strings.Cut(strings.TrimPrefix(l, "  "), "  "); ok && strings.HasPrefix(l, "  ") {
			read = append(read, strings.Split(groups, "-")...)
			if n := len(strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' })); n != 8 {
				t.Errorf("%q has %d words", l, n)
			}
		}
	}
	if want := append(strings.Split(me, "-"), strings.Split(bob, "-")...); !slices.Equal(read, want) {
		t.Errorf("to read are %q, want %q", read, want)
	}
	if got := spell("AZ27"); got != "alfa zulu two seven" {
		t.Error(got)
	}
	if a, err := Parse("/fingerprint", acquainted()); err != nil || a.Lines[0] != "your fingerprint is "+me || a.QR == "" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := Parse("/fingerprint bob", acquainted()); err != nil || a.Lines[0] != "the fingerprint of bob is "+bob || a.QR != "" {
		t.Errorf("%+v, %v", a, err)
	}
	for in, want := range map[string]string{
		"/verify": "whom?", "/verify zoe": "nobody is called zoe", "/verify alice": "that is you", "/whois": "who?", "/unignore": "whom?", "/fingerprint zoe": "nobody is called zoe",
	} {
		var e *node.Error
		if a, err := Parse(in, acquainted()); !errors.As(err, &e) || e.Text != want || e.Hint == "" && !strings.Contains(in, "zoe") {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
}

func TestIgnored(t *testing.T) {
	at := acquainted()
	if a, err := Parse("/ignore", at); err != nil || a.Do != nil || !strings.HasPrefix(a.Lines[0], "you ignore nobody") {
		t.Errorf("%+v, %v", a, err)
	}
	at.Snapshot.Ignored = []node.Person{{Nick: "mallory"}, {Nick: "zoe", Gone: true}}
	if a, err := Parse("/ignore", at); err != nil || strings.Join(a.Lines, "\n") != "you ignore:\n  mallory  here\n  zoe      not here" {
		t.Errorf("%q, %v", a.Lines, err)
	}
	if got := Who(at.Snapshot)[0]; got != "4 here in lobby (1 ignored):" {
		t.Error(got)
	}
}
