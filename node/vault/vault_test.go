package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// A world is some people's instances and what was written in the groups: journals, without the journals.
type world struct {
	t       testing.TB
	network identity.NetworkID
	now     time.Time
	people  []*person
	said    []line
}

// A line is one message as it travels.
type line struct {
	at   journal.Place
	kind message.Kind
	body []byte
}

// A person is one instance.
type person struct {
	*Vault
	w     *world
	who   *identity.Identity
	conf  Config
	nonce byte
	log   map[message.RoomID]*journal.Place // the last place in its log
	away  bool
	got   []line // opened
	told  []Event
	next  int // of world.said
}

func newWorld(t testing.TB) *world {
	n, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, network: n.ID(), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
}

func newID(t testing.TB) *identity.Identity {
	i, err := identity.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// add brings an instance of who.
func (w *world) add(who *identity.Identity) *person {
	w.t.Helper()
	ring, _, err := (&seal.Ring{}).Renew(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &person{w: w, who: who, conf: Config{Network: w.network, Who: who, Dir: w.t.TempDir(), Ring: ring}, log: map[message.RoomID]*journal.Place{}}
	w.people = append(w.people, p)
	p.start()
	return p
}

// copied is another machine of p's, with a copy of the profile: both go on apart.
func (p *person) copied() *person {
	q := p.w.add(p.who)
	q.conf.Dir, q.conf.Ring = p.conf.Dir, p.Ring()
	q.start()
	q.conf.Dir = p.w.t.TempDir()
	return q
}

func (p *person) start() {
	v, err := Open(p.conf)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.Vault, p.log = v, map[message.RoomID]*journal.Place{}
	p.nonce++
}

// keys are those of the newest instance of each person.
func (w *world) keys(id identity.PeerID) (key *seal.PublicKey) {
	for _, p := range w.people {
		if p.me == id {
			key = p.Ring().Public()
		}
	}
	return key
}

func (w *world) here(id identity.PeerID) bool {
	return slices.ContainsFunc(w.people, func(p *person) bool { return p.me == id && !p.away })
}

// say writes what a vault wants said, as a journal's author does.
func (p *person) say(out []Message, err error) {
	p.w.t.Helper()
	if err != nil {
		p.w.t.Fatal(err)
	}
	for _, m := range out {
		if _, err := p.write(m); err != nil {
			p.w.t.Fatalf("say: %v", err)
		}
	}
	p.w.deliver()
}

func (p *person) write(m Message) (line, error) {
	at := p.log[m.Room]
	for {
		if at == nil {
			at = &journal.Place{Room: m.Room, Author: p.me}
			rand.Read(at.Log[:])
		}
		p.w.now = p.w.now.Add(time.Millisecond)
		at.Seq++
		at.HLC = stamp(p.w.now)
		rand.Read(at.Prev[:])
		p.log[m.Room] = at
		if m.Kind == message.State {
			return p.w.put(*at, m.Kind, m.Body), nil
		}
		body, err := p.Seal(*at, m.Kind, m.Body)
		if err == journal.ErrRenew {
			at = nil
			continue
		}
		if err != nil {
			return line{}, err
		}
		return p.w.put(*at, message.Sealed, body), nil
	}
}

func (w *world) put(at journal.Place, k message.Kind, body []byte) line {
	l := line{at, k, body}
	w.said = append(w.said, l)
	return l
}

// deliver brings what was said to all who are not away, to each in order.
func (w *world) deliver() {
	for _, p := range w.people {
		for ; !p.away && p.next < len(w.said); p.next++ {
			p.take(w.said[p.next], true)
		}
		if p.away {
			continue
		}
		for work := p.works(); len(work.Reopen) > 0; work = p.works() {
			for _, l := range w.said[:p.next] {
				if slices.Contains(work.Reopen, l.at.Room) && !p.has(l) {
					p.take(l, false)
				}
			}
		}
		if err := p.Save(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// works is Take, for who remembers what was told.
func (p *person) works() Work {
	w := p.Take()
	p.told = append(p.told, w.Events...)
	return w
}

func (p *person) has(l line) bool {
	return slices.ContainsFunc(p.got, func(g line) bool { return g.at == l.at })
}

// take is what a journal does with a message.
func (p *person) take(l line, live bool) {
	if !p.Own(message.GroupID(l.at.Room), l.at.Author) {
		return
	}
	if l.kind == message.State {
		p.Learn(l.at, l.body)
		return
	}
	if l.at.Author == p.me && p.log[l.at.Room] != nil && p.log[l.at.Room].Log == l.at.Log {
		return // what was sealed here is known
	}
	if k, plain, ok := p.Open(l.at, l.body, live); ok {
		p.got = append(p.got, line{l.at, k, plain})
	}
}

// tell says a text in a room.
func (p *person) tell(room message.RoomID, text string) {
	p.w.t.Helper()
	p.say([]Message{{room, message.Text, []byte(text)}}, nil)
}

// to says a text to somebody.
func (p *person) to(other *person, text string) message.RoomID {
	p.w.t.Helper()
	id, err := p.Begin(other.me, p.w.keys(other.me), true)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.tell(id, text)
	return id
}

func (p *person) texts() (out []string) {
	for _, l := range p.got {
		out = append(out, string(l.body))
	}
	return out
}

func (p *person) wants(texts ...string) {
	p.w.t.Helper()
	if got := p.texts(); !slices.Equal(got, texts) {
		p.w.t.Fatalf("read %q, want %q", got, texts)
	}
}

// founds makes a room with members, who accept.
func (p *person) founds(name string, members ...*person) message.RoomID {
	p.w.t.Helper()
	id, out, err := p.Found(name, p.w.now)
	p.say(out, err)
	for _, m := range members {
		p.invites(id, m, false)
		p.w.t.Helper()
		m.say(m.Answer(id, true, p.w.now))
	}
	return id
}

func (p *person) invites(id message.RoomID, m *person, history bool) {
	p.w.t.Helper()
	out, left, err := p.Change(id, seal.Change{Add: []identity.PeerID{m.me}}, history, p.w.now, p.w.keys)
	if len(left) > 0 {
		p.w.t.Fatalf("left out: %v", left)
	}
	p.say(out, err)
}

func (p *person) tends() {
	p.w.t.Helper()
	p.say(p.Tend(p.w.now, p.w.here, p.w.keys))
}

// rests tends, of which nothing may come: what was owed was said.
func (p *person) rests() {
	p.w.t.Helper()
	before := len(p.w.said)
	if p.tends(); len(p.w.said) != before {
		p.w.t.Fatal("wrapped again")
	}
}

// readsAgain has all that was ever said come once more.
func (p *person) readsAgain() {
	for _, l := range p.w.said {
		p.take(l, false)
	}
}

func (p *person) members(id message.RoomID, want int) {
	p.w.t.Helper()
	if r, _ := p.Room(id); len(r.Members) != want {
		p.w.t.Errorf("%d are members, want %d", len(r.Members), want)
	}
}

func (p *person) status(id message.RoomID, want Status) {
	p.w.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.rooms[id]; r == nil || r.status != want {
		p.w.t.Fatalf("room is %+v, want %s", r, want)
	}
}

func TestDirect(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.to(bob, "hi")
	if got := bob.to(alice, "hello"); got != id {
		t.Fatal("they are in different conversations")
	}
	bob.wants("hi")
	alice.wants("hello")
	eve.wants()
	if talks := eve.Talks(); len(talks) != 0 {
		t.Fatalf("eve has conversations: %v", talks)
	}
	bob.say(bob.Tell(id, alice.got[0].at.Key), nil) // as far as bob's own line: nonsense, but a place
	up := journal.Key{HLC: stamp(w.now.Add(time.Hour)), Seq: 3}
	bob.say(bob.Tell(id, up), nil)
	if again := bob.Tell(id, up); again != nil {
		t.Fatal("told twice how far bob has read")
	}
	if talk, _ := alice.Talk(id); talk.Read != up {
		t.Fatalf("alice knows that bob has read up to %v", talk.Read)
	}
	bob.conf.Ring = bob.Ring()
	if err := bob.Save(); err != nil {
		t.Fatal(err)
	}
	bob.start()
	if talks := bob.Talks(); len(talks) != 1 || talks[0].With != alice.me {
		t.Fatalf("after a restart bob has conversations %v", talks)
	}
}

func TestRoom(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol, eve := w.add(newID(t)), w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	bob.tell(id, "early")
	alice.invites(id, carol, false)
	carol.status(id, Asked)
	if groups := carol.Groups(); slices.Contains(groups, message.GroupID(id)) {
		t.Fatal("a room is replicated before it was accepted")
	}
	carol.say(carol.Answer(id, true, w.now))
	alice.tell(id, "one")
	bob.tell(id, "two")
	carol.wants("one", "two") // not what was said before
	alice.wants("early", "two")
	eve.wants()
	if r, _ := carol.Room(id); r.Name != "plans" || len(r.Members) != 3 || r.Owner != alice.me {
		t.Fatalf("carol sees %+v", r)
	}

	out, _, err := alice.Change(id, seal.Change{Remove: []identity.PeerID{bob.me}}, false, w.now, w.keys)
	alice.say(out, err)
	bob.status(id, Out)
	bob.start() // with what is on its disk
	if r, _ := bob.Room(id); r.Name != "plans" {
		t.Fatalf("who was removed knows the room as %q", r.Name)
	}
	alice.tell(id, "without bob")
	bob.wants("one")
	carol.wants("one", "two", "without bob")
	if _, err := bob.write(Message{id, message.Text, []byte("still here")}); err == nil {
		t.Fatal("a removed member's own vault seals for the room")
	}
}

func TestHistoryIsShared(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans")
	alice.tell(id, "before")
	out, _, err := alice.Change(id, seal.Change{}, false, w.now, w.keys)
	alice.say(out, err)
	alice.tell(id, "in another epoch")
	alice.invites(id, bob, true)
	bob.say(bob.Answer(id, true, w.now))
	w.deliver()
	bob.wants("before", "in another epoch")
}

func TestDecline(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans")
	alice.invites(id, bob, false)
	bob.say(bob.Answer(id, false, w.now))
	bob.status(id, Left)
	alice.tends()
	if r, _ := alice.Room(id); len(r.Members) != 1 {
		t.Fatalf("who declined is still a member: %+v", r)
	}
	bob.start() // and what was declined does not come again with the history
	bob.next = 0
	w.deliver()
	bob.status(id, Left)
	alice.invites(id, bob, false)
	bob.status(id, Asked)
}

// Who leaves while the owner changes the room for another reason, and has not heard of it, is out all the same: by an answer that comes after the new epoch, and by one that came just before.
func TestLeavesWhileTheRoomChanges(t *testing.T) {
	for name, heard := range map[string]bool{"heard after the change": false, "heard before it": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
			id := alice.founds("plans", bob)
			alice.away = !heard
			bob.say(bob.Answer(id, false, w.now))
			w.now = w.now.Add(time.Second)
			out, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{carol.me}}, false, w.now, w.keys)
			alice.away = false
			alice.say(out, err)
			alice.tends()
			alice.members(id, 2)
			alice.invites(id, bob, false) // and what was answered before does not take out who is asked again
			bob.status(id, Asked)
			alice.readsAgain()
			alice.tends()
			alice.members(id, 3)
		})
	}
}

// Who declines or leaves is taken out by whoever owns the room by then, though the answer crossed the hand-over, was heard before it, or is of an epoch that the new owner had no part in. It is over when bob
// is asked again, whatever his clock says.
func TestAnswerCrossesHandOver(t *testing.T) {
	for name, tc := range map[string]struct {
		carolFirst, joined, heard bool
	}{
		"declines":                         {carolFirst: true},
		"declines, and was there before":   {},
		"declines before it":               {carolFirst: true, heard: true},
		"leaves":                           {joined: true},
		"leaves, and came after the other": {carolFirst: true, joined: true},
		"leaves before it":                 {joined: true, heard: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
			id := alice.founds("plans")
			comes := func(p *person, joins bool) {
				alice.invites(id, p, false)
				if joins {
					p.say(p.Answer(id, true, w.now))
				}
			}
			if tc.carolFirst {
				comes(carol, true)
			}
			comes(bob, tc.joined)
			if !tc.carolFirst {
				comes(carol, true)
			}
			bob.away = true
			answers := func() {
				w.now = w.now.Add(time.Minute)
				bob.say(bob.Answer(id, false, w.now))
				w.now = w.now.Add(-time.Minute)
			}
			if tc.heard {
				answers()
			}
			out, _, err := alice.Change(id, seal.Change{Owner: &carol.me}, false, w.now, w.keys)
			alice.say(out, err)
			if !tc.heard {
				answers()
			}
			if !slices.ContainsFunc(carol.told, func(e Event) bool { a, ok := e.(Answered); return ok && a.By == bob.me && !a.Yes }) {
				t.Error("carol is not told that bob left")
			}
			carol.start()
			carol.tends()
			carol.members(id, 2)
			bob.away = false
			w.deliver()
			w.now = w.now.Add(2 * time.Minute)
			carol.invites(id, bob, false)
			w.now = w.now.Add(-2 * time.Minute)
			bob.status(id, Asked)
			for _, p := range []*person{alice, carol} {
				p.readsAgain()
				p.tends()
			}
			carol.members(id, 3)
		})
	}
}

