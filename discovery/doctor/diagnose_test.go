package doctor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"earshot/discovery"
)

func nativeBig() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

// healthy is what is seen of a network of three, on Linux.
func healthy() *Report {
	own := []netip.Prefix{netip.MustParsePrefix("10.77.0.1/16"), netip.MustParsePrefix("fd77::1/64")}
	return &Report{
		Network: "lobby", Port: 4327, System: "linux", Root: true, tools: map[string]bool{"nft": true, "iptables": true}, own: own,
		Survey: &discovery.Survey{Machines: 3, Services: []string{"_earshot._tcp", "_ipp._tcp"}, Interfaces: []discovery.Interface{
			{Name: "lo", Use: discovery.Loopback},
			{Name: "eth0", Use: discovery.Used, Addresses: own, IPv4: &discovery.Traffic{Sent: 4, Back: 4, Heard: 9}, IPv6: &discovery.Traffic{Sent: 4, Back: 4, Heard: 8}},
		}},
		Route:    Route{IPv4: "eth0", IPv6: "eth0", Gateway: netip.MustParseAddr("10.77.255.254"), Via: "eth0", Answers: true},
		Firewall: Firewall{Readable: true},
		Peers: []Peer{
			{Address: "10.77.0.2:4327", Source: Heard, ID: "B", Session: "2", Nick: "anna", Hub: true, Here: 2, Took: 3 * time.Millisecond},
			{Address: "10.77.0.3:4327", Source: Heard, ID: "C", Session: "3", Nick: "bob", Here: 2, Took: 4 * time.Millisecond},
		},
	}
}

// alone is the same where nobody answers.
func alone() *Report {
	r := healthy()
	r.Peers = nil
	return r
}

func eth0(r *Report) *discovery.Interface { return &r.Survey.Interfaces[1] }

func drops(rules string) Firewall {
	return Firewall{Readable: true, Rules: parseNFT("table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n" + rules + "\n\t}\n}\n")}
}

