package discovery

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

var other = record{names: namesOf([8]byte{9}), session: [8]byte{9}} // the reader's own

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestReadAnnouncement(t *testing.T) {
	for from, want := range map[string][]netip.AddrPort{
		"10.77.0.1:5353":        {addrPort("10.77.0.1:4327"), addrPort("[fd77::1]:4327"), addrPort("[fe80::1%wlan0]:4327")},
		"[fe80::1%any]:5353":    {addrPort("[fe80::1%wlan0]:4327"), addrPort("10.77.0.1:4327"), addrPort("[fd77::1]:4327")},
		"10.77.0.254:5353":      {addrPort("10.77.0.254:4327"), addrPort("10.77.0.1:4327"), addrPort("[fd77::1]:4327"), addrPort("[fe80::1%wlan0]:4327")},
		"127.0.0.1:5353":        {addrPort("10.77.0.1:4327"), addrPort("[fd77::1]:4327"), addrPort("[fe80::1%wlan0]:4327")},
		"[::ffff:7.7.7.7]:5353": {addrPort("7.7.7.7:4327"), addrPort("10.77.0.1:4327"), addrPort("[fd77::1]:4327"), addrPort("[fe80::1%wlan0]:4327")},
	} {
		p, err := read(golden(t, "announcement.hex"), addrPort(from), "wlan0", other)
		if err != nil || len(p.instances) != 1 || p.asked {
			t.Fatalf("%+v, %v", p, err)
		}
		s := sample()
		if want := (instance{session: s.session, port: 4327, tag: s.tag, role: "hub", addrs: want, link: "wlan0"}); !reflect.DeepEqual(p.instances[0], want) {
			t.Errorf("from %s: got %+v, want %+v", from, p.instances[0], want)
		}
	}
	p, err := read(golden(t, "goodbye.hex"), addrPort("10.77.0.1:5353"), "wlan0", other)
	if err != nil || len(p.instances) != 1 || !p.instances[0].gone || p.instances[0].session != sample().session {
		t.Errorf("goodbye: %+v, %v", p, err)
	}
	if p, err := read(golden(t, "announcement.hex"), addrPort("10.77.0.1:5354"), "wlan0", other); err == nil {
		t.Errorf("an answer from a port other than 5353 is believed: %+v", p)
	}
}

// Every instance in a packet counts, each with the addresses of its own host.
func TestParseManyInstances(t *testing.T) {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}}
	for i := range 50 {
		r := sample()
		r.session[0], r.port = byte(i), uint16(1000+i)
		r.names, r.addrs = namesOf(r.session), []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})}
		all := r.all(ttl, flush)
		m.Answer, m.Extra = append(m.Answer, all[:2]...), append(m.Extra, all[2:]...)
	}
	found := parse(m, addrPort("10.0.0.1:5353"), "eth0")
	if len(found) != 50 {
		t.Fatalf("%d found", len(found))
	}
	for i, f := range found {
		want := []netip.AddrPort{addrPort(fmt.Sprintf("10.0.0.1:%d", 1000+i)), addrPort(fmt.Sprintf("10.0.1.%d:%d", i, 1000+i))}
		if f.session[0] != byte(i) || !slices.Equal(f.addrs, want) {
			t.Errorf("%d: %+v, want %v", i, f, want)
		}
	}
}

