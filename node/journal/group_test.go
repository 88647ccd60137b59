package journal

import (
	"context"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// mine are somebody's own groups; it opens nothing.
type mine struct{ sync.Map }

func owning(groups ...message.GroupID) *mine {
	m := &mine{}
	for _, g := range groups {
		m.Store(g, true)
	}
	return m
}

func (m *mine) Own(g message.GroupID, _ identity.PeerID) bool {
	_, own := m.Load(g)
	return own
}
func (m *mine) Learn(Place, []byte) {}
func (m *mine) Open(Place, []byte, bool) (k message.Kind, plain []byte, ok bool) {
	return 0, nil, false
}
func (m *mine) Seal(Place, message.Kind, []byte) ([]byte, error) { panic("nothing is said") }

// in moves a chain that has nothing in it to a group of its own.
func (c *chain) in(g message.GroupID) *chain {
	c.opening.Group, c.opening.Room, c.opening.Name = g, message.RoomID(g), ""
	return c
}

// sealed adds n messages that nobody can read.
func (c *chain) sealed(n int) *chain {
	for range n {
		hlc := (uint64(c.opening.Day)*86_400_000 + uint64(len(c.records)+1)*1000) << 16
		c.records = append(c.records, message.Body(hlc, message.Sealed, binary.BigEndian.AppendUint64(nil, hlc)))
	}
	return c
}

// headsIn returns the heads of a group and day, read in pages of that size.
func headsIn(t testing.TB, j *Journal, g message.GroupID, day uint32, size int) (out []Head) {
	t.Helper()
	var after message.LogID
	for more := true; more; {
		var h []Head
		var err error
		if h, more, err = j.Heads(g, day, after, size); err != nil {
			t.Fatal(err)
		}
		if out = append(out, h...); len(out) > 0 {
			after = out[len(out)-1].Log
		}
	}
	return out
}

// checkMail compares Mail with what the groups have, and all of it with the heads.
func checkMail(t testing.TB, j *Journal, from uint32, groups ...message.GroupID) (logs int) {
	t.Helper()
	days := map[uint32]lanes{}
	heads := map[uint32][]Head{}
	for _, g := range groups {
		sums, err := j.Days(g, from, 1<<31)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sums {
			var sum lanes
			for _, h := range headsIn(t, j, g, s.Day, 2) {
				sum.add(h.lanes())
				heads[s.Day] = append(heads[s.Day], h)
				logs++
			}
			if sum.hash() != s.Sum {
				t.Errorf("the sum of group %x on day %d is not that of its heads", g[0], s.Day)
			}
			all := days[s.Day]
			all.add(lanesOf(s.Sum))
			days[s.Day] = all
		}
	}
	for _, g := range append(groups, message.Mail) {
		sums, err := j.Days(g, from, 1<<31)
		root, err2 := j.Root(g, from, 1<<31)
		if err != nil || err2 != nil || root != rootOf(sums) {
			t.Errorf("the root of group %x is not that of its days, %v, %v", g[0], err, err2)
		}
	}
	mail, err := j.Days(message.Mail, from, 1<<31)
	if err != nil || len(mail) != len(days) {
		t.Errorf("mail of %d days, %v; the groups have %d", len(mail), err, len(days))
	}
	for _, s := range mail {
		if days[s.Day].hash() != s.Sum {
			t.Errorf("mail of day %d is not that of all groups", s.Day)
		}
		want := heads[s.Day]
		slices.SortFunc(want, func(a, b Head) int { return slices.Compare(a.Log[:], b.Log[:]) })
		if got := headsIn(t, j, message.Mail, s.Day, 3); !slices.Equal(got, want) {
			t.Errorf("mail of day %d has %d heads, the groups have %d", s.Day, len(got), len(want))
		}
		parts, err := j.Parts(message.Mail, s.Day)
		if err != nil || (parts != nil) != (len(want) >= wire.Parts) {
			t.Errorf("%d bytes of parts of %d heads, %v", len(parts), len(want), err)
		}
		var sums [wire.Parts]uint64
		for i := range want {
			sums[Part(want[i].Log)] += want[i].lanes()[0]
		}
		for i := range len(parts) / wire.PartBytes {
			if binary.BigEndian.Uint64(parts[i*wire.PartBytes:]) != sums[i] {
				t.Errorf("part %d of day %d is wrong", i, s.Day)
			}
		}
	}
	return logs
}

// Mail is all groups but Public together: in memory, on disk, and after a restart; logs grow and fork.
func TestMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		dir := t.TempDir()
		j := open(t, Config{Dir: dir, Vault: owning(message.GroupID{2})})
		stop := run(t, j)
		groups := []message.GroupID{{1}, {2}, {3}, {4}}
		take(t, j, newChain(t, 1, today()).add("public").run(1, 1), 1, nil)
		var chains []*chain
		authors := map[message.GroupID]map[identity.PeerID]bool{}
		for n := range 180 {
			c := newChain(t, byte(n%9), today()-uint32(min(n%8, 2))).in(groups[rnd.IntN(4)]).sealed(3)
			binary.BigEndian.PutUint16(c.opening.Nonce[2:], uint16(n))
			take(t, j, c.run(1, 1), 1, nil)
			chains = append(chains, c)
			if authors[c.opening.Group] == nil {
				authors[c.opening.Group] = map[identity.PeerID]bool{}
			}
			authors[c.opening.Group][c.opening.Author] = true
		}
		check := func() {
			t.Helper()
			if n := checkMail(t, j, 0, groups...); n != 180 {
				t.Errorf("%d logs", n)
			}
			n := 0
			for _, m := range j.Mailboxes(0) {
				if n++; !authors[m.Group][m.Author] {
					t.Error("a mailbox of somebody who has no log in it")
				}
			}
			for _, a := range authors {
				n -= len(a)
			}
			if n != 0 {
				t.Errorf("%d mailboxes too many", n)
			}
		}
		check()
		for _, c := range chains[:40] {
			take(t, j, c.run(2, 3), 2, nil)
		}
		take(t, j, chains[50].fork(0).sealed(1).run(1, 1), 0, nil)
		other := chains[60].fork(0)
		other.records = append(other.records, message.Body(chains[60].records[0].HLC, message.Sealed, []byte("other")))
		take(t, j, other.run(1, 1), 0, ErrConflict)
		check()
		settle(t, j)
		check()
		stop()
		j = start(t, Config{Dir: dir, Vault: owning(message.GroupID{2})})
		check()
		take(t, j, chains[45].run(2, 3), 2, nil)
		check()
		if got := j.Mailboxes(slices.MaxFunc(j.Mailboxes(0), func(a, b Mailbox) int { return int(a.Number - b.Number) }).Number); len(got) != 0 {
			t.Errorf("%d mailboxes above the last", len(got))
		}
	})
}

