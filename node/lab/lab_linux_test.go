package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"earshot/node/identity"
	"earshot/node/lab"
	"earshot/node/wire"
)

// envHelper makes this program a small network tool instead of a test; its arguments are the words of the value.
const envHelper = "LAB_TEST_HELPER"

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(envHelper)); len(words) > 0 {
		if err := helper(words); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(lab.Main(m))
}

// helper is: serve (answer TCP, and other hosts' UDP, on port 1000 and multicast on 5353, until killed) | tcp ADDRESS | udp ADDRESS (print how many of 200 answers came) |
// posing VERSION AHEAD (be an earshot of the lobby on port 4327, of that protocol version, with a clock that far ahead, until killed) | hold (keep UDP port 5353, until killed) |
// mdns (ask for the service, and print how many µs the first answer took) | fakes N (announce N instances of the lobby that do not exist, over IPv6, 1,000 a second, and print a line after the first 3,000).
func helper(words []string) error {
	switch words[0] {
	case "serve":
		return serve()
	case "tcp":
		c, err := net.DialTimeout("tcp", words[1], 400*time.Millisecond)
		if err == nil {
			fmt.Println("from", c.LocalAddr())
			c.Close()
		}
		return err
	case "udp":
		return ask(words[1])
	case "posing":
		version, err := strconv.Atoi(words[1])
		ahead, err2 := time.ParseDuration(words[2])
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return pose(version, ahead)
	case "hold":
		if _, err := net.ListenPacket("udp", ":5353"); err != nil {
			return err
		}
		fmt.Println("ready")
		select {}
	case "mdns":
		return mdns()
	case "fakes":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		return fakes(n)
	}
	return errors.New("which?")
}

func pose(version int, ahead time.Duration) error {
	who, err := identity.FromSeed(make([]byte, 32))
	if err != nil {
		return err
	}
	lobby, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		return err
	}
	gate, err := identity.NewGate(who, lobby)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", ":4327")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		raw, err := l.Accept()
		if err != nil {
			return err
		}
		c, err := gate.Accept(context.Background(), raw, identity.ProtoChat)
		if err != nil {
			continue
		}
		b := wire.Append(nil, wire.TypeHello, &wire.Hello{Version: version, Nick: "poser"})
		c.Write(wire.Append(b, wire.TypeView, &wire.View{Clock: time.Now().Add(ahead).UnixMilli()}))
		c.Close()
	}
}

func fakes(n int) error {
	lobby, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		return err
	}
	c, err := net.ListenPacket("udp6", ":5353")
	if err != nil {
		return err
	}
	group := &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353, Zone: "eth0"}
	turn := time.NewTicker(10 * time.Millisecond)
	for i := range n {
		if i%10 == 0 {
			<-turn.C
		}
		s := identity.NewSession()
		const service = "_earshot._tcp.local."
		name, host, tag := s.String()+"."+service, s.String()+".local.", lobby.MDNSTag(s, 4327)
		header := func(name string, kind uint16) dns.RR_Header {
			return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 120}
		}
		m := dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Compress: true, Answer: []dns.RR{
			&dns.PTR{Hdr: header(service, dns.TypePTR), Ptr: name},
			&dns.SRV{Hdr: header(name, dns.TypeSRV), Port: 4327, Target: host},
			&dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: []string{"v=1", "i=" + s.String(), fmt.Sprintf("n=%x", tag), "r="}},
			&dns.A{Hdr: header(host, dns.TypeA), A: net.IPv4(10, 77, byte(100+i>>8), byte(i))},
		}}
		b, err := m.Pack()
		if err != nil {
			return err
		}
		if _, err := c.WriteTo(b, group); err != nil {
			return err
		}
		if i == 3000 {
			fmt.Println("attacking")
		}
	}
	return nil
}

func serve() error {
	l, err := net.Listen("tcp", ":1000")
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", ":1000")
	if err != nil {
		return err
	}
	m, err := net.ListenMulticastUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		return err
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, s := range []net.PacketConn{u, m} {
		go func() {
			b := make([]byte, 100)
			for {
				n, from, err := s.ReadFrom(b)
				if err != nil {
					return
				}
				ip := from.(*net.UDPAddr).IP
				if !slices.ContainsFunc(own, func(a net.Addr) bool { return a.(*net.IPNet).IP.Equal(ip) }) {
					u.WriteTo(b[:n], from)
				}
			}
		}()
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		c.Close()
	}
}

