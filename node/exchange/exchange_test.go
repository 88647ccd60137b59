package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// A replica is one journal with its exchange, on a host of its own.
type replica struct {
	t       *testing.T
	name    string
	lan     *nodetest.LAN
	host    *nodetest.Process
	who     *identity.Identity
	session identity.Session
	journal *journal.Journal
	x       *exchange.Exchange
	author  *journal.Author

	mu     sync.Mutex // protects what follows
	stable map[uint64]int
	forks  int // found
}

var realm = identity.Realm{7}

func newReplica(t *testing.T, lan *nodetest.LAN, name string) *replica {
	t.Helper()
	return newReplicaIn(t, lan, name, t.TempDir())
}

// newReplicaIn keeps its history in dir; empty: in memory. newReplicaBy goes by a clock of its own.
func newReplicaIn(t *testing.T, lan *nodetest.LAN, name, dir string) *replica {
	t.Helper()
	return newReplicaOf(t, lan, name, journal.Config{Dir: dir})
}

func newReplicaBy(t *testing.T, lan *nodetest.LAN, name string, clock *journal.Clock) *replica {
	t.Helper()
	return newReplicaOf(t, lan, name, journal.Config{Dir: t.TempDir(), Clock: clock})
}

func newReplicaOf(t *testing.T, lan *nodetest.LAN, name string, c journal.Config) *replica {
	t.Helper()
	who := frames.Identity(t, name)
	r := &replica{t: t, name: name, lan: lan, host: lan.Host(name).Net(), who: who, session: identity.NewSession(), stable: map[uint64]int{}}
	c.Network, c.Realm = identity.NetworkID{1}, realm
	c.Forked = func(journal.Fork) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.forks++
	}
	var err error
	if r.journal, err = journal.Open(c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := r.journal.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
	})
	r.author = r.journal.NewAuthor(who, name)
	r.x = exchange.New(exchange.Config{Journal: r.journal, Host: hostID(name), Stable: func(l message.LogID, seq uint64, copies int, all bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stable[seq] = max(r.stable[seq], copies)
	}})
	return r
}

func hostID(name string) (h identity.HostID) {
	copy(h[:], name)
	return h
}

// say writes n messages.
func (r *replica) say(n int) {
	r.t.Helper()
	for i := range n {
		r.sayText(fmt.Sprintf("%s %d at %d", r.name, i, time.Now().UnixNano()))
	}
}

func (r *replica) sayText(text string) journal.Key {
	r.t.Helper()
	_, key, _, err := r.author.Write(r.t.Context(), message.Public, message.Room(message.Lobby), message.Lobby, message.Text, []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

// link runs the exchange between r, which dials, and hub, and returns what ends it.
func (r *replica) link(hub *replica) (end func()) {
	r.t.Helper()
	here, there := ends(r.t, r.lan, r.name, hub)
	return r.join(hub, here, there)
}

func (r *replica) join(hub *replica, here, there net.Conn) (end func()) {
	ctx, stop := context.WithCancel(r.t.Context())
	var done sync.WaitGroup
	run := func(x *exchange.Exchange, c net.Conn, other *replica, isHub bool) {
		ping := time.Duration(0)
		if isHub {
			ping = 250 * time.Millisecond
		}
		done.Go(func() {
			x.Run(ctx, &exchange.Link{Conn: c, Reader: wire.NewReader(c), Peer: other.who.ID(), Hub: isHub, Silence: 5 * time.Second, Ping: ping,
				Session: other.session, Host: hostID(other.name)})
		})
	}
	run(hub.x, there, r, true)
	run(r.x, here, hub, false)
	end = sync.OnceFunc(func() {
		stop()
		done.Wait()
	})
	r.t.Cleanup(end)
	return end
}

// texts is everything in order.
func (r *replica) texts() []string {
	r.t.Helper()
	var out []string
	for l, err := range r.journal.All(0) {
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, string(l.Body))
	}
	return out
}

// equal fails unless all hold the same n messages in the same order, each once.
func equal(t *testing.T, n int, replicas ...*replica) {
	t.Helper()
	first := replicas[0].texts()
	if len(first) != n {
		t.Errorf("%s has %d messages, want %d", replicas[0].name, len(first), n)
	}
	sorted := slices.Clone(first)
	slices.Sort(sorted)
	if c := slices.Compact(sorted); len(c) != len(first) {
		t.Errorf("%s has %d messages twice", replicas[0].name, len(first)-len(c))
	}
	for _, r := range replicas[1:] {
		if got := r.texts(); !slices.Equal(got, first) {
			t.Errorf("%s and %s differ: %d and %d messages", r.name, replicas[0].name, len(got), len(first))
		}
	}
}

func bubble(t *testing.T, f func(t *testing.T, lan *nodetest.LAN)) {
	synctest.Test(t, func(t *testing.T) { f(t, nodetest.New(1)) })
}

// Two that were apart for days become equal, with a catch-up long enough to be bulk, and follow each other live from then on.
func TestTwoBecomeEqual(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := newReplica(t, lan, "a"), newReplica(t, lan, "b")
		for range 3 {
			a.say(50)
			b.say(20)
			time.Sleep(24 * time.Hour)
		}
		b.link(a)
		time.Sleep(5 * time.Second)
		equal(t, 210, a, b)
		a.sayText("live from a")
		b.sayText("live from b")
		time.Sleep(100 * time.Millisecond)
		equal(t, 212, a, b)
	})
}

