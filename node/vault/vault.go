// Package vault holds what one person takes part in besides public rooms, in one network: direct conversations and private rooms, with the keys that open them.
//
// It is the journal.Vault of all journals of its process. It writes into none: what is to be said it returns (Message), and what is to be done besides it hands out with Take, to whoever keeps
// the journals. What it holds follows from what it is told: by the journals (Learn, Open), in whatever order and however often, and by the user's commands.
//
// Conversations. With whom one has spoken is remembered; who is new begins one by writing. What a direct message holds besides text is taken here and is no line: invitations, how far
// the other has read, what another instance of this person has left, its keyring, and the network's next key.
//
// Private rooms. An invitation makes a room known; it is Joined when the user accepts it, and replicated from then on (Groups). That it was accepted, declined or left is said in the room
// (seal.Answer), and every member remembers it: who declines or leaves learns nothing more of the room, and need not know who owns it by now. Who is owner tends it (Tend): removes who declined or left,
// makes a new epoch when one is due, makes again what a copy of the owner's profile changed at the same time. A new owner is told in a direct message, too: who left meanwhile gives the room back. Any member who is here wraps the key again for one who could not be reached when the epoch
// was made.
//
// Goroutines: none. All methods may be called concurrently. Nothing is called with the lock held but package seal and Config.Changed, and the disk is not waited for in it.
//
// Disk: below Dir a file a room (rooms/ID.json: states and epoch keys) and talks.json, all 0600, replaced whole. Of what this person does a room's file is written before anybody can see what it is needed for;
// what others did is written by Save, soon after: it is in the journals, of which a room is told again. So is talks.json, which any stranger makes longer: what a kill took Recall tells again. The history itself is in the journals; what is read there is not kept here.
//
// Limits: MaxTalks conversations and MaxRooms rooms; what is more is passed over, with a log line. Whoever has keys enough can begin as many conversations and send as many invitations as they like. So
// what this person has a part in is kept and replicated before what only others wanted, which makes place: conversations in which it said nothing, and invitations that it did not accept. Of a room that
// was never joined only the state in the newest invitation is kept.
package vault

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"sync"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
)

// Limits.
const (
	MaxTalks = 2048
	MaxRooms = 256 // with those left, whose invitations must not come again
	// maxWaiting bounds the wrapped keys of one room, of 1.2 KB, that are kept for a state or a key that has not come.
	maxWaiting = 1024
	// maxCovered bounds the keys of one member by which it is remembered to have an epoch's key.
	maxCovered = 16
	// maxLogs bounds the logs of one room whose keys are derived already.
	maxLogs = 1024
)

// Config of a Vault.
type Config struct {
	Network identity.NetworkID
	Who     *identity.Identity
	// Dir is where conversations and rooms are kept; empty: in memory only.
	Dir string
	// Ring is this person's; KeepRing stores one that has grown.
	Ring     *seal.Ring
	KeepRing func(*seal.Ring) error
	// Changed, if set, is told that Take has something. It must not block.
	Changed func()
	Log     *slog.Logger
}

// A Vault is described in the package comment.
type Vault struct {
	conf Config
	me   identity.PeerID
	log  *slog.Logger

	saving sync.Mutex // held while a file is written, so that the newest is the last

	mu      sync.Mutex // guards what follows
	ring    *seal.Ring
	talks   map[message.RoomID]*talk
	rooms   map[message.RoomID]*room
	unsaved bool // talks
	work    Work
}

// Work is what whoever keeps the journals is to do, and to tell.
type Work struct {
	// Reopen are rooms in which more can be read than before, or that were not this person's until now.
	Reopen []message.RoomID
	// Sibling, if set, is the key of another instance of this person that lacks some of the keys held here: it is to be sent them (Vault.Sibling).
	Sibling *seal.PublicKey
	Events  []Event
}

// A Message is to be said in a group: as it is where its kind is State, and sealed otherwise (journal.Author.Write).
type Message struct {
	Room message.RoomID
	Kind message.Kind
	Body []byte
}

// An Event is something to tell the user. It is one of Invited, Answered, Changed, Removed, Closed, Seen and Offered.
type Event interface{ event() }

type (
	// Invited: a member would like this person in a room.
	Invited struct {
		Room message.RoomID
		By   identity.PeerID
	}
	// Answered: who was invited accepts, or declines, or has left. A new owner is not told which of the latter.
	Answered struct {
		Room                message.RoomID
		By                  identity.PeerID
		Yes, Left, Declined bool
	}
	// Changed: a room has other members, or another owner; zero: the same as before.
	Changed struct {
		Room         message.RoomID
		At           uint64 // since when, as messages are stamped
		Added, Taken []identity.PeerID
		Owner        identity.PeerID
	}
	// Removed: this person is no longer a member, since then.
	Removed struct {
		Room message.RoomID
		At   uint64
	}
	// Closed: something in a conversation cannot be opened, with the keys that are held now. It is told once a conversation.
	Closed struct{ By identity.PeerID }
	// Seen: the other of a conversation has read up to that place.
	Seen struct {
		Room message.RoomID
		Up   journal.Key
	}
	// Offered: someone hands this person the network's next key.
	Offered struct {
		By  identity.PeerID
		Key *seal.Rotation
	}
)

