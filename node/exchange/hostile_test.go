package exchange_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// ends are both ends of a connection from a host of that name to r.
func ends(t *testing.T, lan *nodetest.LAN, from string, r *replica) (here, there net.Conn) {
	t.Helper()
	l, _, err := r.host.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = lan.Host(from).Net().Dial(t.Context(), l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there
}

// hostile links a peer driven by hand to r, which is the hub if l says so. What ends the link comes out of ended.
func hostile(t *testing.T, lan *nodetest.LAN, r *replica, l *exchange.Link) (p *frames.Peer, ended <-chan error) {
	t.Helper()
	here, there := ends(t, lan, "evil", r)
	p = frames.Over(t, here)
	l.Conn, l.Reader, l.Silence = there, wire.NewReader(there), 5*time.Second
	if l.Hub {
		l.Ping = 250 * time.Millisecond
	}
	if l.Session == (identity.Session{}) {
		l.Session, l.Host = identity.NewSession(), hostID("evil")
	}
	why := make(chan error, 1)
	done := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		why <- r.x.Run(ctx, l)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return p, why
}

// limited gives r a limit on what each person says live.
func (r *replica) limited(perSecond rate.Limit, burst int) {
	r.x = exchange.New(exchange.Config{Journal: r.journal, Host: hostID(r.name),
		Limit: func(identity.PeerID) *rate.Limiter { return rate.NewLimiter(perSecond, burst) }})
}

// state is that of a peer which holds something of today, and nothing else that r does not hold.
func (r *replica) state(reply bool) *wire.State {
	r.t.Helper()
	j := r.journal
	root, err := j.Root(message.Public, j.Horizon(message.Public), j.Today()-1)
	if err != nil {
		r.t.Fatal(err)
	}
	return &wire.State{Realm: realm, Reply: reply, Groups: []wire.GroupState{{Group: message.Public, Horizon: j.Horizon(message.Public), Today: j.Today(), Root: root, Sum: message.Hash{1}}}}
}

// claim says that p has those heads of today, and waits until r wants them.
func (r *replica) claim(p *frames.Peer, heads ...wire.Head) (want wire.Want) {
	r.t.Helper()
	p.Send(wire.TypeState, r.state(false))
	var ask wire.AskDays
	p.Await(time.Second, wire.TypeAskDays, &ask)
	p.Send(wire.TypeDays, &wire.Days{Group: ask.Group, From: ask.From, Days: []wire.DaySum{{Day: r.journal.Today(), Sum: message.Hash{1}}}})
	var q wire.AskHeads
	p.Await(time.Second, wire.TypeAskHeads, &q)
	slices.SortFunc(heads, func(a, b wire.Head) int { return slices.Compare(a.Log[:], b.Log[:]) })
	p.Send(wire.TypeHeads, &wire.Heads{Group: q.Group, Day: q.Day, Heads: heads})
	p.Await(time.Second, wire.TypeWant, &want)
	return want
}

// A chain is a log by somebody else, cut into runs at will.
type chain struct {
	who    *identity.Identity
	whole  message.Run
	hashes []message.Hash
}

func newChain(t *testing.T, name string, day uint32, n int) *chain {
	t.Helper()
	c := &chain{who: frames.Identity(t, name)}
	o := &message.Opening{Network: identity.NetworkID{1}, Group: message.Public, Room: message.Room(message.Lobby), Author: c.who.ID(), Day: day, Nick: name, Name: message.Lobby}
	c.whole = message.Run{Log: o.Log(), First: 1, Opening: o}
	for i := range n {
		c.whole.Records = append(c.whole.Records, message.Body(uint64(day)*86_400_000<<16+uint64(i), message.Text, []byte(fmt.Sprint(name, " ", i))))
	}
	c.hashes = c.whole.Hashes()
	return c
}

func (c *chain) head(seq uint64) wire.Head {
	return wire.Head{Log: c.whole.Log, Seq: seq, Tip: c.hashes[seq-1]}
}

func (c *chain) run(from, to uint64) *message.Run {
	r := c.whole
	if from > 1 {
		r = *c.whole.From(from, c.hashes[from-2])
	}
	r.Records = slices.Clone(r.Records[:to-from+1])
	r.Sign(c.who)
	return &r
}

func (c *chain) frame(t wire.Type, from, to uint64) []byte {
	return wire.AppendFrame(nil, t, c.run(from, to).Append(nil))
}

// give puts a part of a log into r's journal.
func (r *replica) give(run *message.Run) {
	r.t.Helper()
	if _, err := r.journal.Append(r.t.Context(), run, r.journal.NewOrigin(), journal.Live); err != nil {
		r.t.Fatal(err)
	}
}

// has is how far r's copy of a log goes.
func (r *replica) has(l message.LogID) uint64 {
	h, _ := r.journal.Head(l)
	return h.Seq
}

// broken fails unless the link ends within a second, by the other end's fault.
func broken(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if !errors.Is(err, wire.ErrFrame) {
			t.Errorf("the link ended: %v", err)
		}
	case <-time.After(time.Second):
		t.Error("the link goes on")
	}
}