func TestParseForm(t *testing.T) {
	s := sample()
	session, tag := hex.EncodeToString(s.session[:]), hex.EncodeToString(s.tag[:])
	for _, c := range []struct {
		what string
		edit func(srv *dns.SRV, txt *dns.TXT)
		ok   bool
	}{
		{"as it is", func(*dns.SRV, *dns.TXT) {}, true},
		{"names in capitals", func(srv *dns.SRV, txt *dns.TXT) {
			srv.Hdr.Name, srv.Target, txt.Hdr.Name = strings.ToUpper(srv.Hdr.Name), strings.ToUpper(srv.Target), strings.ToUpper(txt.Hdr.Name)
		}, true},
		{"keys in capitals and an unknown one", func(_ *dns.SRV, txt *dns.TXT) {
			txt.Txt = []string{"new", "V=1", "I=" + session, "N=" + tag}
		}, true},
		{"no version", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt = txt.Txt[1:] }, false},
		{"another version", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt[0] = "v=2" }, false},
		{"no session", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt[1] = "" }, false},
		{"another session", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt[1] = "i=ff" + session[2:] }, false},
		{"no tag", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt = txt.Txt[:2] }, false},
		{"a short tag", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt[2] = "n=" + tag[2:] }, false},
		{"a tag that is no hex", func(_ *dns.SRV, txt *dns.TXT) { txt.Txt[2] = "n=zz" + tag[2:] }, false},
		{"a short session", func(srv *dns.SRV, txt *dns.TXT) {
			srv.Hdr.Name = "0102._earshot._tcp.local."
			txt.Hdr.Name, txt.Txt[1] = srv.Hdr.Name, "i=0102"
		}, false},
		{"port 0", func(srv *dns.SRV, _ *dns.TXT) { srv.Port = 0 }, false},
		{"another service", func(srv *dns.SRV, txt *dns.TXT) {
			srv.Hdr.Name = session + "._ipp._tcp.local."
			txt.Hdr.Name = srv.Hdr.Name
		}, false},
		{"the service itself", func(srv *dns.SRV, txt *dns.TXT) { srv.Hdr.Name, txt.Hdr.Name = serviceName, serviceName }, false},
		{"TXT of another", func(_ *dns.SRV, txt *dns.TXT) { txt.Hdr.Name = "x" + txt.Hdr.Name }, false},
	} {
		m := &dns.Msg{Answer: s.all(ttl, 0)}
		c.edit(m.Answer[1].(*dns.SRV), m.Answer[2].(*dns.TXT))
		found := parse(m, addrPort("10.0.0.1:5353"), "eth0")
		if ok := len(found) == 1; ok != c.ok {
			t.Errorf("%s: found %+v", c.what, found)
		} else if ok && len(found[0].addrs) != 4 {
			t.Errorf("%s: addresses %v", c.what, found[0].addrs)
		}
	}
}

// What could not be dialled, or should not be, is no address; and there are not more than 16.
func TestParseAddresses(t *testing.T) {
	r := sample()
	r.addrs = nil
	for _, a := range []string{"0.0.0.0", "127.0.0.1", "224.0.0.251", "255.255.255.255", "::", "::1", "ff02::fb", "::ffff:127.0.0.1", "10.0.0.1", "10.0.0.2", "fe80::2"} {
		r.addrs = append(r.addrs, netip.MustParseAddr(a))
	}
	want := []netip.AddrPort{addrPort("10.0.0.1:4327"), addrPort("10.0.0.2:4327"), addrPort("[fe80::2%eth0]:4327")}
	if found := parse(&dns.Msg{Answer: r.all(ttl, 0)}, addrPort("10.0.0.1:5353"), "eth0"); !slices.Equal(found[0].addrs, want) {
		t.Errorf("got %v, want %v", found[0].addrs, want)
	}
	r.addrs = nil
	for i := range 200 {
		r.addrs = append(r.addrs, netip.AddrFrom4([4]byte{10, 1, 1, byte(i)}))
	}
	if found := parse(&dns.Msg{Answer: r.all(ttl, 0)}, addrPort("10.0.0.1:5353"), "eth0"); len(found[0].addrs) != maxAddresses {
		t.Errorf("%d addresses", len(found[0].addrs))
	}
	m := &dns.Msg{Answer: sample().all(ttl, 0)}
	m.Answer[3].Header().Ttl = 0
	if found := parse(m, addrPort("[fd77::1]:5353"), "eth0"); slices.Contains(found[0].addrs, addrPort("10.77.0.1:4327")) {
		t.Errorf("an address that was taken back is there: %v", found[0].addrs)
	}
}

