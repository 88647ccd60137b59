package node_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/seal"
	"earshot/node/wire"
)

var sealedAttacks = []attack{
	{"48 direct message stripped and signed anew", signedAnew},
	{"49 swapped or all-zero X-Wing key", badKeys},
	{"50 forged member", forgedMember},
	{"51 removed member posts", removedPosts},
	{"52 mismatched epoch key", mismatchedKey},
	{"replay of an old room state", oldState},
	{"key wrapped for the wrong member", wrongMember},
	{"recipient with an expired key", expiredKey},
	{"in the clear in a sealed group", inTheClear},
	{"outsiders in a sealed group", outsiders},
}

// A conspirator is somebody with keys, on a link to a hub.
type conspirator struct {
	*hostile.Member
	p     *frames.Peer
	v     *victim
	state *wire.State
	key   *seal.PublicKey // the node's
}

// conspire links to a node, which has learned the conspirator's key when this returns.
func conspire(v *victim, name string) *conspirator {
	v.t.Helper()
	c := &conspirator{Member: hostile.NewMember(v.t, name, closedNetwork(v.t).ID()), v: v}
	p, hello, s := v.meet(as(name), wire.Hello{Nick: name, Profile: c.Profile.Bytes()})
	own, err := seal.ParseProfile(c.Network, hello.Profile)
	if err != nil {
		v.t.Fatal(err)
	}
	c.p, c.state, c.key = p, s, &own.Key
	s.Reply = false
	p.Send(wire.TypeState, s)
	v.until(patience, "knows "+name, func() bool { q, err := v.Profile(c.ID()); return err == nil && q != nil })
	return c
}

// direct is where a message to the node stands, and its body.
func (c *conspirator) direct(kind message.Kind, body string) (*hostile.Log, []byte) {
	return c.Direct(c.v.ID()), c.SealTo(c.v.ID(), c.key, seal.Content{Kind: kind, Body: []byte(body)})
}

// sends says something that is sealed already, and is where the node has taken it.
func (c *conspirator) sends(l *hostile.Log, k message.Kind, body []byte) {
	c.v.t.Helper()
	l.Next()
	c.p.Bytes(hostile.Frame(wire.TypeRun, l.Says(k, body)))
	stands(c.v.t, c.p)
}

// tells says something in a direct message, and is where the node shows it.
func (c *conspirator) tells(name, text string, before ...string) {
	c.v.t.Helper()
	l, body := c.direct(message.Text, text)
	c.sends(l, message.Sealed, body)
	c.v.shows(name, append(before, text)...)
}

// invited waits for an invitation to the node's room, and accepts it.
func (c *conspirator) invited() *seal.Room {
	c.v.t.Helper()
	for len(c.Rooms) == 0 {
		c.take()
	}
	for id, r := range c.Rooms {
		c.sends(c.Log(id), message.State, seal.Answer{Epoch: r.Current().Epoch, Yes: true}.Bytes())
		s := *c.state
		s.Groups = append(slices.Clone(s.Groups), wire.GroupState{Group: message.GroupID(id), Today: s.Groups[0].Today})
		c.p.Send(wire.TypeState, &s)
		stands(c.v.t, c.p)
		return r
	}
	return nil
}

// take waits for something that is said.
func (c *conspirator) take() {
	c.v.t.Helper()
	for {
		kind, body, err := c.p.Next(patience)
		if err != nil {
			c.v.t.Fatal(err)
		}
		switch kind {
		case wire.TypeRun, wire.TypePulled, wire.TypeBulk:
			c.Take(body)
			return
		case wire.TypeBeat:
			c.p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
		}
	}
}

// Mallory takes what alice wrote to bob, and says it as her own.
func signedAnew(t *testing.T) {
	bob := stand(t, node.Config{Nick: "bob"})
	alice, mallory := conspire(bob, "alice"), conspire(bob, "mallory")
	l, body := alice.direct(message.Text, "from alice")
	alice.sends(l, message.Sealed, body)
	bob.shows("@alice", "from alice")
	mine := slices.Clone(body) // with mallory's name where that is asked for
	id := mallory.ID()
	copy(mine[len(mine)/2+8:], id[:])
	for _, b := range [][]byte{body, mine, mine[:len(mine)/2]} {
		mallory.sends(mallory.Direct(bob.ID()), message.Sealed, b)
		mallory.sends(mallory.Log(seal.Direct(mallory.Network, alice.ID(), bob.ID())), message.Sealed, b)
	}
	mallory.tells("@mallory", "my own words")
	bob.shows("@alice", "from alice")
}