// What is seen, what is made of it, and a part of each finding: its sentence, or its command.
func TestDiagnose(t *testing.T) {
	silence := func(r *Report) {
		eth0(r).IPv4.Back, eth0(r).IPv4.Heard, eth0(r).IPv6.Back, eth0(r).IPv6.Heard = 0, 0, 0, 0
		r.Survey.Machines, r.Survey.Services = 0, nil
	}
	only := func(use discovery.Use) func(*Report) {
		return func(r *Report) {
			eth0(r).Use, eth0(r).IPv4, eth0(r).IPv6 = use, nil, nil
		}
	}
	on := func(system string, f func(*Report)) func(*Report) {
		return func(r *Report) { f(r); r.System, r.tools, r.Firewall, r.Root = system, nil, Firewall{}, false }
	}
	peer := func(p Peer) func(*Report) { return func(r *Report) { r.Peers = []Peer{p} } }
	clock := func(vouched bool, ahead ...time.Duration) func(*Report) {
		return func(r *Report) {
			for i, a := range ahead {
				r.Peers[i].Ahead, r.Peers[i].Vouched = a, vouched
			}
			r.Peers = r.Peers[:len(ahead)]
		}
	}
	for _, c := range []struct {
		name string
		from *Report
		do   func(*Report)
		want string // CODE part of the sentence | part of the command, one a line
	}{
		{"healthy", healthy(), func(*Report) {}, ""},
		{"healthy, and the router is silent", healthy(), func(r *Report) { r.Route.Answers = false }, ""},
		{"healthy with a VPN", healthy(), func(r *Report) { r.Route.VPN, r.Route.IPv4 = true, "wg0" }, ""},
		{"healthy, with strangers", healthy(), func(r *Report) { r.Survey.Strangers = 2 }, ""},
		{"one answer in eight is lost", healthy(), func(r *Report) { eth0(r).IPv4.Back = 1 }, ""},
		{"own instance alone", alone(), peer(Peer{Address: "10.77.0.1:4327", Source: Heard, Me: true, Here: 1}), "nobody mDNS works here (3 other machines heard)"},
		{"own instance, which knows others", alone(), peer(Peer{Address: "10.77.0.1:4327", Source: Heard, Me: true, Here: 2}), ""},

		{"nobody", alone(), func(*Report) {}, "nobody nobody else runs earshot | earshot"},
		{"nothing heard", alone(), func(r *Report) { r.Survey.Machines = 0 }, "isolated The router 10.77.255.254 answers | earshot --join ADDRESS"},
		{"the router heard, and nobody else", alone(), func(r *Report) { r.Survey.Machines, r.Survey.Sources = 1, []netip.Addr{r.Route.Gateway} }, "isolated The router 10.77.255.254 answers"},
		{"another than the router heard", alone(), func(r *Report) {
			r.Survey.Machines, r.Survey.Sources = 1, []netip.Addr{netip.MustParseAddr("10.77.0.9")}
		}, "nobody mDNS works here (1 other machine heard)"},
		{"a VPN that lets nothing out beside it", alone(), func(r *Report) {
			r.Route.VPN, r.Route.IPv4 = true, "tun0"
			*eth0(r).IPv4, *eth0(r).IPv6 = discovery.Traffic{Err: syscall.EPERM}, discovery.Traffic{Err: syscall.EPERM}
		}, "mdns-unsent A firewall on this machine\nvpn A VPN has the default route (tun0) | sudo ip link set dev tun0 down"},
		{"nothing heard, no router", alone(), func(r *Report) { r.Survey.Machines, r.Route.Answers = 0, false }, "cut-off not even the router 10.77.255.254 | ip -s link show dev eth0"},
		{"nothing heard, no route", alone(), func(r *Report) { r.Survey.Machines, r.Route = 0, Route{} }, "nobody Nobody is heard on eth0"},
		{"strangers", alone(), func(r *Report) { r.Survey.Strangers = 1 }, `other-network There is 1 earshot of another network here, but none of "lobby" | earshot key list`},
		{"a VPN", alone(), func(r *Report) {
			r.Survey.Machines, r.Route.VPN, r.Route.IPv4, r.tools["wg-quick"] = 0, true, "wg0", true
		}, "vpn A VPN has the default route (wg0) | sudo wg-quick down wg0\nisolated answers"},
		{"met elsewhere", alone(), peer(Peer{Address: "192.168.1.7:4327", Source: Remembered, Refusal: Silent}), "elsewhere Peers were met at 192.168.1.7 | ip addr\nnobody"},
		{"met here", alone(), peer(Peer{Address: "10.77.0.7:4327", Source: Remembered, Refusal: Silent}), "nobody"},
		{"met here, where nobody chats now", alone(), func(r *Report) {
			r.Survey.Machines, r.Route.Answers = 0, false
			r.Peers = []Peer{{Address: "10.77.0.6:4327", Source: Remembered, Refusal: Silent}, {Address: "10.77.0.7:4327", Source: Remembered, Refusal: Closed}}
		}, "nobody The machine 10.77.0.7, where somebody was met, answers, and no earshot"},
		{"multicast dropped", healthy(), func(r *Report) { r.Survey.Machines = 0; r.Peers[0].Source = Remembered; r.Peers = r.Peers[:1] },
			"multicast-dropped anna answers at 10.77.0.2, but is not heard | earshot --join 10.77.0.2:4327"},
		{"by hand from afar", healthy(), peer(Peer{Address: "192.0.2.9:4327", Source: ByHand, Nick: "hub"}), ""},

		{"loopback only", alone(), func(r *Report) { r.Survey.Interfaces = r.Survey.Interfaces[:1] }, "no-interface but the loopback | ip link"},
		{"down", alone(), only(discovery.Down), "no-interface eth0 is switched off | sudo ip link set dev eth0 up"},
		{"down, NetworkManager", alone(), func(r *Report) { only(discovery.Down)(r); r.tools["nmcli"] = true }, "no-interface switched off | nmcli device connect eth0"},
		{"no cable", alone(), only(discovery.NoCarrier), "no-interface eth0 is not connected"},
		{"no address", alone(), func(r *Report) { only(discovery.NoAddress)(r); r.tools["dhclient"] = true }, "no-interface eth0 has no address | sudo dhclient eth0"},
		{"no multicast", alone(), only(discovery.NoMulticast), "no-interface eth0 does no multicast | sudo ip link set dev eth0 multicast on"},
		{"a tunnel only", alone(), only(discovery.PointToPoint), "no-interface leads to one other machine | earshot --join ADDRESS"},
		{"no address, Windows", alone(), on("windows", only(discovery.NoAddress)), `no-interface has no address | ipconfig /renew "eth0"`},
		{"down, macOS", alone(), on("darwin", only(discovery.Down)), "no-interface switched off | sudo ifconfig eth0 up && sudo ipconfig set eth0 DHCP"},

		{"port 5353 taken", alone(), func(r *Report) { eth0(r).IPv4.Err = syscall.EADDRINUSE }, "mdns-port Another program keeps UDP port 5353 | ss -ulpn"},
		{"mDNS not let out", alone(), func(r *Report) {
			*eth0(r).IPv4, *eth0(r).IPv6 = discovery.Traffic{Err: syscall.EPERM}, discovery.Traffic{Err: syscall.EPERM}
		},
			"mdns-unsent does not let mDNS out on eth0 (operation not permitted) | sudo nft list ruleset"},
		{"no IPv6 yet", alone(), func(r *Report) { *eth0(r).IPv6 = discovery.Traffic{Err: errors.New("cannot assign")} }, "nobody"},
		{"mDNS dropped, not root", alone(), func(r *Report) { silence(r); r.Root, r.Firewall.Readable = false, false }, "mdns-blocked drops mDNS on eth0: its own | sudo earshot doctor"},
		{"mDNS dropped in IPv4", alone(), func(r *Report) { eth0(r).IPv4.Back = 0 }, "mdns-blocked drops mDNS on eth0 over IPv4"},
		{"mDNS dropped in IPv6, and met", healthy(), func(r *Report) { eth0(r).IPv6.Back = 0 }, "mdns-blocked drops mDNS on eth0 over IPv6"},
		{"nftables drops all", alone(), func(r *Report) { silence(r); r.Firewall = drops("iif lo accept") },
			"mdns-blocked mDNS | sudo nft insert rule inet filter input udp dport 5353 accept\ninbound-blocked (inet filter input) lets nobody in at port 4327: | sudo nft insert rule inet filter input meta l4proto '{ tcp, udp }' th dport 4327 accept"},
		{"nftables admits mDNS", alone(), func(r *Report) { r.Firewall = drops("udp dport 5353 accept") }, "inbound-blocked at port 4327"},
		{"nftables, and somebody is there", healthy(), func(r *Report) { r.Firewall = drops("udp dport { 5353, 4327 } accept") }, "inbound-blocked at TCP port 4327: | inet filter input tcp dport 4327 accept"},
		{"nftables in one family", healthy(), func(r *Report) { r.Firewall = drops("ip saddr 0.0.0.0/0 accept") }, "inbound-blocked at port 4327 over IPv6:"},
		{"ufw", alone(), func(r *Report) {
			r.Firewall = Firewall{Manager: "ufw", Readable: true, Rules: []ruleset{parseIPTables("iptables", data(t, "iptables-ufw.txt"))}}
		},
			"inbound-blocked over IPv4 | sudo ufw allow 4327"},
		{"iptables", alone(), func(r *Report) {
			silence(r)
			r.Firewall = Firewall{Readable: true, Rules: []ruleset{parseIPTables("iptables", "-P INPUT DROP"), parseIPTables("ip6tables", "-P INPUT DROP")}}
		},
			"mdns-blocked | sudo iptables -I INPUT -p udp --dport 5353 -j ACCEPT && sudo ip6tables -I INPUT -p udp --dport 5353 -j ACCEPT\ninbound-blocked (iptables INPUT) | sudo ip6tables -I INPUT -p udp --dport 4327 -j ACCEPT"},
		{"firewalld", alone(), func(r *Report) {
			s, _ := parseFirewalld("public\n  target: default\n  services: ssh mdns\n  ports: \n")
			r.Firewall = Firewall{Manager: "firewalld", Readable: true, Rules: []ruleset{s}}
		}, "inbound-blocked (firewalld zone) | sudo firewall-cmd --permanent --add-port=4327/tcp --add-port=4327/udp && sudo firewall-cmd --reload"},
		{"unclear rules", alone(), func(r *Report) { r.Firewall = drops("meta skuid 1000 accept") }, "nobody"},
		{"mDNS dropped, Windows", alone(), on("windows", silence), "mdns-blocked | netsh advfirewall firewall add rule name=earshot dir=in action=allow protocol=UDP localport=5353"},
		{"mDNS dropped, macOS", alone(), on("darwin", silence), "mdns-blocked | socketfilterfw --unblockapp"},
		{"no permission, macOS", alone(), on("darwin", func(r *Report) {
			*eth0(r).IPv4, *eth0(r).IPv6 = discovery.Traffic{Err: syscall.EHOSTUNREACH}, discovery.Traffic{Err: syscall.EHOSTUNREACH}
		}),
			"mdns-unsent Local Network | open "},

		{"heard, not reached", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: Heard, Refusal: Silent}), "peer-blocked An earshot at 10.77.0.2 is heard | sudo earshot doctor"},
		{"heard, one of two not reached", healthy(), func(r *Report) { r.Peers[1].Refusal = Barred }, "peer-blocked at 10.77.0.3"},
		{"heard, and gone", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: Heard, Refusal: Closed}), "peer-gone was heard and is gone\nnobody"},
		{"asks, and does not answer", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: Asked, Refusal: Silent}), "peer-unheard An earshot at 10.77.0.2 asks who is there | sudo earshot doctor"},
		{"asks, and answers by unicast alone", healthy(), peer(Peer{Address: "10.77.0.2:4327", Source: Asked, Nick: "anna"}), "multicast-dropped anna answers at 10.77.0.2"},
		{"not let out", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: Heard, Refusal: Barred, Err: "connect: operation not permitted"}), "outbound-blocked forbids connections to port 4327"},
		{"another version", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: Heard, Refusal: Version, Err: "éva runs earshot protocol 2, this is 1: upgrade this machine"}),
			"version éva runs earshot protocol 2, this is 1: upgrade this machine. | earshot version"},
		{"nothing listens", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: ByHand, Refusal: Closed}), "join-closed no earshot listens at its port 4327 | earshot\nnobody"},
		{"nothing answers", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: ByHand, Refusal: Silent}), "join-silent Nothing answers at 10.77.0.2:4327\nnobody"},
		{"nothing listens there, nor speaks mDNS", alone(), func(r *Report) {
			r.Survey.Machines, r.Route.Answers = 0, false
			r.Peers = []Peer{{Address: "10.77.0.2:4327", Source: ByHand, Refusal: Closed}}
		}, "join-closed The machine 10.77.0.2 is there"},
		{"no such name", alone(), peer(Peer{Address: "hub.example:4327", Source: ByHand, Refusal: Name}), "join-name The name hub.example has no address\nnobody"},
		{"another network", alone(), peer(Peer{Address: "10.77.0.2:4327", Source: ByHand, Refusal: Network}), "join-network in another network than \"lobby\"\nnobody"},
		{"another key", alone(), func(r *Report) {
			r.Network, r.Closed = "office", true
			r.Peers = []Peer{{Address: "10.77.0.2:4327", Source: ByHand, Refusal: Network}}
		}, "join-network has another key | earshot key show office\nnobody"},
		{"no earshot", alone(), peer(Peer{Address: "10.77.0.2:80", Source: ByHand, Refusal: Foreign}), "join-foreign at 10.77.0.2:80 is no earshot\nnobody"},

		{"a clock by one", healthy(), clock(false, 3*time.Hour), "clock 3 hours behind anna's: one of the two | sudo timedatectl set-ntp true"},
		{"a clock by two", healthy(), clock(false, -3*time.Hour, -3*time.Hour), "clock 3 hours ahead of those of the others"},
		{"a clock by those who vouch", healthy(), clock(true, 26*time.Hour, 26*time.Hour), "clock 1 day behind those"},
		{"clocks that differ", healthy(), clock(false, 0, 3*time.Hour), "clock 3 hours behind bob's: one of the two"},
		{"a minute is none", healthy(), clock(true, 59*time.Second, 0), ""},
	} {
		c.do(c.from)
		c.from.Found = found(c.from.Peers)
		got := diagnose(c.from)
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "\n")
		}
		if c.from.Found == 0 && len(got) == 0 {
			t.Errorf("%s: nobody is found, and nothing is said of it", c.name)
		}
		ok := len(got) == len(want)
		for i := range want {
			head, command, _ := strings.Cut(want[i], " | ")
			code, sentence, _ := strings.Cut(head, " ")
			ok = ok && got[i].Code == code && strings.Contains(got[i].Sentence, sentence) && strings.Contains(got[i].Command, command)
		}
		if !ok {
			t.Errorf("%s: %q\nwant %q", c.name, got, want)
		}
		for _, f := range got {
			if !strings.HasSuffix(f.Sentence, ".") && !strings.HasSuffix(f.Sentence, ".)") || strings.Count(f.Sentence, ". ") > 1 {
				t.Errorf("%s: not a sentence: %s", c.name, f.Sentence)
			}
			if f.Command == "" && f.Code != NoInterface {
				t.Errorf("%s: %s has no command", c.name, f.Code)
			}
		}
		prints(t, c.name, c.from)
	}
}

