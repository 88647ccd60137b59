package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// stranger is somebody with a key of that number.
func stranger(t testing.TB, n int) *identity.Identity {
	t.Helper()
	seed := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("stranger"), uint32(n)))
	who, err := identity.FromSeed(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// from is where a stranger's message to p stands, as far ahead in time as it likes.
func (p *person) from(who *identity.Identity) journal.Place {
	id := who.ID()
	return journal.Place{Key: journal.Key{HLC: stamp(p.w.now.AddDate(1, 0, 0)), Log: message.LogID(id[:16]), Seq: 1}, Room: seal.Direct(p.w.network, id, p.me), Author: id}
}

func (p *person) group(id message.RoomID) int {
	return slices.Index(p.Groups(), message.GroupID(id))
}

// Keys cost nothing: whoever has thousands of them, and writes with each, puts out nobody that this person speaks with, from the conversations or from what is replicated first, and leaves place for the next.
func TestFloodOfConversations(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	talk := bob.to(alice, "hi")
	alice.to(bob, "hello")
	room := alice.founds("plans", bob)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sealed, err := seal.SealDM(w.network, stranger(t, 0).ID(), alice.me, w.keys(alice.me), w.keys(bob.me), seal.Content{Kind: message.Text, Body: []byte("buy")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := alice.Open(alice.from(stranger(t, 0)), sealed, true); !ok {
		t.Fatal("what a stranger writes is not read")
	}
	for n := range 2 * MaxTalks {
		who := stranger(t, n)
		body := slices.Clone(sealed) // for a key that nobody has: sealing costs nothing either
		copy(body, "no key..")
		id := who.ID()
		copy(body[len(body)/2+8:], id[:])
		alice.Open(alice.from(who), body, true)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 4<<20 {
		t.Errorf("%d KB are taken", n>>10)
	}
	alice.Take()
	if n := len(alice.Groups()); n > MaxTalks+1 {
		t.Errorf("%d groups", n)
	}
	for name, id := range map[string]message.RoomID{"the conversation": talk, "the room": room} {
		if i := alice.group(id); i < 0 || i > 1 {
			t.Errorf("%s is number %d of what is replicated", name, i)
		}
	}
	again := carol.to(alice, "may I?")
	if got := alice.texts(); got[len(got)-1] != "may I?" {
		t.Errorf("alice reads %q", got)
	}
	if id, err := alice.Begin(carol.me, w.keys(carol.me), true); err != nil || id != again || alice.group(id) > 2 {
		t.Errorf("a conversation cannot be begun: %v", err)
	}
	if err := alice.Save(); err != nil {
		t.Fatal(err)
	}
	alice.start()
	if i := alice.group(talk); i < 0 || i > 2 {
		t.Errorf("after a restart the conversation is number %d", i)
	}
}

// One who sends more invitations than there is place for loses its own, and nobody's room, nor the means to make one.
func TestFloodOfInvitations(t *testing.T) {
	w := newWorld(t)
	alice, bob, eve := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	room := bob.founds("plans", alice)
	declined := bob.founds("other")
	bob.invites(declined, alice, false)
	alice.say(alice.Answer(declined, false, w.now))
	at := alice.from(eve.who)
	for n := range MaxRooms + 40 {
		key := seal.NewEpochKey()
		s, err := seal.Found(eve.who, w.network, message.Nonce{byte(n), byte(n >> 8)}, stamp(w.now), key, "plans", alice.me)
		if err != nil {
			t.Fatal(err)
		}
		at.HLC, at.Seq = at.HLC+1, at.Seq+1
		if err := alice.takeInvitation(at, (&seal.Invitation{State: s, Key: key}).Content()); err != nil {
			t.Fatal(err)
		}
	}
	alice.status(room, Joined)
	alice.status(declined, Left)
	if rooms := alice.Rooms(); len(rooms) != MaxRooms-1 { // without the one that was left
		t.Errorf("%d rooms", len(rooms))
	}
	files, err := os.ReadDir(filepath.Join(alice.conf.Dir, "rooms"))
	if err != nil || len(files) != MaxRooms {
		t.Errorf("%d files, %v", len(files), err)
	}
	if _, _, err := alice.Found("mine", w.now); err != nil {
		t.Errorf("no room can be made: %v", err)
	}
	bob.invites(bob.founds("more"), alice, false)
	if rooms := alice.Rooms(); !slices.ContainsFunc(rooms, func(r Room) bool { return r.Name == "more" && r.By == bob.me }) {
		t.Error("an invitation by somebody else has no place")
	}
	alice.start()
	alice.status(room, Joined)
}

// Who invites again and again, and changes the room before that is answered, fills nothing; who accepts then is in the room as it is by then.
func TestFloodOfStates(t *testing.T) {
	w := newWorld(t)
	alice, eve := w.add(newID(t)), w.add(newID(t))
	id := eve.founds("plans")
	eve.invites(id, alice, false)
	for range 20 {
		out, _, err := eve.Change(id, seal.Change{}, false, w.now, w.keys)
		eve.say(out, err)
		eve.invites(id, alice, false)
	}
	eve.tell(id, "welcome")
	if n := len(alice.rooms[id].States()); n != 1 {
		t.Errorf("%d states of a room are kept that was not joined", n)
	}
	alice.say(alice.Answer(id, true, w.now))
	alice.wants("welcome")
	alice.tell(id, "thanks")
	eve.wants("thanks")
}

// A member who wraps the same key again and again, and keys for states that never come, fills nothing.
func TestFloodOfWraps(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add(newID(t)), w.add(newID(t))
	id := alice.founds("plans", bob)
	r := alice.rooms[id]
	key, _ := r.Key(r.Current().Hash())
	bodies, _, err := r.Current().Wrap(key, slices.Repeat([]seal.For{{Person: alice.me, Key: w.keys(alice.me)}}, seal.MaxWraps))
	if err != nil {
		t.Fatal(err)
	}
	at := journal.Place{Key: journal.Key{HLC: stamp(w.now), Seq: 1}, Room: id, Author: bob.me}
	for n := range 500 {
		alice.Learn(at, bodies[0])
		never := slices.Clone(bodies[0])
		copy(never[1:], fmt.Sprint("a state that never comes ", n))
		alice.Learn(at, never)
	}
	if n := len(r.covered[alice.me]); n != 1 {
		t.Errorf("%d keys are remembered", n)
	}
	if n := r.waits(); n > maxWaiting {
		t.Errorf("%d wrapped keys wait", n)
	}
}

// A room of 250 members: what a change of it costs.
func TestFullRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 250 keys")
	}
	w := newWorld(t)
	alice, bob, last := w.add(newID(t)), w.add(newID(t)), w.add(newID(t))
	alice.conf.Dir = ""
	alice.start()
	keys := map[identity.PeerID]*seal.PublicKey{}
	var add []identity.PeerID
	for n := range seal.MaxMembers - 2 {
		ring, _, err := (&seal.Ring{}).Renew(w.now)
		if err != nil {
			t.Fatal(err)
		}
		id := stranger(t, n).ID()
		keys[id], add = ring.Public(), append(add, id)
	}
	all := func(p identity.PeerID) *seal.PublicKey {
		if k := keys[p]; k != nil {
			return k
		}
		return w.keys(p)
	}
	id := alice.founds("plans", bob)
	began := time.Now()
	out, left, err := alice.Change(id, seal.Change{Add: add}, false, w.now, all)
	t.Logf("inviting %d took %v", len(add), time.Since(began))
	if len(left) > 0 {
		t.Fatalf("%d are left out", len(left))
	}
	alice.say(out, err)
	if _, _, err := alice.Change(id, seal.Change{Add: []identity.PeerID{last.me}}, false, w.now, all); err == nil {
		t.Error("one more than there may be")
	}
	began = time.Now()
	out, _, err = alice.Change(id, seal.Change{Remove: add[:1]}, false, w.now, all)
	took, bytes := time.Since(began), 0
	for _, m := range out {
		bytes += len(m.Body)
	}
	t.Logf("a new epoch took %v, %d messages, %d KB", took, len(out), bytes>>10)
	alice.say(out, err)
	began = time.Now()
	bob.tell(id, "in a crowd")
	t.Logf("one message took %v", time.Since(began))
	alice.wants("in a crowd")
	if r, _ := bob.Room(id); len(r.Members) != seal.MaxMembers-1 {
		t.Errorf("%d members", len(r.Members))
	}
}
