package lab

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Host is one machine of a Lab.
type Host struct {
	lab  *Lab
	t    testing.TB
	name string // of its namespace
	dir  string
	ip   netip.Addr
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

// Drop throws away what reaches the host over IPv4 or IPv6 and matches, in iptables' words.
func (h *Host) Drop(match ...string) {
	h.t.Helper()
	h.firewall(append(append([]string{"-A", "INPUT"}, match...), "-j", "DROP")...)
}

func (h *Host) firewall(args ...string) {
	h.t.Helper()
	for _, program := range []string{"iptables", "ip6tables"} {
		run(h.t, h.Command(program, append([]string{"-w"}, args...)...))
	}
}
