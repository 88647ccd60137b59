package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/disk"
	"earshot/node/wire"
)

// What several journals hold is told in order, each line once with what became of it in all, and never more than one of each is read ahead.
func TestMerged(t *testing.T) {
	read := 0
	lines := func(stamps ...uint64) iter.Seq[journal.Line] {
		return func(yield func(journal.Line) bool) {
			for _, hlc := range stamps {
				read++
				l := journal.Line{Key: journal.Key{HLC: hlc}}
				if hlc == 5 {
					l.Marks.React = []journal.Reaction{{Emoji: fmt.Sprint(len(stamps))}}
				}
				if !yield(l) {
					return
				}
			}
		}
	}
	var got []string
	for l := range merged([]iter.Seq[journal.Line]{lines(1, 4, 5, 9), lines(), lines(2, 5), lines(3, 5, 6, 7, 8)}) {
		if got = append(got, fmt.Sprint(l.HLC, len(l.Marks.React))); read > len(got)+3+2 { // two of the fifth are the same
			t.Errorf("%d were read for %v", read, got)
		}
		if l.HLC == 8 {
			break
		}
	}
	if got := strings.Join(got, ", "); got != "1 0, 2 0, 3 0, 4 0, 5 3, 6 0, 7 0, 8 0" {
		t.Error(got)
	}
	if got := slices.Collect(merged(nil)); got != nil {
		t.Error(got)
	}
}

// Where a hub meets somebody for the first time it makes a store, and a disk that takes long for that must not keep it from anything else: it would take itself for one that slept.
func TestStoreIsMadeBesideTheSeat(t *testing.T) {
	dir := t.TempDir()
	d := disk.Under(t, dir)
	n, err := New(Config{Dir: dir, HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var made sync.Once // later the store itself may be in use
	d.Watch(func(path string) {
		if !strings.Contains(path, "realm-") {
			return
		}
		made.Do(func() {
			for what, mu := range map[string]interface {
				TryLock() bool
				Unlock()
			}{"the seat": &n.seat.role, "the gathering": &n.gather.mu} {
				if !mu.TryLock() {
					t.Errorf("%s waits for the disk", what)
					continue
				}
				mu.Unlock()
			}
		})
	})
	n.seat.serving = true
	close(n.seat.open)
	if h := n.seat.hold(t.Context(), identity.PeerID{1}, &wire.Hello{}); h == nil {
		t.Error("there is no hub")
	}
	made.Do(func() { t.Error("no store was made") })
}

// told is a log whose lines go to a function.
type told func(string)

func (told) Enabled(context.Context, slog.Level) bool        { return true }
func (f told) Handle(_ context.Context, r slog.Record) error { f(r.Message); return nil }
func (f told) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f told) WithGroup(string) slog.Handler                 { return f }

// whileWritten enters a realm on a disk that refuses to hold which realms there are, and calls f when that is found out.
func whileWritten(t *testing.T, n *Node, r identity.Realm, f func()) {
	t.Helper()
	path := filepath.Join(n.gather.dir, "realms.json")
	if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Join(path, "not a file"), 0o700)); err != nil {
		t.Fatal(err)
	}
	called := false
	n.gather.log = slog.New(told(func(line string) {
		if line == "cannot remember the realm" {
			called = true
			f()
		}
	}))
	if _, err := n.gather.enter(r); err != nil || !called {
		t.Fatal(err, called)
	}
	n.gather.log = n.log
}

