package discovery

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An avahi is an avahi-daemon with a D-Bus of its own on a host. Its folder for sockets and process ids is fixed when it is built: it gets a mount namespace.
type avahi struct {
	host *host
	bus  string

	mu     sync.Mutex // protects output
	output bytes.Buffer
}

func (a *avahi) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output.Write(b)
}

func (h *host) avahi(t *testing.T) *avahi {
	t.Helper()
	need(t, "avahi-daemon", "avahi-browse", "avahi-publish", "avahi-resolve", "dbus-daemon")
	dir := t.TempDir()
	a := &avahi{host: h, bus: "unix:path=" + filepath.Join(dir, "bus")}
	for name, text := range map[string]string{
		"bus.conf": `<busconfig><type>system</type><listen>` + a.bus + `</listen><auth>EXTERNAL</auth><policy context="default">
			<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`,
		"passwd":     "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n", // the only user there is in a user namespace
		"group":      "root:x:0:\navahi:x:0:\n",
		"avahi.conf": fmt.Sprintf("[server]\nhost-name=host-%d\nuse-ipv4=yes\nuse-ipv6=yes\n", h.n),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("sh", "-ec", `
		mount --make-rprivate /
		mount -t tmpfs none /run
		cd "$1"
		mount --bind passwd /etc/passwd
		mount --bind group /etc/group
		dbus-daemon --nofork --nopidfile --config-file=bus.conf &
		until test -S bus; do sleep 0.01; done
		exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --file=avahi.conf`, "sh", dir)
	c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+a.bus)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNS}
	c.Stdout, c.Stderr = a, a
	h.do(t, func() {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		c.Wait()
		if t.Failed() {
			t.Logf("avahi on host %d:\n%s", h.n, a.output.String())
		}
	})
	return a
}

// run runs a tool of avahi's that comes to its end.
func (a *avahi) run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	var out []byte
	var err error
	a.host.do(t, func() {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+a.bus)
		out, err = c.CombinedOutput()
	})
	return string(out), err
}

// browse waits until avahi-browse lists all that is wanted, each a part of a line.
func (a *avahi) browse(t *testing.T, service string, want ...string) {
	t.Helper()
	var out, missing string
	for late := time.Now().Add(patience); time.Now().Before(late); {
		out, _ = a.run(t, "avahi-browse", "-rptk", service)
		missing = ""
		for _, w := range want {
			if !strings.Contains(out, w) {
				missing += w + "\n"
			}
		}
		if missing == "" {
			return
		}
	}
	t.Fatalf("avahi on host %d does not list\n%sbut\n%s", a.host.n, missing, out)
}

// start runs a tool of avahi's until the test ends, and returns its lines.
func (a *avahi) start(t *testing.T, program string, args ...string) (lines <-chan string) {
	t.Helper()
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+a.bus)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.host.do(t, func() {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			said <- s.Text()
		}
	}()
	return said
}

// avahi and earshot share port 5353 of two machines, with two instances on one of them. avahi lists all instances, with address, port and TXT in both families; it
// still publishes and finds what is its own; the instances still find each other; and one that leaves goes from avahi's list at once.
func TestBesideAvahi(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		one, two := l.host(t), l.host(t)
		one.plug(t, "eth0", "br0", "10.77.0.1/24")
		two.plug(t, "eth0", "br0", "10.77.0.2/24")
		before := one.avahi(t) // one daemon is there before, the other comes later
		before.browse(t, "_none._tcp")
		a, b, c := one.run(t, 1, 0), one.run(t, 2, 0), two.run(t, 3, 0)
		after := two.avahi(t)
		all := []*participant{a, b, c}
		for _, p := range all {
			for _, q := range all {
				if p != q {
					p.meets(t, q)
				}
			}
		}
		var want []string
		for _, p := range all {
			name := fmt.Sprintf("%x", p.session)
			tag := tagOf(0)(p.session, p.c.Port)
			text := fmt.Sprintf(`;%d;"r=" "n=%x" "i=%s" "v=1"`, p.c.Port, tag, name)
			want = append(want,
				fmt.Sprintf("=;eth0;IPv4;%s;_earshot._tcp;local;%s.local;10.77.0.%d%s", name, name, p.host.n, text),
				fmt.Sprintf("=;eth0;IPv6;%s;_earshot._tcp;local;%s.local;", name, name)) // which of the addresses is avahi's choice
		}
		for _, d := range []*avahi{before, after} {
			d.browse(t, Service, want...)
			for _, p := range all {
				name := fmt.Sprintf("%x.local", p.session)
				var address string
				p.host.do(t, func() { address = linkLocalOf(t, "eth0") })
				if out, err := d.run(t, "avahi-resolve", "-6", "-n", name); err != nil || !strings.Contains(out, address) {
					t.Errorf("avahi on host %d resolves %s to %q %v, not %s", d.host.n, name, out, err, address)
				}
			}
		}
		before.start(t, "avahi-publish", "-s", "a printer", "_ipp._tcp", "631")
		after.browse(t, "_ipp._tcp", `=;eth0;IPv4;a\032printer;_ipp._tcp;local;host-1.local;10.77.0.1;631;`)

		watch := after.start(t, "avahi-browse", "-p", Service)
		left := fmt.Sprintf("%x", b.session)
		listed := false
		late := time.After(patience)
		for over := false; !over; {
			select {
			case line, ok := <-watch:
				if !ok {
					t.Fatal("avahi-browse ended")
				}
				if !listed && strings.HasPrefix(line, "+;eth0;IPv4;"+left) {
					listed = true
					go b.stop()
					late = time.After(patience) // without a goodbye it would be listed for two minutes
				}
				over = strings.HasPrefix(line, "-;eth0;IPv4;"+left)
			case <-late:
				t.Fatalf("one that left is still listed (it was: %v)", listed)
			}
		}
		after.browse(t, Service, want[0], want[1], want[4], want[5])
	})
}

func linkLocalOf(t *testing.T, name string) string {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := i.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n := a.(*net.IPNet); n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("no link-local address")
	return ""
}
