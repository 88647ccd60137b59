package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// Keys gives what to seal for a person with; nil where that is not known. It is called without a lock.
type Keys func(identity.PeerID) *seal.PublicKey

// ErrKey means that somebody's key is not known: that person was never met.
var ErrKey = errors.New("the key is not known")

// ErrUnanswered means that a room is to be handed to somebody who has not accepted the invitation to it, or has left: who does not want it would be its owner for ever.
var ErrUnanswered = errors.New("who is to own the room has not accepted the invitation")

// stamp is the time as messages have it.
func stamp(now time.Time) uint64 { return uint64(max(now.UnixMilli(), 0)) << 16 }

// Found makes a private room that this person is alone in, and returns what makes it known to its members' stores.
func (v *Vault) Found(name string, now time.Time) (message.RoomID, []Message, error) {
	var nonce message.Nonce
	rand.Read(nonce[:])
	key := seal.NewEpochKey()
	s, err := seal.Found(v.conf.Who, v.conf.Network, nonce, stamp(now), key, name)
	if err != nil {
		return message.RoomID{}, nil, err
	}
	sr := seal.NewRoom(s)
	if err := sr.AddKey(s.Hash(), key); err != nil {
		return s.Room(), nil, err
	}
	r := newRoom(sr, Joined)
	r.rename()
	r.last, r.since = stamp(now), stamp(now)
	v.mu.Lock()
	gone, ok := v.placeLocked()
	if !ok {
		v.mu.Unlock()
		return s.Room(), nil, fmt.Errorf("there are %d private rooms already", MaxRooms)
	}
	v.rooms[r.id] = r
	v.mu.Unlock()
	if err := v.forget(gone); err != nil {
		v.log.Warn("cannot forget an invitation", "err", err)
	}
	out, _, err := v.spread(r, s, key, nil, nil)
	invite := (&seal.Invitation{State: s, Key: key}).Content()
	own, fault := v.self(invite.Kind, invite.Body)
	return r.id, append(own, out...), errors.Join(err, fault, v.save(r))
}

// Change makes a change of a room of which this person is the owner, and returns what is to be said of it, in this order: in direct messages the invitations of those added, and of a new owner, the state, its key wrapped for everyone, and for those added
// the keys of what was said before where history is set. left are members whose key is not known: they are wrapped for when they come (Tend).
func (v *Vault) Change(id message.RoomID, c seal.Change, history bool, now time.Time, keys Keys) (out []Message, left []identity.PeerID, err error) {
	for _, p := range c.Add {
		key := keys(p)
		if key == nil {
			return nil, nil, fmt.Errorf("%s: %w", p.Fingerprint(), ErrKey)
		}
		if _, err := v.Begin(p, key, false); err != nil {
			return nil, nil, err
		}
	}
	v.mu.Lock()
	r := v.rooms[id]
	if r == nil || r.status != Joined && r.status != Left { // who left gives back what it was made the owner of
		v.mu.Unlock()
		return nil, nil, ErrNobody
	}
	was, key := r.Current(), seal.NewEpochKey()
	next, err := was.Next(v.conf.Who, stamp(now), key, r.name, c)
	if err == nil && next.Owner() != v.me && !r.accepted(next.Owner()) {
		err = ErrUnanswered
	}
	if err != nil {
		v.mu.Unlock()
		return nil, nil, err
	}
	current, lost, err := r.Accept(next)
	if err == nil {
		err = r.AddKey(next.Hash(), key)
	}
	if err == nil {
		v.acceptedLocked(r, was, current, lost, true)
		if len(c.Add) > 0 { // who was out may have said something meanwhile, that is to be shown now; the others read again when they get the key
			v.againLocked(id)
		}
	}
	old := r.States()
	v.mu.Unlock()
	if err == nil {
		err = v.save(r)
	}
	if err != nil {
		return nil, nil, err
	}
	if out, err = v.invite(was, next, key, keys); err != nil { // before the state: as long as the group lacks that, all is said again
		return nil, nil, err
	}
	more, left, err := v.spread(r, next, key, nil, keys)
	out = append(out, more...)
	for _, p := range c.Add {
		if err != nil || !history {
			break
		}
		more, err = v.share(r, old, p, keys(p))
		out = append(out, more...)
	}
	return out, left, err
}