// Who is made the owner while it leaves, where neither hears of the other, gives the room back, and is out: to who had it before, or, where that has left since, to another who is in it.
func TestLeavesWhileMadeOwner(t *testing.T) {
	for name, tc := range map[string]struct {
		first, gone bool // bob leaves before the hand-over; alice has left when she gets the room back
	}{"before": {first: true}, "after": {}, "and so does the other": {gone: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
			id := alice.founds("plans", bob, carol)
			leaves := func() {
				bob.say(bob.Answer(id, false, w.now))
				w.now = w.now.Add(time.Minute)
			}
			alice.away, bob.away = true, true
			if tc.first {
				leaves()
			}
			out, _, err := alice.Change(id, seal.Change{Owner: &bob.me}, false, w.now, w.keys)
			alice.say(out, err)
			if tc.gone {
				alice.say(alice.Answer(id, false, w.now))
			}
			if !tc.first {
				w.now = w.now.Add(time.Minute)
				leaves()
			}
			alice.away, bob.away = false, false
			w.deliver()
			owner, members := alice, 2
			if tc.gone {
				owner, members = carol, 1
			}
			for range 2 {
				for _, p := range w.people {
					p.start()
					p.tends()
				}
			}
			bob.status(id, Left)
			if n := len(slices.DeleteFunc(bob.told, func(e Event) bool { return e != Event(Invited{id, alice.me}) })); n != 1 {
				t.Errorf("bob was asked %d times", n)
			}
			owner.members(id, members)
			carol.members(id, members)
			owner.invites(id, bob, false)
			bob.status(id, Asked)
			owner.tell(id, "mine again")
			if owner != carol {
				carol.wants("mine again")
			}
		})
	}
}

