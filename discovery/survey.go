package discovery

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// SurveyConfig is what a survey needs. Tag is required.
type SurveyConfig struct {
	// Tag as in Config.
	Tag func(session [8]byte, port uint16) [16]byte
	// Found, if set, is called for each answer of a peer that tells an address not told yet. It is called from one goroutine, and must not block. Instances on this very machine are
	// among the peers.
	Found func(Peer)
	Log   *slog.Logger
}

// A Survey is what was sent and heard on each interface.
type Survey struct {
	Interfaces []Interface
	// Machines are others that were heard, by their addresses in the family that has more, and Services the DNS-SD types that they told of: also ours.
	Machines int
	Services []string // sorted
	// Sources are the addresses of those machines, in no order.
	Sources []netip.Addr
	// Strangers counts earshot instances whose tag is of another network.
	Strangers int
	// Askers are addresses that asked for our service, and were not heard to offer it: an earshot whose announcements do not arrive, or which does not hear questions.
	Askers []netip.Addr
}

// A Use is whether an interface is used, and why it is not.
type Use string

const (
	Used         Use = "used"
	Loopback     Use = "loopback"
	Down         Use = "down"         // switched off
	NoCarrier    Use = "no carrier"   // no cable, no Wi-Fi
	NoAddress    Use = "no address"   // that a peer could reach
	NoMulticast  Use = "no multicast" // switched off, or unknown to the kind of interface
	PointToPoint Use = "point to point"
	Virtual      Use = "virtual" // leads into this machine, and there are others
)

// An Interface of this machine.
type Interface struct {
	Name      string
	Use       Use
	Addresses []netip.Prefix
	// IPv4 and IPv6 are nil where the interface is not used in that family.
	IPv4, IPv6 *Traffic
}

// Traffic counts packets of mDNS.
type Traffic struct {
	Sent int
	Back int // of those sent, heard again by multicast, as everybody on the link should
	// Heard counts those of other machines.
	Heard int
	// Err is why nothing could be heard or sent, or not everything.
	Err error
}

// What a survey remembers at most, whatever comes.
const (
	maxMachines = 4096
	maxServices = 256
	maxAskers   = 16
	maxTypeLen  = 64 // bytes; RFC 6763 §7.2 has 16 letters at most, and _tcp or _udp
)

// Look surveys the network until ctx ends: it asks for our service, and for which others there are, at 0, 0.25, 1, 2, 4, … s on every interface that Run would use, and listens. It
// announces nothing and answers nobody, so it may run beside a Discovery, of this process too.
func Look(ctx context.Context, c SurveyConfig) (*Survey, error) {
	if c.Found == nil {
		c.Found = func(Peer) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	v := &survey{c: c, heard: make(chan arrival, queued), known: memory{}, machines: map[bool]map[netip.Addr]bool{true: {}, false: {}}, services: map[string]bool{}, strangers: map[[8]byte]bool{}, askers: map[netip.Addr]bool{},
		told: map[netip.AddrPort]bool{}, done: make(chan struct{})}
	defer v.close()
	if err := v.open(); err != nil {
		return nil, err
	}
	v.schedule.restart(time.Now())
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		select {
		case <-ctx.Done():
			return v.result(), nil
		case now := <-wake.C:
			if v.schedule.due(now) {
				v.ask()
				v.schedule.asked(now, 0)
			}
			wake.Reset(time.Until(v.schedule.next))
		case o := <-v.heard:
			v.take(o, time.Now())
		}
	}
}

// A survey under way. Only the goroutine of Look touches it; readers hand over through heard.
type survey struct {
	c        SurveyConfig
	links    []*ear
	all      []Interface
	own      []netip.Addr
	heard    chan arrival
	readers  sync.WaitGroup
	done     chan struct{} // closed when nobody listens any more
	schedule schedule

	known     memory
	told      map[netip.AddrPort]bool
	machines  map[bool]map[netip.Addr]bool // of IPv4, and of IPv6
	services  map[string]bool
	strangers map[[8]byte]bool
	askers    map[netip.Addr]bool // whether they were heard to offer it
}

// An ear is the sockets of one interface in one family.
type ear struct {
	iface          iface
	traffic        *Traffic
	shared, asking *socket // nil where they could not be opened
}

type arrival struct {
	ear  *ear
	via  *socket
	b    []byte
	from netip.AddrPort
}

func (v *survey) open() error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	used, err := interfaces()
	if err != nil {
		return err
	}
	for _, dev := range all {
		addrs, _ := dev.Addrs() // none: it has just gone
		i := Interface{Name: dev.Name, Addresses: prefixes(addrs)}
		for _, p := range i.Addresses {
			v.own = append(v.own, p.Addr().WithZone(""))
		}
		at := slices.IndexFunc(used, func(u iface) bool { return u.index == dev.Index })
		if at < 0 {
			i.Use = unused(dev)
			v.all = append(v.all, i)
			continue
		}
		i.Use = Used
		if used[at].has4() {
			i.IPv4 = v.listen(used[at], &dev, ipv4Family)
		}
		if used[at].has6() {
			i.IPv6 = v.listen(used[at], &dev, ipv6Family)
		}
		v.all = append(v.all, i)
	}
	return nil
}

// unused says why an interface is not among those used.
func unused(dev net.Interface) Use {
	switch {
	case dev.Flags&net.FlagLoopback != 0:
		return Loopback
	case dev.Flags&net.FlagUp == 0:
		return Down
	case dev.Flags&net.FlagPointToPoint != 0:
		return PointToPoint
	case dev.Flags&net.FlagRunning == 0:
		return NoCarrier
	case virtual(dev.Name):
		return Virtual
	case dev.Flags&net.FlagMulticast == 0:
		return NoMulticast
	}
	return NoAddress
}