// reseal signs a profile with another key in it, which may be none.
func reseal(who *identity.Identity, p *seal.Profile, key []byte) []byte {
	b := slices.Clone(p.Bytes())
	copy(b[64:], key)
	id := sha256.Sum256(key)
	copy(b[56:64], id[:])
	signed := b[:len(b)-64]
	return append(signed, who.Sign(append([]byte("earshot/v1 profile\x00"), signed...))...)
}

func badKeys(t *testing.T) {
	v := stand(t, node.Config{})
	low := slices.Clone(hostile.NewMember(t, "low", closedNetwork(t).ID()).Ring.Public()[:])
	clear(low[len(low)-32:]) // X25519's point of low order
	for name, key := range map[string][]byte{"zero": make([]byte, len(low)), "low": low} {
		m := hostile.NewMember(t, name, closedNetwork(t).ID())
		p, _ := v.greet(as(name), wire.Hello{Nick: name, Profile: reseal(m.Who, m.Profile, key)})
		v.until(patience, name+" is here", func() bool {
			return slices.ContainsFunc(v.Snapshot().People, func(p node.Person) bool { return p.ID == m.ID() })
		})
		v.until(patience, "refuses the key", func() bool { return strings.Contains(v.log.String(), "profile refused") })
		if err := v.Do(t.Context(), node.Say{Room: "@" + name, Text: "for nobody"}); err == nil {
			t.Error("sealed with a key that everyone can open")
		}
		p.Hangup()
	}
	// Mallory shows bob's key as hers: what is said to her is for nobody.
	bob := conspire(v, "bob")
	m := hostile.NewMember(t, "mallory", closedNetwork(t).ID())
	p, s := v.greet(mallory, wire.Hello{Nick: "mallory", Profile: reseal(m.Who, m.Profile, bob.Ring.Public()[:])})
	p.Send(wire.TypeState, s)
	v.until(patience, "knows mallory", func() bool { q, err := v.Profile(m.ID()); return err == nil && q != nil })
	v.do(node.Say{Room: "@mallory", Text: "for mallory"})
	v.do(node.Say{Room: "@bob", Text: "for bob"})
	for len(bob.Said) == 0 {
		bob.take()
	}
	if string(bob.Said[0].Body) != "for bob" {
		t.Errorf("bob reads %q", bob.Said[0].Body)
	}
}

// A hub that shows somebody's key as bob's, and bob's with a bit changed.
func TestSwappedKeys(t *testing.T) {
	h := lyingHub(t)
	v := stand(t, node.Config{Join: []string{h.at}})
	p := h.link(t)
	id := closedNetwork(t).ID()
	m, bob, carol := hostile.NewMember(t, "mallory", id), hostile.NewMember(t, "bob", id), hostile.NewMember(t, "carol", id)
	other := slices.Clone(bob.Profile.Bytes())
	other[100] ^= 1
	for _, swapped := range [][]byte{m.Profile.Bytes(), other, reseal(m.Who, bob.Profile, m.Ring.Public()[:])} {
		p.Send(wire.TypePresence, &wire.Presence{Full: true, Here: []wire.Person{
			{Session: identity.NewSession(), ID: bob.ID(), Nick: "bob", Class: 1, Profile: swapped},
			{Session: identity.NewSession(), ID: carol.ID(), Nick: "carol", Class: 1, Profile: carol.Profile.Bytes()},
		}})
		v.until(patience, "knows carol", func() bool { q, err := v.Profile(carol.ID()); return err == nil && q != nil })
		p.Send(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli()})
		if q, err := v.Profile(bob.ID()); q != nil || err != nil {
			t.Fatalf("a key that bob did not sign is taken for his: %v", err)
		}
	}
	if err := v.Do(t.Context(), node.Say{Room: "@bob", Text: "psst"}); err == nil {
		t.Error("something was sealed for bob, whose key is not known")
	}
}

// members are those of #plans, by nick.
func (v *victim) members() (nicks []string) {
	v.t.Helper()
	list, err := v.Members("#plans")
	if err != nil {
		v.t.Fatal(err)
	}
	for _, m := range list {
		nicks = append(nicks, m.Nick)
	}
	slices.Sort(nicks)
	return nicks
}

