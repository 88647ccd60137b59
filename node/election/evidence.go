package election

import (
	"maps"
	"math"
	"slices"
	"time"
)

// A mark holds a node dead: its claims up to term do not count until then. Before aside has passed it is not in line for the seat, but a claim it makes is valid.
type mark struct {
	term         uint64
	until, aside time.Time
	since        time.Time // of the newest evidence
	// refused since: a redial was refused. It is believed once: who claims after that lives.
	refused time.Time
	// Till then, or until it was seen to be another, the claim of this weight does not count where there is another hub that has followers: it is the one that was lost.
	// Whoever lives has lost followers since, and says so.
	weight uint8
	stale  time.Time
}

// mark adds m to what is held of id.
func (e *Election) mark(id ID, m mark) {
	if id == e.self || id == (ID{}) {
		return
	}
	old := e.dead[id]
	if m.stale.IsZero() {
		m.weight, m.stale = old.weight, old.stale
	}
	m.term, m.until, m.aside = max(m.term, old.term), later(m.until, old.until), later(m.aside, old.aside)
	m.since, m.refused = later(m.since, old.since), later(m.refused, old.refused)
	e.dead[id] = m
}

func (e *Election) isDead(s Seat) bool {
	m := e.dead[s.Hub]
	return s.Term <= m.term && e.now.Before(m.until)
}

// isStale reports whether a claim is, unchanged, one that was refused or voted lost, and others agree: there is a hub that has followers.
func (e *Election) isStale(c Claim, linked bool) bool {
	m := e.dead[c.ID]
	return (linked || e.hub && e.claim.Weight > 0) && c.Term <= m.term && e.now.Before(m.stale)
}

// latch stretches how long a hub is held dead: the roster takes longer to agree the larger it is. memberlist suspects for up to 3 s times the decimal logarithm.
func latch(d time.Duration, in Input) time.Duration {
	return time.Duration(float64(d) * max(1, math.Log10(float64(len(in.Members)+1))))
}

// evidence takes in what the link says about the hub it was to.
func (e *Election) evidence(in Input) {
	claims := in.claims(in.Seat)
	// The seat as it is claimed: the term of one that never answered is a guess, and who cannot be reached may have given the seat up and taken it again.
	seat := Seat{Hub: in.Seat.Hub}
	m, _ := in.member(seat.Hub)
	seat.Term = m.Term
	if in.Link != Silent {
		e.jury = 0
	}
	switch in.Link {
	case Linked:
		if in.Since.After(e.dead[in.Seat.Hub].since) {
			delete(e.dead, in.Seat.Hub)
		}
	case Refused:
		old, till := e.dead[in.Seat.Hub], in.Since.Add(latch(deadLatch, in))
		again := !old.refused.IsZero() && !old.refused.Equal(in.Since)
		if m.Hub && (again || m.Term > in.Seat.Term || !e.now.Before(till)) {
			e.lose(in, seat) // it lives, or the roster still has it after all this time: the trouble is between us
			break
		}
		e.mark(in.Seat.Hub, mark{term: in.Seat.Term, until: till, aside: till, since: in.Since, refused: in.Since, weight: m.Weight, stale: in.Since.Add(latch(staleLatch, in))})
	case Silent:
		if m.Hub {
			e.lose(in, seat)
			e.jury = max(e.jury, len(in.Members))
		} else if in.Seat.Hub != e.outside {
			e.mark(in.Seat.Hub, mark{aside: in.Since.Add(deadLatch), since: in.Since})
		}
	case Parted:
		if !in.Since.Equal(e.partedAt) { // once: a claim that comes after it is valid
			e.partedAt = in.Since
			e.parted(in, claims)
		}
	}
	e.at(e.heirTill)
	for id, m := range e.dead {
		c, _ := in.member(id)
		switch {
		case c.Hub && c.Term == m.term && c.Weight == m.weight:
		case c.Hub && c.Term == m.term && c.Weight > m.weight && e.now.Before(later(m.until, m.since.Add(gossipWait))):
			m.weight = c.Weight // what it said before it was lost comes round late; later still where one that had not run brings it
		default:
			m.stale = time.Time{}
		}
		e.dead[id] = m
		e.at(m.aside)
		e.at(m.until)
		e.at(m.stale)
		if later(m.stale, later(m.until, m.aside)).After(e.now) || !m.refused.IsZero() && c.Hub {
			continue
		}
		delete(e.dead, id)
	}
}

// lose says of a hub that it cannot be reached.
func (e *Election) lose(in Input, s Seat) { e.lost, e.lostTill = s, e.now.Add(latch(lostLatch, in)) }

