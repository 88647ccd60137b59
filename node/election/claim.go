package election

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sort"
	"time"
)

// A Claim to be the hub, as published.
type Claim struct {
	ID     ID
	Class  Class
	Weight uint8 // bits.Len(followers heard from within 1 s)
	Term   uint64
}

// Better is the total order of claims, the same everywhere: class, weight, term, and then the lower id.
func (c Claim) Better(o Claim) bool {
	return cmp.Or(
		cmp.Compare(c.Class, o.Class),
		cmp.Compare(c.Weight, o.Weight),
		cmp.Compare(c.Term, o.Term),
		bytes.Compare(o.ID[:], c.ID[:]),
	) > 0
}

func (c Claim) seat() Seat { return Seat{c.ID, c.Term} }

func weight(followers int) uint8 { return uint8(bits.Len(uint(max(followers, 0)))) }

// next is the term after t. A liar may have used the last one up; then the order of ids decides.
func next(t uint64) uint64 {
	if t == math.MaxUint64 {
		return t
	}
	return t + 1
}

func (in *Input) member(id ID) (Member, bool) {
	for _, m := range in.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// claims reports whether the roster shows the seat's hub as holding it.
func (in *Input) claims(s Seat) bool {
	m, ok := in.member(s.Hub)
	return ok && m.Hub && m.Term == s.Term
}

// relieved reports whether any other may have the seat. Of two that have it both may be unfit: which one keeps it, the order of claims says.
func (e *Election) relieved(in Input) bool {
	return slices.ContainsFunc(in.Members, func(m Member) bool { return m.Class > Never && !(e.hub && m.Hub) })
}

// announce returns the succession: who is linked, since the others may not reach one that does not reach the hub; class; and who has been here longest.
func announce(members []Member) []ID {
	line := slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return m.Class == Never })
	sort.Slice(line, func(i, j int) bool {
		a, b := line[i], line[j]
		if a.Linked != b.Linked {
			return a.Linked
		}
		return cmp.Or(cmp.Compare(b.Class, a.Class), a.Since.Compare(b.Since), bytes.Compare(a.ID[:], b.ID[:])) < 0
	})
	return ids(line[:min(len(line), maxOrder)])
}

func ids(members []Member) []ID {
	out := make([]ID, len(members))
	for i, m := range members {
		out[i] = m.ID
	}
	return out
}

// known is the succession this node knows: what it announced itself, if it was the hub last.
func (e *Election) known(in Input) []ID {
	if len(e.order) > 0 {
		return e.order
	}
	return in.Order
}

// line returns who may take the vacant seat, in turn: the one a leaving hub named, then the succession known, then the others by class and id. Who is held dead
// is left out. self says whether this node is among them. Where the hub was out of the roster's reach and nobody else is in it, it is the succession alone.
func (e *Election) line(in Input, self bool) []ID {
	order := e.known(in)
	place := make(map[ID]int, len(order))
	for i, id := range order {
		place[id] = i - len(order) // below 0, which is who is not in it
	}
	line := slices.DeleteFunc(slices.Clone(in.Members), func(m Member) bool { return m.Class == Never })
	if len(in.Members) == 0 && e.outside != (ID{}) {
		for _, id := range order {
			line = append(line, Member{ID: id, Class: Dedicated})
		}
	}
	line = slices.DeleteFunc(line, func(m Member) bool { return m.ID == e.self })
	if self {
		line = append(line, Member{ID: e.self, Class: e.claim.Class})
	}
	heir := e.heir
	if !e.now.Before(e.heirTill) {
		heir = ID{}
	}
	if heir != (ID{}) && heir != e.self && !slices.ContainsFunc(line, func(m Member) bool { return m.ID == heir }) {
		line = append(line, Member{ID: heir})
	}
	line = slices.DeleteFunc(line, func(m Member) bool { return e.now.Before(e.dead[m.ID].aside) })
	sort.Slice(line, func(i, j int) bool {
		a, b := line[i], line[j]
		if (a.ID == heir) != (b.ID == heir) {
			return a.ID == heir
		}
		return cmp.Or(cmp.Compare(place[a.ID], place[b.ID]), cmp.Compare(b.Class, a.Class), bytes.Compare(a.ID[:], b.ID[:])) < 0
	})
	return ids(line)
}

// rank is how many are to take the vacant seat before this node.
func (e *Election) rank(in Input) int { return slices.Index(e.line(in, true), e.self) }

// newest is when the roster last grew, or floor.
func newest(members []Member, floor time.Time) time.Time {
	for _, m := range members {
		floor = later(floor, m.Since)
	}
	return floor
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
