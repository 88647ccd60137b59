package seal

import (
	"errors"
	"fmt"

	"earshot/node/identity"
	"earshot/node/message"
)

// ErrCommitment means that an epoch key is not the one that the owner signed for.
var ErrCommitment = errors.New("the epoch key does not match the room's state")

// A For is somebody to seal for, and with what key.
type For struct {
	Person identity.PeerID
	Key    *PublicKey
}

const (
	wrapLen   = 32 + 8 + encLen + epochKeyLen + tagLen
	wrapsHead = 1 + 32 + 1
)

func wrapInfo(room message.RoomID, epoch uint32, member identity.PeerID) []byte {
	return EpochKey{}.info("earshot/v1 wrap\x00", room, epoch, member[:])
}

// Wrap seals the key of s for people, and returns bodies of kind State of at most MaxWraps each. Who has a key that cannot be used is left out, and returned. Any member may do this for any
// other, and again when the other's key has changed.
func (s *State) Wrap(key EpochKey, people []For) (bodies [][]byte, left []identity.PeerID, err error) {
	if key.Commitment() != s.Commitment {
		return nil, nil, ErrCommitment
	}
	room, secret := s.Room(), key.Bytes()
	var b []byte
	for _, p := range people {
		if b == nil {
			b = make([]byte, 0, wrapsHead+MaxWraps*wrapLen)
			b = append(append(append(b, formWraps), s.hash[:]...), 0)
		}
		id := p.Key.ID()
		next, err := p.Key.seal(append(append(b, p.Person[:]...), id[:]...), wrapInfo(room, s.Epoch, p.Person), secret)
		if err != nil {
			left = append(left, p.Person)
			continue
		}
		b = next
		if b[wrapsHead-1]++; b[wrapsHead-1] == MaxWraps {
			bodies, b = append(bodies, b), nil
		}
	}
	if b != nil && b[wrapsHead-1] > 0 {
		bodies = append(bodies, b)
	}
	return bodies, left, nil
}

// Wraps is an epoch key wrapped for some people.
type Wraps struct {
	State message.Hash // whose key
	each  []byte
}

// ParseWraps decodes a body that Wrap made. It aliases b.
func ParseWraps(b []byte) (*Wraps, error) {
	if len(b) < wrapsHead+wrapLen || b[0] != formWraps || b[33] > MaxWraps || len(b) != wrapsHead+int(b[33])*wrapLen {
		return nil, fmt.Errorf("%w wrapped keys: wrong length or form", ErrMalformed)
	}
	return &Wraps{message.Hash(b[1:33]), b[wrapsHead:]}, nil
}

// Len returns how many keys there are.
func (w *Wraps) Len() int { return len(w.each) / wrapLen }

// For returns the ids of the X-Wing keys that are used for p here: who has renewed its key since needs to be wrapped for again.
func (w *Wraps) For(p identity.PeerID) (ids []KeyID) {
	for b := w.each; len(b) > 0; b = b[wrapLen:] {
		if identity.PeerID(b[:32]) == p {
			ids = append(ids, KeyID(b[32:40]))
		}
	}
	return ids
}

// Unwrap returns the key of s that is wrapped for me here. It wraps ErrNoKey where there is none, or only for keys that are not in the ring; ErrOpen where it was wrapped for another person, room
// or epoch; ErrCommitment where it is not the key that the owner signed for.
func (s *State) Unwrap(w *Wraps, me identity.PeerID, ring *Ring) (EpochKey, error) {
	if w.State != s.hash {
		return EpochKey{}, fmt.Errorf("wrapped key: of another state: %w", ErrNoKey)
	}
	err := fmt.Errorf("%w: not wrapped for this person", ErrNoKey)
	for b := w.each; len(b) > 0; b = b[wrapLen:] {
		if identity.PeerID(b[:32]) != me {
			continue
		}
		var plain []byte
		if plain, err = ring.open(KeyID(b[32:40]), wrapInfo(s.Room(), s.Epoch, me), b[40:wrapLen]); err != nil {
			continue // there may be another: anybody can put one here
		}
		var key EpochKey
		if key, err = ParseEpochKey(plain); err != nil {
			continue
		}
		if key.Commitment() == s.Commitment {
			return key, nil
		}
		err = ErrCommitment
	}
	return EpochKey{}, fmt.Errorf("wrapped key: %w", err)
}