// stands fails if the link has ended.
func stands(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		t.Fatalf("the link ended: %v", err)
	default:
	}
}

const ahead = 800 * 24 * time.Hour

// However many links one machine has, it has one clock, and does not outvote two that are right.
func TestOneMachineIsOneClock(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, good := newReplica(t, lan, "hub"), newReplica(t, lan, "good")
		hub.say(3)
		good.link(hub)
		for range 4 {
			p, _ := hostile(t, lan, hub, &exchange.Link{Hub: true, Session: identity.NewSession(), Host: hostID("evil")})
			p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().Add(ahead).UnixMilli()})
		}
		time.Sleep(3 * time.Second)
		for _, r := range []*replica{hub, good} {
			if now, _ := r.journal.Clock().Now(); time.Until(now).Abs() > time.Second {
				t.Errorf("the clock of %s is %v off", r.name, time.Until(now))
			}
			if h := r.journal.Horizon(message.Public); h == 0 {
				t.Errorf("three machines do not vouch for the clock of %s", r.name)
			}
		}
		equal(t, 3, hub, good)
	})
}

// A hub that lies about the time does not make its followers forget.
func TestLyingHubDropsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		a.say(3)
		hub, ended := hostile(t, lan, a, &exchange.Link{State: a.state(true)})
		hub.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Net: time.Now().Add(ahead).UnixMilli(), Vouched: true})
		time.Sleep(2 * time.Second)
		stands(t, ended)
		equal(t, 3, a)
		if sums, err := a.journal.Days(message.Public, 0, ^uint32(0)); err != nil || len(sums) != 1 {
			t.Errorf("%d days are left of one (%v)", len(sums), err)
		}
	})
}

// Nor does one that goes back to a time of which nothing is kept make them dumb: what they say is of the day by their own clocks.
func TestLyingHubSilencesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		a.say(1)
		hub, ended := hostile(t, lan, a, &exchange.Link{State: a.state(true)})
		for _, net := range []time.Time{time.Now(), time.UnixMilli(1)} {
			hub.Send(wire.TypeBeat, &wire.Beat{Clock: net.UnixMilli(), Net: net.UnixMilli(), Vouched: true})
			time.Sleep(2 * time.Second)
			a.say(1)
		}
		stands(t, ended)
		equal(t, 3, a)
		if now, _ := a.journal.Clock().Now(); time.Until(now).Abs() > time.Minute {
			t.Errorf("it is %v by what the hub says", now)
		}
	})
}

// A STATE that asks for none in return is answered all the same, and what is said then is sent.
func TestStateWithoutReply(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := newReplica(t, lan, "a")
		hub, _ := hostile(t, lan, a, &exchange.Link{State: &wire.State{Realm: realm, Groups: []wire.GroupState{{Group: message.Public}}}})
		hub.Await(time.Second, wire.TypeState, nil)
		a.say(1)
		hub.Await(time.Second, wire.TypeRun, nil)
	})
}

// What comes from the hub was said by many: the limit of one is not for it.
func TestHubIsNotLimited(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		a.limited(1, 4)
		a.link(hub)
		time.Sleep(time.Second)
		hub.say(60)
		time.Sleep(100 * time.Millisecond)
		equal(t, 60, hub, a)
	})
}

