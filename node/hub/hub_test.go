package hub

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// A seat is a hub on a host of the LAN that admits and greets whoever dials it.
type seat struct {
	*Hub
	t       *testing.T
	lan     *nodetest.LAN
	address string
	ended   chan error // of links, in order
	places  []string   // where else anybody may be reached
}

// serve runs a test at a hub whose limit of a person is perSecond and burst; 0: none.
func serve(t *testing.T, perSecond rate.Limit, burst int, f func(s *seat)) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(journal.Config{Dir: t.TempDir(), Network: network})
		if err != nil {
			t.Fatal(err)
		}
		c := exchange.Config{Journal: j}
		if burst > 0 {
			c.Limit = func(identity.PeerID) *rate.Limiter { return rate.NewLimiter(perSecond, burst) }
		}
		lan := nodetest.New(1)
		l, _, err := lan.Host("hub").Net().Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		self := frames.Identity(t, "hub")
		s := &seat{t: t, lan: lan, address: l.Addr().String(), ended: make(chan error, 16)}
		s.Hub = New(Config{Exchange: exchange.New(c), Self: wire.Person{Session: identity.NewSession(), ID: self.ID(), Nick: "hub"}, Places: func(_ identity.Session, from string) []string { return append([]string{from}, s.places...) }})
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { j.Run(ctx) })
		gate := frames.Gate(t, self)
		work.Go(func() {
			for {
				raw, err := l.Accept()
				if err != nil {
					return
				}
				work.Go(func() { s.greet(ctx, gate, raw) })
			}
		})
		t.Cleanup(func() {
			l.Close()
			stop()
			work.Wait()
		})
		f(s)
	})
}

var network = identity.NetworkID{1}

func (s *seat) greet(ctx context.Context, gate *identity.Gate, raw net.Conn) {
	c, err := gate.Accept(ctx, raw, identity.ProtoChat)
	if err != nil {
		s.t.Error(err)
		return
	}
	r := wire.NewReader(c)
	var hello wire.Hello
	t, body, err := r.Next()
	if err == nil && t == wire.TypeHello {
		err = wire.Decode(body, &hello)
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	serve, err := s.Begin(ctx, c, r, &hello, nil)
	if err == nil {
		err = serve()
	}
	s.ended <- err
}

// link dials the hub as a person of that name with a session.
func (s *seat) link(name string, session identity.Session) *frames.Peer {
	s.t.Helper()
	return s.linkFrom(name, wire.Hello{Session: session})
}

func (s *seat) linkFrom(name string, h wire.Hello) *frames.Peer {
	s.t.Helper()
	p := frames.Dial(s.t, s.lan, name, frames.Identity(s.t, name), s.address)
	h.Version, h.Nick = wire.Version, name
	p.Send(wire.TypeHello, &h)
	return p
}

// nicks are those of the people linked, the hub's own left out.
func (s *seat) nicks() (nicks []string) {
	for _, p := range s.People() {
		if p.Nick != "hub" {
			nicks = append(nicks, p.Nick)
		}
	}
	slices.Sort(nicks)
	return nicks
}

// A session is its first person's: another who gives it is turned away, and the first stays linked. The same person may dial again.
func TestSessionIsItsPersons(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		session := identity.NewSession()
		alice := s.link("alice", session)
		alice.Await(time.Second, wire.TypePresence, nil)
		mallory := s.link("mallory", session)
		if err := <-s.ended; !errors.Is(err, identity.ErrUnexpected) {
			t.Errorf("mallory's link ended: %v", err)
		}
		if _, _, err := mallory.Next(time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("mallory was not cut off: %v", err)
		}
		alice.Await(time.Second, wire.TypePing, nil)
		again := s.link("alice", session)
		again.Await(time.Second, wire.TypePresence, nil)
		<-s.ended
		again.Await(time.Second, wire.TypePing, nil)
		if got := s.nicks(); !slices.Equal(got, []string{"alice"}) {
			t.Errorf("here are %v", got)
		}
		again.Close()
		<-s.ended
		s.link("mallory", session) // while alice is away
		if err := <-s.ended; !errors.Is(err, identity.ErrUnexpected) {
			t.Errorf("mallory's link ended: %v", err)
		}
		s.link("alice", session).Await(time.Second, wire.TypePresence, nil)
	})
}

// Of who comes by an address that may be of no use to others these are told where else it may be reached; of who is known by the hub alone, nothing.
func TestPlaces(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		s.places = []string{"10.77.0.2:4327", "[fe80::2%eth0]:4327"}
		alice := s.linkFrom("alice", wire.Hello{Session: identity.NewSession(), Port: 4327})
		alice.Await(time.Second, wire.TypePresence, nil)
		host, _, _ := net.SplitHostPort(alice.Conn.LocalAddr().String())
		bob := s.linkFrom("bob", wire.Hello{Session: identity.NewSession(), Port: 4327, LinkOnly: true})
		bob.Await(time.Second, wire.TypePresence, nil)
		for _, p := range s.People() {
			switch p.Nick {
			case "alice":
				if want := []string{net.JoinHostPort(host, "4327"), "10.77.0.2:4327", "[fe80::2%eth0]:4327"}; !slices.Equal(p.Address, want) {
					t.Errorf("alice is at %v, want %v", p.Address, want)
				}
			case "bob":
				if len(p.Address) > 0 {
					t.Errorf("bob is at %v", p.Address)
				}
			}
		}
	})
}

