package doctor

import (
	"slices"
	"strings"
)

// parseIPTables reads what iptables -S and ip6tables -S print; name is the program.
func parseIPTables(name, text string) ruleset {
	s := ruleset{name: name, family: map[string]string{"iptables": "ip", "ip6tables": "ip6"}[name], chains: map[string]*chain{}}
	add := func(name string) *chain {
		c := s.chains[name]
		if c == nil {
			c = &chain{}
			if name == "INPUT" {
				c.hook = "input"
			}
			s.chains[name] = c
			s.order = append(s.order, name)
		}
		return c
	}
	for line := range strings.Lines(text) {
		words := iptablesWords(strings.TrimSpace(line))
		switch {
		case len(words) < 2:
		case words[0] == "-N":
			add(words[1])
		case words[0] == "-P" && len(words) > 2:
			if c := add(words[1]); words[2] != "ACCEPT" {
				c.policy = dropped
			}
		case words[0] == "-A":
			c := add(words[1])
			c.rules = append(c.rules, iptablesRule(words[2:]))
		}
	}
	return s
}

// iptablesWords splits a line into words; what is in quotes is one.
func iptablesWords(line string) (words []string) {
	quoted, escaped := false, false
	var word strings.Builder
	some := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quoted:
			escaped = true
		case r == '"':
			quoted, some = !quoted, true
		case r == ' ' && !quoted:
			if some {
				words = append(words, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteRune(r)
			some = true
		}
	}
	if some {
		words = append(words, word.String())
	}
	return words
}

// iptablesRule reads the words after the chain's name.
func iptablesRule(words []string) (r rule) {
	negative := false
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		var c func(packet) truth
		switch option := words[i]; option {
		case "!":
			negative = true
			continue
		case "-m", "--comment", "--reject-with":
			i++
			continue
		case "-p":
			c = protocolIs(value)
			if slices.Contains([]string{"icmpv6", "ipv6-icmp", "58"}, value) {
				c = protocolIs("icmp")
			}
		case "-s":
			c = addressIn(source, value)
		case "-d":
			c = addressIn(destination, value)
		case "-i":
			c = nameIs(value)
		case "--dport", "--dports":
			c = portIs(to, value)
		case "--sport", "--sports":
			c = portIs(from, value)
		case "--ctstate", "--state":
			c = stateIs(value)
		case "--pkt-type":
			c = kindIs(value)
		case "--dst-type":
			c = kindIs(strings.ReplaceAll(value, "LOCAL", "unicast"))
		case "--tcp-flags":
			c = func(packet) truth { return perhaps }
			if i+2 < len(words) && value == "FIN,SYN,RST,ACK" && words[i+2] == "SYN" { // how a connection begins
				c = protocolIs("tcp")
			}
			i++
		case "-j", "-g":
			r.action = iptablesAction(option, value)
			return r
		default:
			c = unknown
			for i+2 < len(words) && !strings.HasPrefix(words[i+2], "-") && words[i+2] != "!" {
				i++
			}
			if strings.HasPrefix(value, "-") { // the option has none
				i--
			}
		}
		if negative {
			c, negative = negate(c), false
		}
		r.conditions = append(r.conditions, c)
		i++
	}
	return r
}

// iptablesAction puts a target in nft's words.
func iptablesAction(option, target string) string {
	switch target {
	case "ACCEPT", "DROP", "REJECT", "RETURN":
		return strings.ToLower(target)
	case "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CT", "TRACE", "AUDIT", "SET", "TCPMSS", "DSCP", "TOS", "CLASSIFY", "CHECKSUM": // the rules go on
		return ""
	}
	if option == "-g" {
		return "goto " + target
	}
	return "jump " + target
}
