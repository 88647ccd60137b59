package hostile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// SealIn seals by the layout of package seal's documentation.
func SealIn(t testing.TB, s *seal.State, key seal.EpochKey, at journal.Place, c seal.Content) []byte {
	t.Helper()
	room := s.Room()
	gcm := aead(t, key.Bytes(), slices.Concat([]byte("earshot/v1 room msg\x00"), room[:], binary.BigEndian.AppendUint32(nil, s.Epoch), at.Log[:]))
	plain := append([]byte{byte(c.Kind)}, c.Body...)
	n := 4 + gcm.NonceSize() + len(plain) + gcm.Overhead()
	header := slices.Concat(at.Log[:], binary.BigEndian.AppendUint64(nil, at.Seq), at.Prev[:], binary.BigEndian.AppendUint64(nil, at.HLC), []byte{byte(message.Sealed)}, binary.BigEndian.AppendUint32(nil, uint32(n)))
	b := append(binary.BigEndian.AppendUint32(nil, s.Epoch), make([]byte, gcm.NonceSize())...)
	return gcm.Seal(b, b[4:], plain, header)
}

// Wrap is a body that wraps plain for a member as the epoch key of s: for whose key it likes, and by whatever name.
func Wrap(t testing.TB, s *seal.State, member, bound identity.PeerID, key *seal.PublicKey, id seal.KeyID, plain []byte) []byte {
	t.Helper()
	pub, err := hpke.MLKEM768X25519().NewPublicKey(key[:])
	if err != nil {
		t.Fatal(err)
	}
	room, hash := s.Room(), s.Hash()
	info := slices.Concat([]byte("earshot/v1 wrap\x00"), room[:], binary.BigEndian.AppendUint32(nil, s.Epoch), bound[:])
	box, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat([]byte{2}, hash[:], []byte{1}, member[:], id[:], box)
}

// Forge is a state that goes on from s with one more member, which who signs though it may not.
func Forge(t testing.TB, s *seal.State, who *identity.Identity, more identity.PeerID) []byte {
	t.Helper()
	const epoch, prev, hands = 49, 61, 282
	b := s.Bytes()
	if b[hands] != 0 || b[len(b)-65] != 0 {
		t.Fatal("only of rooms that were not handed over, without moderators")
	}
	hash := s.Hash()
	out := slices.Clone(b[:hands+1])
	binary.BigEndian.PutUint32(out[epoch:], s.Epoch+1)
	copy(out[prev:], hash[:])
	people := append(slices.Clone(s.Members), more)
	slices.SortFunc(people, func(a, b identity.PeerID) int { return slices.Compare(a[:], b[:]) })
	out = append(out, byte(len(people)))
	for _, p := range people {
		out = append(out, p[:]...)
	}
	out = append(out, 0)
	network := s.Network
	return append(out, who.Sign(slices.Concat([]byte("earshot/v1 state\x00"), network[:], out))...)
}

// aead is AES-256-GCM with Expand(secret, info, 32).
func aead(t testing.TB, secret, info []byte) cipher.AEAD {
	t.Helper()
	key, err := hkdf.Expand(sha256.New, secret, string(info), 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcm
}
