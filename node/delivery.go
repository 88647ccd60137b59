package node

import (
	"context"
	"slices"
	"sync"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// deliveries follows what this process said until it is on enough disks.
type deliveries struct {
	changed func()      // there is something new in since; must not block
	serving func() bool // this node is the hub and counts for itself
	diary   *diary

	mu      sync.Mutex
	pending map[message.LogID][]*spoken // not yet on three machines' disks, nor on all there are; by number
	all     map[message.ID]*spoken      // said in this process: the newest
	order   []message.ID                // of all, and of what was said again
	news    []Event                     // Delivered, Withdrawn, and what became of rooms: the newest; the last has number end
	end     uint64
	forks   []ownFork  // found, and not yet looked at
	lost    []stranded // waits to be said again
}

// spoken is one own message.
type spoken struct {
	id      message.ID
	key     journal.Key
	durable bool // here
	kept    bool // durable is to be waited for: this node keeps history on disk
	others  int  // machines
	every   bool // there are no more
	told    int
	was     message.ID // what it says again; zero: nothing
	quiet   bool       // it is no word of the user's: how far it got is not told
}

// copies is the number of machines it is on the disk of.
func (s *spoken) copies() int {
	if s.durable {
		return s.others + 1
	}
	return s.others
}

func (s *spoken) done() bool {
	return (s.durable || !s.kept) && s.copies() >= 2 && (s.others >= 2 || s.every)
}

const (
	// newsKept is how many changes are kept for a slow reader.
	newsKept = 4096
	// spokenKept bounds what is followed: more than one types in a year alone, and what a program says in hours.
	spokenKept = 64 << 10
)

func newDeliveries(changed func(), serving func() bool, clock *journal.Clock) *deliveries {
	return &deliveries{changed: changed, serving: serving, diary: newDiary(clock), pending: map[message.LogID][]*spoken{}, all: map[message.ID]*spoken{}}
}

// write says something in a gathering and follows it.
func (d *deliveries) write(ctx context.Context, at *gathering, room room, k message.Kind, body []byte) error {
	id, key, _, err := at.author.Write(ctx, room.group(), room.id, room.name, k, body)
	if err != nil {
		return err
	}
	d.follow(&spoken{id: id, key: key, kept: at.journal.Persistent(), quiet: k == message.State || k >= message.Read && k <= message.Invite})
	if h, ok := at.journal.Head(key.Log); ok && h.Fork != 0 && !at.journal.Void(key.Log) { // since a moment ago: what was found then knew nothing of this
		d.forked(at, journal.Fork{Log: key.Log, Nonce: at.author.Nonce(), Seq: h.Fork, Was: h.Fork})
	}
	if d.serving() {
		at.exchange.Await(key.Log, key.Seq)
	}
	return nil
}

func (d *deliveries) follow(s *spoken) {
	d.diary.wrote(s.key)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[s.id] = s
	d.order = append(d.order, s.id)
	d.pending[s.key.Log] = append(d.pending[s.key.Log], s)
	for ; len(d.order) > spokenKept; d.order = d.order[1:] {
		d.forgetLocked(d.order[0])
	}
}

// forgetLocked follows a message no longer.
func (d *deliveries) forgetLocked(id message.ID) {
	s := d.all[id]
	if s == nil {
		return
	}
	delete(d.all, id)
	list := d.pending[s.key.Log]
	if i := slices.Index(list, s); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if d.pending[s.key.Log] = list; len(list) == 0 {
		delete(d.pending, s.key.Log)
	}
}

// restate says a log again, and follows that instead.
func (d *deliveries) restate(ctx context.Context, at *gathering, l message.LogID) error {
	var last journal.Key
	err := at.author.Restate(ctx, l, func(again []journal.Restated) {
		for _, r := range again {
			d.follow(&spoken{id: r.New, key: r.Key, kept: at.journal.Persistent(), was: r.Old})
			last = r.Key
		}
	})
	if err != nil || last == (journal.Key{}) {
		return err
	}
	d.mu.Lock()
	for id, s := range d.all {
		if s.key.Log == l {
			delete(d.all, id)
		}
	}
	delete(d.pending, l)
	d.mu.Unlock()
	if d.serving() {
		at.exchange.Await(last.Log, last.Seq)
	}
	return nil
}

// stable is exchange.Config.Stable.
func (d *deliveries) stable(l message.LogID, seq uint64, copies int, all bool) {
	d.mu.Lock()
	for _, s := range d.pending[l] {
		if s.key.Seq <= seq {
			s.others, s.every = max(s.others, copies), all
			d.tellLocked(s)
		}
	}
	d.sweepLocked(l)
	d.mu.Unlock()
	d.changed()
}

// committed looks what has become durable in j.
func (d *deliveries) committed(j *journal.Journal) {
	d.mu.Lock()
	news := false
	for l, list := range d.pending {
		if list[len(list)-1].durable {
			continue
		}
		h, ok := j.DurableHead(l)
		if !ok || !j.Persistent() {
			continue
		}
		for _, s := range list {
			if !s.durable && s.key.Seq <= h.Seq {
				s.durable, news = true, true
				d.tellLocked(s)
			}
		}
		d.sweepLocked(l)
	}
	d.mu.Unlock()
	if news {
		d.changed()
	}
}

// tellLocked makes a change of it. One machine alone is no news.
func (d *deliveries) tellLocked(s *spoken) {
	n := s.copies()
	if s.quiet || n < 2 || n == s.told && !s.done() {
		return
	}
	s.told = n
	d.newsLocked(Delivered{ID: s.id, Copies: n, All: s.every})
}

// tell tells users something besides.
func (d *deliveries) tell(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newsLocked(e)
}

func (d *deliveries) newsLocked(e Event) {
	d.news = append(d.news, e)
	d.end++
	if len(d.news) > 2*newsKept {
		d.news = slices.Clone(d.news[len(d.news)-newsKept:])
	}
}

func (d *deliveries) sweepLocked(l message.LogID) {
	list := slices.DeleteFunc(d.pending[l], (*spoken).done)
	if len(list) == 0 {
		delete(d.pending, l)
		return
	}
	d.pending[l] = list
}

// UnderWay counts what the user said in this process, and changed of what was said, that is not on two machines. When it becomes less Delivered is told.
func (n *Node) UnderWay() (count int) {
	n.own.mu.Lock()
	defer n.own.mu.Unlock()
	for _, list := range n.own.pending {
		for _, s := range list {
			if !s.quiet && s.copies() < 2 {
				count++
			}
		}
	}
	return count
}

// waiting are the heads of what is not yet stable.
func (d *deliveries) waiting(j *journal.Journal) []wire.Head {
	d.mu.Lock()
	defer d.mu.Unlock()
	var heads []wire.Head
	for l, list := range d.pending {
		seq := list[len(list)-1].key.Seq
		if tip, ok := j.Hash(l, seq); ok && len(heads) < wire.MaxHeads {
			heads = append(heads, wire.Head{Log: l, Seq: seq, Tip: tip})
		}
	}
	return heads
}

// since returns the changes after number n, and the number of the last.
func (d *deliveries) since(n uint64) ([]Event, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > d.end {
		return nil, d.end // a new reader: nothing to tell
	}
	missed := min(d.end-n, uint64(len(d.news)))
	return slices.Clone(d.news[uint64(len(d.news))-missed:]), d.end
}

// mine returns what is known of an own message, and whether it was said in this process.
func (d *deliveries) mine(id message.ID) (s spoken, here bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.all[id]; s != nil {
		return *s, true
	}
	return s, false
}
