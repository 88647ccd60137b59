package journal

import (
	"slices"
	"sync/atomic"

	"earshot/node/identity"
	"earshot/node/message"
)

// MailKeep is for how many days what is said in a group that is not one's own is kept, and compared: as long as a recipient may be away who is to get it from here.
const MailKeep = 30

// maxMailboxes bounds the mailboxes held, of which each takes about a kilobyte while it lasts: who may write here can make up any number. More are taken only of one's own groups.
const maxMailboxes = 64 << 10

// A group is what is in memory about one that logs are held of: some 300 bytes, 150 a day and 48 an author. message.Mail is one, too, whose days are the sums over all others
// but Public; it is not on disk.
type group struct {
	days    map[uint32]*daySum
	authors []Mailbox
	own     bool   // this person takes part in it
	horizon uint32 // of its days
	edits   int    // counts changes of days
	roots   atomic.Pointer[roots]
}

// roots are what Root returned of late, while nothing changed: a link asks for the closed days, for what is new, and for both. They are replaced as a whole.
type roots struct {
	edits int
	held  []root
}

// maxRoots bounds them.
const maxRoots = 8

type root struct {
	from, to uint32
	hash     message.Hash
}

// A Mailbox is one author in one group that is not Public; they are numbered as they come to be known.
type Mailbox struct {
	Number int64
	Group  message.GroupID
	Author identity.PeerID
}

// newMailboxes is how many of the newest are at hand: each link of a hub looks at those that came since it looked last.
const newMailboxes = 1 << 10

// Mailboxes returns those numbered above after, in no order.
func (j *Journal) Mailboxes(after int64) (out []Mailbox) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if n := j.mailboxes - after; n <= int64(len(j.recent)) {
		newest := slices.Clone(j.recent[len(j.recent)-int(max(n, 0)):])
		return slices.DeleteFunc(newest, func(m Mailbox) bool { return j.groups[m.Group] == nil })
	}
	for _, g := range j.groups {
		if n := len(g.authors); n > 0 && g.authors[n-1].Number > after {
			for _, m := range slices.Backward(g.authors) {
				if m.Number <= after {
					break
				}
				out = append(out, m)
			}
		}
	}
	return out
}

// LastMailbox is the number of the newest.
func (j *Journal) LastMailbox() int64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.mailboxes
}

// Foreign reports whether something is held of a group that is not this person's own.
func (j *Journal) Foreign(id message.GroupID) bool {
	var authors []Mailbox
	j.mu.RLock()
	if g := j.groups[id]; g != nil {
		authors = slices.Clone(g.authors)
	}
	j.mu.RUnlock()
	return len(authors) > 0 && !slices.ContainsFunc(authors, func(m Mailbox) bool { return j.owns(id, m.Author) })
}

// Carries reports whether anything is held of a group that is not this person's own, of a day that is compared. It asks anew whose they are: what was said last in a room that was left since is mail, too.
func (j *Journal) Carries() bool {
	j.reckon()
	from := j.Horizon(message.Mail)
	j.mu.RLock()
	defer j.mu.RUnlock()
	for id, g := range j.groups {
		if g.own || id == message.Public || id == message.Mail {
			continue
		}
		for day := range g.days {
			if day >= from {
				return true
			}
		}
	}
	return false
}

// owns asks whose a group is. It is called without a lock.
func (j *Journal) owns(g message.GroupID, author identity.PeerID) bool {
	return g == message.Public || j.conf.Vault != nil && j.conf.Vault.Own(g, author)
}

// groupLocked returns a group, which is made where there is none.
func (j *Journal) groupLocked(id message.GroupID, own bool) *group {
	g := j.groups[id]
	if g == nil {
		g = &group{days: map[uint32]*daySum{}, own: own, horizon: j.horizonLocked(id, own)}
		j.groups[id] = g
	}
	return g
}

