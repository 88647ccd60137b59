package journal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"earshot/node/message"
)

// fresh follows j until it has seen n lines that are open, each told once and not to be relayed, and returns them as they are shown.
func fresh(t testing.TB, j *Journal, c *Cursor, n int) (out []string) {
	t.Helper()
	changed, stop := j.Watch()
	defer stop()
	deadline := time.After(time.Minute)
	for len(out) < n {
		entries, err := c.Next(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			lines, err := j.Lines(e)
			if err != nil {
				t.Fatal(err)
			}
			if !e.Bulk || e.From != Stored {
				t.Errorf("what opened came as %+v", e)
			}
			out = append(out, asShown(lines)...)
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("of %d lines came %q", n, out)
		}
	}
	return out
}

// A key comes later: what it opens is told then, once, with what it says about others, whether it is on disk yet or not; what another key is for stays closed.
func TestReopen(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		for _, running := range []bool{true, false} {
			writer := newVault(1)
			source := start(t, Config{Vault: writer})
			alice := source.NewAuthor(person(t, 1), "alice")
			target := whisperText(t, alice, "one")
			whisperText(t, alice, "two")
			whisper(t, alice, message.State, []byte("a state"))
			whisperAbout(t, alice, message.React, message.About{Refs: []message.Ref{target}, Emoji: "👍", On: true})
			var want []string
			for i := range 300 {
				want = append(want, fmt.Sprint("line ", i))
				whisperText(t, alice, want[i])
			}
			writer.next(2)
			whisperText(t, alice, "three")
			writer.next(3)
			whisperText(t, alice, "four")

			v := newVault(2)
			j := open(t, Config{Dir: dir, Vault: v})
			var stop func() error
			if running {
				stop = run(t, j)
			}
			feedSealed(t, source, j, Live)
			if running {
				if got := whispered(t, j); got[0] != "#" || got[len(got)-2] != "three" || got[len(got)-1] != "#" {
					t.Errorf("before the key: %q", got)
				}
			}
			c := j.Follow(j.Last())
			v.with(1)
			j.Reopen(conversation)
			j.Reopen(conversation)
			if !running {
				stop = run(t, j)
			}
			want = append([]string{"one 👍1", "two"}, want...)
			if got := fresh(t, j, c, len(want)); !slices.Equal(got, want) {
				t.Errorf("opened: %q", got)
			}
			want = append(want, "three", "#")
			checkWhispered(t, j, want...)
			v.mu.Lock()
			opens, learned := v.opens, len(v.learned)
			v.mu.Unlock()
			j.Reopen(conversation) // whenever it is in doubt
			say(t, j.NewAuthor(person(t, 9), "me"), "to be followed")
			checkWhispered(t, j, want...)
			for j.busy() {
				if err := j.settle(); err != nil {
					t.Fatal(err)
				}
			}
			if es, err := c.Next(1 << 20); err != nil || len(es) != 1 || es[0].From != 0 {
				t.Errorf("told again: %+v, %v", es, err)
			}
			v.mu.Lock()
			if n := v.opens - opens; n > 1+1 || learned == 0 {
				t.Errorf("%d messages were tried again, %d states were learned", n, learned)
			}
			v.mu.Unlock()
			if stop(); dir != "" && running {
				checkWhispered(t, start(t, Config{Dir: dir, Vault: newVault()}), want...)
			}
			if dir != "" {
				dir = t.TempDir()
			}
		}
	}
}

// busy reports whether something is being tried again.
func (j *Journal) busy() bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.reopens) > 0
}

// A group that others asked to keep becomes this person's own: its states are learned, and what is held of it opens.
func TestReopenWhatWasOthers(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	alice := source.NewAuthor(person(t, 1), "alice")
	whisper(t, alice, message.State, []byte("a state"))
	whisperText(t, alice, "welcome")
	v := newVault(1)
	v.own = false
	j := start(t, Config{Dir: t.TempDir(), Vault: v})
	feedSealed(t, source, j, Asked)
	checkWhispered(t, j)
	if cs, err := j.Conversations(); err != nil || len(cs) != 0 {
		t.Errorf("conversations: %+v, %v", cs, err)
	}
	c := j.Follow(j.Last())
	v.mu.Lock()
	v.own = true
	v.learn = func() { // a vault may ask for more where it learns something
		v.learn = nil
		j.Reopen(conversation)
	}
	v.mu.Unlock()
	j.Reopen(conversation)
	if got := fresh(t, j, c, 1); !slices.Equal(got, []string{"welcome"}) {
		t.Errorf("opened %q", got)
	}
	if len(v.learned) == 0 || v.learned[0] != "a state" {
		t.Errorf("learned %q", v.learned)
	}
	cs, err := j.Conversations()
	if err != nil || len(cs) != 1 || cs[0].ID != message.RoomID(conversation) || cs[0].Last == 0 {
		t.Errorf("conversations: %+v, %v", cs, err)
	}
	if rooms, err := j.Rooms(); err != nil || len(rooms) != 0 {
		t.Errorf("rooms: %+v, %v", rooms, err)
	}
}

