package election

import (
	"errors"
	"fmt"
	"strings"
)

// check asserts what is true in every state, after slot i has stepped.
func (s *space) check(i int, before Action, known uint64, in Input) error {
	n := &s.slots[i]
	a, e := n.act, &n.e
	claims, resigns := a.Hub && !before.Hub, before.Hub && !a.Hub
	switch {
	case a.Hub && a.Follow != Seat{}, !a.Hub && len(a.Order) > 0, a.Hub && n.class == Never, a.Follow.Hub == n.id, a.Hub && n.leaving, a.Hub && a.Claim.Class == Never:
		return fmt.Errorf("n%d: impossible action %+v", n.id[7], a)
	case a.Claim.Term < before.Claim.Term:
		return fmt.Errorf("n%d: the term fell from %d to %d", n.id[7], before.Claim.Term, a.Claim.Term)
	case claims && a.Claim.Term <= known:
		return fmt.Errorf("n%d: claims term %d, and knew %d", n.id[7], a.Claim.Term, known)
	case claims && s.calm && s.faults == 0:
		return fmt.Errorf("n%d: claims without a reason", n.id[7])
	case resigns && s.calm && i == 0:
		return fmt.Errorf("n%d: gave the seat up without a reason", n.id[7])
	case claims && s.faults == 1 && (s.first == "crash 0" || s.first == "leave 0") && s.claims > 0:
		return fmt.Errorf("n%d: the hub went, and this is the second that claims", n.id[7])
	case a.Hub && n.frozenAt > 0 && s.now-n.frozenAt > 950:
		return fmt.Errorf("n%d: serves at once after %d ms in which it did not run", n.id[7], s.now-n.frozenAt)
	}
	n.frozenAt = 0
	linked := in.Link == Linked && in.Seat.Hub != n.id && !e.isDead(in.Seat)
	for _, m := range in.Members {
		c := Claim{m.ID, m.Class, m.Weight, m.Term}
		switch {
		case !a.Hub || !m.Hub || e.isDead(c.seat()) || e.isStale(c, linked):
		case before.Hub && c.Better(a.Claim):
			return fmt.Errorf("n%d: serves %+v beside %+v", n.id[7], a.Claim, c)
		case claims && m.Class >= a.Claim.Class:
			return fmt.Errorf("n%d: claims where %+v is visible", n.id[7], c)
		}
	}
	return nil
}

// A fault is something that goes wrong, or right again.
type fault struct {
	name string
	do   func(s *space) error
}

func (s *space) disturb(f fault) error {
	if s.faults++; s.faults == 1 {
		s.first = f.name
	}
	s.calm = s.calm && strings.HasPrefix(f.name, "equal") // of the same class, that is
	err := f.do(s)
	s.shift()
	return err
}

// wrong lists what may go wrong now. At most one link is blocked at a time: two that cannot link either way have no hub to agree on.
func (s *space) wrong() (fs []fault) {
	add := func(do func(s *space) error, format string, a ...any) {
		fs = append(fs, fault{fmt.Sprintf(format, a...), do})
	}
	split, free := false, -1
	for i := range s.slots {
		n := &s.slots[i]
		if n.state == 0 {
			free = i
			continue
		}
		split = split || n.side != 0
		switch {
		case n.state == running && s.left[i] == 0:
			add(func(s *space) error { s.slots[i].state = down; return nil }, "crash %d", i)
			add(func(s *space) error {
				s.slots[i].leaving, s.left[i] = true, s.now
				return s.step(i)
			}, "leave %d", i)
			add(func(s *space) error {
				s.slots[i].state, s.slots[i].frozenAt = frozen, s.now
				return nil
			}, "freeze %d", i)
			add(func(s *space) error {
				s.slots[i].unfit = !s.slots[i].unfit
				return s.step(i)
			}, "unfit=%v %d", !n.unfit, i)
			add(func(s *space) error {
				s.slots[i].bridge = !s.slots[i].bridge
				return s.step(i)
			}, "bridge=%v %d", !n.bridge, i)
			if w := n.way; w.phase == up && s.block == [maxSlots][maxSlots]byte{} {
				for kind, name := range []string{silenced: "silence", rejected: "reject"} {
					if kind > 0 {
						add(func(s *space) error {
							s.block[i][w.to] = byte(kind)
							s.slots[i].way.at = s.now
							return nil
						}, "%s %d to %d", name, i, w.to)
					}
				}
			}
		case n.state == frozen:
			add(func(s *space) error {
				s.slots[i].state = running
				s.shift()
				return s.step(i)
			}, "thaw %d", i)
		}
		if n.side == 0 && n.state != down {
			add(func(s *space) error { s.slots[i].side = i + 1; return nil }, "cut %d", i)
		}
	}
	if split {
		add((*space).heal, "heal")
	}
	if free >= 0 {
		for _, n := range []struct {
			name  string
			id    int
			class Class
		}{{"equal low", 0, Ordinary}, {"equal high", 200, Ordinary}, {"box", 100, Dedicated}, {"never", 10, Never}} {
			add(func(s *space) error { return s.begin(free, byte(n.id+free), n.class) }, "%s starts", n.name)
		}
	}
	return fs
}

