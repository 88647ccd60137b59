package roster

import (
	"cmp"
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
	// maxProven is how many of those may have been members, maxOfOne how many may be at addresses that one told of, or all together who told of more than manyOfOne: more
	// people than share a machine, mostly.
	maxProven = 4
	maxOfOne  = 2
	manyOfOne = 16
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
	teller  netip.Addr // where the packet came from that told of it
	until   time.Time  // given up then, unless it is found again
	next    time.Time
	tried   time.Time // when joining failed last
	fails   int
	proven  bool // it was a member there
	busy    bool // being joined
}

// leads are the addresses worth joining. On an open network anybody can tell of thousands, where nobody is or somebody who never answers: so they are weighed by who tells of
// them. Whoever tells of few is believed first, and makes room last. The caller locks.
type leads struct{ all []*lead }

func (l *leads) find(a netip.AddrPort) *lead {
	for _, x := range l.all {
		if x.address == a {
			return x
		}
	}
	return nil
}

// tellers counts the leads of each.
func (l *leads) tellers() map[netip.Addr]int {
	n := map[netip.Addr]int{}
	for _, x := range l.all {
		n[x.teller]++
	}
	return n
}

// add notes an address that teller told of, the one who is there where that is not valid.
func (l *leads) add(s identity.Session, a netip.AddrPort, teller netip.Addr, proven bool, now time.Time) {
	if !teller.IsValid() {
		teller = a.Addr()
	}
	x := l.find(a)
	if x == nil {
		if len(l.all) >= maxLeads && !l.evict(proven) {
			return
		}
		x = &lead{address: a, teller: teller, next: now}
		l.all = append(l.all, x)
	}
	if x.teller != teller {
		if n := l.tellers(); n[teller]+1 < n[x.teller] {
			x.teller, x.fails, x.next = teller, 0, now // whoever names everybody's address does not make them its own
		}
	}
	x.session, x.until, x.proven = s, now.Add(leadFor), x.proven || proven
	switch {
	case proven:
		x.fails, x.next = 0, now
	case x.proven:
		x.next = earliest(x.next, latest(now, x.tried.Add(backoffFound)))
	case x.fails > 2: // somebody heard of it just now, but anybody can send that on an open network: not at once
		x.fails = 2
		x.next = earliest(x.next, now.Add(backoff[x.fails]))
	}
}

// evict makes room: of those that the one told of who told of most, the one that failed most has to go. Where everybody told of one, none goes that has not been tried, but for
// a member.
func (l *leads) evict(proven bool) bool {
	n, worst := l.tellers(), -1
	for i, x := range l.all {
		switch {
		case x.busy || x.proven:
		case n[x.teller] == 1 && x.fails == 0 && !proven:
		case worst < 0, n[x.teller] > n[l.all[worst].teller], n[x.teller] == n[l.all[worst].teller] && x.fails > l.all[worst].fails:
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

// due returns the leads to join now, and marks them busy: at most eight are at once. Those that were members come first, then those of who told of few, then those that failed
// least; but of each kind only some, or a café would wait for the office that was left, and everybody for liars.
func (l *leads) due(now time.Time, h here) (out []*lead) {
	l.all = slices.DeleteFunc(l.all, func(x *lead) bool { return !x.busy && !now.Before(x.until) })
	told := l.tellers()
	rank := func(x *lead) int {
		if x.proven {
			return 0
		}
		return told[x.teller]
	}
	slices.SortStableFunc(l.all, func(a, b *lead) int { return cmp.Or(rank(a)-rank(b), a.fails-b.fails) })
	type kind struct {
		proven, crowd bool
		teller        netip.Addr
	}
	of := func(x *lead) (k kind, most int) {
		switch {
		case x.proven:
			return kind{proven: true}, maxProven
		case told[x.teller] > manyOfOne:
			return kind{crowd: true}, maxOfOne
		}
		return kind{teller: x.teller}, maxOfOne
	}
	all, busy := 0, map[kind]int{}
	for _, x := range l.all {
		if x.busy {
			k, _ := of(x)
			busy[k]++
			all++
		}
	}
	for _, x := range l.all {
		k, most := of(x)
		if all < maxJoining && busy[k] < most && !x.busy && !now.Before(x.next) && !h.sessions[x.session] && !h.addresses[x.address] {
			x.busy = true
			out = append(out, x)
			busy[k]++
			all++
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
