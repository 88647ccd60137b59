package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"earshot/discovery"
)

// A Finding is one thing that is wrong, or the reason why nobody is found.
type Finding struct {
	Code     string `json:"code"` // for scripts; stays
	Sentence string `json:"sentence"`
	// Command mends it, or shows more; There is on which machine, empty for this one.
	Command string `json:"command,omitempty"`
	There   string `json:"there,omitempty"`
}

// Codes of findings.
const (
	NoInterface      = "no-interface"      // this machine is on no network
	MDNSPort         = "mdns-port"         // another program keeps port 5353 for itself
	MDNSUnsent       = "mdns-unsent"       // the system does not let mDNS out
	MDNSBlocked      = "mdns-blocked"      // it does not come back through this machine's own firewall
	InboundBlocked   = "inbound-blocked"   // this machine's firewall keeps others out
	OutboundBlocked  = "outbound-blocked"  // this machine's firewall keeps earshot in
	PeerBlocked      = "peer-blocked"      // somebody is heard, and cannot be reached
	PeerUnheard      = "peer-unheard"      // somebody asks, and is not heard to answer
	PeerGone         = "peer-gone"         // somebody was heard, and has stopped
	VersionDiffers   = "version"           // of the protocol
	JoinClosed       = "join-closed"       // by hand: nothing listens there
	JoinSilent       = "join-silent"       // nothing answers
	JoinName         = "join-name"         // the name has no address
	JoinNetwork      = "join-network"      // another network, or another key
	JoinForeign      = "join-foreign"      // something else listens there
	ClockOff         = "clock"             // this machine's, or the two here differ
	MulticastDropped = "multicast-dropped" // by the network
	Elsewhere        = "elsewhere"         // peers were met on another network
	VPN              = "vpn"               // has the default route
	Isolated         = "isolated"          // the gateway answers, and nobody else is heard
	CutOff           = "cut-off"           // nor does the gateway
	OtherNetwork     = "other-network"     // there are earshots here, of other networks
	Nobody           = "nobody"            // nothing is wrong
)

// skewFrom is how far off a clock is worth telling, as the chat itself has it.
const skewFrom = time.Minute

// diagnose makes findings of what was seen, the one to begin with first.
func diagnose(r *Report) (fs []Finding) {
	d := &diagnosis{Report: r}
	if d.interfaces(); len(d.findings) > 0 {
		return d.findings
	}
	d.multicast()
	d.firewall()
	known := len(d.findings) > 0
	d.peers()
	d.clocks()
	if d.dropped(); d.Found > 0 {
		return d.findings
	}
	d.tunnel()
	if !known && !d.says(PeerBlocked, PeerUnheard, OutboundBlocked, VersionDiffers) {
		d.guesses()
	}
	return d.findings
}

type diagnosis struct {
	*Report
	findings []Finding
}

func (d *diagnosis) add(f Finding) { d.findings = append(d.findings, f) }

func (d *diagnosis) says(codes ...string) bool {
	return slices.ContainsFunc(d.findings, func(f Finding) bool { return slices.Contains(codes, f.Code) })
}

// used are the interfaces in use.
func (d *diagnosis) used() (used []discovery.Interface) {
	for _, i := range d.Survey.Interfaces {
		if i.Use == discovery.Used {
			used = append(used, i)
		}
	}
	return used
}

// interfaces: without one there is nothing else to say. The one that is nearest to being used is named.
func (d *diagnosis) interfaces() {
	if len(d.used()) > 0 {
		return
	}
	for _, use := range []discovery.Use{discovery.NoAddress, discovery.NoMulticast, discovery.NoCarrier, discovery.Down, discovery.PointToPoint} {
		for _, i := range d.Survey.Interfaces {
			if i.Use == use {
				d.add(d.unusable(i))
				return
			}
		}
	}
	f := Finding{Code: NoInterface, Sentence: "This machine has no network interface but the loopback: it is on no network."}
	if d.System == "linux" {
		f.Command = "ip link"
		if d.Route.IPv4 == "" {
			f.Sentence = "This machine has no network interface but the loopback: it is on no network (a container has one with --network host)."
		}
	}
	d.add(f)
}

