package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// A past is the network as it was by a key that it had before. What was said then is shown where it belongs: public rooms by their names, direct conversations with the same people. A private room goes on in no other
// network, because its states are bound to one: it is listed as one that this person is not in any more, until it is made again (CopyRoom). Nothing is added to any of it.
type past struct {
	network identity.NetworkID
	vault   *vault.Vault
}

// roomIn returns what a room of today was in a gathering.
func (at *gathering) roomIn(r room, me identity.PeerID) message.RoomID {
	if at.past != nil && r.direct() {
		return seal.Direct(at.past.network, me, r.with)
	}
	return r.id
}

// roomNow returns what a room of any time is today.
func (g *gatherings) roomNow(id message.RoomID) message.RoomID {
	if now, ok := g.today[id]; ok {
		return now
	}
	return id
}

// openPast opens what is kept of the networks before, the newest first. What cannot be opened is told, and is no reason not to chat.
func (n *Node) openPast() {
	if n.config.NoHistory {
		return
	}
	n.gather.today = map[message.RoomID]message.RoomID{}
	for _, network := range n.config.Previous {
		id := network.ID()
		if id == n.network.ID() {
			continue // a change of the key that was interrupted
		}
		at, err := n.gather.startPast(id, n.profile.network(id), n.vault.Ring())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			n.notice(fmt.Sprintf("what was said in %s by an earlier key cannot be shown: %v", n.network.Name(), err), "")
			continue
		}
		if aside := at.journal.Recovered(); aside != "" {
			n.notice(fmt.Sprintf("what was said in %s by an earlier key was damaged, and is not shown any more", n.network.Name()), "the damaged files were set aside: "+aside)
		}
		n.gather.pasts = append(n.gather.pasts, at)
		if j := n.gather.current.journal; j.Recovered() == "" {
			j.Meet(0) // it goes on: what was said by the new key before this person had it they missed
		}
		for _, t := range at.past.vault.AllTalks() {
			n.gather.today[t.Room] = seal.Direct(n.network.ID(), n.who.ID(), t.With)
		}
		if err := n.vault.Inherit(at.past.vault); err != nil {
			n.log.Warn("conversations do not go on", "err", err)
		}
	}
}

// startPast opens the store of a network before; the error is fs.ErrNotExist where there is none.
func (g *gatherings) startPast(id identity.NetworkID, dir string, ring *seal.Ring) (*gathering, error) {
	c := journal.Config{Network: id, Host: g.host, Keep: g.keep, Clock: g.clock, Log: g.log, Dir: filepath.Join(dir, storeOf(identity.Realm{}))}
	if _, err := os.Stat(c.Dir); err != nil {
		return nil, err
	}
	v, err := vault.Open(vault.Config{Network: id, Who: g.who, Dir: dir, Ring: ring, Log: g.log})
	if err != nil {
		return nil, err
	}
	c.Vault = v
	at := &gathering{past: &past{id, v}, done: make(chan struct{})}
	if at.journal, err = journal.Open(c); err != nil {
		return nil, unopened(err, c.Dir)
	}
	var ctx context.Context
	ctx, at.stop = context.WithCancel(context.Background())
	at.book = newBook(at.journal, func(r message.RoomID) bool { return v.Own(message.GroupID(r), identity.PeerID{}) })
	go func() {
		defer close(at.done)
		if at.err = at.journal.Run(ctx); at.err != nil && ctx.Err() == nil {
			g.dropPast(at)
		}
	}()
	return at, nil
}

// dropPast shows no more of what has failed; at the next start it is tried again.
func (g *gatherings) dropPast(gone *gathering) {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer gone.stop()
	if g.closed {
		return
	}
	g.pasts = slices.DeleteFunc(slices.Clone(g.pasts), func(at *gathering) bool { return at == gone }) // the list may be in use
	g.log.Error("the history by an earlier key is damaged", "err", gone.err)
}

// bygone are the networks before, the newest first. The list is not to be changed.
func (g *gatherings) bygone() []*gathering {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.pasts
}

// pastRoom returns a private room of a network before, and the vault that has it.
func (g *gatherings) pastRoom(id message.RoomID) (r vault.Room, v *vault.Vault, ok bool) {
	for _, at := range g.bygone() {
		if r, ok = at.past.vault.Room(id); ok {
			return r, at.past.vault, true
		}
	}
	return r, nil, false
}

// pastRooms are all private rooms of networks before that this person was in.
func (g *gatherings) pastRooms() (out []vault.Room) {
	for _, at := range g.bygone() {
		for _, r := range at.past.vault.Rooms() {
			if r.Status == vault.Joined || r.Status == vault.Out {
				out = append(out, r)
			}
		}
	}
	return out
}

// inherit has what is remembered of people go on where the network has another key than before.
func (n *Node) inherit() error {
	here := n.profile.contacts(n.network.ID())
	if _, err := os.Stat(here); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, network := range n.config.Previous {
		b, err := os.ReadFile(n.profile.contacts(network.ID()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = identity.Replace(here, b)
		}
		return err
	}
	return nil
}
