package lab_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"earshot/node/lab"
)

// TestCables are pulled at the standby, at a third and then at the hub, at the switch and at the machine.
func TestCables(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	all := inTurn(t, l, 5)
	hub, standby, last5 := all[0], all[1], all[4]
	rest := []*lab.Process{hub, all[2], all[3]}
	lines := []string{"before"}
	say(hub, lines[0])
	haveAll(t, l, lines, all...)

	since := mark(l, rest...)
	l.Cut(2)
	l.Unplug(5)
	for i, p := range all {
		lines = append(lines, numbers(fmt.Sprint("apart", i), 3)...)
		for _, text := range lines[len(lines)-3:] {
			say(p, text)
		}
	}
	for _, p := range []*lab.Process{standby, last5} {
		l.Wait(4*soon, "it serves itself", func() bool { return last(p, "hub").State == "serving" })
		say(p, "alone "+p.String())
		lines = append(lines, "alone "+p.String())
	}
	// One of them sleeps with its claim, and wakes where the others are.
	last5.Signal(syscall.SIGSTOP)
	l.Heal(2)
	l.Plug(5)
	if together(t, l, 4*soon, append(rest, standby)...) != hub {
		since.errorf(t, "the hub moved to one that was cut off")
	}
	<-time.After(time.Second) // more than a process may oversleep and still be the hub
	last5.Signal(syscall.SIGCONT)
	if together(t, l, 4*soon, all...) != hub {
		since.errorf(t, "the hub moved to one that slept")
	}
	haveAll(t, l, lines, all...)
	since.stayed(t, hub)

	l.Unplug(1)
	rest = all[1:]
	serving(l, 4*soon, "the others have a hub", rest, but(hub))
	l.Wait(4*soon, "the hub without a cable is alone", func() bool { return last(hub, "peer").Peers == 1 })
	for i, p := range all {
		lines = append(lines, numbers(fmt.Sprint("without", i), 3)...)
		for _, text := range lines[len(lines)-3:] {
			say(p, text)
		}
	}
	next := serving(l, 4*soon, "they have it still", rest, but(hub))
	since = mark(l, rest...)
	l.Plug(1)
	if together(t, l, 4*soon, all...) != next {
		since.errorf(t, "the hub whose cable was pulled took its seat back")
	}
	haveAll(t, l, lines, all...)
	since.stayed(t, next)
}

// TestDeafInOneDirection: a third does not hear the hub, which hears it; then the hub hears nobody, and is heard.
func TestDeafInOneDirection(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 5)
	all := inTurn(t, l, 5)
	hub, deaf := all[0], all[4]
	hearing := all[:4]
	since := mark(l, hearing...)
	l.Host(5).Ignore(l.Host(1))
	l.Wait(4*soon, "it has lost the hub", func() bool { return last(deaf, "hub").State != "linked" })
	lines := append(numbers("hearing", 5), numbers("deaf", 5)...)
	for i := range 5 {
		say(all[1], lines[i])
		say(deaf, lines[5+i])
	}
	haveAll(t, l, lines[:5], hearing...)
	since.stayed(t, hub)
	l.Loss(5, 0)
	if together(t, l, 4*soon, all...) != hub {
		since.errorf(t, "the hub moved because one did not hear it")
	}
	haveAll(t, l, lines, all...)

	l.Loss(1, 100)
	rest := all[1:]
	serving(l, 4*soon, "the others have another hub", rest, but(hub))
	for i, p := range all {
		lines = append(lines, numbers(fmt.Sprint("more", i), 3)...)
		for _, text := range lines[len(lines)-3:] {
			say(p, text)
		}
	}
	haveAll(t, l, lines[len(lines)-12:], rest...)
	l.Loss(1, 0)
	together(t, l, 4*soon, all...)
	haveAll(t, l, lines, all...)
}
