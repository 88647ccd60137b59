// Package nodetest is a local network in memory, for tests of the real program in fake time.
//
// A LAN has hosts; a host runs processes; a Process is what a test hands to port.Config.Net. Everything a process does on the network
// waits on condition variables and timers alone, so inside a testing/synctest bubble ten minutes of failures pass in milliseconds. The
// package imports nothing of the program, so that the tests of every package under node can use it. Package instance, beside it, runs whole nodes.
//
// # What it does as a real network would
//
//   - A packet takes 200 to 1000 µs, drawn for each, so packets overtake one another. A full or missing receiver loses them, and so does Loss.
//   - A stream keeps its order. It holds 256 KiB that the reader has not read; then the writer blocks. What has arrived can be read while the
//     cable is out. Loss shows as 200 ms more for the share of writes that it hits.
//   - Close is heard as EOF after all that was written, or as ECONNRESET where the closer had not read everything (RFC 2525 §2.17). A write
//     to an end that has closed succeeds, and is answered by ECONNRESET.
//   - Cut and Split lose packets without a word and stall streams; Heal and Join let streams go on. A dial waits for its context. Deafen and Gag do it in one direction, Sever to one other.
//   - Freeze is SIGSTOP: the kernel goes on taking what comes.
//   - Crash is kill -9: what the process had written still arrives, then ECONNRESET; dials are refused from then on. Cut followed by Crash is a power
//     failure: what was on its way is gone, and the others hear nothing until Heal.
//
// # Limits
//
// The seed fixes what is drawn, not which goroutine draws first, so a run does not repeat exactly. There are no routers but Translate's and no IPv6, multicast and
// broadcast go nowhere (Announce stands in for discovery), and a stream that stalls never gives up.
//
// Fake time passes only while every goroutine of the bubble waits for something that the bubble knows. A mutex is not: two goroutines that write to
// one tls.Conn whose reader is stuck, or one that reads while another still shakes hands, stop the clock, and the test hangs until its -timeout.
//
// All methods may be called from any goroutine. One mutex guards a LAN and everything in it.
package nodetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	minLatency = 200 * time.Microsecond
	maxLatency = 1000 * time.Microsecond
	// retransmit is what a lost segment costs a stream: the least retransmission timeout of Linux.
	retransmit = 200 * time.Millisecond
	// translatorMemory is less than that of any router people have: it is to be found out what is sent too rarely.
	translatorMemory = 15 * time.Second
)

// A LAN is a network of hosts on switches.
type LAN struct {
	mu         sync.Mutex
	rng        *rand.Rand
	loss       int // percent of packets
	delay      time.Duration
	hosts      []*Host
	stalled    []*pipe       // have something under way that could not arrive
	topology   chan struct{} // closed, and made anew, whenever who reaches whom changes
	ads        []*announcement
	renumbered int // addresses
	carried    int64
	opened     int
}

// New returns a LAN without hosts.
func New(seed uint64) *LAN {
	return &LAN{rng: rand.New(rand.NewPCG(seed, seed)), topology: make(chan struct{})}
}

// A Host is a machine with one address.
type Host struct {
	lan  *LAN
	name string
	ip   netip.Addr

	// Guarded by lan.mu.
	cut       bool
	mute      bool
	deaf      bool
	dumb      bool
	severed   []*Host
	loss      int                          // percent of what it sends
	network   int                          // the switch it is plugged into
	all       bool                         // it has a card in each
	outside   netip.Addr                   // valid: what a translator shows of it
	asked     map[netip.AddrPort]time.Time // whom it sent packets through that, and when last
	processes []*Process
}

// Host returns the host of that name, and adds it on first use: 10.0.0.1, 10.0.0.2 and so on.
func (l *LAN) Host(name string) *Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hostLocked(name)
}

func (l *LAN) hostLocked(name string) *Host {
	for _, h := range l.hosts {
		if h.name == name {
			return h
		}
	}
	i := len(l.hosts)
	h := &Host{lan: l, name: name, ip: netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i%250 + 1)})}
	l.hosts = append(l.hosts, h)
	return h
}

// Name returns the name, IP the address.
func (h *Host) Name() string { return h.name }
func (h *Host) IP() netip.Addr {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	return h.ip
}

// Cut pulls a host's cable; processes on it still reach each other. Heal puts it back.
func (l *LAN) Cut(host string) { l.change(func() { l.hostLocked(host).cut = true }) }
func (l *LAN) Heal(host string) {
	l.change(func() {
		h := l.hostLocked(host)
		h.cut, h.deaf, h.dumb, h.loss = false, false, false, 0
		for _, o := range h.severed {
			o.severed = slices.DeleteFunc(o.severed, func(x *Host) bool { return x == h })
		}
		h.severed = nil
	})
}

// Sever keeps two hosts from each other and from nobody else, as a bad port of a switch does. Heal of either ends it.
func (l *LAN) Sever(a, b string) {
	l.change(func() {
		h, o := l.hostLocked(a), l.hostLocked(b)
		h.severed, o.severed = append(h.severed, o), append(o.severed, h)
	})
}

// Renumber gives a host another address, which it returns, as DHCP does. What goes on under the old one is not heard any more.
func (l *LAN) Renumber(host string) (ip netip.Addr) {
	l.change(func() {
		h := l.hostLocked(host)
		l.renumbered++
		h.ip = netip.AddrFrom4([4]byte{10, 1, byte(l.renumbered / 250), byte(l.renumbered%250 + 1)})
		ip = h.ip
	})
	return ip
}

