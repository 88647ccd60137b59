package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/vault"
	"earshot/node/wire"
)

// A gathering is one realm's history with what works on it: journal, author and exchange. Alone is the gathering of a node of an open network that has not met anyone
// yet: it is never exchanged; what was said in it at this place (stay.go) goes along when a realm is entered.
type gathering struct {
	realm    identity.Realm
	alone    bool
	journal  *journal.Journal
	author   *journal.Author
	exchange *exchange.Exchange
	book     *book
	began    int64 // the newest arrival when it was opened
	stop     context.CancelFunc
	done     chan struct{} // closed when the journal has closed
	err      error         // of the journal; read after done
	past     *past         // not nil: the network by an earlier key, which has no author and no exchange
}

// gatherings owns the journals of one network: the current one, and those whose history is shown beside it: what was said alone, until a realm is entered the most recent one, and what was said
// when the network had another key (past.go).
type gatherings struct {
	dir     string // "" keeps nothing
	network *identity.Network
	who     *identity.Identity
	keep    time.Duration
	memory  int // journal.Config.Memory
	clock   *journal.Clock
	limit   func(identity.PeerID) *rate.Limiter
	host    identity.HostID
	own     *deliveries
	vault   *vault.Vault
	nick    func() string
	today   map[message.RoomID]message.RoomID // what conversations of networks before are now; not changed once open
	changed func()                            // the current gathering is another; must not block
	broken  func(error)
	apart   bool // exchange.Config.Apart
	notice  func(text, hint string)
	skew    *skew
	copied  map[identity.Realm]message.Nonce // Memory.Nonces
	deleted atomic.Bool                      // something was, since tidy looked last
	log     *slog.Logger

	// entering is held, before mu, by who goes to another realm: a slow disk, on which a store is made, holds nobody else.
	entering sync.Mutex

	// mu protects what follows. Writers of messages hold it for reading, so that nothing is said into a gathering that is being left.
	mu      sync.RWMutex
	current *gathering
	alone   *gathering   // nil in a closed network
	earlier *gathering   // open only while alone is current
	pasts   []*gathering // of networks before, the newest first; not changed but replaced
	leaving []*gathering // that are being closed
	tidied  *tidying     // the last
	known   []knownRealm
	since   time.Time       // when this machine came to the network it is at
	before  int             // how many logs this process had written then
	left    int             // and when it left the realm that earlier is; -1: that was in an earlier process, or it was at another place since
	place   []netip.Addr    // the addresses it had there
	spoke   []message.Nonce // of the earlier processes of this stay
	past    []message.Nonce // in which this process spoke alone before
	stay    stay
	version uint64 // counts changes of current
	mended  time.Time
	closed  bool
}

// open starts with the gathering of a closed network, or alone.
func (g *gatherings) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = -1
	g.since, _ = g.clock.Now()
	var err error
	if g.network.Closed() {
		g.current, err = g.start(identity.Realm{}, false)
		return err
	}
	if g.dir != "" {
		if err := g.readKnown(); err != nil {
			return err
		}
	}
	if g.alone, err = g.start(identity.Realm{}, true); err != nil {
		return err
	}
	g.current = g.alone
	if len(g.known) > 0 {
		g.earlier, err = g.start(identity.Realm(g.known[0].Realm), false)
	}
	return err
}

// start opens a journal and runs it.
func (g *gatherings) start(r identity.Realm, alone bool) (*gathering, error) {
	c := g.store(r)
	if alone && g.dir != "" {
		c.Dir = filepath.Join(g.dir, "alone")
	}
	if t := g.tidied; t != nil && t.realm == r && !alone {
		t.stop()
		<-t.done
	}
	at := &gathering{realm: r, alone: alone, done: make(chan struct{})}
	c.Forked = func(f journal.Fork) {
		if f.Author == g.who.ID() {
			g.own.forked(at, f)
		}
	}
	j, err := g.openJournal(c)
	if err != nil {
		return nil, err
	}
	g.reopen(j) // the process before may have ended when a key had come and not all was read by it
	ctx, stop := context.WithCancel(context.Background())
	at.began, at.journal, at.stop = j.Last(), j, stop
	at.book = newBook(j, func(r message.RoomID) bool { return g.vault.Own(message.GroupID(r), identity.PeerID{}) })
	at.author = j.NewAuthor(g.who, g.nick())
	if nonce, ok := g.copied[r]; ok && !alone {
		at.author.Assume(nonce)
	}
	at.exchange = exchange.New(exchange.Config{Journal: j, Host: g.host, Limit: g.limit, Waiting: func() []wire.Head { return g.own.waiting(j) },
		Apart: g.apart, Groups: g.vault.Groups, Concerns: g.vault.Concerns, Stable: g.own.stable, Skew: g.skew.measured, Log: g.log})
	go func() {
		defer close(at.done)
		if at.err = j.Run(ctx); at.err != nil && ctx.Err() == nil {
			at.err = g.mend(at)
		}
	}()
	return at, nil
}

