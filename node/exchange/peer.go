package exchange

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// A peer is one link. The reader owns walk, wants, gaps, stripped and bodies; who has the turn owns cursor, dirty, serve and what it sends. Its maps
// are made when something goes into them (put): a link at rest has none.
type peer struct {
	// What it takes to pass a line on comes first, side by side: for each link of a crowd it is fetched from memory anew.
	turn   turn
	eager  eager // the connection, if it can be written to without waiting
	cursor journal.Cursor
	origin journal.Origin
	wrote  atomic.Int64 // when the other end was written to last, in ns since Exchange.born

	// mu protects what reader and writer share.
	mu       sync.Mutex
	tailing  bool
	witness  bool
	due      bool // the writer shall send BEAT
	walking  bool
	handing  bool   // until the hub has what this end holds of others' mail
	gone     bool   // it is not set again
	keeper   bool   // what is said is kept there; Exchange.mu protects it
	theirs   listed // what was listed last; not changed, but replaced
	at       int64  // where the cursor is
	sent     uint64
	answers  []byte // frames to send
	serving  []wire.WantLog
	served   int         // records wanted since the last STATE: past bulkFrom they go as BULK
	state    *wire.State // of the other end, without the groups
	mine     listed      // likewise of this end
	covered  covered
	extra    map[message.GroupID]struct{} // listed, though at the hub the other did not ask for it, and at the other end it is not its own
	received uint64
	alarm    *time.Timer   // when something is to be said; nil at the hub, which has bells
	mark     uint32        // of the hub's last BEAT, to be given back; 0: it was
	marked   time.Time     // when it came
	trip     time.Duration // measured of late
	tripTold time.Duration // that was news last
	clock    time.Time     // what the peer's machine showed
	clocked  time.Time     // when it came; zero: not yet

	*Link
	exchange *Exchange
	journal  *journal.Journal
	writing  atomic.Int64  // since when something is being written, in ns since Exchange.born; 0: nothing is
	fail     func(error)   // ends the link; the first error is why
	resting  resting       // the connection, if it can be waited for
	limit    *rate.Limiter // of what comes unasked; nil: none

	dirty map[message.LogID]int64 // logs a witness reports when that arrival is durable
	serve served

	// What follows is the reader's.
	walk  *walk
	wants map[message.LogID]uint64    // asked of this peer and not yet done, up to that number
	gaps  map[message.LogID]uint64    // of which a live run, up to that number, left a gap
	vain  map[message.LogID]time.Time // that this peer was asked for, and did not bring all of: before that time no gap in them is asked about
	// stripped are logs that this peer sent without a body that nobody deletes: it is not asked for them again.
	stripped map[message.LogID]struct{}
	bodies   map[message.LogID]time.Time // of which this peer is not asked for bodies before
	walked   bool                        // a walk has come to its end
	caughtUp bool                        // Link.CaughtUp was called
	seen     int64                       // the last mailbox that was looked at
	apart    int                         // for how many BEATs both ends covered other groups
	again    time.Time                   // when a difference is talked about next
	pause    time.Duration               // how long after this time; 0: something came since
	beaten   time.Time                   // when a BEAT was answered
	since    time.Time                   // since when, by the machine's clock, it waited for a frame, last
	waiting  wait

	second time.Duration // of the last BEAT, as Exchange.born counts
}

func newPeer(x *Exchange, l *Link) *peer {
	p := &peer{Link: l, exchange: x, journal: x.journal, origin: x.journal.NewOrigin(), since: x.journal.Clock().Local(), handing: !l.Hub && x.journal.Carries()}
	p.eager, _ = l.Conn.(eager)
	p.second, p.answers, l.Greeting = p.phased()/beatEvery, l.Greeting, nil
	return p
}

// put adds to a map that may not have been made.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// answer leaves a frame for the writer.
func (p *peer) answer(t wire.Type, v any) error {
	p.mu.Lock()
	full := len(p.answers) > maxAnswers
	if !full {
		p.answers = wire.Append(p.answers, t, v)
	}
	p.mu.Unlock()
	if full {
		return ErrFlood
	}
	p.poke()
	return nil
}

// hold makes STATE of what the journal has now of the groups that this end lists.
func (p *peer) hold() (*wire.State, error) {
	j := p.journal
	s := &wire.State{Realm: j.Realm(), Store: j.StoreID(), Durable: j.Persistent()}
	today, tomorrow := j.Today(), j.Tomorrow()
	own := p.exchange.own()
	for _, g := range p.list() {
		horizon := p.horizon(g, own)
		root, err := j.Root(g, horizon, today-1)
		if err != nil {
			return nil, err
		}
		sum, err := j.Root(g, today, tomorrow)
		if err != nil {
			return nil, err
		}
		s.Groups = append(s.Groups, wire.GroupState{Group: g, Horizon: horizon, Today: today, Root: root, Sum: sum})
	}
	return s, nil
}
