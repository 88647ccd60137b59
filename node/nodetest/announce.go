package nodetest

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// announceEvery is how often an instance is heard of again.
const announceEvery = 5 * time.Second

// An announcement is one instance on the air.
type announcement struct {
	process *Process
	session [8]byte
	port    uint16

	told  sync.Mutex // held around found and gone: they are called one at a time
	found func(session [8]byte, addresses []netip.AddrPort)
	gone  func(session [8]byte)
}

// Announce stands in for discovery. It makes the instance known to all that are announced, in reach and not muted, and tells it of them:
// at once, every 5 s, and whenever the network changes; each time a packet's latency later, unless lost. found and gone must not block; gone may be nil.
// The func it returns says goodbye, and ends the announcement; so does a crash, silently.
func (p *Process) Announce(session [8]byte, port int, found func(session [8]byte, addresses []netip.AddrPort), gone func(session [8]byte)) (goodbye func()) {
	a := &announcement{process: p, session: session, port: uint16(port), found: found, gone: gone}
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	if p.dead {
		return func() {}
	}
	p.lan.ads = append(p.lan.ads, a)
	for _, b := range p.lan.ads {
		a.tellLocked(b)
		b.tellLocked(a)
	}
	time.AfterFunc(announceEvery, a.repeat)
	return a.goodbye
}

func (a *announcement) repeat() {
	a.process.lan.mu.Lock()
	defer a.process.lan.mu.Unlock()
	if !a.onAirLocked() {
		return
	}
	for _, b := range a.process.lan.ads {
		a.tellLocked(b)
	}
	time.AfterFunc(announceEvery, a.repeat)
}

// announceLocked has everyone tell everyone.
func (l *LAN) announceLocked() {
	for _, a := range l.ads {
		for _, b := range l.ads {
			a.tellLocked(b)
		}
	}
}

// tellLocked lets b hear of a.
func (a *announcement) tellLocked(b *announcement) {
	at := []netip.AddrPort{netip.AddrPortFrom(a.process.host.ip, a.port)}
	a.sendLocked(b, func() { b.found(a.session, at) })
}

// sendLocked calls hear, holding b.told, a packet's latency later if b still can hear a.
func (a *announcement) sendLocked(b *announcement, hear func()) {
	lan := a.process.lan
	reach := func() bool {
		from, to := a.process.host, b.process.host
		return reachLocked(from, to) && !from.mute && !to.mute && !a.process.frozen && !b.process.frozen
	}
	if a == b || !reach() || lan.loseLocked(a.process.host) {
		return
	}
	time.AfterFunc(lan.latencyLocked(), func() {
		b.told.Lock()
		defer b.told.Unlock()
		lan.mu.Lock()
		heard := reach() && b.onAirLocked()
		lan.mu.Unlock()
		if heard {
			hear()
		}
	})
}

func (a *announcement) goodbye() {
	lan := a.process.lan
	lan.mu.Lock()
	defer lan.mu.Unlock()
	if !a.onAirLocked() {
		return
	}
	lan.ads = slices.DeleteFunc(lan.ads, func(b *announcement) bool { return b == a })
	for _, b := range lan.ads {
		if b.gone != nil {
			a.sendLocked(b, func() { b.gone(a.session) })
		}
	}
}

func (a *announcement) onAirLocked() bool { return slices.Contains(a.process.lan.ads, a) }
