package seal

import (
	"encoding/binary"
	"fmt"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// The forms of a body of kind State.
const (
	formState  = 1
	formWraps  = 2
	formInvite = 3
	formAnswer = 4
)

// formRotation is that of a body of kind Rotate.
const formRotation = 1

const (
	stateFixed = 1 + 32 + 16 + 4 + 8 + 32 + 32 + sealedNameLen // up to the hand-overs
	handLen    = 4 + 32 + sigLen
	stateLeast = stateFixed + 1 + 1 + 32 + 1 + sigLen
	stateMost  = stateFixed + 1 + MaxHandOver*handLen + 1 + MaxMembers*32 + 1 + MaxMembers + sigLen
)

const maxHLC = 1 << 63 // stamps are below it, as in messages

// sign encodes s, which is complete but for that, and signs it.
func (s *State) sign(me *identity.Identity) *State {
	b := append([]byte{formState}, s.Founder[:]...)
	b = append(b, s.Nonce[:]...)
	b = binary.BigEndian.AppendUint32(b, s.Epoch)
	b = binary.BigEndian.AppendUint64(b, s.HLC)
	b = append(b, s.Prev[:]...)
	b = append(b, s.Commitment[:]...)
	b = append(b, s.name[:]...)
	b = append(b, byte(len(s.hands)))
	for _, h := range s.hands {
		b = binary.BigEndian.AppendUint32(b, h.epoch)
		b = append(append(b, h.owner[:]...), h.sig[:]...)
	}
	b = append(b, byte(len(s.Members)))
	for _, p := range s.Members {
		b = append(b, p[:]...)
	}
	b = append(b, byte(len(s.Moderators)))
	for _, p := range s.Moderators {
		i, _ := slices.BinarySearchFunc(s.Members, p, comparePeople)
		b = append(b, byte(i))
	}
	covered := s.signed(b)
	s.hash = hash(covered)
	s.encoded = append(b, me.Sign(covered)...)
	return s
}

// ParseState decodes a state of network n and checks its signature, and those of its hand-overs: then it is the founder's, or of who was made the owner. Whether it is the latest, a Room tells.
func ParseState(n identity.NetworkID, b []byte) (*State, error) {
	bad := func(what string) (*State, error) { return nil, fmt.Errorf("%w room state: %s", ErrMalformed, what) }
	if len(b) < stateLeast || len(b) > stateMost || b[0] != formState {
		return bad("wrong length or form")
	}
	s := &State{
		Network:    n,
		Founder:    identity.PeerID(b[1:33]),
		Nonce:      message.Nonce(b[33:49]),
		Epoch:      binary.BigEndian.Uint32(b[49:]),
		HLC:        binary.BigEndian.Uint64(b[53:]),
		Prev:       message.Hash(b[61:93]),
		Commitment: message.Hash(b[93:125]),
		name:       [sealedNameLen]byte(b[125:]),
	}
	if s.Epoch < 1 || s.HLC >= maxHLC || (s.Epoch == 1) != (s.Prev == message.Hash{}) {
		return bad("numbers out of range")
	}
	r := reader{b: b[stateFixed : len(b)-sigLen]}
	if !s.readHands(&r) || !s.readPeople(&r) || len(r.b) != 0 {
		return bad("wrong hand-overs or members")
	}
	for i, h := range s.hands {
		if !s.ownerAt(i).Verify(s.signedHand(h.epoch, h.owner), h.sig[:]) {
			return nil, fmt.Errorf("room state: hand-over: %w", ErrSignature)
		}
	}
	covered := s.signed(b[:len(b)-sigLen])
	if !s.Signer().Verify(covered, b[len(b)-sigLen:]) {
		return nil, fmt.Errorf("room state: %w", ErrSignature)
	}
	s.hash, s.encoded = hash(covered), slices.Clone(b)
	return s, nil
}

func (s *State) readHands(r *reader) bool {
	n := int(r.byte())
	if n > MaxHandOver || n*handLen > len(r.b) {
		return false
	}
	last := uint32(1) // the founder's epoch is the founder's own
	for i := range n {
		b := r.take(handLen)
		h := handOver{binary.BigEndian.Uint32(b), identity.PeerID(b[4:36]), [sigLen]byte(b[36:])}
		if h.epoch <= last || h.epoch > s.Epoch || h.owner == s.ownerAt(i) {
			return false
		}
		s.hands, last = append(s.hands, h), h.epoch
	}
	return true
}

func (s *State) readPeople(r *reader) bool {
	n := int(r.byte())
	if n < 1 || n > MaxMembers || n*32 > len(r.b) {
		return false
	}
	s.Members = make([]identity.PeerID, n)
	for i := range s.Members {
		s.Members[i] = identity.PeerID(r.take(32))
		if i > 0 && comparePeople(s.Members[i-1], s.Members[i]) >= 0 {
			return false
		}
	}
	k, last := int(r.byte()), -1
	for _, i := range r.take(k) {
		if int(i) <= last || int(i) >= n {
			return false
		}
		s.Moderators, last = append(s.Moderators, s.Members[i]), int(i)
	}
	return !r.short && s.Has(s.Owner())
}

// A reader takes bytes off b; what is not there makes it short, and reads as nothing.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}
