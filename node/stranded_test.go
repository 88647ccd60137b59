package node

import (
	"testing"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
)

// A fork that turns out to be lower strands only what was not stranded before; what is left of the log is waited for as ever.
func TestStrandedOnce(t *testing.T) {
	j, err := journal.Open(journal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	d := newDeliveries(func() {}, func() bool { return false }, journal.NewClock(nil))
	at := &gathering{journal: j, author: j.NewAuthor(frames.Identity(t, "a"), "a")}
	var list []stranded
	for range 4 {
		if err := d.write(t.Context(), at, public(message.Lobby), message.Text, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	var log message.LogID
	for l, pending := range d.pending {
		log = l
		for _, s := range pending {
			list = append(list, stranded{message: Message{ID: s.id}})
		}
	}
	for _, c := range []struct {
		seq         uint64
		count, news int
	}{{4, 1, 1}, {4, 0, 1}, {3, 1, 2}, {5, 0, 2}} {
		if n := d.strand(log, c.seq, list[c.seq-1:]); n != c.count || len(d.news) != c.news {
			t.Errorf("from %d on %d lines are new, %d events; want %d, %d", c.seq, n, len(d.news), c.count, c.news)
		}
	}
	heads := d.waiting(j)
	if len(heads) != 1 || heads[0].Seq != 2 {
		t.Errorf("waits for %+v, want 2", heads)
	}
	d.strand(log, 1, list[:2])
	if heads := d.waiting(j); len(heads) != 0 || len(d.lost) != 4 || len(d.pending) != 0 {
		t.Errorf("waits for %+v, %d lost", heads, len(d.lost))
	}
}