// prints checks what is printed of any report: 80 columns but for commands, and JSON that says the same.
func prints(t *testing.T, name string, r *Report) {
	t.Helper()
	r.Findings = diagnose(r)
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		isCommand := slices.ContainsFunc(r.Findings, func(f Finding) bool {
			return slices.Contains(strings.Split(f.Command, " && "), strings.TrimSuffix(strings.TrimSpace(line), " &&"))
		})
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width && !isCommand || strings.TrimRight(line, "\n ") != strings.TrimRight(line, "\n") {
			t.Errorf("%s: %d columns: %q", name, n, line)
		}
	}
	text, err := json.Marshal(r)
	var back struct {
		Found    *int
		Peers    []map[string]any
		Findings []Finding
	}
	if err != nil || json.Unmarshal(text, &back) != nil || back.Found == nil || len(back.Peers) != len(r.Peers) || !slices.Equal(back.Findings, r.Findings) || strings.Contains(string(text), "null") {
		t.Errorf("%s: %s, %v", name, text, err)
	}
}

// The page as a whole, as it is in README.
func TestPage(t *testing.T) {
	r := alone()
	r.Survey.Machines, r.Survey.Services = 3, []string{"_ipp._tcp", "_ssh._tcp"}
	r.Firewall = Firewall{Manager: "ufw", Readable: true, Rules: []ruleset{parseIPTables("iptables", data(t, "iptables-ufw.txt")), parseIPTables("ip6tables", "-P INPUT DROP")}}
	r.Survey.Interfaces = append(r.Survey.Interfaces, discovery.Interface{Name: "docker0", Use: discovery.Virtual})
	r.Findings = diagnose(r)
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := data(t, "page.txt")
	if b.String() != want {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile("testdata/page.txt", []byte(b.String()), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if readme, err := os.ReadFile("../../README.md"); err != nil || !strings.Contains(string(readme), want) {
		t.Errorf("README shows another page, %v", err)
	}
	sentence, command := r.Line()
	if !strings.Contains(sentence, "lets nobody in") || command != "sudo ufw allow 4327" {
		t.Errorf("%q %q", sentence, command)
	}
}

func TestMerge(t *testing.T) {
	here := []netip.Prefix{netip.MustParsePrefix("10.77.0.1/16"), netip.MustParsePrefix("fe80::1/64")}
	a, b := [8]byte{1}, [8]byte{2}
	got := merge([]Peer{
		{Address: "[fe80::2%eth0]:4327", Source: Heard, heardAs: a, Session: "a", Nick: "anna"},
		{Address: "10.77.0.2:4327", Source: Heard, heardAs: a, Refusal: Silent},
		{Address: "[fd77::3]:4327", Source: Heard, heardAs: b, Refusal: Silent},
		{Address: "10.77.0.3:4327", Source: Heard, heardAs: b, Refusal: Closed},
		{Address: "10.77.0.9:4327", Source: Remembered, Refusal: Silent},
		{Address: "10.77.0.1:4329", Source: Remembered, Refusal: Closed},
		{Address: "10.77.0.1:4327", Source: ByHand, ID: "me", Session: "m"},
		{Address: "[fe80::1%eth0]:4327", Source: Heard, heardAs: [8]byte{3}, ID: "me", Session: "m"},
		{Address: "10.77.0.4:4327", Source: Heard, heardAs: [8]byte{4}, ID: "me", Session: "n"},
		{Address: "10.77.0.1:4328", Source: Heard, heardAs: [8]byte{5}, ID: "another here", Session: "o"},
	}, "me", here)
	var lines []string
	for _, p := range got {
		lines = append(lines, strings.Join([]string{p.Address, string(p.Source), p.Refusal, map[bool]string{true: "me"}[p.Me]}, " "))
	}
	want := []string{"10.77.0.1:4327 mdns  me", "10.77.0.4:4327 mdns  ", "10.77.0.1:4328 mdns  ", "[fe80::2%eth0]:4327 mdns  ", "10.77.0.3:4327 mdns closed ", "10.77.0.9:4327 remembered silent "}
	if !slices.Equal(lines, want) {
		t.Errorf("got  %q\nwant %q", lines, want)
	}
}
