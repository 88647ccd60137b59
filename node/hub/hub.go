// Package hub is the central broadcast server while this node holds the seat. It serves the links that others dialled: each is one run of package exchange on the hub's own
// journal. What it adds is presence (who is linked, and who of them is typing), the succession, and the goodbye.
//
// A session is usually one link. A process that has moved, or was copied with its machine, has several until one ends: none is cut off for the other.
//
// Goroutines: each link runs on the goroutine that calls what Begin returned; the hub has none of its own. A change of presence is written to the links a moment later, so that many joins at once
// travel as one batch, which is encoded once for all. Of a crowd (200 links and more) each is told with its next PING, or BEAT where lines spare it PINGs, and who comes may be told first who was there a little before: in the end
// everybody knows everybody. A link that is further behind than the kept batches gets a full presence. What is long goes in slices, between which messages go.
//
// Back-pressure is exchange's: the hub keeps nothing for a link but a position in the batches.
package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/wire"
)

const (
	// batch is how long a change of presence waits for others to go with it, and batchLink how much longer for each link that is to be told: so many changes wake all of them up once, and this node goes through all who are here once.
	batch, batchLink, batchMax = 20 * time.Millisecond, 500 * time.Microsecond, time.Second
	// kept is how many changes of presence are kept; who is further behind gets all of it: of thousands, who come within seconds, that must happen to few.
	kept = 4 << 10
	// stale is what share of a crowd may have come or gone since a whole presence was encoded that is told yet: one in 8.
	stale = 8
	// silence is how long a follower may say nothing: it answers the BEAT of every second.
	silence = 4 * time.Second
	// ping is how often a follower hears something, so that it knows within 700 ms that the hub is gone: two a second and a BEAT. One may be late by more than a
	// retransmission takes (200 ms and some), also where who was written to less than a third of that before is spared it.
	ping = time.Second / 3
	// phase is between the moments at which one lot of links is written to and the next: so many share a wake-up, and more would make messages wait for a millisecond. BEATs, which are answered,
	// come so spread over all of a second.
	phase, phaseLinks = 10 * time.Millisecond, 50
	// aCrowd is how many links are many: they are told of each other, of who types, and of the succession with the next PING. When that many have come and gone, their memory is given back, sweepAfter the last of them:
	// then all have been told of that.
	aCrowd, sweepAfter = 200, 2 * ping
	// maxAway is how many sessions are remembered that have left. If more do, who left before is forgotten.
	maxAway = 16 << 10
	// goodbye is how long Close waits for the links to end.
	goodbye = 300 * time.Millisecond
)

// ErrParted: the follower said goodbye.
var ErrParted = errors.New("said goodbye")

// Config of a Hub.
type Config struct {
	Exchange *exchange.Exchange
	// Self is this node's own entry in the presence.
	Self wire.Person
	// Places, if set, lists where an instance may be reached that came from an address, which may be one of the link between the two alone. It must not block.
	Places func(s identity.Session, from string) []string
	// Owners, if set, are the people whose sessions are known from before: nobody else is let in with one. New keeps a copy.
	Owners map[identity.Session]identity.PeerID
	// Changed, if set, is called when the people linked changed. It must not block.
	Changed func()
	// Typing, if set, is told of followers who type; Measured, if set, that Trips changed much. They must not block.
	Typing   func(wire.Typing)
	Measured func()
	// CaughtUp, if set, is called when what a follower had has come, once for each link. It must not block.
	CaughtUp func()
	Log      *slog.Logger
}

// A Hub serves from New until Close.
type Hub struct {
	config Config
	log    *slog.Logger

	// mu protects what follows.
	mu      sync.Mutex
	members map[identity.Session][]*member // those of one session in the order they came
	links   int
	away    map[identity.Session]identity.PeerID // who has left, or not come: nobody else takes that session meanwhile, which all were told of
	people  map[identity.Session]*entry
	changed uint64             // counts the changes of people
	waiting []identity.Session // of whom changes are in no batch yet
	batch   uint64             // number of the last batch
	batches []*telling         // the newest
	kept    int                // changes in them
	whole   *telling           // told last, or nil
	wholeAt uint64             // changed, then
	waking  bool
	order   wire.Order
	ordered uint64 // counts its changes
	orders  []byte // the frame that says it
	bye     *wire.Bye
	typing  map[identity.PeerID]typed
	typed   uint64        // counts what is said of typing
	empty   chan struct{} // closed when the last member has left after Close began
	crowd   int           // links that came or went since memory was given back
	sweep   *time.Timer   // when it is
}

// New returns a hub.
func New(c Config) *Hub {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	away := map[identity.Session]identity.PeerID{}
	maps.Copy(away, c.Owners)
	return &Hub{config: c, log: c.Log, members: map[identity.Session][]*member{}, away: away, typing: map[identity.PeerID]typed{}, people: map[identity.Session]*entry{c.Self.Session: newEntry(c.Self, nil)}, batch: 1}
}

