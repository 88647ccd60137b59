package doctor

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Firewall is what this machine lets in, as far as that can be read.
type Firewall struct {
	// Manager is who to tell: ufw, firewalld, nftables, iptables, windows, macos; empty: no firewall is known of.
	Manager string
	// Readable: Rules are all there are. Where not, Manager may still be known.
	Readable bool
	Rules    []ruleset
}

// A packet as the input rules see it. What is not set here is not looked at.
type packet struct {
	six      bool
	proto    string // tcp or udp
	port     uint16 // of destination
	from     uint16 // port of source
	in       string // interface
	src, dst netip.Addr
}

func (p packet) multicast() bool { return p.dst.IsMulticast() }

// A verdict on a packet. Unclear: it hangs on a condition that is not understood.
type verdict int

const (
	passes verdict = iota
	dropped
	unclear
)

// A truth of a condition.
type truth int

const (
	no truth = iota
	yes
	perhaps
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return perhaps
}

// A ruleset is the chains of one table, or of iptables in one family.
type ruleset struct {
	name   string // for nft: "inet filter"; otherwise iptables or ip6tables
	family string // inet, ip, ip6; other families are not looked at
	chains map[string]*chain
	order  []string
}

type chain struct {
	hook   string // input or prerouting where packets begin in it
	policy verdict
	rules  []rule
}

// A rule does its action where all conditions hold.
type rule struct {
	conditions []func(packet) truth
	action     string // accept, drop, reject, return, jump X, goto X; empty: it only counts; anything else is not understood
}

func (r rule) holds(p packet) truth {
	all := yes
	for _, c := range r.conditions {
		switch c(p) {
		case no:
			return no
		case perhaps:
			all = perhaps
		}
	}
	return all
}

// maxSteps bounds how many rules are gone through, also round and round: what is longer stays unclear.
const maxSteps = 20_000

// judge says what becomes of a packet, and where that was decided: "inet filter input".
func (f Firewall) judge(p packet) (v verdict, by string) {
	for _, s := range f.Rules {
		if s.family == "ip" && p.six || s.family == "ip6" && !p.six {
			continue
		}
		for _, name := range s.order {
			c := s.chains[name]
			if c.hook == "" {
				continue
			}
			steps := 0
			got, decided := s.pass(c, p, &steps)
			if !decided {
				got = c.policy
			}
			switch got {
			case dropped:
				return dropped, s.name + " " + name
			case unclear:
				v, by = unclear, s.name+" "+name
			}
		}
	}
	return v, by
}

// pass goes through the rules of a chain. Where a rule may or may not hold, and says something else than what comes of the packet without it, nothing is clear.
func (s ruleset) pass(c *chain, p packet, steps *int) (v verdict, decided bool) {
	doubt := map[verdict]bool{}
	settle := func(v verdict, decided bool) (verdict, bool) {
		final := v
		if !decided {
			final = c.policy
		}
		for d := range doubt {
			if d != final || !decided && c.hook == "" {
				return unclear, true
			}
		}
		return v, decided
	}
	for _, r := range c.rules {
		if *steps++; *steps > maxSteps {
			return unclear, true
		}
		holds := r.holds(p)
		if holds == no {
			continue
		}
		verb, to, _ := strings.Cut(r.action, " ")
		var got verdict
		final := true
		switch verb {
		case "accept":
			got = passes
		case "drop", "reject":
			got = dropped
		case "return":
			if holds == yes {
				return settle(passes, false)
			}
			return unclear, true
		case "jump", "goto":
			target := s.chains[to]
			if target == nil {
				got = unclear // something is done with it that is not known
				break
			}
			if got, final = s.pass(target, p, steps); !final && verb == "goto" {
				got, final = unclear, true
			}
		case "":
			continue
		default: // queue, a target of an extension
			got = unclear
		}
		switch {
		case !final:
		case got == unclear:
			return unclear, true
		case holds == yes:
			return settle(got, true)
		default:
			doubt[got] = true
		}
	}
	return settle(passes, false)
}

// portIs is a condition on a port: a number, a range, or several of them.
func portIs(get func(packet) uint16, values string) func(packet) truth {
	parts := strings.FieldsFunc(values, func(r rune) bool { return strings.ContainsRune("{}, ", r) })
	return func(p packet) truth {
		for _, part := range parts {
			low, high, ranged := strings.Cut(strings.ReplaceAll(part, ":", "-"), "-")
			l, err := strconv.ParseUint(low, 10, 16)
			h := l
			if err == nil && ranged {
				h, err = strconv.ParseUint(high, 10, 16)
			}
			if err != nil {
				return perhaps // the name of a service, or of a set
			}
			if n := uint64(get(p)); l <= n && n <= h {
				return yes
			}
		}
		return no
	}
}

// addressIn is a condition on an address: one, a prefix, or several of them.
func addressIn(get func(packet) netip.Addr, values string) func(packet) truth {
	parts := strings.FieldsFunc(values, func(r rune) bool { return strings.ContainsRune("{}, ", r) })
	return func(p packet) truth {
		for _, part := range parts {
			prefix, err := netip.ParsePrefix(part)
			if err != nil {
				a, err := netip.ParseAddr(part)
				if err != nil {
					return perhaps
				}
				prefix = netip.PrefixFrom(a, a.BitLen())
			}
			if prefix.Contains(get(p)) {
				return yes
			}
		}
		return no
	}
}

// stateIs is a condition on the state of the connection; a packet judged here begins one.
func stateIs(values string) func(packet) truth {
	states := strings.FieldsFunc(strings.ToLower(values), func(r rune) bool { return strings.ContainsRune("{}, ", r) })
	return func(packet) truth { return is(slices.Contains(states, "new")) }
}

// nameIs is a condition on the interface; a + or * at the end stands for anything.
func nameIs(values string) func(packet) truth {
	names := strings.FieldsFunc(values, func(r rune) bool { return strings.ContainsRune("{}, \"", r) })
	return func(p packet) truth {
		return is(slices.ContainsFunc(names, func(n string) bool {
			if stem := strings.TrimRight(n, "+*"); stem != n {
				return strings.HasPrefix(p.in, stem)
			}
			return n == p.in
		}))
	}
}

func protocolIs(values string) func(packet) truth {
	names := strings.FieldsFunc(strings.ToLower(values), func(r rune) bool { return strings.ContainsRune("{}, ", r) })
	return func(p packet) truth {
		number := map[string]string{"tcp": "6", "udp": "17"}[p.proto]
		return is(slices.ContainsFunc(names, func(n string) bool { return n == p.proto || n == number || n == "all" || n == "0" }))
	}
}

func kindIs(values string) func(packet) truth {
	return func(p packet) truth {
		kind := "unicast"
		if p.multicast() {
			kind = "multicast"
		}
		return is(slices.Contains(strings.FieldsFunc(strings.ToLower(values), func(r rune) bool { return strings.ContainsRune("{}, ", r) }), kind))
	}
}

func unknown(packet) truth { return perhaps }

func source(p packet) netip.Addr      { return p.src }
func destination(p packet) netip.Addr { return p.dst }
func to(p packet) uint16              { return p.port }
func from(p packet) uint16            { return p.from }

func negate(c func(packet) truth) func(packet) truth {
	return func(p packet) truth { return c(p).not() }
}
