// Package doctor says why nobody is found, or that all is well.
//
// Examine looks for a few seconds: on every interface it asks by multicast and counts what comes back (discovery.Look), it looks at each instance that it hears of, remembers, or was
// told of (Config.Look), and it reads what a user may read of the firewall and of the routes. It announces nothing and takes part in nothing, so it works beside an instance that runs. What it saw is
// the Report; diagnose makes findings of that, and is a pure function: each rule is a few lines there, and a row in its test.
//
// A finding is one sentence and, where there is one, the command that mends it, to be pasted as it is. The first finding is the one to begin with: a cause comes before what follows from it, and
// guesses (a guest Wi-Fi, a VPN) are told only where no cause is known.
//
// # What each test can tell
//
//   - Own multicast. A question is looped back by the system after the firewall's output and through its input, so one that does not come back is dropped on this machine, whatever firewall
//     that is, and no root is needed to know. What comes back says nothing about the network beyond.
//   - Reading the firewall needs root on Linux. The rules are evaluated for one packet of a neighbour, as far as they are understood (firewall.go): an unknown condition makes a verdict
//     unclear, and of an unclear one nothing is said.
//   - Whether others can reach this machine through a firewall that cannot be read, nobody can tell from here.
//   - Whoever asks for earshots and is not heard to offer one has a firewall that drops mDNS, or that network does: it is looked at on the usual port.
//   - The gateway is asked by a connection to its port 80, which is closed at once. It answers where the port is open or refused, or where the system knows its hardware
//     address. A network in which it answers and nobody else is heard keeps its clients
//     apart, or is empty: from here the two look the same, and the sentence says so.
//
// # Systems
//
// Interfaces, own multicast, instances and the default route are the same everywhere. Linux tells of the gateway (/proc/net/route) and of nftables, iptables, ufw and firewalld. On
// Windows and macOS the firewall is not read: it is said where to look, and with which command earshot is let through. These were not tried there.
//
// Goroutines: those of one call of Examine, which have ended when it returns.
package doctor

import (
	"cmp"
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"earshot/discovery"
)

const (
	// listening is how long it listens: an answer comes within 120 ms, and of four questions in that time one arrives where every second packet is lost.
	listening = 2500 * time.Millisecond
	// looking bounds one look at a peer, and whatever else may hang.
	looking = 2 * time.Second
	// usual is the port that an instance has unless it is told another, or the port is taken.
	usual = 4327
	// maxLooks bounds the addresses looked at, maxEach those of one answer, and atOnce how many at a time: on an open network anybody can make records of instances that do not exist.
	maxLooks, maxEach, atOnce = 64, 4, 16
)

// Config of Examine. Tag and Look are required.
type Config struct {
	Network string // for the report
	Closed  bool
	// Port is the one others would dial here; zero: 4327.
	Port uint16
	// Tag as discovery's.
	Tag func(session [8]byte, port uint16) [16]byte
	// Look looks at an instance without taking part. It is called from several goroutines.
	Look func(ctx context.Context, address string) Peer
	// Own is this person's fingerprint, and Session that of this process, where it takes part: neither is somebody found.
	Own     string
	Session [8]byte
	// Join are host:port given by hand, Remembered where peers were met before.
	Join       []string
	Remembered []netip.AddrPort
}

// Source is how an address became known.
type Source string

const (
	Heard      Source = "mdns"
	ByHand     Source = "join"
	Remembered Source = "remembered"
	Asked      Source = "asked" // it asked for others, and was not heard to answer
)

// Refusals of a peer, as Config.Look reports them.
const (
	Closed  = "closed"  // the machine is up, and nothing listens there
	Silent  = "silent"  // nothing answers
	Barred  = "barred"  // the network, or the system, says that there is no way
	Network = "network" // another network, or another key
	Version = "version" // another protocol; Peer.Err says who must upgrade
	Foreign = "foreign" // something else listens there
	Name    = "name"    // the host has no address
)

// A Peer is an instance as it looks from here.
type Peer struct {
	Address string `json:"address"`
	Source  Source `json:"source"`
	Refusal string `json:"refusal,omitempty"` // empty: it answered
	Err     string `json:"error,omitempty"`
	ID      string `json:"id,omitempty"` // fingerprint
	Session string `json:"session,omitempty"`
	Nick    string `json:"nick,omitempty"`
	Hub     bool   `json:"hub"`
	Here    int    `json:"here"` // instances that it sees, itself included
	// Ahead is how far its clock is ahead of this machine's, Vouched whether three clocks say so.
	Ahead   time.Duration `json:"clock_ahead_ns"`
	Vouched bool          `json:"clock_vouched"`
	Took    time.Duration `json:"took_ns"`
	// Me: it is this person's, on this machine.
	Me bool `json:"me"`

	heardAs [8]byte // the session that said so by mDNS
}

// A Report is what was seen, and what it means.
type Report struct {
	Network  string            `json:"network"`
	Closed   bool              `json:"closed"`
	Port     uint16            `json:"port"`
	Found    int               `json:"found"` // instances besides this person's own here
	System   string            `json:"system"`
	Root     bool              `json:"root"`
	Survey   *discovery.Survey `json:"-"`
	Route    Route             `json:"-"`
	Firewall Firewall          `json:"-"`
	Peers    []Peer            `json:"peers"`
	Findings []Finding         `json:"findings"`

	tools map[string]bool // that are installed here
	own   []netip.Prefix  // addresses of used interfaces
}

