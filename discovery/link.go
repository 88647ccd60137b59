package discovery

import (
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

// A link is one interface in use: the responder, the sockets of each family, and the record shown there. It is closed and opened anew when the interface changes.
type link struct {
	iface  iface
	opened time.Time
	whole  bool // everything that the interface should allow did open
	mute   bool // the latest announcement did not get out in every family (an IPv6 address takes a second to settle)
	pace   pace
	zone   *zone
	log    *slog.Logger

	server  *mdns.Server // nil where it did not start
	shared  []*socket    // on port 5353, one per family
	asking  []*socket    // on a port of their own
	closed  chan struct{}
	readers sync.WaitGroup
}

// A heard is a packet that a reader hands to Run.
type heard struct {
	packet
	link *link
	via  *socket
	from netip.AddrPort
}

// openLink opens what it can on i and reads it into out.
func openLink(i iface, r record, budget *rate.Limiter, out chan<- heard, l *slog.Logger) *link {
	k := &link{iface: i, whole: true, zone: newZone(r, budget), log: l, closed: make(chan struct{})}
	dev := &net.Interface{Index: i.index, Name: i.name}
	for _, f := range []family{ipv4Family, ipv6Family} {
		if f == ipv4Family && i.has4() || f == ipv6Family && i.has6() {
			k.shared = k.add(k.shared, dev, f, true)
			k.asking = k.add(k.asking, dev, f, false)
		}
	}
	// The library's log says only which packets of others it does not understand.
	server, err := mdns.NewServer(&mdns.Config{Zone: k.zone, Iface: dev, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		k.whole = false
		l.Warn("cannot answer mDNS questions", "interface", i.name, "error", err)
	} else {
		k.server = server
	}
	for _, s := range slices.Concat(k.shared, k.asking) {
		k.readers.Go(func() { k.read(s, out) })
	}
	return k
}

func (k *link) add(to []*socket, dev *net.Interface, f family, shared bool) []*socket {
	s, err := listen(dev, f, shared)
	if err != nil {
		k.whole = false
		k.log.Warn("cannot open an mDNS socket", "interface", dev.Name, "error", err)
		return to
	}
	return append(to, s)
}

// read hands on what arrives, until s is closed.
func (k *link) read(s *socket, out chan<- heard) {
	b := make([]byte, maxPacket)
	for {
		n, index, addr, err := s.read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // Windows tells of packets that are too long, and of answers nobody took; nothing to do but not to spin
			select {
			case <-k.closed:
				return
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		// Port 5353 hears all interfaces: on Linux a socket gets the multicast of those where any socket joined. Each link takes its own.
		from := addr.(*net.UDPAddr).AddrPort()
		if s.shared && !k.iface.mine(index, from.Addr()) {
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		p, err := read(b[:n], from, k.iface.name, *k.zone.current.Load())
		if err != nil || !p.asked && len(p.instances) == 0 || p.asked && (!s.shared || k.ours(from)) {
			continue
		}
		select {
		case out <- heard{p, k, s, from}:
		default:
		}
	}
}

// mine reports whether a packet came in on this interface, as far as the system tells: by its index, or by the zone of its source.
func (i iface) mine(index int, from netip.Addr) bool {
	if index != 0 {
		return index == i.index
	}
	return from.Zone() == "" || from.Zone() == i.name
}

// ours reports whether a question comes from this very link.
func (k *link) ours(from netip.AddrPort) bool {
	return slices.Contains(k.iface.addrs, from.Addr()) && slices.ContainsFunc(k.asking, func(s *socket) bool { return s.port() == from.Port() })
}

func (k *link) ask(query []byte) {
	for _, s := range k.asking {
		if err := s.multicast(query); err != nil {
			k.log.Debug("cannot ask", "interface", k.iface.name, "error", err)
		}
	}
}

func (k *link) announce(now time.Time) {
	k.pace.said(now)
	b, err := k.zone.current.Load().announcement()
	k.mute = !k.tell(b, err)
}

func (k *link) goodbye() { k.tell(k.zone.current.Load().goodbye()) }

// tell multicasts a packet and reports whether it got out in every family.
func (k *link) tell(b []byte, err error) (all bool) {
	all = true
	for _, s := range k.shared {
		if err == nil {
			err = s.multicast(b)
		}
		if err != nil {
			k.log.Debug("cannot announce", "interface", k.iface.name, "error", err)
			all, err = false, nil
		}
	}
	return all
}

// reply answers an ordinary resolver: its ID and question repeated, short TTLs, no cache-flush bit (RFC 6762 §6.7).
func (k *link) reply(h heard) {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: h.legacy.Id, Response: true, Authoritative: true}, Compress: true}
	r := k.zone.current.Load()
	for _, q := range h.legacy.Question {
		if m.Answer = r.answer(q, legacyTTL); len(m.Answer) > 0 {
			m.Question = []dns.Question{q}
			break
		}
	}
	b, err := m.Pack()
	if err == nil {
		err = h.via.send(b, h.from)
	}
	if err != nil {
		k.log.Debug("cannot answer", "interface", k.iface.name, "error", err)
	}
}

// hush ends the answers.
func (k *link) hush() {
	if k.server != nil {
		k.server.Shutdown()
	}
}

// close ends all and waits for the readers.
func (k *link) close() {
	k.hush()
	close(k.closed)
	for _, s := range slices.Concat(k.shared, k.asking) {
		s.conn.Close()
	}
	k.readers.Wait()
}