// Who claims a log and does not deliver it keeps it from nobody for long.
func TestClaimedAndNotDelivered(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		k := a.sayText("said apart")
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		hub.claim(evil, wire.Head{Log: k.Log, Seq: 1000})
		a.link(hub)
		for range 8 {
			time.Sleep(time.Second)
			evil.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
		}
		stands(t, ended)
		equal(t, 1, a, hub)
	})
}

// Free of the limit is only what was asked for: neither what goes beyond the head that was claimed, nor what is sent as live.
func TestUnaskedIsLimited(t *testing.T) {
	const claimed, each, burst = 200, 200, 100
	for _, c := range []struct {
		name string
		t    wire.Type
		most uint64 // one run is read before the limit is asked
	}{{"live", wire.TypeRun, each}, {"pulled", wire.TypePulled, claimed + each}, {"bulk", wire.TypeBulk, claimed + each}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, lan *nodetest.LAN) {
				hub := newReplica(t, lan, "hub")
				hub.limited(1, burst)
				evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
				log := newChain(t, "flood", hub.journal.Today(), 10*each)
				hub.claim(evil, log.head(claimed))
				for i := range uint64(10) {
					evil.Bytes(log.frame(c.t, i*each+1, (i+1)*each))
				}
				time.Sleep(time.Second)
				stands(t, ended)
				if n := hub.has(log.whole.Log); n != c.most {
					t.Errorf("%d records were taken within a second, want %d", n, c.most)
				}
			})
		})
	}
}

// A link that is not read from, because too much was said on it, ends as soon as it is to.
func TestStopWhileLimited(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		hub.limited(0.001, 10)
		here, there := ends(t, lan, "evil", hub)
		evil := frames.Over(t, here)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			hub.x.Run(ctx, &exchange.Link{Conn: there, Reader: wire.NewReader(there), Hub: true})
		}()
		log := newChain(t, "flood", hub.journal.Today(), 20)
		evil.Bytes(log.frame(wire.TypeRun, 1, 10))
		evil.Bytes(log.frame(wire.TypeRun, 11, 20))
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		<-done
		if d := time.Since(began); d > 10*time.Millisecond {
			t.Errorf("ended after %v", d)
		}
	})
}

// counting counts the frames of one type that are written. An Exchange writes whole frames.
type counting struct {
	net.Conn
	of wire.Type
	n  *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	for f := b; len(f) >= wire.HeaderLen; f = f[wire.HeaderLen-1+int(binary.BigEndian.Uint32(f)):] {
		if wire.Type(f[wire.HeaderLen-1]) == c.of {
			c.n.Add(1)
		}
	}
	return c.Conn.Write(b)
}

// Who holds nothing, or nothing new, is not asked for it; who holds nothing of today is asked for what is older.
func TestNothingIsAskedOfWhoHasNothing(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, first, stranger, away := newReplica(t, lan, "hub"), newReplica(t, lan, "first"), newReplica(t, lan, "stranger"), newReplica(t, lan, "away")
		old := newChain(t, "old", hub.journal.Today()-1, 3)
		first.give(old.run(1, 3))
		first.link(hub)
		time.Sleep(5 * time.Second)
		equal(t, 3, hub, first)
		away.give(old.run(1, 3))
		hub.give(newChain(t, "new", hub.journal.Today(), 2).run(1, 2))
		for _, r := range []*replica{stranger, away} {
			var asks, asked atomic.Int64
			here, there := ends(t, lan, r.name, hub)
			r.join(hub, counting{here, wire.TypeAskDays, &asks}, counting{there, wire.TypeAskDays, &asked})
			time.Sleep(5 * time.Second)
			if asks.Load() != 1 || asked.Load() != 0 {
				t.Errorf("%s asks %d times, and is asked %d times", r.name, asks.Load(), asked.Load())
			}
			equal(t, 5, hub, r)
		}
	})
}

// What is of tomorrow, by a clock that is ahead, is caught up like today, and then there is no difference to talk about.
func TestTomorrow(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		hub.give(newChain(t, "early", hub.journal.Today()+1, 3).run(1, 3))
		var states atomic.Int64
		here, there := ends(t, lan, "a", hub)
		a.join(hub, counting{here, wire.TypeState, &states}, counting{there, wire.TypeState, &states})
		time.Sleep(20 * time.Second)
		equal(t, 3, hub, a)
		if n := states.Load(); n != 2 {
			t.Errorf("STATE was sent %d times, want once each way", n)
		}
	})
}