// invite returns the invitations of those whom s, which was made after was, adds, and of its owner where that is another: it may have left, and hears of it in no other way. Who has no key is left out.
func (v *Vault) invite(was, s *seal.State, key seal.EpochKey, keys Keys) (out []Message, err error) {
	c, people := (&seal.Invitation{State: s, Key: key}).Content(), minus(s.Members, was.Members)
	if s.Owner() != was.Owner() {
		people = append(people, s.Owner())
	}
	for _, p := range people {
		k := keys(p)
		if k == nil {
			continue
		}
		id, err := v.Begin(p, k, false)
		if err != nil {
			return nil, err
		}
		out = append(out, Message{id, c.Kind, c.Body})
	}
	return out, nil
}

// Signed returns the states that this person made and that its rooms are in now: they must be in the rooms' groups, or nobody else knows of them.
func (v *Vault) Signed() (out []*seal.State) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.rooms {
		if s := r.Current(); r.status == Joined && s.Signer() == v.me {
			out = append(out, s)
		}
	}
	return out
}

// Again returns once more what Change said of a state that Signed gave, except for keys of what was said before: it never came into the group, because the process ended first or the disk was full, or
// it is lost to a copy of this machine, or history is not kept for so long.
func (v *Vault) Again(s *seal.State, keys Keys) (out []Message, err error) {
	v.mu.Lock()
	r := v.rooms[s.Room()]
	if r == nil || r.status != Joined || r.Current() != s {
		v.mu.Unlock()
		return nil, nil
	}
	key, ok := r.Key(s.Hash())
	before := r.State(s.Prev)
	v.mu.Unlock()
	if !ok {
		return nil, nil
	}
	if before != nil {
		if out, err = v.invite(before, s, key, keys); err != nil {
			return nil, err
		}
	}
	more, _, err := v.spread(r, s, key, nil, keys)
	return append(out, more...), err
}

// spread returns the messages that tell of a state: the state itself and its key, wrapped for its members, or those of them named.
func (v *Vault) spread(r *room, s *seal.State, key seal.EpochKey, only []identity.PeerID, keys Keys) (out []Message, left []identity.PeerID, err error) {
	people := only
	if only == nil {
		people = s.Members
		out = append(out, Message{r.id, message.State, s.Bytes()})
	}
	var list []seal.For
	for _, p := range people {
		k := v.Ring().Public()
		if p != v.me {
			k = keys(p)
		}
		if k == nil {
			left = append(left, p)
			continue
		}
		list = append(list, seal.For{Person: p, Key: k})
	}
	bodies, unusable, err := s.Wrap(key, list)
	v.mu.Lock()
	for _, b := range bodies {
		out = append(out, Message{r.id, message.State, b})
		if w, err := seal.ParseWraps(b); err == nil && s == r.Current() {
			for _, p := range people {
				r.cover(p, w.For(p))
			}
		}
	}
	v.mu.Unlock()
	return out, append(left, unusable...), err
}

// share wraps the keys of earlier states for someone who is to read what was said before.
func (v *Vault) share(r *room, states []*seal.State, p identity.PeerID, pub *seal.PublicKey) (out []Message, err error) {
	for _, s := range states {
		v.mu.Lock()
		key, ok := r.Key(s.Hash())
		v.mu.Unlock()
		if !ok || s.Has(p) {
			continue
		}
		bodies, _, err := s.Wrap(key, []seal.For{{Person: p, Key: pub}})
		if err != nil {
			return out, err
		}
		for _, b := range bodies {
			out = append(out, Message{r.id, message.State, b})
		}
	}
	return out, nil
}

