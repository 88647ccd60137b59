package node

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Bounds of what is remembered of people. Someone may come with ten thousand keys and nicks: they are strangers of one day, so they go first, the most of them are never remembered, and whoever is here on
// many days stays. Those who are verified or ignored go never.
const (
	maxContacts  = 2000
	maxStrangers = 256 // met for the first time on one day
	maxClaims    = 4   // nicks of one person, the newest, and the one they were verified by
)

const (
	// together is how close two take one nick so that neither had it first.
	together = time.Minute
	// rememberEvery is the least time between two writings of what changes by itself; lastEvery is how exactly it is kept when someone was seen last.
	rememberEvery = 30 * time.Second
	lastEvery     = 10 * time.Minute
)

// contacts is what this profile remembers of the people of a network: file contacts.json in the network's folder of the profile. Of people met without a history (Config.NoHistory) only
// those who are verified or ignored are written, with their nick and no word of when.
//
// A nick is of whoever went by it first, as far as this profile knows: who was verified by that nick before who was not, and who is ignored last. Everybody else who goes by it, or by one that looks the same, is shown with a
// tag; where nobody was first, all are.
type contacts struct {
	path      string // of the file
	noHistory bool
	me        identity.PeerID
	log       *slog.Logger
	dirty     chan struct{} // has room for one: something is not on the disk

	mu        sync.Mutex // protects what follows
	known     map[identity.PeerID]*contact
	claims    map[string][]identity.PeerID // by message.NickKey
	first     map[string]identity.PeerID   // whose nicks of that key are; zero: nobody's; made as needed
	marking   uint64                       // counts what was verified or ignored
	version   uint64                       // counts that, and who took or left a nick
	latest    time.Time                    // the newest Since
	today     time.Time                    // the day of
	strangers int                          // met for the first time

	writing sync.Mutex // held, without mu, while the file is written
}

// contact is one person, as the file has it.
type contact struct {
	Key      peerHex   `json:"key"`
	Nicks    []claim   `json:"nicks"` // the one shown last is the last
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Days     int       `json:"days,omitempty"` // on how many they were here
	Verified bool      `json:"verified,omitempty"`
	Ignored  bool      `json:"ignored,omitempty"`
	Warned   string    `json:"warned,omitempty"` // message.NickKey of the nick that the user was warned of

	disk *contact // as it was read, where it is not to be written otherwise
}

func (k *contact) kept() bool { return k.Verified || k.Ignored }

// nick is the one shown last.
func (k *contact) nick() string {
	if len(k.Nicks) == 0 {
		return "?"
	}
	return k.Nicks[len(k.Nicks)-1].Nick
}

// peerHex is a key as contacts.json has it.
type peerHex identity.PeerID

func (p peerHex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p[:]), nil }
func (p *peerHex) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(p)) {
		return errors.New("a key has 64 hex digits")
	}
	_, err := hex.Decode(p[:], b)
	return err
}

// openContacts reads what is remembered; a missing file is nobody.
func openContacts(path string, noHistory bool, me identity.PeerID, log *slog.Logger) (*contacts, error) {
	c := &contacts{path: path, noHistory: noHistory, me: me, log: log, dirty: make(chan struct{}, 1), today: time.Now(), marking: 1,
		known: map[identity.PeerID]*contact{}, claims: map[string][]identity.PeerID{}, first: map[string]identity.PeerID{}}
	var stored []*contact
	if err := readJSON(path, &stored); err != nil {
		return nil, err
	}
	for _, k := range stored[:min(len(stored), maxContacts)] {
		if k == nil || identity.PeerID(k.Key) == me {
			continue
		}
		if noHistory {
			d := *k
			d.Nicks = slices.Clone(k.Nicks)
			k.disk = &d
		}
		if sameDay(k.First, c.today) {
			c.strangers++
		}
		nicks := k.Nicks[max(0, len(k.Nicks)-maxClaims):]
		k.Nicks = nil
		c.known[identity.PeerID(k.Key)] = k
		for _, cl := range nicks {
			nick := cleanNick(cl.Nick)
			c.claimLocked(k, claim{nick.shown, cl.Since, cl.Verified, nick.key})
			if cl.Since.After(c.latest) {
				c.latest = cl.Since
			}
		}
	}
	return c, nil
}

