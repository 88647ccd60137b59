package doctor

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func data(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func arriving(proto string, port uint16, to string) packet {
	dst := netip.MustParseAddr(to)
	src := netip.MustParseAddr("10.77.0.2")
	if dst.Is6() {
		src = netip.MustParseAddr("fd77::2")
	}
	return packet{six: dst.Is6(), proto: proto, port: port, from: 50000, in: "eth0", src: src, dst: dst}
}

// What real programs printed, and what becomes of packets.
func TestJudge(t *testing.T) {
	const here, here6, group = "10.77.0.1", "fd77::1", "224.0.0.251"
	one := func(s ruleset) Firewall { return Firewall{Rules: []ruleset{s}} }
	firewalld, ok := parseFirewalld(data(t, "firewalld.txt"))
	if !ok {
		t.Error("firewalld.txt is not understood")
	}
	ufw, router, plain := one(parseIPTables("iptables", data(t, "iptables-ufw.txt"))), Firewall{Rules: parseNFT(data(t, "nft-router.txt"))}, Firewall{Rules: parseNFT(data(t, "nft-plain.txt"))}
	nft := func(rules string) Firewall {
		return Firewall{Rules: parseNFT("table inet f {\n\tchain in {\n\t\ttype filter hook input priority filter; policy drop;\n" + rules + "\n\t}\n\tchain x {\n\t\treturn\n\t}\n}\n")}
	}
	ipt := func(rules string) Firewall { return one(parseIPTables("iptables", "-P INPUT DROP\n-N x\n"+rules)) }
	for _, c := range []struct {
		name string
		f    Firewall
		p    packet
		want verdict
		by   string
	}{
		{"none", Firewall{}, arriving("tcp", 4327, here), passes, ""},
		{"ufw", ufw, arriving("tcp", 4327, here), dropped, "iptables INPUT"},
		{"ufw lets in ssh", ufw, arriving("tcp", 22, here), passes, ""},
		{"ufw lets in mDNS", ufw, arriving("udp", 5353, group), passes, ""},
		{"ufw says nothing of IPv6", ufw, arriving("tcp", 4327, here6), passes, ""},
		{"a jump by interface", router, arriving("tcp", 22, here), unclear, "inet raw pre"},
		{"plain", plain, arriving("tcp", 4327, here), dropped, "inet filter input"},
		{"plain, in a range", plain, arriving("tcp", 85, here), passes, ""},
		{"plain, in the wrong protocol", plain, arriving("udp", 85, here), dropped, "inet filter input"},
		{"plain, multicast", plain, arriving("udp", 5353, group), passes, ""},
		{"firewalld, a range", one(firewalld), arriving("tcp", 4327, here), passes, ""},
		{"firewalld, a service", one(firewalld), arriving("udp", 5353, group), passes, ""},
		{"firewalld", one(firewalld), arriving("tcp", 4331, here), dropped, "firewalld zone"},

		{"open", nft("tcp dport 4327 accept"), arriving("tcp", 4327, here6), passes, ""},
		{"a long list", nft("tcp dport { 22,\n\t\t\t4327 } accept"), arriving("tcp", 4327, here), passes, ""},
		{"braces in a comment", nft("tcp dport 22 accept comment \"{\"\ntcp dport 4327 accept"), arriving("tcp", 4327, here), passes, ""},
		{"all but", nft("udp dport != 5353 accept"), arriving("udp", 4327, here), passes, ""},
		{"all but, of another protocol", nft("udp dport != 5353 accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"either protocol", nft("meta l4proto { tcp, udp } th dport 4327 accept"), arriving("udp", 4327, here), passes, ""},
		{"a family", nft("ip6 saddr fd00::/8 accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"an address", nft("ip saddr 10.0.0.0/8 accept"), arriving("tcp", 4327, here), passes, ""},
		{"not an address", nft("ip saddr != 10.0.0.0/8 accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"a named set", nft("ip saddr @lan accept"), arriving("tcp", 4327, here), unclear, "inet f in"},
		{"what is accepted anyway", nft("ip saddr @lan accept\ntcp dport 4327 accept"), arriving("tcp", 4327, here), passes, ""},
		{"an unknown condition", nft("meta skuid 1000 accept"), arriving("tcp", 4327, here), unclear, "inet f in"},
		{"another interface", nft("iifname \"wlan*\" accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"a translation that was not", nft("ct status dnat accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"a map", nft("tcp dport vmap { 22 : drop, 4327 : accept }"), arriving("tcp", 4327, here), passes, ""},
		{"a jump that returns", nft("jump x\ntcp dport 4327 accept"), arriving("tcp", 4327, here), passes, ""},
		{"a jump to nowhere", nft("jump y"), arriving("tcp", 4327, here), unclear, "inet f in"},
		{"a queue", nft("queue num 0"), arriving("tcp", 4327, here), unclear, "inet f in"},
		{"pings", nft("icmp type echo-request accept"), arriving("tcp", 4327, here), dropped, "inet f in"},
		{"another hook", Firewall{Rules: parseNFT("table inet f {\n\tchain out {\n\t\ttype filter hook output priority 0; policy drop;\n\t}\n}")}, arriving("tcp", 4327, here), passes, ""},

		{"iptables, several ports", ipt("-A INPUT -p tcp -m multiport --dports 22,4320:4330 -j ACCEPT"), arriving("tcp", 4327, here), passes, ""},
		{"iptables, not that interface", ipt("-A INPUT ! -i lo -j ACCEPT"), arriving("tcp", 4327, here), passes, ""},
		{"iptables, a share of them", ipt("-A INPUT -m statistic --mode random --probability 0.2 -j ACCEPT"), arriving("tcp", 4327, here), unclear, "iptables INPUT"},
		{"iptables, a beginning", ipt("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"), arriving("tcp", 4327, here), passes, ""},
		{"iptables, a comment", ipt(`-A INPUT -p tcp -m comment --comment "a -j DROP \" b" -j ACCEPT`), arriving("tcp", 4327, here), passes, ""},
		{"iptables, a log", ipt("-A INPUT -j LOG --log-prefix \"x \"\n-A INPUT -j ACCEPT"), arriving("tcp", 4327, here), passes, ""},
		{"iptables, by hardware address", ipt("-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j ACCEPT"), arriving("tcp", 4327, here), unclear, "iptables INPUT"},
		{"iptables, an own chain", ipt("-A x -p tcp -j ACCEPT\n-A INPUT -j x"), arriving("tcp", 4327, here), passes, ""},
		{"iptables, round and round", ipt("-A x -j x\n-A x -j x\n-A INPUT -j x"), arriving("tcp", 4327, here), unclear, "iptables INPUT"},
	} {
		if got, by := c.f.judge(c.p); got != c.want || by != c.by {
			t.Errorf("%s: %d by %q, want %d by %q", c.name, got, by, c.want, c.by)
		}
	}
	if got := len(router.Rules); got != 3 {
		t.Errorf("%d tables", got)
	}
	router.Rules = router.Rules[:1]
	for _, c := range []struct {
		p    packet
		want verdict
	}{{arriving("tcp", 4327, here), passes}, {arriving("udp", 5353, group), passes}, {arriving("tcp", 443, here6), passes}, {arriving("tcp", 444, here6), dropped}, {arriving("tcp", 23, here), dropped}} {
		if got, _ := router.judge(c.p); got != c.want {
			t.Errorf("the router, port %d: %d", c.p.port, got)
		}
	}
}

func TestUFW(t *testing.T) {
	for text, want := range map[string]bool{"# x\nENABLED=yes\nLOGLEVEL=low\n": true, "ENABLED=no\n": false, "": false, "#ENABLED=yes": false, "ENABLED=\"yes\"": true} {
		if got := ufwOn(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"Status: active\n\nTo  Action  From\n": true, "Status: inactive\n": false, "": false} {
		if got := ufwActive(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestGateway(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for text, want := range map[string]string{
		head: "invalid IP ",
		head + "eth0\t00000000\tFEFF4D0A\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t00004D0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n":      "10.77.255.254 eth0",
		head + "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n": "192.168.1.1 eth0",
		head + "tun0\t00000000\t0100080A\t0003\t0\t0\t50\t00000000\t0\t0\t0\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n":   "192.168.1.1 eth0",
		head + "eth0\tzz\tzz\n": "invalid IP ",
	} {
		if nativeBig() {
			t.Skip("the samples are of a little-endian machine")
		}
		a, via := gateway(text)
		if got := a.String() + " " + via; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	const arp = "IP address       HW type     Flags       HW address            Mask     Device\n10.77.0.2        0x1         0x2         02:00:00:00:00:02     *        eth0\n10.77.0.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n"
	for a, want := range map[string]bool{"10.77.0.2": true, "10.77.0.9": false, "10.77.0.3": false} {
		if got := resolved(arp, netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}

// Whatever the system's programs print: it is read in bounded time, and nothing panics.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"iptables-ufw.txt", "nft-router.txt", "nft-plain.txt", "firewalld.txt"} {
		f.Add(data(f, name))
	}
	f.Add("table inet f {\nchain in {\ntype filter hook input priority 0; policy drop;\niifname vmap\nct state\ntcp dport\nlog prefix\n}\n}\n}")
	f.Add("-A INPUT ! -p\n-A x --y -j\n-P INPUT\n-N\n-A INPUT -j INPUT")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		firewalld, _ := parseFirewalld(text)
		w := Firewall{Rules: append(parseNFT(text), parseIPTables("iptables", text), parseIPTables("ip6tables", text), firewalld)}
		for _, to := range []string{"10.77.0.1", "fd77::1", "224.0.0.251"} {
			w.judge(arriving("tcp", 4327, to))
			w.judge(arriving("udp", 5353, to))
		}
		gateway(text)
		resolved(text, netip.MustParseAddr("10.0.0.1"))
		ufwOn(text)
		ufwActive(text)
		for _, l := range wrap(text, 40) {
			if strings.Contains(l, "\n") {
				t.Errorf("%q", l)
			}
		}
	})
}