// plans is a node that owns a private room, in which mallory is.
func plans(t *testing.T) (*victim, *conspirator, *seal.Room) {
	t.Helper()
	v := stand(t, node.Config{})
	m := conspire(v, "mallory")
	v.do(node.NewRoom{Name: "plans"})
	v.do(node.Invite{Room: "#plans", Person: "mallory"})
	r := m.invited()
	s := r.Current()
	key, _ := r.Key(s.Hash())
	m.p.Bytes(m.Seals(m.Log(s.Room()), s, key, seal.Content{Kind: message.Text, Body: []byte("as a member")}))
	v.shows("#plans", "as a member")
	return v, m, r
}

func forgedMember(t *testing.T) {
	v, m, r := plans(t)
	eve := hostile.NewMember(t, "eve", m.Network)
	s := r.Current()
	l := m.Log(s.Room())
	m.sends(l, message.State, hostile.Forge(t, s, m.Who, eve.ID()))
	m.sends(l, message.State, hostile.Forge(t, s, eve.Who, eve.ID()))
	stolen := slices.Clone(s.Bytes()) // the owner's signature, of something else
	stolen[52]++
	m.sends(l, message.State, stolen)
	key, _ := r.Key(s.Hash())
	says := eve.Log(s.Room())
	m.p.Bytes(eve.Seals(says, s, key, seal.Content{Kind: message.Text, Body: []byte("eve has the key, and is no member")}))
	stands(t, m.p)
	if got := v.members(); !slices.Equal(got, []string{"alice", "mallory"}) {
		t.Errorf("members: %q", got)
	}
	v.shows("#plans", "as a member")
}

// Who was removed goes on in the old epoch, dates back, and keeps no place in the next.
func removedPosts(t *testing.T) {
	v, m, r := plans(t)
	s := r.Current()
	key, _ := r.Key(s.Hash())
	old := m.Log(s.Room())
	before := hostile.Now()
	v.do(node.Remove{Room: "#plans", Person: "mallory"})
	say := func(l *hostile.Log, text string) {
		m.p.Bytes(m.Seals(l, s, key, seal.Content{Kind: message.Text, Body: []byte(text)}))
		stands(t, m.p)
	}
	say(old, "late")
	back := m.Log(s.Room())
	back.HLC = before - 1<<32
	at := journal.Place{Key: journal.Key{HLC: back.HLC, Log: back.ID(), Seq: 1}, Prev: back.Tip, Room: s.Room(), Author: m.ID()}
	m.p.Bytes(hostile.Frame(wire.TypeRun, back.Says(message.Sealed, hostile.SealIn(t, s, key, at, seal.Content{Kind: message.Text, Body: []byte("dated back")}))))
	stands(t, m.p)
	v.do(node.Say{Room: "#plans", Text: "without mallory"})
	v.shows("#plans", "as a member", "without mallory")
	for _, c := range m.Said {
		if string(c.Body) == "without mallory" {
			t.Error("mallory reads on")
		}
	}
	if got := v.members(); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("members: %q", got)
	}
}

// owned is a node that is in a room of mallory's, its log of states, the first of them, and its key.
func owned(t *testing.T, more ...identity.PeerID) (v *victim, m *conspirator, l *hostile.Log, s *seal.State, key seal.EpochKey) {
	t.Helper()
	v = stand(t, node.Config{})
	m = conspire(v, "mallory")
	key = seal.NewEpochKey()
	s, err := seal.Found(m.Who, m.Network, message.Nonce{1}, hostile.Now(), key, "plans", append(more, v.ID())...)
	if err != nil {
		t.Fatal(err)
	}
	l = m.Log(s.Room())
	m.sends(l, message.State, s.Bytes())
	invite := (&seal.Invitation{State: s, Key: key}).Content()
	at, body := m.direct(invite.Kind, string(invite.Body))
	m.sends(at, message.Sealed, body)
	v.until(patience, "is invited", func() bool { return len(toldTo[node.Invited](v)) > 0 })
	v.do(node.Join{Room: "#plans"})
	m.says(s, key, "one")
	v.shows("#plans", "one")
	return v, m, l, s, key
}

// says says something in a log of its own, and is where the node has taken it.
func (c *conspirator) says(s *seal.State, key seal.EpochKey, text string) {
	c.v.t.Helper()
	c.p.Bytes(c.Seals(c.Log(s.Room()), s, key, seal.Content{Kind: message.Text, Body: []byte(text)}))
	stands(c.v.t, c.p)
}

