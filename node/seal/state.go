package seal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// A State says what a private room is in one epoch. Its hand-overs prove who owns it.
type State struct {
	Network    identity.NetworkID
	Founder    identity.PeerID
	Nonce      message.Nonce
	Epoch      uint32 // from 1
	HLC        uint64
	Prev       message.Hash
	Commitment message.Hash
	Members    []identity.PeerID // ascending, the owner among them
	Moderators []identity.PeerID // likewise, of the members

	name    [sealedNameLen]byte
	hands   []handOver
	encoded []byte
	hash    message.Hash
}

// A handOver makes owner the owner of what comes after epoch; sig is of the owner before.
type handOver struct {
	epoch uint32
	owner identity.PeerID
	sig   [sigLen]byte
}

func (h handOver) same(o handOver) bool { return h.epoch == o.epoch && h.owner == o.owner }

// ErrOwners means that a room was handed to two people: one person cannot follow both.
var ErrOwners = errors.New("the room was handed to two people")

// PrivateRoom returns H("earshot/v1 room\0" || founder || nonce)[:16], the id of a room. As a GroupID it is the room's group.
func PrivateRoom(founder identity.PeerID, nonce message.Nonce) message.RoomID {
	h := sha256.Sum256(slices.Concat([]byte("earshot/v1 room\x00"), founder[:], nonce[:]))
	return message.RoomID(h[:16])
}

// Room returns the room's id.
func (s *State) Room() message.RoomID { return PrivateRoom(s.Founder, s.Nonce) }

// Hash returns the state's hash, which does not depend on its signature.
func (s *State) Hash() message.Hash { return s.hash }

// Bytes returns the encoding, the body of a message of kind State, not to be changed.
func (s *State) Bytes() []byte { return s.encoded }

// Owner returns who makes the next state.
func (s *State) Owner() identity.PeerID { return s.ownerAt(len(s.hands)) }

// Signer returns who made this one: a hand-over is made by the owner before.
func (s *State) Signer() identity.PeerID {
	n := len(s.hands)
	if n > 0 && s.hands[n-1].epoch == s.Epoch {
		n--
	}
	return s.ownerAt(n)
}

// ownerAt returns the owner after n hand-overs.
func (s *State) ownerAt(n int) identity.PeerID {
	if n == 0 {
		return s.Founder
	}
	return s.hands[n-1].owner
}

// Has reports whether p is a member.
func (s *State) Has(p identity.PeerID) bool { return has(s.Members, p) }

func has(people []identity.PeerID, p identity.PeerID) bool {
	_, found := slices.BinarySearchFunc(people, p, comparePeople)
	return found
}

func comparePeople(a, b identity.PeerID) int { return bytes.Compare(a[:], b[:]) }

// Name returns the room's name, which only members can read: any UTF-8, cleaned where it is shown.
func (s *State) Name(key EpochKey) (string, error) { return key.openName(s.Room(), s.Epoch, s.name) }

// Age returns how long the epoch has lasted.
func (s *State) Age(now time.Time) time.Duration {
	return time.Duration(now.UnixMilli()-int64(s.HLC>>16)) * time.Millisecond
}

// Due reports whether the epoch has lasted EpochAge.
func (s *State) Due(now time.Time) bool { return s.Age(now) >= EpochAge }

// compare orders the states of one room: the greater is what the room is. It is an error, ErrOwners, where neither's hand-overs begin with the other's.
func (s *State) compare(o *State) (int, error) {
	for i := range min(len(s.hands), len(o.hands)) {
		if !s.hands[i].same(o.hands[i]) {
			return 0, fmt.Errorf("%w: %s and %s", ErrOwners, s.hands[i].owner.Fingerprint(), o.hands[i].owner.Fingerprint())
		}
	}
	return cmp.Or(
		cmp.Compare(len(s.hands), len(o.hands)),
		cmp.Compare(s.Epoch, o.Epoch),
		cmp.Compare(s.HLC, o.HLC),
		bytes.Compare(s.hash[:], o.hash[:]),
	), nil
}

// signed returns what the signature of a state covers, and what its hash is of.
func (s *State) signed(unsigned []byte) []byte {
	return slices.Concat([]byte("earshot/v1 state\x00"), s.Network[:], unsigned)
}

// signedHand returns what the signature of a hand-over covers.
func (s *State) signedHand(epoch uint32, owner identity.PeerID) []byte {
	room := s.Room()
	b := slices.Concat([]byte("earshot/v1 hand-over\x00"), s.Network[:], room[:])
	return append(binary.BigEndian.AppendUint32(b, epoch), owner[:]...)
}
