package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A Host is one machine of a Lab.
type Host struct {
	lab  *Lab
	t    testing.TB
	name string // of its namespace
	dir  string
	ip   netip.Addr
	mac  string
}

// IP returns the IPv4 address, Home the home folder.
func (h *Host) IP() netip.Addr { return h.ip }
func (h *Host) Home() string   { return filepath.Join(h.dir, "home") }

// Command returns a program to run on the host, with the host's own home. Its process id is the program's.
func (h *Host) Command(program string, args ...string) *exec.Cmd {
	home := h.Home()
	if err := os.MkdirAll(home, 0o700); err != nil {
		h.t.Fatal(err)
	}
	cmd := command(h.name, program, args...)
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "USER=host", "TERM=xterm-256color", "TMPDIR=" + h.dir, "GORACE=halt_on_error=1",
		"XDG_CONFIG_HOME=" + home + "/.config", "XDG_DATA_HOME=" + home + "/.local/share",
		"XDG_STATE_HOME=" + home + "/.local/state", "XDG_CACHE_HOME=" + home + "/.cache",
	}
	return cmd
}

// Run runs the built binary to its end, with stdin as its input, and returns what it printed and its exit code.
func (h *Host) Run(stdin string, args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	return runToEnd(h.t, h.Command(h.lab.binary, args...), stdin)
}

// Move gives the host another IPv4 address in place of the one it has, as a DHCP server may.
func (h *Host) Move(to netip.Addr) {
	h.t.Helper()
	h.lab.batch(h.name, fmt.Sprintf("addr del %s/16 dev eth0", h.ip), fmt.Sprintf("addr add %s/16 broadcast + dev eth0", to), "route replace default via 10.77.255.254 dev eth0")
	h.ip = to
}

// Configure has ip do something on the host, a command each.
func (h *Host) Configure(commands ...string) { h.t.Helper(); h.lab.batch(h.name, commands...) }

// Disk puts the home on a disk of that many bytes, which must happen before anything is in it. Fill takes all the room that is left there, and Free gives it back.
func (h *Host) Disk(size int) {
	h.t.Helper()
	if err := os.MkdirAll(h.Home(), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", h.Home(), "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
		h.t.Fatalf("mount %s: %v", h.Home(), err)
	}
	h.t.Cleanup(func() {
		if err := syscall.Unmount(h.Home(), syscall.MNT_DETACH); err != nil {
			h.t.Error(err)
		}
	})
}

func (h *Host) Fill() {
	h.t.Helper()
	f, err := os.Create(h.ballast())
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, os.Getpagesize()))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		h.t.Fatal(err)
	}
}

func (h *Host) Free() {
	h.t.Helper()
	if err := os.Remove(h.ballast()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *Host) ballast() string { return filepath.Join(h.Home(), "ballast") }

// Ignore drops what comes from another host, while that one hears this one. Loss(i, 0) ends it.
func (h *Host) Ignore(other *Host) { h.t.Helper(); h.Drop("-m", "mac", "--mac-source", other.mac) }

// Drop throws away what reaches the host over IPv4 or IPv6 and matches, in iptables' words.
func (h *Host) Drop(match ...string) {
	h.t.Helper()
	h.Firewall(append(append([]string{"-A", "INPUT"}, match...), "-j", "DROP")...)
}

// Firewall hands its arguments to iptables and ip6tables, Firewall4 to iptables alone.
func (h *Host) Firewall(args ...string) {
	h.t.Helper()
	h.tables("iptables", args)
	h.tables("ip6tables", args)
}

func (h *Host) Firewall4(args ...string) { h.t.Helper(); h.tables("iptables", args) }

func (h *Host) tables(program string, args []string) {
	h.t.Helper()
	Need(h.t, program)
	run(h.t, h.Command(program, append([]string{"-w"}, args...)...))
}
