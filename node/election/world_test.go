package election

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A world runs elections in virtual time over a plain model of the roster and the links: gossip is late by 20-250 ms, a death is agreed on after 1.5-3 s,
// who can be reached is met again within 1.5 s; a process that ended refuses, a machine that is cut or a process that is frozen is silent.
type world struct {
	t     *testing.T
	rnd   *rand.Rand
	start time.Time
	now   time.Time
	queue events
	seq   int
	nodes []*node
	log   []string
}

type node struct {
	w       *world
	id      ID
	class   Class
	e       *Election
	alive   bool
	frozen  bool
	side    int
	later   []func() // what happens to it when it thaws
	members map[ID]*Member
	version map[ID]int // of what members says
	status  Member
	current int // version of status
	act     Action
	wakeGen int
	in      Input // the link's part
	dial    int   // generation of the link
	followC map[*node]bool
	became  time.Time
	claims  int
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	x := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return x
}

func newWorld(t *testing.T, seed uint64) *world {
	start := time.Unix(1e9, 0)
	return &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), start: start, now: start}
}

func (w *world) at(t time.Time, do func()) {
	w.seq++
	heap.Push(&w.queue, event{t, w.seq, do})
}
func (w *world) in(d time.Duration, do func()) { w.at(w.now.Add(d), do) }
func (w *world) between(lo, hi int) time.Duration {
	return time.Duration(lo+w.rnd.IntN(hi-lo+1)) * time.Millisecond
}
func (s Seat) String() string { return fmt.Sprintf("n%d@%d", s.Hub[7], s.Term) }

func (w *world) note(format string, a ...any) {
	w.log = append(w.log, fmt.Sprintf("%8v ", w.now.Sub(w.start).Round(time.Millisecond))+fmt.Sprintf(format, a...))
}

func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// until runs until ok, and returns how long that took.
func (w *world) until(what string, limit time.Duration, ok func() bool) time.Duration {
	w.t.Helper()
	from := w.now
	for !ok() {
		if w.now.Sub(from) > limit || len(w.queue) == 0 {
			w.fail("%s: not within %v", what, limit)
		}
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	return w.now.Sub(from)
}

func (w *world) fail(format string, a ...any) {
	w.t.Helper()
	for _, n := range w.nodes {
		w.note("%s hub=%v weight=%d term=%d follow=%v link=%v seat=%v lost=%v", n, n.act.Hub, n.act.Claim.Weight, n.act.Claim.Term, n.act.Follow, n.in.Link, n.in.Seat, n.act.Lost)
		for _, m := range n.list() {
			w.note("    sees n%d/%d hub=%v weight=%d term=%d lost=%v", m.ID[7], m.Class, m.Hub, m.Weight, m.Term, m.Lost)
		}
	}
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, a...), strings.Join(w.log[max(0, len(w.log)-120):], "\n"))
}

func (n *node) String() string {
	s := fmt.Sprintf("n%d/%d side %d", n.id[7], n.class, n.side)
	if !n.alive {
		s += " dead"
	}
	if n.frozen {
		s += " frozen"
	}
	return s
}

// add starts an instance. Low ids are better claims.
func (w *world) add(id byte, class Class) *node {
	n := &node{w: w, id: ID{7: id}, class: class, alive: true, members: map[ID]*Member{}, version: map[ID]int{}, followC: map[*node]bool{}}
	n.e = New(n.id, class, w.now)
	n.status = Member{ID: n.id, Class: class}
	w.nodes = append(w.nodes, n)
	w.note("start %s", n)
	for _, o := range w.nodes {
		if o != n && o.alive {
			w.in(w.between(50, 300), func() { n.meet(o) })
			w.in(w.between(50, 300), func() { o.meet(n) })
		}
	}
	w.in(w.between(1000, 1500), n.join)
	n.step()
	return n
}

func (w *world) open(a, b *node) bool {
	return a.alive && b.alive && !a.frozen && !b.frozen && a.side == b.side
}

// meet learns o's newest status, as a push/pull does.
func (n *node) meet(o *node) {
	if !n.w.open(n, o) || n == o {
		return
	}
	if n.members[o.id] == nil {
		n.members[o.id] = &Member{Since: n.w.now}
		n.version[o.id] = -1
	}
	if n.version[o.id] < o.current {
		since := n.members[o.id].Since
		*n.members[o.id] = o.status
		n.members[o.id].Since = since
		n.version[o.id] = o.current
		n.step()
	}
}

