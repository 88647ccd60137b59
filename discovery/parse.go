package discovery

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	maxPacket    = 9000 // bytes; RFC 6762 §17
	maxAddresses = 16   // of a peer
	mdnsPort     = 5353
)

// A packet is what one datagram says to us.
type packet struct {
	asked     bool       // it asks for something of ours
	legacy    *dns.Msg   // it does, as an ordinary resolver would (RFC 6762 §6.7)
	instances []instance // it tells of these
}

// An instance is what a packet says of one, complete in form, its tag not yet verified.
type instance struct {
	session [8]byte
	port    uint16
	tag     [16]byte
	role    string
	addrs   []netip.AddrPort
	link    string // the interface that all of its addrs there were heard on; empty: they are not all
	gone    bool
}

var errNotMDNS = errors.New("not mDNS")

// read takes a datagram apart. zone is the interface it came in on, own are the names that are ours.
func read(b []byte, from netip.AddrPort, zone string, own record) (packet, error) {
	var m dns.Msg
	if err := m.Unpack(b); err != nil {
		return packet{}, err
	}
	switch {
	case m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess: // RFC 6762 §18.3, §18.11
		return packet{}, errNotMDNS
	case !m.Response:
		if !asks(&m, own) {
			return packet{}, nil
		}
		p := packet{asked: true}
		if from.Port() != mdnsPort && m.Id != 0 {
			p.legacy = &m
		}
		return p, nil
	case from.Port() != mdnsPort: // RFC 6762 §6
		return packet{}, errNotMDNS
	}
	return packet{instances: parse(&m, from, zone)}, nil
}

// asks reports whether one of our records answers the question, unless the asker says that it knows that answer already (RFC 6762 §7.1).
func asks(m *dns.Msg, own record) bool {
	knows := slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		p, ok := rr.(*dns.PTR)
		return ok && strings.EqualFold(p.Ptr, own.instance) && p.Hdr.Ttl >= ttl/2
	})
	return slices.ContainsFunc(m.Question, func(q dns.Question) bool {
		about := own.asked(q)
		return about != nothing && !(knows && about == theService)
	})
}

// parse returns every instance that m describes by an SRV and a TXT record, in order. Its addresses are the packet's source, which reaches us as we see, then its A
// and AAAA records; link-local ones get zone, the interface the packet came in on.
func parse(m *dns.Msg, from netip.AddrPort, zone string) (found []instance) {
	records := slices.Concat(m.Answer, m.Extra)
	hosts := addressesIn(records)
	texts := map[string]*dns.TXT{}
	gone := map[string]bool{}
	for _, rr := range records {
		switch v := rr.(type) {
		case *dns.TXT:
			texts[strings.ToLower(v.Hdr.Name)] = v
		case *dns.PTR:
			if v.Hdr.Ttl == 0 && strings.EqualFold(v.Hdr.Name, serviceName) {
				gone[strings.ToLower(v.Ptr)] = true
			}
		}
	}
	for _, rr := range records {
		srv, ok := rr.(*dns.SRV)
		if !ok {
			continue
		}
		name := strings.ToLower(srv.Hdr.Name)
		i, ok := instanceOf(name, srv.Port, texts[name])
		if !ok {
			continue
		}
		delete(texts, name) // a repeated SRV does not count
		i.link = zone
		i.gone = gone[name] || srv.Hdr.Ttl == 0
		i.addrs = places(from.Addr(), hosts[strings.ToLower(srv.Target)], zone, srv.Port)
		if len(i.addrs) > 0 || i.gone {
			found = append(found, i)
		}
	}
	return found
}

// instanceOf reads the instance called name, in lower case; ok is whether its form is right.
func instanceOf(name string, port uint16, txt *dns.TXT) (i instance, ok bool) {
	label, ours := strings.CutSuffix(name, "."+serviceName)
	if !ours || port == 0 || txt == nil {
		return i, false
	}
	i.port = port
	var version, session, tag bool
	for _, s := range txt.Txt {
		switch key, value, _ := strings.Cut(s, "="); strings.ToLower(key) { // RFC 6763 §6.4
		case "v":
			version = value == "1"
		case "i":
			session = value == label && unhex(i.session[:], value)
		case "n":
			tag = unhex(i.tag[:], value)
		case "r":
			i.role = cleanRole(value)
		}
	}
	return i, version && session && tag
}

func unhex(to []byte, s string) bool {
	if len(s) != hex.EncodedLen(len(to)) {
		return false
	}
	_, err := hex.Decode(to, []byte(s))
	return err == nil
}

// cleanRole returns role where it is up to 16 of a-z, otherwise nothing.
func cleanRole(role string) string {
	if len(role) > 16 || strings.ContainsFunc(role, func(c rune) bool { return c < 'a' || c > 'z' }) {
		return ""
	}
	return role
}

// addressesIn returns the addresses that are not taken back, by host in lower case.
func addressesIn(records []dns.RR) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	for _, rr := range records {
		var b []byte
		switch v := rr.(type) {
		case *dns.A:
			b = v.A.To4()
		case *dns.AAAA:
			b = v.AAAA
		}
		h := rr.Header()
		name := strings.ToLower(h.Name)
		if a, ok := netip.AddrFromSlice(b); ok && h.Ttl != 0 && len(hosts[name]) < maxAddresses {
			hosts[name] = append(hosts[name], a)
		}
	}
	return hosts
}

// places returns where to dial, the packet's source first.
func places(source netip.Addr, records []netip.Addr, zone string, port uint16) (to []netip.AddrPort) {
	for _, a := range append([]netip.Addr{source}, records...) {
		a = a.Unmap().WithZone("")
		if !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast() {
			continue
		}
		if a.Is6() && a.IsLinkLocalUnicast() {
			a = a.WithZone(zone)
		}
		if p := netip.AddrPortFrom(a, port); !slices.Contains(to, p) && len(to) < maxAddresses {
			to = append(to, p)
		}
	}
	return to
}
