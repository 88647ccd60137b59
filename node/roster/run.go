package roster

import (
	"context"
	"net/netip"
	"time"
)

// Run takes part until ctx ends, then leaves, waiting at most a second for that to be heard.
func (r *Roster) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	k := keeper{Roster: r}
	for ctx.Err() == nil {
		k.move(ctx)
		k.publish()
		k.join()
		if r.list.expire(k.moved) {
			r.changed()
		}
		select {
		case <-ctx.Done():
		case <-r.kick:
		case <-tick.C:
		}
	}
	if k.g != nil {
		k.g.end(leaveWait)
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
		k.turn(nil)
		k.retire(ctx, old, nil)
		return
	}
	g, err := k.begin(to, k.moves)
	if err != nil {
		k.config.Log.Warn("no gossip at this address", "address", to, "err", err)
		k.retry = time.Now().Add(time.Second)
		if old != nil { // what it advertises is wrong
			k.turn(nil)
			k.retire(ctx, old, nil)
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
		k.leads.add(m.Session, m.Address, true, time.Now())
	}
	k.mu.Unlock()
	if g == nil {
		k.changed()
	}
}

// retire ends a generation, once the next one has met somebody: leaving before that would leave the others without this instance for a moment.
func (k *keeper) retire(ctx context.Context, g, next *generation) {
	k.work.Go(func() {
		if next != nil {
			wait, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			select {
			case <-next.met:
			case <-wait.Done():
			}
		}
		g.end(leaveWait / 2)
	})
}

// publish gossips the newest status, if it has not been.
func (k *keeper) publish() {
	k.mu.Lock()
	stale := k.stale && k.g != nil
	k.stale = k.stale && !stale
	k.mu.Unlock()
	if stale {
		k.g.publish()
	}
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
		to := x.address
		k.work.Go(func() {
			joined, refused := g.join(to)
			k.mu.Lock()
			k.leads.done(x, time.Now(), joined, refused)
			k.mu.Unlock()
			k.poke() // there is room for another
		})
	}
}