func (d *diagnosis) unusable(i discovery.Interface) Finding {
	f := Finding{Code: NoInterface}
	dev := shell(i.Name)
	switch i.Use {
	case discovery.NoAddress:
		f.Sentence = fmt.Sprintf("The interface %s has no address: no DHCP server has answered, or none was asked.", i.Name)
		f.Command = d.renew(dev)
	case discovery.NoMulticast:
		f.Sentence = fmt.Sprintf("The interface %s does no multicast, by which peers are found.", i.Name)
		f.Command = fmt.Sprintf("sudo ip link set dev %s multicast on", dev)
	case discovery.NoCarrier:
		f.Sentence = fmt.Sprintf("The interface %s is not connected: plug the cable in, or join the Wi-Fi.", i.Name)
		if d.tools["nmcli"] {
			f.Command = "nmcli device connect " + dev
		}
	case discovery.Down:
		f.Sentence = fmt.Sprintf("The interface %s is switched off.", i.Name)
		f.Command = fmt.Sprintf("sudo ip link set dev %s up", dev)
		if d.tools["nmcli"] {
			f.Command = "nmcli device connect " + dev
		}
	case discovery.PointToPoint:
		f.Sentence = fmt.Sprintf("The only interface is %s, which leads to one other machine, as a VPN does: nobody can be found through it, but whoever is there can be reached by address.", i.Name)
		f.Command = "earshot --join ADDRESS"
	}
	switch {
	case i.Use == discovery.PointToPoint || d.System == "linux":
	case d.System == "darwin":
		f.Command = fmt.Sprintf("sudo ifconfig %s up && sudo ipconfig set %s DHCP", dev, dev)
	case d.System == "windows":
		f.Command = fmt.Sprintf(`netsh interface set interface name="%s" admin=enabled`, i.Name)
		if i.Use == discovery.NoAddress {
			f.Command = fmt.Sprintf(`ipconfig /renew "%s"`, i.Name)
		}
	default:
		f.Command = fmt.Sprintf("sudo ifconfig %s up", dev)
	}
	return f
}

// renew asks for an address with what is installed.
func (d *diagnosis) renew(dev string) string {
	for _, c := range []struct{ tool, command string }{
		{"nmcli", "nmcli device connect " + dev}, {"networkctl", "sudo networkctl reconfigure " + dev}, {"dhcpcd", "sudo dhcpcd " + dev}, {"dhclient", "sudo dhclient " + dev},
	} {
		if d.tools[c.tool] {
			return c.command
		}
	}
	return fmt.Sprintf("sudo ip addr add 169.254.%d.%d/16 broadcast + dev %s", 1+d.Port%254, 1+d.Port/254%254, dev)
}

// multicast: does this machine let its own mDNS out and in?
func (d *diagnosis) multicast() {
	var held, unsent, lost []string
	var families []bool
	var cause error
	for _, i := range d.used() {
		for six, t := range map[bool]*discovery.Traffic{false: i.IPv4, true: i.IPv6} {
			switch {
			case t == nil:
			case t.Err != nil && inUse(t.Err):
				held = append(held, i.Name)
			case t.Err != nil && t.Sent == 0:
				if other := traffic(i, !six); forbidden(t.Err) || other == nil || other.Sent == 0 {
					unsent, cause = append(unsent, i.Name), t.Err
				}
			case t.Sent > 0 && t.Back == 0:
				lost, families = append(lost, i.Name), append(families, six)
			}
		}
	}
	if len(held) > 0 {
		f := Finding{Code: MDNSPort, Sentence: "Another program keeps UDP port 5353 for itself, so announcements of others are not heard: end it, or have it share the port."}
		f.Command = map[string]string{"linux": "sudo ss -ulpn 'sport = :5353'", "windows": "netstat -abno -p UDP"}[d.System]
		if f.Command == "" {
			f.Command = "sudo lsof -nP -iUDP:5353"
		}
		d.add(f)
	}
	if len(unsent) > 0 {
		f := Finding{Code: MDNSUnsent, Sentence: fmt.Sprintf("This machine cannot send mDNS on %s: %v.", names(unsent), last(cause)), Command: d.showAddresses()}
		if forbidden(cause) {
			f.Sentence = fmt.Sprintf("A firewall on this machine does not let mDNS out on %s (%v).", names(unsent), last(cause))
			f.Command = d.mend("udp", 5353, chainIn{}, true)
		}
		if d.System == "darwin" {
			f.Sentence = fmt.Sprintf("macOS does not let earshot speak on %s (%v): allow the terminal under Privacy & Security, Local Network.", names(unsent), last(cause))
			f.Command = "open 'x-apple.systempreferences:com.apple.preference.security?Privacy'"
		}
		d.add(f)
	}
	if len(lost) > 0 {
		six := !slices.Contains(families, false)
		both := slices.Contains(families, false) && slices.Contains(families, true)
		f := Finding{Code: MDNSBlocked, Sentence: fmt.Sprintf("A firewall on this machine drops mDNS on %s%s: its own questions do not come back, and nobody is heard.", names(lost), only(six, both))}
		_, by := d.Firewall.judge(d.mdns(six))
		f.Command = d.mend("udp", 5353, chainIn{by, six, both}, false)
		d.add(f)
	}
}