// Who leaves does not seem to decline, though what it said when it came is read after that.
func TestLeavesOrDeclines(t *testing.T) {
	for name, joined := range map[string]bool{"leaves": true, "declines": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob := w.add(newID(t)), w.add(newID(t))
			id := alice.founds("plans")
			alice.invites(id, bob, false)
			alice.away = true
			if joined {
				bob.say(bob.Answer(id, true, w.now))
				bob.start()
			}
			unread := w.said[alice.next:]
			before := len(unread)
			bob.say(bob.Answer(id, false, w.now))
			unread = w.said[alice.next:]
			copy(unread, slices.Concat(unread[before:], unread[:before]))
			alice.away = false
			w.deliver()
			want := []Event{Answered{Room: id, By: bob.me, Declined: true}}
			if joined {
				want = []Event{Answered{Room: id, By: bob.me, Yes: true}, Answered{Room: id, By: bob.me, Left: true}}
			}
			if !slices.Equal(alice.told, want) {
				t.Errorf("alice was told %+v, want %+v", alice.told, want)
			}
		})
	}
}

// Somebody who is no member answers nothing, and a member that answers again and again has nothing written after the second.
func TestAnswersOfOthers(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	path := alice.roomPath(id)
	says := func(p *person, yes bool) {
		for epoch := range uint32(5) {
			p.say([]Message{{id, message.State, seal.Answer{Epoch: epoch, Yes: yes}.Bytes()}}, nil)
		}
	}
	says(bob, false)
	told := len(alice.told)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		says(bob, true)
		says(bob, false)
		says(eve, false)
		says(eve, true)
	}
	if more := alice.told[told:]; len(more) > 0 {
		t.Errorf("told %+v", more)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the room's file was written")
	}
}

