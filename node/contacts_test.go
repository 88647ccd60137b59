package node

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
)

func peer(n int) (p identity.PeerID) {
	copy(p[:], fmt.Sprintf("peer %07d", n))
	return p
}

func see(c *contacts, n int, nick string, at time.Time) {
	c.see(peer(n), nick, message.NickKey(nick), at)
}

func remembered(t *testing.T, path string, noHistory bool) *contacts {
	t.Helper()
	c, err := openContacts(path, noHistory, peer(0), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Ten thousand strangers a day, each with a nick of their own or somebody's, put nobody out who was really met, and take nobody's nick; what they take of the disk is bounded.
func TestStrangersPutNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "contacts.json")
		c := remembered(t, path, false)
		nick := func(n int) string { return fmt.Sprint("friend", n) }
		for range 3 {
			for n := 1; n <= 50; n++ {
				see(c, n, nick(n), time.Now())
			}
			time.Sleep(24 * time.Hour)
		}
		if err := c.mark(peer(100), "verified", func(k *contact) { k.Verified = true }); err != nil {
			t.Fatal(err)
		}
		if err := c.mark(peer(101), "ignored", func(k *contact) { k.Ignored = true }); err != nil {
			t.Fatal(err)
		}
		next := 1000
		for day := range 12 {
			for n := range 10_000 {
				next++
				see(c, next, nick(n%200), time.Now())
			}
			if n, most := len(c.known), 60+(day+1)*(maxStrangers+1); n > most {
				t.Errorf("after %d days %d are known, want %d at most", day+1, n, most)
			}
			see(c, 900+day, fmt.Sprint("late", day), time.Now().Add(24*time.Hour)) // in the morning, before they come again
			time.Sleep(24 * time.Hour)
		}
		if err := c.save(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*contacts{c, remembered(t, path, false)} {
			if n := len(c.known); n > maxContacts || n < maxContacts/2 {
				t.Errorf("%d are known", n)
			}
			for n := 1; n <= 50; n++ {
				if first, _ := c.of(message.NickKey(nick(n)), peer(n)); first != peer(n) {
					t.Errorf("%s is %x's", nick(n), first[:4])
				}
			}
			if v, _ := c.marked(peer(100)); !v || !c.ignores(peer(101)) {
				t.Error("who is verified or ignored is forgotten")
			}
			if _, known := c.get(peer(911)); !known {
				t.Error("a stranger of yesterday is forgotten, and more of them are known")
			}
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() > 800<<10 || info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
			t.Errorf("%v, %v", info, err)
		}
	})
}

// The nick is whose it was first, but who is verified goes before, and who is ignored has none; two at once have none either.
func TestWhoseNick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := remembered(t, filepath.Join(t.TempDir(), "contacts.json"), false)
		key := message.NickKey("alice")
		of := func(want int) {
			t.Helper()
			id := identity.PeerID{}
			if want > 0 {
				id = peer(want)
			}
			if first, _ := c.of(key, peer(1)); first != id {
				t.Errorf("it is %.12s's, want %.12s's", first, id)
			}
		}
		mark := func(n int, edit func(*contact)) {
			t.Helper()
			if err := c.mark(peer(n), "", edit); err != nil {
				t.Fatal(err)
			}
		}
		of(0)
		see(c, 1, "alice", time.Now())
		of(1)
		time.Sleep(time.Second)
		see(c, 2, "аlісе", time.Now()) // a second later nobody knows who was first
		of(0)
		see(c, 2, "bob", time.Now()) // they had it all the same
		of(0)
		time.Sleep(time.Hour)
		see(c, 3, "ALICE", time.Now())
		of(0)
		mark(3, func(k *contact) { k.Verified = true })
		of(3)
		mark(1, func(k *contact) { k.Verified = true })
		of(1)
		mark(1, func(k *contact) { k.Ignored = true })
		of(3)
		mark(3, func(k *contact) { k.Verified = false })
		mark(2, func(k *contact) { k.Ignored = true })
		of(3)
		mark(1, func(k *contact) { k.Verified, k.Ignored = false, false })
		of(1)
		see(c, 4, "dave", time.Now())
		mark(4, func(k *contact) { k.Verified = true })
		time.Sleep(time.Hour)
		see(c, 4, "alice", time.Now()) // who is verified as dave is no alice
		of(1)
		see(c, 4, "dave", time.Now())
		time.Sleep(time.Hour)
		see(c, 5, "Dave", time.Now().Add(-72*time.Hour)) // by a clock that went back
		if first, _ := c.of(message.NickKey("dave"), peer(5)); first != peer(4) {
			t.Errorf("dave is %.12s", first)
		}
		mark(4, func(k *contact) { k.Verified = false })
		if first, _ := c.of(message.NickKey("dave"), peer(4)); first == peer(5) {
			t.Error("the clock went back, and dave is another")
		}
		for n := range 2 * maxClaims { // who goes by many nicks keeps the newest
			see(c, 1, fmt.Sprint("other", n), time.Now())
		}
		of(3)
		if k, _ := c.get(peer(1)); len(k.Nicks) != maxClaims || k.nick() != "other7" {
			t.Errorf("%+v", k)
		}
		for key, ids := range c.claims { // the index holds what the contacts do
			for _, id := range ids {
				if k := c.known[id]; k == nil || !slices.ContainsFunc(k.Nicks, func(cl claim) bool { return cl.key == key }) {
					t.Errorf("%q is said to be %.12s's", key, id)
				}
			}
		}
	})
}

