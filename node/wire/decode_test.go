package wire

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
)

// bodies returns an empty body of each control type.
func bodies() map[Type]any {
	return map[Type]any{
		TypeHello: &Hello{}, TypeState: &State{}, TypeAskDays: &AskDays{}, TypeDays: &Days{}, TypeAskHeads: &AskHeads{}, TypeHeads: &Heads{},
		TypeWant: &Want{}, TypeDone: &Done{}, TypeBeat: &Beat{}, TypeHave: &Have{}, TypeStable: &Stable{}, TypePresence: &Presence{},
		TypeOrder: &Order{}, TypeRedirect: &Redirect{}, TypeBye: &Bye{}, TypeNote: &Note{}, TypeView: &View{}, TypeTyping: &Typing{},
	}
}

const (
	aGroup = "50 11111111111111111111111111111111"
	aHash  = "5820 3333333333333333333333333333333333333333333333333333333333333333"
)

// strictCases are bodies in hexadecimal, where white space does not count, and what they decode to; nil where they are refused.
// Each differs from the first of its type in what its name says.
type strictCases []struct {
	name, body string
	want       any
}

func TestDecodeIsStrictMap(t *testing.T) {
	good := &AskDays{fill[message.GroupID](0x11), 5}
	checkStrict[AskDays](t, strictCases{
		{"as it should be", "a2 01" + aGroup + "02 05", good},
		{"an unknown key behind", "a3 01" + aGroup + "02 05 0a 81a100f6", good},
		{"a key twice, not in a row", "a4 01" + aGroup + "01f0 02 05 6161 f5", nil},
		{"an unknown negative key", "a3 20 05 01" + aGroup + "02 05", good},
		{"an unknown text key", "a3 01" + aGroup + "02 05 6161 05", good},
		{"an unknown key twice", "a4 01" + aGroup + "02 05 0a 01 0a 02", nil},
		{"a key twice", "a3 01" + aGroup + "02 05 02 05", nil},
		{"a byte array too short", "a2 01 4f 111111111111111111111111111111 02 05", nil},
		{"a byte array too long", "a2 01 51 1111111111111111111111111111111111 02 05", nil},
		{"an empty byte array", "a2 01 40 02 05", nil},
		{"null for a byte array", "a2 01 f6 02 05", nil},
		{"undefined for a byte array", "a2 01 f7 02 05", nil},
		{"numbers for a byte array", "a2 01 90 11111111111111111111111111111111 02 05", nil},
		{"text for a byte array", "a2 01 70 11111111111111111111111111111111 02 05", nil},
		{"null for a number", "a2 01" + aGroup + "02 f6", nil},
		{"a float for a number", "a2 01" + aGroup + "02 f94500", nil},
		{"a negative number", "a2 01" + aGroup + "02 24", nil},
		{"a number of 33 bits", "a2 01" + aGroup + "02 1b0000000100000000", nil},
		{"a number in two bytes", "a2 01" + aGroup + "02 1805", nil},
		{"a length in two bytes", "a2 01 5810 11111111111111111111111111111111 02 05", nil},
		{"a count in two bytes", "b802 01" + aGroup + "02 05", good},
		{"a missing field", "a1 01" + aGroup, nil},
		{"keys out of order", "a2 02 05 01" + aGroup, nil},
		{"a byte behind", "a2 01" + aGroup + "02 05 00", nil},
		{"a byte less", "a2 01" + aGroup + "02", nil},
		{"nothing", "", nil},
		{"null", "f6", nil},
		{"a number alone", "05", nil},
		{"an array for a map", "82" + aGroup + "05", nil},
		{"a map of indefinite length", "bf 01" + aGroup + "02 05 ff", nil},
		{"a string of indefinite length", "a2 01 5f" + aGroup + "ff 02 05", nil},
		{"a tag", "a2 01 c2" + aGroup + "02 05", nil},
		{"the self-describing tag", "d9d9f7 a2 01" + aGroup + "02 05", nil},
		{"an unknown key with a tag", "a3 01" + aGroup + "02 05 0a c0 6161", nil},
		{"an unknown key of bytes", "a3 01" + aGroup + "02 05 4161 01", nil},
		{"an unknown value, deep", "a3 01" + aGroup + "02 05 0a 81818100", good},
		{"an unknown value, too deep", "a3 01" + aGroup + "02 05 0a 8181818100", nil},
		{"an unknown value of invalid UTF-8", "a3 01" + aGroup + "02 05 0a 61ff", good},
		{"a bomb of depth", "a3 01" + aGroup + "02 05 0a" + strings.Repeat("81", 60_000) + "00", nil},
		{"a bomb of tags", strings.Repeat("c1", 60_000) + "00", nil},
		{"a string of 2⁶³ bytes", "a2 01 5b8000000000000000 02 05", nil},
		{"a string of 2⁶³-1 bytes", "a2 01 5b7fffffffffffffff 02 05", nil},
		{"a string of 4 GiB", "a2 01 5affffffff 02 05", nil},
		{"a string of 4 GiB and 16 bytes", "a2 01 5b0000000100000010" + aGroup[2:] + "02 05", nil},
		{"an unknown value of 2⁶³ bytes", "a3 01" + aGroup + "02 05 0a 5b8000000000000000", nil},
		{"an unknown value of 2³² items", "a3 01" + aGroup + "02 05 0a 9b0000000100000000", nil},
		{"an unknown value of 2³² pairs", "a3 01" + aGroup + "02 05 0a bb0000000100000000", nil},
		{"an unknown key of 2³² bytes", "a3 01" + aGroup + "02 05 5b0000000100000000 05", nil},
		{"2³² pairs", "bb0000000100000002 01" + aGroup + "02 05", nil},
		{"a map of 2⁶⁴-1 pairs", "bbffffffffffffffff 01", nil},
		{"a map of 2³²-1 pairs", "baffffffff 01", nil},
		{"a map of 33 pairs", "b821" + strings.Repeat("00 00", 33), nil},
	})
}