// Another machine of the owner's, which knows that bob left and hears late that he was taken out and asked again, and of the latter first, leaves him in.
func TestAskedAgainByAnother(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	laptop := alice.copied()
	w.deliver()
	bob.say(bob.Answer(id, false, w.now))
	laptop.away = true
	alice.tends()
	w.now = w.now.Add(time.Second)
	alice.invites(id, bob, false)
	slices.Reverse(w.said[laptop.next:])
	laptop.away = false
	w.deliver()
	laptop.tends()
	laptop.members(id, 2)
}

// Who is asked again is asked, though the clock by which it answered before is ahead: who declined, who left, and who was removed, be the invitation there first or the room's state.
func TestAskedAgainByAClockBehind(t *testing.T) {
	for _, how := range []string{"declined", "left", "removed"} {
		for _, stateFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, state first: %v", how, stateFirst), func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.add(newID(t)), w.add(newID(t))
				id := alice.founds("plans")
				alice.invites(id, bob, false)
				ahead := w.now.Add(time.Hour)
				bob.say(bob.Answer(id, how != "declined", ahead))
				if how == "left" {
					bob.say(bob.Answer(id, false, ahead.Add(time.Minute)))
				}
				if how == "removed" {
					out, _, err := alice.Change(id, seal.Change{Remove: []identity.PeerID{bob.me}}, false, w.now, w.keys)
					alice.say(out, err)
				}
				alice.tends()
				alice.members(id, 1)
				out, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{bob.me}}, false, w.now, w.keys)
				slices.SortStableFunc(out, func(a, b Message) int {
					if (a.Room == id) == (b.Room == id) {
						return 0
					}
					if (a.Room == id) == stateFirst {
						return -1
					}
					return 1
				})
				alice.say(out, err)
				bob.status(id, Asked)
				bob.say(bob.Answer(id, false, ahead.Add(time.Hour)))
				bob.readsAgain()
				bob.status(id, Left)
			})
		}
	}
}

// What was answered is told once, however often it is read again, and after a restart the owner still takes out who left.
func TestAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob, carol)
	again := func() {
		t.Helper()
		alice.readsAgain()
		for _, e := range alice.Take().Events {
			if a, ok := e.(Answered); ok {
				t.Errorf("told again: %+v", a)
			}
		}
	}
	again()
	bob.say(bob.Answer(id, false, w.now))
	alice.start()
	again()
	alice.tends()
	alice.members(id, 2)
}

func TestRestart(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	for _, p := range []*person{alice, bob} {
		p.start()
		p.status(id, Joined)
	}
	alice.tell(id, "again")
	bob.tell(id, "yes")
	bob.wants("again")
	alice.wants("yes")
}

// A profile whose identity is another than the one that was in its rooms, because not all files of it were restored, can read what was said there, and does nothing in them.
func TestRoomsOfAnotherIdentity(t *testing.T) {
	for _, owns := range []bool{false, true} {
		w := newWorld(t)
		alice, bob := w.add(newID(t)), w.add(newID(t))
		id := alice.founds("plans", bob)
		p := bob
		if owns {
			p = alice
		}
		alice.away, bob.away = p != alice, p != bob
		p.conf.Who = newID(t)
		p.start()
		p.rests()
		if r, ok := p.Room(id); !ok || r.Status != Out {
			t.Errorf("it sees %+v", r)
		}
		if out := append(p.Unheard(true), p.again()...); len(out) > 0 {
			t.Errorf("it says %v", out)
		}
		if owns {
			continue
		}
		alice.away, p.told = false, nil
		adds := func(who *person) {
			out, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{who.me}}, false, w.now, w.keys) // of bob that was no key is known any more
			alice.say(out, err)
		}
		if adds(w.add(newID(t))); len(p.told) > 0 {
			t.Errorf("of a change of who is in it is told %+v", p.told)
		}
		adds(p)
		if r, _ := p.Room(id); r.Status != Asked || !slices.Contains(p.told, Event(Invited{id, alice.me})) {
			t.Errorf("invited again it is not asked, but sees %+v", r)
		}
		p.say(p.Answer(id, true, w.now))
		p.tell(id, "here again")
		alice.wants("here again")
	}
}

