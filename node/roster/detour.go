package roster

import (
	"net/netip"
	"slices"

	"earshot/node/identity"
)

// A machine with two cards advertises one address, which is out of reach for whoever is on the network of the other card. Discovery hears it there all the same, from an address that serves.

// maxDetours bounds the instances whose addresses are kept beside those that they advertise.
const maxDetours = maxMembers

// A heard is where an instance was heard from last, over IPv4 and over IPv6.
type heard struct {
	from [2]netip.AddrPort
	// across: the last stream to it was answered in the other family than the one it advertises, where a firewall that knows one family alone may let nothing in.
	across bool
}

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
	h.from[family(from)] = from
	r.heard[s] = h
}

// answered notes where a stream to the node of that name was, that advertises another address or this one.
func (r *Roster) answered(name string, at, where netip.AddrPort) {
	s, _, err := parseName(name)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.heard[s]; ok {
		h.across = family(at) != family(where)
		r.heard[s] = h
	}
}

func (r *Roster) hearsay(name string) (h heard) {
	s, _, err := parseName(name)
	if err != nil {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard[s]
}

// detour returns where else the node of that name may be than at the address it advertises: where it was heard in the same family, or if it was not, or answers in the other alone, in that one. A link-local
// address that is advertised is no place without the zone that it was heard in.
func (r *Roster) detour(name string, at netip.AddrPort) (a netip.AddrPort, ok bool) {
	h, f := r.hearsay(name), family(at)
	if o := h.from[1-f]; o.IsValid() && (h.across || !h.from[f].IsValid()) {
		return o, true
	}
	return h.from[f], h.from[f].IsValid() && h.from[f] != at
}

// places lists all where the node of that name may be, best first. Where it was heard in the other family comes after what it advertises: it may be an address of one link.
func (r *Roster) places(name string, at netip.AddrPort) (out []netip.AddrPort) {
	h, f := r.hearsay(name), family(at)
	for _, a := range []netip.AddrPort{h.from[f], at, h.from[1-f]} {
		if a.IsValid() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// Addresses lists where a member may be reached, best first.
func (r *Roster) Addresses(m Member) (out []string) {
	for _, a := range r.places(m.Session.String(), m.Address) {
		out = append(out, a.String())
	}
	return out
}
