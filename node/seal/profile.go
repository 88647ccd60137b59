package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Profile is what a person tells everyone of itself: its nick, and the X-Wing key to seal for it with.
type Profile struct {
	Network identity.NetworkID
	Person  identity.PeerID
	Version uint64
	Key     PublicKey
	Nick    string // as it came: any UTF-8

	encoded []byte
}

const (
	profileLabel = "earshot/v1 profile\x00"
	profileNick  = 16 + 32 + 8 + 8 + publicLen // where the nick's length stands
	sigLen       = 64
)

// NewProfile signs what is said of oneself. version is to be above that of every profile seen of oneself: the time in ms, or one more than the highest if that is more.
func NewProfile(me *identity.Identity, n identity.NetworkID, version uint64, key *PublicKey, nick string) (*Profile, error) {
	if len(nick) > message.MaxNickBytes || !utf8.ValidString(nick) {
		return nil, fmt.Errorf("%w nick", ErrMalformed)
	}
	if err := key.Check(); err != nil {
		return nil, err
	}
	id, keyID := me.ID(), key.ID()
	b := append(slices.Clone(n[:]), id[:]...)
	b = binary.BigEndian.AppendUint64(b, version)
	b = append(b, keyID[:]...)
	b = append(b, key[:]...)
	b = append(append(b, byte(len(nick))), nick...)
	b = append(b, me.Sign(append([]byte(profileLabel), b...))...)
	return &Profile{Network: n, Person: id, Version: version, Key: *key, Nick: nick, encoded: b}, nil
}

// Bytes returns the encoding, not to be changed.
func (p *Profile) Bytes() []byte { return p.encoded }

// Newer reports whether p is to take the place of o, which is of the same person: the higher version does, and of two equal ones (a copied profile) always the same.
func (p *Profile) Newer(o *Profile) bool {
	if p.Version != o.Version {
		return p.Version > o.Version
	}
	return bytes.Compare(p.encoded, o.encoded) > 0
}

// ParseProfile decodes a profile of network n and checks its signature and its key. Errors wrap ErrMalformed, ErrSignature or ErrKey. It takes about 200 µs: do not ask twice about the same bytes.
func ParseProfile(n identity.NetworkID, b []byte) (*Profile, error) {
	if len(b) < profileNick+1+sigLen || len(b) > profileNick+1+message.MaxNickBytes+sigLen || len(b) != profileNick+1+int(b[profileNick])+sigLen {
		return nil, fmt.Errorf("%w profile: wrong length", ErrMalformed)
	}
	signed := b[:len(b)-sigLen]
	p := &Profile{
		Network: identity.NetworkID(b[:16]),
		Person:  identity.PeerID(b[16:48]),
		Version: binary.BigEndian.Uint64(b[48:56]),
		Key:     PublicKey(b[64:profileNick]),
		Nick:    string(signed[profileNick+1:]),
	}
	switch {
	case p.Network != n:
		return nil, fmt.Errorf("%w profile: of another network", ErrMalformed)
	case !utf8.ValidString(p.Nick):
		return nil, fmt.Errorf("%w profile: the nick is no UTF-8", ErrMalformed)
	case p.Key.ID() != KeyID(b[56:64]):
		return nil, fmt.Errorf("%w profile: the key has another id", ErrMalformed)
	case !p.Person.Verify(append([]byte(profileLabel), signed...), b[len(signed):]):
		return nil, fmt.Errorf("profile: %w", ErrSignature)
	}
	if err := p.Key.Check(); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p.encoded = slices.Clone(b)
	return p, nil
}
