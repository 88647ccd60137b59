package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"earshot/node/identity"
	"earshot/node/message"
)

// An Author writes into a journal for one identity in one process. It mints a nonce at once and a new log for each room and day; nothing of
// that is ever read back. It may be used concurrently.
type Author struct {
	j  *Journal
	id *identity.Identity

	mu    sync.Mutex // held while a message is stamped, signed and appended, so that stamps come in the order of arrival
	nonce message.Nonce
	used  []message.Nonce // all there were, nonce the last
	nick  string
	open  map[message.RoomID]openLog
	moved map[message.Ref]message.Ref // what was said again, and where
}

// An openLog is the newest log in a room.
type openLog struct {
	group message.GroupID
	name  string
	day   uint32
}

// NewAuthor returns an author who appears as nick.
func (j *Journal) NewAuthor(i *identity.Identity, nick string) *Author {
	a := &Author{j: j, id: i, nick: cutNick(nick), open: map[message.RoomID]openLog{}, moved: map[message.Ref]message.Ref{}}
	a.mint()
	return a
}

// cutNick makes nick fit an opening.
func cutNick(nick string) string {
	nick = strings.ToValidUTF8(nick, "?")
	for n := message.MaxNickBytes; len(nick) > message.MaxNickBytes; n-- {
		if utf8.RuneStart(nick[n]) {
			nick = nick[:n]
		}
	}
	return nick
}

// mint begins a new set of logs.
func (a *Author) mint() {
	a.j.mu.Lock()
	defer a.j.mu.Unlock()
	a.mintLocked()
}

// mintLocked is called with the journal's mu held, too.
func (a *Author) mintLocked() {
	var fresh message.Nonce
	rand.Read(fresh[:])
	a.takeLocked(fresh)
}

func (a *Author) takeLocked(n message.Nonce) {
	a.nonce, a.used = n, append(a.used, n)
	clear(a.open)
	a.j.mine[n] = struct{}{}
}

// Nonce tells this process's logs from all others. It changes where the clock was set back, or where a log was continued elsewhere.
func (a *Author) Nonce() message.Nonce {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nonce
}

// Nonces returns all there were, in order.
func (a *Author) Nonces() []message.Nonce {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.used)
}

// Renew begins new logs, in all rooms, if those of nonce are being written: somebody else writes them, too.
func (a *Author) Renew(nonce message.Nonce) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.nonce == nonce {
		a.mint()
	}
}

// Assume goes on with logs that another process writes, as the copy of a running machine does.
func (a *Author) Assume(nonce message.Nonce) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.j.mu.Lock()
	defer a.j.mu.Unlock()
	a.takeLocked(nonce)
}