func (Invited) event()  {}
func (Answered) event() {}
func (Changed) event()  {}
func (Removed) event()  {}
func (Closed) event()   {}
func (Seen) event()     {}
func (Offered) event()  {}

var _ journal.Vault = (*Vault)(nil)

// Open reads what is kept.
func Open(c Config) (*Vault, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	v := &Vault{conf: c, me: c.Who.ID(), log: c.Log, ring: c.Ring, talks: map[message.RoomID]*talk{}, rooms: map[message.RoomID]*room{}}
	if c.Dir == "" {
		return v, nil
	}
	return v, errors.Join(v.loadTalks(), v.loadRooms())
}

// Ring returns this person's keyring.
func (v *Vault) Ring() *seal.Ring {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ring
}

// Take returns what is to be done and told since the last call.
func (v *Vault) Take() Work {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.work
	v.work = Work{}
	return w
}

// tellLocked leaves an event.
func (v *Vault) tellLocked(e Event) {
	v.work.Events = append(v.work.Events, e)
	v.conf.Changed()
}

// againLocked has a room read again (journal.Reopen).
func (v *Vault) againLocked(id message.RoomID) {
	if !slices.Contains(v.work.Reopen, id) {
		v.work.Reopen = append(v.work.Reopen, id)
	}
	v.conf.Changed()
}

// Groups returns what is to be replicated besides public rooms: what this person has a part in before what it has not, and what was used last first.
func (v *Vault) Groups() []message.GroupID {
	type used struct {
		id   message.RoomID
		rank int
		last uint64
	}
	var list []used
	v.mu.Lock()
	for id, t := range v.talks {
		u := used{id, 1, t.last}
		if t.mine {
			u.rank = 0
		}
		list = append(list, u)
	}
	for id, r := range v.rooms {
		if r.status == Joined {
			list = append(list, used{id, 0, r.last})
		}
	}
	v.mu.Unlock()
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.last, a.last), bytes.Compare(a.id[:], b.id[:])) < 0
	})
	out := make([]message.GroupID, len(list))
	for i := range list {
		out[i] = message.GroupID(list[i].id)
	}
	return out
}

// Concerns reports whether what author says in g may be a direct message to p, or p's own.
func (v *Vault) Concerns(g message.GroupID, author, p identity.PeerID) bool {
	return author == p || message.GroupID(seal.Direct(v.conf.Network, author, p)) == g
}

// Own is journal.Vault's.
func (v *Vault) Own(g message.GroupID, author identity.PeerID) bool {
	id := message.RoomID(g)
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.rooms[id]; r != nil {
		return r.status != Left
	}
	_, talk := v.talks[id]
	return talk || v.Concerns(g, author, v.me)
}

// Learn is journal.Vault's. Of a room to which this person was only invited nothing is taken: whoever sent the invitation could send any number of states after it. Who accepts it has them
// read again.
func (v *Vault) Learn(at journal.Place, body []byte) {
	v.mu.Lock()
	r := v.rooms[at.Room]
	asked := r != nil && r.status == Asked
	v.mu.Unlock()
	if r == nil || asked {
		return
	}
	if s, err := seal.ParseState(v.conf.Network, body); err == nil {
		v.learnState(r, s)
	} else if w, err := seal.ParseWraps(bytes.Clone(body)); err == nil {
		v.learnWraps(r, at.Author, w)
	} else if a, err := seal.ParseAnswer(body); err == nil {
		v.learnAnswer(r, at.Author, a)
	} else {
		v.log.Debug("not a state of a room", "log", at.Log, "seq", at.Seq)
	}
}

// Open is journal.Vault's.
func (v *Vault) Open(at journal.Place, body []byte, live bool) (message.Kind, []byte, bool) {
	v.mu.Lock()
	r, ring := v.rooms[at.Room], v.ring
	v.mu.Unlock()
	var c seal.Content
	var err error
	if r != nil {
		c, err = v.openSaid(r, at, body, live)
	} else {
		c, err = v.openDirect(ring, at, body)
	}
	if err != nil {
		v.log.Debug("a sealed message is not shown", "log", at.Log, "seq", at.Seq, "err", err)
		return 0, nil, false
	}
	return c.Kind, c.Body, c.Kind != 0
}

// ErrNobody means a room or conversation that this person has no part in.
var ErrNobody = errors.New("not a conversation of this person's")

// Seal is journal.Vault's.
func (v *Vault) Seal(at journal.Place, k message.Kind, plain []byte) ([]byte, error) {
	c := seal.Content{Kind: k, Body: plain}
	v.mu.Lock()
	t, r, ring := v.talks[at.Room], v.rooms[at.Room], v.ring
	if r != nil {
		defer v.mu.Unlock()
		return r.seal(v.me, at, c)
	}
	if t == nil || t.key == nil {
		v.mu.Unlock()
		return nil, fmt.Errorf("seal: %w", ErrNobody)
	}
	with, key := t.with, *t.key
	v.mu.Unlock()
	return seal.SealDM(v.conf.Network, v.me, with, &key, ring.Public(), c)
}
