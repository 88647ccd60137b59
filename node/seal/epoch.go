package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"

	"earshot/node/message"
)

// An EpochKey is the secret that the members of a room share in one epoch: 32 random bytes, behind a function as all secrets here.
type EpochKey struct{ bytes func() [epochKeyLen]byte }

const epochKeyLen = 32

// NewEpochKey returns a random key.
func NewEpochKey() EpochKey {
	var b [epochKeyLen]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return epochKey(b)
}

func epochKey(b [epochKeyLen]byte) EpochKey {
	return EpochKey{func() [epochKeyLen]byte { return b }}
}

// ParseEpochKey returns the key of what Bytes returned.
func ParseEpochKey(b []byte) (EpochKey, error) {
	if len(b) != epochKeyLen {
		return EpochKey{}, fmt.Errorf("%w epoch key: %d bytes", ErrMalformed, len(b))
	}
	return epochKey([epochKeyLen]byte(b)), nil
}

// Bytes returns the key, to be stored: secret.
func (k EpochKey) Bytes() []byte { b := k.bytes(); return b[:] }

// Commitment returns H("earshot/v1 epoch\0" || key).
func (k EpochKey) Commitment() message.Hash {
	return sha256.Sum256(append([]byte("earshot/v1 epoch\x00"), k.Bytes()...))
}

// expand returns AES-256-GCM with the key Expand(k, label || room || epoch || more, 32).
func (k EpochKey) expand(label string, room message.RoomID, epoch uint32, more ...byte) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, k.Bytes(), string(k.info(label, room, epoch, more)), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (EpochKey) info(label string, room message.RoomID, epoch uint32, more []byte) []byte {
	b := append([]byte(label), room[:]...)
	return append(binary.BigEndian.AppendUint32(b, epoch), more...)
}

const (
	roomNamePlain = 1 + message.MaxRoomNameBytes
	sealedNameLen = nonceLen + roomNamePlain + tagLen
)

// sealName seals a room's name, always to the same length.
func (k EpochKey) sealName(room message.RoomID, epoch uint32, name string) (sealed [sealedNameLen]byte, err error) {
	if len(name) > message.MaxRoomNameBytes || !utf8.ValidString(name) {
		return sealed, fmt.Errorf("%w room name", ErrMalformed)
	}
	gcm, err := k.expand("earshot/v1 room name\x00", room, epoch)
	if err != nil {
		return sealed, err
	}
	var plain [roomNamePlain]byte
	plain[0] = byte(len(name))
	copy(plain[1:], name)
	rand.Read(sealed[:nonceLen])
	gcm.Seal(sealed[:nonceLen], sealed[:nonceLen], plain[:], nil)
	return sealed, nil
}

func (k EpochKey) openName(room message.RoomID, epoch uint32, sealed [sealedNameLen]byte) (string, error) {
	gcm, err := k.expand("earshot/v1 room name\x00", room, epoch)
	if err != nil {
		return "", err
	}
	plain, err := gcm.Open(nil, sealed[:nonceLen], sealed[nonceLen:], nil)
	if err != nil {
		return "", fmt.Errorf("room name: %w", ErrOpen)
	}
	n := int(plain[0])
	if n > message.MaxRoomNameBytes || !utf8.Valid(plain[1:1+n]) || slices.ContainsFunc(plain[1+n:], func(b byte) bool { return b != 0 }) {
		return "", fmt.Errorf("%w room name", ErrMalformed)
	}
	return string(plain[1 : 1+n]), nil
}
