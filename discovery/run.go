package discovery

import (
	"context"
	"crypto/subtle"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

const (
	rescan = 3 * time.Second // how soon a change of interfaces is seen
	reopen = time.Minute     // after which a link that did not open whole is opened anew

	queued = 128 // packets between readers and Run
)

// A run is what one call of Run knows. Only its goroutine touches it.
type run struct {
	*Discovery
	names   names
	budget  *rate.Limiter // of answers to questions
	heard   chan heard
	ports   []uint16      // of beacons
	answers *rate.Limiter // to beacons

	links    []*link
	moved    []netip.Addr // as last told
	toldOnce bool
	known    memory
	schedule schedule
	calls    calls
	alone    bool
}

func newRun(d *Discovery) *run {
	r := &run{
		Discovery: d,
		names:     namesOf(d.c.Session),
		budget:    rate.NewLimiter(answerRate, answerRate),
		heard:     make(chan heard, queued),
		ports:     []uint16{d.c.Port},
		answers:   newAnswers(),
		known:     memory{},
	}
	if p := d.c.BeaconPort; p != 0 && p != d.c.Port {
		r.ports = append(r.ports, p)
	}
	return r
}

func (r *run) loop(ctx context.Context) error {
	scan := time.NewTicker(rescan)
	defer scan.Stop()
	r.schedule.restart(time.Now())
	r.alone = r.peers() == 0
	r.look(time.Now())
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		wake.Reset(time.Until(r.due()))
		select {
		case <-ctx.Done():
			r.goodbye()
			return nil
		case <-wake.C:
			r.act(time.Now())
		case <-scan.C:
			r.look(time.Now())
		case h := <-r.heard:
			r.take(h, time.Now())
		case o := <-r.beacons:
			r.hear(o, time.Now())
		case <-r.changed:
			r.update(time.Now())
		case <-r.kick:
			r.schedule.kick(time.Now())
		}
	}
}

// due is when something is to be sent next.
func (r *run) due() time.Time {
	at := r.schedule.next
	if r.c.Send != nil && r.alone && r.calls.next.Before(at) {
		at = r.calls.next
	}
	for _, l := range r.links {
		if l.pace.wanted() && l.pace.due.Before(at) {
			at = l.pace.due
		}
	}
	return at
}

// act sends what is due: announcements before questions, so that who answers knows us already.
func (r *run) act(now time.Time) {
	if r.c.Send != nil && r.calls.due(now) {
		if r.noticeAlone(now); r.alone {
			r.broadcast()
			r.calls.called(now)
		}
	}
	asking := r.schedule.due(now)
	for _, l := range r.links {
		if asking && (r.schedule.announces() || l.mute) || l.pace.ready(now) {
			l.announce(now)
		}
	}
	if !asking {
		return
	}
	q := r.question(now)
	for _, l := range r.links {
		l.ask(q)
	}
	r.schedule.asked(now, r.peers())
}

// question asks everybody as long as somebody is looked for, and only the unknown at rest: in a network of twenty, all else would be answers to it.
func (r *run) question(now time.Time) []byte {
	if !r.schedule.steady() || r.peers() == 0 {
		return question()
	}
	return question(r.known.fresh(now)...)
}

func (r *run) peers() int {
	if r.c.Peers == nil {
		return len(r.known)
	}
	return r.c.Peers()
}

// noticeAlone starts the schedule anew when the last one known has gone.
func (r *run) noticeAlone(now time.Time) {
	alone := r.peers() == 0
	if alone && !r.alone {
		r.schedule.kick(now)
	}
	r.alone = alone
	r.calls.alone(alone, now)
}

// look compares the interfaces with the links, and makes the links follow.
func (r *run) look(now time.Time) {
	r.known.expire(now)
	r.noticeAlone(now)
	ifaces, err := interfaces()
	if err != nil {
		r.c.Log.Warn("cannot list network interfaces", "error", err)
		return
	}
	changed := r.closeOthers(ifaces, now)
	for _, i := range ifaces {
		if !slices.ContainsFunc(r.links, func(l *link) bool { return l.iface.same(i) }) {
			r.links = append(r.links, r.open(i, now))
			changed = true
		}
	}
	if changed {
		r.schedule.restart(now)
		r.calls.restart(now)
	}
	r.tellMoved(ifaces)
}

func (r *run) closeOthers(ifaces []iface, now time.Time) (changed bool) {
	r.links = slices.DeleteFunc(r.links, func(l *link) bool {
		stays := slices.ContainsFunc(ifaces, l.iface.same) && (l.whole || now.Sub(l.opened) < reopen)
		if !stays {
			l.close()
			r.c.Log.Info("left interface", "interface", l.iface.name)
			changed = true
		}
		return !stays
	})
	return changed
}

func (r *run) open(i iface, now time.Time) *link {
	l := openLink(i, r.record(i), r.budget, r.heard, r.c.Log)
	l.opened = now
	r.c.Log.Info("using interface", "interface", i.name, "addresses", i.addrs)
	return l
}

func (r *run) record(i iface) record {
	return record{
		names: r.names, session: r.c.Session, port: r.c.Port,
		tag: r.c.Tag(r.c.Session, r.c.Port), role: r.currentRole(), addrs: i.addrs,
	}
}

func (r *run) tellMoved(ifaces []iface) {
	addrs := ranked(ifaces)
	if r.toldOnce && slices.Equal(addrs, r.moved) {
		return
	}
	r.moved, r.toldOnce = addrs, true
	r.c.Moved(slices.Clone(addrs))
}

// update puts the role of now into the records, and announces them.
func (r *run) update(now time.Time) {
	for _, l := range r.links {
		l.zone.set(r.record(l.iface))
		l.pace.want(now, 0)
	}
}

// take believes what a packet says of others as far as their tags go.
func (r *run) take(h heard, now time.Time) {
	if h.asked {
		h.link.pace.want(now, 20*time.Millisecond+rand.N(100*time.Millisecond)) // RFC 6762 §6
	}
	if h.legacy != nil && r.budget.Allow() {
		h.link.reply(h)
	}
	for _, i := range h.instances {
		if i.session == r.c.Session {
			continue
		}
		if tag := r.c.Tag(i.session, i.port); subtle.ConstantTimeCompare(tag[:], i.tag[:]) != 1 {
			continue
		}
		r.tell(i, now)
	}
}

// tell reports what is news of a peer.
func (r *run) tell(i instance, now time.Time) {
	switch p, news := r.known.note(i, now); {
	case news && i.gone:
		r.c.Gone(i.session)
	case news:
		r.c.Found(p)
	}
}

// goodbye takes back what was announced, after the responders are silent: nothing says the opposite afterwards.
func (r *run) goodbye() {
	for _, l := range r.links {
		l.hush()
		l.goodbye()
	}
}

func (r *run) close() {
	for _, l := range r.links {
		l.close()
	}
}
