package doctor

import (
	"fmt"
	"strings"

	"earshot/discovery"
)

// What is said of each thing that was seen; of an interface as of others: why it is not used, or what was sent and heard there.
func interfaceState(i discovery.Interface) string {
	why := map[discovery.Use]string{
		discovery.Loopback: "the loopback", discovery.Down: "switched off", discovery.NoCarrier: "not connected", discovery.NoAddress: "it has no address",
		discovery.NoMulticast: "it does no multicast", discovery.PointToPoint: "leads to one other machine, as a VPN does", discovery.Virtual: "leads into this machine",
	}[i.Use]
	if i.Use != discovery.Used {
		return "not used: " + why
	}
	var parts []string
	for _, a := range i.Addresses {
		parts = append(parts, a.Addr().String())
	}
	said := strings.Join(parts, ", ")
	for _, f := range []struct {
		name string
		*discovery.Traffic
	}{{"IPv4", i.IPv4}, {"IPv6", i.IPv6}} {
		if f.Traffic == nil {
			continue
		}
		said += fmt.Sprintf("\n%s: %d sent, %d came back, %d heard of others", f.name, f.Sent, f.Back, f.Heard)
		if f.Err != nil {
			said += fmt.Sprintf(" (%v)", last(f.Err))
		}
	}
	return said
}

func (r *Report) heard() string {
	if r.Survey.Machines == 0 {
		return "nobody's mDNS"
	}
	said := machines(r.Survey.Machines)
	const most = 8
	if s := r.Survey.Services; len(s) > 0 {
		said += ": " + strings.Join(s[:min(len(s), most)], ", ")
		if len(s) > most {
			said += fmt.Sprintf(" and %d services more", len(s)-most)
		}
	}
	return said
}

func (r *Report) route() string {
	via := strings.TrimPrefix(names([]string{r.Route.IPv4, r.Route.IPv6}), ", ")
	if via == "" {
		return "none"
	}
	if r.Route.VPN {
		via += ", a VPN"
	}
	if !r.Route.Gateway.IsValid() {
		return via
	}
	answers := "does not answer"
	if r.Route.Answers {
		answers = "answers"
	}
	return fmt.Sprintf("%s; the router %s %s", via, r.Route.Gateway, answers)
}

func (r *Report) firewallState() string {
	f := r.Firewall
	switch {
	case f.Manager == "windows":
		return "look in Windows Security, Firewall & network protection, Allow an app through firewall: earshot must be ticked for this kind of network"
	case f.Manager == "macos":
		return "look in System Settings, Network, Firewall, Options: earshot must be allowed to receive connections"
	case !f.Readable && f.Manager != "":
		return f.Manager + " is on; only root can read what it lets in (sudo earshot doctor)"
	case !f.Readable && (r.tools["nft"] || r.tools["iptables"]):
		return "only root can read it (sudo earshot doctor)"
	case !f.Readable:
		return "none is known of"
	}
	d := &diagnosis{Report: r}
	worst := passes
	for _, p := range []packet{d.begin("tcp", false), d.begin("tcp", true)} {
		if v, _ := f.judge(p); p.proto != "" && v != passes {
			worst = v
		}
	}
	said := map[verdict]string{passes: "lets earshot in", dropped: "lets nobody in", unclear: "has conditions that are not understood here"}[worst]
	if f.Manager != "" {
		return f.Manager + " " + said
	}
	return said
}

// entry is who it is, and what is said of it.
func (p Peer) entry() (name, said string) {
	var parts []string
	if name = p.Nick; name == "" {
		name = p.Address
	} else {
		parts = append(parts, p.Address)
	}
	switch p.Source {
	case ByHand:
		parts = append(parts, "given by hand")
	case Remembered:
		parts = append(parts, "remembered")
	case Asked:
		parts = append(parts, "asks and is not heard to answer")
	}
	switch {
	case p.Refusal != "":
		parts = append(parts, map[string]string{
			Closed: "nothing listens there", Silent: "no answer", Barred: "no way there", Network: "another network", Version: "another version", Foreign: "no earshot", Name: "no such name",
		}[p.Refusal])
	case p.Me:
		parts = append(parts, "yours, on this machine")
	default:
		parts = append(parts, fmt.Sprintf("answers in %d ms", max(1, p.Took.Milliseconds())))
	}
	if p.Hub {
		parts = append(parts, "the hub")
	}
	if p.Refusal == "" && p.Ahead.Abs() >= skewFrom && !p.Me {
		parts = append(parts, fmt.Sprintf("its clock %s %s this one", span(p.Ahead), map[bool]string{true: "ahead of", false: "behind"}[p.Ahead > 0]))
	}
	return name, strings.Join(parts, ", ")
}