// reopen has private rooms read again, and conversations that were not all open.
func (g *gatherings) reopen(j *journal.Journal) {
	for _, id := range g.vault.Shut() {
		j.Reopen(message.GroupID(id))
	}
	for _, r := range g.vault.Rooms() {
		j.Reopen(message.GroupID(r.ID))
	}
}

// openJournal opens a journal, and tells if it begins anew.
func (g *gatherings) openJournal(c journal.Config) (*journal.Journal, error) {
	j, err := journal.Open(c)
	if err != nil {
		return nil, unopened(err, c.Dir)
	}
	if aside := j.Recovered(); aside != "" {
		g.notice("the history on disk was damaged and begins anew; what others here have of it comes back", "the damaged files were set aside: "+aside)
	}
	return j, nil
}

// store is that of a realm.
func (g *gatherings) store(r identity.Realm) journal.Config {
	c := journal.Config{Network: g.network.ID(), Realm: r, Host: g.host, Keep: g.keep, Memory: g.memory, Clock: g.clock, Vault: g.vault, Log: g.log}
	if g.dir != "" {
		c.Dir = filepath.Join(g.dir, storeOf(r))
	}
	return c
}

// storeOf is the folder of a realm's store in that of its network.
func storeOf(r identity.Realm) string { return fmt.Sprintf("realm-%x", r[:]) }

// ends reports whether err says that the journal it came from ends, or has: gathering.done is closed when another stands in its place.
func ends(err error) bool {
	return errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrDamaged)
}

// mendRest is how long a mended store must have held before it is worth mending again: a disk that fails all the time is no place for a history.
const mendRest = time.Minute

// mend puts another in the place of a gathering whose store is damaged: journal.Open sets that aside, what is in memory goes along, and the others bring the rest.
func (g *gatherings) mend(at *gathering) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer at.stop()
	if g.closed || at != g.current && at != g.alone && at != g.earlier {
		return at.err // it was left meanwhile
	}
	again := !g.mended.IsZero() && time.Since(g.mended) < mendRest
	g.mended = time.Now()
	if !errors.Is(at.err, journal.ErrDamaged) || again {
		g.broken(at.err)
		return at.err
	}
	g.log.Error("the history is damaged", "err", at.err)
	next, err := g.start(at.realm, at.alone)
	if err != nil {
		g.broken(errors.Join(at.err, err))
		return errors.Join(at.err, err)
	}
	if n, err := next.journal.Adopt(at.journal); err != nil {
		g.log.Warn("cannot save all that was in memory", "runs", n, "err", err)
	}
	for _, place := range []**gathering{&g.alone, &g.earlier} {
		if *place == at {
			*place = next
		}
	}
	if g.current == at {
		g.setLocked(next)
	}
	return nil
}

func (at *gathering) close() error {
	at.stop()
	<-at.done
	return at.err
}

// now returns the current gathering and the number of changes so far.
func (g *gatherings) now() (*gathering, uint64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.current, g.version
}

// shown returns the gatherings whose history is shown, the current one first.
func (g *gatherings) shown() []*gathering {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.openLocked()
}

// journals returns those of what is shown.
func (g *gatherings) journals() (list []*journal.Journal) {
	for _, at := range g.shown() {
		list = append(list, at.journal)
	}
	return list
}

// openLocked are those that are open, the current one first.
func (g *gatherings) openLocked() []*gathering {
	list := []*gathering{g.current}
	for _, at := range []*gathering{g.alone, g.earlier} {
		if at != nil && at != g.current {
			list = append(list, at)
		}
	}
	return append(list, g.pasts...)
}

// write says something in the current gathering. Where its store fails at this moment it is said in the one that takes its place.
func (g *gatherings) write(ctx context.Context, room room, k message.Kind, body []byte) error {
	for {
		at, err := g.writeNow(ctx, room, k, body)
		if !ends(err) {
			return err
		}
		<-at.done
		if now, _ := g.now(); now == at {
			return err
		}
	}
}

func (g *gatherings) writeNow(ctx context.Context, room room, k message.Kind, body []byte) (*gathering, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	at := g.current
	if err := at.full(); err != nil {
		return at, err
	}
	return at, g.own.write(ctx, at, room, k, body)
}