// A machine that was copied while it ran has one session at two addresses: both stay linked, and the session is here until both have gone.
func TestOneSessionAtTwoAddresses(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		session := identity.NewSession()
		one := s.link("alice", session)
		one.Await(time.Second, wire.TypePresence, nil)
		dial := func(from string) *frames.Peer {
			p := frames.Dial(s.t, s.lan, from, frames.Identity(s.t, "alice"), s.address)
			p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Session: session, Nick: "alice"})
			p.Await(time.Second, wire.TypePresence, nil)
			return p
		}
		two := dial("elsewhere")
		for range 3 {
			for _, p := range []*frames.Peer{one, two} {
				p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
				p.Await(time.Second, wire.TypePing, nil)
			}
		}
		if s.Followers() != 2 {
			t.Errorf("%d links, want 2", s.Followers())
		}
		one = dial("alice") // that one has dialled anew, and is the same process for sure
		<-s.ended
		again := dial("elsewhere")
		<-s.ended
		if s.Followers() != 2 {
			t.Errorf("%d links, want 2", s.Followers())
		}
		one.Send(wire.TypeNote, &wire.Note{Nick: "old"})
		again.Send(wire.TypeNote, &wire.Note{Nick: "new"})
		time.Sleep(100 * time.Millisecond)
		if got := s.nicks(); !slices.Equal(got, []string{"new"}) {
			t.Errorf("here are %v, want the newest's nick", got)
		}
		again.Hangup()
		<-s.ended
		if got := s.nicks(); !slices.Equal(got, []string{"alice"}) {
			t.Errorf("here are %v, want the one that is left", got)
		}
		one.Hangup()
		<-s.ended
		if got := s.nicks(); len(got) > 0 || s.Followers() != 0 {
			t.Errorf("here are %v, with %d links", got, s.Followers())
		}
	})
}

