package seal

import (
	"bytes"
	"cmp"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
)

// A Ring holds the X-Wing keys of this person: the newest, which others are to seal for, and those before it that are not yet deleted. The zero value holds none.
type Ring struct {
	keys  []ownKey // by made, id
	shown KeyID    // the newest when it was renewed, which others are told of as long as this process runs
}

type ownKey struct {
	made   uint64 // ms since 1970
	id     KeyID
	secret func() hpke.PrivateKey
}

func (k ownKey) compare(o ownKey) int {
	return cmp.Or(cmp.Compare(k.made, o.made), bytes.Compare(k.id[:], o.id[:]))
}

func newOwnKey(made uint64, key hpke.PrivateKey) ownKey {
	public := PublicKey(key.PublicKey().Bytes())
	return ownKey{made: made, id: public.ID(), secret: func() hpke.PrivateKey { return key }}
}

// Renew returns the ring as it is to be used from now on: with a new key where there is none or the newest is KeyAge old, and without those that were followed by another KeyLife ago.
// changed says that it must be stored, before anybody is told of its key. A key made in the future was made by a wrong clock, and counts as made now.
func (r *Ring) Renew(now time.Time) (next *Ring, changed bool, err error) {
	ms := uint64(min(max(now.UnixMilli(), 0), maxMade))
	keys := slices.Clone(r.keys)
	for i := range keys {
		if keys[i].made > ms {
			keys[i].made, changed = ms, true
		}
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].compare(keys[j]) < 0 })
	if n := len(keys); n == 0 || ms-keys[n-1].made >= uint64(KeyAge.Milliseconds()) {
		key, err := kem().GenerateKey()
		if err != nil {
			return nil, false, fmt.Errorf("make an X-Wing key: %w", err)
		}
		keys, changed = append(keys, newOwnKey(ms, key)), true
	}
	next = keep(keys, ms, keys[len(keys)-1].id)
	return next, changed || len(next.keys) < len(keys), nil
}

// keep returns a ring of those keys, sorted, that are not to be deleted at ms.
func keep(keys []ownKey, ms uint64, shown KeyID) *Ring {
	var kept []ownKey
	for i, k := range keys {
		if i == len(keys)-1 || keys[i+1].made > ms || ms-keys[i+1].made < uint64(KeyLife.Milliseconds()) || k.id == shown {
			kept = append(kept, k)
		}
	}
	return &Ring{kept[max(0, len(kept)-MaxKeys):], shown}
}

// Merge returns a ring with the keys of both, those of another instance of this person, without those that are to be deleted by now. The one that others are told of by this instance, which may run for
// longer than the other has had newer ones, is not among them.
func (r *Ring) Merge(o *Ring, now time.Time) *Ring {
	keys := slices.Concat(r.keys, o.keys)
	sort.Slice(keys, func(i, j int) bool { return keys[i].compare(keys[j]) < 0 })
	have := map[KeyID]bool{}
	keys = slices.DeleteFunc(keys, func(k ownKey) bool { // the earlier of two times counts
		twice := have[k.id]
		have[k.id] = true
		return twice
	})
	return keep(keys, uint64(max(now.UnixMilli(), 0)), r.shown)
}

// Public returns the newest key, that others are to seal for; nil where the ring is empty.
func (r *Ring) Public() *PublicKey {
	if len(r.keys) == 0 {
		return nil
	}
	k := PublicKey(r.keys[len(r.keys)-1].secret().PublicKey().Bytes())
	return &k
}

// Has reports whether the ring holds the key called id.
func (r *Ring) Has(id KeyID) bool {
	return slices.ContainsFunc(r.keys, func(k ownKey) bool { return k.id == id })
}

// HasAll reports whether the ring holds every key of the other.
func (r *Ring) HasAll(o *Ring) bool {
	return !slices.ContainsFunc(o.keys, func(k ownKey) bool { return !r.Has(k.id) })
}

// Equal reports whether both hold the same keys.
func (r *Ring) Equal(o *Ring) bool {
	return slices.EqualFunc(r.keys, o.keys, func(a, b ownKey) bool { return a.made == b.made && a.id == b.id })
}

// String says how many keys there are.
func (r *Ring) String() string { return fmt.Sprintf("%d X-Wing keys", len(r.keys)) }

// open opens enc || ciphertext that was sealed for the key called id.
func (r *Ring) open(id KeyID, info, box []byte) ([]byte, error) {
	i := slices.IndexFunc(r.keys, func(k ownKey) bool { return k.id == id })
	if i < 0 {
		return nil, fmt.Errorf("%w: X-Wing key %x", ErrNoKey, id)
	}
	plain, err := hpke.Open(r.keys[i].secret(), kdf(), aead(), info, box)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return plain, nil
}

const (
	ringLabel = "earshot/v1 keyring\x00"
	ringSum   = 16
	maxMade   = 1<<48 - 1 // ms since 1970
)

// Bytes returns the ring as it is stored, or sent to another instance: secret.
func (r *Ring) Bytes() ([]byte, error) {
	b := append([]byte(ringLabel), byte(len(r.keys)))
	for _, k := range r.keys {
		seed, err := k.secret().Bytes()
		if err != nil {
			return nil, fmt.Errorf("store an X-Wing key: %w", err)
		}
		b = append(binary.BigEndian.AppendUint64(b, k.made), seed...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:ringSum]...), nil
}

// ParseRing decodes what Bytes returned. Errors wrap ErrMalformed and never tell what the file holds.
func ParseRing(b []byte) (*Ring, error) {
	bad := func(what string) (*Ring, error) { return nil, fmt.Errorf("%w keyring: %s", ErrMalformed, what) }
	const head, each = len(ringLabel) + 1, 8 + seedLen
	if len(b) < head || string(b[:head-1]) != ringLabel {
		return bad("not a keyring")
	}
	n := int(b[head-1])
	if n > MaxKeys || len(b) != head+n*each+ringSum {
		return bad("wrong length")
	}
	whole := b[:head+n*each]
	if sum := sha256.Sum256(whole); !bytes.Equal(sum[:ringSum], b[len(whole):]) {
		return bad("damaged")
	}
	r := &Ring{}
	for i := range n {
		entry := whole[head+i*each:][:each]
		key, err := kem().NewPrivateKey(entry[8:])
		if err != nil {
			return nil, errors.Join(ErrMalformed, err)
		}
		k := newOwnKey(binary.BigEndian.Uint64(entry), key)
		if k.made > maxMade || i > 0 && r.keys[i-1].compare(k) >= 0 {
			return bad("not in order")
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}
