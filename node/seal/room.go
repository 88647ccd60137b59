package seal

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"earshot/node/identity"
	"earshot/node/message"
)

// MaxStates is how many states of a room are kept: the newest.
const MaxStates = 512

var (
	// ErrOld means a state, not of the present owner's, that nothing known builds on: what somebody made who owned the room before, or makes now.
	ErrOld = errors.New("not a state of this room's history")
	// ErrNotMember means that a person was not, or is no longer, a member.
	ErrNotMember = errors.New("not a member")
	// ErrNoState means that the state of an epoch is not known, or not yet.
	ErrNoState = errors.New("the room's state is not known")
)

// A Room is what one member knows of a private room: its states, and the keys of those epochs that it may read. It belongs to one goroutine.
type Room struct {
	id      message.RoomID
	current *State
	kept    map[message.Hash]*State // that were or are the room's, or lost against one
	keys    map[message.Hash]EpochKey
	told    map[message.Hash]bool // of kept states that lost
}

// NewRoom returns the room that s is a state of. Where the view of the room begins is a matter of trust: s is an invitation's, one's own, or with the others what States returned.
func NewRoom(s *State, others ...*State) *Room {
	r := &Room{id: s.Room(), current: s, kept: map[message.Hash]*State{s.hash: s}, keys: map[message.Hash]EpochKey{}, told: map[message.Hash]bool{}}
	for _, o := range others {
		r.kept[o.hash] = o
	}
	r.newlyLost() // was told before
	return r
}

// Current returns what the room is now.
func (r *Room) Current() *State { return r.current }

// State returns the state with that hash, nil where it is not kept.
func (r *Room) State(h message.Hash) *State { return r.kept[h] }

// Key returns the epoch key of the state with that hash.
func (r *Room) Key(h message.Hash) (EpochKey, bool) {
	k, ok := r.keys[h]
	return k, ok
}

// AddKey takes the key of a kept state, and refuses another with ErrCommitment.
func (r *Room) AddKey(h message.Hash, k EpochKey) error {
	s := r.kept[h]
	if s == nil {
		return ErrNoState
	}
	if k.Commitment() != s.Commitment {
		return ErrCommitment
	}
	r.keys[h] = k
	return nil
}

// Accept takes a state, in whatever order they come; one that is kept changes nothing. current says that the room is as s says from now on. lost are states, each told once, that were made beside
// another and do not hold now: two machines with one profile. (They hold again where their line turns out to be the longer one; the others are lost then.) Errors wrap ErrMalformed for another room's, ErrOld and ErrOwners; the state is then not kept.
func (r *Room) Accept(s *State) (current bool, lost []*State, err error) {
	if s.Network != r.current.Network || s.Room() != r.id {
		return false, nil, fmt.Errorf("%w: a state of another room", ErrMalformed)
	}
	if r.kept[s.hash] != nil {
		return false, nil, nil
	}
	order, err := s.compare(r.current)
	if err != nil {
		return false, nil, err
	}
	if order < 0 && !r.isHistory(s) {
		return false, nil, fmt.Errorf("%w: epoch %d, signed by %s", ErrOld, s.Epoch, s.Signer().Fingerprint())
	}
	r.kept[s.hash] = s
	if order > 0 {
		r.current = s
	}
	r.forget()
	return order > 0, r.newlyLost(), nil
}

// isHistory reports whether s, which is not the room's state now, was: a kept state builds on it, or it is the present owner's. Anything else who owned the room before could make today.
func (r *Room) isHistory(s *State) bool {
	if s.Signer() == r.current.Owner() {
		return true
	}
	for _, k := range r.kept {
		if k.Prev == s.hash {
			return true
		}
	}
	return false
}

// forget drops the oldest of too many states, and their keys.
func (r *Room) forget() {
	for len(r.kept) > MaxStates {
		var oldest *State
		for _, s := range r.kept {
			if s != r.current && (oldest == nil || s.Epoch < oldest.Epoch) {
				oldest = s
			}
		}
		delete(r.kept, oldest.hash)
		delete(r.keys, oldest.hash)
		delete(r.told, oldest.hash)
	}
}

// newlyLost returns the last states of lines that are known to have left the room's own.
func (r *Room) newlyLost() (lost []*State) {
	built := map[message.Hash]bool{}
	for _, s := range r.kept {
		built[s.Prev] = true
	}
	for _, s := range r.kept {
		if !built[s.hash] && !r.told[s.hash] && r.isLost(s) {
			r.told[s.hash] = true
			lost = append(lost, s)
		}
	}
	slices.SortFunc(lost, func(a, b *State) int { c, _ := a.compare(b); return c })
	return lost
}

// isLost reports whether the room's history is known to go past s, on which nothing builds. Where states between are missing, nobody knows yet.
func (r *Room) isLost(s *State) bool {
	for k := r.current; k != nil && k != s; k = r.kept[k.Prev] {
		if k.Epoch <= s.Epoch+1 { // what is one higher would build on s, or on what has the place of s
			return true
		}
	}
	return false
}

// Missing returns what the line of lost changed that the room's current state lacks, for the owner to make again, but not of whom the room's own line changed the same later; ok is false where the state they have in common is not kept.
func (r *Room) Missing(lost *State) (c Change, ok bool) {
	line := map[message.Hash]bool{}
	for k := r.current; k != nil; k = r.kept[k.Prev] {
		line[k.hash] = true
	}
	base := lost
	for base != nil && !line[base.hash] {
		base = r.kept[base.Prev]
	}
	if base == nil {
		return c, false
	}
	c.Add, c.Remove = r.differ(base, lost, func(s *State) []identity.PeerID { return s.Members })
	c.Promote, c.Demote = r.differ(base, lost, func(s *State) []identity.PeerID { return s.Moderators })
	c.Promote = slices.DeleteFunc(c.Promote, func(p identity.PeerID) bool { return !r.current.Has(p) && !slices.Contains(c.Add, p) })
	return c, true
}

// differ returns who came and who went between base and lost and is not there now, or is; who came or went in the room's own line later than that stays as it is.
func (r *Room) differ(base, lost *State, people func(*State) []identity.PeerID) (came, went []identity.PeerID) {
	now := r.current
	later := func(p identity.PeerID) bool {
		return r.changed(p, base, lost, people) > r.changed(p, base, now, people)
	}
	for _, p := range people(lost) {
		if !has(people(now), p) && later(p) {
			came = append(came, p)
		}
	}
	for _, p := range people(now) {
		if !has(people(lost), p) && later(p) {
			went = append(went, p)
		}
	}
	return came, went
}

// changed returns when somebody came or went last between two states of one line, as a stamp; 0: not at all.
func (r *Room) changed(p identity.PeerID, from, to *State, people func(*State) []identity.PeerID) uint64 {
	for k := to; k != from; k = r.kept[k.Prev] {
		if has(people(k), p) != has(people(r.kept[k.Prev]), p) {
			return k.HLC
		}
	}
	return 0
}

// States returns the kept states, the current first: NewRoom makes the same room of them.
func (r *Room) States() []*State {
	all := slices.Collect(maps.Values(r.kept))
	slices.SortFunc(all, func(a, b *State) int { c, _ := b.compare(a); return c })
	return all
}
