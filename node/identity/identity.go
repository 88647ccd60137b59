// Package identity says who takes part and which network they take part in, and decides who is let in.
//
// It owns the profile's Ed25519 key file, the stored network keys, everything derived from them, and the admission that every
// link passes: TLS 1.3 between two self-signed Ed25519 certificates, then a proof both ways, bound to the channel, that the other
// side holds the network's admission key. Integers on the wire are big-endian, H is SHA-256, labels that end in NUL include it.
//
// No goroutine outlives a call and no state is kept between calls but a Conn's: what it holds of what was written (gather.go), and whether something has arrived (await.go). All
// other types are immutable once made and may be used from any goroutine. Secrets sit behind functions, where no verb of fmt reaches them, not even through a struct that
// holds a copy: an Identity prints as its fingerprint, a Network as its name. Errors name files and positions, never what they hold.
//
// Two machines may run with one key (a copied profile), so finding the own key at the other end is not an error here; who has
// dialled itself finds out by session.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
)

// A PeerID is a person: an Ed25519 public key.
type PeerID [ed25519.PublicKeySize]byte

// Fingerprint returns what people compare: base32(H("earshot/v1 peer\0" || key)[:15]) in six groups of four, 120 bits.
func (p PeerID) Fingerprint() string {
	h := sha256.Sum256(append([]byte("earshot/v1 peer\x00"), p[:]...))
	return groups(base32.StdEncoding.EncodeToString(h[:15]))
}

// Tag returns the first four characters of the fingerprint: for telling two of one nick apart on a screen, never a proof.
func (p PeerID) Tag() string { return p.Fingerprint()[:4] }

// Verify reports whether sig is this person's signature of msg.
func (p PeerID) Verify(msg, sig []byte) bool { return ed25519.Verify(p[:], msg, sig) }

// A Session is one process start: 8 random bytes. One person may run several at once.
type Session [8]byte

// NewSession returns a random session.
func NewSession() (s Session) {
	rand.Read(s[:]) // never fails: crypto/rand ends the process instead
	return s
}

// String returns 16 lower-case hex digits.
func (s Session) String() string { return hex.EncodeToString(s[:]) }

// ParseSession reads what String wrote, and nothing else: a session is compared as text too.
func ParseSession(text string) (Session, error) {
	var s Session
	if len(text) != hex.EncodedLen(len(s)) {
		return Session{}, fmt.Errorf("a session has 16 hex digits, not %d characters", len(text))
	}
	if _, err := hex.Decode(s[:], []byte(text)); err != nil {
		return Session{}, fmt.Errorf("parse session: %w", err)
	}
	if s.String() != text {
		return Session{}, fmt.Errorf("parse session: upper-case digits")
	}
	return s, nil
}

// An Identity holds the secret key of a person. The key is behind a function because fmt prints what a pointer points at where
// the verb does not fit (%s).
type Identity struct {
	key func() ed25519.PrivateKey
	id  PeerID
}

// FromSeed returns the identity of a 32-byte Ed25519 seed.
func FromSeed(seed []byte) (*Identity, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("an Ed25519 seed has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	return fromKey(ed25519.NewKeyFromSeed(seed)), nil
}

func fromKey(key ed25519.PrivateKey) *Identity {
	return &Identity{key: func() ed25519.PrivateKey { return key }, id: PeerID(key.Public().(ed25519.PublicKey))}
}

// ID returns the public key.
func (i *Identity) ID() PeerID { return i.id }

// Sign returns the 64-byte Ed25519 signature of msg.
func (i *Identity) Sign(msg []byte) []byte { return ed25519.Sign(i.key(), msg) }

// String returns the fingerprint.
func (i *Identity) String() string { return i.id.Fingerprint() }

// groups joins blocks of four characters with hyphens, for people to read aloud.
func groups(s string) string {
	var b []byte
	for i := range len(s) {
		if i > 0 && i%4 == 0 {
			b = append(b, '-')
		}
		b = append(b, s[i])
	}
	return string(b)
}
