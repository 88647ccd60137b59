// Package discovery finds who is on this LAN. It owns everything multicast: a responder, an announcer, a querier, and the watch over network interfaces. It
// imports nothing of the program: main hands its findings to node.
//
// The service is described by DNS-SD (RFC 6763) over mDNS (RFC 6762) as Service: the instance is the session in hex, the host <session>.local., and TXT
// holds v=1, i=session, n=tag, r=role. No nick, host name or network name goes on the air. The session is random, so names are not probed for conflicts.
//
// For each usable interface (see choose) there is a link:
//
//   - hashicorp/mdns answers questions by unicast. Its Zone is ours: names match in any case, the records are those of that interface, the questions of one packet
//     are answered once, and the process gives at most 20 answers a second: whoever floods it with questions gets fewer bytes than it sends.
//   - One socket per family on port 5353 announces by multicast, at the start, on change, and when it hears a question: an answer by unicast does not get through
//     a stateful firewall, one by multicast does. It also hears what others announce, and answers tools like dig, whose query ID the library does not return.
//   - One socket per family on a port of its own asks. What arrives never makes it ask: only time, Kick, another set of interfaces, or being alone. After the first
//     seven questions those heard in the last minute are named in it, and do not announce themselves again.
//
// Some networks drop multicast. Whoever is alone for 5 s also calls by broadcast (see beacon.go) from the program's own port, about every 5 s and after a minute about
// every 30 s: a packet of 39 bytes for each IPv4 network, and one to all nodes of IPv6. Members answer by unicast, at most 4 times a second after 16 at once, with a packet as long.
// A beacon is believed as to the address it came from, which must be on a link.
//
// How much it sends: the schedule asks at 0, 0.25, 1, 2, 4, 8 and 16 s and then every 30 s ± 25 %, every 3 s for each peer where that is longer, at most every 5 minutes, every 5 s while
// alone. With answers and announcements that settles to 0.1 packets a second and host in each family where there are two hosts, 0.4 where there are 20, 1.4
// where there are 250 (TestTraffic). Somebody asks at least every 40 s, so that is how long a partition that healed can go unnoticed here, however many there are.
// Interfaces are looked at every 3 s, so what changes there is known in that time and asked about at once.
//
// What is told of a peer: the packet's source first, then the addresses in its records. An address that the peer stops naming on a link is forgotten with
// the next packet that is a second younger; one on a link that went silent, after two minutes.
//
// Goroutines: Run, and one reader for each socket that it opened, which end before Run returns (the library's own end with their sockets, just after). All
// callbacks come from the goroutine of Run, which does all the sending too. Readers and Hear hand over through bounded queues; what does not fit is lost, as any
// packet may be, and asked for again. Memory is bounded: 1,024 peers are remembered, for two minutes, only so as not to repeat them; under a flood any of
// them may be forgotten, and a real one is then reported again. On an open network anybody can make records whose tags are valid: all of them are reported, and whom
// to dial first is the caller's to decide.
//
// Look is for who wants to know who is there, or what is wrong, and takes no part: it asks and counts what comes, on sockets of its own, and announces nothing.
//
// Loopback is never used: its multicast is no network, and two instances on a machine without any have other means to meet.
//
// # Systems
//
// All of this is tested on Linux, on networks of namespaces, beside avahi too. What follows is from documentation and from the source of Go's net and x/net; it compiles
// and was not run.
//
//   - Interface: Linux, macOS and FreeBSD take it by index. For IPv4 Windows, OpenBSD and NetBSD take the interface's first IPv4 address, which x/net fills in: two
//     interfaces with the same IPv4 address would be one there.
//   - Multicast loopback, by which two instances on a machine hear each other, is an option of the sender on Unix and of the receiver on Windows. It is
//     set on every socket, which serves both.
//   - Port 5353 is shared. Go sets SO_REUSEADDR for a socket that is bound to a multicast address, and on macOS and the BSDs SO_REUSEPORT too, as mDNSResponder does; then every
//     socket gets every multicast packet, also another user's. A packet by unicast reaches one socket of all, which may be another program's: so questions are
//     asked from a port of their own. On Windows SO_REUSEADDR shares the port with the DNS client service, unless that opened it exclusively: then there
//     is a warning, and questions, which need no shared port, and beacons still find others.
//   - On Windows x/net does not tell which interface a packet came in on. A socket gets what came where it joined the group, which is its own link; where sockets of several
//     links get the same packet, that of IPv6 is still told apart by the zone of its source, and of IPv4 only the source and the addresses in it count, which have no zone.
//   - Names: Windows interfaces are called as the user sees them ("Ethernet 2", "Wi-Fi", "vEthernet (WSL)"), and zones are those names or numbers, both of which Go parses. macOS' awdl0,
//     llw0 (Apple devices' own radio links), bridge100 (shared internet, virtual machines) and utun (VPN, point-to-point) are left out.
//   - macOS asks the user, from version 15 on, whether a program may find devices on the local network; a program started from Terminal has its permission. Until it is given,
//     sending fails with "no route to host", which is logged and tried again.
//   - Broadcast needs SO_BROADCAST, which Go sets on every UDP socket. The port's socket is one for both families: an IPv4 broadcast goes out through it as
//     a mapped address. Linux and Windows document that; where a system refuses (OpenBSD has no mapped addresses), it is logged and IPv6's beacon is left.
package discovery

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
)

