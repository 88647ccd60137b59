package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/message"
	"earshot/node/nodetest/disk"
	"earshot/node/wire"
)

// What is said in a conversation is what those see who have the key, by whatever way they look at it, before and after it is on disk and after a restart without any key; what travels,
// and what others hold, is not it.
func TestSealed(t *testing.T) {
	for _, onDisk := range []bool{true, false} {
		dirs := [3]string{}
		if onDisk {
			dirs = [3]string{t.TempDir(), t.TempDir(), t.TempDir()}
		}
		stranger := newVault()
		stranger.own = false
		vaults := [3]Vault{newVault(1), newVault(1), stranger}
		var js [3]*Journal
		var stops [3]func() error
		for i := range js {
			js[i] = open(t, Config{Dir: dirs[i], Vault: vaults[i]})
		}
		alice, bob := js[0].NewAuthor(person(t, 1), "alice"), js[1].NewAuthor(person(t, 2), "bob")
		first := whisperText(t, alice, "meet me at noon")
		feedSealed(t, js[0], js[1], Live)
		whisperText(t, bob, "where?")
		whisper(t, bob, message.Action, nil)
		feedSealed(t, js[1], js[0], Asked)
		feedSealed(t, js[1], js[2], Live)
		want := []string{"meet me at noon", "where?", ""}
		closed := []string{"#", "#", "#"}
		followed := func(j *Journal) (lines []Line) {
			t.Helper()
			for e, err := range entriesOf(j) {
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(e.Frame, []byte("noon")) || bytes.Contains(e.Frame, []byte("where")) {
					t.Error("it travels in the clear")
				}
				some, err := j.Lines(e)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, some...)
			}
			return lines
		}
		check := func(j *Journal, want []string) {
			t.Helper()
			lines := followed(j)
			if got := asShown(lines); !slices.Equal(got, want) {
				t.Errorf("followers see %q, want %q", got, want)
			}
			for _, l := range lines {
				if l.Body == nil || l.Sealed != (l.Kind != message.Sealed) {
					t.Errorf("%+v", l)
				}
			}
			line, ok, err := j.Find(first)
			if got := asShown([]Line{line}); err != nil || !ok || !slices.Equal(got, want[:1]) {
				t.Errorf("found %q, %v, %v", got, ok, err)
			}
		}
		check(js[0], want)
		check(js[1], want)
		check(js[2], closed)
		for i, j := range js {
			stops[i] = run(t, j)
			want := want
			if i == 2 {
				check(j, closed)
				want = nil // no place in the order for people
			} else {
				check(j, want)
			}
			checkWhispered(t, j, want...)
			lines, err := j.After(message.RoomID(conversation), Key{}, 2)
			if got := asShown(lines); err != nil || !slices.Equal(got, want[:min(2, len(want))]) {
				t.Errorf("after the beginning: %q, %v", got, err)
			}
			lines = nil
			for l, err := range j.All(0) {
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, l)
			}
			if got := asShown(lines); !slices.Equal(got, want) {
				t.Errorf("all: %q", got)
			}
		}
		if !onDisk {
			continue
		}
		for i := range js {
			if err := stops[i](); err != nil {
				t.Fatal(err)
			}
		}
		j := start(t, Config{Dir: dirs[1], Vault: newVault()})
		checkWhispered(t, j, want...)
		check(j, want)
	}
}

