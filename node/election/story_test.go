package election

import (
	"flag"
	"slices"
	"testing"
	"time"
)

// worlds is how many different ones each story is told in.
var worlds = flag.Int("worlds", 15, "seeds per story")

func TestWorldLone(t *testing.T) {
	w := newWorld(t, 1)
	n := w.add(1, Ordinary)
	if d := w.until("a lone instance is the hub", time.Second, func() bool { return n.act.Hub }); d > time.Second {
		t.Fatal(d)
	}
	w.run(time.Minute)
	if n.claims != 1 {
		t.Fatalf("claimed %d times", n.claims)
	}
}

func TestWorldTogether(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(*worlds) {
		w := newWorld(t, seed)
		for i := range 5 {
			w.in(w.between(0, 100), func() { w.add(byte(i+1), Ordinary) })
		}
		w.run(100 * time.Millisecond)
		took = append(took, w.until("one hub", 2500*time.Millisecond, func() bool { return len(w.hubs()) > 0 && w.settled() }))
		hub := w.hubs()[0]
		w.run(20 * time.Second)
		if !w.settled() || w.hubs()[0] != hub {
			w.fail("the hub moved")
		}
	}
	slices.Sort(took)
	t.Logf("five started: one hub after %v median, %v at worst", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 1100*time.Millisecond {
		t.Error("too slow")
	}
}

func five(t *testing.T, seed uint64) (w *world, hub *node) {
	w = newWorld(t, seed)
	for i := range 5 {
		w.add(byte(i+11), Ordinary)
	}
	w.run(5 * time.Second)
	if !w.settled() {
		w.fail("not settled")
	}
	for _, n := range w.nodes {
		n.claims = 0 // from here on
	}
	return w, w.hubs()[0]
}

func TestWorldNewcomerAndRestart(t *testing.T) {
	for seed := range uint64(*worlds) {
		w, hub := five(t, seed)
		late := w.add(1, Ordinary) // its id is the best there is
		w.run(10 * time.Second)
		if late.claims > 0 || hub.claims != 0 || !hub.act.Hub {
			w.fail("a newcomer moved the hub")
		}
		hub.crash()
		w.run(3 * time.Second)
		if !w.settled() {
			w.fail("no hub after the crash")
		}
		heir := w.hubs()[0]
		w.add(2, Ordinary) // a restart: a new session
		w.run(10 * time.Second)
		if !heir.act.Hub || heir.claims != 1 {
			w.fail("the restarted hub took the seat back")
		}
	}
}

// Two on a LAN, of which one is the hub without a follower yet: the one that comes must not move it, though its id is better.
func TestWorldSecond(t *testing.T) {
	for seed := range uint64(*worlds) {
		w := newWorld(t, seed)
		first := w.add(9, Ordinary)
		w.run(w.between(1000, 3000))
		w.add(1, Ordinary)
		w.run(10 * time.Second)
		if !w.settled() || !first.act.Hub || first.claims != 1 {
			w.fail("the second moved the hub")
		}
	}
}

func TestWorldCrash(t *testing.T) {
	var claim, linked []time.Duration
	for seed := range uint64(*worlds) {
		w, hub := five(t, seed)
		standby := hub.find(hub.act.Order[0])
		hub.crash()
		claim = append(claim, w.until("the standby claims", 100*time.Millisecond, func() bool { return standby.act.Hub }))
		linked = append(linked, w.until("all follow", 500*time.Millisecond, w.settled))
		w.run(10 * time.Second)
		if !w.settled() || !standby.act.Hub || standby.claims != 1 {
			w.fail("the seat did not stay with the standby")
		}
		for _, n := range w.nodes {
			if n != hub && n != standby && n.claims > 0 {
				w.fail("%s claimed too", n)
			}
		}
	}
	slices.Sort(claim)
	slices.Sort(linked)
	t.Logf("hub crashed: claim after %v median, %v at worst; all linked after %v, %v more", claim[*worlds/2], claim[*worlds-1], linked[*worlds/2], linked[*worlds-1])
}

// The hub's machine is cut off or its process stops: nobody is refused.
func TestWorldSilence(t *testing.T) {
	for _, how := range []string{"cut", "freeze"} {
		var took []time.Duration
		for seed := range uint64(*worlds) {
			w, hub := five(t, seed)
			from := w.now
			if how == "cut" {
				w.move(1, hub)
			} else {
				hub.freeze()
			}
			w.until("another hub", 3*time.Second, func() bool {
				return slices.ContainsFunc(w.nodes, func(n *node) bool { return n != hub && n.act.Hub })
			})
			w.until("all follow", 2*time.Second, w.settled)
			took = append(took, w.now.Sub(from))
			heir := slices.IndexFunc(w.nodes, func(n *node) bool { return n != hub && n.act.Hub })
			w.run(w.between(0, 10000))
			if how == "cut" {
				w.move(0, hub)
			} else {
				hub.thaw()
				if hub.act.Hub {
					w.fail("the frozen hub kept its claim")
				}
			}
			w.run(5 * time.Second)
			if !w.settled() || !w.nodes[heir].act.Hub {
				w.fail("not one hub after the heal")
			}
		}
		slices.Sort(took)
		t.Logf("%s: all follow another after %v median, %v at worst", how, took[*worlds/2], took[*worlds-1])
	}
}

// A short freeze that nobody noticed costs the hub nothing.
func TestWorldNap(t *testing.T) {
	w, hub := five(t, 1)
	hub.freeze()
	w.run(600 * time.Millisecond)
	hub.thaw()
	w.run(10 * time.Second)
	if !w.settled() || !hub.act.Hub || hub.claims != 0 {
		w.fail("the hub moved")
	}
}

func TestWorldHandOver(t *testing.T) {
	for seed := range uint64(*worlds) {
		w, hub := five(t, seed)
		standby := hub.find(hub.act.Order[0])
		hub.leave()
		w.run(150 * time.Millisecond)
		if !w.settled() || !standby.act.Hub {
			w.fail("not handed over")
		}
		w.run(5 * time.Second)
		if !w.settled() || standby.claims != 1 {
			w.fail("the seat did not stay")
		}
	}
}

func TestWorldDedicated(t *testing.T) {
	for seed := range uint64(*worlds) {
		w, hub := five(t, seed)
		box := w.add(200, Dedicated)
		w.run(1900 * time.Millisecond)
		if box.act.Hub {
			w.fail("took over before it settled")
		}
		w.until("the box takes over", 3*time.Second, func() bool { return box.act.Hub && w.settled() })
		second := w.add(1, Dedicated)
		w.run(20 * time.Second)
		if !w.settled() || box.claims != 1 || second.claims != 0 || hub.claims != 0 {
			w.fail("flapped")
		}
		box.crash()
		w.run(time.Second)
		if !w.settled() || !second.act.Hub {
			w.fail("the other box is not the hub")
		}
	}
}

func TestWorldPartition(t *testing.T) {
	for seed := range uint64(*worlds) {
		w, _ := five(t, seed)
		w.move(1, w.nodes[int(seed)%5], w.nodes[(int(seed)+2)%5])
		w.run(5 * time.Second)
		if !w.settled() {
			w.fail("not one hub on each side")
		}
		w.move(0, w.nodes...)
		w.run(5 * time.Second)
		if !w.settled() {
			w.fail("not one hub after the heal")
		}
	}
}

// Whatever happened: 5 s after it is quiet each component has one hub and all others are linked to it.
func TestWorldChaos(t *testing.T) {
	for seed := range uint64(4 * *worlds) {
		w := newWorld(t, seed)
		id := byte(0)
		add := func() {
			id++
			w.add(byte(w.rnd.IntN(25))*8+8+id%8, []Class{Never, Ordinary, Ordinary, Ordinary, Ordinary, Dedicated}[w.rnd.IntN(6)])
		}
		for range 2 + w.rnd.IntN(5) {
			add()
		}
		for range 12 {
			w.run(w.between(0, 4000))
			n := w.nodes[w.rnd.IntN(len(w.nodes))]
			if hubs := w.hubs(); len(hubs) > 0 && w.rnd.IntN(2) == 0 {
				n = hubs[w.rnd.IntN(len(hubs))]
			}
			switch w.rnd.IntN(8) {
			case 0:
				n.crash()
			case 1:
				n.freeze()
			case 2:
				if n.alive && !n.frozen {
					n.leave()
				}
			case 3, 4:
				w.move(w.rnd.IntN(2), n)
			case 5:
				w.move(0, w.nodes...)
			case 6:
				n.thaw()
			case 7:
				if len(w.nodes) < 10 && !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.id[7]%8 == (id+1)%8 }) {
					add()
				}
			}
		}
		for _, n := range w.nodes {
			n.thaw()
		}
		if seed%2 == 0 {
			w.move(0, w.nodes...)
		}
		w.note("quiet")
		w.run(5 * time.Second)
		if !w.settled() {
			w.fail("seed %d: not one hub each after 5 s of quiet", seed)
		}
		w.run(5 * time.Second) // a box may still have been settling
		for _, n := range w.nodes {
			n.claims = 0
		}
		w.run(20 * time.Second)
		for _, n := range w.nodes {
			if n.claims > 0 && !(n.class == Dedicated && n.claims == 1 && n.e.setback > 0) { // one that was voted lost waits longer
				w.fail("seed %d: %s claimed while it was quiet", seed, n)
			}
		}
		if !w.settled() {
			w.fail("seed %d: not settled", seed)
		}
	}
}
