package doctor

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxOutput bounds what is read of a file or a program.
const maxOutput = 4 << 20

// programs are those looked for, for what they print or for the commands that mend.
var programs = [...]string{"nft", "iptables", "ip6tables", "ufw", "firewall-cmd", "nmcli", "networkctl", "dhclient", "dhcpcd", "timedatectl", "chronyc", "wg-quick"}

// readFirewall reads what this user may of it.
func readFirewall(ctx context.Context) (f Firewall, tools map[string]bool, root bool) {
	paths := map[string]string{}
	tools = map[string]bool{}
	for _, p := range programs {
		if path := lookup(p); path != "" {
			paths[p], tools[p] = path, true
		}
	}
	print := func(program string, args ...string) (string, bool) {
		if paths[program] == "" {
			return "", false
		}
		return output(ctx, paths[program], args...)
	}
	if state, ok := print("firewall-cmd", "--state"); ok && strings.TrimSpace(state) == "running" {
		f.Manager = "firewalld"
		if text, ok := print("firewall-cmd", "--list-all"); ok {
			if s, ok := parseFirewalld(text); ok {
				f.Rules, f.Readable = append(f.Rules, s), true
				return f, tools, os.Geteuid() == 0
			}
		}
	}
	if status, ok := print("ufw", "status"); ok && ufwActive(status) || tools["ufw"] && ufwOn(file("/etc/ufw/ufw.conf")) {
		f.Manager = "ufw"
	}
	for _, p := range []string{"iptables", "ip6tables"} {
		if text, ok := print(p, "-S"); ok {
			f.Rules, f.Readable = append(f.Rules, parseIPTables(p, text)), true
		}
	}
	if text, ok := print("nft", "list", "ruleset"); ok {
		f.Readable = true
		for _, s := range parseNFT(text) {
			if byIPTables := len(f.Rules) > 0 && s.chains["INPUT"] != nil; !byIPTables { // which has told of it
				f.Rules = append(f.Rules, s)
			}
		}
	}
	return f, tools, os.Geteuid() == 0
}

// lookup finds a program, also where only root has its folder in PATH.
func lookup(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, program)
		if i, err := os.Stat(path); err == nil && i.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// output runs a program; ok is whether it ended well, in time, and with no more output than is looked at.
func output(ctx context.Context, path string, args ...string) (text string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.WaitDelay = 100 * time.Millisecond
	var b bytes.Buffer
	c.Stdout = &limited{&b}
	if err := c.Run(); err != nil || b.Len() >= maxOutput {
		return "", false
	}
	return b.String(), true
}

// limited keeps the first maxOutput bytes.
type limited struct{ *bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	l.Buffer.Write(b[:min(len(b), maxOutput-l.Len())])
	return len(b), nil
}

// file returns what is in a small one, nothing where it cannot be read.
func file(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxOutput))
	if err != nil {
		return ""
	}
	return string(b)
}

func routes() string     { return file("/proc/net/route") }
func neighbours() string { return file("/proc/net/arp") }