// Service is the DNS-SD type.
const Service = "_earshot._tcp"

// A Peer is an instance as it was heard of. Nothing of it is trusted but the tag, and that only in closed networks.
type Peer struct {
	Session   [8]byte
	Addresses []netip.AddrPort // where it may be reached, best first: the packet's source, its records, then what was heard in the last two minutes
	Links     []string         // the interfaces of this machine on which it was heard in the last two minutes, where that is known
	Role      string           // a hint: up to 16 of a-z
}

// Config of a Discovery. Session, Port and Tag are required; a function that is nil is not called.
type Config struct {
	Session [8]byte
	// Port is announced in SRV.
	Port uint16
	// Tag returns what proves that a session on a port belongs to the network; records that fail it are ignored.
	Tag func(session [8]byte, port uint16) [16]byte
	// Found is called for each answer of a peer, at most once a second per peer while nothing of it changes; Gone for its goodbye; Moved with this machine's usable
	// addresses at the start and when they change, best first, nil when there is none. They are called from one goroutine, as Tag, Peers and Send are, and must not block.
	Found func(Peer)
	Gone  func(session [8]byte)
	Moved func([]netip.Addr)
	// Peers returns how many others take part as far as is known: with none it asks every 5 s, with many more rarely. Where nil, how many were heard lately, fakes among
	// them.
	Peers func() int
	// Send sends a beacon from the port's UDP socket, sealed so that members of the network alone understand it, and must not block for longer than sending takes. What
	// members send is given to Hear. Where nil there are no beacons. They go to Port, and to BeaconPort where that is another: the one most have.
	Send       func(b []byte, to netip.AddrPort) error
	BeaconPort uint16
	Log        *slog.Logger
}

// A Discovery is described in the package comment.
type Discovery struct {
	c       Config
	kick    chan struct{} // room for one
	changed chan struct{} // room for one: role is another
	beacons chan overheardBeacon

	mu   sync.Mutex // protects role
	role string
}

// New returns a Discovery that does nothing until Run.
func New(c Config) *Discovery {
	if c.Found == nil {
		c.Found = func(Peer) {}
	}
	if c.Gone == nil {
		c.Gone = func([8]byte) {}
	}
	if c.Moved == nil {
		c.Moved = func([]netip.Addr) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Discovery{c: c, kick: make(chan struct{}, 1), changed: make(chan struct{}, 1), beacons: make(chan overheardBeacon, maxBeacons)}
}

// Run announces and asks until ctx ends, then says goodbye and returns nil. Where no interface is usable it waits for one. It is called once.
func (d *Discovery) Run(ctx context.Context) error {
	r := newRun(d)
	defer r.close()
	return r.loop(ctx)
}

// SetRole changes the hint in TXT ("hub" or ""), and announces it, within a second. What is not up to 16 of a-z counts as "". Any goroutine may call it.
func (d *Discovery) SetRole(role string) {
	d.mu.Lock()
	d.role = cleanRole(role)
	d.mu.Unlock()
	signal(d.changed)
}

func (d *Discovery) currentRole() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.role
}

// Kick starts the schedule of questions and announcements anew, unless it is in its first second anyway. Any goroutine may call it.
func (d *Discovery) Kick() { signal(d.kick) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
