package message

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
)

const (
	flagOpening = 1 // of a run: an opening stands where prev would
	flagShort   = 2 // of a run: its records are short

	maxHLC = 1 << 63 // stamps are below it

	minShort  = 1 + 1 + 1 // bytes of a record beside its body
	mostShort = 9 + 1 + 3

	longRecord   = 8 + 1 + 4
	longRedacted = 1 << 31 // of a body length
)

// Append appends the run's encoding to b: lid 16, first u64, u8 flags (1: an opening follows instead of prev; 2: the records are short, which Append sets),
// prev 32 or the opening (network 16, group 16, room 16, author 32, nonce 16, day u32, u8 nick length, nick, u8 name length, name),
// u16 records, then each record: hlc less that of the record before (of the first: hlc) as a varint, kind u8, twice the body's length as a varint, one more where redacted, body or
// its 32-byte hash; signature 64. A varint is base 128, least first, in as few bytes as it takes. A relay copies and encrypts these bytes for everyone: a record of 100 bytes of text takes 104.
//
// Without flag 2 a record is hlc u64, kind u8, body length u32 with its top bit set where redacted, body or hash: so protocol 1 sent it, and it lies in stores of that time.
//
// It panics where a count or a length breaks a limit: what it writes could mean something else.
func (r *Run) Append(b []byte) []byte {
	if n := len(r.Records); n < 1 || n > MaxRecords {
		panic("message: a run of no or too many records")
	}
	b = append(b, r.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, r.First)
	if o := r.Opening; o != nil {
		if len(o.Nick) > MaxNickBytes || len(o.Name) > MaxRoomNameBytes {
			panic("message: the names in an opening are too long")
		}
		b = o.append(append(b, flagShort|flagOpening))
	} else {
		b = append(append(b, flagShort), r.Prev[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Records)))
	before := uint64(0)
	for i := range r.Records {
		b = r.Records[i].append(b, before)
		before = r.Records[i].HLC
	}
	return append(b, r.Sig[:]...)
}

// append appends the record in its short form; before is the stamp of the one before it.
func (rec *Record) append(b []byte, before uint64) []byte {
	if rec.Len > MaxBody {
		panic("message: a body is too long")
	}
	b = append(binary.AppendUvarint(b, rec.HLC-before), byte(rec.Kind))
	if rec.Redacted {
		return append(binary.AppendUvarint(b, 2*uint64(rec.Len)+1), rec.Sum[:]...)
	}
	return append(binary.AppendUvarint(b, 2*uint64(len(rec.Body))), rec.Body...)
}

// Size returns how many bytes Append adds at most.
func (r *Run) Size() int {
	n := len(r.Log) + 8 + 1 + len(r.Prev) + 2 + r.RecordBytes() + len(r.Sig)
	if o := r.Opening; o != nil {
		n += openingFixed + len(o.Nick) + len(o.Name) - len(r.Prev)
	}
	return n
}

// RecordBytes returns how many bytes of Size are the records'.
func (r *Run) RecordBytes() (n int) {
	for i := range r.Records {
		n += mostShort + len(r.Records[i].Body)
		if r.Records[i].Redacted {
			n += len(r.Records[i].Sum)
		}
	}
	return n
}

// ParseRun decodes a run; bodies alias b. It checks form only: sizes, numbers, that HLC grows, that an opening matches Log and its
// room's name the room. Errors wrap ErrMalformed. It is on the path of every message, and takes memory for the run, its records and
// its opening, no more.
func ParseRun(b []byte) (*Run, error) { return parseRun(b, true) }

// ParseBodies is ParseRun for what was parsed before and is not to be hashed again: the Sum of a record that has its body is not set.
func ParseBodies(b []byte) (*Run, error) { return parseRun(b, false) }

func parseRun(b []byte, sums bool) (*Run, error) {
	r := new(Run)
	b, short, err := r.parseHead(b)
	if err != nil {
		return nil, err
	}
	if b, err = r.parseRecords(b, short, sums); err != nil {
		return nil, err
	}
	if len(b) != len(r.Sig) {
		return nil, malformed("wrong length")
	}
	r.Sig = Signature(b)
	return r, nil
}