// Exchange returns what the hub keeps equal.
func (h *Hub) Exchange() *exchange.Exchange { return h.config.Exchange }

// Begin adds a link, whose HELLO has been read, and returns what serves it until it ends, for a goroutine of its own (exchange.Begin). greeting is what answers HELLO; it goes with what the
// exchange begins with. An error is of a link that is not wanted, and is closed.
func (h *Hub) Begin(ctx context.Context, c *identity.Conn, r *wire.Reader, hello *wire.Hello, greeting []byte) (serve func() error, err error) {
	m := h.member(c, hello)
	links, err := h.join(m)
	if err != nil {
		c.NetConn().Close()
		return nil, err
	}
	if level := loud(links); h.log.Enabled(ctx, level) {
		h.log.Log(ctx, level, "linked", "peer", hello.Session, "person", c.Peer.Fingerprint(), "address", c.RemoteAddr())
	}
	run := h.config.Exchange.Begin(ctx, &exchange.Link{Conn: c, Reader: r, Peer: c.Peer, Session: hello.Session, Host: hello.Host, Greeting: greeting, Hub: true,
		Silence: silence, Ping: ping, Phase: time.Duration(links/phaseLinks) * phase % time.Second, Control: m, Trip: m.tripped, CaughtUp: h.config.CaughtUp})
	return func() error {
		err := run()
		h.leave(m, err)
		return err
	}, nil
}

