package node_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/nodetest/instance"
	"earshot/node/seal"
	"earshot/node/wire"
)

var (
	wilds    = flag.Int("wilds", 2, "how many wild members there are, and wild hubs")
	wildSeed = flag.Uint64("wild-seed", 1, "the first's seed; the others' follow")
)

// wild is a member who keeps the form of all frames, and nothing else: what is in them, and their order, is chance, among what there is to speak of.
// More of it: go test ./node -run Wild -wilds 100.
type wild struct {
	*rand.Rand
	t      *testing.T
	lan    *nodetest.LAN
	member *hostile.Member
	self   identity.Session
	logs   []*hostile.Log
	refs   []message.Ref
	heads  []wire.Head
	groups []message.GroupID
	people []identity.PeerID
	here   []identity.Session
	realm  identity.Realm
	today  uint32
	link   *frames.Peer
	sent   int
	cuts   int
}

func newWild(t *testing.T, lan *nodetest.LAN, seed uint64, all ...*instance.Instance) *wild {
	open, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &wild{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, lan: lan, member: hostile.NewMember(t, "mallory", open.ID()), self: identity.NewSession(), today: uint32(time.Now().Unix() / 86400)}
	who := w.member.Who
	w.logs = []*hostile.Log{hostile.NewLog(who, open.ID(), "mallory", "lobby", message.RoomID{}), hostile.NewLog(who, open.ID(), "\x1b[31m", "other", message.RoomID{})}
	w.groups = []message.GroupID{message.Public, message.Mail, {1}}
	for _, i := range all {
		room := seal.Direct(open.ID(), who.ID(), i.ID())
		w.logs = append(w.logs, w.member.Log(room))
		w.groups = append(w.groups, message.GroupID(room))
		w.people, w.here = append(w.people, i.ID()), append(w.here, i.Session())
	}
	w.logs = append(w.logs, w.member.Log(message.RoomID{9}))
	w.people, w.here = append(w.people, who.ID(), identity.PeerID{5}), append(w.here, w.self, identity.Session{}, identity.Session{7})
	return w
}

func pick[T any](w *wild, list ...T) T { return list[w.IntN(len(list))] }

func (w *wild) some(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.IntN(256))
	}
	return b
}

// text is a nick, or anything else that is shown.
func (w *wild) text() string {
	return pick(w, "", "a", "b", "earshot", "mallory", "\x1b]52;c;\a", "\u202eevil", "[red:::x]", string(slices.Repeat([]byte("x"), 90)))
}

func (w *wild) day() uint32 {
	return pick(w, 0, 1, w.today-400, w.today-31, w.today-1, w.today, w.today+1, w.today+2, 1<<32-1)
}

func (w *wild) seq() uint64 { return pick[uint64](w, 0, 1, 2, 3, 17, 256, 257, message.MaxSeq-1) }

func (w *wild) hash() (h message.Hash) {
	if w.IntN(2) == 0 {
		copy(h[:], w.some(32))
	}
	return h
}

func (w *wild) head() wire.Head {
	if len(w.heads) > 0 && w.IntN(3) > 0 {
		h := pick(w, w.heads...)
		switch w.IntN(4) {
		case 0:
			h.Seq = w.seq()
		case 1:
			h.Tip = w.hash()
		case 2:
			h.Fork = w.seq()
		}
		return h
	}
	return wire.Head{Log: message.LogID(w.some(16)), Seq: w.seq(), Tip: w.hash(), Fork: w.seq()}
}

func many[T any](w *wild, most int, one func() T) (out []T) {
	for range w.IntN(most + 1) {
		out = append(out, one())
	}
	return out
}

func (w *wild) ascending(most int) []wire.Head {
	list := many(w, most, w.head)
	slices.SortFunc(list, func(a, b wire.Head) int { return slices.Compare(a.Log[:], b.Log[:]) })
	return slices.CompactFunc(list, func(a, b wire.Head) bool { return a.Log == b.Log })
}

func (w *wild) group() wire.GroupState {
	return wire.GroupState{Group: pick(w, w.groups...), Horizon: w.day(), Today: pick(w, w.today, w.day()), Root: w.hash(), Sum: w.hash()}
}