// What is one's own is kept like what is public, what is somebody else's for thirty days; a room that was joined since is one's own from then on.
func TestMailIsKeptForAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		own, other := message.GroupID{1}, message.GroupID{2}
		vault := owning(own)
		j := start(t, Config{Dir: dir, Vault: vault})
		rows := func(table string) (n int) {
			t.Helper()
			if err := j.store.r.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		day := today()
		old, young := newChain(t, 1, day-31).in(other).sealed(1), newChain(t, 2, day-30).in(other).sealed(1)
		for _, c := range []*chain{old, young, newChain(t, 3, day-31).in(own).sealed(1), newChain(t, 4, day-31).add("public")} {
			take(t, j, c.run(1, 1), 1, nil) // as long as nobody vouches
		}
		if j.Horizon(own) != 0 || j.Horizon(message.Mail) != day-30 || j.Horizon(other) != day-30 {
			t.Error("horizons without a clock", j.Horizon(own), j.Horizon(message.Mail), j.Horizon(other))
		}
		j.Clock().Vouch(time.Now())
		j.Horizon(own)
		time.Sleep(settleTime)
		j.Horizon(own)
		if j.Horizon(own) != day-365 || j.Horizon(message.Mail) != day-30 || j.Horizon(other) != day-30 {
			t.Error("horizons", j.Horizon(own), j.Horizon(message.Mail), j.Horizon(other))
		}
		if _, ok := j.Head(old.opening.Log()); ok {
			t.Error("what is too old is held")
		}
		checkMail(t, j, day-30, own, other)
		synctest.Wait()
		if rows("log") != 3 || rows("run") != 3 || rows("day") != 3 {
			t.Errorf("%d logs, %d runs, %d days are left", rows("log"), rows("run"), rows("day"))
		}
		take(t, j, old.run(1, 1), 0, ErrDay)
		take(t, j, newChain(t, 5, day-31).in(message.GroupID{5}).sealed(1).run(1, 1), 0, ErrDay)
		take(t, j, newChain(t, 6, day-31).in(own).sealed(1).run(1, 1), 1, nil)
		vault.Store(other, true)
		take(t, j, old.run(1, 1), 1, nil)
		if j.Horizon(other) != day-365 {
			t.Error("the horizon of a room that was joined", j.Horizon(other))
		}
		checkMail(t, j, day-30, own, other)
		vault.Delete(other)
		time.Sleep(24 * time.Hour)
		j.Clock().Vouch(time.Now())
		j.Horizon(other)
		synctest.Wait()
		if d, err := j.Days(other, 0, 1<<31); err != nil || len(d) != 0 || rows("log") != 3 {
			t.Error("after it was left", d, err, rows("log"))
		}
		j.mu.RLock()
		n := len(j.groups)
		j.mu.RUnlock()
		if len(j.Mailboxes(0)) != 2 || n != 3 { // own, Mail, Public
			t.Errorf("%d mailboxes, %d groups are left in memory", len(j.Mailboxes(0)), n)
		}
		checkMail(t, j, day-29, own)
		checkSums(t, j)
	})
}

