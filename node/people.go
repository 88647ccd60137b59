package node

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// grace is how long people are still here after the hub changed: they need a moment to find the new one, and nobody left.
const grace = 5 * time.Second

// maxPeople bounds the instances that a hub may say are here.
const maxPeople = 16 << 10

// people is who is here, by person, as the hub sees it.
type people struct {
	me      identity.PeerID
	known   *contacts
	changed func()        // must not block
	news    chan struct{} // has room for one: linked is another

	mu      sync.Mutex
	linked  map[identity.Session]wire.Person // as the hub told last, or as linked to this hub
	full    []wire.Person                    // a full presence that is still coming
	here    map[identity.PeerID]shownPerson  // this one included
	list    []Person                         // of here, but for those who are ignored, by nick, each nick made unambiguous; never changed but replaced
	listed  uint64                           // the version of known that list was made by
	settled uint64                           // counts the changes of here and list
	until   time.Time                        // before that, who is missing is still here
	gone    map[identity.PeerID]bool         // but these: they said goodbye
	timer   *time.Timer
	hub     identity.PeerID
	self    Person
	taken   map[string]int  // how many here go by nicks that look the same, by message.NickKey; those who are ignored too
	nicks   map[string]nick // of linked, by what they call themselves: to make one fit to be shown takes 10 µs, and who is here is looked at with each change
}

// A nick as it is shown, and what is the same of all that look like it: message.NickKey.
type nick struct{ shown, key string }

func cleanNick(s string) nick {
	shown := message.ShowNick(s)
	return nick{shown, message.NickKey(shown)}
}

// A shownPerson is a Person and the key of its nick.
type shownPerson struct {
	Person
	key string
}

func newPeople(self Person, known *contacts, changed func()) *people {
	self.Me = true
	p := &people{me: self.ID, known: known, changed: changed, news: make(chan struct{}, 1), linked: map[identity.Session]wire.Person{}, self: self,
		taken: map[string]int{}, gone: map[identity.PeerID]bool{}}
	p.settleLocked()
	return p
}

// presence takes a PRESENCE frame.
func (p *people) presence(f wire.Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case f.Full || p.full != nil:
		if f.Full {
			p.full = []wire.Person{}
		}
		p.full = append(p.full, f.Here...)
		p.full = p.full[:min(len(p.full), maxPeople)]
		if f.More {
			return
		}
		clear(p.linked)
		f.Here, p.full = p.full, nil
	}
	for _, s := range f.Gone {
		delete(p.linked, s)
	}
	for _, w := range f.Here {
		if len(p.linked) < maxPeople {
			p.linked[w.Session] = w
		}
	}
	p.settleLocked()
}

// serve takes the people linked to this node's own hub.
func (p *people) serve(linked []wire.Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.linked)
	for _, w := range linked {
		p.linked[w.Session] = w
	}
	p.settleLocked()
}

// follow says who is the hub now; zero: nobody. Whoever is missing afterwards gets grace.
func (p *people) follow(hub identity.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hub = hub
	p.lingerLocked()
	p.settleLocked()
}

// linger gives grace to whoever is missing in what a hub is about to say.
func (p *people) linger() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lingerLocked()
}

func (p *people) lingerLocked() {
	p.until = time.Now().Add(grace)
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.hub == (identity.PeerID{}) {
			clear(p.linked) // nobody tells any more who is here
		}
		p.settleLocked()
	})
}

// left: that instance said goodbye; its person is not given grace.
func (p *people) left(s identity.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.linked[s]
	if !ok {
		return
	}
	delete(p.linked, s)
	p.gone[w.ID] = true
	p.settleLocked()
}

// rename changes this person's own nick or absence.
func (p *people) rename(edit func(*Person)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(&p.self)
	p.settleLocked()
}

// settleLocked makes of the sessions linked who is here.
func (p *people) settleLocked() {
	select {
	case p.news <- struct{}{}:
	default:
	}
	here, nicks := make(map[identity.PeerID]shownPerson, len(p.linked)+1), make(map[string]nick, len(p.linked))
	for _, w := range p.linked {
		delete(p.gone, w.ID)
		q, more := here[w.ID]
		as, known := p.nicks[w.Nick]
		if !known {
			as = cleanNick(w.Nick)
		}
		nicks[w.Nick] = as
		n := shownPerson{Person{ID: w.ID, Nick: as.shown, Server: w.Class == 2, Away: w.Away, Why: oneLine(w.Why), Address: w.Address}, as.key}
		if more { // two instances of one person: here if one is, a person if one is
			n.Away, n.Server = q.Away && n.Away, q.Server && n.Server
			if q.Nick < n.Nick {
				n.Nick, n.key = q.Nick, q.key
			}
			n.Why = cmp.Or(n.Why, q.Why)
			n.Address = onWire(slices.Concat(q.Address, n.Address)) // a hub may say that one has thousands
		}
		here[w.ID] = n
	}
	if time.Now().Before(p.until) {
		for id, q := range p.here {
			if _, ok := here[id]; !ok && !p.gone[id] {
				here[id] = q
			}
		}
	}
	here[p.me] = shownPerson{p.self, message.NickKey(p.self.Nick)}
	clear(p.taken)
	for id, q := range here {
		q.Me, q.Hub = id == p.me, id == p.hub
		here[id] = q
		p.taken[q.key]++
	}
	p.here, p.nicks = here, nicks
	p.seeLocked()
	p.listLocked()
	p.changed()
}

