package lab_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node/lab"
)

func writeFile(t *testing.T, h *lab.Host, name, content string) string {
	t.Helper()
	path := filepath.Join(h.Home(), name)
	if err := os.MkdirAll(h.Home(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJoinWhereMulticastIsBlocked(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	for i := 1; i <= 3; i++ {
		l.Host(i).Drop("-m", "pkttype", "!", "--pkt-type", "unicast")
		l.Host(i).Drop("-p", "udp", "--dport", "5353")
	}
	hub := start(l, 1)
	l.Wait(soon, "the first serves", func() bool { return last(hub, "hub").State == "serving" })
	all := []*lab.Process{hub, start(l, 2, "--join", l.Host(1).IP().String()), start(l, 3, "--join", l.Host(1).IP().String()+":4327")}
	together(t, l, soon, all...)
	for i, text := range []string{"one", "two", "three"} {
		say(all[i], text)
	}
	haveAll(t, l, []string{"one", "two", "three"}, all...)
}

func TestJoinThroughARouter(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	l.Route(3)
	hub := start(l, 1)
	l.Wait(soon, "the first serves", func() bool { return last(hub, "hub").State == "serving" })
	near := start(l, 2)
	together(t, l, soon, hub, near)
	say(hub, "before 1")
	since := mark(l)
	far := start(l, 3, "--join", l.Host(1).IP().String())
	together(t, l, soon, hub, near, far)
	if e := reads(far, "before 1"); !e.History {
		since.errorf(t, "told as news: %s", e.Raw)
	}
	say(far, "far 1")
	reads(near, "far 1")

	// The address it was given is dead; that of the other hub it has learnt.
	hub.Kill()
	l.Wait(2*soon, "the far one follows", func() bool { return hubOf([]*lab.Process{near, far}) == near })
	say(near, "after 1")
	say(far, "far 2")
	haveAll(t, l, []string{"before 1", "far 1", "after 1", "far 2"}, near, far)
}

func TestJoinAHubBehindATranslator(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	router := l.Route(3)
	router.Masquerade()
	router.Forward(4327, l.Host(1))
	box := start(l, 1, "--server-only")
	l.Wait(soon, "the box serves", func() bool { return last(box, "hub").State == "serving" })
	inside, outside := start(l, 2), start(l, 3, "--join", "10.78.255.254")
	l.Wait(soon, "both are with the box", func() bool { return hubOf([]*lab.Process{box, inside, outside}) == box })
	say(outside, "outside 1")
	reads(inside, "outside 1")
	say(inside, "inside 1")
	reads(outside, "inside 1")

	// The box restarts, and everyone comes back to it.
	box.Kill()
	box = start(l, 1, "--server-only")
	l.Wait(4*soon, "both are with the box again", func() bool { return hubOf([]*lab.Process{box, inside, outside}) == box })
	say(inside, "inside 2")
	haveAll(t, l, []string{"outside 1", "inside 1", "inside 2"}, inside, outside)
}

// The client is behind a translator that soon forgets who says nothing, and nobody can speak to it first.
func TestJoinFromBehindATranslator(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	router := l.Route(2, 3, 4)
	router.Masquerade()
	router.Forget(3)
	near := []*lab.Process{start(l, 2), start(l, 3), start(l, 4)}
	hub := together(t, l, 2*soon, near...)
	far := start(l, 1, "--join", l.Host(2+slices.Index(near, hub)).IP().String())
	all := append(slices.Clone(near), far)
	together(t, l, soon, all...)
	since := mark(l, all...)
	say(far, "from inside 1")
	haveAll(t, l, []string{"from inside 1"}, all...)
	<-time.After(10 * time.Second)
	say(hub, "from outside 1")
	haveAll(t, l, []string{"from outside 1"}, all...)
	lost := 0
	for p, n := range since.events {
		for _, e := range p.Events()[n:] {
			switch {
			case e.Kind == "hub" && e.State == "lost" && p == far:
				lost++
			case e.Kind == "hub" && e.HubID != last(hub, "ready").ID, e.Kind == "peer", e.Kind == "notice":
				since.errorf(t, "%s saw %s", p, e.Raw)
			}
		}
	}
	if lost > 1 { // who is forgotten is so every three seconds
		since.errorf(t, "it lost the hub %d times", lost)
	}

	hub.Kill()
	rest := others(all, hub)
	next := serving(l, 2*soon, "it follows to the next hub", rest, but(far))
	say(far, "from inside 2")
	haveAll(t, l, []string{"from inside 2"}, rest...)

	last := others(others(rest, next), far)[0]
	beyond := l.Host(2 + slices.Index(near, last))
	router.Block(beyond)
	next.Kill()
	l.Wait(2*soon, "the last one serves", func() bool { return hubOf([]*lab.Process{last}) == last })
	said := far.Wait(2*soon, "it is told", func(e lab.Event) bool {
		return e.Kind == "notice" && strings.Contains(e.Text, "no other hub can be reached")
	})
	if said.Hint == "" {
		t.Errorf("what is to be done? %s", said.Raw)
	}
	waits := say(far, "from inside 3")
	router.Unblock(beyond)
	l.Wait(4*soon, "it is with the last one", func() bool { return hubOf([]*lab.Process{last, far}) == last })
	reads(last, "from inside 3")
	far.Wait(2*soon, "it is delivered", func(e lab.Event) bool { return e.Kind == "delivery" && e.ID == waits.ID && e.Copies >= 2 })
}