// Marks are what was sealed, not yet on disk or there, and what stands in the clear means nothing unless it deletes.
func TestSealedMarks(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir, Vault: newVault(1)})
	alice, bob := j.NewAuthor(person(t, 1), "alice"), j.NewAuthor(person(t, 2), "bob")
	target := whisperText(t, alice, "noon")
	gone := whisperText(t, alice, "forget it")
	first := whisperAbout(t, alice, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte("half past")})
	e := whisperAbout(t, alice, message.Edit, message.About{Refs: []message.Ref{gone}, Text: []byte("never mind")})
	second := whisperAbout(t, alice, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte("one")})
	whisperAbout(t, bob, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte("not mine")})
	whisperAbout(t, bob, message.React, message.About{Refs: []message.Ref{target}, Emoji: "👍", On: true})
	whisper(t, bob, message.Topic, []byte("lunch"))
	whisperAbout(t, alice, message.Redact, refs(gone, e))

	// Somebody who knows the group's id, but no key, says all that in the clear.
	o := &message.Opening{Network: network, Group: conversation, Room: message.RoomID(conversation), Author: person(t, 3).ID(), Nonce: message.Nonce{3}, Day: today(), Nick: "mallory"}
	r := &message.Run{Log: o.Log(), First: 1, Opening: o}
	for i, rec := range []struct {
		kind message.Kind
		body []byte
	}{
		{message.Text, []byte("I am with you")},
		{message.Topic, []byte("owned")},
		{message.React, (&message.About{Refs: []message.Ref{target}, Emoji: "👎", On: true}).Body(message.React)},
		{message.Sealed, []byte("\x01 what does not open")},
		{message.Redact, (&message.About{Refs: []message.Ref{target}}).Body(message.Redact)},
	} {
		r.Records = append(r.Records, message.Body(uint64(time.Now().Add(time.Second).UnixMilli())<<16+uint64(i), rec.kind, rec.body))
	}
	r.Sign(person(t, 3))
	if _, err := j.Append(context.Background(), r, 3, Live); err != nil {
		t.Fatal(err)
	}
	check := func(j *Journal) {
		t.Helper()
		line, ok, err := j.Find(target)
		if got := asShown([]Line{line}); err != nil || !ok || got[0] != "one 👍1" {
			t.Errorf("%q, %v, %v", got, ok, err)
		}
		line, ok, err = j.Topic(message.RoomID(conversation))
		if err != nil || !ok || string(line.Body) != "lunch" {
			t.Errorf("topic %q, %v, %v", line.Body, ok, err)
		}
		line, _, err = j.Find(target)
		if err != nil {
			t.Fatal(err)
		}
		edits, err := j.Edits(line)
		slices.SortFunc(edits, func(a, b message.Ref) int { return cmp.Compare(a.Seq, b.Seq) })
		if err != nil || !slices.Equal(edits, []message.Ref{first, second}) {
			t.Errorf("edits %v, %v", edits, err)
		}
	}
	check(j)
	stop := run(t, j)
	checkWhispered(t, j, "one 👍1", "-", "lunch", "#", "#", "#", "#")
	check(j)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	j = start(t, Config{Dir: dir, Vault: newVault()})
	checkWhispered(t, j, "one 👍1", "-", "lunch", "#", "#", "#", "#")
	check(j)
}

// What is deleted is gone from the disk of those who could read it and of those who could not: what it said, what that said about others, and what travelled.
func TestSealedRedactionDeletes(t *testing.T) { synctest.Test(t, testSealedRedactionDeletes) }

func testSealedRedactionDeletes(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	j, other := open(t, Config{Dir: dirs[0], Vault: newVault(1)}), open(t, Config{Dir: dirs[1]})
	stop, stopOther := run(t, j), run(t, other)
	a := j.NewAuthor(person(t, 1), "alice")
	const secret = "correct horse battery staple"
	target := whisperText(t, a, secret)
	var many []message.Ref
	for i := range 200 {
		many = append(many, whisperText(t, a, strings.Repeat(fmt.Sprint(secret, i), 10)))
	}
	kept := whisperText(t, a, "kept")
	many = append(many, whisperAbout(t, a, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte(secret)}),
		whisperAbout(t, a, message.React, message.About{Refs: []message.Ref{kept}, Emoji: secret[:8], On: true}))
	whispered(t, j)
	var secrets []string
	for _, r := range runsOf(t, j) {
		if r.Records[0].Kind == message.Sealed {
			secrets = append(secrets, string(r.Records[0].Body))
		}
	}
	kept64 := slices.IndexFunc(secrets, func(b string) bool { return len(b) == 1+5+len("kept") })
	secrets = append(slices.Delete(secrets, kept64, kept64+1), secret, secret[:8])
	onDisk := func() (n int) {
		for _, dir := range dirs {
			n += len(disk.Find(t, dir, secrets...))
		}
		return n
	}
	feedSealed(t, j, other, Live)
	whispered(t, other)
	if n := onDisk(); n < len(secrets) { // of some 400 a few are not in one piece
		t.Fatalf("the test finds %d of %d secrets on the disks", n, len(secrets))
	}
	whisperAbout(t, a, message.Redact, refs(append(many, target)...))
	feedSealed(t, j, other, Live)
	checkWhispered(t, j, append(slices.Repeat([]string{"-"}, 201), "kept")...)
	whispered(t, other)
	time.Sleep(scrubAfter + time.Second)
	synctest.Wait()
	if n := onDisk(); n > 0 {
		t.Errorf("%d secrets are left on the disks while they are open", n)
	}
	if err := errors.Join(stop(), stopOther()); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(); n > 0 {
		t.Errorf("%d secrets are left on the disks", n)
	}
	checkWhispered(t, start(t, Config{Dir: dirs[0]}), append(slices.Repeat([]string{"-"}, 201), "kept")...)
}

