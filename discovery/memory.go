package discovery

import (
	"net/netip"
	"slices"
	"time"
)

const (
	maxPeers = 1024
	maxKnown = 32 // that a question names: 1,100 bytes
	lifetime = ttl * time.Second
	repeat   = time.Second // how often a peer of which nothing changes is reported
)

// A memory holds who was heard lately, so as not to report the same over and over.
type memory map[[8]byte]*acquaintance

type acquaintance struct {
	heard    time.Time
	reported time.Time
	role     string
	gone     bool
	places   []place // the latest packet's first; of one that is gone, where that was said
}

type place struct {
	netip.AddrPort
	heard time.Time
	link  string
}

// stale is after how long a packet from the same link that does not name an address any more means that it is gone (RFC 6762 §10.2): a peer with two cards in the
// network names the addresses of each in a packet of its own.
const stale = time.Second

// note takes in what a packet said, and returns the peer as it is known now and whether that is to be reported. An answer in the second after a goodbye from the same place is
// not: it was under way. Anybody can say goodbye for others, again and again, and hides nobody by that.
func (m memory) note(i instance, now time.Time) (p Peer, news bool) {
	k := m[i.session]
	if k == nil {
		k = m.add(i.session)
	}
	if i.gone {
		if news = !k.gone; news {
			*k = acquaintance{gone: true}
		}
		k.heard = now
		k.meet(instance{addrs: i.addrs[:min(len(i.addrs), 1)]}, now)
		return Peer{}, news
	}
	if k.gone {
		if now.Sub(k.heard) < time.Second && slices.ContainsFunc(k.places, func(p place) bool { return p.AddrPort == i.addrs[0] }) {
			return Peer{}, false
		}
		k.places = nil
	}
	changed := k.gone || k.role != i.role || now.Sub(k.heard) >= lifetime
	k.heard, k.role, k.gone = now, i.role, false
	changed = k.meet(i, now) || changed
	if !changed && now.Sub(k.reported) < repeat {
		return Peer{}, false
	}
	k.reported = now
	p = Peer{Session: i.session, Role: i.role}
	for _, a := range k.places {
		p.Addresses = append(p.Addresses, a.AddrPort)
		if a.link != "" && !slices.Contains(p.Links, a.link) {
			p.Links = append(p.Links, a.link)
		}
	}
	return p, true
}

// meet puts the addresses of i before what was heard earlier: each family and each link brings others, and all may serve. It reports whether one is new.
func (k *acquaintance) meet(i instance, now time.Time) (fresh bool) {
	old := k.places
	k.places = nil
	for _, a := range i.addrs {
		k.places = append(k.places, place{a, now, i.link})
		fresh = fresh || !slices.ContainsFunc(old, func(p place) bool { return p.AddrPort == a })
	}
	for _, p := range old {
		over := now.Sub(p.heard) >= lifetime || i.link != "" && i.link == p.link && now.Sub(p.heard) >= stale
		if len(k.places) < maxAddresses && !over && !slices.Contains(i.addrs, p.AddrPort) {
			k.places = append(k.places, p)
		}
	}
	return fresh
}

// add makes room by forgetting any one, which Go's maps choose at random: to be forgotten costs no more than one report too many.
func (m memory) add(session [8]byte) *acquaintance {
	for s := range m {
		if len(m) < maxPeers {
			break
		}
		delete(m, s)
	}
	k := &acquaintance{}
	m[session] = k
	return k
}

func (m memory) expire(now time.Time) {
	for s, k := range m {
		if now.Sub(k.heard) >= lifetime {
			delete(m, s)
		}
	}
}

// known is a peer, and for how long what it said is good.
type known struct {
	session [8]byte
	ttl     uint32 // seconds
}

// fresh returns some of those who need not answer, because what they said is good for more than half its time yet.
func (m memory) fresh(now time.Time) (out []known) {
	for s, k := range m {
		left := lifetime - now.Sub(k.heard)
		if !k.gone && left > lifetime/2 && len(out) < maxKnown {
			out = append(out, known{s, uint32(left / time.Second)})
		}
	}
	return out
}