// full says that nothing can be said because nothing can be kept, or nil.
func (at *gathering) full() error {
	err := at.journal.Err()
	if err == nil {
		return nil
	}
	why, until, hint := unkept(err)
	return &Error{Text: why + ": nothing can be said here until " + until, Hint: hint}
}

// unkept says why nothing can be kept, until when, and what to do, by what journal.Err says.
func unkept(err error) (why, until, hint string) {
	if errors.Is(err, journal.ErrFull) {
		return "the disk is full", "there is room", "make room on the disk; earshot goes on by itself"
	}
	return fmt.Sprintf("the history cannot be written (%v)", err), "it can be", "see whether the disk is sound, and not mounted read-only; earshot goes on by itself"
}

// restate says again, in the current gathering, what this process said and a wrong clock dated, once it is known what time it is. Where other open ones hold it too, it ends there.
func (g *gatherings) restate(ctx context.Context) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	at, open := g.current, g.openLocked()
	if at.journal.Err() != nil {
		return
	}
	for _, l := range g.own.diary.misdated(at) {
		if err := g.own.restate(ctx, at, l); err != nil {
			g.log.Warn("cannot say again what a wrong clock dated", "log", l, "err", err)
		}
		if h, held := at.journal.Head(l); !held || h.Fork == 0 {
			continue // it was said elsewhere, and stays there
		}
		g.own.diary.restated(l)
		for _, other := range open[1:] {
			if _, held := other.journal.Head(l); held {
				other.journal.AppendProof(at.journal.Proof(l), journal.Stored)
			}
		}
	}
}

// learn takes the time that the hub vouches for in HELLO: before anything of this process's reaches the other, it is dated by that.
func (g *gatherings) learn(ms int64) {
	if at, _ := g.now(); ms != 0 && at.journal.Keeps(time.UnixMilli(ms)) {
		g.clock.Vouch(time.UnixMilli(ms))
		g.restate(context.Background())
	}
}

// enter goes to the realm r, taking along what was said here since this machine came to the network it is at; where it is back in the realm it left last, and was nowhere else, since it left.
func (g *gatherings) enter(r identity.Realm) (*gathering, error) {
	return g.settle(func(*gathering) identity.Realm { return r })
}

// settle is enter for the realm that to names where it is asked at the gathering of now.
func (g *gatherings) settle(to func(at *gathering) identity.Realm) (*gathering, error) {
	g.entering.Lock()
	next, left, err := g.move(to)
	g.entering.Unlock()
	for _, at := range left { // without the lock: a slow disk holds nobody else
		g.log.Debug("left a gathering", "err", at.close())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaving = slices.DeleteFunc(g.leaving, func(at *gathering) bool { return slices.Contains(left, at) })
	return next, err
}

// move does the work of settle, and returns the gatherings that were left, to be closed.
func (g *gatherings) move(to func(at *gathering) identity.Realm) (next *gathering, left []*gathering, err error) {
	at, _ := g.now()
	r := to(at)
	if at.realm == r && !at.alone {
		return at, nil, nil
	}
	if g.network.Closed() || r == (identity.Realm{}) {
		return nil, nil, exchange.ErrRealm
	}
	g.mu.RLock()
	back := g.earlier != nil && g.earlier.realm == r
	g.mu.RUnlock()
	if !back {
		g.await(r)
		if next, err = g.start(r, false); err != nil {
			return nil, nil, err
		}
	}
	g.remember(r) // before anything is said there
	g.mu.Lock()
	defer g.mu.Unlock()
	old, before, spoke := g.current, g.before, g.spoke
	if back {
		if next = g.earlier; g.left >= 0 {
			before, spoke = g.left, nil
		}
	}
	g.renameLocked(next)
	var along []message.LogID
	for _, nonce := range spoke {
		logs, fault := old.journal.By(nonce, uint64(g.since.UnixMilli())<<16)
		err = errors.Join(err, fault)
		g.own.diary.found(old.journal, logs)
		along = append(along, logs...)
	}
	_, fault := next.journal.Reoffer(old.journal, append(along, g.own.diary.since(before)...))
	if err = errors.Join(err, fault); err != nil {
		g.log.Warn("cannot take along what was said", "err", err)
	}
	for _, done := range []*gathering{g.earlier, old} {
		if done != nil && done != next && done != g.alone {
			left, g.leaving = append(left, done), append(g.leaving, done)
		}
	}
	g.earlier = nil
	g.setLocked(next)
	g.reopen(next.journal) // a key may have come since it was started, of which those were told that are shown
	g.log.Info("entered a realm", "realm", fmt.Sprintf("%.4x", r[:]))
	return next, left, nil
}

// await waits until the store of a realm that was just left is closed: two journals of one store would number its rows alike.
func (g *gatherings) await(r identity.Realm) {
	g.mu.RLock()
	leaving := slices.Clone(g.leaving)
	g.mu.RUnlock()
	for _, at := range leaving {
		if at.realm == r {
			<-at.done
		}
	}
}

// arriveLocked: this machine may be at another network from now on. What was said before stays where it was said: in logs of its own, for a log goes along whole.
func (g *gatherings) arriveLocked() {
	if g.network.Closed() {
		return
	}
	g.since, _ = g.clock.Now()
	g.before, g.spoke, g.past = g.own.diary.count(), nil, g.alone.author.Nonces()
	for _, at := range g.openLocked() {
		at.author.Renew(at.author.Nonce())
	}
}

// depart goes back to being alone: this machine is in another place, and nobody of the old one is here.
func (g *gatherings) depart() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.network.Closed() || g.current.alone {
		return nil
	}
	g.rememberLocked(g.current.realm)
	g.earlier = g.current
	g.left = g.own.diary.count()
	g.renameLocked(g.alone)
	g.setLocked(g.alone)
	return nil
}

