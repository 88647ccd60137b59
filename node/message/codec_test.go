package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"earshot/node/identity"
	"earshot/node/nodetest/golden"
)

// sealed returns a run of a room that is a group of its own.
func sealed(who *identity.Identity) *Run {
	r := say(who, "one")
	r.Opening.Group, r.Opening.Room, r.Opening.Name = GroupID{1}, RoomID{1}, ""
	r.Log = r.Opening.Log()
	r.Sign(who)
	return r
}

// shapes returns runs of each shape, by the name of their golden file.
func shapes(t testing.TB) map[string]*Run {
	t.Helper()
	alice := author(t, 1)
	first := say(alice, "good morning", "zweite Zeile: äöü", "")
	hashes := first.Hashes()
	next := first.Records[2].HLC + 1
	second := &Run{Log: first.Log, First: 4, Prev: hashes[2], Records: []Record{
		Body(next, Edit, append(slices.Clone(hashes[0][:16]), "good evening"...)),
		Body(next+1<<16, Kind(200), []byte{0, 0xff}),
	}}
	second.Sign(alice)
	redacted := *second
	redacted.Records = slices.Clone(second.Records)
	redacted.Records[0].Body, redacted.Records[0].Redacted = nil, true
	return map[string]*Run{"opening": first, "continuing": second, "redacted": &redacted}
}

