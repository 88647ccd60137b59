// Package lab is a local network of real hosts on one Linux machine, for tests of the whole binary: mDNS, sockets, resets, pulled cables, lost packets.
//
// Each host is a network namespace with an address, a home folder and a loopback of its own, on a bridge in another namespace. Nothing leaves the
// machine and nothing is left on it: Main starts the test binary again in namespaces of its own (user where it is not root, network, mount, process), and
// whatever a test starts there dies with them. No root is needed where the system lets users make namespaces.
//
// A test package hands its TestMain to Main, and its tests call New. Where the namespaces cannot be made New skips the test and says why; with CI=true
// in the environment it fails, because a proof that silently does not run is none. On other systems than Linux the package is empty.
//
// What it needs of the machine: ip (iproute2), nsenter (util-linux), iptables and ip6tables for firewalls, lost packets and routers, tmux for Screen: see Need.
//
// A Lab and its parts are for the goroutine of one test. Tests may run in parallel, each with its own Lab, as many as have 20 hosts together and no more than eight (with the race detector four), or
// than -parallel says: all namespaces share the kernel's neighbour table. New waits for others to end.
package lab