// More days than one walk visits are walked in part, the newest first, and do not end the link.
func TestThousandsOfDays(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		state := hub.state(false)
		state.Groups[0].Root = message.Hash{1}
		evil.Send(wire.TypeState, state)
		const last = 5 * wire.MaxDays
		for d := uint32(0); d < last; {
			var ask wire.AskDays
			evil.Await(time.Second, wire.TypeAskDays, &ask)
			page := wire.Days{Group: ask.Group, From: ask.From}
			for range wire.MaxDays {
				d++
				page.Days = append(page.Days, wire.DaySum{Day: d, Sum: message.Hash{1}})
			}
			page.More = d < last
			evil.Send(wire.TypeDays, &page)
		}
		for i := range uint32(3) {
			var ask wire.AskHeads
			evil.Await(time.Second, wire.TypeAskHeads, &ask)
			if ask.Day != last-i {
				t.Fatalf("asked for day %d, want %d", ask.Day, last-i)
			}
			evil.Send(wire.TypeHeads, &wire.Heads{Group: ask.Group, Day: ask.Day})
		}
		time.Sleep(time.Second)
		stands(t, ended)
	})
}

// Where the proof of a fork is known before the log, what comes before the fork is fetched all the same.
func TestProofBeforeTheLog(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a := newReplica(t, lan, "hub"), newReplica(t, lan, "a")
		log := newChain(t, "cloned", hub.journal.Today(), 10)
		one, two := log.run(8, 8), log.run(8, 8)
		two.Records[0] = message.Body(two.Records[0].HLC, message.Text, []byte("another"))
		two.Sign(log.who)
		proof := message.AppendProof(nil, one, two)
		hub.give(log.run(1, 3))
		a.give(log.run(1, 7))
		for _, r := range []*replica{hub, a} {
			if err := r.journal.AppendProof(proof, 0); err != nil {
				t.Fatal(err)
			}
		}
		a.link(hub)
		time.Sleep(3 * time.Second)
		equal(t, 7, a, hub)
		if h, _ := hub.journal.Head(log.whole.Log); h.Fork != 8 {
			t.Errorf("the log forks at %d, want 8", h.Fork)
		}
	})
}

// What is missing before a live run is asked for at once, from the link that brought it.
func TestGapIsFilled(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		peer, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		log := newChain(t, "bob", hub.journal.Today(), 6)
		peer.Bytes(log.frame(wire.TypeRun, 1, 2))
		peer.Bytes(log.frame(wire.TypeRun, 5, 6))
		var want wire.Want
		peer.Await(2*time.Second, wire.TypeWant, &want)
		if w := (wire.WantLog{Log: log.whole.Log, From: 3}); len(want.Wants) != 1 || want.Wants[0] != w {
			t.Fatalf("wanted %v, want %v", want.Wants, w)
		}
		peer.Bytes(log.frame(wire.TypePulled, 3, 6))
		peer.Send(wire.TypeDone, &wire.Done{Logs: []message.LogID{log.whole.Log}})
		time.Sleep(100 * time.Millisecond)
		stands(t, ended)
		equal(t, 6, hub)
	})
}

// Who is not the hub does not say what is stable, and the hub reports to nobody.
func TestAcknowledgementsGoOneWay(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		r := newReplica(t, lan, "r")
		k := r.sayText("mine")
		tip, _ := r.journal.Hash(k.Log, k.Seq)
		follower, ended := hostile(t, lan, r, &exchange.Link{Hub: true})
		follower.Send(wire.TypeStable, &wire.Stable{Logs: []wire.StableLog{{Log: k.Log, Seq: k.Seq, Tip: tip, Copies: 2, All: true}}})
		broken(t, ended)
		hub, ended := hostile(t, lan, r, &exchange.Link{State: r.state(true)})
		hub.Send(wire.TypeHave, &wire.Have{Heads: []wire.Head{{Log: k.Log, Seq: k.Seq, Tip: tip}}})
		broken(t, ended)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.stable) > 0 {
			t.Errorf("believed: %v", r.stable)
		}
	})
}