// Deafen breaks one direction of a host's cable: it is heard, and hears nobody. Gag breaks the other. Heal ends that, too.
func (l *LAN) Deafen(host string) { l.change(func() { l.hostLocked(host).deaf = true }) }
func (l *LAN) Gag(host string)    { l.change(func() { l.hostLocked(host).dumb = true }) }

// Mumble loses that share of the packets that a host sends, beside what Loss loses, until Heal.
func (l *LAN) Mumble(host string, percent int) {
	l.change(func() { l.hostLocked(host).loss = percent })
}

// Mute keeps Announce from a host and to it, as a firewall or a router does; all else passes.
func (l *LAN) Mute(host string) { l.change(func() { l.hostLocked(host).mute = true }) }

// Translate puts a router between a host and all others that hides it behind an address of the router's, which it returns: others can answer the host, and not begin. Who says nothing
// over a stream or to another host for as long as translatorMemory is forgotten. Announce does not pass.
func (l *LAN) Translate(host string) (outside netip.Addr) {
	l.change(func() {
		h := l.hostLocked(host)
		l.renumbered++
		h.mute, h.outside, h.asked = true, netip.AddrFrom4([4]byte{10, 2, byte(l.renumbered / 250), byte(l.renumbered%250 + 1)}), map[netip.AddrPort]time.Time{}
		outside = h.outside
	})
	return outside
}

// Split plugs each group of hosts into a switch of its own. Hosts in no group stay where they are.
func (l *LAN) Split(groups ...[]string) {
	l.change(func() {
		for i, g := range groups {
			for _, name := range g {
				l.hostLocked(name).network = i
			}
		}
	})
}

// Bridge gives a host a card in each switch, all with its one address. It passes nothing on.
func (l *LAN) Bridge(host string) { l.change(func() { l.hostLocked(host).all = true }) }

// Card names the card of h on which another is heard, by its address.
func (h *Host) Card(other netip.Addr) string {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if o := h.lan.findLocked(other, h); o != nil && h.all && !o.all {
		return fmt.Sprint("card", o.network)
	}
	return "card"
}

// Join plugs all hosts into one switch.
func (l *LAN) Join() {
	l.change(func() {
		for _, h := range l.hosts {
			h.network = 0
		}
	})
}

// Loss loses that share of the packets from now on; 0 ends it.
func (l *LAN) Loss(percent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss = percent
}

// Delay has each packet take that much longer from now on.
func (l *LAN) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Carried is how many bytes were written so far to streams that had lasted for 3 s: gossip's are shorter.
func (l *LAN) Carried() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

// Opened is how many streams were opened so far.
func (l *LAN) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

// InUse is how many ports are bound and streams open.
func (l *LAN) InUse() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hosts {
		for _, p := range h.processes {
			n += len(p.listeners) + len(p.sockets) + len(p.conns)
		}
	}
	return n
}

// Crash kills everything that runs on a host, without a chance to say goodbye. What is started there later works again.
func (l *LAN) Crash(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range slices.Clone(l.hostLocked(host).processes) {
		p.crashLocked()
	}
}

// change changes who reaches whom, and wakes all that waits for it.
func (l *LAN) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.topology)
	l.topology = make(chan struct{})
	stalled := l.stalled
	l.stalled = nil
	for _, p := range stalled {
		p.resumeLocked()
	}
	l.announceLocked()
}

// reachLocked reports whether a packet from a arrives at b.
func reachLocked(a, b *Host) bool {
	return a == b || !a.cut && !b.cut && !a.dumb && !b.deaf && (a.network == b.network || a.all || b.all) && !slices.Contains(a.severed, b)
}

// opensLocked reports whether the first packet from a arrives at b, where reachLocked says whether an answer does.
func opensLocked(a, b *Host) bool { return reachLocked(a, b) && (a == b || !b.outside.IsValid()) }

func (l *LAN) latencyLocked() time.Duration {
	return l.delay + minLatency + time.Duration(l.rng.Int64N(int64(maxLatency-minLatency)))
}

// loseLocked draws whether a packet from a host is lost.
func (l *LAN) loseLocked(from *Host) bool {
	return l.rng.IntN(100) < l.loss || from.loss > 0 && l.rng.IntN(100) < from.loss
}

// findLocked returns the host with an address; self is what loopback addresses mean.
func (l *LAN) findLocked(ip netip.Addr, self *Host) *Host {
	if ip = ip.Unmap(); ip.IsLoopback() {
		return self
	}
	for _, h := range l.hosts {
		if h.ip == ip || h.outside == ip {
			return h
		}
	}
	return nil
}

// translateLocked is the address that others see of a.
func (h *Host) translateLocked(to *Host, a netip.AddrPort) netip.AddrPort {
	if h == to || !h.outside.IsValid() {
		return a
	}
	return netip.AddrPortFrom(h.outside, a.Port())
}

// rememberLocked notes that h sent a packet there; answeredLocked reports whether one from there may come in.
func (h *Host) rememberLocked(to netip.AddrPort) {
	if h.outside.IsValid() {
		h.asked[to] = time.Now()
	}
}

func (h *Host) answeredLocked(from, to netip.AddrPort) bool {
	return !h.outside.IsValid() || to.Addr() == h.outside && time.Since(h.asked[from]) < translatorMemory
}
