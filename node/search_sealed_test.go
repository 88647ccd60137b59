package node_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// killed returns a copy of an instance's profile as it is on the disk now: what a process leaves that is killed.
func killed(t *testing.T, i *instance.Instance) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), i.Name)
	if err := os.CopyFS(dir, os.DirFS(i.Dir())); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"identity.key", "keyring"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// nameless takes out of a profile what is written of people's nicks later than what they say.
func nameless(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "networks", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		switch filepath.Base(path) {
		case "contacts.json":
			err = os.Remove(path)
		case "talks.json":
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(path, regexp.MustCompile(`"nick":"[a-z]*",`).ReplaceAll(b, nil), 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onDisk returns what is found in a profile, in one room where that is not empty.
func onDisk(t *testing.T, dir, query, room string) []string {
	t.Helper()
	network, err := identity.NewNetwork(message.Lobby, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := node.OpenHistory(dir, network)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	return found(t, func(int64) (node.Found, error) { return h.Search(t.Context(), query, room, 50) })
}

// talkers begins alice, bob and carol, who are in #plans and have said something everywhere, each a fox.
func talkers(t *testing.T, lan *nodetest.LAN) (alice, bob, carol *instance.Instance) {
	t.Helper()
	all := start(t, lan, "alice", "bob", "carol")
	alice, bob, carol = all[0], all[1], all[2]
	meeting(t, lan, all...)
	holdsKeys(t, bob, alice, carol)
	holdsKeys(t, carol, bob)
	for _, s := range []struct {
		by         *instance.Instance
		room, text string
	}{{carol, instance.Lobby, "fox one"}, {alice, "#plans", "fox two"}, {bob, "#plans", "fox three"}, {carol, "@bob", "fox four"}, {bob, "@carol", "fox five"}, {bob, "@alice", "fox six"}} {
		time.Sleep(100 * time.Millisecond)
		say(t, s.by, s.room, s.text)
	}
	reads(t, carol, "@bob", "fox four", "fox five")
	reads(t, alice, "@bob", "fox six")
	for _, i := range all {
		reads(t, i, "#plans", "fox two", "fox three")
	}
	synctest.Wait()
	return alice, bob, carol
}

// What is said in a private room and in a conversation is found there by the name that is shown, and nothing else is, also on the disk: beside the process, when it was killed and when it has ended.
func TestSearchInSealedRooms(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice, bob, carol := talkers(t, lan)
		all := []string{"@carol bob: [fox] five", "@carol carol: [fox] four", "#plans bob: [fox] three", "#plans alice: [fox] two", "#lobby carol: [fox] one"}
		cases := []struct {
			room string
			want []string
		}{{"#plans", all[2:4]}, {"#PLANS", all[2:4]}, {"@carol", all[:2]}, {"@Carol", all[:2]}, {"@alice", []string{"@alice bob: [fox] six"}}, {"#lobby", all[4:]}, {"@dave", nil}, {"#plan", nil}, {"plans~7Q2K", nil}}
		for _, c := range cases {
			if got := found(t, func(older int64) (node.Found, error) { return bob.Search(t.Context(), "fox in:"+c.room, older, 1) }); !slices.Equal(got, c.want) {
				t.Errorf("in %s bob finds %q", c.room, got)
			}
		}
		check := func(when, dir string) {
			t.Helper()
			if got, want := onDisk(t, dir, "fox", ""), slices.Insert(slices.Clone(all), 0, "@alice bob: [fox] six"); !slices.Equal(got, want) {
				t.Errorf("%s there is %q", when, got)
			}
			for _, c := range cases {
				if got := onDisk(t, dir, "fox", c.room); !slices.Equal(got, c.want) {
					t.Errorf("%s in %s there is %q", when, c.room, got)
				}
				if got := onDisk(t, dir, "fox in:"+c.room, ""); !slices.Equal(got, c.want) {
					t.Errorf("%s with in:%s there is %q", when, c.room, got)
				}
			}
		}
		check("when it is killed", killed(t, bob))
		check("when it is killed before names are written", nameless(t, killed(t, bob)))
		check("beside bob", bob.Dir())
		time.Sleep(3 * time.Second) // the index has it
		check("later", bob.Dir())
		check("when it is killed later", killed(t, bob))
		bob.Stop()
		check("when bob has ended", bob.Dir())
		for _, i := range []*instance.Instance{alice, carol} {
			i.Stop()
		}
	})
}

// A process is killed when what somebody said for the first time is on the disk, and not yet that there is a conversation: it is found at once, and shown at the next start, unless the user closes it.
func TestConversationNotWrittenDown(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice, bob, carol := talkers(t, lan)
		dir := killed(t, alice)
		talks, err := filepath.Glob(filepath.Join(dir, "networks", "*", "talks.json"))
		if err != nil || len(talks) != 1 {
			t.Fatal(talks, err)
		}
		if err := os.Remove(talks[0]); err != nil {
			t.Fatal(err)
		}
		if got := onDisk(t, dir, "six", ""); len(got) != 1 || got[0] != "@bob bob: fox [six]" {
			t.Errorf("on the disk there is %q", got)
		}
		for _, i := range []*instance.Instance{alice, bob, carol} {
			i.Stop()
		}
		shows := func(i *instance.Instance) bool {
			return slices.ContainsFunc(i.Snapshot().Rooms, func(r node.Room) bool { return r.Name == "@bob" && r.Kind == node.DirectRoom })
		}
		again := instance.Start(t, lan, "alice", node.Config{Dir: dir})
		instance.Until(t, 5*time.Second, "the conversation is shown", func() bool { return shows(again) })
		reads(t, again, "@bob", "fox six")
		do(t, again, node.Leave{Room: "@bob"})
		again.Stop()
		again = instance.Start(t, lan, "alice", node.Config{Dir: dir})
		time.Sleep(5 * time.Second)
		if shows(again) {
			t.Error("a conversation that was closed is shown again")
		}
	})
}

// A process ends when it has a room's key, and has not read with it all that came before: it goes on at the next start.
func TestKeyNotUsedYet(t *testing.T) {
	story(t, func(t *testing.T, lan *nodetest.LAN) {
		alice, bob, carol := talkers(t, lan)
		for _, i := range []*instance.Instance{alice, bob, carol} {
			i.Stop()
		}
		stores, err := filepath.Glob(filepath.Join(carol.Dir(), "networks", "*", "realm-*", "history.db"))
		if err != nil || len(stores) != 1 {
			t.Fatal(stores, err)
		}
		db, err := sql.Open("sqlite", stores[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DELETE FROM opened WHERE body IN (CAST('fox two' AS BLOB), CAST('fox three' AS BLOB))"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		carol = instance.Start(t, lan, "carol", node.Config{Dir: carol.Dir()})
		reads(t, carol, "#plans", "fox two", "fox three")
		if got := onDisk(t, carol.Dir(), "fox", "#plans"); len(got) != 2 {
			t.Errorf("on the disk there is %q", got)
		}
	})
}
