package lab

import (
	"fmt"
	"net/netip"
	"os/exec"
)

// A Router joins two subnets. Multicast and broadcast stay on their side.
type Router struct {
	name string
	lab  *Lab
}

// Route moves hosts to a subnet of their own, 10.78.0.i, and puts a router between it and the rest.
func (l *Lab) Route(hosts ...int) *Router {
	l.t.Helper()
	r := &Router{name: l.name + "-router", lab: l}
	l.netns(r.name)
	l.batch(l.bridges(),
		"link add r0 type veth peer name eth0 netns "+r.name, "link set r0 master br0 up",
		"link add r1 type veth peer name eth1 netns "+r.name, "link set r1 master br1 up")
	l.batch(r.name, "link set lo up", "link set eth0 up", "link set eth1 up",
		"addr add 10.77.255.254/16 dev eth0", "addr add 10.78.255.254/16 dev eth1")
	run(l.t, command(r.name, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))
	for _, i := range hosts {
		h := l.Host(i)
		h.ip = netip.AddrFrom4([4]byte{10, 78, 0, byte(i)})
		l.plug(1, i)
		l.batch(h.name, "addr flush dev eth0 scope global",
			fmt.Sprintf("addr add %s/16 broadcast + dev eth0", h.ip), "route add default via 10.78.255.254 dev eth0")
	}
	return r
}

// Masquerade hides 10.77 behind the router, as a home router does: nobody in 10.78 can reach it but through Forward.
func (r *Router) Masquerade() {
	r.lab.t.Helper()
	r.iptables("-t", "nat", "-A", "POSTROUTING", "-o", "eth1", "-j", "MASQUERADE")
	r.iptables("-A", "FORWARD", "-i", "eth1", "-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED,DNAT", "-j", "DROP")
}

// Forward sends what reaches a TCP port of the router, 10.78.255.254, on to the same port of a host.
func (r *Router) Forward(port int, to *Host) {
	r.lab.t.Helper()
	r.iptables("-t", "nat", "-A", "PREROUTING", "-i", "eth1", "-p", "tcp", "--dport", fmt.Sprint(port), "-j", "DNAT", "--to-destination", to.ip.String())
}

// Forget has the router forget a TCP connection, and whom it hides there, that carried nothing for that many seconds, as routers at home do after some minutes.
func (r *Router) Forget(seconds int) {
	r.lab.t.Helper()
	settings := fmt.Sprintf("cd /proc/sys/net/netfilter && echo %d >nf_conntrack_tcp_timeout_established && echo 0 >nf_conntrack_tcp_loose", seconds)
	if out, err := command(r.name, "sh", "-c", settings).CombinedOutput(); err != nil {
		r.lab.t.Skipf("a router here cannot be told what to forget: %v\n%s", err, out)
	}
	r.iptables("-I", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
}

// Block lets nothing through to a host; Unblock ends that.
func (r *Router) Block(h *Host) {
	r.lab.t.Helper()
	r.iptables("-I", "FORWARD", "-d", h.ip.String(), "-j", "DROP")
}

func (r *Router) Unblock(h *Host) {
	r.lab.t.Helper()
	r.iptables("-D", "FORWARD", "-d", h.ip.String(), "-j", "DROP")
}

func (r *Router) iptables(args ...string) {
	r.lab.t.Helper()
	Need(r.lab.t, "iptables")
	run(r.lab.t, command(r.name, "iptables", append([]string{"-w"}, args...)...))
}

// command runs a program in a network namespace. It is not ip netns exec, which mounts a new /sys: containers forbid that.
func command(netns, program string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + netnsDir + "/" + netns, "--", program}, args...)...)
}