// What one author wrote in several logs, as a process does that was alone first, comes in the order in which it was written.
func TestPulledInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := newReplica(t, lan, "a"), newReplica(t, lan, "b")
		var want []string
		for i := range 40 {
			a.author = a.journal.NewAuthor(a.who, "a")
			want = append(want, fmt.Sprintf("line %02d", i))
			a.sayText(want[i])
			time.Sleep(time.Second)
		}
		b.link(a)
		time.Sleep(2 * time.Second)
		entries, err := b.journal.Follow(0).Next(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			lines, err := b.journal.Lines(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				got = append(got, string(l.Body))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("arrived: %q", got)
		}
	})
}

// What a follower says reaches the others through the hub, at once and in the author's order, also when it comes late to the gathering.
func TestHubRelays(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		all := []*replica{hub}
		for i := range 4 {
			r := newReplica(t, lan, fmt.Sprintf("f%d", i))
			r.say(3)
			r.link(hub)
			all = append(all, r)
		}
		time.Sleep(3 * time.Second)
		equal(t, 12, all...)
		for _, r := range all {
			r.sayText("hello from " + r.name)
		}
		time.Sleep(20 * time.Millisecond)
		equal(t, 17, all...)
		late := newReplica(t, lan, "late")
		late.link(hub)
		time.Sleep(2 * time.Second)
		equal(t, 17, append(all, late)...)
	})
}

// An empty hub gets a long history from several who all have it, and those who lack a part get that from it although bulk is not relayed.
func TestBulkReachesEveryone(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := newReplica(t, lan, "a"), newReplica(t, lan, "b")
		a.say(500)
		b.say(300)
		hub, c := newReplica(t, lan, "hub"), newReplica(t, lan, "c")
		for _, r := range []*replica{a, b, c} {
			r.link(hub)
		}
		time.Sleep(10 * time.Second)
		equal(t, 800, hub, a, b, c)
	})
}

// A link that breaks at any moment loses nothing: the next one brings the rest.
func TestBrokenLinksLoseNothing(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
		n := 0
		for i := range 30 {
			endA, endB := a.link(hub), b.link(hub)
			for range 5 {
				a.sayText(fmt.Sprint("a", n))
				b.sayText(fmt.Sprint("b", n))
				n++
				time.Sleep(time.Duration(i*37%11) * 100 * time.Microsecond)
			}
			endA()
			a.sayText(fmt.Sprint("apart", n))
			endB()
		}
		a.link(hub)
		b.link(hub)
		time.Sleep(5 * time.Second)
		equal(t, 2*n+30, hub, a, b)
	})
}

// deaf links a follower to the hub that says what it holds, which begins its tail, and then reads no more than the test does. It tells when its link ended.
func deaf(t *testing.T, lan *nodetest.LAN, hub *replica) (net.Conn, <-chan time.Time) {
	t.Helper()
	stuck := newReplica(t, lan, "stuck")
	c, there := ends(t, lan, "stuck", hub)
	t.Cleanup(func() { c.Close() })
	ended := make(chan time.Time, 1)
	go func() {
		hub.x.Run(t.Context(), &exchange.Link{Conn: there, Reader: wire.NewReader(there), Hub: true, Ping: 250 * time.Millisecond, Session: stuck.session})
		ended <- time.Now()
	}()
	state := wire.State{Realm: realm, Groups: []wire.GroupState{{Group: message.Public}}}
	if _, err := c.Write(wire.Append(nil, wire.TypeState, &state)); err != nil {
		t.Fatal(err)
	}
	return c, ended
}