// next makes a state, and says it.
func (c *conspirator) next(l *hostile.Log, s *seal.State, change seal.Change) (*seal.State, seal.EpochKey) {
	c.v.t.Helper()
	key := seal.NewEpochKey()
	n, err := s.Next(c.Who, hostile.Now(), key, "plans", change)
	if err != nil {
		c.v.t.Fatal(err)
	}
	c.sends(l, message.State, n.Bytes())
	return n, key
}

// The owner signs for one key, and wraps another: to have some members read what others do not.
func mismatchedKey(t *testing.T) {
	v, m, l, s, _ := owned(t)
	n, key := m.next(l, s, seal.Change{})
	other := seal.NewEpochKey()
	for _, plain := range [][]byte{other.Bytes(), make([]byte, 32), {}, make([]byte, 31)} {
		if body := hostile.Wrap(t, n, v.ID(), v.ID(), m.key, m.key.ID(), plain); len(plain) == 32 {
			m.sends(l, message.State, body)
		}
	}
	m.says(n, other, "under the other key")
	if err := v.Do(t.Context(), node.Say{Room: "#plans", Text: "x"}); err == nil {
		t.Error("something was said in an epoch whose key is not there")
	}
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), m.key, m.key.ID(), key.Bytes()))
	m.says(n, key, "under the right key")
	v.shows("#plans", "one", "under the right key")
}

func oldState(t *testing.T) {
	carol := hostile.NewMember(t, "carol", closedNetwork(t).ID())
	v, m, l, s, key := owned(t, carol.ID())
	n, next := m.next(l, s, seal.Change{Remove: []identity.PeerID{carol.ID()}})
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), m.key, m.key.ID(), next.Bytes()))
	again := m.Log(s.Room())
	m.sends(again, message.State, s.Bytes()) // by the owner, and by carol
	carols := carol.Log(s.Room())
	carols.Next()
	m.p.Bytes(hostile.Frame(wire.TypeRun, carols.Says(message.State, s.Bytes())))
	m.p.Bytes(carol.Seals(carols, s, key, seal.Content{Kind: message.Text, Body: []byte("still here")}))
	stands(t, m.p)
	if got := v.members(); !slices.Equal(got, []string{"alice", "mallory"}) {
		t.Errorf("members: %q", got)
	}
	m.says(n, next, "two")
	v.shows("#plans", "one", "two")
	v.do(node.Say{Room: "#plans", Text: "three"})
	v.shows("#plans", "one", "two", "three")
}

// A key that is wrapped for somebody else, by its name or by what it is bound to, is nobody's.
func wrongMember(t *testing.T) {
	carol := hostile.NewMember(t, "carol", closedNetwork(t).ID())
	v, m, l, s, _ := owned(t, carol.ID())
	n, key := m.next(l, s, seal.Change{})
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), carol.ID(), m.key, m.key.ID(), key.Bytes()))
	m.sends(l, message.State, hostile.Wrap(t, n, carol.ID(), v.ID(), m.key, m.key.ID(), key.Bytes()))
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), carol.Ring.Public(), m.key.ID(), key.Bytes()))
	m.sends(l, message.State, hostile.Wrap(t, s, v.ID(), v.ID(), m.key, m.key.ID(), key.Bytes()))
	m.says(n, key, "for whom?")
	v.shows("#plans", "one")
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), m.key, m.key.ID(), key.Bytes()))
	v.shows("#plans", "one", "for whom?")
}

// What is sealed for a key that was deleted is not shown, the user is told once, and the next is read.
func expiredKey(t *testing.T) {
	v, m, l, s, _ := owned(t)
	gone := hostile.NewMember(t, "gone", m.Network).Ring.Public()
	for range 3 {
		m.sends(m.Direct(v.ID()), message.Sealed, m.SealTo(v.ID(), gone, seal.Content{Kind: message.Text, Body: []byte("too late")}))
	}
	closed := func() (n int) {
		for _, e := range toldTo[node.Notice](v) {
			if strings.Contains(e.Text, "cannot be opened") {
				n++
			}
		}
		return n
	}
	v.until(patience, "is told", func() bool { return closed() > 0 })
	m.tells("@mallory", "in time")
	if n := closed(); n != 1 {
		t.Errorf("told %d times", n)
	}
	n, key := m.next(l, s, seal.Change{})
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), gone, gone.ID(), key.Bytes()))
	m.says(n, key, "two")
	v.shows("#plans", "one")
	m.sends(l, message.State, hostile.Wrap(t, n, v.ID(), v.ID(), m.key, m.key.ID(), key.Bytes())) // as whoever is there wraps it again
	v.shows("#plans", "one", "two")
}