// takeInvitation takes an invitation out of a direct message. One that is older than what was answered is not taken again: by its stamp, unless the room has changed since what was answered, for clocks differ.
func (v *Vault) takeInvitation(at journal.Place, c seal.Content) error {
	inv, err := seal.ParseInvitation(v.conf.Network, v.me, c)
	if err != nil {
		return err
	}
	id := inv.State.Room()
	var gone *room
	v.mu.Lock()
	r := v.rooms[id]
	switch {
	case r != nil && at.HLC <= r.invited && !r.asksAgain(v.me, inv.State):
		v.mu.Unlock()
		return nil
	case r == nil:
		var ok bool
		if gone, ok = v.placeLocked(); !ok {
			v.mu.Unlock()
			return fmt.Errorf("there are %d private rooms already", MaxRooms)
		}
		r = newRoom(seal.NewRoom(inv.State), Asked)
		v.rooms[id] = r
	case r.since == 0 && (r.status == Asked || r.status == Left): // nothing is kept of a room that was never joined but what one is invited to
		now := r.Current()
		current, _, err := seal.NewRoom(now).Accept(inv.State)
		if err != nil || !current && inv.State.Hash() != now.Hash() {
			v.mu.Unlock()
			return err
		}
		r.Room = seal.NewRoom(inv.State)
	default:
		was := r.Current()
		current, lost, err := r.Accept(inv.State)
		if err != nil {
			v.mu.Unlock()
			return err
		}
		v.acceptedLocked(r, was, current, lost, false)
	}
	r.invited = at.HLC
	if err := r.AddKey(inv.State.Hash(), inv.Key); err != nil {
		v.mu.Unlock()
		return err
	}
	r.rename()
	clear(r.readers)
	v.tryLocked(r)
	switch now := r.Current(); {
	case r.status == Joined || !now.Has(v.me):
	case at.Author == v.me: // another instance of this person has joined
		r.status, r.by, r.since = Joined, at.Author, at.HLC
	case r.status == Left && r.since != 0 && now.Owner() == v.me: // it left where it could not hear that it was made the owner, and is not to be asked: the room goes back (Tend)
		v.conf.Changed()
	default:
		r.status, r.by = Asked, at.Author
		v.tellLocked(Invited{id, at.Author})
	}
	v.againLocked(id)
	v.mu.Unlock()
	return errors.Join(v.forget(gone), v.save(r))
}

// answer says yes or no in a room that is in that state.
func answer(s *seal.State, yes bool) Message {
	return Message{s.Room(), message.State, seal.Answer{Epoch: s.Epoch, Yes: yes}.Bytes()}
}

// Answer accepts an invitation, or does not, and returns what tells the room. A room that was joined is left so.
func (v *Vault) Answer(id message.RoomID, yes bool, now time.Time) (out []Message, err error) {
	v.mu.Lock()
	r := v.rooms[id]
	if r == nil || r.status == Left || yes && r.status != Asked {
		v.mu.Unlock()
		return nil, ErrNobody
	}
	s := r.Current()
	if !yes && r.status == Joined && s.Owner() == v.me && len(s.Members) > 1 {
		v.mu.Unlock()
		return nil, errors.New("a room's owner cannot leave it while others are in it")
	}
	own := seal.Content{Kind: message.Answer, Body: append(id[:], 0)} // for the other instances of this person
	if yes {
		own = seal.Content{}
		if key, ok := r.Key(s.Hash()); ok {
			own = (&seal.Invitation{State: s, Key: key}).Content()
		}
	}
	if r.status == Joined { // before it leaves, to who has not got that yet: else it would seem to decline
		out = append(out, answer(s, true))
	}
	if r.status != Out { // the owner knows
		out = append(out, answer(s, yes))
	}
	r.last, r.said, r.untold = stamp(now), yes, !yes && r.status != Out
	if r.status = Left; yes {
		r.status, r.since = Joined, stamp(now)
		v.againLocked(id)
	}
	r.invited = max(r.invited, stamp(now))
	v.mu.Unlock()
	if err := v.save(r); err != nil {
		return nil, err
	}
	if own.Kind != 0 {
		var more []Message
		more, err = v.self(own.Kind, own.Body)
		out = append(out, more...)
	}
	return out, err
}