func TestDecodeIsStrictArray(t *testing.T) {
	none := &Days{Group: fill[message.GroupID](0x11), From: 5, Days: []DaySum{}}
	checkStrict[Days](t, strictCases{
		{"as it should be, days", "a3 01" + aGroup + "02 05 03 81 82 05" + aHash, &Days{Group: fill[message.GroupID](0x11), From: 5, Days: []DaySum{{Day: 5, Sum: fill[message.Hash](0x33)}}}},
		{"no day", "a3 01" + aGroup + "02 05 03 80", none},
		{"null for days", "a3 01" + aGroup + "02 05 03 f6", nil},
		{"null for a day", "a3 01" + aGroup + "02 05 03 81 f6", nil},
		{"a day with one thing less", "a3 01" + aGroup + "02 05 03 81 81 05", nil},
		{"a day with one thing more", "a3 01" + aGroup + "02 05 03 81 83 05" + aHash + "00", nil},
		{"a day as a map", "a3 01" + aGroup + "02 05 03 81 a2 00 05 01" + aHash, nil},
		{"a sum too short", "a3 01" + aGroup + "02 05 03 81 82 05 4133", nil},
		{"an array of 2³²-1 days", "a3 01" + aGroup + "02 05 03 9affffffff", nil},
		{"an array of 2⁶⁴-1 days", "a3 01" + aGroup + "02 05 03 9bffffffffffffffff", nil},
		{"an array of 1025 days", "a3 01" + aGroup + "02 05 03 990401" + strings.Repeat("00", 1025), nil},
		{"a false that may be left out", "a4 01" + aGroup + "02 05 03 80 04 f4", none},
		{"a number for a truth", "a4 01" + aGroup + "02 05 03 80 04 01", nil},
	})
}

func TestDecodeIsStrictText(t *testing.T) {
	checkStrict[Note](t, strictCases{
		{"as it should be, a note", "a2 01 63 626f62 02 f4", &Note{Nick: "bob", Away: new(bool)}},
		{"invalid UTF-8", "a1 01 63 62ff62", nil},
		{"bytes for text", "a1 01 43 626f62", nil},
		{"null for what may be left out", "a1 02 f6", &Note{}},
	})
}

