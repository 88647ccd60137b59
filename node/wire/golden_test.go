package wire

import (
	"bytes"
	"reflect"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/golden"
)

// fill returns bytes that say where they were put.
func fill[T ~[8]byte | ~[16]byte | ~[32]byte](with byte) (v T) {
	b := reflect.ValueOf(&v).Elem()
	for i := range b.Len() {
		b.Index(i).SetUint(uint64(with))
	}
	return v
}

// A sample is a frame of each type, by the name of its golden file: a control body, or raw bytes.
type sample struct {
	Type Type
	Body any
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	group, log := fill[message.GroupID](0x11), fill[message.LogID](0x22)
	root, sum, tip := fill[message.Hash](0x33), fill[message.Hash](0x44), fill[message.Hash](0x55)
	session, other := fill[identity.Session](0x66), fill[identity.Session](0x77)
	host, away := fill[identity.HostID](0x88), true
	address := []string{"10.0.0.7:4327", "[fe80::1%eth0]:4327"}
	head := Head{Log: log, Seq: 3, Tip: tip, Fork: 4}
	long := bytes.Repeat([]byte{0x99}, 300)
	run, proof := runs(t)
	return map[string]sample{
		"hello": {TypeHello, &Hello{Version: 1, Software: "earshot 1.0", Session: session, Host: host, Nick: "Zoë", Class: 2,
			LinkOnly: true, Port: 4327, Tags: [][8]byte{fill[[8]byte](1), fill[[8]byte](2)}, Profile: long, Term: 1 << 40, Realm: fill[identity.Realm](0xaa)}},
		"hello-least": {TypeHello, &Hello{Version: 1}},
		"hello-time":  {TypeHello, &Hello{Version: 1, Session: session, Host: host, Nick: "Zoë", Class: 1, Port: 4327, Term: 7, Net: 1_790_000_000_001}},
		"state": {TypeState, &State{Realm: fill[identity.Realm](0xaa), Store: fill[[16]byte](0xbb), Durable: true, Reply: true,
			Groups: []GroupState{{message.Public, 20_000, 20_100, root, sum}, {group, 0, 20_100, root, sum}}}},
		"state-least":     {TypeState, &State{Groups: []GroupState{}}},
		"run-short":       {TypeRun, run},
		"pulled-short":    {TypePulled, run},
		"bulk-short":      {TypeBulk, run},
		"proof-short":     {TypeProof, proof},
		"ask-days":        {TypeAskDays, &AskDays{group, 20_000}},
		"days":            {TypeDays, &Days{group, 20_000, []DaySum{{Day: 20_000, Sum: root}, {Day: 20_070, Sum: sum}}, true}},
		"ask-heads":       {TypeAskHeads, &AskHeads{group, 20_000, log, nil}},
		"ask-heads-parts": {TypeAskHeads, &AskHeads{group, 20_000, log, make([]byte, Parts*PartBytes)}},
		"heads":           {TypeHeads, &Heads{group, 20_000, []Head{head, {Log: fill[message.LogID](0x23), Seq: message.MaxSeq - 1}}, true}},
		"want":            {TypeWant, &Want{[]WantLog{{Log: log, From: 1}, {Log: fill[message.LogID](0x23), From: 300}}}},
		"done":            {TypeDone, &Done{[]message.LogID{log}}},
		"beat":            {TypeBeat, &Beat{Clock: 1_790_000_000_000, Received: 70_000, Root: &root, From: 20_000, Waiting: []Head{head}, Net: 1_790_000_000_001, Vouched: true}},
		"beat-mark":       {TypeBeat, &Beat{Clock: 1_790_000_000_000, Received: 1, Mark: 70_000, Trip: 400}},
		"beat-back":       {TypeBeat, &Beat{Clock: 1_790_000_000_000, Received: 1, Mark: 70_000, Held: 25}},
		"beat-covers":     {TypeBeat, &Beat{Clock: 1_790_000_000_000, Received: 1, Root: &root, From: 20_000, Covers: 1 << 63}},
		"beat-least":      {TypeBeat, &Beat{Clock: -1}},
		"have":            {TypeHave, &Have{[]Head{head}}},
		"stable":          {TypeStable, &Stable{[]StableLog{{Log: log, Seq: 3, Tip: tip, Copies: 2, All: true}}}},
		"ping":            {TypePing, []byte{}},
		"presence":        {TypePresence, &Presence{true, []Person{{session, fill[identity.PeerID](0xcc), "Zoë", 1, true, true, host, long, address, ""}}, []identity.Session{other}, true}},
		"presence-why":    {TypePresence, &Presence{Here: []Person{{Session: session, Away: true, Why: "at lunch"}}}},
		"presence-least":  {TypePresence, &Presence{}},
		"order":           {TypeOrder, &Order{7, []identity.Session{session, other}, []identity.Session{other}}},
		"redirect":        {TypeRedirect, &Redirect{session, 7, address}},
		"bye":             {TypeBye, &Bye{session, address, "stopping", true}},
		"bye-least":       {TypeBye, &Bye{}},
		"note":            {TypeNote, &Note{"Zoë", &away, ""}},
		"note-why":        {TypeNote, &Note{Away: &away, Why: "at lunch"}},
		"typing":          {TypeTyping, &Typing{Room: fill[message.RoomID](0x44)}},
		"typing-who":      {TypeTyping, &Typing{fill[message.RoomID](0x44), fill[identity.PeerID](0xcc)}},
		"note-least":      {TypeNote, &Note{}},
		"hello-known":     {TypeHello, &Hello{Version: 1, Session: session, Host: host, Nick: "Zoë", Class: 1, Port: 4327, Known: [][8]byte{{1}, fill[[8]byte](2)}}},
		"hello-look":      {TypeHello, &Hello{Version: 1, Session: session, Look: true}},
		"view-least":      {TypeView, &View{Here: []Instance{}}},
		"view": {TypeView, &View{1_790_000_000_000, session, 7, []Instance{
			{Session: session, ID: fill[identity.PeerID](0xcc), Nick: "Zoë", Class: 1, Hub: true, Weight: 3, Term: 7, LinkOnly: true, Away: true, Address: address[0]},
			{Session: other}}, true}},
	}
}

