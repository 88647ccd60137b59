package seal

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
)

// A KeyID names an X-Wing key: H(key)[:8].
type KeyID [8]byte

// A PublicKey is an X-Wing encapsulation key: ML-KEM-768's t 1152 and rho 32, then X25519's 32. It may be anything; Check says whether it can be used.
type PublicKey [publicLen]byte

// ID returns the key's id.
func (k *PublicKey) ID() KeyID {
	h := sha256.Sum256(k[:])
	return KeyID(h[:8])
}

// Check refuses what is no X-Wing key, and keys for which what is sealed would be open to everyone: an X25519 point of low order, and a t of zeros, with which ML-KEM puts the
// secret into the ciphertext as it is. Errors wrap ErrKey.
func (k *PublicKey) Check() error {
	if _, err := k.key(); err != nil {
		return err
	}
	point, err := ecdh.X25519().NewPublicKey(k[mlkemLen:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	// Clamping makes every scalar a multiple of 8, so any of them tells a point of low order (RFC 7748 §6.1).
	scalar, err := ecdh.X25519().NewPrivateKey([]byte("any scalar would do to tell this"))
	if err != nil {
		return err
	}
	if _, err := scalar.ECDH(point); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	return nil
}

func (k *PublicKey) key() (hpke.PublicKey, error) {
	if [tLen]byte(k[:tLen]) == [tLen]byte{} {
		return nil, fmt.Errorf("%w: all zeros", ErrKey)
	}
	pub, err := kem().NewPublicKey(k[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pub, nil
}

// seal appends enc || ciphertext to b. It is an error with every key that Check refuses: encapsulation finds the points of low order itself.
func (k *PublicKey) seal(b, info, plain []byte) ([]byte, error) {
	pub, err := k.key()
	if err != nil {
		return nil, err
	}
	box, err := hpke.Seal(pub, kdf(), aead(), info, plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return append(b, box...), nil
}