// again is what is said again of all states that are this person's.
func (p *person) again() (out []Message) {
	for _, s := range p.Signed() {
		more, err := p.Again(s, p.w.keys)
		if err != nil {
			p.w.t.Fatal(err)
		}
		out = append(out, more...)
	}
	return out
}

func TestHandOver(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob, carol)
	out, _, err := alice.Change(id, seal.Change{Owner: &bob.me}, false, w.now, w.keys)
	alice.say(out, err)
	bob.tends()
	if _, _, err := alice.Change(id, seal.Change{}, false, w.now, w.keys); err == nil {
		t.Fatal("the owner before still changes the room")
	}
	out, _, err = bob.Change(id, seal.Change{Remove: []identity.PeerID{alice.me}}, false, w.now, w.keys)
	bob.say(out, err)
	alice.status(id, Out)
	bob.tell(id, "mine")
	carol.wants("mine")
}

// A room is handed to nobody who has not accepted, whoever invited them. Who says something in it has; of who was there before all that an owner knows it is not asked.
func TestHandOverToWhoAccepted(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol, dave := w.add(newID(t)), w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	hand := func(from, to *person, id message.RoomID) error {
		out, _, err := from.Change(id, seal.Change{Owner: &to.me}, false, w.now, w.keys)
		from.say(out, nil)
		return err
	}
	refuses := func(from, to *person, id message.RoomID) {
		t.Helper()
		if err := hand(from, to, id); !errors.Is(err, ErrUnanswered) {
			t.Errorf("handed over: %v", err)
		}
	}
	takes := func(from, to *person, id message.RoomID) {
		t.Helper()
		if err := hand(from, to, id); err != nil {
			t.Error(err)
		}
	}
	id := alice.founds("plans", carol)
	alice.invites(id, bob, false)
	refuses(alice, bob, id)
	takes(alice, carol, id)
	refuses(carol, bob, id)
	bob.say(bob.Answer(id, true, w.now))
	takes(carol, bob, id)
	takes(bob, alice, id)
	carol.say(carol.Answer(id, false, w.now))
	refuses(alice, carol, id)

	delete(alice.rooms[id].answers, bob.me)
	refuses(alice, bob, id)
	bob.tell(id, "here I am")
	alice.start()
	takes(alice, bob, id)

	old := alice.founds("old", bob)
	w.said = nil // it is long ago, and forgotten
	for _, p := range w.people {
		p.next = 0
	}
	alice.invites(old, dave, false)
	dave.say(dave.Answer(old, true, w.now))
	takes(alice, dave, old)
	takes(dave, bob, old)
}

// Someone who was away when the epoch was made, and whose key was not known, is wrapped for by who is here.
func TestKeyComesLater(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob, carol)
	carol.away = true
	without := func(p identity.PeerID) *seal.PublicKey {
		if p == carol.me {
			return nil
		}
		return w.keys(p)
	}
	out, left, err := alice.Change(id, seal.Change{}, false, w.now, without)
	if !slices.Equal(left, []identity.PeerID{carol.me}) {
		t.Fatalf("left out: %v", left)
	}
	alice.say(out, err)
	alice.tell(id, "where is carol?")
	alice.away, carol.away = true, false
	w.deliver()
	carol.wants()
	if r, _ := carol.Room(id); !r.Waits {
		t.Fatal("carol does not know that a key is missing")
	}
	bob.tends()
	carol.wants("where is carol?")
	bob.rests()
}

// Somebody comes back whose key, for which the others wrapped what they made meanwhile, is deleted: they are told to be without, and given it again, by the owner, or by who stands in for one.
func TestAwayForLonger(t *testing.T) {
	for name, ownerHere := range map[string]bool{"the owner is here": true, "the owner is away": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
			id := alice.founds("plans", bob, carol)
			bob.away = true
			w.now = w.now.AddDate(0, 0, 20)
			out, _, err := alice.Change(id, seal.Change{}, false, w.now, w.keys)
			alice.say(out, err)
			carol.tell(id, "welcome back")
			bob.conf.Ring, _, err = (&seal.Ring{}).Renew(w.now)
			if err != nil {
				t.Fatal(err)
			}
			bob.start()
			bob.away, alice.away = false, !ownerHere
			w.deliver()
			bob.wants()
			comes := func() {
				t.Helper()
				for _, p := range []*person{bob, alice, carol} {
					if !p.away {
						p.tends()
					}
				}
				bob.wants("welcome back")
			}
			comes()
			said := len(w.said)
			for _, p := range []*person{alice, carol} {
				p.readsAgain()
			}
			comes()
			if len(w.said) != said {
				t.Error("asked or wrapped again")
			}
		})
	}
}