// Nothing waits while it is written down which realm is entered.
func TestRealmIsWrittenDownBesideAll(t *testing.T) {
	n, err := New(Config{Dir: t.TempDir(), HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	whileWritten(t, n, identity.Realm{1}, func() {
		if !n.gather.mu.TryLock() {
			t.Error("the gathering waits for the disk")
			return
		}
		defer n.gather.mu.Unlock()
		if !n.gather.current.alone {
			t.Error("the realm is entered, and not written down")
		}
	})
}

// What came of a private room while a realm is entered is used there, too.
func TestKeyWhileARealmIsEntered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var learned atomic.Int32
		log := slog.New(told(func(line string) {
			if line == "not a state of a room" {
				learned.Add(1)
			}
		}))
		n, err := New(Config{Dir: t.TempDir(), HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		id, _, err := n.vault.Found("plans", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		enter := func(r identity.Realm) {
			if _, err := n.gather.enter(r); err != nil {
				t.Fatal(err)
			}
		}
		enter(identity.Realm{1})
		if err := n.gather.write(t.Context(), n.sealed(id), message.State, []byte("read again with each key")); err != nil {
			t.Fatal(err)
		}
		enter(identity.Realm{2})
		whileWritten(t, n, identity.Realm{1}, func() {
			synctest.Wait() // all is read that was to be
			learned.Store(0)
			n.takeWork(t.Context())
		})
		if synctest.Wait(); learned.Load() == 0 {
			t.Error("the room was not read again")
		}
	})
}

// Where it is lost which realms there are the one in which something was written last comes first, also where that was not brought into the database.
func TestRealmsByTheirStores(t *testing.T) {
	g := &gatherings{dir: t.TempDir()}
	now := time.Now().Truncate(time.Second)
	for name, ago := range map[string]time.Duration{
		storeOf(identity.Realm{1}) + "/history.db":     3 * time.Hour,
		storeOf(identity.Realm{1}) + "/history.db-wal": time.Hour,
		storeOf(identity.Realm{2}) + "/history.db":     2 * time.Hour,
		storeOf(identity.Realm{2}) + "/history.db-wal": 4 * time.Hour,
		storeOf(identity.Realm{3}) + "/store.id":       0,
	} {
		path := filepath.Join(g.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600), os.Chtimes(path, now.Add(-ago), now.Add(-ago))); err != nil {
			t.Fatal(err)
		}
	}
	want := []knownRealm{{realmHex{1}, now.Add(-time.Hour).UTC()}, {realmHex{2}, now.Add(-2 * time.Hour).UTC()}}
	if err := g.readKnown(); err != nil || !slices.Equal(g.known, want) {
		t.Errorf("%v, %v, want %v", g.known, err, want)
	}
}

// Who is back in a realm at once has its store opened when it is closed, not before: two would write the same rows.
func TestBackWhileTheStoreCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Config{Dir: t.TempDir(), HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net()})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		g := n.gather
		at, err := g.enter(identity.Realm{1})
		if err != nil {
			t.Fatal(err)
		}
		_, left, err := g.move(func(*gathering) identity.Realm { return identity.Realm{2} })
		if err != nil {
			t.Fatal(err)
		}
		var back sync.WaitGroup
		back.Go(func() {
			next, err := g.enter(identity.Realm{1})
			if err != nil || next == at {
				t.Error(next == at, err)
			}
			select {
			case <-at.done:
			default:
				t.Error("the store is open twice")
			}
		})
		synctest.Wait()
		for _, at := range left {
			if err := at.close(); err != nil {
				t.Error(err)
			}
		}
		back.Wait()
	})
}

// Who takes another nick while a realm is entered has that there.
func TestRenameWhileARealmIsEntered(t *testing.T) {
	n, err := New(Config{Dir: t.TempDir(), HostDir: t.TempDir(), Nick: "anna", Net: nodetest.New(1).Host("anna").Net()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	nick := "anna"
	n.gather.nick = func() string {
		defer func() { nick = "berta" }()
		return nick
	}
	if _, err := n.gather.enter(identity.Realm{1}); err != nil {
		t.Fatal(err)
	}
	if err := n.gather.write(t.Context(), public("lobby"), message.Text, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	lines, err := n.gather.after(public("lobby"), journal.Key{}, 1)
	if err != nil || len(lines) != 1 || lines[0].Nick != "berta" {
		t.Errorf("%+v, %v", lines, err)
	}
}