// Unheard returns once more what tells the rooms that this person has joined, each once, where it was not read in the room: the process before ended when it had saved that it is, and had not written that. So it
// does for those declined or left, in which nothing is read, each once in any case; durable says that what was said so far is on the disk, and then that is done.
func (v *Vault) Unheard(durable bool) (out []Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.rooms {
		joined, left := r.joined(v.me) && !r.accepted(v.me), r.status == Left && r.untold
		if !r.said && (joined || left) {
			r.said, out = true, append(out, answer(r.Current(), joined))
		} else if left && durable {
			r.untold, r.unsaved = false, true
		}
	}
	return out
}

// takeLeft takes what another instance of this person says that has left a room, or declined.
func (v *Vault) takeLeft(at journal.Place, body []byte) {
	if len(body) != 17 || body[16] != 0 || at.Author != v.me || at.Room != seal.Direct(v.conf.Network, v.me, v.me) {
		return
	}
	v.mu.Lock()
	r := v.rooms[message.RoomID(body[:16])]
	if r == nil || at.HLC <= max(r.since, r.invited) {
		v.mu.Unlock()
		return
	}
	r.status, r.invited = Left, at.HLC
	v.conf.Changed()
	v.mu.Unlock()
	v.save(r)
}

// learnAnswer takes what a member says to an invitation, or who leaves. Every member keeps it: it may become the owner.
func (v *Vault) learnAnswer(r *room, author identity.PeerID, a seal.Answer) {
	v.mu.Lock()
	if a.Yes && a.Epoch == r.Current().Epoch && !r.lack[author] && len(r.covered[author]) > 0 {
		r.lack[author] = true
		v.conf.Changed()
	}
	was := r.accepted(author)
	news := (author != v.me || a.Yes) && r.status == Joined && r.answer(author, a)
	if news && author != v.me && !(a.Yes && was) && (r.Current().Owner() == v.me || a.Yes && r.Since(author).Signer() == v.me) { // who invited is told, though the room is another's now
		v.tellLocked(Answered{Room: r.id, By: author, Yes: a.Yes, Left: !a.Yes && was, Declined: !a.Yes && !was})
	}
	if news {
		v.learnedLocked(r)
	}
	v.mu.Unlock()
}

// Tend returns what an owner, also one who has left, or whoever stands in for one, owes the rooms now. here are those who can be reached.
func (v *Vault) Tend(now time.Time, here func(identity.PeerID) bool, keys Keys) (out []Message, err error) {
	v.mu.Lock()
	all := slices.Collect(maps.Values(v.rooms))
	v.mu.Unlock()
	for _, r := range all {
		more, fault := v.tend(r, now, here, keys)
		out, err = append(out, more...), errors.Join(err, fault)
	}
	return out, err
}

func (v *Vault) tend(r *room, now time.Time, here func(identity.PeerID) bool, keys Keys) (out []Message, err error) {
	v.mu.Lock()
	s := r.Current()
	if !r.joined(v.me) && (r.status != Left || s.Owner() != v.me) { // by now: others were tended before
		v.mu.Unlock()
		return nil, nil
	}
	if r.status == Left {
		heir, ok := v.heirLocked(r)
		v.mu.Unlock()
		if ok {
			out, _, err = v.Change(r.id, seal.Change{Owner: &heir, Remove: []identity.PeerID{v.me}}, false, now, keys)
		}
		return out, err
	}
	mine := s.Owner() == v.me
	var c seal.Change
	due := mine && (s.Due(now) || v.handedLocked(r))
	if mine {
		c = r.owedLocked()
	}
	key, held := r.Key(s.Hash())
	asks := !held && r.asked != s.Hash() && slices.ContainsFunc(r.waiting, func(w wraps) bool { return w.State == s.Hash() && len(w.For(v.me)) > 0 })
	if asks {
		r.asked = s.Hash()
	}
	v.mu.Unlock()
	var later []identity.PeerID
	c.Add = slices.DeleteFunc(c.Add, func(p identity.PeerID) bool {
		unknown := keys(p) == nil
		if unknown {
			later = append(later, p)
		}
		return unknown
	})
	if later != nil {
		c.Promote = minus(c.Promote, later)
		v.mu.Lock()
		r.later = append(r.later, later...)
		v.mu.Unlock()
	}
	if mine && (due || !c.Empty()) {
		out, _, err = v.Change(r.id, c, false, now, keys)
		return out, err
	}
	if asks { // it was wrapped for a key that is deleted: others cannot know
		out = append(out, answer(s, true))
	}
	if !held {
		return out, nil
	}
	lacks := v.lacking(r, s, now, here, keys)
	if len(lacks) == 0 {
		return nil, nil
	}
	out, _, err = v.spread(r, s, key, lacks, keys)
	return out, err
}

