// Package roster keeps the list of live instances of one network, on hashicorp/memberlist: who is alive, who claims to be the hub, who cannot
// reach it, and graceful leaves. It carries no chat and no nicknames.
//
// It stands on a transport of its own: every UDP packet is 0xE1 || nonce 12 || AES-256-GCM(K_gossip, AAD "earshot/v1 gossip"), at most 1,472 bytes (and as sent
// 1,452, which IPv6 has room for), over the port's socket; every stream is an admitted connection with ALPN earshot-gossip. memberlist's compression, encryption, labels and user messages are
// neither sent nor let in, and no host name is ever looked up.
//
// Meta is signed by the instance's person, over the network, the name and the address too: who is not signed, not named by the session, or at another
// address than the one signed is no member, nor who speaks another version of the protocol: of two versions nobody could follow the other's hub, so they are two lists, with an election each. Within a network members are trusted to be honest about others' deaths: a forged one is refuted in about
// a second. An old status cannot be brought up again. At most 1,024 members are known.
//
// A partition that heals is never noticed by memberlist, so non-members that discovery finds are joined, eight at a time: at once, then after 1, 2, 5, 15 and
// 30 s, for a minute after they were last found. So are members that died, every half to two seconds for a minute, or until their machine says that the
// process is gone. At most 256 addresses are kept; where there are more, whoever told of most has to give way (see leads).
//
// Gossip goes round four times a second, two of them with a probe: at rest what costs is to wake up, and what else a process does about as often goes with it (Round). That this instance took or gave up the seat, lost the hub or
// leaves, and that a partition is over, does not wait for that: a dozen members are told at once, by pings that carry it. States are exchanged with any one member
// every 30 s, for each is a handshake; every 5 s, or less often from 32 members on, while something has changed in the last 30, because what gossip lost then (in a partition too short for anybody to be
// declared dead) is said again by nobody else.
//
// A machine with two cards advertises the address of one. Whoever hears it on the network of the other sends to where it was heard too (see Heard), and asks it after members of the first
// network, as memberlist does of any whom it does not reach itself: so all are members everywhere that a machine with two cards can see.
// Likewise a stream that is not answered in the family of the address advertised goes over the other, and while that is so packets go there too: many firewalls were told of IPv4 alone.
//
// When the address it advertises changes, a new Memberlist takes over under a new name (the session with a counter behind it), and the old one leaves as soon
// as the new one has met somebody. The members stay listed meanwhile, for at most three seconds.
//
// Goroutines: memberlist's own; those of Run: one that publishes and follows the address, up to eight that join, one that exchanges states, one for each of the dozen who are told something at once, and one while an old Memberlist leaves.
// Run returns when its own have stopped and memberlist's have nothing left to wait for. memberlist's callbacks copy under this package's lock and return: they never call memberlist. Members is a copy.
package roster

import (
	"context"
	"crypto/cipher"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/port"
)

// A Member is another live instance.
type Member struct {
	Session identity.Session
	ID      identity.PeerID
	Address netip.AddrPort
	Since   time.Time // when it was first seen here; an absence of less than a minute does not count
	Status
}

// Config of a Roster.
type Config struct {
	Gate    *identity.Gate
	Session identity.Session
	Port    *port.Port
	// Version is of the protocol spoken. Nodes of another one are no members here, nor this one there: of two versions nobody could follow the other's hub.
	Version uint8
	// Address is the address to advertise, one the others can reach; it may be changed with SetAddress. Invalid: no gossip until it is set.
	Address netip.Addr
	// Changed is called, on any goroutine, after the list or a status changed. It must not block.
	Changed func()
	// Copied, if set, is called once, on any goroutine, when this very process is met at another address: the machine was copied while it ran. It must not block.
	Copied func()
	// Foreign, if set, is called, on any goroutine, with the address that a node of another version says it has. Nothing of that is proven. It must not block.
	Foreign func(netip.AddrPort)
	Log     *slog.Logger
}

// A Roster is described in the package comment. All methods may be called from any goroutine, before Run, during it and after it.
type Roster struct {
	config Config
	seal   cipher.AEAD
	list   list
	kick   chan struct{}
	work   sync.WaitGroup // of Run

	mu      sync.Mutex // guards all below
	status  Status
	stale   bool      // status is newer than what was published,
	urgent  bool      // and the others shall act on it
	news    time.Time // when the list or the status changed last
	address netip.Addr
	leads   leads
	heard   map[identity.Session]heard
	current *generation // nil: no gossip
}

