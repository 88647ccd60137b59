package node_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/wire"
)

var saidAttacks = []attack{
	{"25 another author's key", anothersKey},
	{"26 one bit flipped", flippedBit},
	{"27 duplicate", duplicate},
	{"28 replay from another network or room", replayed},
	{"29 one number, two bodies", twoBodies},
	{"30 the hub withholds one", withheld},
	{"31 clock a year ahead", yearAhead},
	{"32 flood", flood},
	{"33 heads of a million logs, giant digests, gaps of 2^63", giants},
	{"33a bodies stripped by a relay", stripped},
}

// says begins a log in the lobby by the person of that name.
func says(t *testing.T, who string) *hostile.Log {
	t.Helper()
	return hostile.NewLog(frames.Identity(t, who), closedNetwork(t).ID(), who, message.Lobby, message.RoomID{})
}

var mallory = as("mallory")

// as is somebody who is let in.
func as(who string) *hostile.Client { return &hostile.Client{Who: who, Secret: secrets[0]} }

// Mallory signs what bob is to have said.
func anothersKey(t *testing.T) {
	v := stand(t, node.Config{})
	forged := says(t, "bob")
	forged.Who = frames.Identity(t, "mallory")
	p := v.enter(mallory, "mallory")
	p.Bytes(forged.Text("forged"))
	cut(t, p)

	genuine := says(t, "bob")
	p = v.enter(mallory, "mallory")
	p.Bytes(genuine.Text("by bob")) // a relay may bring it
	genuine.Who = frames.Identity(t, "mallory")
	p.Bytes(genuine.Text("forged in the middle"))
	cut(t, p)
	v.shows(lobby, "by bob")
}

func flippedBit(t *testing.T) {
	v := stand(t, node.Config{})
	log := says(t, "mallory")
	good := log.Text("one bit is another")
	for _, at := range []int{wire.HeaderLen + 20, len(good) - 70, len(good) - 3} { // the number, the text, the signature
		bad := slices.Clone(good)
		bad[at] ^= 1
		p := v.enter(mallory, "mallory")
		p.Bytes(bad)
		cut(t, p)
	}
	p := v.enter(mallory, "mallory")
	p.Bytes(good)
	v.shows(lobby, "one bit is another")
}