func (s *space) heal() error {
	for i := range s.slots {
		s.slots[i].side = 0
	}
	return nil
}

// run lets things take their course for d milliseconds: eager, as soon as they may happen, or else as late as they may.
func (s *space) run(d int, eager bool) error {
	for end, n := s.now+d, 0; ; n++ {
		evs, next := s.events()
		pick := -1
		for k, e := range evs {
			if (eager || e.due <= s.now) && (pick < 0 || e.due < evs[pick].due) {
				pick = k
			}
		}
		var err error
		switch {
		case n > 100000:
			return errors.New("time stands still")
		case pick >= 0:
			err = s.do(evs[pick])
		case next == 0 || next > end:
			s.now = end
			return nil
		default:
			err = s.pass(next)
		}
		if err != nil {
			return err
		}
	}
}

// settled says what is not as it should be when it is quiet.
func (s *space) settled() error {
	for i := range s.slots {
		hubs, candidates := []int(nil), 0
		for j := range s.slots {
			if n := &s.slots[j]; n.state == running && s.near(i, j) {
				if n.act.Hub {
					hubs = append(hubs, j)
				}
				if n.class > Never {
					candidates++
				}
			}
		}
		n := &s.slots[i]
		switch {
		case n.state != running:
		case len(hubs) != min(1, candidates):
			return fmt.Errorf("hubs %v on the side of %d", hubs, i)
		case len(hubs) == 1 && hubs[0] != i && s.block[i][hubs[0]] == 0 && (n.in.Link != Linked || n.in.Seat.Hub != s.id(hubs[0])):
			return fmt.Errorf("%d is not linked to %d, but %v to %v", i, hubs[0], n.in.Link, n.in.Seat)
		case len(hubs) == 1 && s.block[i][hubs[0]] == silenced && (n.in.Link != Silent || n.in.Seat.Hub != s.id(hubs[0]) || n.act.Lost.Hub != s.id(hubs[0])):
			return fmt.Errorf("%d cannot reach %d, but does not try and say so: %v to %v, lost %v", i, hubs[0], n.in.Link, n.in.Seat, n.act.Lost)
		}
	}
	return nil
}

func (s Seat) String() string { return fmt.Sprintf("n%d@%d", s.Hub[7], s.Term) }

func (s *space) String() string {
	var b strings.Builder
	for i := range s.slots {
		n := &s.slots[i]
		if n.state == 0 {
			continue
		}
		state := []string{running: "runs", frozen: "frozen", down: "down"}[n.state]
		fmt.Fprintf(&b, "%d: n%d class %d %s side %d unfit=%v hub=%v term %d weight %d follows %v link %d to %v phase %d lost %v wake %d\n", i, n.id[7], n.class, state, n.side, n.unfit,
			n.act.Hub, n.act.Claim.Term, n.act.Claim.Weight, n.act.Follow, n.in.Link, n.in.Seat, n.way.phase, n.act.Lost, n.wake)
		for _, m := range n.view {
			if m.ID != (ID{}) {
				fmt.Fprintf(&b, "    sees n%d class %d hub=%v term %d weight %d lost %v\n", m.ID[7], m.Class, m.Hub, m.Term, m.Weight, m.Lost)
			}
		}
	}
	return b.String()
}
