package exchange

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/wire"
)

// acks is what the hub knows of whose disk holds what. A message counts as stable when it is on the disks of the hub and its witnesses, counted by machine, the author's
// left out: the author adds its own. Nothing here outlives the link it came over; authors ask again with every BEAT.
type acks struct {
	exchange *Exchange

	// mu protects what follows.
	mu      sync.Mutex
	awaited map[message.LogID]*awaited
	haves   map[*peer]map[message.LogID]wire.Head // of witnesses, for awaited logs
	tells   map[*peer][]wire.StableLog
}

// awaited is a log whose author waits.
type awaited struct {
	author *peer           // nil: this node
	host   identity.HostID // left out: the author adds its own disk; zero: it keeps nothing
	until  uint64          // the last number waited for
	told   [3]uint64
}

// maxAwaited bounds the logs awaited at once. Any gives way to one more: somebody may await as many that nobody can have whole, and authors ask again.
const maxAwaited = 4096

// Await asks to be told (Config.Stable) when an own message is stable. The hub calls it for what it wrote itself.
func (x *Exchange) Await(l message.LogID, seq uint64) {
	x.acks.await(nil, l, 1, seq)
	x.acks.count([]message.LogID{l})
}

// arrived: the author's own link brought messages. They may have been committed since: then Committed has not seen that they are awaited.
func (a *acks) arrived(p *peer, l message.LogID, first, last uint64) {
	o, ok := p.journal.Opening(l)
	if !ok || o.Author != p.Peer {
		return
	}
	a.await(p, l, first, last)
	if h, ok := p.journal.DurableHead(l); ok && h.Seq >= last {
		a.count([]message.LogID{l})
	}
}

// waiting: the author still waits for these.
func (a *acks) waiting(p *peer, heads []wire.Head) {
	var logs []message.LogID
	for _, h := range heads {
		o, ok := p.journal.Opening(h.Log)
		if !ok || o.Author != p.Peer {
			continue
		}
		if tip, ok := p.journal.Hash(h.Log, h.Seq); !ok || tip != h.Tip {
			continue
		}
		a.await(p, h.Log, 1, h.Seq)
		logs = append(logs, h.Log)
	}
	a.count(logs)
}

// await takes on the messages from..to of a log, if they are not; it counts as told what comes before them, and nothing else: who asks for what it was told already is told once more.
func (a *acks) await(p *peer, l message.LogID, from, to uint64) {
	host := a.keeps(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.awaited[l]
	if w == nil || w.author != p {
		for other := range a.awaited {
			if len(a.awaited) < maxAwaited {
				break
			}
			a.dropLocked(other)
		}
		w = &awaited{author: p, host: host, told: [3]uint64{from - 1, from - 1, from - 1}}
		a.awaited[l] = w
	}
	w.until = max(w.until, to)
	for i := range w.told {
		w.told[i] = min(w.told[i], from-1)
	}
}

// keeps is the machine on whose disk an author has what it says; zero: it keeps nothing.
func (a *acks) keeps(p *peer) (host identity.HostID) {
	switch {
	case p == nil && a.exchange.journal.Persistent():
		host = a.exchange.config.Host
	case p != nil:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.state == nil || p.state.Durable {
			host = p.Host
		}
	}
	return host
}

// have: what is on a witness's disk.
func (a *acks) have(p *peer, heads []wire.Head) {
	p.mu.Lock()
	witness := p.witness
	p.mu.Unlock()
	if !witness {
		return
	}
	var logs []message.LogID
	a.mu.Lock()
	for _, h := range heads {
		if a.awaited[h.Log] == nil {
			continue
		}
		if a.haves[p] == nil {
			a.haves[p] = map[message.LogID]wire.Head{}
		}
		a.haves[p][h.Log] = h
		logs = append(logs, h.Log)
	}
	a.mu.Unlock()
	a.count(logs)
}

// Committed counts anew what is awaited; the hub calls it when its own journal has committed.
func (x *Exchange) Committed() {
	x.acks.mu.Lock()
	logs := slices.Collect(maps.Keys(x.acks.awaited))
	x.acks.mu.Unlock()
	x.acks.count(logs)
}

// copied is one machine's durable head.
type copied struct {
	host identity.HostID
	seq  uint64
}

// count tells the authors of logs what has become stable.
func (a *acks) count(logs []message.LogID) {
	for _, l := range logs {
		a.countOne(l)
	}
}

func (a *acks) countOne(l message.LogID) {
	j := a.exchange.journal
	var copies []copied
	head, _ := j.Head(l)
	if h, ok := j.DurableHead(l); ok && j.Persistent() {
		copies = append(copies, copied{a.exchange.config.Host, h.Seq})
	}
	a.mu.Lock()
	w := a.awaited[l]
	if w == nil || len(a.tells[w.author]) >= maxAwaited { // who does not hear what it was told is told no more
		a.mu.Unlock()
		return
	}
	if head.Fork != 0 { // what is past it will never be stable
		w.until = min(w.until, head.Seq)
	}
	for p, haves := range a.haves {
		h, ok := haves[l]
		if !ok || h.Seq == 0 {
			continue
		}
		if tip, ok := j.Hash(l, h.Seq); ok && tip == h.Tip {
			copies = append(copies, copied{p.Host, h.Seq})
		}
	}
	copies = slices.DeleteFunc(copies, func(c copied) bool { return c.host == w.host })
	slices.SortFunc(copies, func(a, b copied) int { return cmp.Compare(b.seq, a.seq) })
	others := a.exchange.keepers(w.host)
	var tell []wire.StableLog
	hosts := map[identity.HostID]bool{}
	for _, c := range copies {
		if hosts[c.host] || len(hosts) == len(w.told) {
			continue
		}
		hosts[c.host] = true
		n := len(hosts)
		seq, all := min(c.seq, w.until), n >= others
		if seq == w.until && (n >= 2 || all) {
			a.dropLocked(l)
		}
		if seq <= w.told[n-1] {
			continue
		}
		tip, ok := j.Hash(l, seq)
		if !ok {
			continue
		}
		w.told[n-1] = seq
		tell = append(tell, wire.StableLog{Log: l, Seq: seq, Tip: tip, Copies: uint8(n), All: all})
	}
	if w.until == 0 {
		a.dropLocked(l)
	}
	if w.author != nil && len(tell) > 0 {
		a.tells[w.author] = append(a.tells[w.author], tell...)
		w.author.poke()
		tell = nil
	}
	a.mu.Unlock()
	a.stable(tell)
}

func (a *acks) dropLocked(l message.LogID) {
	delete(a.awaited, l)
	for _, haves := range a.haves {
		delete(haves, l)
	}
}

// keeper notes whether what is said is kept on p's machine. Machines are counted as links come and go: each message asks how many there are.
func (x *Exchange) keeper(p *peer, keeps bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p.keeper == keeps {
		return
	}
	p.keeper = keeps
	if keeps {
		x.keeping[p.Host]++
	} else if x.keeping[p.Host]--; x.keeping[p.Host] == 0 {
		delete(x.keeping, p.Host)
	}
}

// keepers is how many machines could hold a copy, but for one.
func (x *Exchange) keepers(but identity.HostID) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(x.keeping)
	if x.keeping[but] > 0 {
		n--
	}
	if own := x.config.Host; x.journal.Persistent() && own != but && x.keeping[own] == 0 {
		n++
	}
	return n
}