// A member that says to have given the key to another, and has not, keeps nobody else from giving it.
func TestForgedWraps(t *testing.T) {
	w := newWorld(t)
	alice, carol, eve := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", carol, eve)
	out, _, err := alice.Change(id, seal.Change{}, false, w.now, func(p identity.PeerID) *seal.PublicKey {
		if p == carol.me {
			return nil
		}
		return w.keys(p)
	})
	alice.say(out, err)
	s := eve.rooms[id].Current()
	key, _ := eve.rooms[id].Key(s.Hash())
	forged, _, err := s.Wrap(key, []seal.For{{Person: carol.me, Key: w.keys(carol.me)}})
	forged[0][len(forged[0])-1] ^= 1
	eve.say([]Message{{id, message.State, forged[0]}}, err)
	alice.tell(id, "can you read this?")
	alice.tends()
	carol.wants("can you read this?")
	alice.rests()
}

// Two copies of the owner's profile change the room at once: all see the same, and the change that lost is made again.
func TestTwoOwners(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol, dave := w.add(newID(t)), w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	clone := alice.copied()
	alice.away, clone.away, bob.away = true, true, true
	for p, add := range map[*person]*person{alice: carol, clone: dave} {
		out, _, err := p.Change(id, seal.Change{Add: []identity.PeerID{add.me}}, false, w.now, w.keys)
		p.say(out, err)
	}
	alice.away, clone.away, bob.away = false, false, false
	w.deliver()
	alice.tends()
	clone.tends()
	want, _ := alice.Room(id)
	if len(want.Members) != 4 {
		t.Fatalf("members: %d", len(want.Members))
	}
	for _, p := range []*person{clone, bob} {
		if r, _ := p.Room(id); !slices.Equal(r.Members, want.Members) || r.Epoch != want.Epoch {
			t.Fatalf("one sees %+v, another %+v", want, r)
		}
	}
}

// Whom the other copy of the owner's profile added is added when this one has met them, too: the change comes before they have told what to seal for.
func TestTwoOwnersOneStranger(t *testing.T) {
	w := newWorld(t)
	alice, bob, dave := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	clone := alice.copied()
	alice.away, clone.away, bob.away = true, true, true
	out, _, err := clone.Change(id, seal.Change{Add: []identity.PeerID{dave.me}, Promote: []identity.PeerID{dave.me, bob.me}}, false, w.now, w.keys)
	clone.say(out, err)
	for range 2 {
		out, _, err = alice.Change(id, seal.Change{}, false, w.now, w.keys)
		alice.say(out, err)
	}
	alice.away = false
	w.deliver()
	alice.say(alice.Tend(w.now, w.here, func(p identity.PeerID) *seal.PublicKey {
		if p == dave.me {
			return nil
		}
		return w.keys(p)
	}))
	alice.members(id, 2)
	if r, _ := alice.Room(id); !slices.Equal(r.Moderators, []identity.PeerID{bob.me}) {
		t.Errorf("moderators are %v", r.Moderators)
	}
	for range 2 {
		alice.tends()
		alice.members(id, 3)
	}
	if r, _ := alice.Room(id); r.Epoch != 6 {
		t.Errorf("epoch %d: it was changed again", r.Epoch)
	}
}

// Of a line that lost what it came to is made again, and not what it took back itself.
func TestTwoOwnersOneTakesBack(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	clone := alice.copied()
	alice.away, clone.away, bob.away = true, true, true
	for _, c := range []seal.Change{{Add: []identity.PeerID{carol.me}, Remove: []identity.PeerID{bob.me}}, {Add: []identity.PeerID{bob.me}, Remove: []identity.PeerID{carol.me}}} {
		out, _, err := clone.Change(id, c, false, w.now, w.keys)
		clone.say(out, err)
	}
	for range 3 {
		out, _, err := alice.Change(id, seal.Change{}, false, w.now, w.keys)
		alice.say(out, err)
	}
	alice.away = false
	w.deliver()
	alice.tends()
	if r, _ := alice.Room(id); len(r.Members) != 2 || !slices.Contains(r.Members, bob.me) || slices.Contains(r.Members, carol.me) {
		t.Errorf("members are %v, not alice and bob: %v", r.Members, bob.me)
	}
}

// Another instance of the same person reads what was sealed for the first, when that has sent its keys.
func TestSibling(t *testing.T) {
	w := newWorld(t)
	me := newID(t)
	desk, bob := w.add(me), w.add(newID(t))
	bob.to(desk, "for the desk")
	laptop := w.add(me)
	w.deliver()
	laptop.wants()
	desk.wants("for the desk")
	desk.say(desk.Sibling(laptop.Ring().Public()))
	laptop.wants("for the desk")
	if !laptop.Ring().Has(desk.Ring().Public().ID()) {
		t.Fatal("the keyring did not come")
	}
	desk.to(bob, "from the desk")
	laptop.wants("for the desk", "from the desk")
}

