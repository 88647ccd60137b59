package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// Which groups a link replicates. The end that dialled decides: besides Public, which who is apart leaves out at either end, it lists its own groups and, where it is a witness, message.Mail, which is all others together. The hub
// lists what the other listed, whatever it is, and those that it holds something of that is for the other, who may know nothing of them yet; these the other lists from then on. What both
// list is kept equal. Who lists other groups than before sends STATE anew.
//
// Who holds mail of others without being a witness, because it was one, or a hub, lists message.Mail until the hub has taken what it lacks of that, and takes none itself: the hub may be
// the one of another half.
//
// A list has at most wire.MaxGroups groups: own ones go before others, in the order of Config.Groups.

// listed are groups, each with the oldest day that is kept of it.
type listed map[message.GroupID]uint32

// listOf returns those of a STATE: the same map for all links that list the same, which is most of them, and it is not changed.
func (x *Exchange) listOf(s *wire.State) listed {
	l := make(listed, len(s.Groups))
	for i := range s.Groups {
		if _, twice := l[s.Groups[i].Group]; !twice {
			l[s.Groups[i].Group] = s.Groups[i].Horizon
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !maps.Equal(l, x.usual) {
		x.usual = l
	}
	return x.usual
}

// own are the groups besides Public that this person takes part in.
func (x *Exchange) own() []message.GroupID {
	if x.config.Groups == nil {
		return nil
	}
	return x.config.Groups()
}

// list returns what this end lists now, each group once. It is the reader's.
func (p *peer) list() []message.GroupID {
	var first []message.GroupID
	p.mu.Lock()
	if (p.witness || p.handing) && !p.Hub {
		first = append(first, message.Mail)
	}
	p.mu.Unlock()
	if p.Hub {
		p.seeConcerns()
	} else {
		first = append(first, p.exchange.own()...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Hub {
		first = slices.Collect(maps.Keys(p.theirs))
	}
	list := make([]message.GroupID, 0, 1+len(first)+len(p.extra))
	if !p.exchange.config.Apart {
		list = append(list, message.Public)
	}
	seen := map[message.GroupID]struct{}{message.Public: {}}
	add := func(g message.GroupID) {
		if _, twice := seen[g]; !twice && len(list) < wire.MaxGroups {
			seen[g] = struct{}{}
			list = append(list, g)
		}
	}
	for _, g := range first {
		add(g)
		delete(p.extra, g)
	}
	for g := range p.extra {
		add(g)
	}
	return list
}

// heard takes what the other end lists now. A group that the hub said before and that is not among it is not for the other end, which has left it; but where there was no room for
// it. Who had not heard of it yet will list it.
func (p *peer) heard(durable bool, theirs listed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Hub && len(theirs) < wire.MaxGroups {
		for g := range p.mine {
			if _, still := theirs[g]; !still {
				delete(p.extra, g)
			}
		}
	}
	p.state, p.theirs = &wire.State{Durable: durable}, theirs
	p.coverLocked()
}

// seeConcerns looks, at the hub, which groups are for the other end.
func (p *peer) seeConcerns() {
	last := p.journal.LastMailbox()
	for _, m := range p.journal.Mailboxes(p.seen) {
		p.concerns(m.Group, m.Author)
	}
	p.seen = max(p.seen, last)
}

// concerns reports whether a group is for the other end because of what that author says in it; then it counts as listed.
func (p *peer) concerns(g message.GroupID, author identity.PeerID) bool {
	c := p.exchange.config.Concerns
	if c == nil || !c(g, author, p.Peer) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.extra) < wire.MaxGroups {
		put(&p.extra, g, struct{}{})
	}
	return true
}

// adopt takes over what the hub lists that this end knows nothing of, or knows to be its own; not what it left.
func (p *peer) adopt(theirs listed) {
	if p.Hub {
		return
	}
	own := p.exchange.own()
	for g := range theirs {
		if g == message.Public || g == message.Mail || slices.Contains(own, g) || p.journal.Foreign(g) {
			continue
		}
		p.mu.Lock()
		if len(p.extra) < wire.MaxGroups {
			put(&p.extra, g, struct{}{})
		}
		p.mu.Unlock()
	}
}

// news reports whether this end lists other groups now than it said.
func (p *peer) news() bool {
	list := p.list()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(list) != len(p.mine) || slices.ContainsFunc(list, func(g message.GroupID) bool { _, said := p.mine[g]; return !said })
}

// hands reports whether this end lists mail only to hand it over.
func (p *peer) hands() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handing && !p.witness
}

// handed: the hub lacks nothing of what it was told. If that was mail, too, it is said at the next BEAT that it is not listed any more.
func (p *peer) handed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, told := p.theirs[message.Mail]
	p.handing = !told
}

// horizon is the oldest day kept of a group: of one's own also where nothing is held of it yet.
func (p *peer) horizon(g message.GroupID, own []message.GroupID) uint32 {
	if slices.Contains(own, g) {
		g = message.Public
	}
	return p.journal.Horizon(g)
}

// A covered is what BEAT's root is over besides Public: the groups that both ends list, ascending, each from the later of the horizons that were told.
type covered struct {
	groups []place
	digest uint64 // of them; 0: there are none
}

// coverLocked is called when either end has listed its groups.
func (p *peer) coverLocked() {
	p.covered = covered{}
	for g, from := range p.mine {
		if theirs, ok := p.theirs[g]; ok && g != message.Public {
			p.covered.groups = append(p.covered.groups, place{g, max(from, theirs)})
		}
	}
	if len(p.covered.groups) == 0 {
		return
	}
	slices.SortFunc(p.covered.groups, func(a, b place) int { return bytes.Compare(a.group[:], b.group[:]) })
	h := sha256.New()
	h.Write([]byte("earshot/v1 groups\x00"))
	for _, c := range p.covered.groups {
		h.Write(c.group[:])
		h.Write(binary.BigEndian.AppendUint32(nil, c.day))
	}
	p.covered.digest = max(binary.BigEndian.Uint64(h.Sum(nil)), 1)
}

// root is what BEAT carries: that of Public from a day on, or where more is covered H("earshot/v1 roots\0" || the roots of Public and of the others).
func (p *peer) root(from uint32, c covered) (root message.Hash, err error) {
	j, to := p.journal, p.journal.Tomorrow()
	p.mu.Lock()
	_, theirs := p.theirs[message.Public]
	_, mine := p.mine[message.Public]
	p.mu.Unlock()
	if theirs && mine {
		if root, err = j.Root(message.Public, from, to); err != nil {
			return root, err
		}
	}
	if c.digest == 0 {
		return root, nil
	}
	b := append(make([]byte, 0, 17+32*(1+len(c.groups))), "earshot/v1 roots\x00"...)
	b = append(b, root[:]...)
	for _, g := range c.groups {
		if root, err = j.Root(g.group, g.day, to); err != nil {
			return root, err
		}
		b = append(b, root[:]...)
	}
	return sha256.Sum256(b), nil
}

// from is the later of both horizons of Public.
func (p *peer) from() uint32 {
	p.mu.Lock()
	theirs := p.theirs[message.Public]
	p.mu.Unlock()
	return max(p.journal.Horizon(message.Public), theirs)
}

// takes reports whether the other end is to have an entry of the tail. A hub has everything; it gives what was asked for, or is for the other. theirs is what that listed last.
func (p *peer) takes(e *journal.Entry, theirs listed) bool {
	from, ok := theirs[e.Group]
	if !ok && e.Group != message.Public {
		from, ok = theirs[message.Mail]
	}
	switch {
	case ok:
		return e.Day >= from
	case e.Group == message.Public:
		return false
	case !p.Hub:
		return true
	}
	p.mu.Lock()
	_, ok = p.extra[e.Group]
	p.mu.Unlock()
	if ok {
		return true
	}
	o, held := p.journal.Opening(e.Log)
	return held && p.concerns(e.Group, o.Author)
}