// loud is the level of what is logged of each link: of a crowd the log would be that.
func loud(links int) slog.Level {
	if links > aCrowd {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (h *Hub) member(c *identity.Conn, hello *wire.Hello) *member {
	m := &member{hub: h, conn: c, known: slices.Clone(hello.Known), person: wire.Person{
		Session: hello.Session, ID: c.Peer, Nick: hello.Nick, Class: hello.Class, LinkOnly: hello.LinkOnly, Host: hello.Host, Profile: hello.Profile}}
	if host, _, err := net.SplitHostPort(c.RemoteAddr().String()); err == nil {
		if m.address = host; !hello.LinkOnly {
			from := net.JoinHostPort(host, strconv.Itoa(int(hello.Port)))
			if m.person.Address = []string{from}; h.config.Places != nil {
				m.person.Address = h.config.Places(hello.Session, from)
			}
		}
	}
	return m
}

// join adds m and returns how many links there are.
func (h *Hub) join(m *member) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bye != nil {
		return 0, net.ErrClosed
	}
	owner, known := h.away[m.person.Session]
	if old := h.newestLocked(m.person.Session); old != nil {
		owner, known = old.person.ID, true
	}
	if known && owner != m.person.ID {
		return 0, fmt.Errorf("session %v is another person's: %w", m.person.Session, identity.ErrUnexpected)
	}
	delete(h.away, m.person.Session)
	for _, old := range slices.Clone(h.members[m.person.Session]) {
		if old.address == m.address {
			old.conn.NetConn().Close() // the same process dialled again: it knows better
			h.removeLocked(old)
		}
	}
	h.members[m.person.Session] = append(h.members[m.person.Session], m)
	h.links++
	h.sweepLocked()
	h.setLocked(m.person)
	return h.links, nil
}

// newestLocked returns the link of a session that came last. There are several where a process has moved and the hub has not yet noticed, which ends when the old one has been
// silent, and where a machine was copied while it ran: then each closing the other's link would go on for ever.
func (h *Hub) newestLocked(s identity.Session) *member {
	if list := h.members[s]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

// removeLocked reports whether m was there.
func (h *Hub) removeLocked(m *member) bool {
	list := h.members[m.person.Session]
	i := slices.Index(list, m)
	if i < 0 {
		return false
	}
	h.links--
	h.sweepLocked()
	if list = slices.Delete(list, i, i+1); len(list) > 0 {
		h.members[m.person.Session] = list
	} else {
		delete(h.members, m.person.Session)
	}
	return true
}

func (h *Hub) leave(m *member, why error) {
	h.log.Log(context.Background(), loud(h.Followers()), "link ended", "peer", m.person.Session, "err", why)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.removeLocked(m) {
		return // replaced
	}
	if left := h.newestLocked(m.person.Session); left != nil {
		h.setLocked(left.person)
	} else {
		delete(h.people, m.person.Session)
		if len(h.away) >= maxAway {
			clear(h.away)
		}
		h.away[m.person.Session] = m.person.ID
		h.changedLocked(m.person.Session)
	}
	if h.empty != nil && h.links == 0 {
		close(h.empty)
		h.empty = nil
	}
}

func (h *Hub) setLocked(p wire.Person) {
	h.people[p.Session] = newEntry(p, h.people[p.Session])
	h.changedLocked(p.Session)
}

// changedLocked notes a change and sees to it that the links hear of it.
func (h *Hub) changedLocked(s identity.Session) {
	h.changed++
	h.waiting = append(h.waiting, s)
	if !h.waking {
		h.waking = true
		time.AfterFunc(min(batch+time.Duration(h.links)*batchLink, batchMax), h.wake)
	}
}

func (h *Hub) wake() {
	h.mu.Lock()
	h.waking = false
	h.closeLocked()
	h.nudgeLocked()
	h.mu.Unlock()
	h.config.Changed()
}

// nudgeLocked has all links told what is new, or lets it go with the next PING where they are many: to wake thousands at once keeps everything else from running for most of a second.
func (h *Hub) nudgeLocked() {
	if h.links < aCrowd {
		h.pokeLocked()
	}
}

func (h *Hub) pokeLocked() {
	for _, list := range h.members {
		for _, m := range list {
			if m.poke != nil {
				m.poke()
			}
		}
	}
}

// sweepLocked sees to it that what many handshakes and goodbyes left is given back to the system when they are over: 40 KB each, which would otherwise stay for minutes.
func (h *Hub) sweepLocked() {
	if h.crowd++; h.crowd < aCrowd {
		return
	}
	if h.sweep == nil {
		h.sweep = time.AfterFunc(sweepAfter, func() {
			h.mu.Lock()
			h.crowd, h.whole = 0, nil
			h.mu.Unlock()
			debug.FreeOSMemory()
		})
	}
	h.sweep.Reset(sweepAfter)
}

// SetSelf changes this node's own entry.
func (h *Hub) SetSelf(p wire.Person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setLocked(p)
}

// SetOrder announces the succession, and who the witnesses are: the first two successors, or whoever else is linked (who is one already, before others), on machines of their own that keep history. Where
// this one keeps none they are three, for an author may be one of them. It is to be called again now and then: who keeps none says so only once linked.
func (h *Hub) SetOrder(term uint64, successors []identity.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := wire.Order{Term: term, Successors: successors[:min(len(successors), wire.MaxOrder)]}
	o.Witnesses = h.witnessesLocked(o.Successors)
	if o.Term == h.order.Term && slices.Equal(o.Successors, h.order.Successors) && slices.Equal(o.Witnesses, h.order.Witnesses) {
		return
	}
	h.order, h.orders = o, wire.Append(nil, wire.TypeOrder, &o)
	h.ordered++
	h.config.Exchange.Witnesses(o.Witnesses)
	h.nudgeLocked()
}

func (h *Hub) witnessesLocked(successors []identity.Session) []identity.Session {
	var hosts []identity.HostID
	most := wire.MaxWitnesses
	if h.config.Exchange.Journal().Persistent() {
		hosts = append(hosts, h.config.Self.Host)
		most--
	}
	witnesses, forgetful := []identity.Session{}, h.config.Exchange.Forgetful()
	fits := func(s identity.Session) bool {
		m := h.newestLocked(s)
		return m != nil && !slices.Contains(hosts, m.person.Host) && len(witnesses) < most && !forgetful[s]
	}
	add := func(s identity.Session) {
		hosts, witnesses = append(hosts, h.newestLocked(s).person.Host), append(witnesses, s)
	}
	for _, s := range slices.Concat(successors, h.order.Witnesses) { // who is one stays one: each change is told to all
		if fits(s) {
			add(s)
		}
	}
	for len(witnesses) < most {
		var next identity.Session // may be zero: that is what somebody says
		found := false
		for s := range h.members {
			if fits(s) && (!found || bytes.Compare(s[:], next[:]) < 0) {
				next, found = s, true
			}
		}
		if !found {
			break
		}
		add(next)
	}
	return witnesses
}

// People returns who is linked, this node included.
func (h *Hub) People() []wire.Person {
	h.mu.Lock()
	defer h.mu.Unlock()
	people := make([]wire.Person, 0, len(h.people))
	for _, p := range h.people {
		people = append(people, p.Person)
	}
	return people
}

// Followers returns how many are linked.
func (h *Hub) Followers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.links
}

// Linked returns who is linked.
func (h *Hub) Linked() map[identity.Session]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	linked := make(map[identity.Session]bool, len(h.members))
	for s := range h.members {
		linked[s] = true
	}
	return linked
}

// Close says goodbye to every link, waits a moment for them to end, and closes those that did not.
func (h *Hub) Close(bye wire.Bye) {
	h.mu.Lock()
	if h.bye != nil {
		h.mu.Unlock()
		return
	}
	h.bye = &bye
	empty := make(chan struct{})
	if h.links == 0 {
		close(empty)
	} else {
		h.empty = empty
	}
	h.pokeLocked()
	h.mu.Unlock()
	t := time.NewTimer(goodbye)
	defer t.Stop()
	select {
	case <-empty:
		return
	case <-t.C:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.members {
		for _, m := range list {
			m.conn.NetConn().Close()
		}
	}
}
