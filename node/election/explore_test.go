package election

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var (
	deeper = flag.Int("depth", 0, "events more on each path of the exploration than by default")
	walks  = flag.Int("walks", 1000, "random walks")
	walk   = flag.Uint64("walk-seed", 1, "of the first walk")
)

// letRun is the share of the ends of paths from which things are let run on, one of so many.
const letRun = 50

// An explorer goes through a space, depth first: no more than one path is kept.
type explorer struct {
	t      *testing.T
	seen   map[[16]byte]int8 // states, and how many events could still happen
	path   []string
	faults int // on a path
	states int
	spare  []*space // by how many events are left
	buf    []byte
}

func (x *explorer) note(s *space, what any) {
	x.path = append(x.path, fmt.Sprintf("%d: %v", s.now, what))
}

func (x *explorer) fail(s *space, err error) {
	x.t.Helper()
	x.t.Fatalf("%v\n%s\n%s", err, strings.Join(x.path, "\n"), s)
}

func (x *explorer) must(s *space, err error) {
	x.t.Helper()
	if err != nil {
		x.fail(s, err)
	}
}

// from explores what s leads to in so many events and any time.
func (x *explorer) from(s *space, left int) {
	x.buf = s.key(x.buf[:0])
	sum := sha256.Sum256(x.buf)
	k := [16]byte(sum[:])
	if l, ok := x.seen[k]; ok && int(l) >= left {
		return
	} else if !ok {
		x.states++
	}
	x.seen[k] = int8(left)
	if left == 0 {
		if (int(sum[16])<<8+int(sum[17]))%letRun == 0 {
			x.settles(s, sum[18]&1 == 0, sum[18]&2 == 0)
		}
		return
	}
	c := new(space)
	if n := len(x.spare); n > 0 {
		c, x.spare = x.spare[n-1], x.spare[:n-1]
	}
	try := func(name string, left int, do func(s *space) error) {
		c.copy(s)
		x.note(c, name)
		x.must(c, do(c))
		x.from(c, left)
		x.path = x.path[:len(x.path)-1]
	}
	evs, next := s.events()
	must := false
	for _, e := range evs {
		must = must || e.due <= s.now
		try(e.String(), left-1, func(s *space) error { return s.do(e) })
	}
	if s.faults < x.faults {
		for _, f := range s.wrong() {
			try(f.name, left-1, func(s *space) error { return s.disturb(f) })
		}
	}
	if !must && next > 0 {
		try("time passes", left, func(s *space) error { return s.pass(next) })
	}
	x.spare = append(x.spare, c)
}

// settles asserts that s comes to rest when nothing goes wrong any more: after 5 s each component has one hub that all others in it are linked to, and it keeps it.
func (x *explorer) settles(from *space, eager, heal bool) {
	x.t.Helper()
	x.note(from, fmt.Sprintf("quiet, eager=%v, healed=%v\n%s", eager, heal, from))
	s := new(space)
	s.copy(from)
	s.first, s.calm = "", false
	for i := range s.slots {
		if s.slots[i].state == frozen {
			s.slots[i].state = running
			s.shift()
			x.must(s, s.step(i))
		}
	}
	if heal {
		x.must(s, s.heal())
		s.shift()
	}
	blocked := s.block != [maxSlots][maxSlots]byte{}
	resigned := func() bool { // a box that takes over when its wait is over
		return slices.ContainsFunc(s.slots[:], func(n slot) bool { return (n.class == Dedicated || n.bridge) && n.e.setback > 0 })
	}
	x.must(s, s.run(5010, eager)) // one that listens for a second after a stop may hold a hub dead for four more, and then dials it
	if !blocked && !resigned() {
		x.must(s, s.settled())
	}
	x.must(s, s.run(10000, eager)) // who is refused claims once, and until 5 s have passed
	if !resigned() {
		claims := s.claims
		x.must(s, s.run(20000, eager))
		x.must(s, s.settled())
		if s.claims != claims {
			x.fail(s, errors.New("claims while it is quiet"))
		}
	}
	x.path = x.path[:len(x.path)-1]
}

// Every order in which things can happen, from the start of all and from a hub that all follow.
func TestExplore(t *testing.T) {
	if raced {
		t.Skip("all of this is one goroutine's")
	}
	ids := []byte{50, 40, 60, 30}
	for _, tc := range []struct {
		nodes, faults, depth int
		fresh                bool // all start at once
	}{{3, 1, 6, false}, {3, 2, 3, false}, {3, 1, 4, true}, {4, 1, 5, false}, {4, 2, 3, false}, {4, 1, 3, true}} {
		t.Run(fmt.Sprintf("nodes=%d/faults=%d/fresh=%v", tc.nodes, tc.faults, tc.fresh), func(t *testing.T) {
			x := &explorer{t: t, seen: map[[16]byte]int8{}, faults: tc.faults}
			s := newSpace()
			for i := range tc.nodes {
				x.must(s, s.begin(i, ids[i], Ordinary))
				if i == 0 && !tc.fresh {
					x.must(s, s.run(900, true))
				}
			}
			if !tc.fresh {
				x.must(s, s.run(10000, true))
				x.must(s, s.settled())
				s.claims, s.calm = 0, true
			}
			x.from(s, tc.depth+*deeper)
			t.Logf("%d events: %d states", tc.depth+*deeper, x.states)
		})
	}
}

// One of all the ways in which things can happen, but a long one, with more nodes and more that goes wrong.
func TestWalks(t *testing.T) {
	if raced {
		t.Skip("all of this is one goroutine's")
	}
	for seed := *walk; seed < *walk+uint64(*walks); seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		x, s := &explorer{t: t, path: []string{fmt.Sprint("-walks 1 -walk-seed ", seed)}}, newSpace()
		ids := r.Perm(maxSlots)
		for i := range 1 + r.IntN(maxSlots) {
			class := []Class{Ordinary, Ordinary, Ordinary, Ordinary, Ordinary, Dedicated, Never}[r.IntN(7)]
			x.note(s, fmt.Sprint(i, " starts, class ", class))
			x.must(s, s.begin(i, byte(20+ids[i]*10), class))
		}
		if r.IntN(3) > 0 {
			x.must(s, s.run(5000, true))
		}
		wrong := r.IntN(8)
		for range 20 + r.IntN(150) {
			evs, next := s.events()
			must := slices.ContainsFunc(evs, func(e event) bool { return e.due <= s.now })
			switch fs := s.wrong(); {
			case wrong > 0 && len(fs) > 0 && r.IntN(20) == 0:
				f := fs[r.IntN(len(fs))]
				wrong--
				x.note(s, f.name)
				x.must(s, s.disturb(f))
			case must || len(evs) > 0 && r.IntN(3) > 0:
				e := evs[r.IntN(len(evs))]
				x.note(s, e)
				x.must(s, s.do(e))
			case next > 0:
				x.must(s, s.pass(next))
			default:
				x.must(s, s.pass(s.now+250))
			}
		}
		x.settles(s, r.IntN(2) == 0, r.IntN(2) == 0)
	}
}

// A field that key does not know would make two states one.
func TestKeyKnowsAllFields(t *testing.T) {
	for v, n := range map[any]int{Election{}.claim: 4, Seat{}: 2, Member{}: 8, mark{}: 7} {
		if got := reflect.TypeOf(v).NumField(); got != n {
			t.Errorf("%T has %d fields: teach space.key, then correct this", v, got)
		}
	}
	if got := reflect.TypeFor[Election]().NumField(); got != 33 {
		t.Errorf("Election has %d fields: teach space.key, then correct this", got)
	}
}