// The nick by which somebody was verified stays theirs, whatever they call themselves since, or a hub says that they do.
func TestVerifiedNickStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "contacts.json")
		c := remembered(t, path, false)
		see(c, 1, "alice", time.Now())
		if err := c.mark(peer(1), "", func(k *contact) { k.Verified = true }); err != nil {
			t.Fatal(err)
		}
		for n := range 2 * maxClaims {
			see(c, 1, fmt.Sprint("other", n), time.Now())
		}
		time.Sleep(time.Hour)
		see(c, 2, "alice", time.Now())
		if err := c.save(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*contacts{c, remembered(t, path, false)} {
			if first, _ := c.of(message.NickKey("alice"), peer(2)); first != peer(1) {
				t.Errorf("alice is %.12s", first)
			}
			if k, _ := c.get(peer(1)); len(k.Nicks) != maxClaims || k.nick() != "other7" {
				t.Errorf("%+v", k)
			}
		}
	})
}

// Without a history nobody is remembered but who is verified or ignored, without a word of when; what an earlier process wrote stays.
func TestRememberedWithoutHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "network", "contacts.json")
		c := remembered(t, path, true)
		see(c, 1, "alice", time.Now())
		see(c, 2, "bob", time.Now())
		if len(c.dirty) > 0 {
			t.Error("something is to be written")
		}
		if err := c.mark(peer(2), "bob", func(k *contact) { k.Verified = true }); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var list []map[string]any
		if err := json.Unmarshal(b, &list); err != nil || len(list) != 1 || len(list[0]) != 3 || strings.Contains(string(b), "since") {
			t.Errorf("written: %s, %v", b, err)
		}
		long := remembered(t, path, false)
		see(long, 3, "carol", time.Now())
		if err := long.save(); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		c = remembered(t, path, true)
		see(c, 3, "caroline", time.Now())
		see(c, 4, "dave", time.Now())
		if err := c.save(); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("written: %s, before %s, %v", after, before, err)
		}
	})
}

// What is remembered of people and damaged is set aside and told of; the chat begins without it.
func TestDamagedContacts(t *testing.T) {
	network, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{"", "[{", `[{"key":"00"}]`, `{}`, "\x00\x00\x00"} {
		dir := t.TempDir()
		path := (&profile{dir: dir}).contacts(network.ID())
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := New(Config{Dir: dir, HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net()})
		if err != nil {
			t.Fatalf("%q: %v", damaged, err)
		}
		aside, err := filepath.Glob(path + ".corrupt-*")
		if err != nil || len(aside) != 1 || len(n.notices) != 1 || !strings.Contains(n.notices[0].Hint, aside[0]) {
			t.Errorf("%q: set aside are %v, told %v", damaged, aside, n.notices)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What cannot be written is not so.
func TestMarkNotWritten(t *testing.T) {
	dir := t.TempDir()
	c := remembered(t, filepath.Join(dir, "file", "contacts.json"), false)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.mark(peer(1), "alice", func(k *contact) { k.Verified = true }); err == nil {
		t.Error("no error")
	}
	if verified, _ := c.marked(peer(1)); verified {
		t.Error("alice is verified until the end of the process")
	}
}
