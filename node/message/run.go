package message

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"earshot/node/identity"
)

// A Record is one message of a run: what its header adds to the ones before it.
type Record struct {
	HLC  uint64 // milliseconds since 1970 << 16 | counter; below 2^63
	Kind Kind
	Body []byte // nil where Redacted
	// Redacted: the body is gone; Len and Sum stand for it. Otherwise they are the body's.
	Redacted bool
	Len      uint32
	Sum      Hash
}

// Body returns a record with that body, its length and hash set. It keeps body, which must not change any more.
func Body(hlc uint64, k Kind, body []byte) Record {
	return Record{HLC: hlc, Kind: k, Body: body, Len: uint32(len(body)), Sum: sha256.Sum256(body)}
}

// A Run is a contiguous stretch of one log: Records[i] has the number First+i. Either Opening is set (First is 1) or Prev is the hash of the header before.
type Run struct {
	Log     LogID
	First   uint64 // from 1; below 2^48
	Prev    Hash
	Opening *Opening
	Records []Record
	Sig     Signature // over the last header
}

// Errors of decoding and checking.
var (
	ErrMalformed = errors.New("malformed run")
	ErrSignature = errors.New("signature does not verify")
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// Last returns the number of the last record.
func (r *Run) Last() uint64 { return r.First + uint64(len(r.Records)) - 1 }

// From returns the run without its records before number seq, which it holds; prev is the hash of header seq-1.
// The two share their records.
func (r *Run) From(seq uint64, prev Hash) *Run {
	if seq == r.First {
		return r
	}
	if seq < r.First || seq > r.Last() {
		panic(fmt.Sprintf("message: number %d is not in a run of %d to %d", seq, r.First, r.Last()))
	}
	return &Run{Log: r.Log, First: seq, Prev: prev, Records: r.Records[seq-r.First:], Sig: r.Sig}
}

// Extend puts the records of next behind those of r, under next's signature, which vouches for all of it; false: next does not continue r, its stamps do not,
// or there are too many records, and r is as it was. Whether the hashes agree shows when that is verified.
func (r *Run) Extend(next *Run) bool {
	n := len(r.Records)
	if next.Log != r.Log || next.First != r.Last()+1 || next.Records[0].HLC <= r.Records[n-1].HLC || n+len(next.Records) > MaxRecords {
		return false
	}
	r.Records, r.Sig = append(r.Records, next.Records...), next.Sig
	return true
}

// signLabel precedes a header where it is signed.
const signLabel = "earshot/v1 msg\x00"

// headerLen is the length of lid 16, seq u64, prev 32, hlc u64, kind u8, body length u32, body hash 32.
const headerLen = 16 + 8 + 32 + 8 + 1 + 4 + 32

// A signed is what a signature covers: the label and the last header.
type signed [len(signLabel) + headerLen]byte

// Hashes returns the hash of each record's header, oldest first: the last is the log's new tip. A header is
// lid 16, seq u64, prev 32, hlc u64, kind u8, body length u32, body hash 32.
func (r *Run) Hashes() []Hash {
	var s signed
	return r.chain(&s)
}

// chain hashes header after header, built in the one place s, and leaves the last there for the signature.
func (r *Run) chain(s *signed) []Hash {
	hashes := make([]Hash, len(r.Records))
	copy(s[:], signLabel)
	h := s[len(signLabel):]
	copy(h, r.Log[:])
	prev := r.Prev
	if r.Opening != nil {
		prev = r.Opening.Hash()
	}
	for i := range r.Records {
		rec := &r.Records[i]
		binary.BigEndian.PutUint64(h[16:], r.First+uint64(i))
		copy(h[24:], prev[:])
		binary.BigEndian.PutUint64(h[56:], rec.HLC)
		h[64] = byte(rec.Kind)
		binary.BigEndian.PutUint32(h[65:], rec.Len)
		copy(h[69:], rec.Sum[:])
		prev = sha256.Sum256(h)
		hashes[i] = prev
	}
	return hashes
}

// Sign computes the hashes and sets Sig.
func (r *Run) Sign(i *identity.Identity) {
	var s signed
	r.chain(&s)
	r.Sig = Signature(i.Sign(s[:]))
}

// Verify checks Sig against author and returns Hashes.
func (r *Run) Verify(author identity.PeerID) ([]Hash, error) {
	if r.Opening != nil && r.Opening.Author != author {
		return nil, fmt.Errorf("%w: the opening names another author", ErrSignature)
	}
	var s signed
	hashes := r.chain(&s)
	if !author.Verify(s[:], r.Sig[:]) {
		return nil, ErrSignature
	}
	return hashes, nil
}
