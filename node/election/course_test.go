package election

import (
	"fmt"
	"time"
)

// An event is something that may happen now, and does by due.
type event struct {
	kind string
	i, j int
	due  int
}

func (e event) String() string { return fmt.Sprintf("%s %d %d", e.kind, e.i, e.j) }

// events returns what may happen now, and when the next thing may or must that cannot happen now.
func (s *space) events() (now []event, next int) {
	consider := func(e event, from int) {
		if from > s.now {
			next = sooner(next, from)
			return
		}
		now = append(now, e)
		if e.due > s.now {
			next = sooner(next, e.due)
		}
	}
	for i := range s.slots {
		n := &s.slots[i]
		if n.state == 0 {
			continue
		}
		for j := range s.slots {
			if i == j || s.slots[j].state == 0 {
				continue
			}
			if due := s.stale[i][j]; due > 0 && s.reach(i, j) && s.left[i] == 0 {
				consider(event{"status", i, j, due}, 0)
			}
			if s.slots[j].state == running && s.member(j, i) {
				if l := s.left[i]; l > 0 && s.near(i, j) {
					consider(event{"death", i, j, l + 250}, 0)
				} else if g := s.gone[i][j]; g > 0 {
					consider(event{"death", i, j, g + 3000}, g+1500)
				}
			}
			if n.state == running && n.linked[j] > 0 {
				if from, due := s.unlinks(i, j); due > 0 {
					consider(event{"unlink", i, j, due}, from)
				}
			}
		}
		if l := s.left[i]; l > 0 && n.state == running {
			consider(event{"end", i, 0, l + 300}, l+1)
		}
		if n.state == running {
			if from, due := s.links(i); due > 0 {
				consider(event{"link", i, 0, due}, from)
			}
			if n.wake > s.now {
				next = sooner(next, n.wake)
			}
		}
	}
	return now, next
}