func traffic(i discovery.Interface, six bool) *discovery.Traffic {
	if six {
		return i.IPv6
	}
	return i.IPv4
}

// only names a family where it is not both.
func only(six, both bool) string {
	switch {
	case both:
		return ""
	case six:
		return " over IPv6"
	}
	return " over IPv4"
}

func names(list []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), ", ")
}

// mdns is the packet in which a neighbour announces itself, and begin the one with which it connects to this machine.
func (d *diagnosis) mdns(six bool) packet {
	p := d.begin("udp", six)
	p.port, p.from, p.dst = 5353, 5353, netip.AddrFrom4([4]byte{224, 0, 0, 251})
	if six {
		p.dst = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0xfb})
	}
	return p
}

func (d *diagnosis) begin(proto string, six bool) packet {
	for _, i := range d.used() {
		for _, a := range i.Addresses {
			if a.Addr().Is6() == six {
				return packet{six: six, proto: proto, port: d.Port, from: 50000, in: i.Name, src: neighbour(a), dst: a.Addr()}
			}
		}
	}
	return packet{}
}

// neighbour returns an address that could be a neighbour's.
func neighbour(p netip.Prefix) netip.Addr {
	if n := p.Masked().Addr().Next(); n != p.Addr() {
		return n
	}
	return p.Addr().Next()
}

// firewall: would a neighbour be let in?
func (d *diagnosis) firewall() {
	var protos []string
	var families []bool
	chain := ""
	for _, proto := range []string{"tcp", "udp"} {
		for _, six := range []bool{false, true} {
			p := d.begin(proto, six)
			if p.proto == "" {
				continue
			}
			if v, by := d.Firewall.judge(p); v == dropped {
				protos, families = append(protos, proto), append(families, six)
				if chain == "" {
					chain = by
				}
			}
		}
	}
	if len(protos) == 0 {
		return
	}
	slices.Sort(protos)
	protos = slices.Compact(protos)
	proto, port := "", fmt.Sprintf("port %d", d.Port)
	if len(protos) == 1 {
		proto = protos[0]
		port = strings.ToUpper(proto) + " " + port
	}
	both, six := slices.Contains(families, false) && slices.Contains(families, true), slices.Contains(families, true)
	where := only(six, both)
	if !both && d.begin("tcp", !six).proto == "" {
		where = "" // there is no other
	}
	d.add(Finding{Code: InboundBlocked,
		Sentence: fmt.Sprintf("The firewall of this machine (%s) lets nobody in at %s%s: others cannot connect to it.", chain, port, where),
		Command:  d.mend(proto, d.Port, chainIn{chain, six, both}, false)})
}

// peers: what each one that was looked at has to say.
func (d *diagnosis) peers() {
	told := map[string]bool{}
	for _, p := range d.Peers {
		f := d.peer(p)
		key := f.Code + f.Command + f.There
		if p.Source == ByHand || f.Code == VersionDiffers {
			key = f.Code + p.Address
		}
		if f.Code != "" && !told[key] {
			told[key] = true
			d.add(f)
		}
	}
}

