package journal

import (
	"bytes"
	"encoding/binary"
	"testing"

	"earshot/node/identity"
)

func TestPersons(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	check := func(j *Journal, p identity.PeerID, want string) {
		t.Helper()
		if got, err := j.Person(p); err != nil || string(got) != want || (got == nil) != (want == "") {
			t.Errorf("%s told %q, %v; want %q", p.Tag(), got, err, want)
		}
	}
	j := open(t, c)
	stop := run(t, j)
	check(j, alice, "")
	j.PutPerson(alice, []byte("one"))
	check(j, alice, "one") // on disk or not
	j.PutPerson(alice, []byte("two"))
	j.PutPerson(bob, []byte("bob"))
	check(j, alice, "two")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	j.PutPerson(alice, []byte("too late"))
	j = start(t, c)
	check(j, alice, "two")
	check(j, bob, "bob")
	if len(j.people) != 0 {
		t.Error("a journal just opened has something to write")
	}
}

// Those told of last are remembered, whatever a liar makes up.
func TestPersonsAreBounded(t *testing.T) {
	j := open(t, Config{})
	alice, bob := person(t, 1).ID(), person(t, 2).ID()
	put := func(p identity.PeerID, profile string) {
		t.Helper()
		j.PutPerson(p, []byte(profile))
		if err := j.commitPeople(); err != nil {
			t.Fatal(err)
		}
	}
	put(alice, "old")
	put(bob, "old")
	made := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			var p identity.PeerID
			binary.BigEndian.PutUint16(p[:], uint16(i))
			j.PutPerson(p, []byte("x"))
		}
		if err := j.commitPeople(); err != nil {
			t.Fatal(err)
		}
	}
	made(0, maxPersons-2)
	put(bob, "new")
	made(maxPersons-2, maxPersons-1)
	if got, err := j.Person(alice); got != nil || err != nil {
		t.Errorf("the oldest is remembered: %q, %v", got, err)
	}
	if got, err := j.Person(bob); !bytes.Equal(got, []byte("new")) || err != nil {
		t.Errorf("who was told of again: %q, %v", got, err)
	}
	var n int
	if err := j.store.r.QueryRow("SELECT count(*) FROM person").Scan(&n); err != nil || n != maxPersons {
		t.Errorf("%d are remembered, %v", n, err)
	}
	for i := range maxPersons + 10 { // while the disk is full
		j.PutPerson(identity.PeerID{byte(i >> 8), byte(i)}, []byte("x"))
	}
	if len(j.people) != maxPersons {
		t.Errorf("%d wait to be written", len(j.people))
	}
	if err := j.store.close(); err != nil {
		t.Error(err)
	}
}
