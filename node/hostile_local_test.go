package node_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/wire"
)

// What the command line does about 42 to 44 is in the scripts of ui/cli (key.txtar, key-argument.txtar) and its TestProfileInUse.
var localAttacks = []attack{
	{"40 duplicate, look-alike or reserved nick", nicks},
	{"42 key readable by others", exposedKey},
	{"43 key in logs and crash output", keyInLogs},
	{"44 two processes on one profile", twoProcesses},
}

// Whoever goes by a nick that is another's, or that the program speaks by, has the tag of their key behind it, where they are listed and where they speak.
func nicks(t *testing.T) {
	v := stand(t, node.Config{})
	shown := func(who string) (p node.Person) {
		for _, q := range v.Snapshot().People {
			if q.ID == frames.Identity(t, who).ID() {
				p = q
			}
		}
		return p
	}
	v.enter(as("bob"), "bob")
	v.until(patience, "shows bob", func() bool { return shown("bob").Nick == "bob" })
	for nick, tagged := range map[string]bool{"bob": true, "BOB": true, "bоb": true, "b\u200bob": true, "alice": true, "аlісе": true, "system": true, "hub": true, "ｅａｒｓｈｏｔ": true, "bob~7Q2K": false, "carol": false} {
		who := "mallory who is " + nick
		c := from(byte(100 + len(nick)))
		c.Who = who
		p := v.enter(c, nick)
		v.until(patience, "shows "+nick, func() bool { return shown(who).Nick != "" })
		l := hostile.NewLog(frames.Identity(t, who), closedNetwork(t).ID(), nick, message.Lobby, message.RoomID{})
		text := "trust me, I am " + nick
		p.Bytes(l.Text(text))
		var said node.Message
		v.until(patience, "shows it", func() bool {
			page, err := v.Page(lobby, node.Key{}, 1)
			if err == nil && len(page) == 1 {
				said = page[0]
			}
			return said.Author == frames.Identity(t, who).ID()
		})
		q, tag := shown(who), "~"+frames.Identity(t, who).ID().Tag()
		if got := strings.HasSuffix(q.Nick, tag) && strings.HasSuffix(said.Nick, tag); got != tagged || (q.Warning != "") != tagged || !tagged && strings.Contains(q.Nick, "~") {
			t.Errorf("%s is shown as %q, in the room as %q, with the warning %q", nick, q.Nick, said.Nick, q.Warning)
		}
		p.Hangup()
	}
}

// Neither key is used when others could have read it, and the words to mend it are there.
func exposedKey(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such bits")
	}
	for _, file := range []string{"identity.key", "keyring"} {
		v := stand(t, node.Config{})
		v.stop()
		path := filepath.Join(v.dir, file)
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o666} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			n, err := node.New(node.Config{Dir: v.dir, Net: hostile.Net{}, Port: -1, NoHistory: true})
			if err == nil {
				n.Close()
			}
			if !errors.Is(err, identity.ErrExposed) || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with mode %o: %v", file, mode, err)
			}
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := node.New(node.Config{Dir: v.dir, Net: hostile.Net{}, Port: -1, NoHistory: true})
		if err != nil {
			t.Fatal(err)
		}
		n.Close()
	}
}

// spellings are the ways in which a secret could be written down.
func spellings(secret []byte) (out [][]byte) {
	list := strings.Trim(fmt.Sprint(secret), "[]")
	for _, s := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%q", secret), list, strings.ReplaceAll(list, " ", ", "), fmt.Sprintf("%#v", secret)} {
		out = append(out, []byte(s))
	}
	return append(out, hex.AppendEncode(nil, secret[:min(16, len(secret))]))
}

// A node of a closed network is attacked, talks, and is printed as a crash would: its keys are in none of it.
func keyInLogs(t *testing.T) {
	v, c := stand(t, node.Config{}), as("mallory")
	bad := *c
	bad.Secret = secrets[1]
	bad.Dial(t, v.at)
	p := v.enter(c, "mallory")
	p.Bytes(wire.AppendFrame(nil, wire.TypeRun, make([]byte, 200)))
	cut(t, p)
	v.do(node.NewRoom{Name: "plans"})
	v.do(node.Say{Room: "#plans", Text: "the words"})
	v.shows("#plans", "the words")
	var b bytes.Buffer
	b.WriteString(v.log.String())
	for _, x := range []any{v.Snapshot(), networkOf(t, "lobby", secrets[0])} {
		fmt.Fprintf(&b, "%v %+v %#v %s\n", x, x, x, x)
	}
	identityKey, err := os.ReadFile(filepath.Join(v.dir, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := os.ReadFile(filepath.Join(v.dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"the network's key": secrets[0], "the identity": bytes.TrimSpace(identityKey), "the keyring": ring[28:60], "what was said": []byte("the words")} {
		for _, s := range spellings(secret) {
			if bytes.Contains(b.Bytes(), s) {
				t.Errorf("%s stands there as %q", name, s)
			}
		}
	}
}

func twoProcesses(t *testing.T) {
	v := stand(t, node.Config{})
	n, err := node.New(node.Config{Dir: v.dir, Net: hostile.Net{}, Port: -1, NoHistory: true})
	if err == nil {
		n.Close()
	}
	var e *node.Error
	if !errors.Is(err, node.ErrInUse) || !errors.As(err, &e) || !strings.Contains(e.Hint, "--profile") {
		t.Fatalf("the second: %+v", err)
	}
	v.do(node.Say{Room: lobby, Text: "the first goes on"})
	v.shows(lobby, "the first goes on")
	v.stop()
	if n, err = node.New(node.Config{Dir: v.dir, Net: hostile.Net{}, Port: -1, NoHistory: true}); err != nil {
		t.Fatal(err)
	}
	n.Close()
}