// Rename changes the nick: a message in each log that is open, and the opening of those to come.
func (a *Author) Rename(ctx context.Context, nick string) error {
	if err := a.j.waitQueue(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if nick = cutNick(nick); nick == a.nick {
		return nil
	}
	a.nick = nick
	today := a.j.Today()
	open := map[message.RoomID]openLog{}
	for room, o := range a.open {
		if o.day >= today {
			open[room] = o
		}
	}
	for room, o := range open {
		if _, _, _, err := a.write(o.group, room, o.name, message.NickName, []byte(nick)); err != nil {
			return err
		}
	}
	return nil
}

// Write numbers, stamps, signs and appends one message as a run of its own; it is in the tail when Write returns, on disk when Durable
// reaches arrival. name is the public room's, or empty.
func (a *Author) Write(ctx context.Context, g message.GroupID, room message.RoomID, name string, k message.Kind, body []byte) (id message.ID, key Key, arrival int64, err error) {
	switch {
	case len(body) > message.MaxBody:
		return id, key, 0, fmt.Errorf("a message of %d bytes is too long", len(body))
	case (g == message.Public) != (name != ""), name != "" && room != message.Room(name), len(name) > message.MaxRoomNameBytes, g != message.Public && (g == message.Mail || g != message.GroupID(room)):
		return id, key, 0, errors.New("the room and its name do not belong together")
	}
	if err := a.j.waitQueue(ctx); err != nil {
		return id, key, 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.write(g, room, name, k, body)
}

// write is called with mu held.
func (a *Author) write(g message.GroupID, room message.RoomID, name string, k message.Kind, body []byte) (id message.ID, key Key, arrival int64, err error) {
	run, hashes, arrival, err := a.append(g, room, name, []message.Record{message.Body(0, k, body)}, nil)
	if err != nil {
		return id, key, 0, err
	}
	return hashes[0].ID(), Key{HLC: run.Records[0].HLC, Log: run.Log, Seq: run.First}, arrival, nil
}

// maxRenewed is how often in a row a vault may ask for another log.
const maxRenewed = 4

// append stamps records and appends them as one run, sealed where the group is. before, where it is set, is told of it before anyone can see it. It is called with mu held.
func (a *Author) append(g message.GroupID, room message.RoomID, name string, records []message.Record, before func(*message.Run, []message.Hash)) (run *message.Run, hashes []message.Hash, arrival int64, err error) {
	j := a.j
	for renewed := 0; ; {
		a.stamp(records)
		hlc := records[0].HLC
		o := &message.Opening{Network: j.conf.Network, Group: g, Room: room, Author: a.id.ID(), Nonce: a.nonce, Day: dayOf(int64(hlc >> 16)), Nick: a.nick, Name: name}
		l, held, err := j.lookup(o.Log())
		if err != nil {
			return nil, nil, 0, err
		}
		// Who has a log that is none of this process's, a copy of its machine has begun it: of a sealed one perhaps in another epoch.
		if others := g != message.Public && a.open[room].day != o.Day; held && (l.Fork != 0 || l.hlc >= hlc || others) {
			a.mint()
			continue
		}
		run = &message.Run{Log: o.Log(), First: l.Seq + 1, Prev: l.Tip, Records: records}
		if !held {
			run.Opening = o
		}
		open, err := j.seal(speakerOf(o), run)
		if errors.Is(err, ErrRenew) && renewed < maxRenewed {
			renewed++
			a.mint()
			continue
		}
		if err != nil {
			return nil, nil, 0, err
		}
		run.Sign(a.id)
		hashes = run.Hashes()
		if before != nil {
			before(run, hashes)
		}
		_, arrival, ok, err := j.place(&l, held, run, hashes, Entry{open: open})
		if err != nil {
			return nil, nil, 0, err
		}
		if !ok {
			continue
		}
		a.open[room] = openLog{g, name, o.Day}
		j.wake()
		j.watchers.tell(0)
		return run, hashes, arrival, nil
	}
}

// stamp gives records their stamps. Where the newest known is too far ahead of the corrected clock, because it was set back, new logs begin with
// the clock: the old ones could only go on ahead of everyone else's.
func (a *Author) stamp(records []message.Record) {
	j := a.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.aheadLocked(j.hlc) {
		j.hlc = 0
		a.mintLocked()
	}
	for i := range records {
		records[i].HLC = j.stampLocked()
	}
}

// Reoffer appends to j those of the logs, which an author of this process wrote, that old holds: the same logs with the same numbers, and the same forks. It returns how many were news.
// Logs of days before those that j keeps are left out; so is what does not continue what j holds (ErrGap, ErrConflict), which is told at the end.
func (j *Journal) Reoffer(old *Journal, logs []message.LogID) (news int, left error) {
	for _, id := range logs {
		if _, held := j.Head(id); !held && old.Void(id) {
			continue
		}
		added := false
		for data, err := range old.Serve(id, 1) {
			if err != nil {
				return news, err
			}
			run, err := parseHeld(data)
			if err != nil {
				return news, old.fault(err)
			}
			n, err := j.Append(context.Background(), run, 0, Asked)
			if errors.Is(err, ErrDay) {
				break
			}
			if errors.Is(err, ErrGap) || errors.Is(err, ErrConflict) {
				left = errors.Join(left, err)
				break
			}
			if err != nil {
				return news, err
			}
			added = added || n > 0
		}
		if proof := old.Proof(id); proof != nil {
			if err := j.AppendProof(proof, 0); err != nil && !errors.Is(err, ErrGap) && !errors.Is(err, ErrDay) {
				return news, err
			}
		}
		if added {
			news++
		}
	}
	return news, left
}

// Adopt appends to j what may be nowhere but in the memory of old, whose Run has ended, because its store is damaged: what this process wrote, and what was not on disk,
// with what comes before it in its log as far as that is in memory.
func (j *Journal) Adopt(old *Journal) (runs int, err error) {
	old.mu.RLock()
	items, durable := old.tail.items, old.durable.Load()
	old.mu.RUnlock()
	logs := map[message.LogID]bool{}
	for i := range items {
		if it := &items[i]; it.From == 0 || it.Arrival > durable {
			logs[it.Log] = true
		}
	}
	for i := range items {
		if !logs[items[i].Log] {
			continue
		}
		n, err := j.adopt(&items[i])
		if errors.Is(err, ErrGap) || errors.Is(err, ErrDay) || errors.Is(err, ErrConflict) {
			continue // the others have what is missing
		}
		if err != nil {
			return runs, err
		}
		runs += min(n, 1)
	}
	return runs, nil
}

func (j *Journal) adopt(it *item) (added int, err error) {
	if it.Fork != 0 {
		return 0, j.AppendProof(body(it.Frame), 0)
	}
	run, err := parseHeld(body(it.Frame))
	if err != nil {
		return 0, err
	}
	via := Asked
	if it.live { // who was removed may not say this any more
		via = Live
	}
	return j.Append(context.Background(), run, 0, via)
}

// By returns the logs of a process that have a message stamped at or after since, oldest first.
func (j *Journal) By(nonce message.Nonce, since uint64) ([]message.LogID, error) {
	// First what is in memory, then what is on disk: what is committed in between is seen twice, and nothing not at all.
	rows := map[int64]message.LogID{}
	j.mu.RLock()
	for _, l := range j.changed {
		if l.Nonce == nonce && l.hlc >= since {
			rows[l.row] = l.Log
		}
	}
	j.mu.RUnlock()
	if err := j.fault(j.store.by(nonce, since, rows)); err != nil {
		return nil, err
	}
	var ids []message.LogID
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		ids = append(ids, rows[row])
	}
	return ids, nil
}
