package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen; it is not a measure.
const patience = 30 * time.Second

// onLAN tells a story on a network of its own: the test binary runs the same test again in a new user, network and mount namespace, where it is root and where
// nothing it sends gets out. Several stories run at once.
func onLAN(t *testing.T, story func(*testing.T, *lan)) {
	t.Helper()
	const inside = "DISCOVERY_TEST_LAN"
	if os.Getenv(inside) == t.Name() {
		l := &lan{}
		l.ip(t, "link set lo up") // or Go takes the system for one without IPv6
		l.ip(t, "link add br0 type bridge mcast_snooping 0 forward_delay 0")
		l.ip(t, "link set br0 up")
		story(t, l)
		return
	}
	t.Parallel()
	need(t, "ip")
	flags := []string{"-test.run=^" + t.Name() + "$", "-test.count=1", "-test.v", "-test.timeout=5m"}
	root := []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	groups := []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	var out []byte
	var err error
	for _, attr := range []*syscall.SysProcAttr{
		{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, UidMappings: root, GidMappings: groups},
		{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}, // where only root may
	} {
		c := exec.CommandContext(t.Context(), os.Args[0], flags...)
		c.Env = append(os.Environ(), inside+"="+t.Name(), "GORACE=atexit_sleep_ms=0") // otherwise each takes a second to end
		c.SysProcAttr = attr
		out, err = c.CombinedOutput()
		var exit *exec.ExitError
		if err == nil || errors.As(err, &exit) {
			break
		}
	}
	var exit *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(out), "--- SKIP: "+t.Name()):
		without(t, string(out))
	case errors.As(err, &exit) || err == nil && !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("%v\n%s", err, out)
	case err != nil:
		without(t, "no namespaces: "+err.Error())
	default:
		t.Logf("\n%s", out)
	}
}

// need skips a test where a program is not installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			without(t, "no "+program)
		}
	}
}

// without skips a test for a reason, except where everything must be tested.
func without(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// A lan is a namespace with a bridge br0; its hosts are namespaces more. Goroutines are hosts: a thread has a network namespace of its own, and a socket that of
// the thread that opened it.
type lan struct{ hosts int }

func (l *lan) ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v %s", args, err, out)
	}
}

// host makes one, with loopback only.
func (l *lan) host(t *testing.T) *host {
	t.Helper()
	l.hosts++
	h := &host{lan: l, n: l.hosts}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			h.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.ns.Close() })
	h.ip(t, "link set lo up")
	return h
}

type host struct {
	lan *lan
	n   int
	ns  *os.File
}

// do runs f on the host and waits for it; f may end the test.
func (h *host) do(t *testing.T, f func()) {
	t.Helper()
	whole, done := false, make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f()
		whole = true
	}()
	if <-done; t.Skipped() {
		t.SkipNow()
	}
	if !whole {
		t.FailNow()
	}
}

func (h *host) ip(t *testing.T, args string) {
	t.Helper()
	h.do(t, func() { h.lan.ip(t, args) })
}

// plug connects an interface of the host to a bridge, with its addresses. Link-local IPv6 ones come by themselves, and count at once.
func (h *host) plug(t *testing.T, name, bridge string, addrs ...string) {
	t.Helper()
	port := fmt.Sprintf("%s-%d", name, h.n)
	h.lan.ip(t, fmt.Sprintf("link add %s type veth peer name %s netns /proc/%d/fd/%d", port, name, os.Getpid(), h.ns.Fd()))
	h.lan.ip(t, fmt.Sprintf("link set %s master %s up", port, bridge))
	h.do(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/accept_dad", []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	for _, a := range addrs {
		h.ip(t, "addr add "+a+" dev "+name)
	}
	h.ip(t, "link set "+name+" up")
	awaitCarrier(t, port)
	h.do(t, func() { awaitCarrier(t, name) })
}

// sysctl sets a variable of an interface of the host. Not everywhere may one.
func (h *host) sysctl(t *testing.T, name, value string) {
	t.Helper()
	h.do(t, func() {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			without(t, err.Error())
		}
	})
}

// firewall applies rules to the host, in iptables' words, a line each: those with -4 or -6 in front to one family.
func (h *host) firewall(t *testing.T, rules string) {
	t.Helper()
	h.do(t, func() {
		for line := range strings.Lines(rules) {
			for flag, program := range map[string]string{"-4": "iptables", "-6": "ip6tables"} {
				words := strings.Fields(line)
				if len(words) == 0 || words[0] != flag && (words[0] == "-4" || words[0] == "-6") {
					continue
				}
				if words[0] == flag {
					words = words[1:]
				}
				need(t, program)
				if out, err := exec.Command(program, append([]string{"-w"}, words...)...).CombinedOutput(); err != nil {
					t.Fatalf("%s %s: %v %s", program, line, err, out)
				}
			}
		}
	})
}

// awaitCarrier waits until an interface here can carry packets: the kernel takes up to a second to find that both ends of a cable are up.
func awaitCarrier(t *testing.T, name string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	limit := unix.NsecToTimeval(int64(patience))
	if err == nil {
		defer unix.Close(fd)
		err = errors.Join(
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		)
	}
	for b := make([]byte, 1<<16); err == nil || err == unix.EINTR; _, err = unix.Read(fd, b) {
		i, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if i.Flags&net.FlagRunning != 0 {
			return
		}
	}
	t.Fatalf("%s has no carrier: %v", name, err)
}

