package doctor

import (
	"slices"
	"strings"
)

// parseNFT reads what nft list ruleset prints. What it does not understand makes a condition unclear, never a rule disappear.
func parseNFT(text string) (sets []ruleset) {
	var table *ruleset
	var in *chain
	depth := 0 // of braces that stay open
	lines := strings.Split(text, "\n")
	for n := 0; n < len(lines); n++ {
		line := strings.TrimSpace(lines[n])
		words := nftWords(line)
		opens := strings.HasSuffix(line, "{")
		switch {
		case len(words) == 0 || line[0] == '#':
		case line == "}":
			if depth--; depth < 0 {
				return sets
			}
			in = nil
			if depth == 0 {
				table = nil
			}
		case depth == 0 && opens && len(words) >= 4 && words[0] == "table":
			sets = append(sets, ruleset{name: words[1] + " " + words[2], family: words[1], chains: map[string]*chain{}})
			table, depth = &sets[len(sets)-1], 1
		case depth == 1 && opens && len(words) == 3 && words[0] == "chain" && table != nil:
			in, depth = &chain{}, 2
			table.chains[words[1]] = in
			table.order = append(table.order, words[1])
		case in == nil:
			if depth += braces(line); depth < 0 {
				return sets
			}
		case words[0] == "type":
			in.base(line)
		default:
			for braces(line) > 0 && n+1 < len(lines) { // a long list goes on
				n++
				line += " " + strings.TrimSpace(lines[n])
			}
			in.rules = append(in.rules, nftRules(nftWords(line))...)
		}
	}
	return sets
}

// braces counts those that line leaves open.
func braces(line string) (n int) {
	quoted := false
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '{':
			n++
		case r == '}':
			n--
		}
	}
	return n
}

// base reads "type filter hook input priority filter; policy drop;".
func (c *chain) base(line string) {
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ';' })
	for i := 0; i+1 < len(words); i++ {
		switch {
		case words[i] == "hook" && (words[i+1] == "input" || words[i+1] == "prerouting") && slices.Contains(words, "filter") && words[1] == "filter":
			c.hook = words[i+1]
		case words[i] == "policy" && words[i+1] == "drop":
			c.policy = dropped
		}
	}
}

// nftWords splits a line into words; what is in quotes or braces is one.
func nftWords(line string) (words []string) {
	var word strings.Builder
	depth, quoted := 0, false
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
			if depth > 0 {
				word.WriteRune(r)
			}
			continue
		case quoted:
		case r == '{':
			depth++
		case r == '}':
			depth = max(depth-1, 0)
		case depth == 0 && (r == ' ' || r == '\t'):
			end()
			continue
		}
		word.WriteRune(r)
	}
	end()
	return words
}

// nftRules reads one line, which is several rules where it maps values to verdicts.
func nftRules(words []string) []rule {
	var r rule
	for i := 0; i < len(words); {
		word := words[i]
		next := func(n int) string {
			if i+n < len(words) {
				return words[i+n]
			}
			return ""
		}
		if make, size := nftCondition(word, next); make != nil {
			i += size
			negative := i < len(words) && words[i] == "!="
			switch {
			case i < len(words) && words[i] == "vmap":
				if i+1 >= len(words) {
					break
				}
				return r.mapped(make, words[i+1])
			case negative || i < len(words) && words[i] == "==":
				i++
			}
			value := ""
			if i < len(words) {
				value = words[i]
			}
			c := make(value)
			if strings.HasPrefix(value, "@") {
				c = unknown
			}
			if negative {
				c = negate(c)
			}
			r.conditions = append(r.conditions, c)
			i++
			continue
		}
		switch word {
		case "counter":
			switch next(1) {
			case "packets":
				i += 4
			case "name":
				i += 2
			}
			i++
		case "log":
			for i++; i+1 < len(words) && slices.Contains([]string{"prefix", "level", "flags", "group", "snaplen", "queue-threshold"}, words[i]); {
				i += 2
			}
		case "comment":
			i += 2
		case "meta", "th": // of whichever protocol
			i++
		case "tcp", "udp": // a port follows, or something else of the header
			r.conditions = append(r.conditions, protocolIs(word))
			i++
		case "ip", "ip6":
			r.conditions = append(r.conditions, familyIs(word == "ip6"))
			i++
		case "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "arp", "ether", "vlan":
			if word != "ether" && word != "vlan" {
				r.conditions = append(r.conditions, func(packet) truth { return no })
			} else {
				r.conditions = append(r.conditions, unknown)
			}
			i++
		case "accept", "drop", "return", "reject":
			r.action = word
			return []rule{r}
		case "jump", "goto":
			r.action = word + " " + next(1)
			return []rule{r}
		case "limit":
			r.conditions = append(r.conditions, unknown)
			i += 3
		case "queue", "dup", "fwd", "tproxy", "redirect", "dnat", "snat", "masquerade":
			r.action = word
			return []rule{r}
		case "notrack":
			i++
		default:
			r.conditions = append(r.conditions, unknown)
			i++
		}
	}
	return []rule{r}
}

// nftCondition returns what makes a condition of a value, and how many words name it; nil where it is none that is understood.
func nftCondition(word string, next func(int) string) (func(string) func(packet) truth, int) {
	switch word {
	case "iifname", "iif":
		return nameIs, 1
	case "l4proto", "protocol", "nexthdr":
		return protocolIs, 1
	case "pkttype":
		return kindIs, 1
	case "nfproto":
		return func(v string) func(packet) truth { return familyIs(v == "ipv6") }, 1
	case "dport":
		return func(v string) func(packet) truth { return portIs(to, v) }, 1
	case "sport":
		return func(v string) func(packet) truth { return portIs(from, v) }, 1
	case "saddr":
		return func(v string) func(packet) truth { return addressIn(source, v) }, 1
	case "daddr":
		return func(v string) func(packet) truth { return addressIn(destination, v) }, 1
	case "ct":
		switch next(1) {
		case "state":
			return stateIs, 2
		case "status": // nothing was translated
			return func(string) func(packet) truth { return func(packet) truth { return no } }, 2
		}
	}
	return nil, 0
}

func familyIs(six bool) func(packet) truth { return func(p packet) truth { return is(p.six == six) } }

// mapped makes of "{ invalid : drop, new : jump x }" a rule each.
func (r rule) mapped(make func(string) func(packet) truth, entries string) (rules []rule) {
	for entry := range strings.SplitSeq(strings.Trim(entries, "{} "), ",") {
		value, action, ok := strings.Cut(entry, " : ")
		if !ok {
			return []rule{{conditions: append(slices.Clone(r.conditions), unknown), action: "map"}}
		}
		rules = append(rules, rule{conditions: append(slices.Clone(r.conditions), make(strings.TrimSpace(value))), action: strings.TrimSpace(action)})
	}
	return rules
}
