package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// A History is what a profile keeps of a network on this disk, to be searched without taking part, also while another process does.
type History struct {
	stores []*journal.Reader
	known  *contacts
	vaults []*vault.Vault // of the network, and of those before
}

// OpenHistory opens all that is kept of a network below a profile's folder, of every gathering; also of the network by the keys that it had before. The error is fs.ErrNotExist where there is nothing.
func OpenHistory(dir string, network *identity.Network, previous ...*identity.Network) (*History, error) {
	p, h := &profile{dir: dir}, &History{}
	who := sync.OnceValues(func() (*identity.Identity, error) { return identity.Load(dir) }) // where there is no history there need be nobody
	for _, n := range append([]*identity.Network{network}, previous...) {
		if err := h.open(p, n.ID(), who); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, h.Close())
		}
	}
	if len(h.stores) == 0 {
		return nil, fs.ErrNotExist
	}
	return h, nil
}

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
	h.vaults = append(h.vaults, sealed)
	for _, entry := range folders {
		folder := filepath.Join(p.network(network), entry.Name())
		if !entry.IsDir() {
			continue
		}
		r, err := journal.OpenReader(folder, network)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("open %s: %w", folder, err)
		default:
			h.stores = append(h.stores, r)
		}
	}
	return nil
}

// Search is as Node.Search, also in that who is ignored is not found, in room ("#name") alone where that is not empty. All is looked at, however long that takes.
func (h *History) Search(ctx context.Context, query, room string, max int) (Found, error) {
	q, err := parseQuery(query)
	if err != nil {
		return Found{}, err
	}
	if room != "" {
		name, err := message.CleanRoom(room)
		if err != nil {
			return Found{}, &Error{Text: err.Error(), Hint: "a room is called like #build", cause: err}
		}
		q = q.In(name)
	}
	return collect(max, 0, &q, func(l journal.Line) (Message, bool) {
		m, _, ok := said(&l, h.where(l))
		verified, ignored := h.known.marked(l.Author)
		m.Verified = verified
		return m, ok && !ignored
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
	for _, v := range h.vaults {
		if name := called(v, l.Room, nil, func(_ identity.PeerID, nick string) string { return message.ShowNick(nick) }); name != "" {
			return name
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