// Where an epoch is over what is said goes into a new log; a vault that is never content is not asked for ever.
func TestSealRenews(t *testing.T) {
	v := newVault(1)
	j := start(t, Config{Vault: v})
	a := j.NewAuthor(person(t, 1), "alice")
	one := whisperText(t, a, "one")
	nonce := a.Nonce()
	v.next(2)
	two := whisperText(t, a, "two")
	if one.Log == two.Log || a.Nonce() == nonce {
		t.Error("the log went on in another epoch")
	}
	checkWhispered(t, j, "one", "two")
	v.renew = true
	if _, _, _, err := a.Write(t.Context(), conversation, message.RoomID(conversation), "", message.Text, []byte("three")); !errors.Is(err, ErrRenew) {
		t.Error(err)
	}
}

// The copy of a machine says nothing in a sealed log that the other has begun since: another epoch may have begun, too, and the copy's vault does not know of which the log is.
func TestCopyLeavesSealedLogsAlone(t *testing.T) {
	v := newVault(1)
	here, there := start(t, Config{Vault: newVault(1, 2)}), start(t, Config{Vault: v})
	a, b := here.NewAuthor(person(t, 1), "alice"), there.NewAuthor(person(t, 1), "alice")
	b.Assume(a.Nonce())
	one := whisperText(t, a, "one")
	feedSealed(t, here, there, Live)
	v.next(2)
	two, three := whisperText(t, b, "two"), whisperText(t, b, "three")
	if two.Log == one.Log {
		t.Error("the copy goes on with a log of another epoch")
	}
	if three.Log != two.Log {
		t.Error("the copy begins a log for each message")
	}
	feedSealed(t, there, here, Live)
	checkWhispered(t, here, "one", "two", "three")
}

// What came while a group was this person's, and was put into its place when it was not, is shown when it is again.
func TestGroupIsLeftBeforeTheTimeline(t *testing.T) {
	source := start(t, Config{Vault: newVault(1)})
	whisperText(t, source.NewAuthor(person(t, 1), "alice"), "one")
	v := newVault(1)
	own := func(is bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.own = is
	}
	j := open(t, Config{Dir: t.TempDir(), Vault: v})
	feedSealed(t, source, j, Live)
	if err := j.commit(); err != nil {
		t.Fatal(err)
	}
	own(false)
	if _, err := j.index(); err != nil {
		t.Fatal(err)
	}
	if own(true); j.watermark < j.Last() {
		t.Fatal("it is not in the timeline yet")
	}
	j.Reopen(conversation)
	run(t, j)
	fillIn(t, j)
	checkWhispered(t, j, "one")
}

// Logs drop whole, with what was opened of them and what that said about others.
func TestSealedIsDropped(t *testing.T) {
	clock, set := wrongClock()
	set(-20 * 24 * time.Hour)
	j := open(t, Config{Dir: t.TempDir(), Clock: clock, Vault: newVault(1)})
	a := j.NewAuthor(person(t, 1), "alice")
	target := whisperText(t, a, "long ago")
	whisperAbout(t, a, message.React, message.About{Refs: []message.Ref{target}, Emoji: "👍", On: true})
	whisper(t, a, message.Topic, []byte("history"))
	set(0)
	last := whisperText(t, a, "now")
	whisperAbout(t, a, message.React, message.About{Refs: []message.Ref{last}, Emoji: "👍", On: true})
	rows := func() (opened, marks int) {
		t.Helper()
		if err := j.store.r.QueryRow("SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM mark)").Scan(&opened, &marks); err != nil {
			t.Fatal(err)
		}
		return opened, marks
	}
	for more := true; more; {
		var err error
		if more, err = j.turn(); err != nil {
			t.Fatal(err)
		}
	}
	if opened, marks := rows(); opened != 5 || marks != 3 {
		t.Fatalf("%d are open, with %d marks", opened, marks)
	}
	for more := true; more; {
		var err error
		if more, err = j.store.drop(&horizons{all: today() - 10, mail: today() - 10}); err != nil {
			t.Fatal(err)
		}
	}
	if opened, marks := rows(); opened != 2 || marks != 1 {
		t.Errorf("%d are open, with %d marks", opened, marks)
	}
	if err := j.store.close(); err != nil {
		t.Fatal(err)
	}
}

