package node

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"

	"earshot/node/hub"
	"earshot/node/identity"
	"earshot/node/link"
	"earshot/node/nodetest"
	"earshot/node/wire"
)

// crowd is n people as a hub tells of them; every tenth is called like the one before.
func crowd(n int) (list []wire.Person) {
	for i := range n {
		nick := fmt.Sprint("guest", i)
		if i%10 == 9 {
			nick = fmt.Sprint("Guest", i-1)
		}
		list = append(list, wire.Person{Session: identity.Session{1, byte(i >> 8), byte(i)}, ID: identity.PeerID{2, byte(i >> 8), byte(i)}, Nick: nick, Address: []string{"10.0.0.7:4327"}})
	}
	return list
}

// What is remembered of nicks is what it would be anew: while people come, go, are called otherwise and have several instances.
func TestNicksRemembered(t *testing.T) {
	me := identity.PeerID{9}
	changed := 0
	known := remembered(t, filepath.Join(t.TempDir(), "contacts.json"), false)
	p := newPeople(Person{ID: me, Nick: "guest1"}, known, func() { changed++ })
	all := crowd(40)
	check := func() {
		t.Helper()
		fresh := newPeople(Person{ID: me, Nick: p.self.Nick}, known, func() {})
		var linked []wire.Person
		for _, w := range p.linked {
			linked = append(linked, w)
		}
		fresh.serve(linked)
		got, number := p.all()
		want, _ := fresh.all()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got\n%v\nwant\n%v", got, want)
		}
		if len(p.nicks) > len(p.linked) {
			t.Errorf("%d nicks of %d are remembered", len(p.nicks), len(p.linked))
		}
		for _, w := range all {
			if got, want := p.name(w.ID, w.Nick), fresh.name(w.ID, w.Nick); got != want {
				t.Errorf("%s is shown as %s, not %s", w.Nick, got, want)
			}
		}
		if _, again := p.all(); again != number {
			t.Error("another number for the same list")
		}
	}
	check()
	p.serve(all)
	check()
	for i, want := range map[int]string{1: "guest1~" + all[1].ID.Tag(), 2: "guest2", 8: "guest8~" + all[8].ID.Tag(), 9: "Guest8~" + all[9].ID.Tag()} {
		if got := p.name(all[i].ID, all[i].Nick); got != want {
			t.Errorf("%s is shown as %s", want, got)
		}
	}
	_, before := p.all()
	p.presence(wire.Presence{Gone: []identity.Session{all[8].Session, all[3].Session}})
	if _, after := p.all(); after == before {
		t.Error("two left, and the number is the same")
	}
	check()
	all[8].Nick, all[3].Nick = "guest5", "hub"
	p.presence(wire.Presence{Here: []wire.Person{all[8], all[3], {Session: identity.Session{7}, ID: all[5].ID, Nick: "aaron"}}})
	check()
	p.rename(func(q *Person) { q.Nick = "guest6" })
	check()
	if changed < 4 {
		t.Errorf("told %d times", changed)
	}
}

// A hub may say that thousands of instances are one person's: where a few of them are is kept, or each change would cost the square of what it says.
func TestThousandsOfInstances(t *testing.T) {
	known := remembered(t, filepath.Join(t.TempDir(), "contacts.json"), false)
	p := newPeople(Person{ID: identity.PeerID{9}, Nick: "me"}, known, func() {})
	all := crowd(2000)
	for i := range all {
		all[i].ID, all[i].Address = all[0].ID, []string{fmt.Sprintf("10.0.%d.%d:4327", i>>8, i&255)}
	}
	p.presence(wire.Presence{Full: true, Here: all})
	if q, here := p.person(all[0].ID); !here || len(q.Address) != wire.MaxAddress {
		t.Errorf("%d addresses are kept", len(q.Address))
	}
}

// What this node's hub said of who is here does not come after what the next hub says: whoever was here then would stay for ever.
func TestNoGhosts(t *testing.T) {
	n := hall(t)
	s, next, crowded := n.seat, crowd(2), hub.New(hub.Config{})
	for _, p := range crowd(500) {
		p.Session[0] = 9
		crowded.SetSelf(p)
	}
	set := func(h *hub.Hub) {
		s.role.Lock()
		defer s.role.Unlock()
		s.hub = h
	}
	for i := range 100 {
		set(crowded)
		told := make(chan struct{})
		go func() {
			defer close(told)
			s.tell()
		}()
		for range i { // it is in the midst of that, sometimes
			runtime.Gosched()
		}
		set(nil)
		n.people.presence(wire.Presence{Full: true, Here: next})
		<-told
		if here := n.people.instances(); len(here) != len(next) {
			t.Fatalf("%d are here, not %d", len(here), len(next))
		}
	}
}

// What the next hub says first, of the few who have come to it by then, may be there before this node shows that it follows it: nobody left all the same.
func TestNobodyLeavesWithTheSeat(t *testing.T) {
	n := hall(t)
	s := n.seat
	w := &way{owner: s, stop: func() {}, ended: make(chan struct{})}
	s.way = w
	s.report(w, link.Report{State: link.Linked, Peer: crowd(1)[0].ID})
	n.people.presence(wire.Presence{Full: true, Here: crowd(1)})
	if here := len(n.people.everyone()); here != 201 {
		t.Errorf("%d are here, not 201", here)
	}
}

func hall(b testing.TB) *Node {
	dir := b.TempDir()
	n, err := New(Config{Dir: filepath.Join(dir, "p"), HostDir: dir, Nick: "harry", Net: nodetest.New(1).Host("harry").Net(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	n.people.serve(crowd(200))
	return n
}

// How things stand with 200 people here, as a screen asks after each change.
func BenchmarkSnapshot(b *testing.B) {
	n := hall(b)
	for b.Loop() {
		n.Snapshot()
	}
}

// One of 200 people is away, or back.
func BenchmarkPeopleChange(b *testing.B) {
	n := hall(b)
	for b.Loop() {
		n.people.presence(wire.Presence{Here: crowd(1)})
	}
}

// One who follows the events looks at each message whether people changed.
func BenchmarkPeopleSame(b *testing.B) {
	n := hall(b)
	s := newStates(n, func(Event) bool { return true })
	s.people()
	for b.Loop() {
		s.people()
	}
}