// New registers the transport with the port; it must be called before port.Run.
func New(c Config) *Roster {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Copied == nil {
		c.Copied = func() {}
	}
	c.Copied = sync.OnceFunc(c.Copied)
	if c.Foreign == nil {
		c.Foreign = func(netip.AddrPort) {}
	}
	network := c.Gate.Network()
	a, err := newSeal(network.GossipKey())
	if err != nil {
		panic(err) // a network's key has 32 bytes
	}
	r := &Roster{config: c, seal: a, kick: make(chan struct{}, 1), address: c.Address, heard: make(map[identity.Session]heard)}
	r.list = list{network: network.ID(), version: c.Version, foreign: c.Foreign, self: c.Session, person: c.Gate.Identity().ID(), entries: make(map[string]*entry)}
	c.Port.HandlePackets(Kind, r.receive)
	c.Port.Handle(identity.ProtoGossip, r.serve)
	return r
}

// Publish sets this instance's status; only the newest is sent, to all in two rounds of gossip of 250 ms. That it took or gave up the seat, or lost the hub, a dozen
// members are told at once. r keeps a copy.
func (r *Roster) Publish(s Status) {
	s.Tags = append([][8]byte(nil), s.Tags...)
	r.mu.Lock()
	if old := r.status; !old.equal(s) {
		r.stale, r.news = true, time.Now()
		r.urgent = r.urgent || old.Hub != s.Hub || old.LostHub != s.LostHub || old.LostTerm != s.LostTerm
	}
	r.status = s
	r.mu.Unlock()
	r.poke()
}

// Found says that an instance may be at that address; if it is not a member it is joined, and again for a minute until it is one. Where the session is
// not known any will do: whoever is a member at that address counts. teller is where the packet came from that said so; not valid: the instance itself.
func (r *Roster) Found(s identity.Session, a netip.AddrPort, teller netip.Addr) {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if s == r.config.Session || !a.IsValid() || a.Port() == 0 {
		return
	}
	r.mu.Lock()
	r.leads.add(s, a, teller.Unmap(), false, time.Now())
	r.mu.Unlock()
	r.poke()
}

// Lost says that discovery heard the instance's goodbye: it is not joined again. Whether it is a member the gossip says.
func (r *Roster) Lost(s identity.Session) {
	r.mu.Lock()
	r.leads.drop(s)
	r.mu.Unlock()
}

// SetAddress changes the advertised address. Invalid: there is no network; nobody is a member.
func (r *Roster) SetAddress(a netip.Addr) {
	r.mu.Lock()
	r.address = a.Unmap()
	r.mu.Unlock()
	r.poke()
}

// Round returns when the last round of gossip is until t, or t where there is none before that. This process wakes up for it anyhow: what has no moment of its own goes
// with it.
func (r *Roster) Round(t time.Time) time.Time {
	if g := r.generation(); g != nil {
		if round := t.Add(-t.Sub(g.began) % gossipEvery); round.After(time.Now()) {
			return round
		}
	}
	return t
}

// Members returns the other live instances, by session.
func (r *Roster) Members() []Member { return r.list.members() }

// receive is the port's handler of packets.
func (r *Roster) receive(b []byte, from netip.AddrPort) {
	g := r.generation()
	if g == nil {
		return
	}
	if b, err := open(r.seal, b); err == nil {
		g.tr.receive(b, from)
	}
}

// serve is the port's handler of streams.
func (r *Roster) serve(ctx context.Context, c *identity.Conn) {
	g := r.generation()
	if g == nil {
		c.NetConn().Close()
		return
	}
	g.tr.serve(ctx, c)
}

func (r *Roster) generation() *generation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

func (r *Roster) published() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Roster) changed() {
	r.mu.Lock()
	r.news = time.Now()
	r.mu.Unlock()
	r.poke()
	r.config.Changed()
}

// missed remembers where a member was that is one no more. It is not joined at once: one that said goodbye still listens for a moment, in which all have better
// to do.
func (r *Roster) missed(m Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leads.add(m.Session, m.Address, netip.Addr{}, true, time.Now().Add(backoffFound))
}

func (r *Roster) poke() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}
