package election

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// A space is a small world whose every state is a value: real elections and, around them, a model of the roster and the links in which everything that is on its way
// arrives at any moment that the real thing could take, in any order. explore_test.go goes through all of them.
//
// Time stands still between events. It may pass only up to the next moment at which something is due: a wake that an election asked for, or the end of a period in which
// something happens at the latest. So of two things that may happen in either order both orders are seen, and each also before and after every wake between.
//
// The periods, in milliseconds, are those of the program on a LAN: a status reaches a member within 250; who is not a member becomes one within 1500 of being in reach, or 300 of its
// start; a death is agreed on 1500 to 3000 after it, a leave within 250; a dial, a reset and a goodbye take up to 5; a hub that stopped is silent after 450 to
// 700 and counts as such 300 later; who is dialled and is not the hub holds the caller for 500.
type space struct {
	now   int
	slots [maxSlots]slot
	// What follows is by pair: what the first is to the second.
	stale  [maxSlots][maxSlots]int // since then at the latest the second knows the first's newest status; 0: it does
	gone   [maxSlots][maxSlots]int // since then it is out of the second's reach; 0: it is not
	left   [maxSlots]int           // since then it has left, and the roster says so
	block  [maxSlots][maxSlots]byte
	claims int // since the root
	faults int
	first  string // fault
	calm   bool   // so far nothing happened that is a reason for the first slot to give the seat up
}

const maxSlots = 5

const (
	running byte = iota + 1 // 0: does not exist
	frozen
	down
)

// A slot is one process.
type slot struct {
	id       ID
	class    Class
	state    byte
	side     int
	e        Election
	wake     int // 0: none
	act      Action
	status   Member
	said     int              // counts the statuses
	view     [maxSlots]Member // ID zero: no member
	serial   [maxSlots]int    // of what view says
	in       Input            // the link's part
	way      way
	reign    int // counts the seats it held
	heir     ID  // that it named last
	unfit    bool
	bridge   bool
	leaving  bool
	linked   [maxSlots]int // as the hub: who is counted as a follower, and the reign of the link
	frozenAt int
}

// A way is the dialling behind the link's part of an Input.
type way struct {
	phase phase
	to    int
	at    int // when the phase began, or when the hub of a link that is up fell out of reach
	reign int // of the hub linked to
	term  uint64
}

type phase byte

const (
	none    phase = iota
	dialing       // no answer yet
	held          // admitted, and kept waiting
	again         // it failed, and is tried on
	up
	over // it ended for good
)

// The block of a pair: its links alone are hindered, gossip passes.
const (
	silenced = 1 // a firewall drops them
	rejected = 2 // or refuses them
)

func at(ms int) time.Time    { return epoch.Add(time.Duration(ms) * time.Millisecond) }
func since(t time.Time) int  { return int(t.Sub(epoch) / time.Millisecond) }
func (s *space) id(i int) ID { return s.slots[i].id }

func newSpace() *space { return &space{now: 1, claims: -1000} } // 0 is never, and nobody counts the claims of a start

func (s *space) find(id ID) int {
	return slices.IndexFunc(s.slots[:], func(n slot) bool { return n.state > 0 && n.id == id })
}

// copy makes s a copy of o that shares nothing that changes.
func (s *space) copy(o *space) {
	var dead [maxSlots]map[ID]mark
	var failed [maxSlots]map[ID]time.Time
	for i := range s.slots {
		dead[i], failed[i] = s.slots[i].e.dead, s.slots[i].e.failed
	}
	*s = *o
	for i := range s.slots {
		if e := &s.slots[i].e; e.dead != nil {
			if dead[i] == nil {
				dead[i] = map[ID]mark{}
			}
			clear(dead[i])
			maps.Copy(dead[i], e.dead)
			if failed[i] == nil {
				failed[i] = map[ID]time.Time{}
			}
			clear(failed[i])
			maps.Copy(failed[i], e.failed)
			e.dead, e.failed = dead[i], failed[i]
		}
	}
}