// see notes that someone is here by that nick, which is clean, and has that key (message.NickKey).
func (c *contacts) see(id identity.PeerID, nick, key string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == c.me {
		return
	}
	k := c.known[id]
	switch {
	case k == nil:
		if k = c.meetLocked(id, now); k == nil {
			return
		}
	case now.Sub(k.Last) >= lastEvery || now.Before(k.Last) || !sameDay(now, k.Last):
		if !sameDay(now, k.Last) {
			k.Days++
		}
		k.Last = now
		c.changed()
	}
	if k.nick() != nick {
		c.claimLocked(k, claim{Nick: nick, Since: c.sinceLocked(now), key: key})
		c.changed()
	}
}

// heard notes that someone said something by that nick, at that time; who is known already is known better.
func (c *contacts) heard(id identity.PeerID, nick string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == c.me || c.known[id] != nil {
		return
	}
	now := time.Now()
	k := c.meetLocked(id, now)
	if k == nil {
		return
	}
	if at.Before(now) {
		k.Last = at
	}
	c.claimLocked(k, claim{Nick: nick, Since: c.sinceLocked(now), key: message.NickKey(nick)})
}

// meetLocked makes a contact of someone, in place of another if need be; nil: there is no room.
func (c *contacts) meetLocked(id identity.PeerID, now time.Time) *contact {
	if !sameDay(c.today, now) {
		c.today, c.strangers = now, 0
	}
	if c.strangers >= maxStrangers || len(c.known) >= maxContacts && !c.evictLocked() {
		return nil
	}
	k := &contact{Key: peerHex(id), First: now, Last: now, Days: 1}
	c.known[id] = k
	c.strangers++
	c.changed()
	return k
}

// evictLocked forgets who was here on the fewest days, of those the one seen longest ago.
func (c *contacts) evictLocked() bool {
	var gone *contact
	for _, k := range c.known {
		if !k.kept() && (gone == nil || k.Days < gone.Days || k.Days == gone.Days && k.Last.Before(gone.Last)) {
			gone = k
		}
	}
	if gone == nil {
		return false
	}
	for len(gone.Nicks) > 0 {
		c.dropLocked(gone, 0)
	}
	delete(c.known, identity.PeerID(gone.Key))
	return true
}

// sinceLocked is now, or a clock that went back would put who comes now before who was known.
func (c *contacts) sinceLocked(now time.Time) time.Time {
	if now.After(c.latest) {
		c.latest = now
	}
	return c.latest
}

// nickOf returns the nick that someone was shown by last; empty: nobody is known by that key.
func (c *contacts) nickOf(id identity.PeerID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.known[id]; k != nil {
		return k.nick()
	}
	return ""
}

// changes is a number that is another when names may be shown otherwise.
func (c *contacts) changes() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// changed has what is known written, where it is.
func (c *contacts) changed() {
	if c.noHistory {
		return
	}
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// keep writes what changes, until ctx ends. look has who is here seen.
func (c *contacts) keep(ctx context.Context, look func()) {
	for {
		select {
		case <-ctx.Done():
			look()
			select {
			case <-c.dirty:
				c.write()
			default:
			}
			return
		case <-c.dirty:
			c.write()
		}
		select {
		case <-ctx.Done():
		case <-time.After(rememberEvery):
		}
	}
}

func (c *contacts) write() {
	if err := c.save(); err != nil {
		c.log.Warn("cannot remember people", "err", err)
	}
}

// save writes the file.
func (c *contacts) save() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	out := []contact{}
	for _, id := range slices.SortedFunc(maps.Keys(c.known), func(a, b identity.PeerID) int { return slices.Compare(a[:], b[:]) }) {
		k := c.known[id]
		switch {
		case !c.noHistory:
			one := *k
			one.Nicks = slices.Clone(k.Nicks)
			out = append(out, one)
		case k.disk != nil:
			one := *k.disk
			one.Verified, one.Ignored = k.Verified, k.Ignored
			out = append(out, one)
		case k.kept():
			out = append(out, contact{Key: k.Key, Nicks: []claim{{Nick: k.nick(), Verified: k.Verified}}, Verified: k.Verified, Ignored: k.Ignored})
		}
	}
	c.mu.Unlock()
	return writeJSON(c.path, out)
}

// sameDay reports whether two times are of one day, UTC.
func sameDay(a, b time.Time) bool {
	return a.UTC().Truncate(24 * time.Hour).Equal(b.UTC().Truncate(24 * time.Hour))
}
