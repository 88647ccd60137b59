package seal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// Direct returns the room of the direct messages between a and b, in either order. As a GroupID it is their group.
func Direct(n identity.NetworkID, a, b identity.PeerID) message.RoomID {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	h := sha256.Sum256(slices.Concat([]byte("earshot/v1 dm room\x00"), n[:], a[:], b[:]))
	return message.RoomID(h[:16])
}

const (
	boxHead   = 8 + 32 + encLen
	boxFixed  = boxHead + tagLen
	directMax = 2 * (boxFixed + MaxPadded)
)

func directInfo(n identity.NetworkID, author, recipient identity.PeerID, id KeyID) []byte {
	return slices.Concat([]byte("earshot/v1 dm\x00"), n[:], author[:], recipient[:], id[:])
}

// SealDM returns the body of a message of kind Sealed from author to recipient: c once for theirs, and once for own, the author's key. A key that cannot be used is an error that wraps ErrKey.
func SealDM(n identity.NetworkID, author, recipient identity.PeerID, theirs, own *PublicKey, c Content) ([]byte, error) {
	plain, err := c.pad()
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, 2*(boxFixed+len(plain)))
	for _, box := range []struct {
		recipient identity.PeerID
		key       *PublicKey
	}{{recipient, theirs}, {author, own}} {
		id := box.key.ID()
		body = append(append(body, id[:]...), box.recipient[:]...)
		if body, err = box.key.seal(body, directInfo(n, author, box.recipient, id), plain); err != nil {
			return nil, fmt.Errorf("seal for %s: %w", box.recipient.Fingerprint(), err)
		}
	}
	return body, nil
}

// Recipient returns whom a direct message of author in room is for. It checks form only: sizes, the second box is the author's, and the room is that of the two.
func Recipient(n identity.NetworkID, room message.RoomID, author identity.PeerID, body []byte) (to identity.PeerID, err error) {
	half := len(body) / 2
	if half < boxFixed+padTo || len(body) > directMax || len(body) != 2*half || (half-boxFixed)%padTo != 0 {
		return to, fmt.Errorf("%w direct message: %d bytes", ErrMalformed, len(body))
	}
	to = identity.PeerID(body[8:40])
	if identity.PeerID(body[half+8:half+40]) != author {
		return to, fmt.Errorf("%w direct message: the second copy is not the author's", ErrMalformed)
	}
	if Direct(n, author, to) != room {
		return to, fmt.Errorf("%w direct message: of another room", ErrMalformed)
	}
	return to, nil
}

// OpenDM opens the copy that is for me of the direct message body that author signed in room. Errors wrap ErrMalformed where it cannot be a direct message to or from me, ErrNoKey where the
// key it is sealed for is not in the ring (any more), ErrOpen where it was not sealed by author: what was stripped and signed by another does not open.
func OpenDM(n identity.NetworkID, room message.RoomID, author, me identity.PeerID, ring *Ring, body []byte) (c Content, to identity.PeerID, err error) {
	if to, err = Recipient(n, room, author, body); err != nil {
		return c, to, err
	}
	box, own := body[:len(body)/2], body[len(body)/2:]
	switch {
	case me == to && (me != author || ring.Has(KeyID(box[:8]))): // to oneself: from another instance, or from this one
	case me == author:
		box = own
	default:
		return c, to, fmt.Errorf("%w direct message: for %s", ErrMalformed, to.Fingerprint())
	}
	id := KeyID(box[:8])
	plain, err := ring.open(id, directInfo(n, author, me, id), box[40:])
	if err != nil {
		return c, to, fmt.Errorf("direct message: %w", err)
	}
	c, err = unpad(plain)
	return c, to, err
}