// near reports whether packets pass between two machines; reach, whether two processes hear each other.
func (s *space) near(i, j int) bool { return s.slots[i].side == s.slots[j].side }
func (s *space) reach(i, j int) bool {
	return s.near(i, j) && s.slots[i].state == running && s.slots[j].state == running
}

// member reports whether i has j in its roster.
func (s *space) member(i, j int) bool { return s.slots[i].view[j].ID != ID{} }

// longAgo is how far back anything looks in the states that are explored. What is older is all the same age.
const longAgo = 10000

// key is the whole state but for when it is: two states with one key go on alike.
func (s *space) key(b []byte) []byte {
	num := func(v ...int) {
		for _, x := range v {
			b = binary.AppendVarint(b, int64(x))
		}
	}
	ms := func(v ...int) { // 0 is never
		for _, x := range v {
			if x > 0 {
				x = max(x-s.now, -longAgo) + longAgo + 1
			}
			num(x)
		}
	}
	tm := func(t ...time.Time) {
		for _, x := range t {
			if x.IsZero() {
				ms(0)
			} else {
				ms(since(x))
			}
		}
	}
	bit := func(v ...bool) {
		for _, x := range v {
			if b = append(b, 0); x {
				b[len(b)-1] = 1
			}
		}
	}
	seat := func(v Seat) { b = append(b, v.Hub[7]); num(int(v.Term)) }
	list := func(l []ID) {
		num(len(l))
		for _, x := range l {
			b = append(b, x[7])
		}
	}
	num(s.claims, s.faults)
	b = append(b, s.first...)
	bit(s.calm)
	for i := range s.slots {
		n := &s.slots[i]
		b = append(b, n.state)
		if n.state == 0 {
			continue
		}
		b = append(b, n.id[7])
		for j := range s.slots {
			ms(s.stale[i][j], s.gone[i][j], n.linked[j])
			num(int(s.block[i][j]), s.slots[j].said-n.serial[j])
			m := &n.view[j]
			b = append(b, m.ID[7])
			if m.ID == (ID{}) {
				continue
			}
			b = append(b, byte(m.Class), m.Weight)
			bit(m.Hub)
			num(int(m.Term))
			seat(m.Lost)
			tm(m.Since)
			older := 0 // whom the hub names first
			for _, o := range n.view {
				if o.ID != (ID{}) && o.Since.Before(m.Since) {
					older++
				}
			}
			num(older)
		}
		ms(s.left[i], n.wake, n.way.at, n.frozenAt)
		num(n.side, n.reign, n.way.to, n.way.reign, int(n.way.term))
		b = append(b, byte(n.way.phase), n.heir[7], byte(n.in.Link), n.in.Successor[7])
		bit(n.unfit, n.bridge, n.leaving, n.act.Hub, n.status.Hub)
		seat(n.in.Seat)
		tm(n.in.Since)
		list(n.in.Order)
		seat(n.act.Lost)
		seat(n.status.Lost)
		b = append(b, byte(n.status.Class), n.status.Weight, n.act.Claim.Weight, byte(n.act.Claim.Class))
		num(int(n.status.Term), int(n.act.Claim.Term))
		if n.state == down {
			continue
		}
		e := &n.e // now and wake are of the last step, class and self do not change
		tm(e.born, e.due, e.lowSince, e.vacant, e.seatAt, e.quiet, e.humble, e.heldAt, e.lostTill, e.heirTill, e.expectAt)
		bit(e.hub, e.started, e.partedAt.Equal(n.in.Since))
		num(int(e.claim.Weight), int(e.claim.Term), int(e.low), e.jury, int(e.term), int(e.setback))
		list(e.order)
		seat(e.seat)
		seat(e.lost)
		b = append(b, e.heir[7], e.expect[7], e.met[7], e.outside[7])
		for j := range s.slots {
			_, failed := e.failed[s.slots[j].id] // for longer than anything that is explored takes
			m, ok := e.dead[s.slots[j].id]
			bit(failed, ok)
			if ok {
				num(int(m.term), int(m.weight))
				tm(m.until, m.aside, m.since, m.stale)
				bit(m.refused.IsZero(), m.refused.Equal(n.in.Since))
			}
		}
	}
	return b
}
