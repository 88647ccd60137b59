package node

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/seal"
	"earshot/node/wire"
)

// openRing reads the X-Wing keys of the profile, renews them, and stores what changed before anybody is told of it.
func (p *profile) openRing(now time.Time) (*seal.Ring, error) {
	path := filepath.Join(p.dir, "keyring")
	ring := &seal.Ring{}
	b, err := identity.ReadSecret(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("keyring: %w", err)
	default:
		if ring, err = seal.ParseRing(b); err != nil {
			return nil, &Error{Text: fmt.Sprintf("%s is damaged: %v", path, err), Hint: "restore the file, or delete it: direct messages that wait for you can then not be read", cause: err}
		}
	}
	ring, changed, err := ring.Renew(now)
	if err != nil || !changed {
		return ring, err
	}
	return ring, p.keepRing(ring)
}

// keepRing stores the X-Wing keys.
func (p *profile) keepRing(ring *seal.Ring) error {
	b, err := ring.Bytes()
	if err == nil {
		err = identity.ReplaceSecret(filepath.Join(p.dir, "keyring"), b)
	}
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// acquaintances knows what people tell of themselves (seal.Profile): this person, in its HELLO, and the others, in theirs.
type acquaintances struct {
	network identity.NetworkID
	who     *identity.Identity
	ring    *seal.Ring
	profile *profile

	mu    sync.Mutex
	own   *seal.Profile
	known map[identity.PeerID]*seal.Profile // the newest of those met in this process
}

// introduce signs what the others are to know of this person from the next HELLO on.
func (a *acquaintances) introduce(nick string) error {
	var version uint64
	if err := a.profile.change(func(s *settings) {
		s.Version = max(uint64(max(time.Now().UnixMilli(), 0)), s.Version+1) // a clock that went back does not make it older
		version = s.Version
	}); err != nil {
		return err
	}
	own, err := seal.NewProfile(a.who, a.network, version, a.ring.Public(), nick)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own = own
	return nil
}

// shown returns what is said of this person.
func (a *acquaintances) shown() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own.Bytes()
}

// marks are those of what need not be said of others, for HELLO.
func (a *acquaintances) marks() (known [][8]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.known {
		if known = append(known, wire.ProfileMark(p.Bytes())); len(known) == wire.MaxKnown {
			break
		}
	}
	slices.SortFunc(known, func(a, b [8]byte) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(known)
}

// meet takes the profile that an instance of p shows. A false one, or another's, is passed over.
func (a *acquaintances) meet(p identity.PeerID, b []byte) error {
	a.mu.Lock()
	was := a.known[p]
	a.mu.Unlock()
	if was != nil && bytes.Equal(was.Bytes(), b) {
		return nil
	}
	profile, err := seal.ParseProfile(a.network, b)
	if err != nil {
		return err
	}
	if profile.Person != p {
		return fmt.Errorf("a profile of %s", profile.Person.Fingerprint())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if was == nil || profile.Newer(was) {
		a.known[p] = profile
	}
	return nil
}

// newest returns the newest profile met of p, nil where none was.
func (a *acquaintances) newest(p identity.PeerID) *seal.Profile {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[p]
}

// forget drops those who are not here where there are too many.
func (a *acquaintances) forget(here map[identity.PeerID]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) > wire.MaxKnown {
		maps.DeleteFunc(a.known, func(p identity.PeerID, _ *seal.Profile) bool { return !here[p] })
	}
}

// acquaint learns, until ctx ends, what those who are here tell of themselves, and has it remembered in the store of the gathering. It is not done where the news comes in: to check one
// takes 200 µs, and there may be 250 at once.
func (n *Node) acquaint(ctx context.Context) {
	var store *journal.Journal
	var stored map[identity.PeerID]*seal.Profile // in store
	looked := map[identity.Session][]byte{}      // as it was met, of those who are here
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.people.news:
		}
		if at, _ := n.gather.now(); at.journal != store {
			store, stored = at.journal, map[identity.PeerID]*seal.Profile{}
		}
		before, here := looked, map[identity.PeerID]bool{}
		looked = map[identity.Session][]byte{}
		for s, w := range n.people.instances() {
			here[w.ID] = true
			b := cmp.Or(string(w.Profile), string(before[s]))
			if looked[s] = []byte(b); b != string(before[s]) {
				if err := n.met.meet(w.ID, []byte(b)); err != nil {
					n.log.Debug("profile refused", "peer", s, "err", err)
				}
			}
			if p := n.met.newest(w.ID); p != nil && p != stored[w.ID] {
				stored[w.ID] = p
				n.vault.Meet(p)
				n.sibling(ctx, p)
				if err := n.remember(store, p); err != nil {
					n.log.Debug("profile not compared", "peer", s, "err", err)
				}
			}
		}
		maps.DeleteFunc(stored, func(p identity.PeerID, _ *seal.Profile) bool { return !here[p] })
		n.met.forget(here)
		n.warn()
		n.tend() // somebody may be here whom a room owes its key
	}
}

// warn tells the user, once, of each person here whose nick is another's. Of many at once it tells a few: all of them have the tag, and say why where they are listed.
func (n *Node) warn() {
	list, _ := n.people.all()
	for _, p := range list {
		if p.Warning != "" && n.people.known.warn(p.ID, p.Nick) && n.alarms.Allow() {
			n.notice(p.Nick+" "+p.Warning, "/whois "+p.Nick+" tells more; /ignore "+p.Nick+" hides what they say")
		}
	}
}

// sibling sends the keys of this person to another instance of it, which has shown one that this one does not hold. What this one shows from its next start on is newer than what that does, whatever its clock
// was when it began: it may never come back.
func (n *Node) sibling(ctx context.Context, p *seal.Profile) {
	if p.Person != n.who.ID() {
		return
	}
	if p.Version > n.profile.get().Version {
		if err := n.profile.change(func(s *settings) { s.Version = max(s.Version, p.Version) }); err != nil {
			n.log.Warn("cannot remember what another instance shows", "err", err)
		}
	}
	if n.vault.Ring().Has(p.Key.ID()) {
		return
	}
	out, err := n.vault.Sibling(&p.Key)
	if err = errors.Join(err, n.speak(ctx, out)); err != nil {
		n.log.Warn("cannot send the keyring to another instance", "err", err)
	}
}

// remember has a journal keep a profile, unless it has a newer one.
func (n *Node) remember(j *journal.Journal, p *seal.Profile) error {
	held, err := j.Person(p.Person)
	if err != nil {
		return err
	}
	if held != nil {
		if was, err := seal.ParseProfile(n.network.ID(), held); err == nil && !p.Newer(was) {
			return nil
		}
	}
	j.PutPerson(p.Person, p.Bytes())
	return nil
}

// Profile returns what a person told of itself last, be it here or away; nil where that is not known. Who is alone has met them in the gathering that is not entered yet.
func (n *Node) Profile(id identity.PeerID) (*seal.Profile, error) {
	newest := n.met.newest(id)
	for i, at := range n.gather.shown() {
		b, err := at.journal.Person(id)
		if err != nil && i == 0 {
			return nil, fmt.Errorf("look up %s: %w", id.Fingerprint(), err)
		}
		if err != nil || b == nil {
			continue
		}
		if held, err := seal.ParseProfile(n.network.ID(), b); err == nil && (newest == nil || !newest.Newer(held)) {
			newest = held
		}
	}
	return newest, nil
}