func (n *node) join() {
	if !n.alive {
		return
	}
	for _, o := range n.w.nodes {
		n.meet(o)
		o.meet(n)
	}
	n.w.in(n.w.between(1000, 1500), n.join)
}

// publish tells the others of the status, if it changed.
func (n *node) publish() {
	s := Member{ID: n.id, Class: n.class, Hub: n.act.Hub, Weight: n.act.Claim.Weight, Term: n.act.Claim.Term, Lost: n.act.Lost}
	same := s
	same.Term = n.status.Term
	if same == n.status && (!s.Hub || s.Term == n.status.Term) {
		return
	}
	n.status = s
	n.current++
	for _, o := range n.w.nodes {
		if o != n {
			n.w.in(n.w.between(20, 250), func() {
				if n.w.open(n, o) && o.members[n.id] != nil {
					o.meet(n)
				}
			})
		}
	}
}

// gone lets the others notice in a while that n cannot be reached.
func (w *world) gone() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b && !w.open(a, b) && a.members[b.id] != nil {
				w.in(w.between(1500, 3000), func() {
					if !w.open(a, b) && a.alive && !a.frozen && a.members[b.id] != nil {
						delete(a.members, b.id)
						a.step()
					}
				})
			}
		}
	}
}

func (n *node) list() (ms []Member) {
	for _, o := range n.w.nodes {
		if m := n.members[o.id]; m != nil {
			ms = append(ms, *m)
		}
	}
	return ms
}

func (n *node) step() {
	if !n.alive {
		return
	}
	if n.frozen {
		n.later = append(n.later, n.step)
		return
	}
	in := n.in
	in.Members = n.list()
	for o := range n.followC {
		if o.in.Link == Linked && o.in.Seat.Hub == n.id {
			in.Followers++
		}
	}
	before := n.act
	a, wake := n.e.Step(n.w.now, in)
	n.act = a
	if a.Hub && (a.Follow != Seat{}) || !a.Hub && len(a.Order) > 0 || a.Hub && n.class == Never || a.Follow.Hub == n.id {
		n.w.fail("%s: impossible action %+v", n, a)
	}
	if !wake.IsZero() && !wake.After(n.w.now) {
		n.w.fail("%s: wake %v is not to come", n, wake)
	}
	if a.Hub != before.Hub {
		n.w.note("%s hub=%v term=%d hand over=n%d", n, a.Hub, a.Claim.Term, a.HandOver[7])
		if a.Hub {
			n.became = n.w.now
			n.claims++
		}
		for o := range n.followC { // its clients, and those it holds, hear of it
			n.w.in(n.w.between(1, 5), func() { o.hear(n, a.HandOver) })
		}
	}
	n.publish()
	switch {
	case a.Hub || a.Follow == Seat{}:
		if n.in.Link != Idle && (a.Hub || n.in.Link == Linked || n.in.Link == Dialing) {
			n.hangUp()
		}
	case a.Follow.Hub != n.in.Seat.Hub || n.in.Link == Idle || (n.in.Link == Refused || n.in.Link == Parted) && (a.Follow != n.in.Seat || n.w.now.Sub(n.in.Since) >= time.Second):
		n.hangUp()
		n.link(Dialing, a.Follow, ID{})
		n.w.note("%s follows n%d", n, a.Follow.Hub[7])
		n.call(n.dial, n.w.now, n.w.now)
	case n.in.Link == Refused || n.in.Link == Parted:
		if own := n.in.Since.Add(time.Second); wake.IsZero() || own.Before(wake) { // the link's own timer
			wake = own
		}
	}
	n.wakeGen++
	gen := n.wakeGen
	if !wake.IsZero() {
		n.w.at(wake, func() {
			if gen == n.wakeGen {
				n.step()
			}
		})
	}
}

func (n *node) find(id ID) *node {
	for _, o := range n.w.nodes {
		if o.id == id {
			return o
		}
	}
	return nil
}

func (n *node) link(s LinkState, seat Seat, successor ID) {
	n.in.Link, n.in.Seat, n.in.Since, n.in.Successor = s, seat, n.w.now, successor
}

func (n *node) hangUp() {
	n.dial++
	if o := n.find(n.in.Seat.Hub); o != nil {
		delete(o.followC, n)
	}
	n.link(Idle, Seat{}, ID{})
}

