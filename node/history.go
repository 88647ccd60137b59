package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

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
	vault  *vault.Vault
}

// OpenHistory opens all that is kept of a network below a profile's folder, of every gathering. The error is fs.ErrNotExist where there is nothing.
func OpenHistory(dir string, network *identity.Network) (*History, error) {
	p := &profile{dir: dir}
	folders, err := os.ReadDir(p.network(network.ID()))
	if err != nil {
		return nil, err
	}
	known, err := openContacts(p.contacts(network.ID()), true, identity.PeerID{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	who, err := identity.Load(dir)
	if err != nil {
		return nil, err
	}
	sealed, err := vault.Open(vault.Config{Network: network.ID(), Who: who, Dir: p.network(network.ID()), Ring: &seal.Ring{}})
	if err != nil {
		return nil, err
	}
	h := &History{known: known, vault: sealed}
	for _, entry := range folders {
		folder := filepath.Join(p.network(network.ID()), entry.Name())
		if !entry.IsDir() {
			continue
		}
		r, err := journal.OpenReader(folder, network.ID())
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, errors.Join(fmt.Errorf("open %s: %w", folder, err), h.Close())
		default:
			h.stores = append(h.stores, r)
		}
	}
	if len(h.stores) == 0 {
		return nil, fs.ErrNotExist
	}
	return h, nil
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
		m, _, ok := said(l, h.where(l))
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
		return publicOf(l)
	}
	return called(h.vault, l.Room, nil, func(_ identity.PeerID, nick string) string { return message.ShowNick(nick) })
}

// Close closes it. Nobody may be searching.
func (h *History) Close() error {
	var errs []error
	for _, r := range h.stores {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
