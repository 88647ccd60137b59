// Package exchange keeps two journals equal over a connection. Both ends run the same function; the hub is the end that others have dialled, and differs
// only in what it is asked to count: acknowledgements and clocks.
//
// What is kept equal is what both ends list (groups.go): all that is public, the groups that the end that dialled takes part in, and where it is a witness all other mail. To whom a
// group is news that somebody said something in for them, the hub brings it.
//
// How two ends become equal. Each says in STATE what it holds of each group: a root over the closed days and the sum of today. Where they differ each end asks for
// the other's sums, then for the heads of the days that differ, newest first (of a day with many logs those of the parts that differ), then for the logs it lacks (WANT). Everything is asked for by the end that
// lacks it, one page at a time, so that neither end holds more than a page of the other's in memory; a log that another link is bringing already
// is not asked for twice, unless it brings nothing. A live run that leaves a gap is asked for at once, not at the next comparison. From the
// moment STATE was made, what arrives in the journal is sent on in order of arrival (the tail), minus what came from this link, what is older
// than the other keeps, and what a long catch-up brought. Once a second the hub sends BEAT, to the links of a phase at once, and who hears it answers with its own: at rest neither wakes
// up for anything else but PING. Who is written to anyway is sent no PING, and BEAT with a line. BEAT carries the root of an end that is caught up; the other compares when nothing is in flight, and a difference starts again from STATE.
//
// Goroutines: Run waits on the caller's goroutine, and takes what comes aside (read.go), where the connection can be waited for without reading from it; otherwise on the caller's, too. Who has
// something for the other end writes it, one at a time (turn.go): a goroutine that lasts as long as there is something, the bell of a BEAT or PING (bell.go), or the one that brought a line to
// all links, or one that writes a flood to some of them (relay.go). At rest a link has no goroutine but its reader, and no memory to read into or to write from; what it does
// then is done by one of a few goroutines that all links share (package crew). What is sent goes in this order: what the reader answered, the tail from the
// cursor, what Control has to say, and a slice of what was wanted; there is no queue of messages for a peer. While anything is said, who serves a long history rests in between (served.giveWay). What the reader answered is bounded: a peer that asks without reading the answers is
// cut off.
//
// The proof of a fork goes with the tail, like the rows of its log, from the end that found it or was brought it: once a log, and once more where it lowers the number. With
// heads and WANT it reaches who was not there. At the hub it counts against its bringer's rate, asked for or not.
//
// Back-pressure: a slow peer only lags, its cursor behind the journal's end; one that does not take a write within WriteTimeout is cut off, or within a second where megabytes wait behind it. A peer that says too much is
// not read from (Config.Limit). Reads have a deadline too: a silent peer is ErrSilent; time in
// which this process did not run is not the peer's silence.
//
// Bodies that were deleted are missing on all ends alike, and change no head. One that is missing though no redaction of it is held (package journal) is asked for, with its log from there on,
// a while after everything else has come; the answer has it, or not, and then another link is asked.
//
// What time it is, and by whose clock, is in clocks.go: a log of a day to come is neither taken nor compared.
//
// Acknowledgements (ack.go) live and die with the links: what is on whose disk is told anew or asked for again.
package exchange

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/crew"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// Limits and times.
const (
	WriteTimeout = 5 * time.Second
	stuckAfter   = time.Second // in one write
	stuckBehind  = 4 << 20     // bytes
	beatEvery    = time.Second
	lately       = 3                 // what share of the time between two PINGs is lately: one in 3. The longest silence is the sum
	beatPatience = 3 * beatEvery / 2 // after that long without the hub's BEAT the other end sends its own
	writeBytes   = 128 << 10         // the most that one round of the writer takes from the tail: a write costs as much as some 20 KiB in it
	serveBytes   = 64 << 10          // likewise of what is wanted
	maxAnswers   = 256 << 10
	maxServing   = 2 * wire.MaxWants
	maxWalk      = 4 << 10 // days that one walk visits
	maxPages     = 16      // pages of heads that one answer looks through
	bulkFrom     = 60      // records; a catch-up longer than this is not relayed
	proofRecord  = 128     // bytes of a proof that count as one record against the rate
	maxGaps      = 512     // logs of which a live run left a gap
	// bodyPatience is how long a body may be missing before it is asked for: the redaction that explains it may be on its way.
	bodyPatience = 3 * time.Second
	// pullPatience is how long a link that was asked for a log may bring nothing before another is asked.
	pullPatience = 5 * time.Second
	// maxPulling bounds the logs of which it is remembered who brings them; where there are more, several may.
	maxPulling = 16 << 10
	// maxBusy is how long what links say they bring may keep the journals from being compared.
	maxBusy = 30 * time.Second
	// stall is how late a deadline fires where this process did not run when it should have.
	stall = 100 * time.Millisecond
	// maxStalls bounds how often that puts off that the other end counts as silent.
	maxStalls = 3
	// glance is a last look at what the kernel has.
	glance = 2 * time.Millisecond
	// maxPause bounds the time between two attempts to settle a difference that the last one did not settle.
	maxPause = time.Minute
)

