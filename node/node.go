// Package node is one participant: the façade that ui and main talk to, and the role it plays now.
//
// Do takes commands, Events gives what happened in order, Snapshot says how things stand. What is said goes into the current gathering's journal and nowhere else;
// everything downstream (links, the store, subscribers) follows that journal with a cursor of its own.
//
// Reading. How far this person has read in each room is kept in the stores: what is unread comes again at the next start (Resume, reading.go). Nobody else is told, but of a conversation the other, where the user does not mind.
//
// Goroutines: each open journal has one from New on (gathering.go, past.go). Run starts the port, the roster, and the seat, which alone holds the election and starts and stops what the role needs: the hub, or a link to it. Others
// follow what becomes durable, learn what people tell of themselves (acquaint.go), write down whom one met (contacts.go), do what the vault may not do itself (sealed.go), carry keys (courier.go), ask machines
// with another version (versions.go), have the stores of realms that were left forget what is too old (tidy.go), and bound the garbage (garbage.go). Each subscription of Events, Resume or Console has one. All have ended when Run returns, with the port, the store and the profile's lock released.
//
// Bound: a box prints what Console tells, which in a flood counts messages instead of telling each (console.go). All other readers of Events get every one; who is slow lags.
//
// Order: a subscription gives messages in the order of arrival in the journal. Presence, hub and deliveries are states: a subscriber that looks late sees the newest, and
// how it got there is not replayed.
//
// Realms. The open network has one name everywhere, so each gathering of it has a history of its own, its realm; else a laptop would carry the office's talk to a café. A node of an open network starts alone, in a store that is never exchanged; it enters a realm when it links to a hub or the first other links to it, and takes
// along what was said here meanwhile.
//
// Two networks that one machine has a card in each of are one gathering as long as that machine runs: it becomes the hub (bridge.go). Where it may not, or where it takes more than one such
// machine to get from here to there, whoever cannot reach the hub goes on looking for it and says so.
//
// Keys. A closed network is given another key (rotation.go) by founding it anew, under a key that only those get who are to stay. This node ends then, and another goes on in the new network (Next, Front), with the
// history of the old one beside its own (past.go); couriers (courier.go) hand the key to those who were away.
//
// Time. A machine's clock may be wrong, and nobody can tell alone. Three clocks make a median (package exchange, clocks.go), which corrects the one Clock of this process and is passed on in HELLO and
// BEAT. The user is told of a clock that is off (skew.go). A log of a day that others refuse is not answered by them: what makes them refuse it, the time, reaches its author by the same
// way, who says again what a wrong clock dated (diary.go, journal.Author.Restate). Nobody else's word is needed for that, and so nobody else's lie can ask for it
// but by the time; that is bounded. What an earlier process dated wrong, and others took, stays as it is dated: whoever
// knows the time then does not take it before its day.
package node

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/port"
	"earshot/node/roster"
	"earshot/node/seal"
	"earshot/node/vault"
	"earshot/node/wire"
)

// A Node is described in the package comment.
type Node struct {
	config    Config
	log       *slog.Logger
	who       *identity.Identity
	host      identity.HostID
	network   *identity.Network
	session   identity.Session
	profile   *profile
	port      *port.Port
	roster    *roster.Roster
	beacon    cipher.AEAD
	gather    *gatherings
	own       *deliveries
	people    *people
	met       *acquaintances
	vault     *vault.Vault
	tended    chan struct{} // has room for one: keepVault should look
	rekey     rotations
	typing    *typing
	alarms    *rate.Limiter // of nicks that are not what they seem
	rate      *rate.Limiter // of this author; nil: none
	limits    limits
	seat      *seat
	watch     *watchers
	strangers chan netip.AddrPort // has room for one: a machine with another version
	serving   atomic.Bool
	joins     atomic.Uint64   // counts changes of inRooms
	broken    context.Context // ends when something failed that this node cannot do without
	fail      context.CancelFunc

	// mu protects what follows.
	mu        sync.Mutex
	nick      string
	away      bool
	why       string
	noted     uint64 // counts changes of nick and away
	status    HubChanged
	since     time.Time
	caughtUp  uint64 // 1 + the version of the gathering with which that was so last; 0: never
	moved     []netip.Addr
	placed    bool // Moved was called
	notices   []Notice
	noticed   uint64    // number of the last notice
	differed  time.Time // when one of them told of another version
	failed    error
	looked    map[message.RoomID]journal.Key // what was seen, and is to be told
	receipted time.Time                      // when that was done last
}

// ErrInUse is the cause where another process has the profile.
var ErrInUse = errors.New("profile in use")

