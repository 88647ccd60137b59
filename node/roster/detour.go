package roster

import (
	"net/netip"

	"earshot/node/identity"
)

// A machine with two cards advertises one address, which is out of reach for whoever is on the network of the other card. Discovery hears it there all the same, from an address that serves.

// maxDetours bounds the instances whose addresses are kept beside those that they advertise.
const maxDetours = maxMembers

// A heard is where an instance was heard from last, over IPv4 and over IPv6.
type heard [2]netip.AddrPort

func family(a netip.AddrPort) int {
	if a.Addr().Is4() {
		return 0
	}
	return 1
}

// Heard says from which address an instance was heard just now. Where that is not the one it advertises, gossip for it goes there too: somebody may lie about it, so
// what is sent to the address advertised is not saved, and a lie costs a packet for each of those.
func (r *Roster) Heard(s identity.Session, from netip.AddrPort) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.heard[s]
	if !ok && len(r.heard) >= maxDetours {
		clear(r.heard) // they are heard again
	}
	h[family(from)] = from
	r.heard[s] = h
}

// detour returns where else the node of that name may be than at the address it advertises: where it was heard in the same family, or if it was not, in the other. A link-local address
// that is advertised is no place without the zone that it was heard in.
func (r *Roster) detour(name string, at netip.AddrPort) (a netip.AddrPort, ok bool) {
	s, _, err := parseName(name)
	if err != nil {
		return a, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.heard[s]
	if a = h[family(at)]; !a.IsValid() {
		a = h[1-family(at)]
	}
	return a, a.IsValid() && a != at
}

// Addresses lists where a member may be reached, best first. Where it was heard in the other family alone that comes after what it advertises: it may be an address of one link.
func (r *Roster) Addresses(m Member) []string {
	a, ok := r.detour(m.Session.String(), m.Address)
	switch {
	case !ok:
		return []string{m.Address.String()}
	case family(a) != family(m.Address):
		return []string{m.Address.String(), a.String()}
	}
	return []string{a.String(), m.Address.String()}
}