var (
	// ErrSilent: nothing was heard for as long as Link.Silence.
	ErrSilent = errors.New("silent")
	// ErrStuck: the other end took nothing for a while in which much was said.
	ErrStuck = errors.New("takes nothing")
	// ErrFlood: the other end asked for more than it took.
	ErrFlood = errors.New("asked for more than it took")
	// ErrRealm: the other end is in another realm than this journal.
	ErrRealm = errors.New("in another realm")
)

// Config of an Exchange.
type Config struct {
	Journal *journal.Journal
	Host    identity.HostID
	// Limit, if set, gives the limiter of live records from a person; nil: none.
	Limit func(identity.PeerID) *rate.Limiter
	// Waiting, if set, gives the heads of this node's own logs that are not yet stable.
	Waiting func() []wire.Head
	// Stable, if set, is told that an own message, and those before it in its log, are on copies machines' disks, this one's left out.
	Stable func(l message.LogID, seq uint64, copies int, all bool)
	// Groups, if set, gives the groups besides Public that this person takes part in, also where nothing is held of them yet; those that matter most first: a link has room for
	// wire.MaxGroups. It is asked about once a second for each link.
	Groups func() []message.GroupID
	// Apart leaves Public out: nothing of it is taken, nor passed on.
	Apart bool
	// Concerns, if set, reports whether what author says in g, which is not Public, is for p, though p may not know of g yet: a direct message.
	Concerns func(g message.GroupID, author, p identity.PeerID) bool
	// Skew, if set, is told about once a second how far this machine's clock is off: by what is vouched for, or by the one other clock that is known.
	Skew func(off time.Duration, vouched bool)
	Log  *slog.Logger
}

// An Exchange is what the links of one journal share. All methods may be called concurrently.
type Exchange struct {
	journal *journal.Journal
	config  Config
	log     *slog.Logger
	born    time.Time
	acks    acks
	relay   relay
	crew    crew.Crew
	ringing sync.Mutex // held by the bell that rings

	// mu protects what follows.
	mu        sync.Mutex
	links     map[*peer]struct{}
	keeping   map[identity.HostID]int // links to each machine on which what is said is kept
	bells     map[time.Duration]*bell // by phase
	deaf      func()                  // ends that the journal is heard
	pulling   map[message.LogID]*pull
	free      time.Time          // when nothing was being brought, last
	usual     listed             // by the last that said
	witnesses []identity.Session // of the hub
	net       time.Time          // the median, as it was at netAt, if netKnown
	netAt     time.Time
	netKnown  bool
	counting  bool // the median
}

// New returns an exchange without links.
func New(c Config) *Exchange {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	x := &Exchange{journal: c.Journal, config: c, log: c.Log, born: time.Now(), links: map[*peer]struct{}{}, keeping: map[identity.HostID]int{}, bells: map[time.Duration]*bell{}, pulling: map[message.LogID]*pull{}}
	x.free = x.born
	x.journal.Slowest(x.slowest)
	x.acks = acks{exchange: x, awaited: map[message.LogID]*awaited{}, haves: map[*peer]map[message.LogID]wire.Head{}, tells: map[*peer][]wire.StableLog{}}
	return x
}

// Journal returns the journal that is kept equal.
func (x *Exchange) Journal() *journal.Journal { return x.journal }

// Control is what a link carries besides: presence, succession, goodbyes.
type Control interface {
	// Receive is called by the reading goroutine for every frame that is not the exchange's own, in order. body is valid during the call.
	Receive(t wire.Type, body []byte) error
	// Next appends the frames to be sent now. It is called by who writes, after poke was and at least every beat. drained: everything in
	// the journal has been sent; a goodbye waits for that.
	Next(b []byte, drained bool) []byte
	// Begin comes first. poke has Next called soon; it does not block, and may be called at any time.
	Begin(poke func())
}

// Link is one connection and what is known of its other end.
type Link struct {
	Conn   net.Conn
	Reader *wire.Reader
	Peer   identity.PeerID
	// Session and Host are of the other end's HELLO.
	Session identity.Session
	Host    identity.HostID
	// Greeting are frames that go before all others.
	Greeting []byte
	// State is the other end's, where it was read already.
	State *wire.State
	// Hub: this end is the hub.
	Hub bool
	// Silence is how long nothing may be heard; 0: no bound. Ping is how often the hub says something, at moments that all its links share that have the same Phase, less than a second.
	Silence, Ping, Phase time.Duration
	// Patience, if set, is told after how long something came that was waited for, and returns what Silence is from then on. It is called by the reading goroutine.
	Patience func(after time.Duration) time.Duration
	Control  Control
	// Trip, if set, is told how long a word takes to the other end and back, each time that is measured; news: it is worth showing at once.
	Trip func(trip time.Duration, news bool)
	// CaughtUp, if set, is called once, when what the other end had has come, from it or another.
	CaughtUp func()
}

