package seal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Change is what the owner changes of a room. Who is added and removed, or promoted and demoted, is out.
type Change struct {
	Add, Remove     []identity.PeerID
	Promote, Demote []identity.PeerID // moderators, who must be members
	Owner           *identity.PeerID  // hands the room over, to a member
}

// Empty reports whether there is nothing to change.
func (c *Change) Empty() bool {
	return len(c.Add)+len(c.Remove)+len(c.Promote)+len(c.Demote) == 0 && c.Owner == nil
}

// ErrNotOwner means that somebody else decides about the room.
var ErrNotOwner = errors.New("only the room's owner can do this")

// Found makes the first state of a room whose owner is me; nonce is random, and others are its members besides. hlc is the stamp of the message that will carry it.
func Found(me *identity.Identity, n identity.NetworkID, nonce message.Nonce, hlc uint64, key EpochKey, name string, others ...identity.PeerID) (*State, error) {
	s := &State{Network: n, Founder: me.ID(), Nonce: nonce, Epoch: 1, HLC: hlc, Members: append([]identity.PeerID{me.ID()}, others...)}
	return s.finish(me, key, name)
}

// Next makes the state after s, with a new key and this name. A change of nothing is one too: that of an epoch that is Due. Errors wrap ErrNotOwner where me is not the owner; others are
// sentences for people.
func (s *State) Next(me *identity.Identity, hlc uint64, key EpochKey, name string, c Change) (*State, error) {
	switch {
	case me.ID() != s.Owner():
		return nil, fmt.Errorf("%w: that is %s", ErrNotOwner, s.Owner().Fingerprint())
	case key.Commitment() == s.Commitment:
		return nil, errors.New("an epoch needs a key of its own")
	case s.Epoch == math.MaxUint32 || s.HLC >= maxHLC-1:
		return nil, errors.New("this room has had its last epoch: make a new one")
	}
	without := func(people, out []identity.PeerID) []identity.PeerID {
		return slices.DeleteFunc(people, func(p identity.PeerID) bool { return slices.Contains(out, p) })
	}
	next := &State{Network: s.Network, Founder: s.Founder, Nonce: s.Nonce, Epoch: s.Epoch + 1, HLC: max(hlc, s.HLC+1), Prev: s.hash, hands: slices.Clone(s.hands)}
	next.Members = without(slices.Concat(s.Members, c.Add), c.Remove)
	next.Moderators = without(slices.Concat(s.Moderators, c.Promote), slices.Concat(c.Demote, c.Remove))
	if c.Owner != nil && *c.Owner != s.Owner() {
		sig := me.Sign(next.signedHand(next.Epoch, *c.Owner))
		next.hands = append(next.hands, handOver{next.Epoch, *c.Owner, [sigLen]byte(sig)})
	}
	return next.finish(me, key, name)
}

// finish brings the people into order, checks what a reader would refuse, seals the name and signs.
func (s *State) finish(me *identity.Identity, key EpochKey, name string) (_ *State, err error) {
	for _, people := range []*[]identity.PeerID{&s.Members, &s.Moderators} {
		slices.SortFunc(*people, comparePeople)
		*people = slices.Compact(*people)
	}
	switch {
	case s.HLC >= maxHLC:
		return nil, errors.New("the clock is out of range")
	case len(s.Members) > MaxMembers:
		return nil, fmt.Errorf("a private room has at most %d members, not %d", MaxMembers, len(s.Members))
	case len(s.hands) > MaxHandOver:
		return nil, fmt.Errorf("a private room can be handed over %d times: make a new one", MaxHandOver)
	case !s.Has(s.Owner()):
		return nil, errors.New("a private room's owner is a member: who leaves hands it over, to a member")
	}
	if i := slices.IndexFunc(s.Moderators, func(p identity.PeerID) bool { return !s.Has(p) }); i >= 0 {
		return nil, fmt.Errorf("%s is not a member", s.Moderators[i].Fingerprint())
	}
	s.Commitment = key.Commitment()
	if s.name, err = key.sealName(s.Room(), s.Epoch, name); err != nil {
		return nil, err
	}
	return s.sign(me), nil
}

func hash(b []byte) message.Hash { return sha256.Sum256(b) }
