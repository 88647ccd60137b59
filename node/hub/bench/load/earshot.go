package load

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// lifetime bounds a connection: no run is longer.
const lifetime = 10 * time.Minute

// earshot is the engine of this project's own protocol.
type earshot struct {
	*poller
	g       *generator
	network *identity.Network
	// upToDate: who comes says that it holds what the hub holds; otherwise nothing, and catches up.
	upToDate atomic.Bool
	logs     []*log // the senders'
}

func newEarshot(g *generator) (*earshot, error) {
	n, err := identity.NewNetwork(message.Lobby, nil)
	if err != nil {
		return nil, err
	}
	poll, err := newPoller(g.delays())
	if err != nil {
		return nil, err
	}
	e := &earshot{poller: poll, g: g, network: n}
	e.upToDate.Store(g.Mode != "join")
	for i := range g.Senders {
		who, err := person(g.Receivers + i)
		if err != nil {
			return nil, err
		}
		e.logs = append(e.logs, e.log(i, who))
	}
	return e, e.await()
}

// await returns when the server has taken the seat.
func (e *earshot) await() error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := e.dial(1<<20, talker)
		if err == nil {
			return c.close()
		}
		if time.Now().After(end) {
			return err
		}
	}
}

// person is the identity of a client.
func person(id int) (*identity.Identity, error) {
	seed := make([]byte, 32)
	binary.BigEndian.PutUint64(seed, uint64(id))
	return identity.FromSeed(seed)
}

// follower is one connection's reading side.
type follower struct {
	*client
	g        *generator
	conn     *identity.Conn
	frames   *wire.Reader
	said     *log   // by this client; nil: it says nothing
	day      uint32 // that is caught up with
	received uint64 // of runs
}

func (e *earshot) dial(id int, r role) (*client, error) {
	who, err := person(id)
	if err != nil {
		return nil, err
	}
	gate, err := identity.NewGate(who, e.network)
	if err != nil {
		return nil, err
	}
	w, err := connect(e.g.Address, r)
	if err != nil {
		return nil, err
	}
	c, err := gate.Dial(context.Background(), w, identity.ProtoChat, nil)
	if err != nil {
		return nil, err
	}
	w.SetDeadline(time.Now().Add(lifetime)) // admission lifts its own
	f := &follower{client: &client{write: c.Write, close: c.NetConn().Close}, g: e.g, conn: c, frames: wire.NewReader(c)}
	if i := id - e.g.Receivers; i >= 0 && i < len(e.logs) {
		f.said = e.logs[i]
	}
	if err := f.greet(fmt.Sprintf("client%d", id), r != receiver || e.upToDate.Load()); err != nil {
		c.Close()
		return nil, err
	}
	if r == deaf {
		return f.client, nil
	}
	return f.client, e.watch(w, f.client, func() error { return f.follow(r == receiver) })
}

// greet exchanges HELLO and STATE.
func (f *follower) greet(nick string, upToDate bool) error {
	hello := wire.Hello{Version: wire.Version, Software: "bench", Session: identity.NewSession(), Nick: nick, LinkOnly: true}
	if _, err := f.conn.Write(wire.Append(nil, wire.TypeHello, &hello)); err != nil {
		return err
	}
	for {
		t, body, err := f.frames.Next()
		if err != nil {
			return err
		}
		if t == wire.TypeRedirect {
			return errors.New("the server is not the hub")
		}
		if t != wire.TypeState {
			continue
		}
		var s wire.State
		if err := wire.Decode(body, &s); err != nil {
			return err
		}
		s.Reply, s.Durable = false, false // nothing here is on a disk
		empty := message.Hash(sha256.Sum256([]byte("earshot/v1 root\x00")))
		if f.g.Private {
			public := s.Groups[0]
			s.Groups = append(s.Groups[:1], wire.GroupState{Group: private, Horizon: public.Horizon, Today: public.Today, Root: empty, Sum: empty})
		}
		s.Store[0]++
		var b []byte
		if !upToDate {
			s.Groups[0].Sum = empty // all that there is is of today
		}
		b = wire.Append(b, wire.TypeState, &s)
		if !upToDate {
			f.day = s.Groups[0].Today
			b = wire.Append(b, wire.TypeAskDays, &wire.AskDays{Group: message.Public, From: f.day})
		}
		_, err = f.conn.Write(b)
		return err
	}
}

// follow reads until there is nothing.
func (f *follower) follow(receiver bool) error {
	for {
		t, body, err := f.frames.Next()
		if err == identity.ErrNothing {
			return nil
		}
		if err != nil {
			return err
		}
		switch t {
		case wire.TypeRun, wire.TypePulled, wire.TypeBulk:
			f.received++
			if receiver {
				err = f.count(body)
			}
		default:
			err = f.control(t, body)
		}
		if err != nil {
			return err
		}
	}
}

// count counts the records of a run, and looks into them where delays are measured.
func (f *follower) count(run []byte) error {
	n := records(run)
	if f.g.timing.Load() {
		r, err := message.ParseBodies(run)
		if err != nil {
			return err
		}
		for i := range r.Records {
			f.g.delivered(f.client, r.Records[i].Body)
		}
	}
	if n == 0 {
		return errors.New("not a run")
	}
	f.g.arrived(f.client, int64(n))
	return nil
}