// sooner returns the earlier of two times, of which 0 is none.
func sooner(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// unlinks is when hub i notices that j is no follower any more; 0: it is one.
func (s *space) unlinks(i, j int) (from, due int) {
	w := &s.slots[j].way
	switch linked := w.phase == up && w.to == i && w.reign == s.slots[i].reign; {
	case linked && s.slots[j].state == running && s.near(i, j):
		return 0, 0
	case s.near(i, j) && s.slots[j].state != frozen && s.block[j][i] == 0:
		return 0, max(s.now, w.at+20)
	}
	silent := max(s.gone[j][i], w.at) + 4000
	return silent - 1000, silent
}

// links is when the way of i goes on by itself; 0: it does not.
func (s *space) links(i int) (from, due int) {
	n := &s.slots[i]
	w := &n.way
	if w.phase == none || w.phase == over {
		return 0, 0
	}
	o := &s.slots[w.to]
	there := s.near(i, w.to) && s.block[i][w.to] == 0
	soon := w.at + 5
	switch w.phase {
	case up:
		switch {
		case there && o.state == running && o.act.Hub && o.reign == w.reign && o.linked[i] > 0:
			return 0, 0
		case there && o.state != frozen:
			return 0, max(soon, s.now)
		}
		return w.at + 450, w.at + 700
	case dialing:
		if there && o.state != frozen || s.block[i][w.to] == rejected {
			return 0, max(soon, s.now)
		}
		return w.at + 300, w.at + 300
	case held:
		switch {
		case !there || o.state == frozen:
			return w.at + 5000, w.at + 5000
		case o.state == down || o.act.Hub:
			return 0, max(soon, s.now)
		}
		return w.at + 500, w.at + 500
	}
	// again
	switch {
	case s.block[i][w.to] == rejected || there && o.state == down:
		if n.in.Link == Refused {
			return 0, 0
		}
	case !there || o.state == frozen:
		if n.in.Link == Silent {
			return 0, 0
		}
		return w.at + 300, w.at + 1300
	}
	return 0, max(s.now, w.at+1000)
}

// do lets an event happen.
func (s *space) do(e event) error {
	switch e.kind {
	case "status":
		joins := !s.member(e.j, e.i)
		s.tell(e.i, e.j, e.i)
		if !joins {
			return s.step(e.j)
		}
		s.tell(e.j, e.i, e.j) // they tell each other of everybody
		for k := range s.slots {
			if k != e.i && k != e.j {
				s.tell(e.i, e.j, k)
				s.tell(e.j, e.i, k)
			}
		}
		if err := s.step(e.j); err != nil {
			return err
		}
		return s.step(e.i)
	case "death":
		s.slots[e.j].view[e.i] = Member{}
		if s.left[e.i] == 0 {
			s.stale[e.i][e.j] = s.now + 1500
		}
		return s.step(e.j)
	case "unlink":
		s.slots[e.i].linked[e.j] = 0
		return s.step(e.i)
	case "end":
		s.slots[e.i].state = down
		s.shift()
		return nil
	}
	return s.link(e.i)
}

// tell has i tell j what it knows of k, if that is news.
func (s *space) tell(i, j, k int) {
	m, serial := s.slots[i].view[k], s.slots[i].serial[k]
	if i == k {
		m, serial = s.slots[i].status, s.slots[i].said
	}
	n := &s.slots[j]
	old := n.view[k]
	if m.ID == (ID{}) || old.ID != (ID{}) && serial <= n.serial[k] || serial < n.serial[k] {
		return
	}
	m.Since = old.Since
	if old.ID == (ID{}) {
		m.Since = at(s.now)
	}
	n.view[k], n.serial[k] = m, serial
	if serial == s.slots[k].said {
		s.stale[k][j] = 0
	}
}

// link lets the way of i go on.
func (s *space) link(i int) error {
	n := &s.slots[i]
	w := &n.way
	o := &s.slots[w.to]
	there := s.near(i, w.to) && s.block[i][w.to] == 0
	switch w.phase {
	case up:
		if there && o.state == running && (!o.act.Hub || o.reign != w.reign) { // goodbye
			return s.part(i, o.heir)
		}
		s.report(i, Dialing)
		w.phase, w.at, w.term = dialing, s.now, n.in.Seat.Term
		return s.step(i)
	case held:
		if there && o.state == running && !o.act.Hub {
			return s.part(i, s.elsewhere(w.to))
		}
	}
	switch {
	case s.block[i][w.to] == rejected || there && o.state == down && w.phase != held:
		w.phase, w.at = again, s.now
		s.report(i, Refused)
	case !there || o.state != running:
		w.phase, w.at = again, s.now
		s.report(i, Silent)
	case o.act.Hub:
		w.phase, w.at, w.reign = up, s.now, o.reign
		n.in.Seat = Seat{o.id, o.act.Claim.Term}
		s.report(i, Linked)
		n.in.Order = o.act.Order
		o.linked[i] = s.now
		if err := s.step(i); err != nil {
			return err
		}
		return s.step(w.to)
	case o.way.phase == up && w.term <= o.in.Seat.Term:
		return s.part(i, s.elsewhere(w.to))
	default:
		w.phase, w.at = held, s.now
		return nil
	}
	return s.step(i)
}

// elsewhere is the hub to which i sends who comes.
func (s *space) elsewhere(i int) ID {
	if s.slots[i].in.Link == Linked {
		return s.slots[i].in.Seat.Hub
	}
	return ID{}
}

func (s *space) part(i int, successor ID) error {
	n := &s.slots[i]
	n.way.phase, n.way.at = over, s.now
	n.in.Successor = successor
	s.report(i, Parted)
	return s.step(i)
}

func (s *space) report(i int, l LinkState) {
	if n := &s.slots[i]; n.in.Link != l {
		n.in.Link, n.in.Since = l, at(s.now)
	}
}

// pass lets time pass till then, and steps whose wake that is.
func (s *space) pass(till int) error {
	s.now = till
	for i := range s.slots {
		if n := &s.slots[i]; n.state == running && n.wake > 0 && n.wake <= s.now {
			if err := s.step(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// step steps i and plays what it decides, as package node does.
func (s *space) step(i int) error {
	n := &s.slots[i]
	if n.state != running {
		return nil
	}
	in := n.in
	in.Unfit, in.Bridge, in.Leaving = n.unfit, n.bridge, n.leaving
	in.Members = make([]Member, 0, maxSlots)
	for j, m := range n.view {
		if m.ID != (ID{}) {
			m.Linked = n.linked[j] > 0
			in.Members = append(in.Members, m)
		}
		if n.linked[j] > 0 {
			in.Followers++
		}
	}
	before := n.act
	known := n.e.term
	a, wake := n.e.Step(at(s.now), in)
	n.act = a
	if err := s.check(i, before, known, in); err != nil {
		return err
	}
	switch {
	case a.Hub && !before.Hub:
		n.reign++
		n.linked = [maxSlots]int{}
		s.claims++
	case before.Hub && !a.Hub:
		n.heir = a.HandOver
		n.linked = [maxSlots]int{}
		for j := range s.slots { // its goodbye goes out now
			if w := &s.slots[j].way; w.to == i && w.phase == up {
				w.at = max(w.at, s.now)
			}
		}
	}
	for j := range s.slots {
		switch w := &s.slots[j].way; {
		case w.to != i:
		case a.Hub && !before.Hub && w.phase == held: // it is let in now
			w.at = s.now
		case a.Hub && w.phase == up && w.reign == n.reign && s.reach(i, j) && s.block[j][i] == 0:
			s.slots[j].in.Order = a.Order
		}
	}
	s.publish(i)
	n.wake = 0
	if !wake.IsZero() {
		n.wake = since(wake)
	}
	return s.follow(i)
}

// publish tells the others what changed.
func (s *space) publish(i int) {
	n := &s.slots[i]
	a := n.act
	m := Member{ID: n.id, Class: a.Claim.Class, Hub: a.Hub, Weight: a.Claim.Weight, Term: a.Claim.Term, Lost: a.Lost}
	same := m
	same.Term = n.status.Term
	if same == n.status && (!m.Hub || m.Term == n.status.Term) {
		return
	}
	n.status = m
	n.said++
	for j := range s.slots {
		if j != i && s.slots[j].state > 0 {
			s.offer(i, j, 250)
		}
	}
}

// offer has j learn the newest status of i within that long, or 1500 if it is no member there.
func (s *space) offer(i, j, within int) {
	if !s.member(j, i) {
		within = max(within, 1500)
	}
	if due := s.now + within; s.stale[i][j] == 0 || s.stale[i][j] > due || s.stale[i][j] < s.now {
		s.stale[i][j] = due
	}
}

// follow works the way that the election wants.
func (s *space) follow(i int) error {
	n := &s.slots[i]
	w := &n.way
	to := n.act.Follow
	if to.Hub == (ID{}) {
		s.drop(i)
		return nil
	}
	j := s.find(to.Hub)
	if w.phase != none && n.in.Seat.Hub == to.Hub {
		if w.phase != over {
			return nil
		}
		if rest := max(since(n.in.Since)+150, 0); s.now < rest {
			n.wake = sooner(n.wake, rest)
			return nil
		}
	}
	s.drop(i)
	if j < 0 {
		return fmt.Errorf("follows %v, which never was", to)
	}
	n.way = way{phase: dialing, to: j, at: s.now, term: to.Term}
	n.in.Link, n.in.Seat, n.in.Since, n.in.Successor = Dialing, to, at(s.now), ID{}
	return s.step(i) // the link says that it dials
}

func (s *space) drop(i int) {
	n := &s.slots[i]
	n.way = way{at: s.now}
	n.in.Link, n.in.Seat, n.in.Since, n.in.Successor = Idle, Seat{}, time.Time{}, ID{}
}

// begin starts a process.
func (s *space) begin(i int, id byte, class Class) error {
	n := &s.slots[i]
	*n = slot{id: ID{7: id}, class: class, state: running, e: *New(ID{7: id}, class, at(s.now))}
	n.status = Member{ID: n.id, Class: class}
	for j := range s.slots {
		if j != i && s.slots[j].state > 0 {
			s.stale[i][j], s.stale[j][i] = s.now+300, s.now+300
			if !s.near(i, j) || s.slots[j].state != running {
				s.gone[i][j], s.gone[j][i] = s.now, s.now
			}
		}
	}
	return s.step(i)
}

// shift takes in that who reaches whom has changed.
func (s *space) shift() {
	for i := range s.slots {
		if s.slots[i].state == 0 {
			continue
		}
		for j := range s.slots {
			if i == j || s.slots[j].state == 0 {
				continue
			}
			switch reach := s.reach(i, j); {
			case !reach && s.gone[i][j] == 0:
				s.gone[i][j] = s.now
				if w := &s.slots[j].way; w.phase == up && w.to == i {
					w.at = s.now
				}
			case reach && s.gone[i][j] > 0:
				s.gone[i][j] = 0
				if !s.member(j, i) || s.stale[i][j] > 0 {
					s.stale[i][j] = s.now + 1500
				}
			}
		}
	}
}