func (v *survey) listen(i iface, dev *net.Interface, f family) *Traffic {
	e := &ear{iface: i, traffic: &Traffic{}}
	var err error
	if e.shared, err = listen(dev, f, true); err != nil {
		e.traffic.Err = err
	}
	if e.asking, err = listen(dev, f, false); err != nil {
		e.traffic.Err = errors.Join(e.traffic.Err, err)
	}
	v.links = append(v.links, e)
	for _, s := range []*socket{e.shared, e.asking} {
		if s != nil {
			v.readers.Go(func() { v.read(e, s) })
		}
	}
	return e.traffic
}

func (v *survey) read(e *ear, s *socket) {
	b := make([]byte, maxPacket)
	for {
		n, index, addr, err := s.read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-v.done:
				return
			case <-time.After(10 * time.Millisecond): // see link.read
			}
			continue
		}
		from := addr.(*net.UDPAddr).AddrPort()
		if s.shared && !e.iface.mine(index, from.Addr()) {
			continue
		}
		select {
		case v.heard <- arrival{e, s, slices.Clone(b[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}:
		case <-v.done:
			return
		}
	}
}

// ask asks everybody for ours, and for what else there is (RFC 6763 §9).
func (v *survey) ask() {
	q := dns.Msg{Compress: true, Question: []dns.Question{
		{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET}, {Name: enumeration, Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		panic("discovery: a question does not pack: " + err.Error())
	}
	for _, e := range v.links {
		if e.asking == nil {
			continue
		}
		if err := e.asking.multicast(b); err != nil {
			e.traffic.Err = err
			continue
		}
		e.traffic.Sent++
	}
}

// take counts a packet and looks into it.
func (v *survey) take(o arrival, now time.Time) {
	if slices.Contains(v.own, o.from.Addr().WithZone("")) {
		if o.via.shared && o.ear.asking != nil && o.from.Port() == o.ear.asking.port() {
			o.ear.traffic.Back++
			return
		}
	} else {
		o.ear.traffic.Heard++
		if sources := v.machines[o.from.Addr().Is4()]; len(sources) < maxMachines {
			sources[o.from.Addr()] = true
		}
		v.note(o.b)
	}
	p, err := read(o.b, o.from, o.ear.iface.name, record{})
	if err != nil {
		return
	}
	if _, known := v.askers[o.from.Addr()]; p.asked && !known && len(v.askers) < maxAskers && !slices.Contains(v.own, o.from.Addr().WithZone("")) {
		v.askers[o.from.Addr()] = false
	}
	for _, i := range p.instances {
		if _, known := v.askers[o.from.Addr()]; known || len(v.askers) < maxAskers {
			v.askers[o.from.Addr()] = true
		}
		if tag := v.c.Tag(i.session, i.port); subtle.ConstantTimeCompare(tag[:], i.tag[:]) != 1 {
			if len(v.strangers) < maxPeers {
				v.strangers[i.session] = true
			}
			continue
		}
		if peer, news := v.known.note(i, now); news && !i.gone && v.fresh(peer) {
			v.c.Found(peer)
		}
	}
}

// fresh reports whether an address of p was not told yet.
func (v *survey) fresh(p Peer) (fresh bool) {
	for _, a := range p.Addresses {
		if !v.told[a] && len(v.told) < maxPeers {
			v.told[a], fresh = true, true
		}
	}
	return fresh
}

// note notes the types of service that a packet tells of.
func (v *survey) note(b []byte) {
	var m dns.Msg
	if m.Unpack(b) != nil || !m.Response {
		return
	}
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		if p, ok := rr.(*dns.PTR); ok {
			name := strings.ToLower(p.Hdr.Name)
			if name == enumeration {
				name = strings.ToLower(p.Ptr)
			}
			v.service(name)
		}
	}
}

// service notes a name of the form _type._tcp.local.
func (v *survey) service(name string) {
	kind, ok := strings.CutSuffix(name, ".local.")
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)
	}
	if !ok || !strings.HasPrefix(kind, "_") || !strings.HasSuffix(kind, "._tcp") && !strings.HasSuffix(kind, "._udp") || kind == "_services._dns-sd._udp" || len(kind) > maxTypeLen ||
		strings.ContainsFunc(kind, func(r rune) bool { return !plain(r) }) || len(v.services) >= maxServices {
		return
	}
	v.services[kind] = true
}

func (v *survey) result() *Survey {
	s := &Survey{Interfaces: v.all, Machines: max(len(v.machines[true]), len(v.machines[false])), Strangers: len(v.strangers)}
	for _, addresses := range v.machines {
		s.Sources = slices.AppendSeq(s.Sources, maps.Keys(addresses))
	}
	for k := range v.services {
		s.Services = append(s.Services, k)
	}
	slices.Sort(s.Services)
	for a, offers := range v.askers {
		if !offers {
			s.Askers = append(s.Askers, a)
		}
	}
	slices.SortFunc(s.Askers, netip.Addr.Compare)
	return s
}

func (v *survey) close() {
	close(v.done)
	for _, e := range v.links {
		for _, s := range []*socket{e.shared, e.asking} {
			if s != nil {
				s.conn.Close()
			}
		}
	}
	v.readers.Wait()
}
