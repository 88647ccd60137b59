package message

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"earshot/node/nodetest/golden"
)

// abouts returns a body of each kind that is about a message, by the name of its golden file.
func abouts() map[string]struct {
	kind Kind
	say  About
} {
	one := Ref{Log: LogID{1}, Seq: 7, ID: ID{9, 9}}
	two := Ref{Log: LogID{1}, Seq: 8, ID: ID{3}}
	return map[string]struct {
		kind Kind
		say  About
	}{
		"reply":     {Reply, About{Refs: []Ref{one}, Text: []byte("so do I")}},
		"edit":      {Edit, About{Refs: []Ref{one}, Text: []byte("good evening")}},
		"redact":    {Redact, About{Refs: []Ref{one, two}}},
		"react":     {React, About{Refs: []Ref{two}, Emoji: "👍", On: true}},
		"react-off": {React, About{Refs: []Ref{two}, Emoji: "👍"}},
	}
}

func TestAboutGolden(t *testing.T) {
	for name, c := range abouts() {
		t.Run(name, func(t *testing.T) {
			want := golden.Check(t, "about-"+name, c.say.Body(c.kind))
			got, ok := ParseAbout(c.kind, want)
			if got.Text != nil && len(got.Text) == 0 {
				got.Text = nil
			}
			if !ok || !reflect.DeepEqual(got, c.say) {
				t.Errorf("parsed %+v, %v, want %+v", got, ok, c.say)
			}
		})
	}
}

func TestAboutIsStrict(t *testing.T) {
	one, two := Ref{Log: LogID{1}, Seq: 7}, Ref{Log: LogID{1}, Seq: 8}
	ref := (&About{Refs: []Ref{one}}).Body(Redact)
	other := (&About{Refs: []Ref{two}}).Body(Redact)
	zero := (&About{Refs: []Ref{{Log: LogID{1}}}}).Body(Redact)
	far := (&About{Refs: []Ref{{Seq: MaxSeq}}}).Body(Redact)
	var many About
	for i := range MaxRefs + 1 {
		many.Refs = append(many.Refs, Ref{Seq: uint64(i + 1)})
	}
	for _, c := range []struct {
		name string
		kind Kind
		body []byte
	}{
		{"nothing", Reply, nil},
		{"half a ref", Edit, ref[:39]},
		{"a text", Text, append(ref, "x"...)},
		{"number 0", Redact, zero},
		{"a number out of range", Redact, far},
		{"a byte behind a redaction", Redact, append(ref[:40:40], 0)},
		{"redactions out of order", Redact, append(other[:40:40], ref...)},
		{"one redacted twice", Redact, append(ref[:40:40], ref...)},
		{"too many redacted", Redact, many.Body(Redact)},
		{"a reaction without a flag", React, ref},
		{"a reaction without an emoji", React, append(ref[:40:40], 1)},
		{"a flag of 2", React, append(ref[:40:40], 2, 'x')},
		{"an emoji that is no UTF-8", React, append(ref[:40:40], 1, 0xff)},
		{"an emoji too long", React, append(append(ref[:40:40], 1), strings.Repeat("x", MaxEmoji+1)...)},
	} {
		if a, ok := ParseAbout(c.kind, c.body); ok {
			t.Errorf("%s: parsed %+v", c.name, a)
		}
	}
	if _, ok := ParseAbout(Redact, append(ref[:40:40], other...)); !ok {
		t.Error("two redactions in order are refused")
	}
}

func FuzzAbout(f *testing.F) {
	for _, c := range abouts() {
		f.Add(byte(c.kind), c.say.Body(c.kind))
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		a, ok := ParseAbout(Kind(kind), body)
		if ok && !bytes.Equal(a.Body(Kind(kind)), body) {
			t.Errorf("kind %d: % x was understood as %+v", kind, body, a)
		}
	})
}