// Where the keys do not come, the user is told that what others wrote cannot be opened, though what this person wrote since on the other machine came first.
func TestNoSibling(t *testing.T) {
	w := newWorld(t)
	me := newID(t)
	desk, bob := w.add(me), w.add(newID(t))
	bob.to(desk, "for the desk")
	desk.to(bob, "from the desk")
	laptop := w.add(me)
	slices.Reverse(w.said) // each log by itself, in any order
	w.deliver()
	laptop.wants()
	closed := Event(Closed{bob.me})
	if !slices.Contains(laptop.told, closed) {
		t.Error("the user is not told")
	}
	laptop.start()
	laptop.told = nil
	laptop.readsAgain()
	if laptop.works(); slices.Contains(laptop.told, closed) || len(laptop.Shut()) != 1 {
		t.Errorf("told again: %v; not all is open in %v", laptop.told, laptop.Shut())
	}
}

// A machine whose clock is behind sends a key that this one has deleted by its own: that is no reason to answer, for it would be answered likewise, and so on, until both clocks say that it is old.
func TestSiblingKeepsOldKey(t *testing.T) {
	w := newWorld(t)
	me := newID(t)
	theirs := &seal.Ring{}
	now := time.Now()
	for _, age := range []time.Duration{seal.KeyLife + 2*seal.KeyAge, seal.KeyLife, seal.KeyAge} {
		theirs, _, _ = theirs.Renew(now.Add(-age))
	}
	desk := w.add(me)
	desk.conf.Ring = theirs.Merge(&seal.Ring{}, now)
	desk.start()
	if desk.Ring().Equal(theirs) {
		t.Fatal("no key is old")
	}
	b, err := theirs.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.takeKeys(journal.Place{Room: seal.Direct(w.network, desk.me, desk.me), Author: desk.me}, b); err != nil {
		t.Fatal(err)
	}
	if work := desk.Take(); work.Sibling != nil {
		t.Error("it answers a machine that lacks nothing")
	}
}

// What comes from someone who was removed is refused: after the removal by its stamp, and live whatever it says.
func TestRemovedSpeaks(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob, carol)
	bob.tell(id, "a member") // and this log may go on
	bob.away = true          // bob does not hear of it
	early := w.now
	w.now = w.now.Add(time.Second)
	out, _, err := alice.Change(id, seal.Change{Remove: []identity.PeerID{bob.me}}, false, w.now, w.keys)
	alice.say(out, err)
	carol.wants("a member")
	l, err := bob.write(Message{id, message.Text, []byte("late")})
	if err != nil {
		t.Fatal(err)
	}
	w.deliver()
	if _, _, ok := carol.Open(l.at, l.body, false); ok {
		t.Fatal("what was said after the removal is shown")
	}
	at := *bob.log[id]
	at.Seq, at.HLC = at.Seq+1, stamp(early)
	rand.Read(at.Prev[:])
	body, err := bob.Seal(at, message.Text, []byte("dated back"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := carol.Open(at, body, true); ok {
		t.Fatal("what comes live from someone who was removed is shown")
	}
	if _, _, ok := carol.Open(at, body, false); !ok {
		t.Fatal("what a member said before its removal is not shown when it comes late")
	}
	carol.wants("a member")
}

// What somebody said who did not know of being removed is shown when they are a member again, to whoever made them one as to the others.
func TestRemovedComesBack(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob, carol)
	bob.away = true
	out, _, err := alice.Change(id, seal.Change{Remove: []identity.PeerID{bob.me}}, false, w.now, w.keys)
	alice.say(out, err)
	bob.tell(id, "meanwhile")
	alice.wants()
	carol.wants()
	bob.away = false
	alice.invites(id, bob, false)
	carol.wants("meanwhile")
	alice.wants("meanwhile")
}

// Who is removed from a room while another is tended owes the room nothing any more, though its owner, who is away, hands out the new key all the same.
func TestRemovedWhileTended(t *testing.T) {
	w := newWorld(t)
	alice, eve := w.add(newID(t)), w.add(newID(t))
	rooms := []message.RoomID{eve.founds("one", alice), eve.founds("two", alice)}
	out := eve.takes(rooms, alice)
	eve.away = true
	told := false
	here := func(id identity.PeerID) bool {
		for _, m := range out {
			if !told {
				alice.Learn(journal.Place{Key: journal.Key{HLC: stamp(w.now)}, Room: m.Room, Author: eve.me}, m.Body)
			}
		}
		told = true
		return w.here(id)
	}
	if out, err := alice.Tend(w.now, here, w.keys); len(out) > 0 || err != nil {
		t.Errorf("alice says %d messages, %v", len(out), err)
	}
	alice.status(rooms[0], Out)
	alice.status(rooms[1], Out)
}

// takes removes somebody from rooms, whom it hands the new keys.
func (p *person) takes(rooms []message.RoomID, from *person) (out []Message) {
	p.w.t.Helper()
	for _, id := range rooms {
		said, _, err := p.Change(id, seal.Change{Remove: []identity.PeerID{from.me}}, false, p.w.now, p.w.keys)
		if err != nil {
			p.w.t.Fatal(err)
		}
		s := p.rooms[id].Current()
		key, _ := p.rooms[id].Key(s.Hash())
		bodies, _, err := s.Wrap(key, []seal.For{{Person: from.me, Key: p.w.keys(from.me)}})
		if err != nil {
			p.w.t.Fatal(err)
		}
		out = append(append(out, said...), Message{id, message.State, bodies[0]})
	}
	return out
}

