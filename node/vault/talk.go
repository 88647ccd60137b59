package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// A talk is a direct conversation.
type talk struct {
	with   identity.PeerID
	nick   string          // as the other called itself when it came last, or nothing
	key    *seal.PublicKey // to seal for; nil: not known in this process
	open   bool            // shown: something was said, or the user opened it
	closed bool            // something came that cannot be opened, and the user was told
	shut   uint64          // HLC of the newest of the other's that could not be opened when it came; 1: of one's own alone
	mine   bool            // this person has said something in it, or opened it; if not, it is the work of the other alone
	last   uint64          // HLC of what was said last, roughly
	read   journal.Key     // how far the other has read
	told   journal.Key     // how far the other was told that this person has read
}

// A Talk is a direct conversation that is shown.
type Talk struct {
	Room message.RoomID
	With identity.PeerID
	Nick string // as the other called itself when it came last: anything
	Open bool   // it is shown
	// Read is how far the other has read, as it told.
	Read journal.Key
}

func (t *talk) shown(id message.RoomID) Talk { return Talk{id, t.with, t.nick, t.open, t.read} }

// Talks returns the conversations that are shown.
func (v *Vault) Talks() (out []Talk) {
	return slices.DeleteFunc(v.AllTalks(), func(t Talk) bool { return !t.Open })
}

// AllTalks returns all conversations with others, shown or not, by room.
func (v *Vault) AllTalks() (out []Talk) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, t := range v.talks {
		if t.with != v.me {
			out = append(out, t.shown(id))
		}
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Room[:], out[j].Room[:]) < 0 })
	return out
}

// Shut returns the conversations in which something could not be opened when it came: the process before may have ended when the key had come since, and not all was read by it.
func (v *Vault) Shut() (out []message.RoomID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, t := range v.talks {
		if t.shut != 0 {
			out = append(out, id)
		}
	}
	return out
}

// Talk returns the conversation in a room, shown or not.
func (v *Vault) Talk(id message.RoomID) (t Talk, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if x := v.talks[id]; x != nil {
		return x.shown(id), true
	}
	return t, false
}

// Begin makes the conversation with a person known, for whom key is to be used where that is not nil; show says that the user opens it.
func (v *Vault) Begin(with identity.PeerID, key *seal.PublicKey, show bool) (message.RoomID, error) {
	id := seal.Direct(v.conf.Network, v.me, with)
	v.mu.Lock()
	t := v.talkLocked(id, with)
	if t == nil {
		v.mu.Unlock()
		return id, fmt.Errorf("there are %d conversations already", MaxTalks)
	}
	if key != nil {
		t.key = key
	}
	v.takePartLocked(t)
	if show && !t.open {
		t.open, v.unsaved = true, true
	}
	v.mu.Unlock()
	return id, v.saveTalks()
}

// Recall shows a conversation again in which a journal holds something that author said then, as from: the process ended after that was written, and before it was that there is a conversation. What
// the user has closed since, or made place for, it leaves. It reports whether there is one to be shown.
func (v *Vault) Recall(id message.RoomID, author identity.PeerID, hlc uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.talks[id]
	if t != nil && (t.open || t.last >= hlc) || t == nil && len(v.talks) >= MaxTalks || author == v.me || !v.Concerns(message.GroupID(id), author, v.me) {
		return false
	}
	t = v.talkLocked(id, author)
	t.open, t.last, v.unsaved = true, hlc, true
	return true
}

// Close does not show a conversation any more, until something is said in it.
func (v *Vault) Close(id message.RoomID) error {
	v.mu.Lock()
	if t := v.talks[id]; t != nil && t.open {
		t.open, v.unsaved = false, true
	}
	v.mu.Unlock()
	return v.saveTalks()
}

// talkLocked returns a conversation, which begins where it is not known, in the place of a stranger's if need be; nil: there are too many.
func (v *Vault) talkLocked(id message.RoomID, with identity.PeerID) *talk {
	t := v.talks[id]
	if t == nil && (len(v.talks) < MaxTalks || v.dropTalkLocked()) {
		t = &talk{with: with}
		v.talks[id], v.unsaved = t, true
	}
	return t
}

// dropTalkLocked forgets a conversation that this person has no part in: one that is not shown, of those the one that rested longest. Its messages stay in the journals, and it begins again with the next.
func (v *Vault) dropTalkLocked() bool {
	var gone message.RoomID
	var least *talk
	for id, t := range v.talks {
		if !t.mine && (least == nil || least.open && !t.open || least.open == t.open && t.last < least.last) {
			gone, least = id, t
		}
	}
	delete(v.talks, gone)
	return least != nil
}

// takePartLocked: this person has said something there.
func (v *Vault) takePartLocked(t *talk) {
	if !t.mine {
		t.mine, v.unsaved = true, true
	}
}

// Meet takes what the other of a conversation tells of itself.
func (v *Vault) Meet(p *seal.Profile) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.talks[seal.Direct(v.conf.Network, v.me, p.Person)]
	if t == nil {
		return
	}
	t.key = &p.Key
	if t.nick != p.Nick {
		t.nick, v.unsaved = p.Nick, true
	}
}

// Sibling returns what another instance of this person, whose key is not in the ring, is to be sent in the conversation with oneself: this one's ring.
func (v *Vault) Sibling(key *seal.PublicKey) ([]Message, error) {
	b, err := v.Ring().Bytes()
	if err != nil {
		return nil, err
	}
	id, err := v.Begin(v.me, key, false)
	return []Message{{id, message.Keys, b}}, err
}

// self returns the conversation with oneself, in which the instances of one person tell each other what they join and leave, and a message in it.
func (v *Vault) self(k message.Kind, body []byte) ([]Message, error) {
	id, err := v.Begin(v.me, v.Ring().Public(), false)
	return []Message{{id, k, body}}, err
}