func (d *diagnosis) peer(p Peer) (f Finding) {
	host, port := hostPort(p.Address)
	switch {
	case p.Refusal == "" || p.Source == Remembered && p.Refusal != Version:
		return f // people move, and machines are off
	case p.Refusal == Version:
		f = Finding{Code: VersionDiffers, Sentence: p.Err + ".", Command: "earshot version"}
		if strings.HasSuffix(p.Err, "upgrade that machine") {
			f.There = host
		}
		return f
	case p.Source == Asked:
		if d.Found > 0 || d.says(PeerUnheard) {
			return f
		}
		return Finding{Code: PeerUnheard, Sentence: fmt.Sprintf("An earshot at %s asks who is there, but does not answer: a firewall there drops mDNS.", host), Command: "sudo earshot doctor", There: host}
	case p.Source == Heard && p.Refusal == Closed:
		if d.Found > 0 {
			return f
		}
		return Finding{Code: PeerGone, Sentence: fmt.Sprintf("An earshot at %s was heard and is gone: it was just ended.", host), Command: "earshot", There: host}
	case p.Source == Heard && p.Refusal == Barred && strings.Contains(p.Err, "not permitted"):
		return d.outbound(port)
	case p.Source == Heard:
		return Finding{Code: PeerBlocked, Sentence: fmt.Sprintf("An earshot at %s is heard, but cannot be reached at port %s: a firewall there keeps others out.", host, port), Command: "sudo earshot doctor", There: host}
	case p.Refusal == Barred && strings.Contains(p.Err, "not permitted"):
		return d.outbound(port)
	case p.Refusal == Closed:
		return Finding{Code: JoinClosed, Sentence: fmt.Sprintf("The machine %s is there, but no earshot listens at its port %s.", host, port), Command: "earshot", There: host}
	case p.Refusal == Silent, p.Refusal == Barred:
		return Finding{Code: JoinSilent, Sentence: fmt.Sprintf("Nothing answers at %s: the machine is off or elsewhere, or a firewall drops port %s.", p.Address, port), Command: "sudo earshot doctor", There: host}
	case p.Refusal == Name:
		return Finding{Code: JoinName, Sentence: fmt.Sprintf("The name %s has no address here: give the address itself, which earshot doctor shows on that machine.", host), Command: "earshot doctor", There: "that machine"}
	case p.Refusal == Network:
		f = Finding{Code: JoinNetwork, Sentence: fmt.Sprintf("The earshot at %s is in another network than %q, or has another key.", p.Address, d.Network), Command: "earshot key list", There: host}
		if d.Closed {
			f.Sentence = fmt.Sprintf("The earshot at %s is not in the network %q, or has another key: compare what this prints on both machines.", p.Address, d.Network)
			f.Command, f.There = "earshot key show "+shell(d.Network), ""
		}
		return f
	}
	return Finding{Code: JoinForeign, Sentence: fmt.Sprintf("What listens at %s is no earshot: the port is another one's.", p.Address), Command: "earshot doctor", There: host}
}

// outbound: the system said that this machine may not connect.
func (d *diagnosis) outbound(port string) Finding {
	return Finding{Code: OutboundBlocked, Sentence: fmt.Sprintf("A firewall on this machine forbids connections to port %s of others.", port), Command: d.mend("tcp", number(port), chainIn{by: "OUTPUT"}, true)}
}

// clocks compares this machine's with the others': three vouch for the time, and of two nobody knows which is wrong.
func (d *diagnosis) clocks() {
	var ahead []time.Duration
	vouched := false
	who := ""
	for _, p := range d.Peers {
		switch {
		case p.Refusal != "" || p.Me:
		case p.Vouched && !vouched:
			vouched, ahead, who = true, []time.Duration{p.Ahead}, p.Nick
		case p.Vouched == vouched:
			ahead, who = append(ahead, p.Ahead), p.Nick
		}
	}
	if len(ahead) == 0 {
		return
	}
	slices.Sort(ahead)
	off := ahead[len(ahead)/2]
	if off.Abs() < skewFrom {
		return
	}
	f := Finding{Code: ClockOff, Command: map[string]string{"linux": "sudo timedatectl set-ntp true", "darwin": "sudo sntp -sS time.apple.com", "windows": "w32tm /resync"}[d.System]}
	way := "behind"
	if off < 0 {
		way = "ahead of"
	}
	agree := len(ahead) > 1 && ahead[len(ahead)-1]-ahead[0] < skewFrom
	switch {
	case vouched || agree:
		f.Sentence = fmt.Sprintf("The clock of this machine is %s %s those of the others here.", span(off), way)
	default:
		f.Sentence = fmt.Sprintf("The clock of this machine is %s %s %s's: one of the two is wrong.", span(off), way, who)
	}
	if f.Command == "" {
		f.Command = "sudo ntpd -gq"
	}
	d.add(f)
}

// dropped: somebody on this very network answers and is not heard, though mDNS is not lost here.
func (d *diagnosis) dropped() {
	if d.says(MDNSBlocked, MDNSPort, MDNSUnsent) {
		return
	}
	for _, p := range d.Peers {
		a, err := netip.ParseAddrPort(p.Address)
		if err == nil && p.Refusal == "" && !p.Me && p.Source != Heard && d.on(a.Addr()) {
			d.add(Finding{Code: MulticastDropped, Sentence: fmt.Sprintf("%s answers at %s, but is not heard: the network, or a firewall there, drops multicast, and only an address leads there.", p.Nick, a.Addr()),
				Command: "earshot --join " + p.Address})
			return
		}
	}
}