func (w *wild) person() wire.Person {
	return wire.Person{Session: pick(w, w.here...), ID: pick(w, w.people...), Nick: w.text(), Class: uint8(w.IntN(5)), LinkOnly: w.IntN(4) == 0, Away: w.IntN(2) == 0, Host: identity.HostID(w.some(len(identity.HostID{}))),
		Profile: pick(w, nil, w.member.Profile.Bytes(), w.some(40)), Address: many(w, 3, w.address), Why: w.text()}
}

func (w *wild) address() string { return pick(w, "", "10.0.0.1:4327", "x", "[::1]:0", "\x1b[2J:1") }

// says is the next of a log of its own, whatever that is.
func (w *wild) says(t wire.Type) []byte {
	l, k := pick(w, w.logs...), message.Kind(w.IntN(20))
	if w.IntN(2) == 0 {
		k = message.Kind(1 + w.IntN(9))
	}
	a := message.About{Text: w.some(w.IntN(50)), Emoji: pick(w, "x", "👍", "\x1b"), On: w.IntN(2) == 0}
	for range 1 + w.IntN(3) {
		if len(w.refs) > 0 {
			a.Refs = append(a.Refs, pick(w, w.refs...))
		}
		if k != message.Redact {
			break
		}
	}
	body := pick(w, []byte("mallory"), nil, w.some(40), w.some(300), w.some(5000))
	if k.About() && len(a.Refs) > 0 && w.IntN(6) > 0 {
		body = a.Body(k)
	}
	l.Next()
	run := l.Says(k, body)
	if w.IntN(10) == 0 && run.First > 1 { // said otherwise, too
		other := *run
		other.Records = []message.Record{message.Body(run.Records[0].HLC, message.Text, []byte("other"))}
		other.Sign(w.member.Who)
		if w.IntN(2) == 0 {
			return wire.AppendFrame(nil, wire.TypeProof, message.AppendProof(nil, run, &other))
		}
		return append(hostile.Frame(t, run), hostile.Frame(t, &other)...)
	}
	w.hear(run)
	return hostile.Frame(t, run)
}

// hear takes note of what there is to speak of.
func (w *wild) hear(run *message.Run) {
	hashes := run.Hashes()
	for i, h := range hashes {
		w.refs = append(w.refs, message.Ref{Log: run.Log, Seq: run.First + uint64(i), ID: h.ID()})
	}
	w.heads = append(w.heads, wire.Head{Log: run.Log, Seq: run.Last(), Tip: hashes[len(hashes)-1]})
}

func control(t wire.Type, v any) []byte { return wire.Append(nil, t, v) }