func duplicate(t *testing.T) {
	v := stand(t, node.Config{})
	log := says(t, "mallory")
	frame := log.Text("once")
	for range 3 {
		p := v.enter(mallory, "mallory")
		for range 100 {
			p.Bytes(frame)
		}
		stands(t, p)
		p.Hangup()
	}
	v.shows(lobby, "once")
	v.until(patience, "told of it", func() bool { return len(toldTo[node.Said](v)) > 0 })
	if n := len(toldTo[node.Said](v)); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// What bob said elsewhere is brought here as if it were said here.
func replayed(t *testing.T) {
	v := stand(t, node.Config{})
	bob := frames.Identity(t, "bob")
	elsewhere := hostile.NewLog(bob, networkOf(t, "lobby", secrets[1]).ID(), "bob", message.Lobby, message.RoomID{})
	p := v.enter(mallory, "mallory")
	p.Bytes(elsewhere.Text("of another network"))
	cut(t, p)

	for _, same := range []bool{false, true} { // under the id that it has there, or the one that it would have here
		other := hostile.NewLog(bob, elsewhere.Opening.Network, "bob", message.Lobby, message.RoomID{})
		other.Next()
		run := other.Says(message.Text, []byte("of another network"))
		run.Opening.Network = closedNetwork(t).ID()
		if same {
			run.Log = run.Opening.Log()
		}
		room := hostile.NewLog(bob, closedNetwork(t).ID(), "bob", "elsewhere", message.RoomID{})
		room.Next()
		moved := room.Says(message.Text, []byte("of another room"))
		moved.Opening.Name, moved.Opening.Room = message.Lobby, message.Room(message.Lobby)
		if same {
			moved.Log = moved.Opening.Log()
		}
		for _, r := range []*message.Run{run, moved} {
			p := v.enter(mallory, "mallory")
			p.Bytes(hostile.Frame(wire.TypeRun, r))
			cut(t, p)
		}
	}
	v.shows(lobby)
}

// Mallory says one thing to some and another to others under one number.
func twoBodies(t *testing.T) {
	v := stand(t, node.Config{})
	bob := stand(t, node.Config{Nick: "bob", Join: []string{v.at}})
	bob.until(patience, "linked", func() bool { return bob.Hub().State == node.Linked })
	log := says(t, "mallory")
	first := log.Text("before")
	log.Next()
	other := log.Run(message.Body(log.HLC, message.Text, []byte("to others")))
	p, _ := v.greet(mallory, wire.Hello{Nick: "mallory"})
	p.Bytes(first)
	p.Bytes(hostile.Frame(wire.TypeRun, log.Says(message.Text, []byte("to some"))))
	p.Bytes(log.Text("and on"))
	for _, n := range []*victim{v, bob} {
		n.shows(lobby, "before", "to some", "and on")
	}
	p.Bytes(hostile.Frame(wire.TypeRun, other))
	for _, n := range []*victim{v, bob} {
		n.shows(lobby, "before")
		n.until(patience, "reports it", func() bool { return strings.Contains(n.log.String(), "continued twice") })
	}
	p.Bytes(log.Text("and on and on")) // past it, nothing counts any more
	stands(t, p)
	p.Hangup()

	carol, s := v.greet(as("carol"), wire.Hello{Nick: "carol"})
	s.Reply = true
	carol.Send(wire.TypeState, s)
	seen := map[wire.Type]int{}
	for end := time.Now().Add(2500 * time.Millisecond); ; {
		kind, _, err := carol.Next(time.Until(end))
		if err != nil {
			break
		}
		seen[kind]++
	}
	if seen[wire.TypeBeat] == 0 || seen[wire.TypeState] > 2 || seen[wire.TypeAskDays]+seen[wire.TypeAskHeads]+seen[wire.TypeWant]+seen[wire.TypeRun] > 0 {
		t.Errorf("frames by type, of those who hold the same: %v", seen)
	}
	v.shows(lobby, "before")
	bob.shows(lobby, "before")
	late := stand(t, node.Config{Nick: "dave", Join: []string{v.at}})
	late.shows(lobby, "before")
	late.until(patience, "has the proof", func() bool { return strings.Contains(late.log.String(), "continued twice") })
}

// The hub is mallory's, and leaves out one message.
func withheld(t *testing.T) {
	log := says(t, "bob")
	lines := [][]byte{log.Text("one"), log.Text("two"), log.Text("three")}
	h := lyingHub(t)
	v := stand(t, node.Config{Join: []string{h.at}})
	p := h.link(t)
	p.Bytes(lines[0])
	p.Bytes(lines[2])
	var want wire.Want
	p.Await(patience, wire.TypeWant, &want)
	if len(want.Wants) != 1 || want.Wants[0] != (wire.WantLog{Log: log.ID(), From: 2}) {
		t.Fatalf("wanted %+v", want)
	}
	for _, l := range lines[1:] {
		p.Bytes(append(append(slices.Clone(l[:4]), byte(wire.TypePulled)), l[5:]...))
	}
	p.Send(wire.TypeDone, &wire.Done{Logs: []message.LogID{log.ID()}})
	v.shows(lobby, "one", "two", "three")
}

// A hub that is driven by hand.
type hub struct {
	at      string
	links   chan *frames.Peer
	session identity.Session
	profile []byte
}

func lyingHub(t *testing.T) *hub {
	t.Helper()
	l, s, err := hostile.Net{}.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	h := &hub{at: l.Addr().String(), links: make(chan *frames.Peer, 1), session: identity.NewSession()}
	gate, err := identity.NewGate(frames.Identity(t, "mallory"), closedNetwork(t))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			if c, err := gate.Accept(t.Context(), raw, identity.ProtoChat); err == nil {
				p := frames.Over(t, c)
				select {
				case h.links <- p:
				default:
					p.Hangup()
				}
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return h
}

// link waits for a node, greets it as its hub, and is where what it holds has been told.
func (h *hub) link(t *testing.T) *frames.Peer {
	t.Helper()
	var p *frames.Peer
	select {
	case p = <-h.links:
	case <-time.After(patience):
		t.Fatal("nobody comes")
	}
	p.Await(patience, wire.TypeHello, new(wire.Hello))
	p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Session: h.session, Nick: "mallory", Term: 1, Profile: h.profile})
	p.Send(wire.TypeState, &wire.State{Groups: []wire.GroupState{{Group: message.Public}}, Reply: true})
	p.Await(patience, wire.TypeState, new(wire.State))
	return p
}

