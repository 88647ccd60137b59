package node

import (
	"slices"
	"time"

	"earshot/node/identity"
)

// claim is a nick that someone went by since then. Verified: also when they were; one that they take afterwards is as anybody's.
type claim struct {
	Nick     string    `json:"nick"`
	Since    time.Time `json:"since,omitzero"`
	Verified bool      `json:"verified,omitempty"`
	key      string
}

// claimLocked makes a nick the one that is shown; one that looks like one they had is theirs since then. It takes the place of the oldest, but not of the one that they were verified by.
func (c *contacts) claimLocked(k *contact, n claim) {
	c.version++
	if i := slices.IndexFunc(k.Nicks, func(cl claim) bool { return cl.key == n.key }); i >= 0 {
		n.Since, n.Verified = k.Nicks[i].Since, k.Nicks[i].Verified
		c.dropLocked(k, i)
	}
	if len(k.Nicks) >= maxClaims {
		c.dropLocked(k, max(0, slices.IndexFunc(k.Nicks, func(cl claim) bool { return !cl.Verified })))
	}
	k.Nicks = append(k.Nicks, n)
	c.claims[n.key] = append(c.claims[n.key], identity.PeerID(k.Key))
	delete(c.first, n.key)
}

func (c *contacts) dropLocked(k *contact, i int) {
	key := k.Nicks[i].key
	c.version++
	k.Nicks = slices.Delete(k.Nicks, i, i+1)
	if c.claims[key] = slices.DeleteFunc(c.claims[key], func(id identity.PeerID) bool { return id == identity.PeerID(k.Key) }); len(c.claims[key]) == 0 {
		delete(c.claims, key)
	}
	delete(c.first, key)
}

// firstLocked returns whose nicks of that key are.
func (c *contacts) firstLocked(key string) identity.PeerID {
	if id, ok := c.first[key]; ok || len(c.claims[key]) == 0 {
		return id
	}
	type holder struct {
		id    identity.PeerID
		rank  int
		since time.Time
	}
	var best, next holder
	for n, id := range c.claims[key] {
		k := c.known[id]
		h := holder{id: id}
		for _, cl := range k.Nicks {
			if cl.key == key {
				h.since, h.rank = cl.Since, rank(k, cl)
			}
		}
		switch before := func(o holder) bool { return h.rank < o.rank || h.rank == o.rank && h.since.Before(o.since) }; {
		case n == 0:
			best = h
		case before(best):
			best, next = h, best
		case n == 1 || before(next):
			next = h
		}
	}
	if len(c.claims[key]) > 1 && best.rank == next.rank && next.since.Sub(best.since) < together {
		best.id = identity.PeerID{}
	}
	c.first[key] = best.id
	return best.id
}

// rank orders those who claim a nick: the lower goes first.
func rank(k *contact, cl claim) int {
	switch {
	case k.Ignored:
		return 2
	case k.Verified && cl.Verified:
		return 0
	}
	return 1
}

// of returns whose the nicks of a key are (zero: nobody's in particular), and whether others than id went by one.
func (c *contacts) of(key string, id identity.PeerID) (first identity.PeerID, others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.firstLocked(key), slices.ContainsFunc(c.claims[key], func(o identity.PeerID) bool { return o != id })
}