// joinLocked notes that author has a log in a group.
func (j *Journal) joinLocked(id message.GroupID, author identity.PeerID) {
	if id == message.Public {
		return
	}
	g := j.groups[id]
	if !slices.ContainsFunc(g.authors, func(m Mailbox) bool { return m.Author == author }) {
		j.mailboxes++
		j.held++
		m := Mailbox{j.mailboxes, id, author}
		g.authors = append(g.authors, m)
		if j.recent = append(j.recent, m); len(j.recent) > 2*newMailboxes {
			j.recent = slices.Clone(j.recent[newMailboxes+1:])
		}
	}
}

// crowdedLocked reports whether there is no room for a log of that author in that group of somebody else.
func (j *Journal) crowdedLocked(id message.GroupID, author identity.PeerID) bool {
	if j.held < j.maxHeld {
		return false
	}
	g := j.groups[id]
	return g == nil || !slices.ContainsFunc(g.authors, func(m Mailbox) bool { return m.Author == author })
}

// horizonLocked returns the oldest day kept of a group; own counts where nothing is held of it.
func (j *Journal) horizonLocked(id message.GroupID, own bool) uint32 {
	switch g := j.groups[id]; {
	case id == message.Public:
		return j.horizon
	case g != nil:
		return g.horizon
	case own:
		return j.horizon
	}
	return j.mailHorizon
}

// claimLocked notes that a group is this person's own: from here on it is kept as long as what is public, if all that was to go is gone.
func (j *Journal) claimLocked(id message.GroupID) {
	if g := j.groups[id]; g != nil && !g.own {
		g.own = true
		j.lowerLocked(g)
	}
}

// lowerLocked lets a group that became this person's own have older days again; not while some of them are still on disk and not in the sums.
func (j *Journal) lowerLocked(g *group) {
	if g.own && j.moves == j.dropped {
		g.horizon = j.horizon
	}
}

// raiseLocked moves the horizons of all groups, and forgets their days that are not kept any more.
func (j *Journal) raiseLocked() {
	for id, g := range j.groups {
		to := j.mailHorizon
		if g.own || id == message.Public {
			to = j.horizon
		}
		if to <= g.horizon {
			continue
		}
		g.horizon = to
		for day := range g.days {
			if day < to {
				delete(g.days, day)
				g.edits++
			}
		}
	}
}

// reckon asks anew whose the groups are: rooms are joined and left.
func (j *Journal) reckon() {
	if j.conf.Vault == nil {
		return
	}
	own := map[message.GroupID]bool{}
	for _, m := range j.Mailboxes(0) {
		own[m.Group] = own[m.Group] || j.owns(m.Group, m.Author)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, yes := range own {
		if g := j.groups[id]; g != nil && yes {
			j.claimLocked(id)
		} else if g != nil {
			g.own = false
		}
	}
}

// horizons is what is kept, at one moment.
type horizons struct {
	moves     int
	all, mail uint32
	groups    map[message.GroupID]uint32
}

func (j *Journal) horizonsLocked() *horizons {
	h := &horizons{j.moves, j.horizon, j.mailHorizon, make(map[message.GroupID]uint32, len(j.groups))}
	for id, g := range j.groups {
		h.groups[id] = g.horizon
	}
	return h
}

// of returns the oldest day kept of a group.
func (h *horizons) of(id message.GroupID) uint32 {
	if id == message.Public {
		return h.all
	}
	if day, ok := h.groups[id]; ok {
		return day
	}
	return h.mail
}

// droppedLocked notes that all that h says is gone from the disk, and forgets the groups that nothing is left of.
func (j *Journal) droppedLocked(h *horizons) {
	if j.dropped = h.moves; j.dropped != j.moves {
		return
	}
	for id, g := range j.groups {
		if j.lowerLocked(g); len(g.days) == 0 && id != message.Public && id != message.Mail {
			j.held -= len(g.authors)
			delete(j.groups, id)
		}
	}
}