// frame is any that there is, or is not yet.
func (w *wild) frame() []byte {
	clock := pick(w, 0, 1, time.Now().UnixMilli(), time.Now().AddDate(3, 0, 0).UnixMilli(), -1<<46)
	switch w.IntN(22) {
	case 0:
		return control(wire.TypeState, &wire.State{Realm: w.realm, Groups: many(w, 40, w.group), Durable: w.IntN(2) == 0, Reply: w.IntN(2) == 0})
	case 1:
		return control(wire.TypeAskDays, &wire.AskDays{Group: pick(w, w.groups...), From: w.day()})
	case 2:
		d := wire.Days{Group: pick(w, w.groups...), More: w.IntN(2) == 0}
		for day := d.From; len(d.Days) < 3; day = w.day() {
			if len(d.Days) == 0 || day > d.Days[len(d.Days)-1].Day {
				d.Days = append(d.Days, wire.DaySum{Day: day, Sum: w.hash()})
			} else if w.IntN(4) == 0 {
				break
			}
		}
		return control(wire.TypeDays, &d)
	case 3:
		return control(wire.TypeAskHeads, &wire.AskHeads{Group: pick(w, w.groups...), Day: w.day(), After: message.LogID(w.some(16)), Parts: pick(w, nil, w.some(wire.Parts*wire.PartBytes))})
	case 4:
		return control(wire.TypeHeads, &wire.Heads{Group: pick(w, w.groups...), Day: w.day(), Heads: w.ascending(20), More: w.IntN(2) == 0})
	case 5:
		return control(wire.TypeWant, &wire.Want{Wants: many(w, 20, func() wire.WantLog { return wire.WantLog{Log: w.head().Log, From: w.seq()} })})
	case 6:
		return control(wire.TypeDone, &wire.Done{Logs: many(w, 20, func() message.LogID { return w.head().Log })})
	case 7:
		root := w.hash()
		return control(wire.TypeBeat, &wire.Beat{Clock: clock, Received: pick[uint64](w, 0, uint64(w.IntN(300)), 1<<63), Root: pick(w, nil, &root), From: w.day(), Waiting: many(w, 20, w.head), Net: clock, Vouched: w.IntN(2) == 0, Mark: w.Uint32(), Held: w.Uint32(), Trip: w.Uint32(), Covers: w.Uint64()})
	case 8:
		return control(wire.TypeHave, &wire.Have{Heads: many(w, 20, w.head)})
	case 9:
		return control(wire.TypeStable, &wire.Stable{Logs: many(w, 20, func() wire.StableLog {
			h := w.head()
			return wire.StableLog{Log: h.Log, Seq: h.Seq, Tip: h.Tip, Copies: uint8(w.IntN(256)), All: w.IntN(2) == 0}
		})})
	case 10:
		return control(wire.TypePresence, &wire.Presence{Full: w.IntN(3) == 0, Here: many(w, 10, w.person), Gone: many(w, 3, func() identity.Session { return pick(w, w.here...) }), More: w.IntN(3) == 0})
	case 11:
		session := func() identity.Session { return pick(w, w.here...) }
		return control(wire.TypeOrder, &wire.Order{Term: w.Uint64(), Successors: many(w, 8, session), Witnesses: many(w, wire.MaxWitnesses, session)})
	case 12:
		return control(wire.TypeNote, &wire.Note{Nick: w.text(), Away: pick(w, nil, new(bool)), Why: w.text()})
	case 13:
		return control(wire.TypeTyping, &wire.Typing{Room: pick(w, w.logs...).Opening.Room, Who: pick(w, w.people...)})
	case 14:
		return wire.AppendFrame(nil, wire.Type(25+w.IntN(230)), w.some(w.IntN(100)))
	case 15:
		return control(wire.TypeRedirect, &wire.Redirect{Hub: pick(w, w.here...), Term: w.Uint64(), Address: many(w, 3, w.address)})
	case 16:
		if w.IntN(10) == 0 {
			return control(wire.TypeBye, &wire.Bye{Successor: pick(w, w.here...), Address: many(w, 3, w.address), Reason: w.text(), Leaving: w.IntN(2) == 0})
		}
		return wire.AppendFrame(nil, wire.TypePing, nil)
	default:
		return w.says(pick(w, wire.TypeRun, wire.TypeRun, wire.TypePulled, wire.TypeBulk))
	}
}

// act says something, and hears what there is. cut: the other end has ended the link.
func (w *wild) act() (cut bool) {
	b := w.frame()
	w.sent++
	w.link.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := w.link.Write(b); err != nil {
		return true
	}
	for end := time.Now().Add(time.Duration(w.IntN(40)) * time.Millisecond); ; {
		ty, b, err := w.link.Next(time.Until(end))
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
		if ty == wire.TypeRun || ty == wire.TypePulled {
			if run, err := message.ParseRun(slices.Clone(b)); err == nil {
				w.hear(run)
			}
		}
	}
}

func (w *wild) hello() *wire.Hello {
	return &wire.Hello{Version: wire.Version, Class: uint8(w.IntN(3)), Nick: w.text(), Session: w.self, Profile: w.member.Profile.Bytes(), Host: identity.HostID{1}, Net: pick(w, 0, time.Now().UnixMilli()), Port: 4327}
}

// joins links to a hub.
func (w *wild) joins(hub *instance.Instance) {
	w.link = frames.Dial(w.t, w.lan, "mallory", w.member.Who, address(w.lan, hub))
	w.link.Send(wire.TypeHello, w.hello())
	w.link.Await(2*time.Second, wire.TypeHello, nil)
	s := new(wire.State)
	w.link.Await(2*time.Second, wire.TypeState, s)
	w.realm = s.Realm
	if w.IntN(4) > 0 {
		w.link.Send(wire.TypeState, &wire.State{Realm: w.realm, Groups: s.Groups, Durable: true})
	}
}