// records returns how many records a run has (message.Run.Append has the form), 0 of what is none. It looks at nothing else, that the generator has time for the hub.
func records(run []byte) int {
	const fixed = 16 + 8 + 1
	if len(run) < fixed {
		return 0
	}
	at := fixed + 32
	if run[fixed-1]&1 != 0 {
		for at = fixed + 100; at < fixed+101; at++ { // nick, then name: a byte of length and so many
			if at >= len(run) {
				return 0
			}
			at += int(run[at])
		}
		if at >= len(run) {
			return 0
		}
		at += 1 + int(run[at])
	}
	if len(run) < at+2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(run[at:]))
}

// control answers what is not a run, as a client must.
func (f *follower) control(t wire.Type, body []byte) error {
	var b []byte
	switch t {
	case wire.TypeBeat:
		var beat wire.Beat
		if err := wire.Decode(body, &beat); err != nil {
			return err
		}
		b = wire.Append(b, wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Received: f.received, Mark: beat.Mark, Waiting: f.waiting()})
	case wire.TypeAskDays: // the hub's own walk: there is nothing here that it lacks
		var ask wire.AskDays
		if err := wire.Decode(body, &ask); err != nil {
			return err
		}
		b = wire.Append(b, wire.TypeDays, &wire.Days{Group: ask.Group, From: ask.From})
	case wire.TypeDays:
		b = wire.Append(b, wire.TypeAskHeads, &wire.AskHeads{Group: message.Public, Day: f.day})
	case wire.TypeHeads:
		var heads wire.Heads
		if err := wire.Decode(body, &heads); err != nil {
			return err
		}
		var want wire.Want
		for _, h := range heads.Heads {
			want.Wants = append(want.Wants, wire.WantLog{Log: h.Log, From: 1})
		}
		if n := len(heads.Heads); n > 0 {
			b = wire.Append(b, wire.TypeWant, &want)
			if heads.More {
				b = wire.Append(b, wire.TypeAskHeads, &wire.AskHeads{Group: message.Public, Day: f.day, After: heads.Heads[n-1].Log})
			}
		}
	case wire.TypeStable:
		var s wire.Stable
		if err := wire.Decode(body, &s); err != nil {
			return err
		}
		for _, l := range s.Logs {
			f.recv.Store(max(f.recv.Load(), int64(l.Seq)))
		}
	}
	if b == nil {
		return nil
	}
	_, err := f.conn.Write(b)
	return err
}

// waiting is what this client has said and is not acknowledged: the server forgets what it was to acknowledge where there is much of it, and is asked again.
func (f *follower) waiting() []wire.Head {
	if f.said == nil || f.said.seq <= uint64(f.recv.Load()) {
		return nil
	}
	return []wire.Head{{Log: f.said.opening.Log(), Seq: f.said.seq, Tip: f.said.tip}}
}

// log is one author's log in one room.
type log struct {
	who     *identity.Identity
	opening *message.Opening
	tip     message.Hash
	seq     uint64
	hlc     uint64
	kind    message.Kind
	body    []byte
	frame   []byte
}

func (e *earshot) author(i int) (author, error) { return e.logs[i], nil }

func (e *earshot) log(i int, who *identity.Identity) *log {
	now := time.Now()
	room := message.Lobby
	if n := i % max(1, e.g.Rooms); n > 0 {
		room = fmt.Sprintf("room%d", n)
	}
	if e.g.Private {
		return newLog(who, &message.Opening{Network: e.network.ID(), Group: private, Room: message.RoomID(private)}, now, message.Sealed)
	}
	return newLog(who, &message.Opening{Network: e.network.ID(), Room: message.Room(room), Name: room}, now, message.Text)
}

// private is the group of the room that Spec.Private means.
var private = message.GroupID{0: 1}

func newLog(who *identity.Identity, o *message.Opening, now time.Time, k message.Kind) *log {
	o.Author, o.Day, o.Nick = who.ID(), uint32(now.Unix()/86400), "author"
	binary.BigEndian.PutUint64(o.Nonce[:], uint64(now.UnixNano()))
	return &log{who: who, opening: o, tip: o.Hash(), hlc: uint64(now.UnixMilli()) << 16, kind: k}
}

// sealing is how much longer a message in a private room is than what it says (package seal); to the hub it is bytes.
const sealing = 33

// say makes one signed run. What it returns is valid until the next call: a sender has written it before.
func (l *log) say(n int, text []byte) ([]byte, error) {
	run := message.Run{Log: l.opening.Log(), First: l.seq + 1, Prev: l.tip, Records: make([]message.Record, n)}
	if l.seq == 0 {
		run.Opening = l.opening
	}
	l.hlc++
	if l.kind == message.Sealed {
		text = append(text[:len(text):len(text)], make([]byte, sealing)...)
	}
	run.Records[0] = message.Body(l.hlc, l.kind, text)
	for i := range run.Records[1:] {
		l.hlc++
		run.Records[1+i] = run.Records[0]
		run.Records[1+i].HLC = l.hlc
	}
	run.Sign(l.who)
	hashes := run.Hashes()
	l.seq, l.tip = run.Last(), hashes[n-1]
	l.body = run.Append(l.body[:0])
	l.frame = wire.AppendFrame(l.frame[:0], wire.TypeRun, l.body)
	return l.frame, nil
}
