package journal

import (
	"maps"
	"unicode/utf8"

	"earshot/node/identity"
	"earshot/node/message"
)

// A state is what is held about one log. Values handed out are copies.
type state struct {
	Head   // as seen by everyone: before the fork, where there is one
	Group  message.GroupID
	Room   message.RoomID
	Author identity.PeerID
	Nonce  message.Nonce
	Name   string // of the room
	opener string // the nick in the opening
	nick   string // at the end
	named  uint64 // since that message; 0: not known since which
	hlc    uint64 // of message Seq

	row     int64
	stored  bool    // the row exists
	saved   Head    // as it is on disk, if stored
	pending []int64 // arrivals that are not on disk, ascending
	proof   []byte  // of the fork, where it is not on disk
	version int     // counts changes that are not on disk; with any, it is in Journal.changed
	epoch   int     // of the cache, where lookup found nothing
}

func newState(o *message.Opening, row int64) *state {
	return &state{
		Head:   Head{Log: o.Log(), Day: o.Day},
		Group:  o.Group,
		Room:   o.Room,
		Author: o.Author,
		Nonce:  o.Nonce,
		Name:   o.Name,
		opener: o.Nick,
		nick:   o.Nick,
		row:    row,
	}
}

// see takes note of the log's newest message.
func (l *state) see(r *message.Record) {
	l.hlc = r.HLC
	if nick, ok := nickIn(r); ok {
		l.nick, l.named = nick, 0
	}
}

// nickIn returns what the author calls itself from a message on, if it says so.
func nickIn(r *message.Record) (nick string, ok bool) {
	ok = r.Kind == message.NickName && !r.Redacted && len(r.Body) <= message.MaxNickBytes && utf8.Valid(r.Body)
	return string(r.Body), ok
}

// cacheSize is how many logs that are on disk are kept in memory, at least; up to twice as many are. A log takes about 500 bytes.
const cacheSize = 8192

// A cache keeps the logs used lately, in two generations: what was not used for as long as it took to use size others is forgotten.
type cache struct {
	young, old map[message.LogID]*state
	size       int
	epoch      int // counts the times logs were forgotten
}

func newCache() cache {
	return cache{size: cacheSize, young: map[message.LogID]*state{}, old: map[message.LogID]*state{}}
}

// get does not change the cache.
func (c *cache) get(id message.LogID) *state {
	if l := c.young[id]; l != nil {
		return l
	}
	return c.old[id]
}

func (c *cache) put(l *state) { c.young[l.Log] = l }

// trim forgets the old generation if the young one is full. changed are those that may not be forgotten.
func (c *cache) trim(changed []*state) {
	if len(c.young) < c.size {
		return
	}
	c.old, c.young = c.young, map[message.LogID]*state{}
	for _, l := range changed {
		c.young[l.Log] = l
	}
	c.epoch++
}

// forget drops the logs f says, which are all on disk.
func (c *cache) forget(f func(*state) bool) {
	drop := func(_ message.LogID, l *state) bool { return f(l) }
	maps.DeleteFunc(c.young, drop)
	maps.DeleteFunc(c.old, drop)
	c.epoch++
}

// lookup returns what is held about a log, if it is.
func (j *Journal) lookup(id message.LogID) (l state, ok bool, err error) {
	for {
		j.mu.RLock()
		if j.closed {
			j.mu.RUnlock()
			return l, false, ErrClosed
		}
		epoch := j.logs.epoch
		if c := j.logs.young[id]; c != nil {
			l, ok = *c, true
			if c.Day < j.horizonLocked(c.Group, false) { // about to be dropped
				l, ok = state{epoch: epoch}, false
			}
			j.mu.RUnlock()
			return l, ok, nil
		}
		old := j.logs.old[id]
		j.mu.RUnlock()
		if old == nil {
			if l, ok, err = j.store.log(id); err != nil {
				return l, false, j.fault(err)
			}
		}
		j.mu.Lock()
		// What was read may be put into the cache only if nothing was forgotten meanwhile: otherwise it may have been changed, committed and forgotten.
		if c := j.logs.get(id); c != nil {
			j.logs.put(c)
		} else if j.logs.epoch == epoch {
			if !ok || l.Day < j.horizonLocked(l.Group, false) {
				j.mu.Unlock()
				return state{epoch: epoch}, false, nil
			}
			c := l
			j.logs.put(&c)
			if len(j.logs.young) > 2*j.logs.size {
				j.logs.trim(j.changed)
			}
		}
		j.mu.Unlock()
	}
}
