package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"earshot/node/identity"
)

// AppendProof appends the proof that a log was continued twice: u32 length of the first run, then two runs of the log that hold one
// number with different headers, the lesser encoding first. Bodies are left out, hashes prove as well: a proof always fits a frame.
func AppendProof(b []byte, x, y *Run) []byte {
	first, second := x.bare().Append(nil), y.bare().Append(nil)
	if bytes.Compare(first, second) > 0 {
		first, second = second, first
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(first)))
	return append(append(b, first...), second...)
}

// bare returns the run with every body redacted.
func (r *Run) bare() *Run {
	bare := *r
	bare.Records = slices.Clone(r.Records)
	for i := range bare.Records {
		bare.Records[i].Body, bare.Records[i].Redacted = nil, true
	}
	return &bare
}

// ParseProof decodes a proof strictly. It checks form only, as ParseRun does; Fork checks what it proves.
func ParseProof(b []byte) (x, y *Run, err error) {
	if len(b) < 4 {
		return nil, nil, malformed("the proof is cut short")
	}
	n, b := binary.BigEndian.Uint32(b), b[4:]
	if uint64(n) > uint64(len(b)) || bytes.Compare(b[:n], b[n:]) >= 0 {
		return nil, nil, malformed("the runs of a proof are not in order")
	}
	if x, err = ParseRun(b[:n]); err != nil {
		return nil, nil, err
	}
	if y, err = ParseRun(b[n:]); err != nil {
		return nil, nil, err
	}
	if x.Log != y.Log {
		return nil, nil, malformed("a proof of two logs")
	}
	full := func(rec Record) bool { return !rec.Redacted }
	if slices.ContainsFunc(x.Records, full) || slices.ContainsFunc(y.Records, full) {
		return nil, nil, malformed("a proof with bodies")
	}
	return x, y, nil
}

// Fork verifies two runs of one log against its author and returns the lowest number which both hold with different headers.
// It is an error where there is none.
func Fork(author identity.PeerID, x, y *Run) (uint64, error) {
	hx, err := x.Verify(author)
	if err != nil {
		return 0, err
	}
	hy, err := y.Verify(author)
	if err != nil {
		return 0, err
	}
	for seq := max(x.First, y.First); x.Log == y.Log && seq <= min(x.Last(), y.Last()); seq++ {
		if hx[seq-x.First] != hy[seq-y.First] {
			return seq, nil
		}
	}
	return 0, fmt.Errorf("%w: the two runs do not differ", ErrMalformed)
}
