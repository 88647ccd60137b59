package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"earshot/node"
	"earshot/node/identity"
)

// In some storms people also confide in each other: two and two in direct conversations, and in a private room, whose owner invites and removes others. What they say there says whose it is, so
// that it is found wherever it should not be.

// A confidence is what a storm knows of that.
type confidence struct {
	players   []*host    // who may be invited
	pairs     [][2]*host // who talk to each other
	founder   *host
	handsOver bool // the room has other owners, too
	rng       *rand.Rand

	mu      sync.Mutex // protects what follows
	persons map[*host]identity.PeerID
	secrets map[string]*secret
	shared  map[identity.PeerID]bool // was invited with what was said before
}

// A secret is something said in a sealed room.
type secret struct {
	text string
	by   *run
	with identity.PeerID // the other of a conversation; zero: it was said in a private room
	at   time.Time
}

// confidants draws who confides in whom, and when, from random numbers of its own: a seed's storm is otherwise the same.
func (w *world) confidants(steps []Step) []Step {
	rng := rand.New(rand.NewPCG(w.c.Seed, 4))
	drawn := rng.IntN(6) == 0
	if len(w.c.Only) > 0 {
		drawn = slices.Contains(w.c.Only, "sealed")
	}
	if !drawn && !w.c.Sealed {
		return nil
	}
	role := rng.Perm(len(w.hosts))
	as := func(i int) *host { return w.hosts[role[i]] }
	c := &confidence{players: slices.Clone(w.hosts), pairs: [][2]*host{{as(0), as(1)}, {as(2), as(0)}}, founder: as(0), rng: rng,
		persons: map[*host]identity.PeerID{}, secrets: map[string]*secret{}, shared: map[identity.PeerID]bool{}}
	if c.founder.config.NoHistory { // it would forget its room
		c.founder = as(1)
	}
	people := map[identity.PeerID]bool{}
	for _, h := range w.hosts {
		c.persons[h] = h.up().ID()
		people[h.up().ID()] = true
	}
	// An owner that hands its room over and does not know it, because its disk is an older one, or its profile is there twice, ends the room when it hands it over again.
	c.handsOver = len(people) == len(w.hosts) && !slices.ContainsFunc(steps, func(s Step) bool { return s.Do == "restore" || s.Do == "copy" })
	w.logf("== in direct conversations are %v; %v founds a private room", c.pairs, c.founder)
	w.sealed = c
	var more []Step
	for host := range w.hosts {
		pace := time.Duration(600+rng.IntN(3000)) * time.Millisecond
		for at := time.Duration(rng.Int64N(int64(2 * time.Second))); at < w.c.Length; at += time.Duration(rng.ExpFloat64() * float64(pace)) {
			more = append(more, Step{At: at, Do: "confide", Host: host, N: rng.IntN(1 << 20)})
		}
	}
	return more
}

// person returns who a host is, or was last.
func (c *confidence) person(h *host) identity.PeerID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.persons[h]
}

// den is in what private rooms are called and in what is said there, whose of two in what they tell each other.
const den = "secret-den"

func whose(a, b *host) string {
	return fmt.Sprintf("secret-of-%s-and-%s", min(a.profile, b.profile), max(a.profile, b.profile))
}

// confide does one thing in a sealed room, or about one.
func (r *run) confide(w *world, n int) {
	c := w.sealed
	do := func(command node.Command) {
		w.logf("%s%d %T%+v: %v", r.host.name, r.n, command, command, r.Do(context.Background(), command))
	}
	s := r.Snapshot()
	if s.Undecided {
		return
	}
	what := n % 16
	n /= 16
	var asked, in, owned []node.Room
	for _, room := range s.Rooms {
		switch {
		case room.Kind != node.PrivateRoom || room.Out:
		case !room.Joined:
			asked = append(asked, room)
		default:
			in = append(in, room)
			if room.Owner.ID == r.ID() {
				owned = append(owned, room)
			}
		}
	}
	var others []*host
	for _, p := range c.pairs {
		if i := slices.Index(p[:], r.host); i >= 0 && c.person(p[1-i]) != r.ID() {
			others = append(others, p[1-i])
		}
	}
	switch {
	case len(asked) > 0 && what < 12:
		do(node.Join{Room: asked[0].Name})
	case len(asked) > 0 && what == 12 && n%4 == 0:
		do(node.Leave{Room: asked[0].Name})
	case r.host == c.founder && len(owned) == 0 && len(in) == 0:
		do(node.NewRoom{Name: fmt.Sprintf("%s-of-%s-%d", den, r.host.name, r.n)})
	case len(owned) > 0 && what < 5:
		r.tend(c, do, owned[0].Name, what, n)
	case len(others) > 0 && (what < 9 || len(in) == 0):
		o := others[n%len(others)]
		who := c.person(o)
		r.tellSecret(c, "@"+who.Fingerprint(), whose(r.host, o), who, n)
	case len(in) > 0 && what == 15 && n%8 == 0 && len(owned) == 0:
		do(node.Leave{Room: in[0].Name})
	case len(in) > 0:
		r.tellSecret(c, in[0].Name, den, identity.PeerID{}, n)
	}
}

// tend does what a room's owner does now and then.
func (r *run) tend(c *confidence, do func(node.Command), room string, what, n int) {
	members, err := r.Members(room)
	if err != nil {
		return
	}
	who := c.person(c.players[n%len(c.players)])
	n /= 8
	switch is := slices.ContainsFunc(members, func(m node.Member) bool { return m.ID == who }); {
	case who == r.ID():
	case !is:
		history := n%4 == 0
		if history {
			c.mu.Lock()
			c.shared[who] = true
			c.mu.Unlock()
		}
		do(node.Invite{Room: room, Person: who.Fingerprint(), History: history})
	case what == 0 && c.handsOver && n%4 == 0:
		do(node.HandOver{Room: room, Person: who.Fingerprint()})
	case what < 3:
		do(node.Remove{Room: room, Person: who.Fingerprint()})
	}
}

// tellSecret says something in a sealed room, or does something about what was said there.
func (r *run) tellSecret(c *confidence, room, marked string, with identity.PeerID, n int) {
	ctx := context.Background()
	what := n % 16
	n /= 16
	if what >= 12 {
		page, err := r.Page(room, node.Key{}, 8)
		if err != nil || len(page) == 0 {
			return
		}
		m := page[n%len(page)]
		switch {
		case what == 12:
			r.Do(ctx, node.React{Target: m.Ref(), Emoji: "👍"})
		case what == 13 && m.Mine && !m.Redacted:
			r.Do(ctx, node.Redact{Target: m.Ref()})
		case what == 14 && m.Mine && !m.Redacted:
			r.Do(ctx, node.Edit{Target: m.Ref(), Text: r.secret(c, marked, with)})
		case with != identity.PeerID{}:
			r.Do(ctx, node.Seen{Room: room, Up: page[len(page)-1].Key})
		}
		return
	}
	text := r.secret(c, marked, with)
	if r.Do(ctx, node.Say{Room: room, Text: text}) == nil {
		r.mu.Lock()
		r.confided = append(r.confided, text)
		r.mu.Unlock()
	}
}

// secret makes something to be said.
func (r *run) secret(c *confidence, marked string, with identity.PeerID) string {
	r.mu.Lock()
	n := r.secrets
	r.secrets++
	r.mu.Unlock()
	s := &secret{text: fmt.Sprintf("%s %s.%d.%d", marked, r.host.name, r.n, n), by: r, with: with, at: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[s.text] = s
	return s.text
}
