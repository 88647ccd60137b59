package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// A History is what a profile keeps of a network on this disk, to be searched without taking part, also while another process does.
type History struct {
	stores   []*journal.Reader
	me       identity.PeerID
	known    *contacts
	networks []keptNetwork // the network, and those before
	unopened error
}

// keptNetwork is what is kept of a network besides what was said.
type keptNetwork struct {
	id    identity.NetworkID
	vault *vault.Vault
}

// OpenHistory opens all that is kept of a network below a profile's folder, of every gathering; also of the network by the keys that it had before. What cannot be opened is left out (Unopened) where something
// can. The error is fs.ErrNotExist where there is nothing.
func OpenHistory(dir string, network *identity.Network, previous ...*identity.Network) (*History, error) {
	p, h := &profile{dir: dir}, &History{}
	who := sync.OnceValues(func() (*identity.Identity, error) { return identity.Load(dir) }) // where there is no history there need be nobody
	for _, n := range append([]*identity.Network{network}, previous...) {
		if err := h.open(p, n.ID(), who); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, h.Close())
		}
	}
	switch {
	case len(h.stores) > 0:
		return h, nil
	case h.unopened != nil:
		return nil, h.unopened
	default:
		return nil, fs.ErrNotExist
	}
}

// Unopened says why not all that is kept is searched; nil: all is.
func (h *History) Unopened() error { return h.unopened }

// open adds what is kept of one network. The people of the first are those that are known.
func (h *History) open(p *profile, network identity.NetworkID, load func() (*identity.Identity, error)) error {
	folders, err := os.ReadDir(p.network(network))
	if err != nil {
		return err
	}
	if h.known == nil {
		if h.known, err = openContacts(p.contacts(network), true, identity.PeerID{}, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
	}
	who, err := load()
	if err != nil {
		return err
	}
	sealed, err := vault.Open(vault.Config{Network: network, Who: who, Dir: p.network(network), Ring: &seal.Ring{}})
	if err != nil {
		return err
	}
	h.me, h.networks = who.ID(), append(h.networks, keptNetwork{network, sealed})
	for _, entry := range folders {
		folder := filepath.Join(p.network(network), entry.Name())
		if !entry.IsDir() {
			continue
		}
		r, err := journal.OpenReader(folder, network)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			h.unopened = cmp.Or(h.unopened, fmt.Errorf("open %s: %w", folder, unopened(err, folder)))
		default:
			h.stores = append(h.stores, r)
		}
	}
	return nil
}

// Search is as Node.Search, also in that who is ignored is not found, in room ("#name" or "@nick") alone where that is not empty. All is looked at, however long that takes.
func (h *History) Search(ctx context.Context, query, room string, max int) (Found, error) {
	q, err := parseQuery(query)
	if err != nil {
		return Found{}, err
	}
	if room != "" {
		if q, err = q.In(room); err != nil {
			return Found{}, &Error{Text: err.Error(), Hint: "a room is called like #build, a conversation like @bob", cause: err}
		}
	}
	q = q.Also(h.calledSo(q.Room())...)
	return collect(max, 0, &q, func(l journal.Line) (Message, bool) {
		if outdated(&l, h.stores) {
			return Message{}, false
		}
		m, _, ok := said(&l, h.where(l))
		verified, ignored := h.known.marked(l.Author)
		m.Verified = verified
		hidden := l.Sealed && slices.ContainsFunc(h.networks, func(n keptNetwork) bool { return n.vault.Hides(l.Room, l.Author, l.HLC) })
		return m, ok && !ignored && !hidden
	}, func(older int64, max int) (journal.Found, error) {
		var pages []journal.Found
		for _, r := range h.stores {
			page, err := r.Search(ctx, q, older, max)
			if err != nil {
				return journal.Found{}, err
			}
			pages = append(pages, page)
		}
		return journal.Merge(max, pages...), nil
	})
}

// where returns what the room of a line is called, as far as that is known without the others.
func (h *History) where(l journal.Line) string {
	if l.Name != "" {
		return publicOf(&l)
	}
	for _, n := range h.networks {
		if name := called(n.vault, l.Room, nil, h.nick); name != "" {
			return name
		}
		if l.Author != h.me && n.vault.Concerns(message.GroupID(l.Room), l.Author, h.me) { // nobody has written down yet that there is a conversation
			return "@" + h.nick(l.Author, l.Nick)
		}
	}
	return ""
}

// calledSo is as Node.calledSo.
func (h *History) calledSo(name string) (ids []message.RoomID) {
	for _, n := range h.networks {
		var list []message.RoomID
		for _, r := range n.vault.Rooms() {
			list = append(list, r.ID)
		}
		for _, t := range n.vault.AllTalks() {
			list = append(list, t.Room)
		}
		ids = append(ids, slices.DeleteFunc(list, func(id message.RoomID) bool { return !strings.EqualFold(called(n.vault, id, nil, h.nick), name) })...)
	}
	return ids
}

// nick returns what somebody is called, whose nick by a conversation is says, where that is not empty.
func (h *History) nick(who identity.PeerID, says string) string {
	if nick := cmp.Or(h.known.nickOf(who), says); nick != "" {
		return message.ShowNick(nick)
	}
	return message.ShowNick(h.profileNick(who))
}

// profileNick returns the nick in a profile that is kept of somebody, or nothing.
func (h *History) profileNick(who identity.PeerID) string {
	for _, s := range h.stores {
		b, err := s.Person(who)
		if err != nil || b == nil {
			continue
		}
		for _, n := range h.networks {
			if p, err := seal.ParseProfile(n.id, b); err == nil {
				return p.Nick
			}
		}
	}
	return ""
}

// Close closes it. Nobody may be searching.
func (h *History) Close() error {
	var errs []error
	for _, r := range h.stores {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
