package seal

import (
	"fmt"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// An Invitation lets its receiver, whom State has as a member, read and write from that state on. It goes only inside a direct message.
type Invitation struct {
	State *State
	Key   EpochKey
}

// Content returns what to seal as a direct message.
func (i *Invitation) Content() Content {
	return Content{message.Invite, slices.Concat([]byte{formInvite}, i.Key.Bytes(), i.State.encoded)}
}

// ParseInvitation decodes what a direct message for me contained. It may come from any member: the state in it is signed by the owner.
func ParseInvitation(n identity.NetworkID, me identity.PeerID, c Content) (*Invitation, error) {
	b := c.Body
	if c.Kind != message.Invite || len(b) < 1+epochKeyLen || b[0] != formInvite {
		return nil, fmt.Errorf("%w invitation", ErrMalformed)
	}
	key, err := ParseEpochKey(b[1 : 1+epochKeyLen])
	if err != nil {
		return nil, err
	}
	s, err := ParseState(n, b[1+epochKeyLen:])
	if err != nil {
		return nil, fmt.Errorf("invitation: %w", err)
	}
	switch {
	case key.Commitment() != s.Commitment:
		return nil, fmt.Errorf("invitation: %w", ErrCommitment)
	case !s.Has(me):
		return nil, fmt.Errorf("invitation: %w", ErrNotMember)
	}
	return &Invitation{s, key}, nil
}
