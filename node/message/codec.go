package message

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
)

const (
	flagOpening = 1 // of a run: an opening stands where prev would

	redactedBit = 1 << 31 // of a body length: the body's hash follows instead of the body

	maxHLC = 1 << 63 // stamps are below it

	recordFixed = 8 + 1 + 4
)

// Append appends the run's encoding to b: lid 16, first u64, u8 flags (1: an opening follows instead of prev), prev 32 or the opening
// (network 16, group 16, room 16, author 32, nonce 16, day u32, u8 nick length, nick, u8 name length, name),
// u16 records, then each record: hlc u64, kind u8, body length u32 with its top bit set where redacted, body or its 32-byte hash; signature 64.
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
		b = o.append(append(b, flagOpening))
	} else {
		b = append(append(b, 0), r.Prev[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Records)))
	for i := range r.Records {
		b = r.Records[i].append(b)
	}
	return append(b, r.Sig[:]...)
}

func (rec *Record) append(b []byte) []byte {
	if rec.Len > MaxBody {
		panic("message: a body is too long")
	}
	b = binary.BigEndian.AppendUint64(b, rec.HLC)
	b = append(b, byte(rec.Kind))
	if rec.Redacted {
		b = binary.BigEndian.AppendUint32(b, rec.Len|redactedBit)
		return append(b, rec.Sum[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(rec.Body)))
	return append(b, rec.Body...)
}

// ParseRun decodes a run; bodies alias b. It checks form only: sizes, numbers, that HLC grows, that an opening matches Log and its
// room's name the room. Errors wrap ErrMalformed. It is on the path of every message, and takes memory for the run, its records and
// its opening, no more.
func ParseRun(b []byte) (*Run, error) { return parseRun(b, true) }

// ParseBodies is ParseRun for what was parsed before and is not to be hashed again: the Sum of a record that has its body is not set.
func ParseBodies(b []byte) (*Run, error) { return parseRun(b, false) }

func parseRun(b []byte, sums bool) (*Run, error) {
	r := new(Run)
	b, err := r.parseHead(b)
	if err != nil {
		return nil, err
	}
	if b, err = r.parseRecords(b, sums); err != nil {
		return nil, err
	}
	if len(b) != len(r.Sig) {
		return nil, malformed("wrong length")
	}
	r.Sig = Signature(b)
	return r, nil
}

// parseHead decodes what stands before the records, and returns what follows it.
func (r *Run) parseHead(b []byte) ([]byte, error) {
	if len(b) < 16+8+1 {
		return nil, malformed("cut short")
	}
	r.Log, r.First = LogID(b[:16]), binary.BigEndian.Uint64(b[16:])
	flags, b := b[24], b[25:]
	switch flags {
	case 0:
		if len(b) < len(r.Prev) {
			return nil, malformed("cut short")
		}
		r.Prev, b = Hash(b[:32]), b[32:]
	case flagOpening:
		var err error
		if r.Opening, b, err = parseOpening(b); err != nil {
			return nil, err
		}
		if r.Opening.Log() != r.Log {
			return nil, malformed("the opening is of another log")
		}
	default:
		return nil, malformed("unknown flags")
	}
	if (r.First == 1) != (r.Opening != nil) {
		return nil, malformed("an opening belongs to number 1")
	}
	return b, nil
}

// Skim yields stamp and kind of each record of an encoded run, and takes no memory for them. It is for what was parsed before: of what is no run it yields what looks like records.
func Skim(b []byte) iter.Seq2[uint64, Kind] {
	return func(yield func(uint64, Kind) bool) {
		var r Run
		b, err := r.parseHead(b)
		if err != nil || len(b) < 2 {
			return
		}
		n := binary.BigEndian.Uint16(b)
		b = b[2:]
		var rec Record
		for range n {
			if b = rec.parse(b, false); b == nil || !yield(rec.HLC, rec.Kind) {
				return
			}
		}
	}
}

// parseRecords decodes the count and the records at the start of b and returns what follows them.
func (r *Run) parseRecords(b []byte, sums bool) ([]byte, error) {
	if len(b) < 2 {
		return nil, malformed("cut short")
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n < 1 || n > MaxRecords || n*recordFixed > len(b) {
		return nil, malformed("bad count of records")
	}
	if r.First < 1 || r.First >= MaxSeq || r.First+uint64(n) > MaxSeq {
		return nil, malformed("numbers out of range")
	}
	r.Records = make([]Record, n)
	for i := range r.Records {
		rec := &r.Records[i]
		if b = rec.parse(b, sums); b == nil {
			return nil, malformed("bad record")
		}
		if rec.HLC >= maxHLC || i > 0 && rec.HLC <= r.Records[i-1].HLC {
			return nil, malformed("stamps do not grow")
		}
	}
	return b, nil
}

// parse decodes the record at the start of b and returns what follows it, never nil unless there is no whole record.
func (rec *Record) parse(b []byte, sum bool) []byte {
	if len(b) < recordFixed {
		return nil
	}
	rec.HLC = binary.BigEndian.Uint64(b)
	rec.Kind = Kind(b[8])
	size := binary.BigEndian.Uint32(b[9:])
	b = b[recordFixed:]
	rec.Redacted, rec.Len = size&redactedBit != 0, size&^redactedBit
	if rec.Len > MaxBody {
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