// What was made and never written is said again, with the invitations.
func TestAgain(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	if _, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{carol.me}}, false, w.now, w.keys); err != nil { // and then the process ends
		t.Fatal(err)
	}
	alice.start()
	signed := alice.Signed()
	if len(signed) != 1 || len(bob.Signed()) != 0 {
		t.Fatalf("%d states signed by the owner, %d by another", len(signed), len(bob.Signed()))
	}
	alice.say(alice.Again(signed[0], w.keys))
	if r, ok := bob.Room(id); !ok || r.Epoch != signed[0].Epoch || r.Waits {
		t.Errorf("bob sees %+v", r)
	}
	if r, ok := carol.Room(id); !ok || r.Status != Asked {
		t.Errorf("carol sees %+v", r)
	}
	alice.tell(id, "there you are")
	bob.wants("there you are")
}

// Who accepted, and ended before that was written, says so again, once; who was heard, and who founded the room, does not.
func TestUnheard(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans")
	alice.invites(id, bob, false)
	if _, err := bob.Answer(id, true, w.now); err != nil { // and then the process ends
		t.Fatal(err)
	}
	if out := bob.Unheard(true); len(out) != 0 {
		t.Fatalf("the process that says it says it twice: %v", out)
	}
	bob.start()
	bob.readsAgain()
	bob.say(bob.Unheard(true), nil)
	if !slices.Contains(append(alice.works().Events, alice.told...), Event(Answered{Room: id, By: bob.me, Yes: true})) {
		t.Error("alice has not heard of it")
	}
	for range 2 {
		for _, p := range w.people {
			p.readsAgain()
			if out := p.Unheard(true); len(out) != 0 {
				t.Errorf("said again: %v", out)
			}
			p.start()
			if out := p.Unheard(true); len(out) != 0 {
				t.Errorf("said again after a restart: %v", out)
			}
		}
	}
}

// Who left says so again, once: where the process ended before that was written, and where it did not, since nobody reads there whether it was. It is not done with before it is on the disk.
func TestLeavesUnheard(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	if _, err := bob.Answer(id, false, w.now); err != nil { // and then the process ends
		t.Fatal(err)
	}
	bob.start()
	if out := bob.Unheard(true); len(out) != 1 { // and then it ends again
		t.Fatalf("said again: %v", out)
	}
	if out := bob.Unheard(false); len(out) != 0 {
		t.Errorf("said twice: %v", out)
	}
	bob.start()
	bob.say(bob.Unheard(false), nil)
	if !slices.Contains(append(alice.works().Events, alice.told...), Event(Answered{Room: id, By: bob.me, Left: true})) {
		t.Error("alice has not heard of it")
	}
	for range 2 {
		if out := bob.Unheard(true); len(out) != 0 {
			t.Errorf("said again: %v", out)
		}
		if err := bob.Save(); err != nil {
			t.Fatal(err)
		}
		bob.start()
	}
	alice.tends()
	alice.invites(id, bob, false)
	bob.status(id, Asked)
}

// A process that ends while it says what a change was leaves nobody out, however far it came.
func TestEndsWhileItSaysAChange(t *testing.T) {
	for said := range 4 {
		w := newWorld(t)
		alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
		id := alice.founds("plans", bob)
		out, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{carol.me}}, false, w.now, w.keys)
		if err != nil {
			t.Fatal(err)
		}
		alice.say(out[:said], nil)
		alice.start()
		state := alice.Signed()[0]
		if !slices.ContainsFunc(w.said, func(l line) bool { return bytes.Equal(l.body, state.Bytes()) }) {
			alice.say(alice.Again(state, w.keys))
		}
		alice.tends()
		carol.status(id, Asked)
		alice.tell(id, "there you are")
		bob.wants("there you are")
	}
}

// What could not be written of the conversations, on a full disk, is written as soon as that goes.
func TestSavedLater(t *testing.T) {
	w := newWorld(t)
	p := w.add(newID(t))
	with := newID(t).ID()
	if err := os.Mkdir(p.talksPath(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Begin(with, nil, true); err == nil {
		t.Fatal("it was written")
	}
	if err := os.Remove(p.talksPath()); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	p.start()
	if talks := p.Talks(); len(talks) != 1 || talks[0].With != with {
		t.Errorf("%+v", talks)
	}
}

// So is what was learned of a room.
func TestLearnedIsSavedLater(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	rooms := filepath.Dir(bob.roomPath(id))
	if err := errors.Join(os.Rename(rooms, rooms+" away"), os.WriteFile(rooms, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	out, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{carol.me}}, false, w.now, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out {
		if l, err := alice.write(m); err != nil {
			t.Fatal(err)
		} else {
			bob.take(l, true)
		}
	}
	if bob.Save() == nil {
		t.Fatal("it was written")
	}
	if err := errors.Join(os.Remove(rooms), os.Rename(rooms+" away", rooms), bob.Save()); err != nil {
		t.Fatal(err)
	}
	bob.start()
	bob.members(id, 3)
}