// openDirect opens a direct message, and takes what is no line. Its Kind is 0 then.
func (v *Vault) openDirect(ring *seal.Ring, at journal.Place, body []byte) (c seal.Content, err error) {
	c, with, err := seal.OpenDM(v.conf.Network, at.Room, at.Author, v.me, ring, body)
	if err != nil && !errors.Is(err, seal.ErrNoKey) {
		return c, err
	}
	if at.Author != v.me {
		with = at.Author
	}
	v.mu.Lock()
	t := v.talkLocked(at.Room, with)
	if err != nil { // it was sealed for a key that is not held any more, or that another instance of this person holds
		hlc := at.HLC
		if at.Author == v.me {
			hlc = 1 // of which nobody is told
		}
		if t != nil && t.shut < hlc { // else it is tried again
			t.shut, v.unsaved = hlc, true
			v.conf.Changed()
			if !t.closed && at.Author != v.me {
				t.closed = true
				v.tellLocked(Closed{at.Author})
			}
		}
		v.mu.Unlock()
		return c, err
	}
	if t == nil {
		v.mu.Unlock()
		return c, fmt.Errorf("there are %d conversations already", MaxTalks)
	}
	t.last = max(t.last, at.HLC)
	if at.Author == v.me {
		v.takePartLocked(t)
	}
	line := c.Kind < message.Read || c.Kind > message.Rotate
	if line && !t.open {
		t.open, v.unsaved = true, true
		v.conf.Changed()
	}
	v.mu.Unlock()
	if line {
		return c, nil
	}
	switch c.Kind {
	case message.Read:
		v.takeRead(at, c.Body)
	case message.Keys:
		err = v.takeKeys(at, c.Body)
	case message.Invite:
		err = v.takeInvitation(at, c)
	case message.Answer:
		v.takeLeft(at, c.Body)
	case message.Rotate:
		err = v.takeRotation(at, c)
	}
	return seal.Content{}, err
}

// takeRotation passes the offer of a key on, where it is for this person.
func (v *Vault) takeRotation(at journal.Place, c seal.Content) error {
	r, err := seal.ParseRotation(seal.Content{Kind: c.Kind, Body: bytes.Clone(c.Body)})
	if err != nil || !r.Has(v.me) {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tellLocked(Offered{at.Author, r})
	return nil
}

// Inherit begins the conversations of the same person in another network that are not known here, with the same people and as they were there.
func (v *Vault) Inherit(from *Vault) error {
	from.mu.Lock()
	var list []talk
	for _, t := range from.talks {
		if t.with != from.me {
			list = append(list, talk{with: t.with, nick: t.nick, open: t.open, mine: t.mine, last: t.last})
		}
	}
	from.mu.Unlock()
	v.mu.Lock()
	for _, old := range list {
		if id := seal.Direct(v.conf.Network, v.me, old.with); v.talks[id] != nil {
			continue
		} else if t := v.talkLocked(id, old.with); t != nil {
			*t = old
		}
	}
	v.mu.Unlock()
	return v.saveTalks()
}

const keyLen = 8 + 16 + 8

// appendKey encodes a place: hlc u64 || lid || seq u64, the body of a message of kind Read.
func appendKey(k journal.Key) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, keyLen), k.HLC)
	return binary.BigEndian.AppendUint64(append(b, k.Log[:]...), k.Seq)
}

func parseKey(b []byte) (k journal.Key, ok bool) {
	if len(b) != keyLen {
		return k, false
	}
	return journal.Key{HLC: binary.BigEndian.Uint64(b), Log: message.LogID(b[8:24]), Seq: binary.BigEndian.Uint64(b[24:])}, true
}

// takeRead notes how far someone has read: the other, or another instance of this person.
func (v *Vault) takeRead(at journal.Place, body []byte) {
	up, ok := parseKey(body)
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.talks[at.Room]
	if !ok || t == nil {
		return
	}
	far := &t.read
	if at.Author == v.me {
		far = &t.told
	}
	if far.Compare(up) >= 0 {
		return
	}
	*far, v.unsaved = up, true
	if far == &t.read {
		v.tellLocked(Seen{at.Room, up})
	}
}

// Tell returns what tells the other of a conversation that this person has read up to a place; nothing where it knows.
func (v *Vault) Tell(id message.RoomID, up journal.Key) []Message {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.talks[id]
	if t == nil || t.told.Compare(up) >= 0 {
		return nil
	}
	t.told, v.unsaved = up, true
	return []Message{{id, message.Read, appendKey(up)}}
}

// takeKeys takes the keyring of another instance of this person, out of the conversation with oneself.
func (v *Vault) takeKeys(at journal.Place, body []byte) error {
	if at.Author != v.me || at.Room != seal.Direct(v.conf.Network, v.me, v.me) {
		return fmt.Errorf("a keyring of somebody else: %w", seal.ErrMalformed)
	}
	other, err := seal.ParseRing(body)
	if err != nil {
		return err
	}
	v.mu.Lock()
	next := v.ring.Merge(other, time.Now())
	if !other.HasAll(next) && v.work.Sibling == nil { // not for what it has and this one deletes: clocks differ, and it would answer in turn
		v.work.Sibling = other.Public()
		v.conf.Changed()
	}
	if next.Equal(v.ring) { // it was taken before
		v.mu.Unlock()
		return nil
	}
	v.ring = next
	for id := range v.talks {
		v.againLocked(id)
	}
	for _, r := range v.rooms {
		v.tryLocked(r)
	}
	v.mu.Unlock()
	if v.conf.KeepRing == nil {
		return nil
	}
	return v.conf.KeepRing(next)
}
