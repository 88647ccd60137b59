package hub

import (
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// Whoever says all the time that they type, or sets their nick to what it is, costs the others next to nothing; and nobody types in another's name.
func TestTypingFlood(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		mallory, bob := s.link("mallory", identity.NewSession()), s.link("bob", identity.NewSession())
		var told, presence int
		hear := func() {
			for {
				kind, body, err := bob.Next(10 * time.Millisecond)
				if err != nil {
					return
				}
				switch kind {
				case wire.TypePresence:
					presence++
				case wire.TypeTyping:
					var typing wire.Typing
					if err := wire.Decode(body, &typing); err != nil || typing.Who != frames.Identity(t, "mallory").ID() {
						t.Errorf("%+v, %v", typing, err)
					}
					told++
				}
			}
		}
		bob.Await(time.Second, wire.TypePresence, nil)
		hear()
		presence = 0
		for i := range 1000 {
			mallory.Send(wire.TypeTyping, &wire.Typing{Room: [16]byte{byte(i)}, Who: frames.Identity(t, "bob").ID()})
			mallory.Send(wire.TypeNote, &wire.Note{Nick: "mallory"})
			bob.Bytes(wire.AppendFrame(nil, wire.TypePing, nil)) // or it would be cut off
			hear()
		}
		if told < 3 || told > 5 || presence > 0 {
			t.Errorf("within 10 s bob was told %d times that mallory types, and %d times who is here", told, presence)
		}
		alice := s.link("alice", identity.NewSession())
		if kind, _, err := alice.Next(100 * time.Millisecond); err != nil || kind == wire.TypeTyping {
			t.Errorf("%d, %v", kind, err)
		}
	})
}

// What is kept of who types is bounded.
func TestTypingIsBounded(t *testing.T) {
	h := New(Config{})
	for i := range 10_000 {
		h.Typing(wire.Typing{Who: identity.PeerID{byte(i), byte(i >> 8)}})
	}
	if len(h.typing) > maxTyping {
		t.Errorf("%d are kept", len(h.typing))
	}
}