// Of two clocks nobody can tell which is right; from three on mallory's moves nobody (package exchange, clocks.go).
func yearAhead(t *testing.T) {
	if !manyAddresses {
		t.Skip("needs more than one loopback address: a machine has one clock")
	}
	v := stand(t, node.Config{})
	from := func(who string, n byte) *frames.Peer {
		p, _ := v.greet(&hostile.Client{Who: who, Secret: secrets[0], Net: hostile.Net{IP: netip.AddrFrom4([4]byte{127, 0, 0, n})}}, wire.Hello{Nick: who, Host: identity.HostID{n}})
		return p
	}
	const year = 365 * 24 * time.Hour
	honest := from("carol", 5)
	honest.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
	stands(t, honest)
	p := from("mallory", 6)
	log := says(t, "mallory")
	log.HLC = uint64(time.Now().Add(year).UnixMilli()) << 16
	p.Bytes(log.Text("from the future"))
	v.until(patience, "shows it", func() bool { return slices.Contains(v.page(lobby), "from the future") })
	p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().Add(year).UnixMilli(), Net: time.Now().Add(year).UnixMilli(), Vouched: true})
	log = says(t, "mallory")
	log.Opening.Day += 365
	log.HLC, log.Tip = uint64(time.Now().Add(year).UnixMilli())<<16, log.Opening.Hash()
	p.Bytes(log.Text("of a day to come"))
	stands(t, p)
	v.do(node.Say{Room: lobby, Text: "now"})
	bob := stand(t, node.Config{Nick: "bob", Join: []string{v.at}})
	bob.until(patience, "has it", func() bool { return slices.Contains(bob.page(lobby), "now") })
	bob.do(node.Say{Room: lobby, Text: "and now"})
	for _, n := range []*victim{v, bob} {
		n.shows(lobby, "now", "and now", "from the future")
		page, err := n.Page(lobby, node.Key{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			if m.Text != "from the future" && time.Since(m.At).Abs() > time.Minute {
				t.Errorf("%q is dated %v", m.Text, m.At)
			}
		}
	}
}

// Mallory says as much as goes through; bob's line reaches alice, and carol by way of her, all the same.
func flood(t *testing.T) {
	v := stand(t, node.Config{})
	log := says(t, "mallory")
	var lines []byte
	for i := range 3_000 {
		lines = append(lines, log.Text(fmt.Sprint("line ", i))...)
	}
	p := v.enter(mallory, "mallory")
	p.SetWriteDeadline(time.Now().Add(20 * time.Second))
	wrote := make(chan struct{})
	began := time.Now()
	go func() { defer close(wrote); p.Write(lines) }()
	v.until(patience, "is flooded", func() bool { return len(v.page(lobby)) >= 200 })

	carol, s := v.greet(as("carol"), wire.Hello{Nick: "carol"})
	carol.Send(wire.TypeState, s)
	bob := v.enter(as("bob"), "bob")
	line := says(t, "bob")
	for i := range 3 {
		text := fmt.Sprint("by bob ", i)
		frame := line.Text(text)
		said := time.Now()
		bob.Bytes(frame)
		for found := false; !found; {
			_, body, err := carol.Next(patience)
			if err != nil {
				t.Fatal(err)
			}
			found = strings.Contains(string(body), text)
		}
		if d := time.Since(said); d > patience/4 { // all that mallory says would take two minutes and a half
			t.Errorf("it took %v to carol", d)
		}
	}
	taken := 0
	for _, text := range v.page(lobby) {
		if strings.HasPrefix(text, "line ") {
			taken++
		}
	}
	if most := 256 + int(20*time.Since(began).Seconds()) + 8; taken > most {
		t.Errorf("%d of its lines were taken, want at most %d", taken, most)
	}
	p.Hangup()
	<-wrote
}