// What is said again because of a wrong clock is sealed again where it stands now, and about what was said again.
func TestRestateSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, set := wrongClock()
		set(-40 * 24 * time.Hour)
		j, other := start(t, Config{Dir: t.TempDir(), Clock: clock, Vault: newVault(1)}), start(t, Config{Vault: newVault(1)})
		a := j.NewAuthor(person(t, 1), "alice")
		target := whisperText(t, a, "nine")
		whisperAbout(t, a, message.Edit, message.About{Refs: []message.Ref{target}, Text: []byte("ten")})
		gone := whisperText(t, a, "gone")
		whisperAbout(t, a, message.Redact, refs(gone))
		whisperText(t, a, "eleven")
		if got := whispered(t, j); len(got) != 3 {
			t.Fatalf("%q", got)
		}
		set(0)
		var again []Restated
		if err := a.Restate(t.Context(), target.Log, func(r []Restated) { again = append(again, r...) }); err != nil {
			t.Fatal(err)
		}
		checkWhispered(t, j, "ten", "eleven")
		if len(again) != 4 || again[0].Old != target.ID || again[0].Key.Log == target.Log {
			t.Errorf("%+v", again)
		}
		feedSealed(t, j, other, Live)
		checkWhispered(t, other, "ten", "eleven")
	})
}

// What is taken over from another journal of the process is open in it, and what was refused live is refused in it.
func TestSealedIsTakenOver(t *testing.T) {
	v := newVault(1)
	v.banned = person(t, 2).ID()
	old := open(t, Config{Dir: t.TempDir(), Vault: v})
	stop := run(t, old)
	source := start(t, Config{Vault: newVault(1)})
	whisperText(t, source.NewAuthor(person(t, 2), "mallory"), "I am still here")
	feedSealed(t, source, old, Live)
	at := whisperText(t, old.NewAuthor(person(t, 1), "alice"), "one")
	j := start(t, Config{Dir: t.TempDir(), Vault: v})
	if n, err := j.Reoffer(old, []message.LogID{at.Log}); n != 1 || err != nil {
		t.Error(n, err)
	}
	checkWhispered(t, j, "one")
	// The other's disk fails before anything is on it.
	unsaved := open(t, Config{Vault: v})
	feedSealed(t, source, unsaved, Live)
	whisperText(t, unsaved.NewAuthor(person(t, 1), "alice"), "two")
	defer unsaved.store.close()
	next := start(t, Config{Dir: t.TempDir(), Vault: v})
	if n, err := next.Adopt(unsaved); n != 2 || err != nil {
		t.Error(n, err)
	}
	checkWhispered(t, next, "#", "two")
	next.Reopen(conversation)
	for next.busy() {
		if err := next.settle(); err != nil {
			t.Fatal(err)
		}
	}
	checkWhispered(t, next, "#", "two")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A group may have the id of a public room: whoever holds it for others shows the room as it is.
func TestGroupCalledAsAPublicRoom(t *testing.T) {
	liar := open(t, Config{})
	a := liar.NewAuthor(person(t, 1), "mallory")
	for range 3 {
		if _, _, _, err := a.Write(t.Context(), message.GroupID(lobby), lobby, "", message.State, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	v := newVault()
	v.own = false
	j := start(t, Config{Vault: v})
	say(t, j.NewAuthor(person(t, 2), "alice"), "hello")
	for e, err := range entriesOf(liar) {
		if err != nil {
			t.Fatal(err)
		}
		give(t, j, e.Frame[wire.HeaderLen:])
	}
	page, err := j.Page(lobby, Key{}, 2)
	if err != nil || len(page) != 1 || string(page[0].Body) != "hello" {
		t.Errorf("the lobby shows %+v, %v", page, err)
	}
	if rooms, err := j.Rooms(); err != nil || len(rooms) != 1 || rooms[0].Name != message.Lobby {
		t.Errorf("rooms: %+v, %v", rooms, err)
	}
}
