package lab_test

import (
	"syscall"
	"testing"
	"time"

	"earshot/node/lab"
)

// frozen is how long a process is stopped at least.
const frozen = 3 * time.Second

// TestFrozen: the standby does not run while the hub is killed, and later the new hub does not run.
func TestFrozen(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	all := inTurn(t, l, 5)
	lines := []string{"before"}
	say(all[0], lines[0])
	haveAll(t, l, lines, all...)
	tell := func(p *lab.Process, word string, to ...*lab.Process) {
		t.Helper()
		words := numbers(word, 10)
		for _, text := range words {
			say(p, text)
		}
		haveAll(t, l, words, to...)
		lines = append(lines, words...)
	}

	// Two that only listen are frozen, one of them first in line: nobody else minds.
	sleepers, awake := []*lab.Process{all[1], all[3]}, []*lab.Process{all[0], all[2], all[4]}
	since := mark(l, awake...)
	enough := time.After(frozen)
	for _, p := range sleepers {
		p.Signal(syscall.SIGSTOP)
	}
	tell(all[2], "quiet", awake...)
	since.stayed(t, all[0])

	// Now the hub dies, and the next in line does not answer.
	all[0].Kill()
	awake = awake[1:]
	hub := serving(l, 4*soon, "another takes over", awake, but(all[0]))
	tell(all[4], "orphan", awake...)
	<-enough
	since = mark(l, awake...)
	for _, p := range sleepers {
		p.Signal(syscall.SIGCONT)
	}
	if together(t, l, 4*soon, all[1:]...) != hub {
		since.errorf(t, "one that was frozen took the seat")
	}
	all[0] = start(l, 1)
	together(t, l, 4*soon, all...)
	haveAll(t, l, lines, all...)
	since.stayed(t, hub)

	// The hub is frozen, and is typed into all the same.
	rest := others(all, hub)
	enough = time.After(frozen)
	hub.Signal(syscall.SIGSTOP)
	lines = append(lines, "typed into the frozen hub")
	hub.Send("typed into the frozen hub")
	next := serving(l, 4*soon, "the others have another hub", rest, but(hub))
	tell(rest[0], "meanwhile", rest...)
	<-enough
	since = mark(l, rest...)
	before := len(hub.Events())
	hub.Signal(syscall.SIGCONT)
	if together(t, l, 4*soon, all...) != next {
		since.errorf(t, "the frozen hub took its seat back")
	}
	tell(hub, "awake", all...)
	haveAll(t, l, lines, all...)
	since.stayed(t, next)
	for _, e := range hub.Events()[before:] {
		if e.Kind == "hub" && e.State == "serving" {
			since.errorf(t, "the frozen hub still claims to serve: %s", e.Raw)
		}
	}
}