// There is room for so many mailboxes of others and no more; one's own groups are always taken, and when what is too old is dropped there is room again.
func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		own := message.GroupID{200}
		vault := owning(own)
		j := open(t, Config{Dir: dir, Vault: vault})
		stop := run(t, j)
		j.maxHeld = 3
		take(t, j, newChain(t, 1, today()).in(message.GroupID{1}).sealed(2).run(1, 1), 1, nil)
		take(t, j, newChain(t, 2, today()).in(message.GroupID{1}).sealed(1).run(1, 1), 1, nil)
		take(t, j, newChain(t, 1, today()).in(message.GroupID{2}).sealed(1).run(1, 1), 1, nil)
		take(t, j, newChain(t, 2, today()).in(message.GroupID{2}).sealed(1).run(1, 1), 0, ErrCrowded)
		take(t, j, newChain(t, 1, today()).in(message.GroupID{3}).sealed(1).run(1, 1), 0, ErrDay)
		take(t, j, newChain(t, 1, today()).in(message.GroupID{1}).sealed(2).run(2, 2), 1, nil)
		take(t, j, newChain(t, 1, today()-1).in(message.GroupID{1}).sealed(2).run(1, 1), 1, nil)
		take(t, j, newChain(t, 1, today()).in(own).sealed(1).run(1, 1), 1, nil)
		take(t, j, newChain(t, 1, today()).add("public").run(1, 1), 1, nil)
		settle(t, j)
		stop()
		j = start(t, Config{Dir: dir, Vault: vault})
		j.maxHeld = 4
		take(t, j, newChain(t, 1, today()).in(message.GroupID{3}).sealed(1).run(1, 1), 0, ErrCrowded)
		time.Sleep(31 * 24 * time.Hour)
		j.Clock().Vouch(time.Now())
		j.Horizon(own)
		time.Sleep(settleTime)
		synctest.Wait()
		take(t, j, newChain(t, 1, today()).in(message.GroupID{3}).sealed(1).run(1, 1), 1, nil)
	})
}

// BenchmarkRoots is what the roots of thirty groups cost that a hub compares with each of twenty links once a second: at rest, and where one of the groups changed in between.
func BenchmarkRoots(b *testing.B) {
	for _, changes := range []bool{false, true} {
		b.Run(map[bool]string{false: "rest", true: "changing"}[changes], func(b *testing.B) {
			j := start(b, Config{})
			var chains []*chain
			for g := range byte(30) {
				for d := range uint32(60) {
					c := newChain(b, g%5, today()-d).in(message.GroupID{g + 1}).sealed(1)
					if d == 0 {
						c.sealed(1)
						chains = append(chains, c)
					}
					if _, err := j.Append(context.Background(), c.run(1, 1), 1, Live); err != nil {
						b.Fatal(err)
					}
				}
			}
			settle(b, j)
			for b.Loop() {
				if changes {
					j.mu.Lock()
					c := j.logs.get(chains[0].opening.Log())
					j.changeLocked(c, func() {})
					j.mu.Unlock()
				}
				for range 20 {
					for g := range byte(30) {
						if _, err := j.Root(message.GroupID{g + 1}, today()-59, 1<<31); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}

// Mailboxes are those after a number, whether they are at hand or not, and none of which nothing is held any more.
func TestMailboxesAfter(t *testing.T) {
	j := open(t, Config{})
	defer j.store.close()
	many := int64(3*newMailboxes + 5)
	j.mu.Lock()
	for i := range many {
		g := message.GroupID{1, byte(i), byte(i >> 8)}
		j.groupLocked(g, false)
		j.joinLocked(g, identity.PeerID{2})
	}
	delete(j.groups, message.GroupID{1, byte(many - 1), byte((many - 1) >> 8)})
	j.mu.Unlock()
	if j.LastMailbox() != many {
		t.Errorf("the last is %d", j.LastMailbox())
	}
	for _, after := range []int64{0, newMailboxes, many - newMailboxes, many - 3, many, many + 1} {
		seen := map[int64]bool{}
		for _, m := range j.Mailboxes(after) {
			seen[m.Number] = m.Number > after && m.Group[1] == byte(m.Number-1)
		}
		if want := max(many-1-after, 0); int64(len(seen)) != want || slices.Contains(slices.Collect(maps.Values(seen)), false) {
			t.Errorf("%d after %d, want %d", len(seen), after, want)
		}
	}
}
