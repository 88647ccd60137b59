package vault

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// Status is what this person has to do with a private room.
type Status string

const (
	Asked  Status = "invited" // and has not answered
	Joined Status = "joined"
	Out    Status = "removed" // by the owner: what was said before can still be read
	Left   Status = "left"    // or declined
)

// A room is one private room.
type room struct {
	*seal.Room
	id      message.RoomID
	status  Status
	by      identity.PeerID // who invited
	invited uint64          // HLC of the newest invitation
	last    uint64          // HLC of what was said last, roughly
	since   uint64          // when it was joined, as a stamp
	name    string          // as its newest state says of which the key is held

	waiting []wraps                          // of which the state, or the key they are for, is not held
	covered map[identity.PeerID][]seal.KeyID // who was given the present key, by the owner or this person, and with what keys of theirs
	lack    map[identity.PeerID]bool         // who says so in the present epoch: it may be without its key
	asked   message.Hash                     // the state whose key this person has asked for
	said    bool                             // that it is joined, or left, by this process
	untold  bool                             // it was declined or left, and that may not be in the room
	unsaved bool                             // something was learned since the file was written
	readers map[message.LogID]*seal.Log      // of logs of which something was opened
	writers map[message.LogID]writer         // of own logs
	redo    []*seal.State                    // that lost against another, to be made again by the owner
	later   []identity.PeerID                // of those, whom it is to add when their key is known
	answers map[identity.PeerID]seal.Answer  // of members; no: it declined, or left since, and the owner is to take it out
}

// wraps are wrapped keys, and who says that they are.
type wraps struct {
	*seal.Wraps
	by identity.PeerID
}

// A writer seals in one log, in the epoch of one state.
type writer struct {
	log   *seal.Log
	state message.Hash
}

func newRoom(sr *seal.Room, status Status) *room {
	return &room{Room: sr, id: sr.Current().Room(), status: status, covered: map[identity.PeerID][]seal.KeyID{}, lack: map[identity.PeerID]bool{}, readers: map[message.LogID]*seal.Log{}, writers: map[message.LogID]writer{},
		answers: map[identity.PeerID]seal.Answer{}}
}

// answer notes what somebody says to an invitation, and reports whether it is news: that of a member, once each, and no is the last. What was said before its author was made a member is over, by the
// epoch that it knew, for clocks differ; the room may have changed otherwise since.
func (r *room) answer(p identity.PeerID, a seal.Answer) bool {
	if was, answered := r.answers[p]; answered && (a.Yes || !was.Yes) {
		return false
	}
	if from := r.Since(p); from == nil || a.Epoch < from.Epoch {
		return false
	}
	r.answers[p] = a
	return true
}

// accepted reports whether a member has joined, and not left. Of who is one for longer than anything is known of the room it is not asked: the answer may be too old to be kept anywhere.
func (r *room) accepted(p identity.PeerID) bool {
	if a, answered := r.answers[p]; answered {
		return a.Yes
	}
	from := r.Since(p)
	return from != nil && r.State(from.Prev) == nil
}

// asksAgain reports whether an invitation with that state, whatever its stamp says, was made after this person last had to do with the room: it is of a newer state, or of a room of which this person is a
// member again.
func (r *room) asksAgain(me identity.PeerID, s *seal.State) bool {
	now := r.Current()
	if newer, _, _ := seal.NewRoom(now).Accept(s); newer {
		return true
	}
	return r.status == Out && now.Has(me)
}

// rename reads the room's name.
func (r *room) rename() {
	for _, s := range r.States() {
		if key, ok := r.Key(s.Hash()); ok {
			if name, err := s.Name(key); err == nil {
				r.name = name
			}
			return
		}
	}
}

// A Room is what is shown of a private room.
type Room struct {
	ID         message.RoomID
	Name       string // as its owner called it: anything
	Status     Status
	Owner      identity.PeerID
	By         identity.PeerID // who invited this person
	Members    []identity.PeerID
	Moderators []identity.PeerID
	Epoch      uint32
	// Waits: the present key has not come yet, so nothing can be said.
	Waits bool
}

// joined reports whether this person has joined the room and is in it. Otherwise who has may be somebody else, whose file it is.
func (r *room) joined(me identity.PeerID) bool { return r.status == Joined && r.Current().Has(me) }

func (r *room) shown(me identity.PeerID) Room {
	s, status := r.Current(), r.status
	if status == Joined && !r.joined(me) {
		status = Out
	}
	_, ok := r.Key(s.Hash())
	return Room{ID: r.id, Name: r.name, Status: status, Owner: s.Owner(), By: r.by, Members: slices.Clone(s.Members), Moderators: slices.Clone(s.Moderators), Epoch: s.Epoch, Waits: !ok}
}