// A member who keeps the form of frames and nothing else, at the hub, changes nothing for the others: they talk on, all their lines get their ticks, all show the same, and start again with it.
func TestWildMember(t *testing.T) {
	for i := range *wilds {
		seed := *wildSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				all := start(t, lan, "a", "b", "c")
				hub := instance.Meet(t, 5*time.Second, all...)
				w := newWild(t, lan, seed, all...)
				w.joins(hub)
				for n := range 300 {
					if w.act() {
						w.cuts++
						w.link.Hangup()
						time.Sleep(100 * time.Millisecond)
						w.joins(hub)
					}
					if n%5 == 0 {
						pick(w, all...).Say(fmt.Sprint("line ", n))
					}
				}
				w.link.Hangup()
				checkWild(t, w, all)
				for k, i := range all {
					i.Stop()
					all[k] = instance.Start(t, lan, i.Name, node.Config{})
				}
				instance.Meet(t, 12*time.Second, all...)
				checkWild(t, w, all)
			})
		})
	}
}

// checkWild fails unless all show the same, and what they say now is on all disks soon.
func checkWild(t *testing.T, w *wild, all []*instance.Instance) {
	t.Helper()
	for _, i := range all {
		i.Say("in the end " + i.Name)
	}
	shown := func(i *instance.Instance) (out []string) {
		page, err := i.Page(instance.Lobby, node.Key{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			out = append(out, fmt.Sprintf("%x %s %v %v %v", m.ID[:4], m.Text, m.Edited, m.Redacted, m.Reactions))
		}
		return out
	}
	instance.Until(t, 20*time.Second, "all show the same", func() bool {
		first := shown(all[0])
		return !slices.ContainsFunc(all[1:], func(i *instance.Instance) bool { return !slices.Equal(shown(i), first) })
	})
	instance.Until(t, 20*time.Second, "all lines have their ticks", func() bool {
		for _, i := range all {
			page, err := i.Page(instance.Lobby, node.Key{}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page {
				if m.Mine && m.Here && m.Copies < 2 {
					return false
				}
			}
		}
		return true
	})
	t.Logf("%d frames, %d cuts, %d lines", w.sent, w.cuts, len(shown(all[0])))
}

// A hub that keeps the form of frames and nothing else ends nobody: who followed it serves when it is gone, and has what it said itself.
func TestWildHub(t *testing.T) {
	for i := range *wilds {
		seed := *wildSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			story(t, func(t *testing.T, lan *nodetest.LAN) {
				lan.Mute("bob")
				l, _, err := lan.Host("mallory").Net().Listen(4327)
				if err != nil {
					t.Fatal(err)
				}
				bob := instance.Start(t, lan, "bob", node.Config{Join: []string{l.Addr().String()}})
				w := newWild(t, lan, seed, bob)
				copy(w.realm[:], w.some(16))
				accept := func() {
					raw, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					c, err := frames.Gate(t, w.member.Who).Accept(t.Context(), raw, identity.ProtoChat)
					if err != nil {
						t.Fatal(err)
					}
					w.link = frames.Over(t, c)
					w.link.Await(2*time.Second, wire.TypeHello, nil)
					h := w.hello()
					h.Term = binary.BigEndian.Uint64(w.some(8))
					w.link.Send(wire.TypeHello, h)
					w.link.Send(wire.TypeState, &wire.State{Realm: w.realm, Reply: true, Groups: []wire.GroupState{{Group: message.Public, Today: w.today, Sum: w.hash()}}})
				}
				accept()
				for n := range 300 {
					if w.act() {
						w.cuts++
						w.link.Hangup()
						accept()
					}
					if n%10 == 0 {
						bob.Say(fmt.Sprint("line ", n))
					}
				}
				l.Close()
				w.link.Hangup()
				instance.Until(t, 20*time.Second, "bob serves", bob.Serving)
				bob.Say("at last")
				bob.Stop()
				bob = instance.Start(t, lan, "bob", node.Config{})
				instance.Until(t, 5*time.Second, "bob serves", bob.Serving)
				own := 0
				for _, text := range bob.Lines(instance.Lobby) {
					if len(text) > 5 && text[:5] == "bob: " {
						own++
					}
				}
				t.Logf("%d frames, %d cuts, %d lines of bob's", w.sent, w.cuts, own)
				if own < 31 {
					t.Errorf("%d lines of bob's, want 31", own)
				}
			})
		})
	}
}
