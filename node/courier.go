package node

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
)

const (
	// carryEvery is how often it is looked who is here that waits for a key.
	carryEvery = 5 * time.Second
	// turnAfter is what a courier leaves to each of those before it: whoever has taken the key by then is not told by another.
	turnAfter = 20 * time.Second
	// courierRest is how long it takes until a courier that could not be is tried again.
	courierRest = time.Minute
)

// Deliver runs couriers, until ctx ends: one in each network before in which somebody may show up who is to have the present key and does not. live runs one of them, with whatever finds others for it, until
// its context ends. It also notes who has the key.
func (n *Node) Deliver(ctx context.Context, live func(context.Context, *Node) error) {
	changed := n.watch.add()
	defer n.watch.remove(changed)
	again := time.NewTicker(carryEvery)
	defer again.Stop()
	running := map[identity.NetworkID]context.CancelFunc{}
	var couriers sync.WaitGroup
	defer couriers.Wait()
	for {
		n.noteHolders()
		awaited := n.awaited()
		for id, stop := range running {
			if !slices.ContainsFunc(awaited, func(a *identity.Network) bool { return a.ID() == id }) {
				stop()
				delete(running, id)
			}
		}
		for _, network := range awaited {
			if running[network.ID()] != nil {
				continue
			}
			each, stop := context.WithCancel(ctx)
			running[network.ID()] = stop
			couriers.Go(func() { n.send(each, network, live) })
		}
		select {
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// send runs a courier until ctx ends.
func (n *Node) send(ctx context.Context, network *identity.Network, live func(context.Context, *Node) error) {
	for ctx.Err() == nil {
		c := n.config
		c.Network, c.Beside, c.Previous, c.Key, c.Succeed = network, n, nil, nil, nil
		c.NoHistory, c.ServerOnly, c.NeverHub, c.Port, c.Copied = true, false, false, 0, Memory{}
		courier, err := New(c)
		if err == nil {
			err = live(ctx, courier)
		}
		if ctx.Err() != nil {
			return
		}
		n.log.Warn("nobody can be told of the new key for now", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(courierRest):
		}
	}
}

// awaited are the networks before in which couriers are to be.
func (n *Node) awaited() (out []*identity.Network) {
	n.rekey.mu.Lock()
	defer n.rekey.mu.Unlock()
	if n.rekey.next != nil || len(n.rekey.here.waits(time.Now())) == 0 {
		return nil
	}
	for _, p := range n.config.Previous {
		if p.ID() != n.network.ID() && slices.Contains(n.rekey.here.Of, idHex(p.ID())) {
			out = append(out, p)
		}
	}
	return out
}

// noteHolders remembers who is here, and so has the key. Deliver alone calls it.
func (n *Node) noteHolders() {
	n.rekey.mu.Lock()
	here := n.rekey.here
	n.rekey.mu.Unlock()
	if len(here.waits(time.Now())) == 0 {
		return
	}
	now, news := *here, []string(nil)
	now.People = slices.Clone(here.People)
	for i := range now.People {
		t := &now.People[i]
		if p, here := n.people.person(identity.PeerID(t.Key)); here && !t.Has {
			t.Has, news = true, append(news, p.Nick)
		}
	}
	if len(news) == 0 {
		return
	}
	n.rekey.mu.Lock()
	n.rekey.here = &now
	n.rekey.mu.Unlock()
	if err := writeJSON(n.profile.rotationPath(n.network.ID()), &now); err != nil {
		n.log.Warn("it is not remembered who has the new key", "err", err)
	}
	how := "all have it"
	if p := now.progress(time.Now()); p != nil {
		how = p.String()
	}
	n.notice("the new key has come to "+strings.Join(news, ", ")+": "+how, "")
}

// keyFor returns what a person is to be handed, and who has it already; nil: nothing.
func (n *Node) keyFor(id identity.PeerID) (r *seal.Rotation, have []identity.PeerID) {
	n.rekey.mu.Lock()
	defer n.rekey.mu.Unlock()
	here := n.rekey.here
	if n.rekey.next != nil || len(here.waits(time.Now())) == 0 {
		return nil, nil
	}
	var people []identity.PeerID
	waits := id == n.who.ID() // another instance of this person
	for _, t := range here.People {
		people = append(people, identity.PeerID(t.Key))
		if t.Has {
			have = append(have, identity.PeerID(t.Key))
		} else if identity.PeerID(t.Key) == id {
			waits = true
		}
	}
	if !waits {
		return nil, nil
	}
	return seal.NewRotation(n.config.Key(), uint64(max(here.Made.UnixMilli(), 0)), identity.PeerID(here.By), people), have
}

// carry is what a courier does, until ctx ends: it hands the key to each of those here who are to have it, once. Where several couriers are here they go one after the other, whoever has made the key
// first, so that nobody is told by all of them.
func (n *Node) carry(ctx context.Context) {
	main := n.config.Beside
	if main == nil {
		return
	}
	n.people.rename(func(p *Person) { p.Away = true })
	n.mu.Lock()
	n.away = true
	n.noted++
	n.mu.Unlock()
	changed := n.watch.add()
	defer n.watch.remove(changed)
	again := time.NewTicker(carryEvery)
	defer again.Stop()
	since, told := map[identity.Session]time.Time{}, map[identity.Session]bool{}
	for {
		for s, w := range n.people.instances() {
			if s == n.session || told[s] {
				continue
			}
			if since[s].IsZero() {
				since[s] = time.Now()
			}
			key, have := main.keyFor(w.ID)
			if key == nil || time.Since(since[s]) < time.Duration(n.turn(key.By, have))*turnAfter {
				continue
			}
			if err := n.hand(ctx, w.ID, key); err == nil {
				told[s] = true
			} else if ctx.Err() == nil {
				n.log.Debug("cannot hand over the key yet", "peer", s, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// turn is how many others here go before this courier.
func (n *Node) turn(by identity.PeerID, have []identity.PeerID) (before int) {
	me := n.who.ID()
	for _, id := range have {
		if _, here := n.people.person(id); !here || id == me || me == by {
			continue
		}
		if id == by || slices.Compare(id[:], me[:]) < 0 {
			before++
		}
	}
	return before
}

// hand gives a key to someone who is here.
func (n *Node) hand(ctx context.Context, to identity.PeerID, key *seal.Rotation) error {
	r := room{id: seal.Direct(n.network.ID(), n.who.ID(), to), with: to}
	if to == n.who.ID() {
		p := n.met.newest(to)
		if p == nil {
			return errNoKeyYet
		}
		if _, err := n.vault.Begin(to, &p.Key, false); err != nil {
			return err
		}
	} else if err := n.ready(r); err != nil {
		return err
	}
	return n.gather.write(ctx, r, message.Rotate, key.Bytes())
}

// errNoKeyYet: the other has not said what to seal for.
var errNoKeyYet = &Error{Text: "there is no key to seal with yet"}
