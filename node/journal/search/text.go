package search

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"earshot/node/message"
)

// fold is how letters are compared: without their case, all white space alike. It makes one rune of one.
func fold(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case r == '\n' || r == '\t':
		return ' '
	case r < utf8.RuneSelf:
		return r
	case unicode.IsSpace(r):
		return ' '
	}
	return unicode.ToLower(unicode.ToUpper(r)) // both: ς is σ
}

func folded(s string) string { return strings.Map(fold, s) }

// end is what a text is continued with, twice, so that its last letters begin a trigram as well. No clean text holds it.
const end = '\x01'

// put appends a letter as FTS5's tokenizer "ascii" takes it for part of a word: every byte has its top bit set. Two letters may come out alike; Match tells them apart.
func put(b []byte, r rune) []byte {
	if r < utf8.RuneSelf {
		return append(b, 0x80|byte(r))
	}
	return utf8.AppendRune(b, r)
}

// terms appends what a message is found by: every trigram of its text, its room, its author's nick.
func (d *Doc) terms(b []byte) []byte {
	var last [2]rune // the two letters before
	n := 0
	add := func(r rune) {
		if n++; n > 2 {
			b = append(put(put(put(b, last[0]), last[1]), r), ' ')
		}
		last[0], last[1] = last[1], r
	}
	for _, r := range d.Text {
		add(fold(r))
	}
	add(end)
	add(end)
	b = append(append(b, roomTerm(d.Room)...), ' ')
	return append(b, nickTerm(d.Nick)...)
}

// roomTerm and nickTerm are made of letters and digits, which no trigram is.
func roomTerm(r message.RoomID) string { return "r" + hex.EncodeToString(r[:8]) }

func nickTerm(nick string) string {
	h := sha256.Sum256([]byte(folded(nick)))
	return "n" + hex.EncodeToString(h[:8])
}

// A Span is a stretch of a text, in bytes.
type Span struct{ Start, End int }

// Match reports whether a text holds all words of the query.
func (q *Query) Match(text string) bool {
	if len(q.words) == 0 {
		return true
	}
	text = folded(text)
	for _, w := range q.words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Spans returns where in a text the words of the query are, in order and apart from each other.
func (q *Query) Spans(text string) (spans []Span) {
	// at[i] is where in text byte i of its folded form comes from.
	var b []byte
	var at []int
	for i, r := range text {
		n := len(b)
		b = utf8.AppendRune(b, fold(r))
		for range len(b) - n {
			at = append(at, i)
		}
	}
	at = append(at, len(text))
	whole := string(b)
	for _, w := range q.words {
		for from := 0; ; {
			i := strings.Index(whole[from:], w)
			if i < 0 {
				break
			}
			from += i
			spans = append(spans, Span{at[from], at[from+len(w)]})
			from += len(w)
		}
	}
	sort.Slice(spans, func(i, j int) bool { return spans[i].Start < spans[j].Start })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}