// Run keeps the journals equal until the connection fails, ctx ends, or the other end breaks the rules, and returns why. It closes the connection. Nobody writes to it any more then. The link is the
// exchange's from then on.
func (x *Exchange) Run(ctx context.Context, l *Link) error { return x.Begin(ctx, l)() }

// Begin is the beginning of Run, and returns the rest, for a goroutine of its own: the stack of that is most of what a link at rest takes, and it should have little on it.
func (x *Exchange) Begin(ctx context.Context, l *Link) (rest func() error) {
	p := newPeer(x, l)
	own, cancel := context.WithCancelCause(ctx)
	p.fail = func(err error) { cancel(err); abort(l.Conn) }
	stop := context.AfterFunc(ctx, func() { p.fail(context.Cause(ctx)) })
	if err := p.begin(own); err != nil {
		p.fail(err)
	}
	return func() error {
		p.fail(p.read(own))
		stop()
		p.end()
		x.forget(p)
		return context.Cause(own)
	}
}

// begin lets what there is be written from now on, and takes what has come already, where the connection can be waited for.
func (p *peer) begin(ctx context.Context) error {
	if r, ok := p.Conn.(resting); ok && r.Awaits() {
		p.resting = r
		p.Reader.Unwaiting()
		p.wait()
	}
	if p.Control != nil {
		p.Control.Begin(p.poke)
	}
	p.exchange.enter(p)
	if p.Hub { // before anything else is written: STATE comes first
		if _, err := p.offer(true); err != nil {
			return err
		}
	}
	if p.Ping > 0 {
		p.exchange.hang(p)
	} else {
		p.mu.Lock()
		p.alarm = time.AfterFunc(p.rest(), p.ring)
		p.mu.Unlock()
	}
	p.turn.set(true)
	p.poke()
	if p.State != nil {
		if err := p.compare(p.State); err != nil {
			return err
		}
	}
	if p.resting == nil {
		return nil
	}
	return p.takeAll(ctx, nil)
}

// end waits until nothing is written any more.
func (p *peer) end() {
	abort(p.Conn)
	p.turn.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if p.alarm != nil {
		p.alarm.Stop()
	}
	p.serve.stop()
}

// abort closes without waiting for a blocked write, as tls.Conn.Close would.
func abort(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	c.Close()
}

// enter has p told of what comes.
func (x *Exchange) enter(p *peer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.links[p] = struct{}{}
	p.witness = p.Hub && slices.Contains(x.witnesses, p.Session)
	x.relay.set(append(x.relay.all(), p)) // behind what those see who look at it just now: what is taken out is taken out of a copy
	if len(x.links) == 1 {
		x.free = time.Now() // nobody has looked since the last link ended
		x.deaf = x.journal.Hear(x.changed)
		x.crew.Open(true)
	}
}

func (x *Exchange) forget(p *peer) {
	x.mu.Lock()
	delete(x.links, p)
	x.relay.set(slices.DeleteFunc(slices.Clone(x.relay.all()), func(q *peer) bool { return q == p }))
	if len(x.links) == 0 {
		x.deaf()
		x.crew.Open(false)
	}
	for l, q := range x.pulling {
		if q.by == p {
			x.endLocked(l, q)
		}
	}
	x.mu.Unlock()
	x.keeper(p, false)
	x.unhang(p)
	x.journal.Clock().Doubt(p)
	x.acks.forget(p)
}

// A pull is a log that a link brings. Heads are easily claimed: a log of which a link brought nothing is open, anyone may be asked for it until someone brings something.
type pull struct {
	by      *peer // nil: open
	until   time.Time
	brought bool
}

// endLocked: nobody brings l any more.
func (x *Exchange) endLocked(l message.LogID, q *pull) {
	if q.brought {
		delete(x.pulling, l)
	}
	q.by = nil
}

// pull reserves a log for p; false: another link brings it.
func (x *Exchange) pull(l message.LogID, p *peer) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.pulling[l]
	switch {
	case q == nil:
		if len(x.pulling) >= maxPulling {
			maps.DeleteFunc(x.pulling, func(_ message.LogID, q *pull) bool { return q.by == nil })
		}
		if len(x.pulling) < maxPulling {
			x.pulling[l] = &pull{by: p, until: time.Now().Add(pullPatience)}
		}
	case q.by == nil || q.by == p:
	case time.Now().Before(q.until):
		return false
	default:
		q.by, q.brought = nil, false
	}
	return true
}

// pulled: p brought something of l, or is done with it.
func (x *Exchange) pulled(l message.LogID, p *peer, done bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.pulling[l]
	switch {
	case q == nil:
	case q.by == nil && !done:
		delete(x.pulling, l)
	case q.by != p:
	case done:
		x.endLocked(l, q)
	default:
		q.until, q.brought = time.Now().Add(pullPatience), true
	}
}

// busy reports whether any link is bringing anything.
func (x *Exchange) busy() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	for _, q := range x.pulling {
		if q.by != nil && now.Before(q.until) {
			return now.Sub(x.free) < maxBusy
		}
	}
	x.free = now
	return false
}
