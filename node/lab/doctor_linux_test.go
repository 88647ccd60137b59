package lab_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/lab"
	"earshot/node/wire"
)

// An examination is what earshot doctor --json prints, as far as it matters here.
type examination struct {
	Found    int `json:"found"`
	Findings []struct {
		Code, Sentence, Command, There string
	} `json:"findings"`
}

func examine(t *testing.T, h *lab.Host, args ...string) (e examination, status int) {
	t.Helper()
	out, stderr, status := h.Run("", append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("%v: status %d, %s\n%s", err, status, out, stderr)
	}
	return e, status
}

// settles examines until the findings are those wanted, or it has done so four times: whoever does not run for a second cannot be told from whoever is kept out. What it says last is right or is not.
func settles(t *testing.T, h *lab.Host, want string, args ...string) (e examination, status int) {
	t.Helper()
	for range 4 {
		if e, status = examine(t, h, args...); strings.Join(e.codes(), " ") == want {
			break
		}
		t.Logf("%+v", e)
	}
	return e, status
}

func (e examination) codes() (codes []string) {
	for _, f := range e.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// mend does what the findings about this machine say.
func (e examination) mend(t *testing.T, h *lab.Host) {
	t.Helper()
	for _, f := range e.Findings {
		if out, err := h.Command("sh", "-c", strings.ReplaceAll(f.Command, "sudo ", "")).CombinedOutput(); err != nil || f.There != "" {
			t.Errorf("%s: %s: %v\n%s", f.Code, f.Command, err, out)
		}
	}
}

// uncarried waits until the host's system has noticed that its cable is out, which takes it up to a second.
func uncarried(t *testing.T, h *lab.Host) {
	t.Helper()
	late := time.After(soon)
	for again := time.NewTicker(20 * time.Millisecond); ; {
		out, err := h.Command("ip", "link", "show", "eth0").Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "NO-CARRIER") && strings.Contains(string(out), "state LOWERLAYERDOWN") || strings.Contains(string(out), "state DOWN") {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("it has a carrier still: %s", out)
		}
	}
}

const officeKey, otherKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ABCDEFGHIJKLMNOPQRSTUVWXY2"