func ask(address string) error {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	s, err := net.ListenUDP("udp", nil)
	if err != nil {
		return err
	}
	const n = 200
	answered := map[byte]bool{}
	hear := func(within time.Duration) bool {
		b := make([]byte, 1)
		s.SetReadDeadline(time.Now().Add(within))
		_, _, err := s.ReadFrom(b)
		if err == nil {
			answered[b[0]] = true
		}
		return err == nil
	}
	for i := range n {
		if _, err := s.WriteTo([]byte{byte(i)}, to); err != nil {
			return err
		}
		for again := hear(10 * time.Millisecond); again && !answered[byte(i)]; { // a late one first
			again = hear(10 * time.Millisecond)
		}
	}
	for len(answered) < n && hear(time.Second) { // what was late altogether, on a busy machine
	}
	fmt.Println(len(answered))
	return nil
}

// tool runs the helper on a host to its end.
func tool(t *testing.T, h *lab.Host, words string) (string, error) {
	t.Helper()
	cmd := h.Command(executable(t))
	cmd.Env = append(cmd.Env, envHelper+"="+words)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// server runs the helper's serve on a host until the test ends.
func server(t *testing.T, h *lab.Host) {
	t.Helper()
	helping(t, h, "serve")
}

// helping runs the helper on a host until the test ends; it has begun when it says so.
func helping(t *testing.T, h *lab.Host, words string) {
	t.Helper()
	cmd := h.Command(executable(t))
	cmd.Env = append(cmd.Env, envHelper+"="+words)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLab(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	for i := 1; i <= 4; i++ {
		server(t, l.Host(i))
	}
	reaches := func(from, to int, want bool) {
		t.Helper()
		out, err := tool(t, l.Host(from), fmt.Sprintf("tcp %s:1000", l.Host(to).IP()))
		if (err == nil) != want {
			t.Errorf("%d reaches %d: %v; want %v\n%s", from, to, err == nil, want, out)
		}
	}
	answers := func(from int, to string) int {
		t.Helper()
		out, err := tool(t, l.Host(from), "udp "+to)
		n, bad := strconv.Atoi(out)
		if err != nil || bad != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return n
	}
	const multicast = "224.0.0.251:5353"
	reaches(1, 2, true)
	if out, err := tool(t, l.Host(1), "tcp [fd77::2]:1000"); err != nil {
		t.Errorf("IPv6: %s", out)
	}
	if n := answers(1, multicast); n != 200 {
		t.Errorf("multicast: %d of 200", n)
	}
	l.Cut(2)
	reaches(1, 2, false)
	reaches(2, 2, true)
	l.Heal(2)
	reaches(1, 2, true)
	l.Split([]int{1, 2}, []int{3, 4})
	reaches(1, 3, false)
	reaches(4, 3, true)
	l.Join()
	reaches(1, 3, true)
	l.Loss(2, 30)
	if n := answers(1, l.Host(2).IP().String()+":1000"); n < 100 || n > 175 {
		t.Errorf("30 %% loss: %d of 200", n)
	}
	l.Loss(2, 0)
	if n := answers(1, l.Host(2).IP().String()+":1000"); n != 200 {
		t.Errorf("no loss: %d of 200", n)
	}
	for i := 2; i <= 4; i++ {
		l.Host(i).Drop("-p", "udp", "--dport", "5353")
	}
	if n := answers(1, multicast); n != 0 {
		t.Errorf("multicast dropped: %d of 200", n)
	}
}

func TestRouter(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	router := l.Route(3)
	inside, outside := l.Host(1), l.Host(3)
	for _, h := range []*lab.Host{inside, outside} {
		server(t, h)
	}
	if out, err := tool(t, outside, "tcp "+inside.IP().String()+":1000"); err != nil || !strings.Contains(out, "10.78.0.3") {
		t.Errorf("through the router: %s, %v", out, err)
	}
	if out, err := tool(t, outside, "udp 224.0.0.251:5353"); err != nil || out != "0" {
		t.Errorf("multicast through the router: %s, %v", out, err)
	}
	router.Masquerade()
	if out, err := tool(t, outside, "tcp "+inside.IP().String()+":1000"); err == nil {
		t.Errorf("past the masquerade: %s", out)
	}
	if out, err := tool(t, inside, "tcp "+outside.IP().String()+":1000"); err != nil {
		t.Errorf("from inside: %s, %v", out, err)
	}
	router.Forward(1000, inside)
	if out, err := tool(t, outside, "tcp 10.78.255.254:1000"); err != nil {
		t.Errorf("forwarded: %s, %v", out, err)
	}
}
