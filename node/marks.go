package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// get returns what is known of someone; its Nicks are not to be changed.
func (c *contacts) get(id identity.PeerID) (contact, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[id]
	if k == nil {
		return contact{}, false
	}
	out := *k
	out.Nicks = slices.Clone(k.Nicks)
	return out, true
}

// all returns everybody who is known, in no order.
func (c *contacts) all() (out []contact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.known {
		one := *k
		one.Nicks = slices.Clone(k.Nicks)
		out = append(out, one)
	}
	return out
}

// ignores reports whether someone is ignored.
func (c *contacts) ignores(id identity.PeerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[id]
	return k != nil && k.Ignored
}

// marked reports what the user made of someone.
func (c *contacts) marked(id identity.PeerID) (verified, ignored bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.known[id]; k != nil {
		return k.Verified, k.Ignored
	}
	return false, false
}

// marks returns who is verified or ignored, where that is newer than number since.
func (c *contacts) marks(since uint64) (map[identity.PeerID]Mark, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.marking == since {
		return nil, since
	}
	out := map[identity.PeerID]Mark{}
	for id, k := range c.known {
		if k.kept() {
			out[id] = Mark{k.Verified, k.Ignored}
		}
	}
	return out, c.marking
}

// mark changes what the user made of someone, and has written it when it returns. nick is for who is not known yet.
func (c *contacts) mark(id identity.PeerID, nick string, edit func(*contact)) error {
	c.mu.Lock()
	k := c.known[id]
	if k == nil {
		if len(c.known) >= maxContacts && !c.evictLocked() {
			c.mu.Unlock()
			return &Error{Text: fmt.Sprintf("%d people are verified or ignored, and no more can be", maxContacts), Hint: "/unverify or /unignore some"}
		}
		now := time.Now()
		k = &contact{Key: peerHex(id), First: now, Last: now, Days: 1}
		c.known[id] = k
		c.claimLocked(k, claim{Nick: nick, Since: c.sinceLocked(now), key: message.NickKey(nick)})
	}
	was := *k
	was.Nicks = slices.Clone(k.Nicks)
	if edit(k); k.Verified != was.Verified {
		for i := range k.Nicks {
			k.Nicks[i].Verified = k.Verified && i == len(k.Nicks)-1
		}
	}
	c.version++
	c.marking++
	clear(c.first)
	c.mu.Unlock()
	err := c.save()
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.Verified, k.Ignored = was.Verified, was.Ignored
	for i := range k.Nicks {
		k.Nicks[i].Verified = slices.ContainsFunc(was.Nicks, func(cl claim) bool { return cl.Verified && cl.key == k.Nicks[i].key })
	}
	c.version++
	c.marking++
	clear(c.first)
	return fmt.Errorf("remember it: %w", err)
}

// warn reports whether the user is to be warned of someone's nick, with its tag, once for each however it is written.
func (c *contacts) warn(id identity.PeerID, nick string) bool {
	nick, _, _ = strings.Cut(nick, "~")
	key := message.NickKey(nick)
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[id]
	if k == nil || k.Ignored || k.Warned == key {
		return false // who is not remembered is one of too many
	}
	k.Warned = key
	c.changed()
	return true
}