// next appends STABLE for p.
func (a *acks) next(p *peer, b []byte) []byte {
	a.mu.Lock()
	tell := a.tells[p]
	delete(a.tells, p)
	a.mu.Unlock()
	for len(tell) > 0 {
		n := min(len(tell), wire.MaxHeads)
		b = wire.Append(b, wire.TypeStable, &wire.Stable{Logs: tell[:n]})
		tell = tell[n:]
	}
	return b
}

// stable tells this node what has become stable of its own.
func (a *acks) stable(logs []wire.StableLog) {
	if a.exchange.config.Stable == nil {
		return
	}
	for _, s := range logs {
		if tip, ok := a.exchange.journal.Hash(s.Log, s.Seq); ok && tip == s.Tip {
			a.exchange.config.Stable(s.Log, s.Seq, int(s.Copies), s.All)
		}
	}
}

// asks are the awaited logs whose durable heads a witness has not told.
func (a *acks) asks(p *peer) []wire.Head {
	p.mu.Lock()
	witness := p.witness
	p.mu.Unlock()
	if !witness {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var ask []wire.Head
	for l, w := range a.awaited {
		if a.haves[p][l].Seq < w.until && len(ask) < wire.MaxHeads {
			ask = append(ask, wire.Head{Log: l})
		}
	}
	return ask
}

func (a *acks) forget(p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.haves, p)
	delete(a.tells, p)
	for l, w := range a.awaited {
		if w.author == p {
			a.dropLocked(l)
		}
	}
}

// Witnesses says which of the hub's links report what is on their disks.
func (x *Exchange) Witnesses(sessions []identity.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.witnesses = slices.Clone(sessions)
	for p := range x.links {
		p.mu.Lock()
		p.witness = slices.Contains(sessions, p.Session)
		p.mu.Unlock()
	}
}

// Forgetful are the instances linked that have said that they keep nothing on disk: they are no use as witnesses.
func (x *Exchange) Forgetful() map[identity.Session]bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	forgetful := map[identity.Session]bool{}
	for p := range x.links {
		p.mu.Lock()
		if p.state != nil && !p.state.Durable {
			forgetful[p.Session] = true
		}
		p.mu.Unlock()
	}
	return forgetful
}

// Witness says whether this end is one, on a link to the hub.
func (x *Exchange) Witness(yes bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for p := range x.links {
		p.mu.Lock()
		p.witness = yes
		p.mu.Unlock()
		p.poke()
	}
}