// owedLocked takes what the owner is to change by now: who declined is taken out, who waited for it comes in, and what lost against another change is made again.
func (r *room) owedLocked() (c seal.Change) {
	for p, a := range r.answers {
		if !a.Yes {
			c.Remove = append(c.Remove, p)
		}
	}
	c.Add = slices.DeleteFunc(r.later, r.Current().Has)
	went := map[*seal.State]bool{} // on in its line, which may have taken back what it changed
	for _, lost := range r.redo {
		for k := r.State(lost.Prev); k != nil && !went[k]; k = r.State(k.Prev) {
			went[k] = true
		}
	}
	for _, lost := range r.redo {
		if m, ok := r.Missing(lost); ok && !went[lost] {
			c.Add, c.Remove = append(c.Add, m.Add...), append(c.Remove, m.Remove...)
			c.Promote, c.Demote = append(c.Promote, m.Promote...), append(c.Demote, m.Demote...)
		}
	}
	r.redo, r.later = nil, nil
	return c
}

// heirLocked returns to whom a room goes that this person owns and has left: to who owned it before, or else to another who is in it.
func (v *Vault) heirLocked(r *room) (heir identity.PeerID, ok bool) {
	s := r.Current()
	people := append([]identity.PeerID{s.Signer()}, s.Members...)
	i := slices.IndexFunc(people, func(p identity.PeerID) bool { return p != v.me && s.Has(p) && r.accepted(p) })
	if i < 0 {
		return heir, false
	}
	return people[i], true
}

// handedLocked reports whether this person was made the owner and has made no state yet: until then the owner before could still make another.
func (v *Vault) handedLocked(r *room) bool {
	s := r.Current()
	return s.Owner() == v.me && s.Signer() != v.me
}

// oldEpoch is how old an epoch is when members whose key has changed since are wrapped for again: their old key is deleted soon.
const oldEpoch = seal.KeyLife - seal.KeyAge*4

// lacking returns the members who are here, for whom the present key was never wrapped, or so long ago that they may have no key for it, or who say so, if it is for this person to wrap it: the owner does,
// or who is first of those here.
func (v *Vault) lacking(r *room, s *seal.State, now time.Time, here func(identity.PeerID) bool, keys Keys) (out []identity.PeerID) {
	who := s.Owner()
	if who != v.me && !here(who) {
		v.mu.Lock()
		i := slices.IndexFunc(s.Members, func(p identity.PeerID) bool { return p == v.me || here(p) && len(r.covered[p]) > 0 && !r.lack[p] })
		v.mu.Unlock()
		who = s.Members[i]
	}
	if who != v.me {
		return nil
	}
	old := s.Age(now) > oldEpoch
	for _, p := range s.Members {
		if p == v.me || !here(p) {
			continue
		}
		k := keys(p)
		v.mu.Lock()
		ids, again := r.covered[p], old || r.lack[p]
		v.mu.Unlock()
		if k != nil && (len(ids) == 0 || again && !slices.Contains(ids, k.ID())) {
			out = append(out, p)
		}
	}
	return out
}