// Examine looks around. Its error says that this was not possible at all.
func Examine(ctx context.Context, c Config) (*Report, error) {
	c.Port = cmp.Or(c.Port, usual)
	r := &Report{Network: c.Network, Closed: c.Closed, Port: c.Port, System: runtime.GOOS}
	listen, cancel := context.WithTimeout(ctx, listening)
	defer cancel()
	l := &looks{c: c, ctx: ctx, turn: make(chan struct{}, atOnce), peers: map[string]*Peer{}}
	for _, a := range c.Join {
		l.look(ByHand, a, [8]byte{})
	}
	for _, a := range c.Remembered {
		l.look(Remembered, a.String(), [8]byte{})
	}
	var reading sync.WaitGroup
	reading.Go(func() { r.Firewall, r.tools, r.Root = readFirewall(ctx) })
	reading.Go(func() { r.Route = readRoute(ctx) })
	survey, err := discovery.Look(listen, discovery.SurveyConfig{Tag: c.Tag, Found: func(p discovery.Peer) {
		if p.Session != c.Session || c.Session == [8]byte{} {
			l.heard(p)
		}
	}})
	if err == nil {
		for _, a := range survey.Askers { // on the port that most have
			l.look(Asked, netip.AddrPortFrom(a, usual).String(), [8]byte{})
		}
	}
	reading.Wait()
	l.work.Wait()
	if err != nil {
		return nil, err
	}
	r.Survey = survey
	for _, i := range survey.Interfaces {
		if i.Use == discovery.Used {
			r.own = append(r.own, i.Addresses...)
		}
	}
	r.Peers = merge(l.all(), c.Own, r.own)
	r.Found = found(r.Peers)
	for _, p := range r.Peers {
		if p.Me { // others dial that one
			_, port := hostPort(p.Address)
			r.Port = number(port)
		}
	}
	r.Findings = diagnose(r)
	return r, ctx.Err()
}

// looks are those under way.
type looks struct {
	c    Config
	ctx  context.Context
	turn chan struct{} // has room for those that may look
	work sync.WaitGroup

	mu    sync.Mutex // protects peers and their fields
	order []string
	peers map[string]*Peer // by address
}

// heard looks at an instance wherever it may be reached: a firewall may differ from one family to the other.
func (l *looks) heard(p discovery.Peer) {
	for _, a := range p.Addresses[:min(len(p.Addresses), maxEach)] {
		l.look(Heard, a.String(), p.Session)
	}
}

// look looks at an address once, and remembers the source that says most about it: heard, then by hand.
func (l *looks) look(s Source, address string, session [8]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[address]; p != nil {
		if s == Heard {
			p.Source, p.heardAs = s, session
		}
		return
	}
	if len(l.peers) >= maxLooks {
		return
	}
	l.peers[address] = &Peer{Address: address, Source: s, heardAs: session}
	l.order = append(l.order, address)
	l.work.Go(func() {
		l.turn <- struct{}{}
		ctx, cancel := context.WithTimeout(l.ctx, looking)
		p := l.c.Look(ctx, address)
		cancel()
		<-l.turn
		l.mu.Lock()
		defer l.mu.Unlock()
		p.Address, p.Source, p.heardAs = address, l.peers[address].Source, l.peers[address].heardAs
		*l.peers[address] = p
	})
}

func (l *looks) all() (all []Peer) {
	for _, a := range l.order {
		all = append(all, *l.peers[a])
	}
	return all
}

// merge makes one of what was seen of one instance at several addresses: the answer at its best, or else the most telling of the refusals.
func merge(all []Peer, own string, here []netip.Prefix) (peers []Peer) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].rank() < all[j].rank() })
	for _, p := range all {
		if p.Refusal != "" && p.Source == Remembered && local(p.Address, here) {
			continue // of another profile, or of when this address was another machine's: nobody is to be met there
		}
		p.Me = p.Refusal == "" && p.ID == own && own != "" && local(p.Address, here)
		at := slices.IndexFunc(peers, func(q Peer) bool {
			return p.heardAs != [8]byte{} && p.heardAs == q.heardAs || p.Refusal == "" && p.Session == q.Session
		})
		switch {
		case at < 0:
			peers = append(peers, p)
		case p.Source == Heard:
			peers[at].Source, peers[at].heardAs = Heard, p.heardAs
		}
	}
	sort.SliceStable(peers, func(i, j int) bool { return peers[i].Refusal < peers[j].Refusal })
	return peers
}

// rank is the lower the more is known, and the plainer the address is to people.
func (p Peer) rank() int {
	rank := slices.Index([]string{"", Version, Network, Closed, Foreign, Barred, Name, Silent}, p.Refusal) * 2
	if strings.HasPrefix(p.Address, "[") {
		rank++
	}
	return rank
}

// local reports whether host:port is an address of this machine.
func local(address string, here []netip.Prefix) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && (a.Addr().IsLoopback() || slices.ContainsFunc(here, func(p netip.Prefix) bool { return p.Addr() == a.Addr().WithZone("").Unmap() }))
}

// found counts the instances that answered, or that this person's own instance here sees.
func found(peers []Peer) (n int) {
	beyond := 0
	for _, p := range peers {
		switch {
		case p.Refusal != "":
		case p.Me:
			beyond = max(beyond, p.Here-1)
		default:
			n++
		}
	}
	return max(n, beyond)
}
