package seal

import (
	"encoding/binary"
	"fmt"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Rotation hands the next key of a closed network to those who are to stay in it. It goes only inside a direct message. Its name is that of the network in which it is said.
type Rotation struct {
	Made uint64          // when, ms since 1970, by the clock of who made it
	By   identity.PeerID // who made the key, as whoever hands it on says
	// People are to have it, ascending; By is one of them.
	People []identity.PeerID
	key    func() string // a function, as in identity.Network
}

// MaxRotation is the most people that a key can be handed to: they must fit a direct message.
const MaxRotation = 480

const rotationFixed = 1 + 8 + 32 + rotationKey + 2

// rotationKey is the length of a network key (identity.NewKey).
const rotationKey = 26

// NewRotation makes the offer of a key. People may come in any order.
func NewRotation(key string, made uint64, by identity.PeerID, people []identity.PeerID) *Rotation {
	people = slices.Clone(people)
	slices.SortFunc(people, comparePeople)
	return &Rotation{Made: made, By: by, People: slices.Compact(people), key: func() string { return key }}
}

// Key is the network's secret (identity.NewNetwork).
func (r *Rotation) Key() string { return r.key() }

// Has reports whether a person is to have the key.
func (r *Rotation) Has(p identity.PeerID) bool {
	_, has := slices.BinarySearchFunc(r.People, p, comparePeople)
	return has
}

// Bytes returns what a message of kind message.Rotate has as its body.
func (r *Rotation) Bytes() []byte {
	b := binary.BigEndian.AppendUint64([]byte{formRotation}, r.Made)
	b = append(append(b, r.By[:]...), r.key()...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.People)))
	for _, p := range r.People {
		b = append(b, p[:]...)
	}
	return b
}

// ParseRotation decodes what a direct message contained. Nothing in it is proven but that its author said so.
func ParseRotation(c Content) (*Rotation, error) {
	b := c.Body
	bad := func(what string) (*Rotation, error) {
		return nil, fmt.Errorf("%w offer of a key: %s", ErrMalformed, what)
	}
	if c.Kind != message.Rotate || len(b) < rotationFixed || b[0] != formRotation {
		return bad("wrong length or form")
	}
	n := int(binary.BigEndian.Uint16(b[rotationFixed-2:]))
	if n < 1 || n > MaxRotation || len(b) != rotationFixed+32*n {
		return bad("wrong number of people")
	}
	key := string(b[41 : 41+rotationKey])
	if clean, err := identity.ParseKey(key); err != nil || clean != key {
		return bad("not a key")
	}
	r := &Rotation{Made: binary.BigEndian.Uint64(b[1:]), By: identity.PeerID(b[9:41]), key: func() string { return key }}
	for at := rotationFixed; at < len(b); at += 32 {
		p := identity.PeerID(b[at : at+32])
		if k := len(r.People); k > 0 && comparePeople(r.People[k-1], p) >= 0 {
			return bad("people out of order")
		}
		r.People = append(r.People, p)
	}
	if !r.Has(r.By) {
		return bad("its maker is out")
	}
	return r, nil
}