// runs returns a log's first run, and the proof that the log was continued in two ways.
func runs(t testing.TB) (run, proof []byte) {
	t.Helper()
	alice, err := identity.FromSeed(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	open := &message.Opening{Room: message.Room(message.Lobby), Author: alice.ID(), Day: 20_000, Nick: "alice", Name: message.Lobby}
	say := func(text string) *message.Run {
		r := &message.Run{Log: open.Log(), First: 1, Opening: open, Records: []message.Record{message.Body(1<<50, message.Text, []byte(text))}}
		r.Sign(alice)
		return r
	}
	return say("one").Append(nil), message.AppendProof(nil, say("one"), say("two"))
}

func (s sample) append(b []byte) []byte {
	if raw, ok := s.Body.([]byte); ok {
		return AppendFrame(b, s.Type, raw)
	}
	return Append(b, s.Type, s.Body)
}

func TestGolden(t *testing.T) {
	seen := map[Type]bool{TypeAdmit: true} // which is package identity's
	for name, s := range samples(t) {
		seen[s.Type] = true
		t.Run(name, func(t *testing.T) {
			want := golden.Check(t, name, s.append(nil))
			typ, body, err := NewReader(bytes.NewReader(want)).Next()
			if err != nil || typ != s.Type {
				t.Fatalf("type %d, %v", typ, err)
			}
			if raw, ok := s.Body.([]byte); ok {
				if !bytes.Equal(body, raw) {
					t.Errorf("body %x, want %x", body, raw)
				}
				return
			}
			got := reflect.New(reflect.TypeOf(s.Body).Elem()).Interface()
			if err := Decode(body, got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, s.Body) {
				t.Errorf("decoded\n%+v\nwant\n%+v", got, s.Body)
			}
		})
	}
	for typ := TypeAdmit; typ <= TypeTyping; typ++ {
		if !seen[typ] {
			t.Errorf("no golden bytes for type %d", typ)
		}
	}
}