// Witnesses are on machines of their own: neither two of them on one, nor one on the hub's where that keeps history itself. Successors come first, and who is reached by hand
// will do.
func TestWitnessesAreOnTheirOwnMachines(t *testing.T) {
	for _, c := range []struct {
		name       string
		machines   string // of the followers a, b, c, d; h is the hub's
		successors string
		want       string
	}{
		{"all apart", "1234", "cb", "cb"},
		{"two on one machine", "1123", "abc", "ac"},
		{"one on the hub's", "h123", "abc", "bc"},
		{"no successor", "1111", "", "a"},
		{"one successor", "1234", "d", "da"},
		{"all on the hub's", "hhhh", "abcd", ""},
		{"one without a session", "1234", "", "\x00b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve(t, 0, 0, func(s *seat) {
				s.config.Self.Host = identity.HostID{'h'}
				session := func(name byte) identity.Session {
					if name == 'a' && strings.HasPrefix(c.want, "\x00") {
						name = 0
					}
					return identity.Session{name}
				}
				for i := range 4 {
					s.linkFrom(string("abcd"[i]), wire.Hello{Session: session("abcd"[i]), Host: identity.HostID{c.machines[i]}, LinkOnly: true}).Await(time.Second, wire.TypePresence, nil)
				}
				var successors []identity.Session
				for i := range c.successors {
					successors = append(successors, session(c.successors[i]))
				}
				s.SetOrder(1, successors)
				got := ""
				for _, w := range s.order.Witnesses {
					got += string(w[0])
				}
				if got != c.want {
					t.Errorf("witnesses %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Who is a witness stays one, whoever comes: otherwise everybody would be told of each who comes with a lower session.
func TestWitnessesStay(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		s.config.Self.Host = identity.HostID{'h'}
		come := func(name string) *frames.Peer {
			p := s.linkFrom(name, wire.Hello{Session: identity.Session{name[0]}, Host: identity.HostID{name[0]}, LinkOnly: true})
			p.Await(time.Second, wire.TypePresence, nil)
			s.SetOrder(1, nil)
			return p
		}
		var order wire.Order
		come("c")
		d := come("d")
		for _, name := range []string{"a", "b"} {
			come(name)
		}
		if got := s.order.Witnesses; !slices.Equal(got, []identity.Session{{'c'}, {'d'}}) {
			t.Errorf("the witnesses are %v", got)
		}
		d.Close()
		<-s.ended
		s.SetOrder(1, nil)
		come("e").Await(time.Second, wire.TypeOrder, &order)
		if !slices.Equal(order.Witnesses, []identity.Session{{'c'}, {'a'}}) {
			t.Errorf("after one has left the witnesses are %v", order.Witnesses)
		}
	})
}

// A link that was replaced while it was not read from says its nick when it is, after its successor has left: nobody is here then.
func TestReplacedLeavesNoGhost(t *testing.T) {
	const burst = 100
	serve(t, 1000, burst, func(s *seat) { // what follows the second run waits for a tenth of a second
		session := identity.NewSession()
		old := s.link("alice", session)
		old.Await(time.Second, wire.TypePresence, nil)
		old.Bytes(wire.Append(s.runs("alice", 2, burst), wire.TypeNote, &wire.Note{Nick: "ghost"}))
		began := time.Now()
		s.link("alice", session).Hangup()
		<-s.ended
		if got := s.nicks(); len(got) > 0 {
			t.Fatalf("here are %v", got)
		}
		<-s.ended
		if d := time.Since(began); d < 100*time.Millisecond {
			t.Fatalf("the old link ended after %v: it was not waiting", d)
		}
		if got := s.nicks(); len(got) > 0 {
			t.Errorf("a ghost is here: %v", got)
		}
	})
}

// runs are n logs of that many records each.
func (s *seat) runs(name string, n, records int) (b []byte) {
	who := frames.Identity(s.t, name)
	for i := range n {
		o := &message.Opening{Network: network, Room: message.Room(message.Lobby), Author: who.ID(), Nonce: message.Nonce{byte(i)}, Day: uint32(time.Now().Unix() / 86400), Nick: name, Name: message.Lobby}
		r := &message.Run{Log: o.Log(), First: 1, Opening: o}
		for k := range records {
			r.Records = append(r.Records, message.Body(uint64(time.Now().UnixMilli())<<16+uint64(k), message.Text, []byte("x")))
		}
		r.Sign(who)
		b = wire.AppendFrame(b, wire.TypeRun, r.Append(nil))
	}
	return b
}

// A follower hears something from a hub where nothing happens three times a second, however many links there are: it gives up after 700 (package link).
func TestIdleHubIsHeard(t *testing.T) {
	for _, links := range []int{1, phaseLinks, 400, 2000} {
		serve(t, 0, 0, func(s *seat) {
			s.mu.Lock()
			for range links - 1 {
				session := identity.NewSession()
				s.members[session] = []*member{{hub: s.Hub, person: wire.Person{Session: session}}}
				s.links++
			}
			s.mu.Unlock()
			alice := s.link("alice", identity.NewSession())
			alice.Await(2*time.Second, wire.TypePing, nil) // what is said at first spares one
			for range 10 {
				began := time.Now()
				if _, _, err := alice.Next(time.Second); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); d > ping+2*time.Millisecond { // on the wire
					t.Errorf("one of %d heard nothing for %v", links, d)
				}
			}
		})
	}
}

// Links that were made at different times are spoken to at the same: a hub wakes up three times a second, not three times a second and link.
func TestLinksShareTheMoment(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		var heard []time.Duration
		began := time.Now()
		for _, name := range []string{"alice", "bob", "carol"} {
			p := s.link(name, identity.NewSession())
			p.Await(time.Second, wire.TypePresence, nil)
			p.Await(time.Second, wire.TypePing, nil)
			heard = append(heard, time.Since(began)%ping)
			time.Sleep(70 * time.Millisecond)
		}
		if first, last := slices.Min(heard), slices.Max(heard); last-first > 3*time.Millisecond { // on the wire
			t.Errorf("of each %v, the links are spoken to at %v", ping, heard)
		}
	})
}

// A profile is told once to each, and not to who has it.
func TestProfilesAreToldOnce(t *testing.T) {
	serve(t, 0, 0, func(s *seat) {
		profiles := func(p *frames.Peer) (told []string) {
			var f wire.Presence
			p.Await(2*time.Second, wire.TypePresence, &f)
			for _, w := range f.Here {
				told = append(told, w.Nick+" "+string(w.Profile))
			}
			slices.Sort(told)
			return told
		}
		check := func(p *frames.Peer, want ...string) {
			t.Helper()
			if got := profiles(p); !slices.Equal(got, want) {
				t.Errorf("%q was told, want %q", got, want)
			}
		}
		alice := s.linkFrom("alice", wire.Hello{Session: identity.NewSession(), Profile: []byte("A1")})
		check(alice, "alice A1", "hub ")
		bob := s.linkFrom("bob", wire.Hello{Session: identity.NewSession(), Profile: []byte("B1"), Known: [][8]byte{wire.ProfileMark([]byte("A1"))}})
		check(bob, "alice ", "bob B1", "hub ")
		check(alice, "bob B1")
		away := true
		bob.Send(wire.TypeNote, &wire.Note{Away: &away})
		check(alice, "bob ")
		check(bob, "bob ")
		session := identity.NewSession()
		s.linkFrom("carol", wire.Hello{Session: session, Profile: []byte("C1")})
		check(alice, "carol C1")
		again := s.linkFrom("carol", wire.Hello{Session: session, Profile: []byte("C2")})
		check(alice, "carol C2")
		again.Send(wire.TypeNote, &wire.Note{Away: &away})
		check(alice, "carol ")
	})
}