// parseHead decodes what stands before the records, and returns what follows it and whether they are short.
func (r *Run) parseHead(b []byte) (rest []byte, short bool, err error) {
	if len(b) < 16+8+1 {
		return nil, false, malformed("cut short")
	}
	r.Log, r.First = LogID(b[:16]), binary.BigEndian.Uint64(b[16:])
	flags, b := b[24], b[25:]
	switch flags &^ flagShort {
	case 0:
		if len(b) < len(r.Prev) {
			return nil, false, malformed("cut short")
		}
		r.Prev, b = Hash(b[:32]), b[32:]
	case flagOpening:
		if r.Opening, b, err = parseOpening(b); err != nil {
			return nil, false, err
		}
		if r.Opening.Log() != r.Log {
			return nil, false, malformed("the opening is of another log")
		}
	default:
		return nil, false, malformed("unknown flags")
	}
	if (r.First == 1) != (r.Opening != nil) {
		return nil, false, malformed("an opening belongs to number 1")
	}
	return b, flags&flagShort != 0, nil
}

// Skim yields stamp and kind of each record of an encoded run, and takes no memory for them. It is for what was parsed before: of what is no run it yields what looks like records.
func Skim(b []byte) iter.Seq2[uint64, Kind] {
	return func(yield func(uint64, Kind) bool) {
		var r Run
		b, short, err := r.parseHead(b)
		if err != nil || len(b) < 2 {
			return
		}
		n := binary.BigEndian.Uint16(b)
		b = b[2:]
		var rec Record
		for range n {
			if b = rec.parse(b, short, rec.HLC, false); b == nil || !yield(rec.HLC, rec.Kind) {
				return
			}
		}
	}
}

// parseRecords decodes the count and the records at the start of b and returns what follows them.
func (r *Run) parseRecords(b []byte, short, sums bool) ([]byte, error) {
	if len(b) < 2 {
		return nil, malformed("cut short")
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n < 1 || n > MaxRecords || n*minShort > len(b) {
		return nil, malformed("bad count of records")
	}
	if r.First < 1 || r.First >= MaxSeq || r.First+uint64(n) > MaxSeq {
		return nil, malformed("numbers out of range")
	}
	r.Records = make([]Record, n)
	before := uint64(0)
	for i := range r.Records {
		rec := &r.Records[i]
		if b = rec.parse(b, short, before, sums); b == nil {
			return nil, malformed("bad record")
		}
		if rec.HLC >= maxHLC || i > 0 && rec.HLC <= before {
			return nil, malformed("stamps do not grow")
		}
		before = rec.HLC
	}
	return b, nil
}

// parse decodes the record at the start of b and returns what follows it, never nil unless there is no whole record; before is the stamp of the one before it.
func (rec *Record) parse(b []byte, short bool, before uint64, sum bool) []byte {
	if short {
		b = rec.parseShort(b, before)
	} else {
		b = rec.parseLong(b)
	}
	if b == nil || rec.Len > MaxBody {
		return nil
	}
	if rec.Redacted {
		if len(b) < len(rec.Sum) {
			return nil
		}
		rec.Sum = Hash(b[:32])
		return b[32:]
	}
	n := int(rec.Len)
	if n > len(b) {
		return nil
	}
	rec.Body = b[:n:n]
	if sum {
		rec.Sum = sha256.Sum256(rec.Body)
	}
	return b[n:]
}

// parseShort decodes what stands before the body.
func (rec *Record) parseShort(b []byte, before uint64) []byte {
	step, b := varint(b)
	if len(b) == 0 {
		return nil
	}
	rec.HLC, rec.Kind = before+step, Kind(b[0]) // one that overflows does not grow
	size, b := varint(b[1:])
	if size > 2*MaxBody+1 {
		return nil
	}
	rec.Redacted, rec.Len = size&1 != 0, uint32(size>>1)
	return b
}

// parseLong is parseShort for the form of protocol 1.
func (rec *Record) parseLong(b []byte) []byte {
	if len(b) < longRecord {
		return nil
	}
	rec.HLC, rec.Kind = binary.BigEndian.Uint64(b), Kind(b[8])
	size := binary.BigEndian.Uint32(b[9:])
	rec.Redacted, rec.Len = size&longRedacted != 0, size&^longRedacted
	return b[longRecord:]
}

// varint decodes the varint at the start of b; rest is nil where there is none, or it takes more bytes than it needs.
func varint(b []byte) (v uint64, rest []byte) {
	v, n := binary.Uvarint(b)
	if n < 1 || n > 1 && b[n-1] == 0 {
		return 0, nil
	}
	return v, b[n:]
}