// What is larger than anything honest is refused before it is looked at.
func giants(t *testing.T) {
	v := stand(t, node.Config{})
	log := says(t, "mallory")
	gap := func(first uint64) []byte {
		log := says(t, "mallory")
		log.Next()
		run := log.Says(message.Text, []byte("far on"))
		b := hostile.Frame(wire.TypeRun, run)
		for i := range 8 {
			b[wire.HeaderLen+16+i] = byte(first >> (56 - 8*i))
		}
		return b
	}
	heads := func(n int) []wire.Head {
		out := make([]wire.Head, n)
		for i := range out {
			out[i] = wire.Head{Log: message.LogID{byte(i >> 16), byte(i >> 8), byte(i)}, Seq: 1 << 40}
		}
		return out
	}
	days := func(n int) (out []wire.DaySum) {
		for i := range n {
			out = append(out, wire.DaySum{Day: uint32(i), Sum: message.Hash{1}})
		}
		return out
	}
	for name, frame := range map[string][]byte{
		"heads that were not asked for": wire.Append(nil, wire.TypeHeads, &wire.Heads{Heads: heads(wire.MaxHeads), More: true}),
		"too many heads":                wire.Append(nil, wire.TypeHeads, &wire.Heads{Heads: heads(wire.MaxHeads + 1)}),
		"too many days":                 wire.Append(nil, wire.TypeDays, &wire.Days{Days: days(wire.MaxDays + 1)}),
		"days that were not asked for":  wire.Append(nil, wire.TypeDays, &wire.Days{Days: days(wire.MaxDays)}),
		"too many groups":               wire.Append(nil, wire.TypeState, &wire.State{Groups: make([]wire.GroupState, wire.MaxGroups+1)}),
		"a gap of 2^63":                 gap(1 << 63),
		"a gap of 2^48":                 gap(message.MaxSeq),
		"a number of 2^63":              wire.Append(nil, wire.TypeHave, &wire.Have{Heads: []wire.Head{{Log: log.ID(), Seq: 1 << 63}}}),
	} {
		t.Run(name, func(t *testing.T) {
			p := v.enter(mallory, "mallory")
			p.Bytes(frame)
			cut(t, p)
		})
	}
	// A million logs are claimed a page at a time: no more than a page is held, or asked for, whatever is claimed.
	p, s := v.greet(mallory, wire.Hello{Nick: "mallory"})
	s.Groups[0].Sum = message.Hash{1}
	p.Send(wire.TypeState, s)
	var ask wire.AskDays
	p.Await(patience, wire.TypeAskDays, &ask)
	p.Send(wire.TypeDays, &wire.Days{Group: ask.Group, From: ask.From, Days: []wire.DaySum{{Day: s.Groups[0].Today, Sum: message.Hash{1}}}})
	all := heads(40 * wire.MaxHeads)
	for n := 0; n < len(all); n += wire.MaxHeads {
		var q wire.AskHeads
		p.Await(patience, wire.TypeAskHeads, &q)
		p.Send(wire.TypeHeads, &wire.Heads{Group: q.Group, Day: q.Day, Heads: all[n : n+wire.MaxHeads], More: true})
		var want wire.Want
		p.Await(patience, wire.TypeWant, &want)
		if len(want.Wants) > wire.MaxWants {
			t.Fatalf("asked for %d logs", len(want.Wants))
		}
		done := wire.Done{}
		for _, w := range want.Wants {
			done.Logs = append(done.Logs, w.Log)
		}
		p.Send(wire.TypeDone, &done)
	}
	// Who asks for more than it takes is hung up on.
	p.Await(patience, wire.TypeAskHeads, nil)
	for range 8 {
		var want wire.Want
		for _, h := range all[:wire.MaxWants] {
			want.Wants = append(want.Wants, wire.WantLog{Log: h.Log, From: 1})
		}
		p.Write(wire.Append(nil, wire.TypeWant, &want))
	}
	v.serves(mallory)
	v.shows(lobby)
}

// Mallory brings what bob said without the words; carol has them, and is asked.
func stripped(t *testing.T) {
	v := stand(t, node.Config{})
	log := says(t, "bob")
	log.Next()
	run := log.Says(message.Text, []byte("the words"))
	bare := *run
	bare.Records = slices.Clone(run.Records)
	bare.Records[0].Body, bare.Records[0].Redacted = nil, true
	p := v.enter(mallory, "mallory")
	p.Bytes(hostile.Frame(wire.TypeRun, &bare))
	stands(t, p)
	v.shows(lobby)

	p.Hangup()

	carol, s := v.greet(as("carol"), wire.Hello{Nick: "carol"})
	carol.Send(wire.TypeState, s)
	var want wire.Want
	beating(t, carol, wire.TypeWant, &want)
	if len(want.Wants) != 1 || want.Wants[0] != (wire.WantLog{Log: log.ID(), From: 1}) {
		t.Fatalf("wanted %+v", want)
	}
	carol.Bytes(hostile.Frame(wire.TypePulled, run))
	v.shows(lobby, "the words")
}

// beating waits for a frame as Await does, and answers the hub's BEATs meanwhile.
func beating(t *testing.T, p *frames.Peer, want wire.Type, v any) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		kind, body, err := p.Next(time.Until(end))
		switch {
		case err != nil:
			t.Fatalf("no frame %d: %v", want, err)
		case kind == want:
			if err := wire.Decode(body, v); err != nil {
				t.Fatal(err)
			}
			return
		case kind == wire.TypeBeat:
			p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
		}
	}
}
