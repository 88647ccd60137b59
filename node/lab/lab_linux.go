package lab

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// netnsDir is where ip keeps named network namespaces.
const netnsDir = "/run/netns"

// switches is how many parts a network can be split into.
const switches = 3

// mostHosts is how many there may be at once.
const mostHosts = 20

// hosts are those that all labs have: what they share is the kernel's, so that this is the process's. Who waits longest is served first.
var hosts = semaphore.NewWeighted(mostHosts)

// A Lab is a network of hosts 1 to n on one switch.
type Lab struct {
	t      testing.TB
	name   string // of its namespaces
	binary string
	hosts  []*Host

	mu      sync.Mutex    // protects what follows, and the events of all processes
	changed chan struct{} // closed, and made anew, when something happened in any of them
	running []*Process    // all that began; grows only
	starved time.Time     // when last a process was seen to
}

// Need skips a test where a program is not installed, or fails it with CI=true.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		without(t, "no "+program)
	}
}

// without skips a test for a reason, except where everything must be tested.
func without(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// New makes a network of n hosts that lasts until the test ends: 10.77.0.i and fd77::i, with a default route to nowhere.
func New(t testing.TB, n int) *Lab {
	t.Helper()
	binary := os.Getenv(envInside)
	if binary == "" {
		reason := os.Getenv(envReason)
		if reason == "" {
			reason = "TestMain does not call lab.Main"
		}
		without(t, "no lab: "+reason)
	}
	if n > mostHosts {
		t.Fatalf("%d hosts: a lab has %d at most", n, mostHosts)
	}
	if err := hosts.Acquire(t.Context(), int64(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hosts.Release(int64(n)) })
	watch(t)
	dir := t.TempDir()
	l := &Lab{t: t, changed: make(chan struct{}), name: strings.ReplaceAll(strings.TrimPrefix(dir, os.TempDir()+"/"), "/", "-"), binary: binary}
	l.netns(l.bridges())
	for i := range switches {
		l.batch(l.bridges(), fmt.Sprintf("link add br%d type bridge mcast_snooping 0 forward_delay 0", i), fmt.Sprintf("link set br%d up", i))
	}
	for i := 1; i <= n; i++ {
		h := &Host{lab: l, t: t, name: fmt.Sprintf("%s-%d", l.name, i), dir: filepath.Join(dir, fmt.Sprint(i)), ip: netip.AddrFrom4([4]byte{10, 77, 0, byte(i)}), mac: fmt.Sprintf("02:00:00:00:00:%02x", i)}
		if err := os.Mkdir(h.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l.hosts = append(l.hosts, h)
		l.netns(h.name)
		l.batch(l.bridges(),
			fmt.Sprintf("link add p%d type veth peer name eth0 address %s netns %s", i, h.mac, h.name),
			fmt.Sprintf("link set p%d master br0 up", i))
		// Where /proc/sys is read-only, duplicate address detection costs the link-local address a second.
		h.Command("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad").Run()
		l.batch(h.name, "link set lo up multicast on", "link set eth0 up",
			fmt.Sprintf("addr add %s/16 broadcast + dev eth0", h.ip),
			fmt.Sprintf("addr add fd77::%x/64 dev eth0 nodad", i),
			"route add default via 10.77.255.254 dev eth0")
	}
	ctx, stop := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { l.look(ctx) })
	t.Cleanup(func() {
		stop()
		looking.Wait()
	})
	return l
}

// Wait waits until cond holds; it looks again whenever a process has printed something or ended. what is for the failure, as is all that was printed.
func (l *Lab) Wait(within time.Duration, what string, cond func() bool) {
	l.t.Helper()
	if !l.await(within, cond) {
		l.t.Fatalf("not within %v: %s", within, what)
	}
}

func (l *Lab) await(within time.Duration, cond func() bool) bool {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if cond() {
			return true
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

func (l *Lab) happened(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// watch has the go command see the source of the binary as input of the test: it would call an old result cached where only the binary changed.
// The go command notes which folders a test lists, and compares their files' times.
func watch(t testing.TB) {
	t.Helper()
	root := "."
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Join(root, "..")
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *Lab) bridges() string { return l.name + "-switch" }

// Host returns host i, from 1.
func (l *Lab) Host(i int) *Host { return l.hosts[i-1] }

// Cut pulls a host's cable at the switch: its own link stays up, packets vanish. Heal puts it back.
func (l *Lab) Cut(i int)  { l.t.Helper(); l.batch(l.bridges(), fmt.Sprintf("link set p%d nomaster", i)) }
func (l *Lab) Heal(i int) { l.t.Helper(); l.plug(0, i) }

// Unplug pulls a host's cable at the host: its own link goes down. Plug puts it back.
func (l *Lab) Unplug(i int) { l.t.Helper(); l.batch(l.bridges(), fmt.Sprintf("link set p%d down", i)) }
func (l *Lab) Plug(i int)   { l.t.Helper(); l.batch(l.bridges(), fmt.Sprintf("link set p%d up", i)) }

// Isolate keeps hosts from hearing one another, as an access point does that keeps its clients apart: they reach only who is not among them.
func (l *Lab) Isolate(hosts ...int) {
	l.t.Helper()
	for _, i := range hosts {
		l.batch(l.bridges(), fmt.Sprintf("link set p%d type bridge_slave isolated on", i))
	}
}

// Split gives each part, three at most, a switch of its own, the first the one that all were on; Join brings all together.
func (l *Lab) Split(parts ...[]int) {
	l.t.Helper()
	for bridge, hosts := range parts {
		l.plug(bridge, hosts...)
	}
}

func (l *Lab) Join() {
	l.t.Helper()
	for i := range l.hosts {
		l.plug(0, i+1)
	}
}

func (l *Lab) plug(bridge int, hosts ...int) {
	l.t.Helper()
	var lines []string
	for _, i := range hosts {
		lines = append(lines, fmt.Sprintf("link set p%d master br%d", i, bridge))
	}
	l.batch(l.bridges(), lines...)
}

// Detach takes an interface away from host i altogether, as when an adapter is pulled out. Attach gives it one, on the first switch (0) or another, with IPv4 addresses.
func (l *Lab) Detach(i int, name string) { l.t.Helper(); l.batch(l.Host(i).name, "link del "+name) }

func (l *Lab) Attach(i, bridge int, name string, addresses ...string) {
	l.t.Helper()
	h, port := l.Host(i), fmt.Sprintf("p%d", i)
	if name != "eth0" {
		port += "-" + name
	}
	l.batch(l.bridges(),
		fmt.Sprintf("link add %s type veth peer name %s netns %s", port, name, h.name),
		fmt.Sprintf("link set %s master br%d up", port, bridge))
	lines := []string{"link set " + name + " up"}
	for _, a := range addresses {
		lines = append(lines, fmt.Sprintf("addr add %s broadcast + dev %s", a, name))
		if name == "eth0" {
			h.ip = netip.MustParsePrefix(a).Addr()
		}
	}
	l.batch(h.name, lines...)
}

// Loss drops that share of the packets that reach host i; 0 ends it, and what Drop does.
func (l *Lab) Loss(i, percent int) {
	l.t.Helper()
	h := l.Host(i)
	h.Firewall("-F", "INPUT")
	if percent > 0 {
		h.Drop("-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(float64(percent)/100))
	}
}

// netns makes a network namespace.
func (l *Lab) netns(name string) {
	l.t.Helper()
	run(l.t, exec.Command("ip", "netns", "add", name))
	l.t.Cleanup(func() { run(l.t, exec.Command("ip", "netns", "del", name)) })
}

// batch has ip do something in a namespace.
func (l *Lab) batch(netns string, lines ...string) {
	l.t.Helper()
	cmd := exec.Command("ip", "-n", netns, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	run(l.t, cmd)
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
