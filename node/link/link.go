// Package link is the way to the hub: it dials, runs package exchange, and dials again when the connection ends, until it is told to stop. What it learns about the hub's life it
// reports; what to make of that is the election's.
//
// Goroutines: Run is one; while it dials, each address tried has one more, and while linked exchange writes. All have ended when Run returns.
//
// Order: reports come from Run's goroutine, in order. Presence and succession come from the reading goroutine, in the order in which the hub sent them.
package link

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/port"
	"earshot/node/wire"
)

const (
	// silence is after how long a hub that says nothing is not believed to be there: it says something three times a second.
	silence = 700 * time.Millisecond
	// late is a wait for it that shows that something was lost on the way. What is lost again comes twice as late, and so on: so lateTimes as long is waited from then on, but no longer than
	// silenceMax; after each lateFor without such a wait half of that.
	late       = 500 * time.Millisecond
	lateTimes  = 2
	lateFor    = 5 * time.Minute
	silenceMax = 3 * time.Second
	// Patience is how long a dial may take before the hub counts as silent, where nothing is known of how long they take.
	Patience = 300 * time.Millisecond
	// stagger is how long one address is tried before the next is tried beside it.
	stagger = 150 * time.Millisecond
	// greeting bounds dialling, admission and HELLO together.
	greeting = 5 * time.Second
	// steady is how long a link must have stood for the next dial to be made at once.
	steady = time.Second
	// restFirst and restMax bound the time between dials.
	restFirst, restMax = 20 * time.Millisecond, time.Second
)

// State is how the link stands.
type State uint8

const (
	Dialing State = iota
	Linked
	Refused  // nothing listens there: the process is gone
	Silent   // nothing answers
	Parted   // the hub said goodbye, or that it is not the hub; Report.Successor may say who is
	Rejected // the versions differ, admission failed, or the hub ends link after link; Err says it for people
)

// Report is one change of state.
type Report struct {
	State     State
	Peer      identity.PeerID // from Linked and Parted on
	Hello     wire.Hello      // likewise
	Successor identity.Session
	Address   []string // of the successor
	Leaving   bool     // Parted: the hub's process ends
	Err       error
}

// Config of a link.
type Config struct {
	// Dial connects and is admitted.
	Dial func(ctx context.Context, address string) (*identity.Conn, error)
	// Patience, if set, is how long that may take, as far as is known, before the hub counts as silent. Less than the constant is not believed.
	Patience func() time.Duration
	// Addresses are those of the hub, host:port, best first; it is called before each round.
	Addresses func() []string
	// Hub is the session expected; zero: whoever answers.
	Hub identity.Session
	// Hello says who this node is.
	Hello func() wire.Hello
	// Enter takes this node into the hub's realm and returns the exchange of its journal.
	Enter func(ctx context.Context, hub *wire.Hello, r identity.Realm) (*exchange.Exchange, error)
	// Report, Presence and Order must not block.
	Report   func(Report)
	Presence func(wire.Presence)
	Order    func(wire.Order)
	CaughtUp func()
	// Notes gives this node's own note where it changed since number since, and its number now.
	Notes func(since uint64) (*wire.Note, uint64)
	// Typing, if set, gives what is to be said of this node's user typing since number since; Typist, if set, is told of others. Trip is as in exchange.Link.
	Typing func(since uint64) (*wire.Typing, uint64)
	Typist func(wire.Typing)
	Trip   func(trip time.Duration, news bool)
	Log    *slog.Logger
}

// A Link is one way to one hub.
type Link struct {
	config Config
	log    *slog.Logger

	// What follows is for Run, and who reads for it.
	waited   time.Duration // the longest wait of late,
	waitedAt time.Time     // which was over then

	mu      sync.Mutex // protects what follows
	poke    func()     // nil: not linked
	leaving bool
}

// New returns a link that Run works.
func New(c Config) *Link {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Link{config: c, log: c.Log}
}

// Poke says that Notes has something new.
func (l *Link) Poke() {
	l.mu.Lock()
	poke := l.poke
	l.mu.Unlock()
	if poke != nil {
		poke()
	}
}

func (l *Link) poked(poke func()) {
	l.mu.Lock()
	l.poke = poke
	l.mu.Unlock()
}

