package message

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"unicode/utf8"
)

// A Ref names a message that another one is about. It says where that stands, so that it is found without an index of all ids, and what its id is, because at one place
// of a log that was continued twice stand two.
type Ref struct {
	Log LogID
	Seq uint64
	ID  ID
}

const refLen = 16 + 8 + 16

// Limits of what is about a message.
const (
	MaxRefs  = 256 // messages that one redaction deletes
	MaxEmoji = 32  // bytes
)

// About is what the body of a Reply, Edit, Redact or React says. Which fields are set is said there.
type About struct {
	Refs []Ref  // the target; of a Redact one or more, ascending
	Text []byte // of a Reply or an Edit
	// Emoji of a React; On is false where the author takes it back.
	Emoji string
	On    bool
}

// Body encodes a as the body of a message of kind k.
func (a *About) Body(k Kind) []byte {
	var b []byte
	refs := slices.Clone(a.Refs)
	sort.Slice(refs, func(i, j int) bool { return refs[i].compare(refs[j]) < 0 })
	for _, r := range slices.Compact(refs) {
		b = append(b, r.Log[:]...)
		b = binary.BigEndian.AppendUint64(b, r.Seq)
		b = append(b, r.ID[:]...)
	}
	if k == React {
		on := byte(0)
		if a.On {
			on = 1
		}
		return append(append(b, on), a.Emoji...)
	}
	return append(b, a.Text...)
}

func (r Ref) compare(o Ref) int {
	return cmp.Or(bytes.Compare(r.Log[:], o.Log[:]), cmp.Compare(r.Seq, o.Seq), bytes.Compare(r.ID[:], o.ID[:]))
}

// ParseAbout decodes the body of a Reply, Edit, Redact or React; ok is false for other kinds and for what does not say one thing. Text aliases body, and may be
// anything: it is cleaned where it is shown. A message whose body does not parse is kept and passed on like any other, and means nothing.
func ParseAbout(k Kind, body []byte) (a About, ok bool) {
	if !k.About() || len(body) < refLen {
		return a, false
	}
	n := 1
	if k == Redact {
		n = len(body) / refLen
	}
	for i := range min(n, MaxRefs+1) {
		b := body[i*refLen:]
		r := Ref{Log: LogID(b[:16]), Seq: binary.BigEndian.Uint64(b[16:]), ID: ID(b[24:refLen])}
		if r.Seq < 1 || r.Seq >= MaxSeq || i > 0 && r.compare(a.Refs[i-1]) <= 0 {
			return About{}, false
		}
		a.Refs = append(a.Refs, r)
	}
	rest := body[len(a.Refs)*refLen:]
	switch k {
	case Redact:
		ok = len(rest) == 0 && n <= MaxRefs
	case React:
		if len(rest) < 2 || rest[0] > 1 || len(rest)-1 > MaxEmoji || !utf8.Valid(rest[1:]) {
			return About{}, false
		}
		a.On, a.Emoji, ok = rest[0] == 1, string(rest[1:]), true
	default:
		a.Text, ok = rest, true
	}
	if !ok {
		return About{}, false
	}
	return a, true
}

// About reports whether a message of this kind is about another one, or several.
func (k Kind) About() bool { return k == Reply || k == Edit || k == Redact || k == React }

// Redactable reports whether a body of this kind may be deleted. Those may not by which others are judged, and what no text is in; of kinds not known any may.
func (k Kind) Redactable() bool {
	switch k {
	case NickName, Redact, React, Void, State:
		return false
	}
	return true
}