// Rooms returns all private rooms but those left.
func (v *Vault) Rooms() (out []Room) {
	v.mu.Lock()
	defer v.mu.Unlock()
	byName := func(a, b *room) int { return cmp.Or(cmp.Compare(a.name, b.name), bytes.Compare(a.id[:], b.id[:])) }
	for _, r := range slices.SortedFunc(maps.Values(v.rooms), byName) {
		if r.status != Left {
			out = append(out, r.shown(v.me))
		}
	}
	return out
}

// Name returns what a room that was not left is called by its owner; first is false where another was called so before it was joined.
func (v *Vault) Name(id message.RoomID) (name string, first, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.rooms[id]
	if r == nil || r.status == Left {
		return "", false, false
	}
	for _, o := range v.rooms {
		if o != r && o.status != Left && o.name == r.name && o.before(r) {
			return r.name, false, true
		}
	}
	return r.name, true, true
}

// before reports whether r was joined before o, whom it may share a name with.
func (r *room) before(o *room) bool {
	if (r.since != 0) != (o.since != 0) {
		return r.since != 0
	}
	return cmp.Or(cmp.Compare(r.since, o.since), bytes.Compare(r.id[:], o.id[:])) < 0
}

// Standing returns what this person has to do with a room that was not left, and since when it is joined, as messages are stamped: what is asked for each line, without the members.
func (v *Vault) Standing(id message.RoomID) (s Status, since uint64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.rooms[id]; r != nil && r.status != Left {
		return r.status, r.since, true
	}
	return "", 0, false
}

// Room returns one that was not left.
func (v *Vault) Room(id message.RoomID) (shown Room, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.rooms[id]; r != nil && r.status != Left {
		return r.shown(v.me), true
	}
	return shown, false
}

// learnState takes a state.
func (v *Vault) learnState(r *room, s *seal.State) {
	v.mu.Lock()
	was := r.Current()
	held := r.State(s.Hash()) != nil
	current, lost, err := r.Accept(s)
	if err != nil {
		v.log.Info("a state of a private room is refused", "room", r.id, "err", err)
	}
	if err == nil && !held {
		v.acceptedLocked(r, was, current, lost, false)
		v.learnedLocked(r)
	}
	v.mu.Unlock()
}

// learnedLocked has a room saved soon, to which something came that is in the journal: what a kill takes is read there again (journal.Reopen). One change of a large room comes in several messages, and its file takes
// long to be written, for which who brings the next would wait.
func (v *Vault) learnedLocked(r *room) {
	r.unsaved = true
	v.conf.Changed()
}

// acceptedLocked sees to what follows from a state that was accepted; own: this user made it, and need not be told.
func (v *Vault) acceptedLocked(r *room, was *seal.State, current bool, lost []*seal.State, own bool) {
	now := r.Current()
	if current {
		clear(r.covered)
		clear(r.lack)
		maps.DeleteFunc(r.answers, func(p identity.PeerID, a seal.Answer) bool { return !now.Has(p) || a.Epoch < r.Since(p).Epoch })
	}
	if now.Owner() == v.me && was.Owner() != v.me { // who told the owner before
		for p, a := range r.answers {
			if !a.Yes {
				v.tellLocked(Answered{Room: r.id, By: p})
			}
		}
	}
	v.tryLocked(r)
	if now.Owner() == v.me {
		r.redo = append(r.redo, lost...)
	}
	if !current || own || r.status == Left {
		return
	}
	switch here := now.Has(v.me); {
	case r.status == Joined && !was.Has(v.me): // it was somebody else who had joined: who is added now is to be asked
		if here {
			r.status = Out
		}
	case !here && r.status == Joined:
		r.status = Out
		v.tellLocked(Removed{r.id, now.HLC})
	case !here && r.status == Asked:
		r.status = Left
	case r.status == Joined:
		c := Changed{Room: r.id, At: now.HLC, Added: minus(now.Members, was.Members), Taken: minus(was.Members, now.Members)}
		if now.Owner() != was.Owner() {
			c.Owner = now.Owner()
		}
		if len(c.Added)+len(c.Taken) > 0 || c.Owner != (identity.PeerID{}) {
			v.tellLocked(c)
		}
	}
	v.conf.Changed()
}

// minus returns what of a is not in b.
func minus(a, b []identity.PeerID) []identity.PeerID {
	return slices.DeleteFunc(slices.Clone(a), func(p identity.PeerID) bool { return slices.Contains(b, p) })
}

// learnWraps takes wrapped keys, of members only: anyone can put something into a room's group. The state that makes someone a member stands before what it wraps.
func (v *Vault) learnWraps(r *room, author identity.PeerID, w *seal.Wraps) {
	v.mu.Lock()
	if s := r.State(w.State); !r.Current().Has(author) && (s == nil || !s.Has(author)) {
		v.mu.Unlock()
		return
	}
	_, had := r.Key(w.State)
	r.waiting = append(r.waiting, wraps{w, author})
	for n := r.waits(); n > maxWaiting; r.waiting = r.waiting[1:] {
		n -= r.waiting[0].Len()
	}
	covered := len(r.covered)
	v.tryLocked(r)
	_, has := r.Key(w.State)
	if has != had || len(r.covered) != covered {
		v.learnedLocked(r)
	}
	v.mu.Unlock()
}