func TestRoleIsCleaned(t *testing.T) {
	for role, want := range map[string]string{"hub": "hub", "": "", "Hub": "", "\x1b]52": "", "[red]": "", strings.Repeat("a", 17): ""} {
		r := sample()
		r.role = role
		if found := parse(&dns.Msg{Answer: r.all(ttl, 0)}, addrPort("10.0.0.1:5353"), ""); len(found) != 1 || found[0].role != want {
			t.Errorf("%q: %+v", role, found)
		}
	}
}

func TestReadQuestion(t *testing.T) {
	ask := func(name string, kind uint16, edit func(*dns.Msg)) []byte {
		m := &dns.Msg{Question: []dns.Question{{Name: name, Qtype: kind, Qclass: dns.ClassINET}}}
		if edit != nil {
			edit(m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	knowing := func(ttl uint32) func(*dns.Msg) {
		return func(m *dns.Msg) { m.Answer = sample().all(ttl, 0)[:1] }
	}
	for _, c := range []struct {
		what          string
		b             []byte
		from          string
		asked, legacy bool
	}{
		{"our question", question(), "10.0.0.2:40000", true, false},
		{"our question, and we are known", question(known{[8]byte{9}, ttl}, known{sample().session, ttl / 2}), "10.0.0.2:40000", false, false},
		{"our question, and another is known", question(known{[8]byte{9}, ttl}), "10.0.0.2:40000", true, false},
		{"a browser", ask(serviceName, dns.TypePTR, nil), "10.0.0.2:5353", true, false},
		{"a browser that resolves", ask(sample().instance, dns.TypeSRV, nil), "10.0.0.2:5353", true, false},
		{"an ordinary resolver", ask(serviceName, dns.TypePTR, func(m *dns.Msg) { m.Id = 77 }), "10.0.0.2:40000", true, true},
		{"a browser with an ID", ask(serviceName, dns.TypePTR, func(m *dns.Msg) { m.Id = 77 }), "10.0.0.2:5353", true, false},
		{"one who knows us", ask(serviceName, dns.TypePTR, knowing(ttl)), "10.0.0.2:5353", false, false},
		{"one who will have forgotten us soon", ask(serviceName, dns.TypePTR, knowing(ttl/2-1)), "10.0.0.2:5353", true, false},
		{"one who knows us and asks where", ask(sample().host, dns.TypeA, knowing(ttl)), "10.0.0.2:5353", true, false},
		{"another service", ask("_ipp._tcp.local.", dns.TypePTR, nil), "10.0.0.2:5353", false, false},
	} {
		p, err := read(c.b, addrPort(c.from), "eth0", sample())
		if err != nil || p.asked != c.asked || (p.legacy != nil) != c.legacy || len(p.instances) > 0 {
			t.Errorf("%s: %+v, %v", c.what, p, err)
		}
	}
	for what, edit := range map[string]func(*dns.Msg){
		"opcode": func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate },
		"rcode":  func(m *dns.Msg) { m.Rcode = dns.RcodeRefused },
	} {
		if p, err := read(ask(serviceName, dns.TypePTR, edit), addrPort("10.0.0.2:5353"), "eth0", sample()); err == nil {
			t.Errorf("%s is not looked at: %+v", what, p)
		}
	}
}

// checkInstances asserts what parse promises whatever it is given.
func checkInstances(t *testing.T, found []instance) {
	t.Helper()
	seen := map[[8]byte]bool{}
	for _, i := range found {
		if seen[i.session] {
			t.Errorf("%x twice", i.session)
		}
		seen[i.session] = true
		if i.port == 0 || len(i.addrs) == 0 && !i.gone || cleanRole(i.role) != i.role || len(i.addrs) > maxAddresses {
			t.Errorf("%+v", i)
		}
		for _, a := range i.addrs {
			ip := a.Addr()
			if a.Port() != i.port || ip.Is4In6() || ip.IsLoopback() || ip.IsMulticast() || ip.IsUnspecified() || (ip.Zone() != "") != (ip.Is6() && ip.IsLinkLocalUnicast()) {
				t.Errorf("address %v of %+v", a, i)
			}
		}
	}
}

// FuzzRead is the whole way of a packet's bytes: they are taken apart, what they tell is taken in, what they ask is answered as the library would.
func FuzzRead(f *testing.F) {
	f.Add(golden(f, "announcement.hex"), true)
	f.Add(golden(f, "goodbye.hex"), true)
	f.Add(golden(f, "question.hex"), false)
	f.Fuzz(func(t *testing.T, b []byte, four bool) {
		if len(b) > maxPacket {
			return
		}
		from := addrPort("10.0.0.1:5353")
		if !four {
			from = addrPort("[fe80::1]:5353")
		}
		p, err := read(b, from, "eth0", sample())
		if err != nil && !reflect.DeepEqual(p, packet{}) {
			t.Errorf("%+v with %v", p, err)
		}
		checkInstances(t, p.instances)
		r := newRun(New(Config{Tag: func([8]byte, uint16) [16]byte { return sample().tag }}))
		r.take(heard{packet: p, link: &link{}}, time.Now())
		if len(r.known) > len(p.instances) {
			t.Errorf("%d known of %d", len(r.known), len(p.instances))
		}
		var m dns.Msg
		if m.Unpack(b) != nil {
			return
		}
		z := newZone(sample(), rate.NewLimiter(answerRate, answerRate))
		given := 0
		for _, q := range m.Question {
			if rrs := z.Records(q); len(rrs) > 0 {
				given++
				if _, err := pack(rrs); err != nil {
					t.Error(err)
				}
			}
		}
		if given > answerRate+1 {
			t.Errorf("%d answers", given)
		}
	})
}

// FuzzParse varies what FuzzRead hardly gets right by chance: the contents of well-formed records.
func FuzzParse(f *testing.F) {
	s := sample()
	f.Add(s.instance, s.host, s.host, uint16(4327), uint32(120), "v=1", "i=01020304050607ab", "n="+hex.EncodeToString(s.tag[:]), "r=hub", []byte{10, 0, 0, 1}, []byte(net.ParseIP("fe80::1")))
	f.Add(s.instance, s.host, s.host, uint16(4327), uint32(0), "v=1", "i=01020304050607ab", "n="+hex.EncodeToString(s.tag[:]), "", []byte{127, 0, 0, 1}, []byte(net.IPv6loopback))
	f.Fuzz(func(t *testing.T, name, target, host string, port uint16, ttl uint32, v, i, n, r string, a, aaaa []byte) {
		found := parse(&dns.Msg{
			Answer: []dns.RR{
				&dns.PTR{Hdr: header(serviceName, dns.TypePTR, dns.ClassINET, ttl), Ptr: name},
				&dns.SRV{Hdr: header(name, dns.TypeSRV, dns.ClassINET, ttl), Port: port, Target: target},
				&dns.SRV{Hdr: header(name, dns.TypeSRV, dns.ClassINET, ttl), Port: port, Target: host},
			},
			Extra: []dns.RR{
				&dns.TXT{Hdr: header(name, dns.TypeTXT, dns.ClassINET, ttl), Txt: []string{v, i, n, r}},
				&dns.A{Hdr: header(host, dns.TypeA, dns.ClassINET, ttl), A: a},
				&dns.AAAA{Hdr: header(host, dns.TypeAAAA, dns.ClassINET, ttl), AAAA: aaaa},
			},
		}, addrPort("10.0.0.1:5353"), "eth0")
		checkInstances(t, found)
	})
}