func checkStrict[T any](t *testing.T, cases strictCases) {
	t.Helper()
	for _, c := range cases {
		body, err := hex.DecodeString(strings.ReplaceAll(c.body, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := new(T)
		err = Decode(body, got)
		if c.want == nil {
			if !errors.Is(err, ErrFrame) {
				t.Errorf("%s: decoded as %+v, %v", c.name, *got, err)
			}
		} else if err != nil || !reflect.DeepEqual(any(got), c.want) {
			t.Errorf("%s: decoded as %+v, %v", c.name, *got, err)
		}
	}
}

// What a body held before does not shine through, and does not alias the bytes.
func TestDecodeStartsAfresh(t *testing.T) {
	frame := Append(nil, TypeHello, &Hello{Version: Version, Nick: "bob", Profile: []byte("profile")})
	h := Hello{Term: 5, LinkOnly: true, Tags: make([][8]byte, 3)}
	if err := Decode(frame[HeaderLen:], &h); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	if want := (Hello{Version: Version, Nick: "bob", Profile: []byte("profile")}); !reflect.DeepEqual(h, want) {
		t.Errorf("decoded %+v, want %+v", h, want)
	}
}

func TestLimits(t *testing.T) {
	many := func(n int) []string { return make([]string, n) }
	long := func(n int) string { return strings.Repeat("x", n) }
	heads := func(n int) []Head {
		h := make([]Head, n)
		for i := range h {
			h[i].Log[0], h[i].Log[1] = byte(i>>8), byte(i)
		}
		return h
	}
	days := func(n int) []DaySum {
		d := make([]DaySum, n)
		for i := range d {
			d[i].Day = uint32(i)
		}
		return d
	}
	marks := func(n int) [][8]byte {
		m := make([][8]byte, n)
		for i := range m {
			m[i] = [8]byte{byte(i >> 8), byte(i)}
		}
		return m
	}
	for name, c := range map[string]struct{ most, more any }{
		"software":           {&Hello{Software: long(MaxTextBytes)}, &Hello{Software: long(MaxTextBytes + 1)}},
		"nick":               {&Hello{Nick: long(message.MaxNickBytes)}, &Hello{Nick: long(message.MaxNickBytes + 1)}},
		"tags":               {&Hello{Tags: make([][8]byte, MaxTags)}, &Hello{Tags: make([][8]byte, MaxTags+1)}},
		"known profiles":     {&Hello{Known: marks(MaxKnown)}, &Hello{Known: marks(MaxKnown + 1)}},
		"marks' order":       {&Hello{Known: marks(2)}, &Hello{Known: [][8]byte{{2}, {1}}}},
		"a mark twice":       {&Hello{Known: marks(2)}, &Hello{Known: [][8]byte{{2}, {2}}}},
		"profile":            {&Hello{Profile: make([]byte, MaxProfile)}, &Hello{Profile: make([]byte, MaxProfile+1)}},
		"a hello's clock":    {&Hello{Net: maxClock - 1}, &Hello{Net: maxClock}},
		"groups":             {&State{Groups: make([]GroupState, MaxGroups)}, &State{Groups: make([]GroupState, MaxGroups+1)}},
		"days":               {&Days{Days: days(MaxDays)}, &Days{Days: days(MaxDays + 1)}},
		"days' order":        {&Days{Days: []DaySum{{Day: 1}, {Day: 2}}}, &Days{Days: []DaySum{{Day: 2}, {Day: 1}}}},
		"a day twice":        {&Days{Days: days(2)}, &Days{Days: make([]DaySum, 2)}},
		"days' beginning":    {&Days{From: 1, Days: days(2)[1:]}, &Days{From: 1, Days: days(2)}},
		"parts":              {&AskHeads{Parts: make([]byte, Parts*PartBytes)}, &AskHeads{Parts: make([]byte, Parts*PartBytes+1)}},
		"heads":              {&Heads{Heads: heads(MaxHeads)}, &Heads{Heads: heads(MaxHeads + 1)}},
		"heads' order":       {&Heads{Heads: heads(2)}, &Heads{Heads: []Head{heads(2)[1], heads(2)[0]}}},
		"a head twice":       {&Heads{Heads: heads(2)}, &Heads{Heads: make([]Head, 2)}},
		"a head's number":    {&Heads{Heads: []Head{{Seq: message.MaxSeq - 1}}}, &Heads{Heads: []Head{{Seq: message.MaxSeq}}}},
		"a head's fork":      {&Have{[]Head{{Fork: message.MaxSeq - 1}}}, &Have{[]Head{{Fork: message.MaxSeq}}}},
		"wants":              {&Want{make([]WantLog, MaxWants)}, &Want{make([]WantLog, MaxWants+1)}},
		"a want's number":    {&Want{[]WantLog{{From: message.MaxSeq - 1}}}, &Want{[]WantLog{{From: 1 << 63}}}},
		"done":               {&Done{make([]message.LogID, MaxWants)}, &Done{make([]message.LogID, MaxWants+1)}},
		"waiting":            {&Beat{Waiting: heads(MaxHeads)}, &Beat{Waiting: heads(MaxHeads + 1)}},
		"a clock ahead":      {&Beat{Clock: maxClock - 1}, &Beat{Clock: maxClock}},
		"a clock behind":     {&Beat{Net: 1 - maxClock}, &Beat{Net: -1 << 63}},
		"have":               {&Have{heads(MaxHeads)}, &Have{heads(MaxHeads + 1)}},
		"stable":             {&Stable{make([]StableLog, MaxHeads)}, &Stable{make([]StableLog, MaxHeads+1)}},
		"a stable number":    {&Stable{[]StableLog{{Seq: message.MaxSeq - 1}}}, &Stable{[]StableLog{{Seq: message.MaxSeq}}}},
		"people here":        {&Presence{Here: make([]Person, MaxPeople)}, &Presence{Here: make([]Person, MaxPeople+1)}},
		"people gone":        {&Presence{Gone: make([]identity.Session, MaxPeople)}, &Presence{Gone: make([]identity.Session, MaxPeople+1)}},
		"a person's nick":    {&Presence{Here: []Person{{Nick: long(message.MaxNickBytes)}}}, &Presence{Here: []Person{{Nick: long(message.MaxNickBytes + 1)}}}},
		"addresses":          {&Presence{Here: []Person{{Address: many(MaxAddress)}}}, &Presence{Here: []Person{{Address: many(MaxAddress + 1)}}}},
		"a person's profile": {&Presence{Here: []Person{{Profile: make([]byte, MaxProfile)}}}, &Presence{Here: []Person{{Profile: make([]byte, MaxProfile+1)}}}},
		"order":              {&Order{1, make([]identity.Session, MaxOrder), nil}, &Order{1, make([]identity.Session, MaxOrder+1), nil}},
		"an address":         {&Redirect{Address: []string{long(MaxAddressBytes)}}, &Redirect{Address: []string{long(MaxAddressBytes + 1)}}},
		"a bye's addresses":  {&Bye{Address: many(MaxAddress)}, &Bye{Address: many(MaxAddress + 1)}},
		"a reason":           {&Bye{Reason: long(MaxTextBytes)}, &Bye{Reason: long(MaxTextBytes + 1)}},
		"a view's clock":     {&View{Clock: maxClock - 1}, &View{Clock: maxClock}},
		"instances":          {&View{Here: make([]Instance, MaxInstances)}, &View{Here: make([]Instance, MaxInstances+1)}},
		"an instance's nick": {&View{Here: []Instance{{Nick: long(message.MaxNickBytes)}}}, &View{Here: []Instance{{Nick: long(message.MaxNickBytes + 1)}}}},
		"where to reach one": {&View{Here: []Instance{{Address: long(MaxReachable)}}}, &View{Here: []Instance{{Address: long(MaxReachable + 1)}}}},
		"a note's nick":      {&Note{Nick: long(message.MaxNickBytes)}, &Note{Nick: long(message.MaxNickBytes + 1)}},
	} {
		into := func() any { return reflect.New(reflect.TypeOf(c.most).Elem()).Interface() }
		if err := Decode(Append(nil, 1, c.most)[HeaderLen:], into()); err != nil {
			t.Errorf("%s, the most: %v", name, err)
		}
		if err := Decode(Append(nil, 1, c.more)[HeaderLen:], into()); !errors.Is(err, ErrFrame) {
			t.Errorf("%s, more: %v", name, err)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for name, c := range map[string]struct {
		hello Hello
		want  string
	}{
		"newer":   {Hello{Version: Version + 1, Nick: "bob"}, "bob runs earshot protocol 3, this is 2: upgrade this machine"},
		"older":   {Hello{Version: Version - 1, Nick: "bob"}, "bob runs earshot protocol 1, this is 2: upgrade that machine"},
		"hostile": {Hello{Version: Version + 1, Nick: "\x1b[2J\nbob"}, "[2J_bob runs earshot protocol 3, this is 2: upgrade this machine"},
		"unnamed": {Hello{Version: Version + 1}, "? runs earshot protocol 3, this is 2: upgrade this machine"},
	} {
		if err := CheckVersion(&c.hello); !errors.Is(err, ErrVersion) || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckVersion(&Hello{Version: Version}); err != nil {
		t.Error(err)
	}
}

// A HELLO of another version may look different but for the version and the nick: what it says is still heard.
func TestDecodeOtherVersion(t *testing.T) {
	for _, c := range []struct {
		body string
		want error
	}{
		{"a3 01 03 05 63 626f62 06 6161", ErrVersion},
		{"a2 01 02 05 63 626f62", ErrFrame},
		{"a2 01 20 05 63 626f62", ErrFrame},
		{"a1 05 63 626f62", ErrFrame},
	} {
		body, err := hex.DecodeString(strings.ReplaceAll(c.body, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		err = Decode(body, new(Hello))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.body, err)
		}
		if want := "bob runs earshot protocol 3, this is 2: upgrade this machine"; c.want == ErrVersion && err.Error() != want {
			t.Errorf("%s: %v", c.body, err)
		}
	}
}

// Frames no peer would take are a bug of the sender.
func TestAppendPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"a body too large":  func() { AppendFrame(nil, TypeRun, make([]byte, MaxFrame)) },
		"people too large":  func() { Append(nil, TypePresence, &Presence{Here: make([]Person, 2_000)}) },
		"no control body":   func() { _ = Decode([]byte{0xa0}, &struct{}{}) },
		"not to be encoded": func() { Append(nil, TypeNote, make(chan int)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	if n := len(AppendFrame(nil, TypeRun, make([]byte, MaxFrame-1))); n != MaxFrame+HeaderLen-1 {
		t.Errorf("the largest frame has %d bytes", n)
	}
}

// Whatever decodes is within limits, fits a frame, and says the same once encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		if _, raw := s.Body.([]byte); !raw {
			f.Add(byte(s.Type), Append(nil, s.Type, s.Body)[HeaderLen:])
		}
	}
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		v := bodies()[Type(typ)]
		if v == nil || len(body) >= MaxFrame {
			return
		}
		if err := Decode(body, v); err != nil {
			if !errors.Is(err, ErrFrame) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		again := bodies()[Type(typ)]
		encoded := Append(nil, Type(typ), v)
		if err := Decode(encoded[HeaderLen:], again); err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%+v became %+v, %v", v, again, err)
		}
		if len(encoded)-HeaderLen > len(body) {
			t.Fatalf("%d bytes became %d: something was made up", len(body), len(encoded)-HeaderLen)
		}
	})
}

func BenchmarkDecodeHeads(b *testing.B) {
	h := Heads{Heads: make([]Head, MaxHeads)}
	for i := range h.Heads {
		h.Heads[i] = Head{Log: message.LogID{byte(i >> 8), byte(i)}, Seq: 1000, Tip: fill[message.Hash](0x55)}
	}
	body := Append(nil, TypeHeads, &h)[HeaderLen:]
	for b.Loop() {
		if err := Decode(body, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBeat(b *testing.B) {
	var beat Beat
	body := Append(nil, TypeBeat, samples(b)["beat"].Body)[HeaderLen:]
	for b.Loop() {
		if err := Decode(body, &beat); err != nil {
			b.Fatal(err)
		}
	}
}
