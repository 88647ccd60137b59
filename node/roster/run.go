package roster

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	// gossipEvery is the time between two rounds of gossip; there is a probe with every other.
	gossipEvery = 250 * time.Millisecond
	// look is how often Run looks what is due, where something may be.
	look = time.Second
	// told is how many members are told at once what is new or that this one leaves: one round of gossip reaches fewer, and is up to 250 ms away.
	told = 12
	// restless is how long after a change states are exchanged every mendSoon, with any one member each time, and not every mendLate. What gossip
	// lost in a partition too short to be noticed nobody would send again: it takes less than that for the other side to be declared dead, and joined when it is back.
	restless           = 30 * time.Second
	mendSoon, mendLate = 5 * time.Second, 30 * time.Second
	// mendNodes is the number of members from which on mendSoon is longer, by itself with every doubling: one exchange carries all their states.
	mendNodes = 32
)

// Run takes part until ctx ends, then leaves, waiting at most half a second for that to be heard.
func (r *Roster) Run(ctx context.Context) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	k := keeper{Roster: r}
	for ctx.Err() == nil {
		k.move(ctx)
		k.publish()
		k.join()
		if r.list.expire(k.moved) {
			r.changed()
		}
		tick.Reset(k.mend())
		select {
		case <-ctx.Done():
		case <-r.kick:
		case <-tick.C:
		}
	}
	if k.g != nil {
		k.g.end(k.list.some(told))
	}
	k.turn(nil)
	r.work.Wait()
	return nil
}

// A keeper is what Run's goroutine knows.
type keeper struct {
	*Roster
	g     *generation
	moves int
	moved time.Time // when g began
	retry time.Time // not before, where it could not begin
	mends time.Time // when states are exchanged next
}

// move follows the address.
func (k *keeper) move(ctx context.Context) {
	k.mu.Lock()
	to := k.address
	k.mu.Unlock()
	old := k.g
	switch {
	case old == nil && (!to.IsValid() || time.Now().Before(k.retry)), old != nil && old.addr == to:
		return
	case !to.IsValid():
		k.retire(ctx, old, nil)
		k.turn(nil)
		return
	}
	g, err := k.begin(to, k.moves)
	if err != nil {
		k.config.Log.Warn("no gossip at this address", "address", to, "err", err)
		k.retry = time.Now().Add(time.Second)
		if old != nil { // what it advertises is wrong
			k.retire(ctx, old, nil)
			k.turn(nil)
		}
		return
	}
	k.moves++
	k.turn(g)
	if old != nil {
		k.retire(ctx, old, g)
	}
}

// turn makes g the generation there is.
func (k *keeper) turn(g *generation) {
	members := k.list.turn(g)
	k.g, k.moved = g, time.Now()
	k.mu.Lock()
	k.current = g
	for _, m := range members {
		k.leads.add(m.Session, m.Address, netip.Addr{}, true, time.Now())
	}
	k.mu.Unlock()
	if g == nil {
		k.changed()
	}
}

// retire ends a generation, once the next one has met somebody: leaving before that would leave the others without this instance for a moment.
func (k *keeper) retire(ctx context.Context, g, next *generation) {
	to := k.list.some(told)
	k.work.Go(func() {
		if next != nil {
			wait, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			select {
			case <-next.met:
			case <-wait.Done():
			}
		}
		g.end(to)
	})
}

// publish gossips the newest status, if it has not been.
func (k *keeper) publish() {
	k.mu.Lock()
	stale, urgent := k.stale && k.g != nil, k.urgent
	if stale {
		k.stale, k.urgent = false, false
	}
	k.mu.Unlock()
	if stale {
		k.g.publish()
	}
	if stale && urgent {
		k.spread(k.g)
	}
}

// spread tells some members what is new, before the next round of gossip.
func (k *keeper) spread(g *generation) {
	for _, n := range k.list.some(told) {
		k.work.Go(func() { g.tell(n) })
	}
}

// mend exchanges states with a member now and then, and returns when Run is to look again.
func (k *keeper) mend() time.Duration {
	now := time.Now()
	k.mu.Lock()
	news, idle, lead := k.news, len(k.leads.all) == 0, k.leads.wait(now)
	k.mu.Unlock()
	calm := now.Sub(news) >= restless
	every := mendLate
	switch {
	case k.g == nil:
		return look
	case !calm:
		every = mendSoon * time.Duration(1+bits.Len(uint(k.list.count()/mendNodes)))
		if k.mends.Sub(now) > every { // it was calm until now: not all at once
			k.mends = now.Add(rand.N(every))
		}
	}
	if !now.Before(k.mends) {
		k.mends = now.Add(every)
		g := k.g
		for _, n := range k.list.some(1) {
			k.work.Go(func() { g.join(n) })
		}
	}
	if calm && idle {
		return k.mends.Sub(now)
	}
	return min(look, lead)
}

// join joins what is due, each on a goroutine of its own.
func (k *keeper) join() {
	if k.g == nil {
		return
	}
	g, here := k.g, k.list.here()
	here.addresses[netip.AddrPortFrom(g.addr, uint16(k.config.Port.Number()))] = true
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, x := range k.leads.due(time.Now(), here) {
		to, back := node{x.session.String(), x.address}, x.proven
		k.work.Go(func() {
			joined, refused := g.join(to)
			if joined && back { // a partition is over
				g.tell(k.list.at(to.address)) // that neither is dead, with the answer
				k.spread(g)
			}
			k.mu.Lock()
			k.leads.done(x, time.Now(), joined, refused)
			k.mu.Unlock()
			k.poke() // there is room for another
		})
	}
}