// A key comes while something is being opened without it: it is opened in the end.
func TestKeyComesMeanwhile(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	whisperText(t, source.NewAuthor(person(t, 1), "alice"), "now")
	v := &lateKey{toyVault: newVault()}
	j := start(t, Config{Vault: v})
	v.j = j
	feedSealed(t, source, j, Live)
	checkWhispered(t, j, "now")
	if n := j.Last(); n != 1 {
		t.Errorf("it arrived %d times", n)
	}
}

type lateKey struct {
	*toyVault
	j *Journal
}

func (v *lateKey) Open(at Place, body []byte, live bool) (message.Kind, []byte, bool) {
	k, plain, ok := v.toyVault.Open(at, body, live)
	if !ok {
		v.with(1)
		v.j.Reopen(conversation)
	}
	return k, plain, ok
}

// What was refused because it came live is refused for ever, also where the machine stops before it was looked at again; the same as history is not.
func TestLiveStaysLive(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	alice, mallory := source.NewAuthor(person(t, 1), "alice"), source.NewAuthor(person(t, 2), "mallory")
	whisperText(t, mallory, "hello")
	whisperText(t, alice, "who is there?")
	for _, c := range []struct {
		via  Via
		want []string
	}{{Live, []string{"#", "who is there?"}}, {Asked, []string{"hello", "who is there?"}}, {Bulk, []string{"hello", "who is there?"}}} {
		dir := t.TempDir()
		v := newVault(1)
		v.banned = person(t, 2).ID()
		j := open(t, Config{Dir: dir, Vault: v})
		feedSealed(t, source, j, c.via)
		if err := j.commit(); err != nil { // and no more: it is killed
			t.Fatal(err)
		}
		if err := j.store.close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, Config{Dir: dir, Vault: v})
		j.Reopen(conversation)
		stop := run(t, j)
		for j.busy() {
			if err := j.settle(); err != nil {
				t.Fatal(err)
			}
		}
		checkWhispered(t, j, c.want...)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A body that was missing comes back sealed, and is opened then.
func TestRestoredIsOpened(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	alice := source.NewAuthor(person(t, 1), "alice")
	at := whisperText(t, alice, "hidden by a relay")
	j := start(t, Config{Vault: newVault(1)})
	var whole *message.Run
	for data := range source.Serve(at.Log, 1) {
		var err error
		if whole, err = message.ParseRun(data); err != nil {
			t.Fatal(err)
		}
	}
	stripped := *whole
	stripped.Records = slices.Clone(whole.Records)
	stripped.Records[0].Redacted, stripped.Records[0].Body = true, nil
	if _, err := j.Append(context.Background(), &stripped, 1, Live); err != nil {
		t.Fatal(err)
	}
	checkWhispered(t, j, "#")
	if n := len(j.Wanted(0, 9)); n != 1 {
		t.Fatalf("%d logs lack bodies", n)
	}
	if _, err := j.Append(context.Background(), whole, 2, Live); err != nil {
		t.Fatal(err)
	}
	changed, stop := j.Watch()
	defer stop()
	deadline := time.After(time.Minute)
	for whispered(t, j)[0] == "#" {
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("it stays sealed")
		}
	}
	checkWhispered(t, j, "hidden by a relay")
}

// What had arrived when it was asked for is tried again when it is on disk, not before; a log of which all came live and closed is, too.
func TestReopenWaitsForTheDisk(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	whisperText(t, source.NewAuthor(person(t, 1), "alice"), "now")
	v := newVault()
	j := open(t, Config{Vault: v})
	defer j.store.close()
	feedSealed(t, source, j, Live)
	v.with(1)
	j.Reopen(conversation)
	if more, err := j.reopen(); !more || err != nil || j.Last() != 1 {
		t.Fatalf("%v, %v, %d arrivals", more, err, j.Last())
	}
	if err := j.commit(); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = j.reopen(); err != nil {
			t.Fatal(err)
		}
	}
	if j.Last() != 2 {
		t.Errorf("%d arrivals", j.Last())
	}
	entries, _ := j.Follow(1).Next(1 << 20)
	if lines, err := j.Lines(entries[0]); err != nil || len(lines) != 1 || string(lines[0].Body) != "now" {
		t.Errorf("%+v, %v", lines, err)
	}
}

// What a later key opens says something about a message of which was read already that nothing became of it.
func TestReopenMarks(t *testing.T) {
	writer := newVault(1)
	source := start(t, Config{Vault: writer})
	alice := source.NewAuthor(person(t, 1), "alice")
	target := whisperText(t, alice, "one")
	writer.next(2)
	whisperAbout(t, alice, message.React, message.About{Refs: []message.Ref{target}, Emoji: "👍", On: true})
	whisperText(t, alice, "two")

	v := newVault(1)
	j := start(t, Config{Vault: v})
	feedSealed(t, source, j, Live)
	checkWhispered(t, j, "one", "#", "#")
	j.mu.RLock()
	_, none := j.unmarked.logs[target.Log]
	j.mu.RUnlock()
	if !none {
		t.Error("it is not known that nothing became of it")
	}
	c := j.Follow(j.Last())
	v.with(2)
	j.Reopen(conversation)
	fresh(t, j, c, 1)
	checkWhispered(t, j, "one 👍1", "two")
}
