package exchange

import (
	"testing"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// Of what an author who has gone was waiting for, nothing is left: others come and go all day while a witness stays.
func TestGoneAuthorWaitsForNothing(t *testing.T) {
	x := unlinked(t, journal.Config{})
	author, witness := newPeer(x, &Link{}), newPeer(x, &Link{Hub: true})
	witness.witness = true
	l := message.LogID{1}
	x.acks.await(author, l, 1, 2)
	x.acks.have(witness, []wire.Head{{Log: l, Seq: 1}})
	if len(x.acks.haves[witness]) != 1 {
		t.Fatal("it is not known what the witness has")
	}
	x.acks.forget(author)
	if n := len(x.acks.awaited) + len(x.acks.haves[witness]); n != 0 {
		t.Errorf("%d are left", n)
	}
}