func TestGolden(t *testing.T) {
	for name, r := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			for _, encoded := range [][]byte{golden.Check(t, name+"-short", r.Append(nil)), golden.Read(t, name)} {
				parsed, err := ParseRun(encoded)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(parsed, r) {
					t.Errorf("parsed\n%+v\nwant\n%+v", parsed, r)
				}
				if _, err := parsed.Verify(author(t, 1).ID()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestLimitsHold(t *testing.T) {
	alice := author(t, 1)
	private := sealed(alice)
	full := say(alice, make([]string, MaxRecords)...)
	full.Opening.Nick = strings.Repeat("𝒳", MaxNick)
	full.Opening.Name = strings.Repeat("𝒳", MaxRoomName)
	full.Opening.Room = Room(full.Opening.Name)
	full.Log = full.Opening.Log()
	long := say(alice, strings.Repeat("x", MaxBody))
	last := &Run{Log: full.Log, First: MaxSeq - 2, Records: []Record{Body(0, Text, nil), Body(maxHLC-1, Text, nil)}}
	for name, r := range map[string]*Run{"a private room": private, "most records and longest names": full, "longest body": long, "last numbers": last} {
		r.Sign(alice)
		parsed, err := ParseRun(r.Append(nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := parsed.Verify(alice.ID()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	alice := author(t, 1)
	runs := shapes(t)
	const records = 25 + openingFixed + len("alice") + len(Lobby) // where the opening run's count of records is
	openingRun := func(change func(b []byte)) []byte {
		b := runs["opening"].Append(nil)
		change(b)
		return b
	}
	long := func(change func(b []byte)) []byte {
		b := golden.Read(t, "opening")
		change(b)
		return b
	}
	length := func(varint ...byte) []byte { // of the first body, instead of its one byte
		b := runs["opening"].Append(nil)
		return slices.Replace(b, records+2+9+1, records+2+9+2, varint...)
	}
	with := func(change func(r *Run)) []byte {
		r := say(alice, "one", "two")
		change(r)
		if r.Opening != nil {
			r.Log = r.Opening.Log()
		}
		return r.Append(nil)
	}
	for name, b := range map[string][]byte{
		"nothing":                        nil,
		"unknown flag":                   openingRun(func(b []byte) { b[24] |= 4 }),
		"no records":                     openingRun(func(b []byte) { binary.BigEndian.PutUint16(b[records:], 0) }),
		"too many records":               openingRun(func(b []byte) { binary.BigEndian.PutUint16(b[records:], MaxRecords+1) }),
		"more records":                   openingRun(func(b []byte) { binary.BigEndian.PutUint16(b[records:], 4) }),
		"fewer records":                  openingRun(func(b []byte) { binary.BigEndian.PutUint16(b[records:], 2) }),
		"a body too long":                length(binary.AppendUvarint(nil, 2*(MaxBody+1))...),
		"a body of 2^62":                 length(binary.AppendUvarint(nil, 1<<63)...),
		"a redacted body too long":       length(binary.AppendUvarint(nil, 2*(MaxBody+1)+1)...),
		"a length in too many bytes":     length(2*byte(len("good morning"))|0x80, 0),
		"a length that overflows":        length(bytes.Repeat([]byte{0xff}, 11)...),
		"long, with an unknown flag":     long(func(b []byte) { b[24] |= 4 }),
		"long, said to be short":         long(func(b []byte) { b[24] |= 2 }),
		"long, a body of 2 GiB":          long(func(b []byte) { binary.BigEndian.PutUint32(b[records+2+9:], 1<<31-1) }),
		"long, a body too long":          long(func(b []byte) { binary.BigEndian.PutUint32(b[records+2+9:], MaxBody+1) }),
		"long, a redacted body too long": long(func(b []byte) { binary.BigEndian.PutUint32(b[records+2+9:], longRedacted|(MaxBody+1)) }),
		"a byte more":                    append(runs["opening"].Append(nil), 0),
		"another log's opening":          openingRun(func(b []byte) { b[0]++ }),
		"number 0":                       with(func(r *Run) { r.First, r.Opening = 0, nil }),
		"number 0 with opening":          with(func(r *Run) { r.First = 0 }),
		"number 1 without opening":       with(func(r *Run) { r.Opening = nil }),
		"number 2 with opening":          with(func(r *Run) { r.First = 2 }),
		"first number too high":          with(func(r *Run) { r.First, r.Opening = 1<<48, nil }),
		"last number too high":           with(func(r *Run) { r.First, r.Opening = 1<<48-1, nil }),
		"numbers that wrap around":       with(func(r *Run) { r.First, r.Opening = 1<<64-1, nil }),
		"a stamp too high":               with(func(r *Run) { r.Records[1].HLC = 1 << 63 }),
		"a first stamp too high":         with(func(r *Run) { r.Records = r.Records[:1]; r.Records[0].HLC = 1 << 63 }),
		"stamps that stand still":        with(func(r *Run) { r.Records[1].HLC = r.Records[0].HLC }),
		"stamps that fall":               with(func(r *Run) { r.Records[1].HLC = r.Records[0].HLC - 1 }),
		"a nick that is no UTF-8":        with(func(r *Run) { r.Opening.Nick = "\xff" }),
		"a name that is no UTF-8":        with(func(r *Run) { r.Opening.Name = "\xff"; r.Opening.Room = Room("\xff") }),
		"a name for another room":        with(func(r *Run) { r.Opening.Name = "lounge" }),
		"a public room unnamed":          with(func(r *Run) { r.Opening.Name = "" }),
		"a private room named":           with(func(r *Run) { r.Opening.Group = GroupID{1} }),
		"a group of another room":        with(func(r *Run) { r.Opening.Group, r.Opening.Name = GroupID{1}, "" }),
		"all groups but one":             with(func(r *Run) { r.Opening.Group, r.Opening.Room, r.Opening.Name = Mail, RoomID(Mail), "" }),
		"a nick too long": func() []byte {
			b := runs["opening"].Append(nil)
			b[25+100] = MaxNickBytes + 1
			return slices.Insert(b, 25+101, bytes.Repeat([]byte("x"), MaxNickBytes+1-len("alice"))...)
		}(),
	} {
		if r, err := ParseRun(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: parsed as %+v, error %v", name, r, err)
		}
	}
	for name, r := range runs {
		for _, whole := range [][]byte{r.Append(nil), golden.Read(t, name)} {
			for n := range whole {
				if _, err := ParseRun(whole[:n]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
				}
			}
		}
	}
}

// What cannot be read back is not written.
func TestAppendPanics(t *testing.T) {
	alice := author(t, 1)
	for name, change := range map[string]func(*Run){
		"no records":       func(r *Run) { r.Records = nil },
		"too many records": func(r *Run) { r.Records = make([]Record, MaxRecords+1) },
		"a nick too long":  func(r *Run) { r.Opening.Nick = strings.Repeat("x", MaxNickBytes+1) },
		"a name too long":  func(r *Run) { r.Opening.Name = strings.Repeat("x", MaxRoomNameBytes+1) },
		"a body too long":  func(r *Run) { r.Records[0] = Body(1, Text, make([]byte, MaxBody+1)) },
		"redacted, too long": func(r *Run) {
			r.Records[0] = Record{HLC: 1, Kind: Text, Redacted: true, Len: MaxBody + 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := say(alice, "one")
			change(r)
			defer func() {
				if recover() == nil {
					t.Error("it was encoded")
				}
			}()
			r.Append(nil)
		})
	}
}

// One allocation for the run and one for its records, and none to skim it: this is the path of every message.
func TestParseAllocates(t *testing.T) {
	encoded := shapes(t)["continuing"].Append(nil)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseRun(encoded); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations", n)
	}
	count := 0
	if n := testing.AllocsPerRun(100, func() {
		for range Skim(encoded) {
			count++
		}
	}); n > 0 || count == 0 {
		t.Errorf("%v allocations to skim %d records", n, count)
	}
}

func FuzzParseRun(f *testing.F) {
	for name, r := range shapes(f) {
		f.Add(r.Append(nil))
		f.Add(golden.Read(f, name))
	}
	f.Add(sealed(author(f, 1)).Append(nil))
	who := author(f, 1).ID()
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRun(b)
		bodies, e := ParseBodies(b)
		if (err == nil) != (e == nil) || e != nil && e.Error() != err.Error() {
			t.Fatalf("%v, and without sums %v", err, e)
		}
		if err != nil {
			if r != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("%+v, %v", r, err)
			}
			for range Skim(b) { // as far as it goes
			}
			return
		}
		again := r.Append(nil)
		if b[24]&flagShort != 0 && !bytes.Equal(again, b) {
			t.Fatalf("parsed from\n%x\nencoded as\n%x", b, again)
		}
		if short, err := ParseRun(again); err != nil || !reflect.DeepEqual(short, r) {
			t.Fatalf("parsed from\n%x\nand from what that is encoded as\n%x: %v", b, again, err)
		}
		if len(again) > r.Size() {
			t.Fatalf("%d bytes, at most %d", len(again), r.Size())
		}
		for i := range bodies.Records {
			if rec := &bodies.Records[i]; !rec.Redacted {
				if rec.Sum != (Hash{}) {
					t.Fatal("hashed all the same")
				}
				rec.Sum = r.Records[i].Sum
			}
		}
		if !reflect.DeepEqual(bodies, r) {
			t.Fatalf("%+v, and without sums %+v", r, bodies)
		}
		seen := 0
		for hlc, kind := range Skim(b) {
			if rec := &r.Records[seen]; rec.HLC != hlc || rec.Kind != kind {
				t.Fatalf("record %d is skimmed as %d, %d", seen, hlc, kind)
			}
			seen++
		}
		if seen != len(r.Records) {
			t.Fatalf("%d of %d records are skimmed", seen, len(r.Records))
		}
		hashes := r.Hashes()
		if len(hashes) != len(r.Records) {
			t.Fatalf("%d hashes of %d records", len(hashes), len(r.Records))
		}
		if _, err := r.Verify(who); err != nil && !errors.Is(err, ErrSignature) {
			t.Fatal(err)
		}
		if r.First < r.Last() {
			rest, err := ParseRun(r.From(r.First+1, hashes[0]).Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(rest.Hashes(), hashes[1:]) {
				t.Fatal("the rest of a run hashes to something else")
			}
		}
	})
}