// Networks that are broken, each in its way, and two that are not: what the doctor of host 1 says, and that its commands mend what can be mended from there.
func TestDoctor(t *testing.T) {
	t.Parallel()
	lobby := func(hosts ...int) func(*testing.T, *lab.Lab) {
		return func(t *testing.T, l *lab.Lab) {
			var all []*lab.Process
			for _, i := range hosts {
				all = append(all, start(l, i))
			}
			if len(all) == 1 {
				l.Wait(soon, "it serves", func() bool { return last(all[0], "hub").State == "serving" })
				return
			}
			together(t, l, soon, all...)
		}
	}
	nft := func(t *testing.T, h *lab.Host, rules string) {
		t.Helper()
		lab.Need(t, "nft")
		c := h.Command("nft", "-f", "-")
		c.Stdin = strings.NewReader("table inet filter {\n chain input {\n type filter hook input priority 0; policy drop;\n" + rules + "\n }\n}\n")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	const basics = "ct state established,related accept\niif lo accept\nicmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
	alone := func(*testing.T, *lab.Lab) {}
	for _, c := range []struct {
		name  string
		hosts int
		build func(*testing.T, *lab.Lab)
		spoil func(*testing.T, *lab.Lab)
		args  []string
		want  string // codes
		mends bool   // by the commands of the findings
	}{
		{"healthy", 3, lobby(2, 3), alone, nil, "", false},
		{"healthy, beside one that runs", 3, lobby(1, 2, 3), alone, nil, "", false},
		{"nftables here", 2, lobby(2), func(t *testing.T, l *lab.Lab) { nft(t, l.Host(1), basics) }, nil, "mdns-blocked inbound-blocked", true},
		{"iptables here, but for mDNS", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			h := l.Host(1)
			h.Firewall("-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
			h.Firewall("-A", "INPUT", "-p", "udp", "--dport", "5353", "-j", "ACCEPT")
			h.Firewall("-A", "INPUT", "-p", "ipv6-icmp", "-j", "ACCEPT")
			h.Firewall("-P", "INPUT", "DROP")
		}, nil, "inbound-blocked", true},
		{"mDNS dropped here", 2, lobby(2), func(t *testing.T, l *lab.Lab) { l.Host(1).Drop("-p", "udp", "--dport", "5353") }, nil, "mdns-blocked", true},
		{"mDNS not let out", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			l.Host(1).Firewall("-A", "OUTPUT", "-p", "udp", "--dport", "5353", "-j", "REJECT")
		}, nil, "mdns-unsent", false},
		{"connections not let out", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			l.Host(1).Firewall("-A", "OUTPUT", "-p", "tcp", "--dport", "4327", "-j", "DROP")
		}, nil, "peer-blocked", false},
		{"a firewall there", 2, lobby(2), func(t *testing.T, l *lab.Lab) { l.Host(2).Drop("-p", "tcp", "--dport", "4327") }, nil, "peer-blocked", false},
		{"clients kept apart", 3, lobby(2), func(t *testing.T, l *lab.Lab) {
			l.Host(3).Configure("addr add 10.77.255.254/16 dev eth0")
			l.Isolate(1, 2)
		}, nil, "isolated", false},
		{"cut off", 2, lobby(2), func(t *testing.T, l *lab.Lab) { l.Cut(1) }, nil, "cut-off", false},
		{"no cable", 1, alone, func(t *testing.T, l *lab.Lab) {
			l.Unplug(1)
			uncarried(t, l.Host(1))
		}, nil, "no-interface", false},
		{"switched off", 1, alone, func(t *testing.T, l *lab.Lab) { l.Host(1).Configure("link set eth0 down") }, nil, "no-interface", false},
		{"no address", 1, alone, func(t *testing.T, l *lab.Lab) { l.Host(1).Configure("addr flush dev eth0") }, nil, "no-interface", false},
		{"no card", 1, alone, func(t *testing.T, l *lab.Lab) { l.Detach(1, "eth0") }, nil, "no-interface", false},
		{"a VPN", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			h := l.Host(1)
			h.Configure("tuntap add dev tun0 mode tun", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up", "route replace default dev tun0")
			l.Cut(1)
		}, nil, "vpn nobody", false},
		{"another network", 2, func(t *testing.T, l *lab.Lab) {
			p := start(l, 2, "--network", "office", "--key-file", writeFile(t, l.Host(2), "key", officeKey))
			l.Wait(soon, "it serves", func() bool { return last(p, "hub").State == "serving" })
		}, alone, nil, "other-network", false},
		{"another key", 2, func(t *testing.T, l *lab.Lab) {
			writeFile(t, l.Host(1), "key", otherKey)
			p := start(l, 2, "--network", "office", "--key-file", writeFile(t, l.Host(2), "key", officeKey))
			l.Wait(soon, "it serves", func() bool { return last(p, "hub").State == "serving" })
		}, alone, []string{"--network", "office", "--key-file", "key", "--join", "10.77.0.2"}, "join-network other-network", false},
		{"another version", 2, func(t *testing.T, l *lab.Lab) { helping(t, l.Host(2), fmt.Sprintf("posing %d 0s", wire.Version+1)) }, alone, []string{"--join", "10.77.0.2"}, "version", false},
		{"a clock off by hours", 2, func(t *testing.T, l *lab.Lab) { helping(t, l.Host(2), fmt.Sprintf("posing %d 3h", wire.Version)) }, alone, []string{"--join", "10.77.0.2"}, "clock multicast-dropped", false},
		{"nothing listens there", 2, alone, alone, []string{"--join", "10.77.0.2"}, "join-closed", false},
		{"a port blocked there", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			l.Host(2).Drop("-p", "tcp", "--dport", "4327")
			l.Host(1).Drop("-p", "udp", "-m", "mac", "--mac-source", "02:00:00:00:00:02")
		}, []string{"--join", "10.77.0.2"}, "join-silent cut-off", false},
		{"a firewall there that drops mDNS", 2, func(t *testing.T, l *lab.Lab) {
			l.Host(2).Drop("-p", "udp", "--dport", "5353")
			l.Host(2).Firewall("-A", "OUTPUT", "-p", "udp", "--sport", "5353", "-j", "DROP")
			lobby(2)(t, l)
		}, alone, nil, "multicast-dropped", false},
		{"multicast dropped by the network", 2, lobby(2), func(t *testing.T, l *lab.Lab) {
			for i := 1; i <= 2; i++ {
				l.Host(i).Drop("-p", "udp", "--dport", "5353", "-m", "mac", "--mac-source", []string{"02:00:00:00:00:02", "02:00:00:00:00:01"}[i-1])
				l.Host(i).Drop("-p", "udp", "--sport", "5353", "-m", "mac", "--mac-source", []string{"02:00:00:00:00:02", "02:00:00:00:00:01"}[i-1])
			}
		}, []string{"--join", "10.77.0.2"}, "multicast-dropped", false},
		{"port 5353 kept by another", 2, lobby(2), func(t *testing.T, l *lab.Lab) { helping(t, l.Host(1), "hold") }, nil, "mdns-port", false},
		{"nobody there", 1, alone, func(t *testing.T, l *lab.Lab) { l.Host(1).Configure("route del default") }, nil, "nobody", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t, c.hosts)
			c.build(t, l)
			c.spoil(t, l)
			got, status := settles(t, l.Host(1), c.want, c.args...)
			if codes := strings.Join(got.codes(), " "); codes != c.want {
				t.Errorf("findings %q, want %q: %+v", codes, c.want, got.Findings)
			}
			for _, f := range got.Findings {
				if f.Code == "version" && f.Sentence != fmt.Sprintf("poser runs earshot protocol %d, this is %d: upgrade this machine.", wire.Version+1, wire.Version) {
					t.Errorf("it says %q", f.Sentence)
				}
			}
			want := 0
			if got.Found == 0 {
				want = 3
			}
			if status != want || c.want == "" && got.Found == 0 {
				t.Errorf("%d found, exit status %d", got.Found, status)
			}
			if !c.mends {
				return
			}
			got.mend(t, l.Host(1))
			if got, status = settles(t, l.Host(1), "", c.args...); len(got.Findings) > 0 || got.Found != 1 || status != 0 {
				t.Errorf("mended: %d found, status %d, %+v", got.Found, status, got.Findings)
			}
		})
	}
}

// Who is alone for ten seconds is told why, in one sentence, once; and nothing where somebody is there.
func TestDiagnosisWhenAlone(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	l.Cut(1)
	all := []*lab.Process{start(l, 1), start(l, 2), start(l, 3)}
	began := time.Now()
	together(t, l, soon, all[1:]...)
	told := all[0].Wait(3*soon, "it is told why it is alone", func(e lab.Event) bool {
		return e.Kind == "notice" && strings.Contains(e.Text, "Nothing at all answers on eth0")
	})
	if took := told.Seen.Sub(began); took < 10*time.Second || told.Hint != "ip -s link show dev eth0" {
		t.Errorf("after %v: %s", took, told.Raw)
	}
	for _, p := range all[1:] {
		if e := p.Events(); slices.ContainsFunc(e, func(e lab.Event) bool { return e.Kind == "notice" && e.Hint != "" }) {
			t.Errorf("%s is not alone, and is told something", p)
		}
	}
}
