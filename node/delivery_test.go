package node

import (
	"encoding/binary"
	"testing"

	"earshot/node/journal"
	"earshot/node/message"
)

// Who says very much is told all the same how far each line gets: what is forgotten is what was said first.
func TestDeliveryOfMany(t *testing.T) {
	d := newDeliveries(func() {}, func() bool { return false }, journal.NewClock(nil))
	line := func(n int) (s *spoken) {
		s = &spoken{key: journal.Key{Log: message.LogID{byte(n >> 10)}, Seq: uint64(n)}}
		binary.BigEndian.PutUint64(s.id[:], uint64(n))
		return s
	}
	const many = spokenKept + 10
	for n := 1; n <= many; n++ {
		s := line(n)
		d.follow(s)
		d.stable(s.key.Log, s.key.Seq, 2, true)
		if own, here := d.mine(s.id); own.copies() != 2 || !here {
			t.Fatalf("line %d is on %d disks, said here: %v", n, own.copies(), here)
		}
	}
	if _, here := d.mine(line(1).id); here || len(d.all) > spokenKept || len(d.pending) > 0 {
		t.Errorf("%d lines are kept, %d logs wait", len(d.all), len(d.pending))
	}
	_, end := d.since(0)
	if end != many {
		t.Errorf("told of %d lines", end)
	}
	for n := 1; n <= many; n++ { // alone
		d.follow(line(many + n))
	}
	waiting := 0
	for _, list := range d.pending {
		waiting += len(list)
	}
	if waiting > spokenKept {
		t.Errorf("%d lines wait", waiting)
	}
}
