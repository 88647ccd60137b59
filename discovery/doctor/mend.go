package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// chainIn is where a packet was dropped, in which family, or in both.
type chainIn struct {
	by        string
	six, both bool
}

// mend returns the command that lets a port in, or out; proto is tcp, udp, or empty for both.
func (d *diagnosis) mend(proto string, port uint16, c chainIn, out bool) string {
	switch d.System {
	case "windows":
		return fmt.Sprintf("netsh advfirewall firewall add rule name=earshot dir=%s action=allow protocol=%s %s=%d", direction(out), strings.ToUpper(cmp.Or(proto, "tcp")), map[bool]string{false: "localport", true: "remoteport"}[out], port)
	case "darwin":
		return `sudo /usr/libexec/ApplicationFirewall/socketfilterfw --unblockapp "$(command -v earshot)"`
	case "linux":
	default:
		return "sudo pfctl -sr"
	}
	program, _, _ := strings.Cut(c.by, " ")
	switch {
	case d.Firewall.Manager == "ufw" && out:
		return fmt.Sprintf("sudo ufw allow out %d%s", port, suffix(proto))
	case d.Firewall.Manager == "ufw":
		return fmt.Sprintf("sudo ufw allow %d%s", port, suffix(proto))
	case d.Firewall.Manager == "firewalld" && !out && port == 5353:
		return "sudo firewall-cmd --permanent --add-service=mdns && sudo firewall-cmd --reload"
	case d.Firewall.Manager == "firewalld" && !out:
		return fmt.Sprintf("sudo firewall-cmd --permanent --add-port=%[1]d/tcp --add-port=%[1]d/udp && sudo firewall-cmd --reload", port)
	case !d.Firewall.Readable && !d.Root:
		return "sudo earshot doctor" // which can read the firewall
	case out || c.by == "":
		return d.list()
	case strings.HasPrefix(program, "ip") && strings.HasSuffix(program, "tables"):
		return iptablesMend(proto, port, c)
	}
	match := fmt.Sprintf("%s dport %d", proto, port)
	if proto == "" {
		match = fmt.Sprintf("meta l4proto '{ tcp, udp }' th dport %d", port)
	}
	return fmt.Sprintf("sudo nft insert rule %s %s accept", c.by, match)
}

// list shows the rules that are there.
func (d *diagnosis) list() string {
	if d.tools["nft"] {
		return "sudo nft list ruleset"
	}
	return "sudo iptables -S"
}

func iptablesMend(proto string, port uint16, c chainIn) string {
	programs := []string{"iptables"}
	switch {
	case c.both:
		programs = append(programs, "ip6tables")
	case c.six:
		programs = []string{"ip6tables"}
	}
	var commands []string
	for _, program := range programs {
		for _, p := range []string{"tcp", "udp"} {
			if proto == "" || proto == p {
				commands = append(commands, fmt.Sprintf("sudo %s -I INPUT -p %s --dport %d -j ACCEPT", program, p, port))
			}
		}
	}
	return strings.Join(commands, " && ")
}

func direction(out bool) string {
	if out {
		return "out"
	}
	return "in"
}

func suffix(proto string) string {
	if proto == "" {
		return ""
	}
	return "/" + proto
}

// inUse reports whether a socket could not be opened because another program does not share the port.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaEADDRINUSE)
}

// wsaEADDRINUSE is what Windows calls it (Winsock's error codes); no other system has such a number.
const wsaEADDRINUSE = syscall.Errno(10048)

// forbidden reports whether the system, or a firewall in it, does not let something be sent.
func forbidden(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES)
}

// last is what the system said, without what was being done.
func last(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// shell quotes a word for a shell where it needs it.
func shell(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:@", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func hostPort(address string) (host, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, "4327"
	}
	return host, port
}

func number(port string) uint16 {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 4327
	}
	return uint16(n)
}

// span says how long about d is.
func span(d time.Duration) string {
	d = d.Abs()
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}} {
		switch n := d.Round(unit.length) / unit.length; {
		case d < unit.length*9/10:
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	if n := int(d.Round(time.Minute) / time.Minute); n != 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "1 minute"
}