// on reports whether an address is on a network that this machine is on.
func (d *diagnosis) on(a netip.Addr) bool {
	return slices.ContainsFunc(d.own, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}

// tunnel: a VPN may be what keeps the local network out, whether by rules that were found or by none that can be seen.
func (d *diagnosis) tunnel() {
	if !d.Route.VPN {
		return
	}
	name := d.Route.IPv4
	if !tunnelled(name) && d.Route.IPv6 != "" {
		name = d.Route.IPv6
	}
	f := Finding{Code: VPN, Sentence: fmt.Sprintf("A VPN has the default route (%s), and many of them keep the local network out: allow local network access in it, or switch it off.", name)}
	switch {
	case d.System == "linux" && strings.HasPrefix(name, "wg") && d.tools["wg-quick"]:
		f.Command = "sudo wg-quick down " + shell(name)
	case d.System == "linux" && d.tools["nmcli"]:
		f.Command = "nmcli device disconnect " + shell(name)
	case d.System == "linux":
		f.Command = fmt.Sprintf("sudo ip link set dev %s down", shell(name))
	case d.System == "darwin":
		f.Command = "scutil --nc list"
	case d.System == "windows":
		f.Command = "powershell Get-VpnConnection"
	default:
		f.Command = fmt.Sprintf("sudo ifconfig %s down", shell(name))
	}
	d.add(f)
}

// guesses are for when nobody is found and no cause is known.
func (d *diagnosis) guesses() {
	on := []string{}
	for _, i := range d.used() {
		on = append(on, i.Name)
	}
	remembered, near := 0, 0
	answers := slices.IndexFunc(d.Peers, func(p Peer) bool { return slices.Contains([]string{Closed, Network, Foreign}, p.Refusal) })
	for _, p := range d.Peers {
		if a, err := netip.ParseAddrPort(p.Address); err == nil && p.Source == Remembered {
			if remembered++; d.on(a.Addr()) {
				near++
			}
		}
	}
	if remembered > 0 && near == 0 {
		d.add(Finding{Code: Elsewhere, Sentence: fmt.Sprintf("Peers were met at %s, which is not on the network of %s: this machine is on another network than then.", first(d.Peers), names(on)), Command: d.showAddresses()})
	}
	switch {
	case d.Survey.Strangers > 0:
		d.add(Finding{Code: OtherNetwork, Sentence: fmt.Sprintf("%s here, but none of %q.", earshots(d.Survey.Strangers), d.Network), Command: "earshot key list"})
	case d.Survey.Machines > 0 && !d.onlyRouter():
		d.add(Finding{Code: Nobody, Sentence: fmt.Sprintf("mDNS works here (%s heard), and nobody else runs earshot: start it on another machine.", machines(d.Survey.Machines)), Command: "earshot", There: "another machine"})
	case answers >= 0 && len(d.findings) > 0:
		// A machine answers, and what was said of that is all that is known.
	case answers >= 0:
		host, _ := hostPort(d.Peers[answers].Address)
		d.add(Finding{Code: Nobody, Sentence: fmt.Sprintf("The machine %s, where somebody was met, answers, and no earshot of %q runs there: start it.", host, d.Network), Command: "earshot", There: host})
	case d.Route.Answers:
		d.add(Finding{Code: Isolated, Sentence: fmt.Sprintf("The router %s answers, and nobody else is heard on %s: the network keeps its clients apart, as guest Wi-Fi does, or nobody else is there.", d.Route.Gateway, names(on)),
			Command: "earshot --join ADDRESS"})
	case d.Route.Gateway.IsValid():
		d.add(Finding{Code: CutOff, Sentence: fmt.Sprintf("Nothing at all answers on %s, not even the router %s: check the cable or the Wi-Fi.", names(on), d.Route.Gateway), Command: d.reconnect(d.Route.Via)})
	default:
		d.add(Finding{Code: Nobody, Sentence: fmt.Sprintf("Nobody is heard on %s: start earshot on another machine of this network.", names(on)), Command: "earshot", There: "another machine"})
	}
}

// onlyRouter reports whether nobody else was heard: many of them speak mDNS.
func (d *diagnosis) onlyRouter() bool {
	return d.Survey.Machines == 1 && d.Route.Answers && slices.Contains(d.Survey.Sources, d.Route.Gateway)
}

func (d *diagnosis) showAddresses() string {
	return map[bool]string{true: "ip addr", false: "ifconfig"}[d.System == "linux"]
}

func (d *diagnosis) reconnect(dev string) string {
	if d.tools["nmcli"] {
		return "nmcli device connect " + shell(dev)
	}
	return "ip -s link show dev " + shell(dev) // what is sent and never answered
}

func first(peers []Peer) string {
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Source == Remembered })
	host, _ := hostPort(peers[i].Address)
	return host
}

func earshots(n int) string {
	if n == 1 {
		return "There is 1 earshot of another network"
	}
	return fmt.Sprintf("There are %d earshots of other networks", n)
}

func machines(n int) string {
	if n == 1 {
		return "1 other machine"
	}
	return fmt.Sprintf("%d other machines", n)
}
