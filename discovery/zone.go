package discovery

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

const (
	serviceName = Service + ".local."
	enumeration = "_services._dns-sd._udp.local." // RFC 6763 §9

	ttl       = 120 // seconds; what RFC 6762 §10 recommends for records with a host name
	legacyTTL = 10  // seconds; RFC 6762 §6.7
	flush     = 1 << 15
)

// names are those our records have.
type names struct{ instance, host string }

func namesOf(session [8]byte) names {
	s := hex.EncodeToString(session[:])
	return names{s + "." + serviceName, s + ".local."}
}

// A record is what we say of ourselves on one interface. It does not change.
type record struct {
	names
	session [8]byte
	port    uint16
	tag     [16]byte
	role    string
	addrs   []netip.Addr
}

// all returns the whole set, PTR first. unique is ORed to the class of what only we may say: flush in multicast answers, 0 in others (RFC 6762 §10.2, §6.7).
func (r record) all(ttl uint32, unique uint16) []dns.RR {
	return append([]dns.RR{r.pointer(serviceName, r.instance, ttl), r.srv(ttl, unique), r.txt(ttl, unique)}, r.addresses(dns.TypeANY, ttl, unique)...)
}

// A subject is what of ours a question is about.
type subject int

const (
	nothing subject = iota
	theService
	theInstance
	theHost
	theTypes
)

func (r record) asked(q dns.Question) subject {
	if class := q.Qclass &^ flush; class != dns.ClassINET && class != dns.ClassANY {
		return nothing
	}
	is := func(name string, types ...uint16) bool {
		return (q.Qtype == dns.TypeANY || slices.Contains(types, q.Qtype)) && strings.EqualFold(q.Name, name)
	}
	switch {
	case is(serviceName, dns.TypePTR):
		return theService
	case is(r.instance, dns.TypeSRV, dns.TypeTXT):
		return theInstance
	case is(r.host, dns.TypeA, dns.TypeAAAA):
		return theHost
	case is(enumeration, dns.TypePTR):
		return theTypes
	}
	return nothing
}

// answer returns the records that answer q, none where it is not for us.
func (r record) answer(q dns.Question, ttl uint32) []dns.RR {
	switch r.asked(q) {
	case theService:
		return r.all(ttl, 0)
	case theInstance:
		return r.all(ttl, 0)[1:]
	case theHost:
		return r.addresses(q.Qtype, ttl, 0)
	case theTypes:
		return []dns.RR{r.pointer(enumeration, serviceName, ttl)}
	}
	return nil
}

func (r record) pointer(name, to string, ttl uint32) dns.RR {
	return &dns.PTR{Hdr: header(name, dns.TypePTR, dns.ClassINET, ttl), Ptr: to}
}

func (r record) srv(ttl uint32, unique uint16) dns.RR {
	return &dns.SRV{Hdr: header(r.instance, dns.TypeSRV, dns.ClassINET|unique, ttl), Port: r.port, Target: r.host}
}

func (r record) txt(ttl uint32, unique uint16) dns.RR {
	return &dns.TXT{Hdr: header(r.instance, dns.TypeTXT, dns.ClassINET|unique, ttl), Txt: []string{
		"v=1", "i=" + hex.EncodeToString(r.session[:]), "n=" + hex.EncodeToString(r.tag[:]), "r=" + r.role,
	}}
}

// addresses returns the A or AAAA records, or both for dns.TypeANY.
func (r record) addresses(kind uint16, ttl uint32, unique uint16) (rrs []dns.RR) {
	for _, a := range r.addrs {
		switch {
		case a.Is4() && kind != dns.TypeAAAA:
			rrs = append(rrs, &dns.A{Hdr: header(r.host, dns.TypeA, dns.ClassINET|unique, ttl), A: a.AsSlice()})
		case a.Is6() && kind != dns.TypeA:
			rrs = append(rrs, &dns.AAAA{Hdr: header(r.host, dns.TypeAAAA, dns.ClassINET|unique, ttl), AAAA: a.AsSlice()})
		}
	}
	return rrs
}

func header(name string, kind, class uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: class, Ttl: ttl}
}

// announcement returns the packet that says who we are. The type enumeration is in it for browsers of everything.
func (r record) announcement() ([]byte, error) {
	return pack(append(r.all(ttl, flush), r.pointer(enumeration, serviceName, ttl)))
}

// goodbye returns the packet that takes it back (RFC 6762 §10.1); not the enumeration, which others of our type share.
func (r record) goodbye() ([]byte, error) { return pack(r.all(0, flush)) }

func pack(answers []dns.RR) ([]byte, error) {
	return (&dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true, Answer: answers}).Pack()
}

// question returns the packet that asks for everybody but those known, who need not answer (RFC 6762 §7.1).
func question(known ...known) []byte {
	m := dns.Msg{Compress: true, Question: []dns.Question{{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}
	for _, k := range known {
		m.Answer = append(m.Answer, record{}.pointer(serviceName, namesOf(k.session).instance, k.ttl))
	}
	b, err := m.Pack()
	if err != nil {
		panic("discovery: a question does not pack: " + err.Error())
	}
	return b
}

// A zone answers for one interface, with the record of now. The library does not tell it where a question came from, so on a machine with several interfaces
// an asker may get an answer for each; the packet's source is right in all of them.
type zone struct {
	current atomic.Pointer[record]
	budget  *rate.Limiter
	apart   *rate.Limiter
}

const (
	answerRate = 20 // answers per second and process, and the burst
	// sameQuestion is how long after an answer another question gets none: the library takes the questions of a packet within microseconds, and puts the answers to all
	// into the one to it, also to one that is repeated 200 times. Who asks a moment after another is answered by multicast.
	sameQuestion = time.Millisecond
)

func newZone(r record, budget *rate.Limiter) *zone {
	z := &zone{budget: budget, apart: rate.NewLimiter(rate.Every(sameQuestion), 1)}
	z.set(r)
	return z
}

func (z *zone) set(r record) { z.current.Store(&r) }

// Records implements mdns.Zone. The cache-flush bit is not set, as the library answers by unicast, also those who do not know the bit.
func (z *zone) Records(q dns.Question) []dns.RR {
	r := z.current.Load()
	if r.asked(q) == nothing || !z.apart.Allow() || !z.budget.Allow() {
		return nil
	}
	return r.answer(q, ttl)
}
