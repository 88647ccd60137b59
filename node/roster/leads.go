package roster

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"earshot/node/identity"
)

const (
	maxLeads   = 256
	leadFor    = time.Minute
	maxJoining = 8
)

// backoff is how long to wait after a number of failures; after more it is the last. One that was a member is worth more: it is most likely
// behind a cable that was pulled, and nothing in memberlist would notice that it is back.
var backoff = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second}

// Its machine may be back at any moment, and all who lost it lost it together: each waits for another time up to this, so that of their attempts one is soon.
const backoffProven = 2 * time.Second

// backoffFound is what is left of that where discovery hears of it: the cable is back. Anybody may pretend that on an open network.
const backoffFound = 500 * time.Millisecond

// A lead is an address where an instance may be.
type lead struct {
	session identity.Session
	address netip.AddrPort
	until   time.Time // given up then, unless it is found again
	next    time.Time
	tried   time.Time // when joining failed last
	fails   int
	proven  bool // it was a member there
	busy    bool // being joined
}

// leads are the addresses worth joining. The caller locks.
type leads struct {
	all []*lead
}

func (l *leads) find(a netip.AddrPort) *lead {
	for _, x := range l.all {
		if x.address == a {
			return x
		}
	}
	return nil
}

// add notes an address. When there are too many, the one that failed most has to go; if none has failed yet, the new one.
func (l *leads) add(s identity.Session, a netip.AddrPort, proven bool, now time.Time) {
	x := l.find(a)
	if x == nil {
		if len(l.all) >= maxLeads && !l.evict() {
			return
		}
		x = &lead{address: a, next: now}
		l.all = append(l.all, x)
	}
	x.session, x.until, x.proven = s, now.Add(leadFor), x.proven || proven
	switch {
	case proven:
		x.fails, x.next = 0, earliest(x.next, now)
	case x.proven:
		x.next = earliest(x.next, latest(now, x.tried.Add(backoffFound)))
	case x.fails > 2: // somebody heard of it just now, but anybody can send that on an open network: not at once
		x.fails = 2
		x.next = earliest(x.next, now.Add(backoff[x.fails]))
	}
}

func (l *leads) evict() bool {
	worst := -1
	for i, x := range l.all {
		if !x.busy && x.fails > 0 && (worst < 0 || x.fails > l.all[worst].fails) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	l.all = slices.Delete(l.all, worst, worst+1)
	return true
}

// drop forgets the addresses of an instance that left.
func (l *leads) drop(s identity.Session) {
	for _, x := range l.all {
		if x.session == s {
			x.until = time.Time{}
		}
	}
}

// due returns the leads to join now, those that failed least first, and marks them busy: at most eight are at once.
func (l *leads) due(now time.Time, h here) (out []*lead) {
	l.all = slices.DeleteFunc(l.all, func(x *lead) bool { return !x.busy && !now.Before(x.until) })
	slices.SortStableFunc(l.all, func(a, b *lead) int { return a.fails - b.fails })
	busy := 0
	for _, x := range l.all {
		if x.busy {
			busy++
		}
	}
	for _, x := range l.all {
		if busy < maxJoining && !x.busy && !now.Before(x.next) && !h.sessions[x.session] && !h.addresses[x.address] {
			x.busy = true
			out = append(out, x)
			busy++
		}
	}
	return out
}

// wait returns how long it takes until another is due.
func (l *leads) wait(now time.Time) time.Duration {
	wait := leadFor
	for _, x := range l.all {
		if d := x.next.Sub(now); !x.busy && d > 0 {
			wait = min(wait, d)
		}
	}
	return wait
}

// done takes in how joining went. Where nothing listens any more, a member that died did so for good.
func (l *leads) done(x *lead, now time.Time, joined, refused bool) {
	x.busy, x.tried = false, now
	wait := backoff[min(x.fails, len(backoff)-1)]
	switch {
	case refused && x.proven:
		x.until = now
		return
	case joined: // it is a member now, or it is not let in
		wait, x.proven = max(wait, backoff[2]), false
	case x.proven:
		wait = backoffFound + rand.N(backoffProven-backoffFound)
	}
	x.next = now.Add(wait)
	x.fails++
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