// seeLocked has those who are here remembered as seen now.
func (p *people) seeLocked() {
	now := time.Now()
	for id, q := range p.here {
		p.known.see(id, q.Nick, q.key, now)
	}
}

func (p *people) see() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seeLocked()
}

// listLocked makes the list anew.
func (p *people) listLocked() {
	p.listed = p.known.changes()
	p.list = make([]Person, 0, len(p.here))
	for _, q := range p.here {
		if shown := p.shownLocked(q); !shown.Ignored {
			p.list = append(p.list, shown)
		}
	}
	sortPeople(p.list)
	p.settled++
}

func sortPeople(list []Person) {
	sort.Slice(list, func(i, j int) bool {
		return cmp.Or(cmp.Compare(list[i].Nick, list[j].Nick), slices.Compare(list[i].ID[:], list[j].ID[:])) < 0
	})
}

// shownLocked returns someone who is here as they are shown.
func (p *people) shownLocked(q shownPerson) Person {
	out := q.Person
	out.Verified, out.Ignored = p.known.marked(q.ID)
	out.Nick, out.Warning = p.unambiguousLocked(q.ID, nick{q.Nick, q.key})
	return out
}

func (p *people) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}

// all returns who is here and not ignored by nick, each nick made unambiguous, and a number that is another when that may be another. The list is not to be changed.
func (p *people) all() ([]Person, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listed != p.known.changes() { // whose a nick is may be another
		p.listLocked()
	}
	return p.list, p.settled
}

// everyone returns all who are here, ignored or not, by the nicks that they give.
func (p *people) everyone() []shownPerson {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.here))
}

// person returns someone who is here as they are shown, ignored or not.
func (p *people) person(id identity.PeerID) (Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, here := p.here[id]
	if !here {
		return Person{}, false
	}
	return p.shownLocked(q), true
}

// nick returns how a person is shown who is here and not ignored.
func (p *people) nick(id identity.PeerID) (string, bool) {
	q, here := p.person(id)
	return q.Nick, here && !q.Ignored
}

// name returns how a person is shown who says to be nick.
func (p *people) name(id identity.PeerID, says string) string {
	nick, _ := p.nameOf(id, says)
	return nick
}

// nameOf also returns why that has a tag, if it has.
func (p *people) nameOf(id identity.PeerID, says string) (shown, warning string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	as, known := p.nicks[says]
	if !known {
		as = cleanNick(says)
	}
	return p.unambiguousLocked(id, as)
}

// unambiguousLocked adds the tag of the fingerprint, and says why, where the nick is not this person's alone and was another's first, or nobody's; never to this one's own.
func (p *people) unambiguousLocked(id identity.PeerID, as nick) (shown, warning string) {
	if id == p.me {
		return as.shown, ""
	}
	first, others := p.known.of(as.key, id)
	here := p.taken[as.key]
	if q, ok := p.here[id]; ok && q.key == as.key {
		here--
	}
	switch {
	case as.key == p.here[p.me].key:
		warning = "goes by your nick, or one that looks like it"
	case message.Reserved(as.key):
		warning = "goes by a name that earshot speaks by, or that means many"
	case here == 0 && !others || first == id:
		return as.shown, ""
	case first == identity.PeerID{}:
		warning = "is one of several who go by this nick, or one that looks like it"
	default:
		warning = "is not the " + p.known.nickOf(first) + " you met first, who has the fingerprint " + first.Fingerprint()
		if verified, _ := p.known.marked(first); verified {
			warning = "is not " + p.known.nickOf(first) + ", whom you have verified"
		}
	}
	return as.shown + "~" + id.Tag(), warning
}

// instance returns who is at a session, as the hub told it.
func (p *people) instance(s identity.Session) (wire.Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.linked[s]
	return w, ok
}

// instances are those linked, by session.
func (p *people) instances() map[identity.Session]wire.Person {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.linked)
}

// addresses are those of the instances that could be the hub.
func (p *people) addresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, w := range p.linked {
		if w.Class > 0 && !w.LinkOnly {
			out = append(out, w.Address...)
		}
	}
	slices.Sort(out)
	return out
}