// waits counts the wrapped keys that are kept.
func (r *room) waits() (n int) {
	for _, w := range r.waiting {
		n += w.Len()
	}
	return n
}

// cover notes that the present key was wrapped for those keys of a member.
func (r *room) cover(p identity.PeerID, keys []seal.KeyID) {
	for _, id := range keys {
		if !slices.Contains(r.covered[p], id) {
			r.covered[p] = append(r.covered[p], id)
		}
	}
	r.covered[p] = r.covered[p][max(0, len(r.covered[p])-maxCovered):]
	if len(r.covered[p]) == 0 {
		delete(r.covered, p)
	}
}

// placeLocked sees to it that one more room has a place, in that of an invitation that was not accepted, if need be: whoever sent the most of them loses the oldest. Of gone forget removes the file.
func (v *Vault) placeLocked() (gone *room, ok bool) {
	if len(v.rooms) < MaxRooms {
		return nil, true
	}
	sent := map[identity.PeerID]int{}
	idle := func(r *room) bool { return r.status == Asked || r.status == Left }
	for _, r := range v.rooms {
		if idle(r) {
			sent[r.by]++
		}
	}
	for _, r := range v.rooms {
		if idle(r) && (gone == nil || sent[r.by] > sent[gone.by] || sent[r.by] == sent[gone.by] && r.invited < gone.invited) {
			gone = r
		}
	}
	if gone == nil {
		return nil, false
	}
	delete(v.rooms, gone.id)
	return gone, true
}

// forget removes the file of a room that made place; nil: none did.
func (v *Vault) forget(gone *room) error {
	if gone == nil {
		return nil
	}
	return v.save(gone)
}

// tryLocked unwraps what can be by now.
func (v *Vault) tryLocked(r *room) {
	news := false
	r.waiting = slices.DeleteFunc(r.waiting, func(w wraps) bool {
		s := r.State(w.State)
		if s == nil {
			return false
		}
		if s == r.Current() && (w.by == v.me || w.by == s.Signer() || w.by == s.Owner()) { // what others wrapped may be anything
			for _, p := range s.Members {
				r.cover(p, w.For(p))
			}
		}
		if _, ok := r.Key(w.State); ok {
			return true
		}
		key, err := s.Unwrap(w.Wraps, v.me, v.ring)
		if err == nil {
			err = r.AddKey(w.State, key)
		}
		if err != nil {
			return !errors.Is(err, seal.ErrNoKey) || len(w.For(v.me)) == 0
		}
		news = true
		return true
	})
	if news {
		r.rename()
		clear(r.readers) // what did not open may now
		v.againLocked(r.id)
	}
}

// openSaid opens what was said in a private room.
func (v *Vault) openSaid(r *room, at journal.Place, body []byte, live bool) (c seal.Content, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := r.readers[at.Log]
	if l == nil {
		if l, err = r.Reader(at.Author, at.Log, body); err != nil {
			return c, err
		}
	}
	if c, err = l.Open(place(at), body); err != nil {
		delete(r.readers, at.Log)
		return c, err
	}
	if len(r.readers) >= maxLogs {
		clear(r.readers)
	}
	r.readers[at.Log] = l
	if err = r.Admit(l, at.HLC, live); err != nil {
		return c, err
	}
	r.last = max(r.last, at.HLC)
	if r.answer(at.Author, seal.Answer{Epoch: l.Epoch(), Yes: true}) { // who says something has accepted, whatever became of the answer
		v.learnedLocked(r)
	}
	return c, nil
}

// Hides reports whether what author said in a private room then is not to be shown, though it was opened: it was said after the author's removal, by who did not know of that, and came to this
// instance before it did. Other members never open it.
func (v *Vault) Hides(id message.RoomID, author identity.PeerID, hlc uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.rooms[id]
	if r == nil || r.status == Left {
		return false
	}
	removed, ok := r.Removed(author)
	return ok && hlc >= removed
}

func place(at journal.Place) seal.Place {
	return seal.Place{Log: at.Log, Seq: at.Seq, Prev: at.Prev, HLC: at.HLC}
}

// seal seals what this person says in the room. It is called with the vault's mu held.
func (r *room) seal(me identity.PeerID, at journal.Place, c seal.Content) (b []byte, err error) {
	if r.status != Joined {
		return nil, fmt.Errorf("seal: %w", ErrNobody)
	}
	w, begun := r.writers[at.Log]
	switch now := r.Current().Hash(); {
	case begun && w.state != now:
		return nil, journal.ErrRenew
	case !begun:
		if w.log, err = r.Writer(me, at.Log); err != nil {
			return nil, err
		}
		maps.DeleteFunc(r.writers, func(_ message.LogID, old writer) bool { return old.state != now }) // nothing is written there any more
		w.state = now
		r.writers[at.Log] = w
	}
	r.last = max(r.last, at.HLC)
	return w.log.Seal(place(at), c)
}