// New opens the profile and the port. Everything that a user can get wrong is an *Error here. What it opened is released by Run, or by Close where Run is never called.
func New(c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.HostDir == "" {
		c.HostDir = filepath.Dir(c.Dir)
	}
	n := &Node{config: c, log: c.Log, network: c.Network, session: identity.NewSession(), since: time.Now(), status: HubChanged{State: Searching}, watch: newWatchers(), tended: make(chan struct{}, 1), strangers: make(chan netip.AddrPort, 1), looked: map[message.RoomID]journal.Key{}}
	if c.Copied.Session != (identity.Session{}) {
		n.session = c.Copied.Session
	}
	n.broken, n.fail = context.WithCancel(context.Background())
	if err := n.open(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// open does the work of New; what it leaves half done is Close's.
func (n *Node) open() (err error) {
	c := n.config
	if n.network == nil {
		if n.network, err = identity.NewNetwork(message.Lobby, nil); err != nil {
			return err
		}
	}
	if c.Beside != nil {
		n.profile = c.Beside.profile
	} else if n.profile, err = openProfile(c.Dir); err != nil {
		return err
	}
	if aside := n.profile.damaged; aside != "" {
		n.notice("the settings of this profile were damaged: your nick and rooms are as at a first start", "the damaged file was set aside: "+aside)
	}
	if n.who, err = identity.Load(c.Dir); err != nil {
		return err
	}
	if n.host, err = identity.LoadHost(c.HostDir); err != nil {
		return err
	}
	if err = n.chooseNick(); err != nil {
		return err
	}
	gate, err := identity.NewGate(n.who, n.network)
	if err != nil {
		return err
	}
	if n.beacon, err = newBeaconSeal(n.network); err != nil {
		return err
	}
	if n.port, err = port.Open(port.Config{Gate: gate, Number: c.Port, Net: c.Net, PerIP: c.PerIP, Log: c.Log}); err != nil {
		return &Error{Text: err.Error(), Hint: "leave --port out to use the next one that is free", cause: err}
	}
	if c.Rate == 0 {
		c.Rate = defaultRate
	}
	n.limits = limits{per: map[identity.PeerID]*rate.Limiter{}}
	if c.Rate > 0 {
		n.rate = rate.NewLimiter(rate.Limit(c.Rate), int(max(1, 4*c.Rate)))
		n.limits.rate = 4 * c.Rate
	}
	clock := journal.NewClock(c.Clock)
	n.own = newDeliveries(n.watch.wake, n.serving.Load, clock)
	if err = n.inherit(); err != nil {
		return err
	}
	known, err := n.openContacts()
	if err != nil {
		return err
	}
	n.people = newPeople(Person{ID: n.who.ID(), Nick: n.nick, Server: c.ServerOnly}, known, n.watch.wake)
	ring, err := n.openRing()
	if err != nil {
		return err
	}
	n.met = &acquaintances{network: n.network.ID(), who: n.who, ring: ring, profile: n.profile, known: map[identity.PeerID]*seal.Profile{}}
	if err = n.met.introduce(n.nick); err != nil {
		return err
	}
	n.alarms, n.rekey.told = rate.NewLimiter(rate.Every(10*time.Minute), 8), rate.NewLimiter(rate.Every(10*time.Minute), 8)
	n.typing = newTyping(n.watch.wake)
	if err = n.openVault(ring); err != nil {
		return err
	}
	n.seat = newSeat(n)
	n.gather = &gatherings{network: n.network, who: n.who, host: n.host, keep: c.Keep, memory: c.Memory, clock: clock, own: n.own, vault: n.vault, nick: n.Nick, broken: n.broke, notice: n.notice, copied: c.Copied.Nonces, skew: &skew{notice: n.notice}, log: c.Log}
	n.gather.changed, n.gather.apart = n.changed, c.Beside != nil
	if n.limits.rate > 0 {
		n.gather.limit = n.limits.of
	}
	if !c.NoHistory {
		n.gather.dir = n.profile.network(n.network.ID())
	}
	if err = n.gather.open(); err != nil {
		return err
	}
	n.openPast()
	if err = n.openRotations(); err != nil {
		return err
	}
	n.roster = roster.New(roster.Config{Gate: gate, Session: n.session, Port: n.port, Version: wire.Version, Changed: n.changed, Copied: n.copied, Foreign: n.foreign, Log: c.Log})
	n.port.HandleBegun(identity.ProtoChat, n.accept)
	return nil
}

// openRing returns this person's keys: a courier has those of the node that it is one of.
func (n *Node) openRing() (*seal.Ring, error) {
	if n.config.Beside != nil {
		return n.config.Beside.vault.Ring(), nil
	}
	return n.profile.openRing(time.Now())
}

// release gives the profile back, where it is this node's.
func (n *Node) release() error {
	if n.config.Beside != nil {
		return nil
	}
	return n.profile.close()
}

// changed: another gathering, or other instances in the roster.
func (n *Node) changed() {
	n.watch.wake()
	n.seat.look()
}

// openContacts reads what is remembered of people. A damaged file is set aside, as settings are.
func (n *Node) openContacts() (*contacts, error) {
	path := n.profile.contacts(n.network.ID())
	known, err := openContacts(path, n.config.NoHistory, n.who.ID(), n.log)
	if damage := (*Error)(nil); !errors.As(err, &damage) {
		return known, err
	}
	aside, err := setAside(path)
	if err != nil {
		return nil, err
	}
	n.notice("what was remembered of people was damaged: whom you verified or ignored has to be so again", "the damaged file was set aside: "+aside)
	return openContacts(path, n.config.NoHistory, n.who.ID(), n.log)
}

// chooseNick takes the nick asked for, the one used last, or the default.
func (n *Node) chooseNick() error {
	if n.config.Beside != nil {
		n.nick = n.config.Beside.Nick()
		return nil
	}
	if n.config.Nick != "" {
		nick, err := message.CleanNick(n.config.Nick)
		if err != nil {
			return &Error{Text: err.Error(), Hint: "choose another nickname: earshot --nick NAME", cause: err}
		}
		n.nick = nick
		return n.profile.change(func(s *settings) { s.Nick = nick })
	}
	for _, s := range []string{n.profile.nick(), n.config.DefaultNick, "guest"} {
		if nick, err := message.CleanNick(s); err == nil {
			n.nick = nick
			return nil
		}
	}
	return errors.New("no nickname")
}

// Close releases what New opened, where Run is never called.
func (n *Node) Close() error {
	n.fail()
	var errs []error
	if n.port != nil {
		errs = append(errs, n.port.Close())
	}
	if n.gather != nil && n.gather.current != nil {
		errs = append(errs, n.gather.close())
	}
	if n.profile != nil {
		errs = append(errs, n.release())
	}
	return errors.Join(errs...)
}

// Run takes part until ctx ends, then says goodbye, hands over where it is the hub, and returns when nothing of it is left: no goroutine, no port, no lock.
func (n *Node) Run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(n.broken, end)()
	// The roster outlives the seat, and the port both: they say goodbye over it.
	base, stopBase := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBase()
	listing, stopList := context.WithCancel(base)
	defer stopList()
	for i, a := range n.config.Remembered {
		n.roster.Found(identity.Session{0: 0xff, 6: byte(i >> 8), 7: byte(i)}, a, netip.Addr{}) // no session is known: any name will do
	}
	var roles, list, door sync.WaitGroup
	var portErr, rosterErr error
	door.Go(func() {
		portErr = n.port.Run(base)
		end()
	})
	list.Go(func() {
		rosterErr = n.roster.Run(listing)
		end()
	})
	roles.Go(func() { n.seat.run(ctx) })
	roles.Go(func() { n.watchCommits(ctx) })
	roles.Go(func() { n.acquaint(ctx) })
	roles.Go(func() { n.people.known.keep(ctx, n.people.see) })
	roles.Go(func() { n.keepVault(ctx) })
	roles.Go(func() { n.carry(ctx) })
	roles.Go(func() { n.collect(ctx) })
	roles.Go(func() { n.gather.tidy(ctx) })
	roles.Go(func() { n.watchVersions(ctx) })
	roles.Wait()
	stopList()
	list.Wait()
	stopBase()
	door.Wait()
	n.people.stop()
	n.typing.stop()
	n.watch.close()
	err := errors.Join(n.failed, portErr, rosterErr, n.gather.close(), n.release())
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// broke ends the node: its history cannot be written, nor begun anew.
func (n *Node) broke(err error) {
	n.mu.Lock()
	n.failed = &Error{Text: fmt.Sprintf("the history on disk is damaged: %v", err), Hint: "start earshot again: it sets the damaged files aside and fetches the history from the others", cause: err}
	n.mu.Unlock()
	n.fail()
}

// second is how long what is done about once a second waits for its next turn: all of it takes the same.
func (n *Node) second() time.Duration { return time.Until(n.roster.Round(time.Now().Add(time.Second))) }

// watchCommits follows what becomes durable in the current gathering.
func (n *Node) watchCommits(ctx context.Context) {
	again := time.NewTimer(n.second())
	defer again.Stop()
	var failed error
	for ctx.Err() == nil {
		at, version := n.gather.now()
		changed, stop := at.journal.WatchCommits()
		for v := version; v == version && ctx.Err() == nil; _, v = n.gather.now() {
			n.strand()
			n.own.committed(at.journal)
			if n.serving.Load() {
				at.exchange.Committed()
			}
			if err := at.journal.Err(); (err != nil) != (failed != nil) {
				n.seat.look()
				n.tellKept(err, failed)
				failed = err
			}
			select {
			case <-ctx.Done():
			case <-changed:
				n.watch.wake()
			case <-again.C:
				again.Reset(n.second())
				n.gather.keepStay(false)
				n.gather.restate(ctx)
				if n.serving.Load() {
					for _, h := range n.own.waiting(at.journal) {
						at.exchange.Await(h.Log, h.Seq)
					}
				}
			}
		}
		stop()
	}
}

// tellKept says that what is said cannot be kept from now on, or without an error that it can again, and was failed before.
func (n *Node) tellKept(err, failed error) {
	switch why, until, hint := unkept(err); {
	case err != nil:
		n.notice(why+": what is said is not kept here until "+until, hint)
	case errors.Is(failed, journal.ErrFull):
		n.notice("there is room on the disk again: what is said is kept", "")
	default:
		n.notice("the history can be written again: what is said is kept", "")
	}
}

// Nick returns this person's own.
func (n *Node) Nick() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.nick
}

// DefaultPort is the one most instances have.
const DefaultPort = port.Default

// Network returns the one that this node is in.
func (n *Node) Network() *identity.Network { return n.network }

// Port returns the port number bound; Session this process's.
func (n *Node) Port() int                 { return n.port.Number() }
func (n *Node) Session() identity.Session { return n.session }

// ID returns this person's key.
func (n *Node) ID() identity.PeerID { return n.who.ID() }

// Found tells of an instance that discovery heard of, with the addresses it may be reached at, the one it spoke from first, and the interfaces of this machine that it was heard on. Gone tells
// of its goodbye.
func (n *Node) Found(s identity.Session, addresses []netip.AddrPort, links []string) {
	if s == n.session || len(addresses) == 0 {
		return
	}
	best := addresses[0]
	for _, a := range addresses {
		if !a.Addr().IsLinkLocalUnicast() { // gossip has no zones
			best = a
			break
		}
	}
	n.roster.Found(s, best, addresses[0].Addr())
	n.roster.Heard(s, addresses[0])
	n.seat.found(s, addresses, links)
}

func (n *Node) Gone(s identity.Session) {
	n.roster.Lost(s)
}

// Moved tells which addresses this machine has now on interfaces worth using, best first; none: no network.
func (n *Node) Moved(addresses []netip.Addr) {
	n.mu.Lock()
	first, more, there := !n.placed, grown(n.moved, addresses), slices.Equal(place(n.moved), place(addresses))
	n.placed = true
	n.moved = addresses
	n.mu.Unlock()
	var best netip.Addr
	if len(addresses) > 0 {
		best = addresses[0]
	} else {
		n.notice("no network interface is up: nobody can be found", "connect a network; earshot goes on by itself")
	}
	switch {
	case first:
		n.gather.came(addresses)
	case !there:
		n.gather.moved(addresses)
	}
	n.roster.SetAddress(best)
	n.seat.moved(!first && !there && !n.network.Closed() && !(more && n.seat.with())) // a closed network is the same everywhere
	n.watch.wake()
}

// grown reports whether a machine has all the addresses that it had, and others too. A link-local one it has everywhere.
func grown(had, has []netip.Addr) bool {
	return slices.ContainsFunc(had, func(a netip.Addr) bool { return !a.IsLinkLocalUnicast() }) && !slices.ContainsFunc(had, func(a netip.Addr) bool { return !slices.Contains(has, a) })
}

// Remember returns the addresses at which peers of this network were met, for the next start, the newest first.
func (n *Node) Remember() []netip.AddrPort {
	return n.seat.remember()
}

// Preferred returns what front ends asked to be remembered by Prefer.
func (n *Node) Preferred() map[string]string { return maps.Clone(n.profile.get().Screen) }

// Tell has the user told what this process found out elsewhere: a sentence, and what can be tried.
func (n *Node) Tell(text, hint string) { n.notice(text, hint) }

// notice tells the user something.
func (n *Node) notice(text, hint string) {
	n.mu.Lock()
	n.notices = append(n.notices, Notice{Text: text, Hint: hint})
	if len(n.notices) > 64 {
		n.notices = n.notices[1:]
	}
	n.noticed++
	n.mu.Unlock()
	n.watch.wake()
}
