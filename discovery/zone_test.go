package discovery

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

func sample() record {
	r := record{
		session: [8]byte{1, 2, 3, 4, 5, 6, 7, 0xab}, port: 4327, role: "hub",
		addrs: []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1"), netip.MustParseAddr("fe80::1%eth0")},
	}
	for i := range r.tag {
		r.tag[i] = byte(0xf0 + i)
	}
	r.names = namesOf(r.session)
	return r
}

// golden returns the bytes of a file of hex; what follows # is a comment.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenBytes(t *testing.T) {
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, got := range map[string][]byte{
		"announcement.hex": must(sample().announcement()),
		"goodbye.hex":      must(sample().goodbye()),
		"question.hex":     question(),
		"known.hex":        question(known{sample().session, 100}),
	} {
		if want := golden(t, name); hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("%s: got\n%x\nwant\n%x", name, got, want)
		}
	}
}

// An announcement of as many addresses as there may be fits one Ethernet frame.
func TestAnnouncementFits(t *testing.T) {
	r := sample()
	r.role = strings.Repeat("r", 16)
	r.addrs = nil
	for i := range maxAddresses {
		r.addrs = append(r.addrs, netip.AddrFrom16([16]byte{0xfd, 15: byte(i)}))
	}
	b, err := r.announcement()
	if err != nil || len(b) > 1452 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestZoneAnswers(t *testing.T) {
	unlimited := rate.NewLimiter(rate.Inf, 0)
	z := newZone(sample(), unlimited)
	z.apart = unlimited
	for _, c := range []struct {
		name  string
		kind  uint16
		class uint16
		want  string
	}{
		{"_earshot._tcp.local.", dns.TypePTR, dns.ClassINET, "PTR SRV TXT A AAAA AAAA"},
		{"_EarShot._TCP.Local.", dns.TypePTR, dns.ClassINET, "PTR SRV TXT A AAAA AAAA"},
		{"_earshot._tcp.local.", dns.TypeANY, dns.ClassANY, "PTR SRV TXT A AAAA AAAA"},
		{"_earshot._tcp.local.", dns.TypePTR, dns.ClassINET | flush, "PTR SRV TXT A AAAA AAAA"},
		{"_earshot._tcp.local.", dns.TypeSRV, dns.ClassINET, ""},
		{"_earshot._tcp.local.", dns.TypePTR, dns.ClassCHAOS, ""},
		{"_ipp._tcp.local.", dns.TypePTR, dns.ClassINET, ""},
		{"_services._dns-sd._udp.local.", dns.TypePTR, dns.ClassINET, "PTR"},
		{"01020304050607ab._earshot._tcp.local.", dns.TypeSRV, dns.ClassINET, "SRV TXT A AAAA AAAA"},
		{"01020304050607AB._earshot._tcp.local.", dns.TypeTXT, dns.ClassINET, "SRV TXT A AAAA AAAA"},
		{"01020304050607ac._earshot._tcp.local.", dns.TypeTXT, dns.ClassINET, ""},
		{"01020304050607ab.local.", dns.TypeA, dns.ClassINET, "A"},
		{"01020304050607AB.LOCAL.", dns.TypeAAAA, dns.ClassINET, "AAAA AAAA"},
		{"01020304050607ab.local.", dns.TypeANY, dns.ClassINET, "A AAAA AAAA"},
		{"01020304050607ab.local.", dns.TypeTXT, dns.ClassINET, ""},
	} {
		var got []string
		for _, rr := range z.Records(dns.Question{Name: c.name, Qtype: c.kind, Qclass: c.class}) {
			got = append(got, dns.TypeToString[rr.Header().Rrtype])
			if rr.Header().Class != dns.ClassINET {
				t.Errorf("%s: class %#x in an answer by unicast", c.name, rr.Header().Class)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: got %q, want %q", c.name, dns.TypeToString[c.kind], got, c.want)
		}
	}
	hub := sample()
	hub.role = ""
	z.set(hub)
	if txt := z.Records(dns.Question{Name: hub.instance, Qtype: dns.TypeTXT, Qclass: dns.ClassINET})[1].(*dns.TXT); txt.Txt[3] != "r=" {
		t.Errorf("the zone still says %q", txt.Txt)
	}
}

// Whatever is asked, a process gives 20 answers a second over all interfaces, and none twice to the questions of one packet; what is not for us costs nothing.
func TestZoneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := rate.NewLimiter(answerRate, answerRate)
		zones := []*zone{newZone(sample(), budget), newZone(sample(), budget)}
		given := 0
		for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
			before := given
			for i := range 200 {
				z := zones[i%2]
				z.Records(dns.Question{Name: "_ipp._tcp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET})
				if z.Records(dns.Question{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET}) != nil {
					given++
				}
			}
			if given-before > len(zones) {
				t.Fatalf("%d answers at once", given-before)
			}
		}
		if given < 200 || given > 220 {
			t.Errorf("%d answers in 10 s, not about 219", given)
		}
	})
}