// stripped is a run without its bodies.
func (c *chain) stripped(t wire.Type, from, to uint64) []byte {
	r := c.run(from, to)
	for i := range r.Records {
		r.Records[i].Body, r.Records[i].Redacted = nil, true
	}
	return wire.AppendFrame(nil, t, r.Append(nil))
}

// Who takes the bodies out of what it relays is asked for a log once, and once more for its bodies; another who has them is asked, too, and then nothing is missing.
func TestStrippedBodies(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, good := newReplica(t, lan, "hub"), newReplica(t, lan, "good")
		log := newChain(t, "bob", hub.journal.Today(), 6)
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		hub.claim(evil, log.head(6))
		wants := 1
		for range 60 { // every answer is stripped
			evil.Bytes(log.stripped(wire.TypePulled, 1, 6))
			evil.Send(wire.TypeDone, &wire.Done{Logs: []message.LogID{log.whole.Log}})
			evil.Bytes(log.stripped(wire.TypeRun, 1, 6))
			evil.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
			for end := time.Now().Add(100 * time.Millisecond); ; {
				kind, _, err := evil.Next(time.Until(end))
				if err != nil {
					break
				}
				if kind == wire.TypeWant {
					wants++
				}
			}
		}
		stands(t, ended)
		if wants != 2 {
			t.Errorf("who strips bodies was asked %d times, want 2", wants)
		}
		if w := hub.journal.Wanted(0, 9); len(w) != 1 || w[0].Seq != 1 {
			t.Errorf("wanted %v", w)
		}
		good.give(log.run(1, 6))
		good.link(hub)
		time.Sleep(3 * time.Second)
		equal(t, 6, good, hub)
		if w := hub.journal.Wanted(0, 9); len(w) != 0 {
			t.Errorf("wanted %v", w)
		}
	})
}

// bodies are those of a log, each of so many bytes.
func (c *chain) bodies(sizes ...int) {
	for i, n := range sizes {
		c.whole.Records[i] = message.Body(c.whole.Records[i].HLC, message.Text, make([]byte, n))
	}
	c.hashes = c.whole.Hashes()
}

// What a run says fits a frame, also when its bodies came one by one later, or are deleted.
func TestRunThatGrows(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, late := newReplica(t, lan, "hub"), newReplica(t, lan, "late")
		evil, ended := hostile(t, lan, hub, &exchange.Link{Hub: true})
		parts := newChain(t, "liar", hub.journal.Today(), 3)
		parts.bodies(40<<10, 40<<10, 40<<10)
		evil.Bytes(parts.stripped(wire.TypeRun, 1, 3))
		time.Sleep(time.Second)
		for i := range uint64(3) {
			evil.Bytes(parts.frame(wire.TypeRun, i+1, i+1))
			time.Sleep(time.Second)
		}
		stands(t, ended)
		words := newChain(t, "worse", hub.journal.Today(), message.MaxRecords)
		words.bodies(46<<10, 14<<10)
		evil.Bytes(words.frame(wire.TypeRun, 1, message.MaxRecords))
		if err := <-ended; !errors.Is(err, message.ErrMalformed) {
			t.Errorf("the link ended: %v", err)
		}
		late.link(hub)
		time.Sleep(3 * time.Second)
		if n := late.has(parts.whole.Log); n != 3 {
			t.Errorf("%d records were passed on, want 3", n)
		}
	})
}

// A late conn is one of a process that never runs when it should: its deadlines fire 150 ms late.
type lateConn struct{ net.Conn }

func (c lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		time.Sleep(150 * time.Millisecond)
	}
	return n, err
}

// Silence counts anew where this process did not run, but not for ever.
func TestSilenceOfOneThatNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		r := newReplica(t, lan, "r")
		_, there := ends(t, lan, "dead", r)
		began := time.Now()
		late := lateConn{there}
		err := r.x.Run(t.Context(), &exchange.Link{Conn: late, Reader: wire.NewReader(late), Silence: 700 * time.Millisecond})
		if took := time.Since(began); !errors.Is(err, exchange.ErrSilent) || took < 2*time.Second || took > 4*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