// renameLocked has this person's nick of now be used in a gathering that is about to be the current one.
func (g *gatherings) renameLocked(at *gathering) {
	if err := at.author.Rename(context.Background(), g.nick()); err != nil {
		g.log.Warn("cannot take the nick along", "err", err)
	}
}

func (g *gatherings) setLocked(at *gathering) {
	g.current = at
	g.version++
	g.changed()
}

// readKnown reads which realms are known. Where that is not written down, or damaged, it is those that there are stores of, in the order in which they were written last.
func (g *gatherings) readKnown() error {
	path := filepath.Join(g.dir, "realms.json")
	err := readJSON(path, &g.known)
	if damage := (*Error)(nil); errors.As(err, &damage) {
		g.log.Warn("it is not known any more which realms this machine was in last", "err", err)
		g.known = nil
		_, err = setAside(path)
	}
	if err != nil || len(g.known) > 0 {
		return err
	}
	for _, r := range g.stores() {
		var last time.Time
		for _, name := range []string{"history.db", "history.db-wal"} { // what came last may be in the second alone
			if info, err := os.Stat(filepath.Join(g.dir, storeOf(r), name)); err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
		}
		if last.IsZero() {
			continue
		}
		k := knownRealm{realmHex(r), last.UTC().Truncate(time.Second)}
		i := slices.IndexFunc(g.known, func(o knownRealm) bool { return o.Last.Before(k.Last) })
		if i < 0 {
			i = len(g.known)
		}
		g.known = slices.Insert(g.known, i, k)
	}
	g.known = g.known[:min(len(g.known), maxRealms)]
	return nil
}

// remember makes r the most recent realm, and writes that down without the lock: a slow disk holds nobody else.
func (g *gatherings) remember(r identity.Realm) {
	g.mu.Lock()
	g.rememberLocked(r)
	known := slices.Clone(g.known)
	g.mu.Unlock()
	if g.dir == "" {
		return
	}
	if err := writeJSON(filepath.Join(g.dir, "realms.json"), known); err != nil {
		g.log.Warn("cannot remember the realm", "err", err)
	}
}

// rememberLocked does so until it is written down with the next.
func (g *gatherings) rememberLocked(r identity.Realm) {
	g.known = slices.DeleteFunc(g.known, func(k knownRealm) bool { return identity.Realm(k.Realm) == r })
	g.known = slices.Insert(g.known, 0, knownRealm{realmHex(r), g.clock.Local().UTC().Truncate(time.Second)})
	g.known = g.known[:min(len(g.known), maxRealms)]
}

// tags are those of the realms known most recently, for this person's session.
func (g *gatherings) tags(s identity.Session) [][8]byte {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var tags [][8]byte
	for _, k := range g.known[:min(len(g.known), 4)] {
		tags = append(tags, identity.Realm(k.Realm).Tag(s, g.who.ID()))
	}
	return tags
}

// recognised returns the most recent realm that is shared with the person whose session's tags these are.
func (g *gatherings) recognised(s identity.Session, p identity.PeerID, tags [][8]byte) (r identity.Realm, last time.Time, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, k := range g.known {
		if slices.Contains(tags, identity.Realm(k.Realm).Tag(s, p)) {
			return identity.Realm(k.Realm), k.Last, true
		}
	}
	return r, last, false
}