// A reader that takes nothing is cut off after WriteTimeout where little is said, and sooner where much is; the others do not notice.
func TestStuckReaderHarmsNobody(t *testing.T) {
	for _, test := range []struct {
		pause       time.Duration // between lines of 4 KB
		least, most time.Duration
	}{
		{20 * time.Millisecond, exchange.WriteTimeout, 3 * exchange.WriteTimeout / 2},
		{800 * time.Microsecond, time.Second, 2 * time.Second}, // 4 MB take 0.8 s
	} {
		bubble(t, func(t *testing.T, lan *nodetest.LAN) {
			hub, a, b := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "b")
			a.link(hub)
			b.link(hub)
			_, ended := deaf(t, lan, hub)
			began := time.Now() // it takes not even the STATE of the hub
			big := string(make([]byte, 4000))
			said := 0
			for ; len(ended) == 0 && time.Since(began) < test.most; said++ {
				a.sayText(fmt.Sprint(said, big))
				time.Sleep(test.pause)
				if n := b.journal.Last(); n < int64(said)-int64(time.Second/10/test.pause) {
					t.Fatalf("b has %d messages after %d", n, said+1)
				}
			}
			if len(ended) == 0 {
				t.Fatalf("a line every %v: not cut off after %v", test.pause, test.most)
			}
			if after := (<-ended).Sub(began); after < test.least {
				t.Errorf("a line every %v: cut off after %v", test.pause, after)
			}
			time.Sleep(time.Second)
			equal(t, said, hub, b)
		})
	}
}

// An author hears that its message is on two more machines' disks: the hub's and a witness's.
func TestStable(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub, a, w := newReplica(t, lan, "hub"), newReplica(t, lan, "a"), newReplica(t, lan, "w")
		a.link(hub)
		w.link(hub)
		hub.x.Witnesses([]identity.Session{w.session})
		w.x.Witness(true)
		time.Sleep(100 * time.Millisecond)
		hub.commits()
		a.say(3)
		time.Sleep(3 * time.Second)
		a.mu.Lock()
		defer a.mu.Unlock()
		for seq := uint64(3); seq <= 3; seq++ {
			if a.stable[seq] != 2 {
				t.Errorf("message %d is on %d other machines, want 2 (%v)", seq, a.stable[seq], a.stable)
			}
		}
	})
}

// Another realm is not exchanged with.
func TestOtherRealm(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		hub.say(1)
		c, there := ends(t, lan, "a", hub)
		defer c.Close()
		if _, err := c.Write(wire.Append(nil, wire.TypeState, &wire.State{Realm: identity.Realm{9}})); err != nil {
			t.Fatal(err)
		}
		if err := hub.x.Run(t.Context(), &exchange.Link{Conn: there, Reader: wire.NewReader(there), Hub: true}); !errors.Is(err, exchange.ErrRealm) {
			t.Fatalf("an exchange with another realm: %v", err)
		}
	})
}

// A talker is a Control that has something to say from the start.
type talker struct{ said bool }

func (c *talker) Receive(wire.Type, []byte) error { return nil }
func (c *talker) Begin(func())                    {}
func (c *talker) Next(b []byte, _ bool) []byte {
	if !c.said {
		b = wire.Append(b, wire.TypePresence, &wire.Presence{Full: true})
	}
	c.said = true
	return b
}

// What a hub says first is STATE, however much else it has to say: the other end takes it for no hub otherwise.
func TestHubBeginsWithState(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		for range 200 {
			here, there := ends(t, lan, "follower", hub)
			ctx, stop := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() {
				hub.x.Run(ctx, &exchange.Link{Conn: there, Reader: wire.NewReader(there), Hub: true, Session: identity.NewSession(), Control: &talker{}})
			})
			kind, _, err := wire.NewReader(here).Next()
			stop()
			done.Wait()
			here.Close()
			if err != nil || kind != wire.TypeState {
				t.Fatalf("the first frame is of type %d, %v; want STATE", kind, err)
			}
		}
	})
}