// A participant is a Discovery that runs on a host, and what it found. It has a port for beacons, and one that others may dial.
type participant struct {
	*Discovery
	host    *host
	session [8]byte
	begun   time.Time
	stop    func() // waits for the end

	mu     sync.Mutex // protects what follows
	found  map[[8]byte]Peer
	first  map[[8]byte]time.Time
	latest map[[8]byte]time.Time
	gone   map[[8]byte]bool
	moved  [][]netip.Addr
	sent   int           // beacons
	news   chan struct{} // room for one
}

// run starts a participant; n is its session, network what it calls the network.
func (h *host) run(t *testing.T, n byte, network byte) *participant {
	t.Helper()
	return h.runAt(t, 4000+uint16(n), n, network)
}

func (h *host) runAt(t *testing.T, port uint16, n byte, network byte) *participant {
	t.Helper()
	p := &participant{
		host: h, session: [8]byte{7: n}, found: map[[8]byte]Peer{}, first: map[[8]byte]time.Time{}, latest: map[[8]byte]time.Time{}, gone: map[[8]byte]bool{},
		news: make(chan struct{}, 1), begun: time.Now(),
	}
	note := func(f func()) {
		p.mu.Lock()
		f()
		p.mu.Unlock()
		signal(p.news)
	}
	beacons, shut := h.open(t, port)
	p.Discovery = New(Config{
		Session: p.session, Port: port, Tag: tagOf(network),
		Found: func(f Peer) {
			note(func() {
				p.found[f.Session], p.latest[f.Session] = f, time.Now()
				if _, again := p.first[f.Session]; !again {
					p.first[f.Session] = time.Now()
				}
				delete(p.gone, f.Session)
			})
		},
		Gone:  func(s [8]byte) { note(func() { p.gone[s] = true; delete(p.found, s) }) },
		Moved: func(a []netip.Addr) { note(func() { p.moved = append(p.moved, a) }) },
		Send: func(b []byte, to netip.AddrPort) error {
			note(func() { p.sent++ })
			_, err := beacons.WriteToUDPAddrPort(append([]byte{network}, b...), to)
			return err
		},
	})
	go func() {
		for b := make([]byte, 100); ; {
			n, from, err := beacons.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if n > 0 && b[0] == network { // stands for the seal
				p.Hear(b[1:n], from)
			}
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.do(t, func() { p.Run(ctx) })
	}()
	p.stop = func() { cancel(); <-ended; shut() }
	t.Cleanup(p.stop)
	p.until(t, "it knows its addresses", func() bool { return len(p.moved) > 0 })
	return p
}

// within says how long something took, and fails where that is too long although no thread of this process had to stand in line for a processor for the rest of it: the stories are told beside others, on as few processors as there are.
func within(t *testing.T, what string, took, most time.Duration) {
	t.Helper()
	busy := waited(t)
	t.Logf("%s after %v, and %v of standing in line", what, took.Round(time.Millisecond), busy.Round(time.Millisecond))
	if took > most+busy {
		t.Errorf("that is more than %v", most)
	}
}

// waited is how long the threads of this process have stood in line so far, together: the second number in schedstat (Documentation/scheduler/sched-stats.rst). It is 0 where the kernel does not count that.
func waited(t *testing.T) (all time.Duration) {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		var ran, stood time.Duration
		if b, err := os.ReadFile(path); err == nil { // it may have ended
			fmt.Sscan(string(b), &ran, &stood)
		}
		all += stood
	}
	return all
}

// open opens a port of the host: TCP, which is there to be reached, and UDP, which is returned.
func (h *host) open(t *testing.T, port uint16) (c *net.UDPConn, shut func()) {
	t.Helper()
	h.do(t, func() {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		p, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		if err != nil {
			l.Close()
			t.Fatal(err)
		}
		c = p.(*net.UDPConn)
		shut = func() { l.Close(); c.Close() }
	})
	return c, shut
}

// meets waits until p found q, dials the address it would dial first, and returns how long after the start of the later one it was found.
func (p *participant) meets(t *testing.T, q *participant) (took time.Duration) {
	t.Helper()
	f, _ := p.finds(t, q)
	p.host.do(t, func() {
		c, err := net.DialTimeout("tcp", f.Addresses[0].String(), patience)
		if err != nil {
			t.Fatalf("%x was found at %v: %v", q.session, f.Addresses, err)
		}
		c.Close()
	})
	return p.took(t, q)
}

// took waits until p found q, and returns how long after the start of the later one that was.
func (p *participant) took(t *testing.T, q *participant) time.Duration {
	t.Helper()
	p.finds(t, q)
	begun := p.begun
	if q.begun.After(begun) {
		begun = q.begun
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first[q.session].Sub(begun).Round(time.Millisecond)
}

// own returns the addresses that p told first of its machine.
func (p *participant) own() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved[0]
}

// until waits for what, which is asked with p.mu held.
func (p *participant) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		done := ok()
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-p.news:
		case <-late:
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Fatalf("waited for %v until %s; found %v, gone %v, moved %v", patience, what, p.found, p.gone, p.moved)
		}
	}
}

// finds waits until p found q, and returns it and when it was heard of last.
func (p *participant) finds(t *testing.T, q *participant) (f Peer, at time.Time) {
	t.Helper()
	p.until(t, fmt.Sprintf("%x is found", q.session), func() (ok bool) {
		f, ok = p.found[q.session]
		at = p.latest[q.session]
		return ok
	})
	return f, at
}