// realms lists what is kept, the most recent first.
func (g *gatherings) realms() []RealmInfo {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var out []RealmInfo
	for _, k := range g.known {
		out = append(out, RealmInfo{ID: fmt.Sprintf("%x", k.Realm[:4]), Current: !g.current.alone && g.current.realm == identity.Realm(k.Realm), Last: k.Last})
	}
	return out
}

// page merges the newest lines before k of what is shown.
func (g *gatherings) page(r room, k journal.Key, n int) (lines []journal.Line, err error) {
	err = g.each(func() { lines = nil }, func(at *gathering) error {
		more, err := at.journal.Page(at.roomIn(r, g.who.ID()), k, n)
		lines = merge(lines, more)
		return err
	})
	return lines[max(0, len(lines)-n):], err
}

// after merges the oldest lines after k of what is shown.
func (g *gatherings) after(r room, k journal.Key, n int) (lines []journal.Line, err error) {
	err = g.each(func() { lines = nil }, func(at *gathering) error {
		more, err := at.journal.After(at.roomIn(r, g.who.ID()), k, n)
		lines = merge(lines, more)
		return err
	})
	return lines[:min(n, len(lines))], err
}

// each reads all that is shown, and begins again where a journal was closed meanwhile.
func (g *gatherings) each(begin func(), read func(*gathering) error) error {
	for {
		begin()
		shown := g.shown()
		var errs []error
		for _, at := range shown {
			err := read(at)
			errs = append(errs, err)
			if ends(err) {
				<-at.done
			}
		}
		if slices.Equal(g.shown(), shown) {
			return errors.Join(errs...)
		}
	}
}

// merge sorts lines of two journals, each message once, with what became of it in both.
func merge(a, b []journal.Line) []journal.Line {
	all := append(a, b...)
	sort.Slice(all, func(i, j int) bool { return all[i].Compare(all[j].Key) < 0 })
	out := all[:0]
	for _, l := range all {
		if n := len(out); n > 0 && out[n-1].Key.Compare(l.Key) == 0 {
			out[n-1].Marks = out[n-1].Marks.And(l.Marks)
			continue
		}
		out = append(out, l)
	}
	return out
}

// merged is merge for lines that are in order already; of each journal one is read ahead.
func merged(journals []iter.Seq[journal.Line]) iter.Seq[journal.Line] {
	return func(yield func(journal.Line) bool) {
		var ahead []journal.Line
		var nexts []func() (journal.Line, bool)
		for _, lines := range journals {
			next, stop := iter.Pull(lines)
			defer stop()
			if l, ok := next(); ok {
				ahead, nexts = append(ahead, l), append(nexts, next)
			}
		}
		for len(ahead) > 0 {
			line := slices.MinFunc(ahead, func(a, b journal.Line) int { return a.Compare(b.Key) })
			for i := len(ahead) - 1; i >= 0; i-- {
				if ahead[i].Key != line.Key {
					continue
				}
				line.Marks = line.Marks.And(ahead[i].Marks)
				l, ok := nexts[i]()
				if ahead[i] = l; !ok {
					ahead, nexts = slices.Delete(ahead, i, i+1), slices.Delete(nexts, i, i+1)
				}
			}
			if !yield(line) {
				return
			}
		}
	}
}

// close closes what is open.
func (g *gatherings) close() error {
	g.keepStay(true)
	g.mu.Lock()
	at := g.current
	g.closed = true
	open := append([]*gathering{at, g.alone, g.earlier}, g.pasts...)
	g.mu.Unlock()
	if !at.alone && !g.network.Closed() {
		g.remember(at.realm)
	}
	var errs []error
	for _, at := range open {
		if at != nil {
			errs = append(errs, at.close())
		}
	}
	return errors.Join(errs...)
}

// unopened is why a history in dir cannot be opened, for the user where something can be done about it.
func unopened(err error, dir string) error {
	switch {
	case errors.Is(err, journal.ErrNewer):
		return &Error{Text: "the history on this disk is of a newer version of earshot", Hint: "upgrade earshot on this machine, or keep another history: earshot --data-dir DIR", cause: err}
	case errors.Is(err, journal.ErrUnwritable):
		return &Error{Text: fmt.Sprintf("the history in %s cannot be written", dir), Hint: "run earshot as the user who owns the files there, and may write them; or keep another history: earshot --data-dir DIR", cause: err}
	}
	return err
}
