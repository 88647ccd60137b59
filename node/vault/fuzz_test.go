package vault

import (
	"slices"
	"testing"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// FuzzLearnAndOpen gives a member whatever anyone could have put into its groups. Only what was said by who says it, and where, opens; members change by what the owner signed alone.
func FuzzLearnAndOpen(f *testing.F) {
	w := newWorld(f)
	alice, bob, eve := w.add(newID(f)), w.add(newID(f)), w.add(newID(f))
	bob.conf.Dir = ""
	bob.start()
	talk := bob.to(alice, "hi")
	alice.to(bob, "hello")
	room := alice.founds("plans", bob)
	bob.tell(room, "in the room")
	bob.say(bob.Tell(talk, journal.Key{HLC: 1, Seq: 1}), nil)
	rooms := []message.RoomID{talk, room, seal.Direct(w.network, eve.me, bob.me), {1}}
	people := []*person{alice, bob, eve}
	for _, l := range w.said {
		for i := range len(rooms) * len(people) { // where it belongs, and everywhere else
			f.Add(uint8(l.kind), uint8(i/len(people)), uint8(i%len(people)), i%2 == 0, l.body)
		}
	}
	f.Add(uint8(message.State), uint8(1), uint8(2), false, []byte{1})
	f.Add(uint8(message.Sealed), uint8(0), uint8(2), false, make([]byte, 3000))
	f.Fuzz(func(t *testing.T, kind, room, author uint8, live bool, body []byte) {
		at := journal.Place{Room: rooms[int(room)%len(rooms)], Author: people[int(author)%len(people)].me}
		at.Log, at.Seq, at.HLC = message.LogID{1}, 1, stamp(w.now)
		before := bob.Rooms()
		was := slices.Clone(body)
		if message.Kind(kind) == message.State {
			bob.Learn(at, body)
		} else if k, plain, ok := bob.Open(at, body, live); ok {
			// A direct message says the same wherever its author puts it in its conversation; nothing else opens elsewhere.
			if at.Room != talk || !slices.ContainsFunc(w.said, func(l line) bool { return l.at.Room == talk && l.at.Author == at.Author && slices.Equal(l.body, body) }) {
				t.Errorf("%x by %x opens as %d %q", body, at.Author, k, plain)
			}
		}
		if !slices.Equal(was, body) {
			t.Error("the body was changed")
		}
		after := bob.Rooms()
		if len(before) != len(after) {
			t.Fatalf("%d rooms, and then %d", len(before), len(after))
		}
		for i := range before {
			if !slices.Equal(before[i].Members, after[i].Members) || before[i].Epoch != after[i].Epoch {
				t.Errorf("%+v, and then %+v", before[i], after[i])
			}
		}
		if n := len(bob.Groups()); n > 4 {
			t.Errorf("%d groups", n)
		}
		bob.Take()
	})
}