// parted takes in that the hub said goodbye, or that it is not the hub. It is as good a candidate as any a little later.
func (e *Election) parted(in Input, claims bool) {
	m := mark{aside: in.Since.Add(partedLatch), since: in.Since}
	if claims {
		m.term, m.until = in.Seat.Term, m.aside
	}
	if s := in.Successor; s != (ID{}) && s != in.Seat.Hub {
		e.heir, e.heirTill, e.started = s, in.Since.Add(partedLatch), true
		if _, member := in.member(s); !member && s != e.self {
			e.heirTill = in.Since.Add(outsideWait)
		}
		if claims {
			m.until = in.Since.Add(latch(deadLatch, in)) // the roster is late
			delete(e.dead, s)                            // a hub gives its seat to who lives: what is held against that one is older
		}
	}
	e.mark(in.Seat.Hub, m)
}

// vote keeps this node's own Lost while it is true, and holds a hub dead that most of the others have lost.
func (e *Election) vote(in Input) {
	if !in.claims(e.lost) || in.Link == Linked && in.Seat == e.lost || !e.now.Before(e.lostTill) {
		e.lost = Seat{}
	} else {
		e.at(e.lostTill)
	}
	votes := map[Seat]int{}
	for _, m := range in.Members {
		if m.Lost.Hub != m.ID {
			votes[m.Lost]++
		}
	}
	maps.DeleteFunc(e.failed, func(_ ID, at time.Time) bool { return !e.now.Before(at.Add(failedFor)) })
	if e.now.Before(e.quiet) {
		return // what is known of the others may be from before this process was stopped
	}
	votes[e.lost]++
	// The others of a hub are all members but it, and this node. One vote is no majority where there were others when the hub fell silent: it is this node that is cut off.
	most := func(s Seat) bool { return 2*votes[s] > len(in.Members) && (votes[s] > 1 || e.jury <= 1) }
	for s := range votes {
		if !most(s) {
			continue
		}
		if _, member := in.member(s.Hub); member || s.Hub == e.self {
			e.failed[s.Hub] = e.now // also while it is too new to be given up for that
		}
	}
	for _, m := range in.Members {
		s := Seat{m.ID, m.Term}
		if m.ID == e.heir && e.now.Before(e.heirTill) {
			continue // the votes are from before the seat was given to it
		}
		if till := e.seatAt.Add(gossipWait); s == e.seat && e.now.Before(till) {
			e.at(till)
			continue // who claims anew is dialled by all at once, and some are late
		}
		if m.Hub && most(s) && !e.isDead(s) && e.another(in, m.ID) {
			till := e.now.Add(latch(lostLatch, in))
			e.mark(m.ID, mark{term: m.Term, until: till, aside: till, since: e.now, weight: m.Weight, stale: e.now.Add(latch(staleLatch, in))})
			e.at(till)
		}
	}
}

// another reports whether anybody may have the seat of a hub that most have lost who was not voted lost lately too.
func (e *Election) another(in Input, hub ID) bool {
	fits := func(id ID, c Class) bool {
		_, failed := e.failed[id]
		return c > Never && id != hub && !failed
	}
	return fits(e.self, e.claim.Class) || slices.ContainsFunc(in.Members, func(m Member) bool { return fits(m.ID, m.Class) })
}

// deposed reports whether most of the others say that they lost this node as the hub.
func (e *Election) deposed(in Input) bool {
	if e.now.Before(e.heldAt.Add(gossipWait)) {
		return false // as they count themselves
	}
	votes := 0
	for _, m := range in.Members {
		if m.Lost == (Seat{e.self, e.claim.Term}) {
			votes++
		}
	}
	return 2*votes > len(in.Members)
}

// visible returns the best valid claim of another.
func (e *Election) visible(in Input) (best Claim, found bool) {
	// A link that is up says as much as the roster: there is a hub at its end.
	linked := in.Link == Linked && in.Seat.Hub != e.self && !e.isDead(in.Seat)
	consider := func(c Claim) {
		if !e.isDead(c.seat()) && !e.isStale(c, linked) && (!found || c.Better(best)) {
			best, found = c, true
		}
	}
	for _, m := range in.Members {
		switch {
		case linked && m.ID == in.Seat.Hub && m.Term < in.Seat.Term && !e.hub:
			consider(Claim{m.ID, m.Class, m.Weight, in.Seat.Term}) // its claim has not come round yet
		case m.Hub:
			consider(Claim{m.ID, m.Class, m.Weight, m.Term})
		}
	}
	if _, member := in.member(in.Seat.Hub); linked && !member && (!e.hub || in.Followers == 0) {
		// Out of the roster's reach, or wrongly declared dead in it. Whoever is linked there stays.
		return Claim{in.Seat.Hub, Dedicated, math.MaxUint8, in.Seat.Term}, true
	}
	return best, found
}
