package discovery

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// A beacon is what is broadcast where multicast may be dropped: u8 version, u8 kind, session 8. It says nothing that the packet's source does not, so that it
// cannot name a third party as the one to dial, and the answer to it is as long as the call.
type beacon struct {
	kind    beaconKind
	session [8]byte
}

type beaconKind uint8

const (
	call   beaconKind = 1 // by broadcast: who is there?
	answer beaconKind = 2 // by unicast, to who called

	beaconVersion = 1
	beaconSize    = 10 // bytes
)

var errBeacon = errors.New("not a beacon of this version")

func (b beacon) encode() []byte {
	return append([]byte{beaconVersion, byte(b.kind)}, b.session[:]...)
}

func decodeBeacon(p []byte) (beacon, error) {
	if len(p) != beaconSize || p[0] != beaconVersion || p[1] != byte(call) && p[1] != byte(answer) {
		return beacon{}, errBeacon
	}
	return beacon{beaconKind(p[1]), [8]byte(p[2:])}, nil
}

const (
	callAfter = 5 * time.Second // alone for so long: mDNS would have found somebody
	callGap   = 5 * time.Second
	calmAfter = time.Minute // since it began to call
	calmGap   = 30 * time.Second

	beaconRate  = 4 // answers per second and process
	beaconBurst = 16
	maxBeacons  = 64 // between Hear and Run
)

// calls say when to broadcast: while alone, from the sixth second on about every 5 s, after a minute about every 30 s. The zero calls never do.
type calls struct {
	since time.Time // alone since; zero: not alone
	begun time.Time // of the calls at 5 s
	next  time.Time
}

// alone takes in whether anybody is known.
func (c *calls) alone(alone bool, now time.Time) {
	switch {
	case !alone:
		*c = calls{}
	case c.since.IsZero():
		c.since = now
		c.restart(now)
	}
}

// restart calls as at the beginning: the network may be another. Whoever was alone for long calls at once.
func (c *calls) restart(now time.Time) {
	if c.since.IsZero() {
		return
	}
	c.begun, c.next = now, now
	if first := c.since.Add(callAfter); first.After(now) {
		c.begun, c.next = first, first
	}
}

func (c *calls) due(now time.Time) bool { return !c.since.IsZero() && !now.Before(c.next) }

func (c *calls) called(now time.Time) {
	gap := callGap
	if now.Sub(c.begun) >= calmAfter {
		gap = calmGap
	}
	c.next = now.Add(jitter(gap))
}

// An overheard beacon, as Hear was given it.
type overheardBeacon struct {
	beacon
	from netip.AddrPort
}

// Hear takes in the body of a beacon that another member sent: the caller has opened it. Any goroutine may call it; it does not block, and what there is no room
// for is lost. d keeps nothing of b.
func (d *Discovery) Hear(b []byte, from netip.AddrPort) {
	p, err := decodeBeacon(b)
	if err != nil {
		return
	}
	select {
	case d.beacons <- overheardBeacon{p, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}:
	default:
	}
}

// broadcast calls on every link, in both families.
func (r *run) broadcast() {
	b := beacon{call, r.c.Session}.encode()
	for _, l := range r.links {
		for _, to := range l.iface.everybody() {
			for _, port := range r.ports {
				if err := r.c.Send(b, netip.AddrPortFrom(to, port)); err != nil {
					r.c.Log.Debug("cannot send a beacon", "interface", l.iface.name, "to", to, "error", err)
				}
			}
		}
	}
}

// hear believes a beacon as far as its source goes, which must be on a link: what comes from beyond was not broadcast here, and an answer to it would let others
// point this machine at anybody.
func (r *run) hear(o overheardBeacon, now time.Time) {
	if o.session == r.c.Session || o.from.Port() == 0 || !slices.ContainsFunc(r.links, func(l *link) bool { return l.iface.reaches(o.from.Addr()) }) {
		return
	}
	i := instance{session: o.session, port: o.from.Port(), addrs: []netip.AddrPort{o.from}}
	if k := r.known[o.session]; k != nil {
		i.role = k.role // of which a beacon says nothing
	}
	r.tell(i, now)
	if o.kind == call && r.answers.Allow() {
		if err := r.c.Send(beacon{answer, r.c.Session}.encode(), o.from); err != nil {
			r.c.Log.Debug("cannot answer a beacon", "to", o.from, "error", err)
		}
	}
}

func newAnswers() *rate.Limiter { return rate.NewLimiter(beaconRate, beaconBurst) }