// In a sealed group nothing counts that was not sealed for it, whoever says it.
func inTheClear(t *testing.T) {
	v, m, r := plans(t)
	page, err := v.Page("#plans", node.Key{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	v.do(node.SetTopic{Room: "#plans", Text: "the topic"})
	v.do(node.Say{Room: "#plans", Text: "mine"})
	v.shows("#plans", "as a member", "the topic", "mine")
	m.tells("@mallory", "hello")
	direct, err := v.Page("@mallory", node.Key{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	own, err := v.Page("#plans", node.Key{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref := func(m node.Message) []byte {
		return (&message.About{Refs: []message.Ref{m.Ref()}, Text: []byte("in the clear")}).Body(message.Edit)
	}
	react := func(m node.Message) []byte {
		return (&message.About{Refs: []message.Ref{m.Ref()}, Emoji: "👍", On: true}).Body(message.React)
	}
	for room, lines := range map[message.RoomID][]node.Message{r.Current().Room(): {page[0], own[0]}, seal.Direct(m.Network, m.ID(), v.ID()): direct} {
		l := m.Log(room)
		for _, k := range []message.Kind{message.Text, message.Action, message.Topic, message.File, message.Read, message.Invite, message.Answer, message.Keys, 200} {
			m.sends(l, k, []byte("in the clear"))
		}
		for _, line := range lines {
			m.sends(l, message.Reply, ref(line))
			m.sends(l, message.Edit, ref(line))
			m.sends(l, message.React, react(line))
			if line.Author != m.ID() { // and what anyone may say in the clear is said by somebody else
				m.sends(l, message.Redact, (&message.About{Refs: []message.Ref{line.Ref()}}).Body(message.Redact))
			}
		}
	}
	v.shows("#plans", "as a member", "the topic", "mine")
	v.shows("@mallory", "hello")
	for _, room := range []string{"#plans", "@mallory"} {
		page, err := v.Page(room, node.Key{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page {
			if line.Edited || line.Redacted || len(line.Reactions) > 0 {
				t.Errorf("%+v", line)
			}
		}
	}
	for _, r := range v.Snapshot().Rooms {
		if r.Name == "#plans" && r.Topic.Text != "the topic" {
			t.Errorf("the topic is %q", r.Topic.Text)
		}
	}
	for _, e := range toldTo[node.Said](v) {
		if strings.Contains(e.Text, "in the clear") {
			t.Errorf("told %+v", e)
		}
	}
	found, err := v.Search(t.Context(), "clear", 0, 10)
	if err != nil || len(found.Hits) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Who is in neither a room nor a conversation knows their ids, and puts in what there is.
func outsiders(t *testing.T) {
	v, m, r := plans(t)
	m.tells("@mallory", "hello")
	s := r.Current()
	eve := conspire(v, "eve")
	for _, room := range []message.RoomID{s.Room(), seal.Direct(m.Network, m.ID(), v.ID())} {
		l := eve.Log(room)
		for _, c := range []seal.Content{{Kind: message.Text, Body: []byte("by eve")}, {Kind: message.Topic, Body: []byte("by eve")}} {
			eve.p.Bytes(eve.Seals(l, s, seal.NewEpochKey(), c))
			eve.sends(l, message.Sealed, eve.SealTo(v.ID(), eve.key, c))
		}
		eve.sends(l, message.Topic, []byte("by eve"))
		eve.sends(l, message.NickName, []byte("mallory"))
		eve.sends(l, message.State, s.Bytes())
		eve.sends(l, message.State, []byte{1})
		eve.sends(l, message.Sealed, nil)
	}
	v.shows("#plans", "as a member")
	v.shows("@mallory", "hello")
	for _, e := range toldTo[node.Said](v) {
		if strings.Contains(e.Text, "by eve") {
			t.Errorf("told %+v", e)
		}
	}
	if got := v.members(); !slices.Equal(got, []string{"alice", "mallory"}) {
		t.Errorf("members: %q", got)
	}
}