// Leave says goodbye to the hub after everything said so far; the hub then ends the connection, and Run returns.
func (l *Link) Leave() {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.Poke()
}

func (l *Link) left() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

// Run links to the hub, again and again, until ctx ends, Leave was heard, or the hub parted.
func (l *Link) Run(ctx context.Context) {
	wait, turned := time.Duration(0), 0
	for ctx.Err() == nil && !l.left() {
		l.config.Report(Report{State: Dialing})
		began := time.Now()
		c, err := l.dial(ctx)
		if ctx.Err() != nil {
			if c != nil {
				c.NetConn().Close()
			}
			return
		}
		if err == nil {
			var parted bool
			if parted, err = l.serve(ctx, c); parted || ctx.Err() != nil || l.left() {
				return
			}
			if errors.Is(err, errLinked) { // why it ended shows when it is dialled again: at once, if it stood for a while
				turned = 0
				if time.Since(began) > steady {
					wait = 0
				}
				l.rest(ctx, &wait)
				continue
			}
		}
		l.log.Debug("not linked", "hub", l.config.Hub, "err", err)
		if turned++; !errors.Is(err, ErrTurnedAway) {
			turned = 0
		}
		switch {
		case turned >= turns:
			l.config.Report(Report{State: Rejected, Err: ErrTurnedAway})
		case port.Refused(err):
			l.config.Report(Report{State: Refused, Err: err})
		case errors.Is(err, identity.ErrProof), errors.Is(err, wire.ErrVersion), errors.Is(err, identity.ErrCertificate):
			l.config.Report(Report{State: Rejected, Err: err})
		default:
			l.config.Report(Report{State: Silent, Err: err})
		}
		if wait == 0 {
			wait = restFirst
		}
		l.rest(ctx, &wait)
	}
}

// rest waits, longer each time.
func (l *Link) rest(ctx context.Context, wait *time.Duration) {
	if *wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(*wait/2 + rand.N(*wait)):
		}
	}
	*wait = min(max(2**wait, restFirst), restMax)
}

// ErrTurnedAway: the hub admitted this node and closed before it said anything. Once it may have had its reasons; who is told so turns times in a row is one too many.
var ErrTurnedAway = errors.New("the hub lets this machine in, and ends the connection again")

const turns = 5

// errLinked marks the end of a link that had been established.
var errLinked = errors.New("link ended")

// dial tries the addresses one beside the other and returns the first that admits. Nothing for patience is reported as Silent, while it goes on trying.
func (l *Link) dial(ctx context.Context) (*identity.Conn, error) {
	patience := Patience
	if l.config.Patience != nil {
		patience = max(patience, l.config.Patience())
	}
	due := time.Now().Add(patience)
	addresses := l.config.Addresses()
	if len(addresses) == 0 {
		return nil, errors.New("no address of the hub is known")
	}
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	type result struct {
		c   *identity.Conn
		err error
	}
	results := make(chan result)
	var tries sync.WaitGroup
	defer tries.Wait()
	try := func(address string) {
		tries.Go(func() {
			c, err := l.config.Dial(ctx, address)
			select {
			case results <- result{c, err}:
			case <-ctx.Done():
				if c != nil {
					c.NetConn().Close()
				}
			}
		})
	}
	defer cancel() // before the wait above
	late, stalled := time.NewTimer(time.Until(due)), false
	defer late.Stop()
	try(addresses[0])
	next, open := 1, 1
	t := time.NewTicker(stagger)
	defer t.Stop()
	var failed error
	for open > 0 {
		select {
		case r := <-results:
			if r.err == nil {
				return r.c, nil
			}
			open--
			if failed == nil || port.Refused(r.err) {
				failed = r.err
			}
		case <-t.C:
		case <-late.C:
			if !stalled && exchange.Stalled(due) {
				stalled = true
				late.Reset(patience)
				continue
			}
			l.config.Report(Report{State: Silent, Err: context.DeadlineExceeded})
			continue
		case <-ctx.Done():
			return nil, errors.Join(failed, ctx.Err())
		}
		if next < len(addresses) {
			try(addresses[next])
			next, open = next+1, open+1
		}
	}
	return nil, failed
}
