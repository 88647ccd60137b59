package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// NetworkID is what tells networks apart, 16 bytes derived from name and secret.
type NetworkID [16]byte

// A Realm is one gathering of an open network, 16 random bytes; a closed network has only the zero realm.
type Realm [16]byte

// NewRealm returns a random realm.
func NewRealm() (r Realm) {
	rand.Read(r[:])
	return r
}

// Tag returns HMAC-SHA256(realm, session)[:8]: who knows the realm recognises it, nobody else learns it.
func (r Realm) Tag(s Session, p PeerID) [8]byte { return [8]byte(mac(r[:], s[:], p[:])) }

// MinSecret is the fewest secret bytes of a closed network; a network key is 26 characters of rand.Text (130 bits).
const MinSecret = 16

// MaxNetworkName is the longest name of a network, in bytes: escaped three to one it still fits a file name.
const MaxNetworkName = 64

// A Network is a name and a secret, and the keys derived from them. An empty secret is an open network: everybody derives the
// same keys, which then keep apart networks of different names, and nothing more.
type Network struct {
	name   string
	closed bool
	id     NetworkID
	keys   func() networkKeys // a function, as in Identity
}

type networkKeys struct{ gossip, admit, mdns, beacon []byte }

// NewNetwork derives the keys of the network called name, 1 to MaxNetworkName bytes of UTF-8. secret is empty or at least
// MinSecret bytes. salt = H("earshot/v1 network\0" || u16 len(name) || name); HKDF-SHA256 (RFC 5869) extracts with it from the
// secret and expands once for each key.
func NewNetwork(name string, secret []byte) (*Network, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if n := len(secret); n != 0 && n < MinSecret {
		return nil, fmt.Errorf("a network secret has at least %d bytes, not %d", MinSecret, n)
	}
	label := binary.BigEndian.AppendUint16([]byte("earshot/v1 network\x00"), uint16(len(name)))
	salt := sha256.Sum256(append(label, name...))
	prk, err := hkdf.Extract(sha256.New, secret, salt[:])
	if err != nil {
		return nil, fmt.Errorf("derive network keys: %w", err)
	}
	expand := func(info string, size int) []byte {
		b, e := hkdf.Expand(sha256.New, prk, info, size)
		err = errors.Join(err, e)
		return b
	}
	id := expand("earshot/v1 netid", len(NetworkID{}))
	keys := networkKeys{
		gossip: expand("earshot/v1 gossip", 32),
		admit:  expand("earshot/v1 admit", 32),
		mdns:   expand("earshot/v1 mdns", 32),
		beacon: expand("earshot/v1 beacon", 32),
	}
	if err != nil {
		return nil, fmt.Errorf("derive network keys: %w", err)
	}
	return &Network{name: name, closed: len(secret) > 0, id: NetworkID(id), keys: func() networkKeys { return keys }}, nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a network needs a name")
	case len(name) > MaxNetworkName:
		return fmt.Errorf("a network name has at most %d bytes, not %d", MaxNetworkName, len(name))
	case !utf8.ValidString(name):
		return errors.New("a network name is UTF-8 text")
	}
	return nil
}

func (n *Network) Name() string  { return n.name }
func (n *Network) ID() NetworkID { return n.id }

// Closed reports whether a key is needed to take part.
func (n *Network) Closed() bool { return n.closed }

// String returns the name, quoted: it may hold any character.
func (n *Network) String() string { return fmt.Sprintf("%+q", n.name) }

// GossipKey returns the 32-byte AES-256 key that seals gossip packets, a copy.
func (n *Network) GossipKey() []byte { return slices.Clone(n.keys().gossip) }

// BeaconKey returns the 32-byte AES-256 key that seals beacons, a copy.
func (n *Network) BeaconKey() []byte { return slices.Clone(n.keys().beacon) }

// MDNSTag returns HMAC-SHA256(K_mdns, "earshot/v1 mdns tag\0" || session || u16 port)[:16], the proof in a TXT record.
func (n *Network) MDNSTag(s Session, port uint16) [16]byte {
	return [16]byte(mac(n.keys().mdns, []byte("earshot/v1 mdns tag\x00"), s[:], binary.BigEndian.AppendUint16(nil, port)))
}

// mac returns HMAC-SHA256(key, parts[0] || parts[1] || …).
func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
