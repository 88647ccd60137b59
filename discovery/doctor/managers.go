package doctor

import (
	"strings"
)

// ufwOn reads /etc/ufw/ufw.conf, which everybody may.
func ufwOn(conf string) bool {
	on := false
	for line := range strings.Lines(conf) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.TrimSpace(name) == "ENABLED" {
			on = strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"'`), "yes")
		}
	}
	return on
}

// ufwActive reads what ufw status prints.
func ufwActive(status string) bool {
	first, _, _ := strings.Cut(status, "\n")
	return strings.TrimSpace(first) == "Status: active"
}

// parseFirewalld makes rules of what firewall-cmd --list-all prints of the default zone: services and ports are let in, and all else as its target says. Rich rules are not understood.
func parseFirewalld(text string) (s ruleset, ok bool) {
	c := &chain{hook: "input", policy: dropped}
	s = ruleset{name: "firewalld", family: "inet", order: []string{"zone"}, chains: map[string]*chain{"zone": c}}
	let := func(proto, ports string) {
		c.rules = append(c.rules, rule{conditions: []func(packet) truth{protocolIs(proto), portIs(to, ports)}, action: "accept"})
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case name == "target":
			ok = true
			if value == "ACCEPT" {
				c.policy = passes
			}
		case name == "services":
			for _, service := range strings.Fields(value) {
				if service == "mdns" {
					let("udp", "5353")
				}
			}
		case name == "ports":
			for _, p := range strings.Fields(value) {
				ports, proto, _ := strings.Cut(p, "/")
				let(proto, ports)
			}
		case strings.HasPrefix(line, "rule "): // a rich one
			c.rules = append(c.rules, rule{conditions: []func(packet) truth{unknown}, action: "unknown"})
		}
	}
	return s, ok
}