// call dials the hub followed, until it answers or n gives up on it. heard is when the hub was last heard of.
func (n *node) call(dial int, heard, held time.Time) {
	n.w.in(n.w.between(1, 5), func() {
		if dial != n.dial || !n.alive {
			return
		}
		o := n.find(n.in.Seat.Hub)
		again := func(held time.Time) { n.w.in(50*time.Millisecond, func() { n.call(dial, heard, held) }) }
		switch {
		case n.frozen:
			again(n.w.now)
		case n.side != o.side || o.frozen:
			if n.in.Link == Dialing && n.w.now.Sub(heard) >= 700*time.Millisecond {
				n.link(Silent, n.in.Seat, ID{})
				n.step()
			}
			again(n.w.now)
		case !o.alive:
			n.link(Refused, n.in.Seat, ID{})
			n.step()
		case o.act.Hub:
			n.link(Linked, Seat{o.id, o.act.Claim.Term}, ID{})
			n.in.Order = o.act.Order
			o.followC[n] = true
			n.step()
			o.step()
			n.listen(dial, n.w.now)
		case n.w.now.Sub(held) < 500*time.Millisecond:
			n.w.in(5*time.Millisecond, func() { n.call(dial, heard, held) })
		default:
			n.hear(o, o.act.Follow.Hub)
		}
	})
}

// listen watches a link that is up.
func (n *node) listen(dial int, heard time.Time) {
	n.w.in(20*time.Millisecond, func() {
		o := n.find(n.in.Seat.Hub)
		switch {
		case dial != n.dial || !n.alive || n.in.Link != Linked:
		case n.frozen:
			n.listen(dial, n.w.now)
		case !o.alive && n.side == o.side:
			delete(o.followC, n)
			n.link(Refused, n.in.Seat, ID{})
			n.step()
		case !o.alive || n.side != o.side || o.frozen:
			if n.w.now.Sub(heard) < time.Second {
				n.listen(dial, heard)
				return
			}
			delete(o.followC, n)
			o.step()
			n.link(Silent, n.in.Seat, ID{})
			n.step()
			n.call(dial, heard, n.w.now)
		default:
			n.in.Order = o.act.Order
			n.listen(dial, n.w.now)
		}
	})
}

// hear is BYE or REDIRECT from o.
func (n *node) hear(o *node, successor ID) {
	if !n.alive || n.in.Seat.Hub != o.id || n.in.Link == Parted || n.side != o.side || o.act.Hub {
		return
	}
	if n.frozen {
		n.later = append(n.later, func() { n.hear(o, successor) })
		return
	}
	delete(o.followC, n)
	n.dial++
	n.link(Parted, n.in.Seat, successor)
	n.step()
}

func (n *node) crash() {
	n.w.note("crash %s", n)
	n.alive = false
	n.w.gone()
}

func (n *node) freeze() {
	n.w.note("freeze %s", n)
	n.frozen = true
	n.w.gone()
}

func (n *node) thaw() {
	if !n.frozen {
		return
	}
	n.w.note("thaw %s", n)
	n.frozen = false
	for _, f := range n.later {
		f()
	}
	n.later = nil
	n.step()
	n.w.gone()
}

func (n *node) leave() {
	n.w.note("leave %s", n)
	n.in.Leaving = true
	n.step()
	n.w.in(20*time.Millisecond, func() {
		n.alive = false
		for _, o := range n.w.nodes {
			if n.side == o.side {
				n.w.in(n.w.between(20, 250), func() { delete(o.members, n.id); o.step() })
			}
		}
		n.w.gone()
	})
}

// move puts nodes on a side of their own.
func (w *world) move(side int, nodes ...*node) {
	for _, n := range nodes {
		w.note("cut %s to side %d", n, side)
		n.side = side
	}
	w.gone()
}

func (w *world) hubs() (hubs []*node) {
	for _, n := range w.nodes {
		if n.alive && n.act.Hub {
			hubs = append(hubs, n)
		}
	}
	return hubs
}

// settled reports whether each component with a candidate has one hub that all others in it are linked to.
func (w *world) settled() bool {
	type component struct {
		hubs, candidates int
		hub              *node
	}
	sides := map[int]*component{}
	for _, n := range w.nodes {
		if !n.alive || n.frozen {
			continue
		}
		c := sides[n.side]
		if c == nil {
			c = &component{}
			sides[n.side] = c
		}
		if n.class > Never {
			c.candidates++
		}
		if n.act.Hub {
			c.hubs++
			c.hub = n
		}
	}
	for _, c := range sides {
		if c.hubs != min(1, c.candidates) {
			return false
		}
	}
	for _, n := range w.nodes {
		if n.alive && !n.frozen && !n.act.Hub && sides[n.side].hub != nil && (n.in.Link != Linked || n.in.Seat.Hub != sides[n.side].hub.id) {
			return false
		}
	}
	return true
}
