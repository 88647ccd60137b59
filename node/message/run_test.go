package message

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"earshot/node/identity"
)

// author returns an identity that is the same in every run of the tests.
func author(t testing.TB, seed byte) *identity.Identity {
	t.Helper()
	i, err := identity.FromSeed(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// opening returns the opening of a log in #lobby.
func opening(who *identity.Identity) *Opening {
	return &Opening{
		Network: identity.NetworkID(bytes.Repeat([]byte{0xa1}, 16)),
		Room:    Room(Lobby),
		Author:  who.ID(),
		Nonce:   Nonce(bytes.Repeat([]byte{0xb2}, 16)),
		Day:     20_000,
		Nick:    "alice",
		Name:    Lobby,
	}
}

// say returns a signed log's first run, one text a record.
func say(who *identity.Identity, texts ...string) *Run {
	o := opening(who)
	r := &Run{Log: o.Log(), First: 1, Opening: o}
	for i, text := range texts {
		r.Records = append(r.Records, Body(20_000*86_400_000<<16+uint64(i), Text, []byte(text)))
	}
	r.Sign(who)
	return r
}

func TestVerify(t *testing.T) {
	alice, bob := author(t, 1), author(t, 2)
	r := say(alice, "one", "two", "three")
	hashes, err := r.Verify(alice.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(hashes, r.Hashes()) {
		t.Error("Verify and Hashes differ")
	}
	if _, err := r.Verify(bob.ID()); !errors.Is(err, ErrSignature) {
		t.Errorf("another author's key: %v", err)
	}

	t.Run("an opening that names another author", func(t *testing.T) {
		r := say(alice, "one")
		r.Sign(bob)
		if _, err := r.Verify(bob.ID()); !errors.Is(err, ErrSignature) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("redaction leaves the chain whole", func(t *testing.T) {
		r := say(alice, "one", "two", "three")
		r.Records[1].Body, r.Records[1].Redacted = nil, true
		parsed, err := ParseRun(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsed.Verify(alice.ID())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, hashes) {
			t.Error("hashes changed")
		}
	})
	t.Run("the rest of a run", func(t *testing.T) {
		for seq := uint64(1); seq <= 3; seq++ {
			prev := Hash{}
			if seq > 1 {
				prev = hashes[seq-2]
			}
			parsed, err := ParseRun(r.From(seq, prev).Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.Verify(alice.ID())
			if err != nil {
				t.Fatal(err)
			}
			if parsed.First != seq || parsed.Last() != 3 || !slices.Equal(got, hashes[seq-1:]) {
				t.Errorf("from %d: numbers %d to %d, hashes %x", seq, parsed.First, parsed.Last(), got)
			}
		}
	})
}

// Every byte of a run is vouched for by its signature or by the opening's hash: no flipped bit is accepted.
// joined is a copy of a run, extended by another, neither of which is changed.
func joined(a, b *Run) (*Run, bool) {
	both := *a
	both.Records = slices.Clip(a.Records)
	return &both, both.Extend(b)
}

func TestExtend(t *testing.T) {
	alice := author(t, 1)
	texts := slices.Repeat([]string{"text"}, MaxRecords+1)
	whole := say(alice, texts...)
	hashes := whole.Hashes()
	part := func(from, to uint64) *Run { // both included
		r := whole
		if from > 1 {
			r = whole.From(from, hashes[from-2])
		}
		p := *r
		p.Records = slices.Clone(p.Records[:to-from+1])
		p.Sign(alice)
		return &p
	}
	a, b := part(1, 2), part(3, 5)
	both, ok := joined(a, b)
	if !ok || both.Last() != 5 || len(a.Records) != 2 || len(b.Records) != 3 {
		t.Fatalf("joined: %v", ok)
	}
	if got, err := both.Verify(alice.ID()); err != nil || !slices.Equal(got, hashes[:5]) {
		t.Errorf("verify: %v", err)
	}
	b.Records[1] = Body(b.Records[1].HLC, Text, []byte("another"))
	if both, ok := joined(a, b); !ok {
		t.Error("what does not verify was not joined")
	} else if _, err := both.Verify(alice.ID()); !errors.Is(err, ErrSignature) {
		t.Errorf("another body: %v", err)
	}
	late := part(3, 5)
	late.Records[0].HLC = a.Records[1].HLC
	other := part(3, 5)
	other.Log[0] ^= 1
	for name, next := range map[string]*Run{"a gap": part(4, 5), "an overlap": part(2, 5), "another log": other, "a stamp that does not grow": late, "the same": a} {
		if _, ok := joined(a, next); ok {
			t.Errorf("%s was joined", name)
		}
	}
	if _, ok := joined(part(1, MaxRecords), part(MaxRecords+1, MaxRecords+1)); ok {
		t.Error("more than MaxRecords were joined")
	}
	if whole, ok := joined(part(1, MaxRecords-1), part(MaxRecords, MaxRecords)); !ok || len(whole.Records) != MaxRecords {
		t.Error("MaxRecords were not joined")
	}
}

func TestFlippedBit(t *testing.T) {
	alice := author(t, 1)
	first := say(alice, "one", "two")
	hashes := first.Hashes()
	second := &Run{Log: first.Log, First: 3, Prev: hashes[1], Records: []Record{Body(first.Records[1].HLC+1, Action, []byte("waves"))}}
	second.Sign(alice)
	for _, r := range []*Run{first, second} {
		whole := r.Append(nil)
		for i := range whole {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			parsed, err := ParseRun(b)
			if err != nil {
				continue
			}
			if _, err := parsed.Verify(alice.ID()); err == nil {
				t.Errorf("run from %d: flipped bit in byte %d of %d is accepted", r.First, i, len(whole))
			}
		}
	}
}

func TestFromOutside(t *testing.T) {
	r := say(author(t, 1), "one", "two").From(2, Hash{1})
	for _, seq := range []uint64{0, 1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("From(%d) of a run of number 2 alone returned", seq)
				}
			}()
			r.From(seq, Hash{})
		}()
	}
}

// The expected values were computed from the definitions by another program.
func TestDerived(t *testing.T) {
	alice := author(t, 1)
	o := opening(alice)
	hex := func(id any) string { return fmt.Sprintf("%x", id) }
	tip := say(alice, "good morning", "zweite Zeile: äöü", "").Hashes()[2]
	for what, pair := range map[string][2]string{
		"room":         {hex(o.Room), "f6a534627777a5342b95505c9c264110"},
		"log":          {hex(o.Log()), "b7cda27cfd2e145a4035de6c1d9f8438"},
		"opening hash": {hex(o.Hash()), "586e5130affd4937f1eb8b138b790826515836cd948e911234509bd755f94767"},
		"tip":          {hex(tip), "d5f97f10f687b07c35bcafd38ac1f07de151a0c62885300bdabab1295c301435"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s %s, want %s", what, pair[0], pair[1])
		}
	}
	if id := tip.ID(); !bytes.Equal(id[:], tip[:16]) {
		t.Errorf("id %x of %x", id, tip)
	}
	seen := map[LogID]string{o.Log(): "the opening itself"}
	for what, change := range map[string]func(*Opening){
		"network": func(o *Opening) { o.Network[0]++ },
		"room":    func(o *Opening) { o.Room[0]++ },
		"author":  func(o *Opening) { o.Author[0]++ },
		"nonce":   func(o *Opening) { o.Nonce[0]++ },
		"day":     func(o *Opening) { o.Day++ },
	} {
		other := *o
		change(&other)
		if same, ok := seen[other.Log()]; ok {
			t.Errorf("another %s has the log id of %s", what, same)
		}
		seen[other.Log()] = what
	}
	other := *o
	other.Nick = "bob"
	if other.Log() != o.Log() || other.Hash() == o.Hash() {
		t.Error("a nick is part of the opening's hash and not of the log's id")
	}
}

func benchmarkRun(b *testing.B) (encoded []byte, who identity.PeerID) {
	alice := author(b, 1)
	texts := make([]string, MaxRecords)
	for i := range texts {
		texts[i] = strings.Repeat("x", 60) // a run this long, 16 KiB, is what a catch-up consists of
	}
	return say(alice, texts...).Append(nil), alice.ID()
}

func BenchmarkParseRun(b *testing.B) {
	encoded, _ := benchmarkRun(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRun(encoded); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxRecords, "ns/record")
}

func BenchmarkParseVerify(b *testing.B) {
	encoded, who := benchmarkRun(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := ParseRun(encoded)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Verify(who); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxRecords, "ns/record")
}
