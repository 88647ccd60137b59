package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
)

// The stores of realms that were left are not open, and forget nothing. Once a day each is, one after the other, for as long as it takes to forget much; and soon after something was deleted that they may hold, too.
const (
	tidyEvery = 24 * time.Hour
	tidyFor   = time.Minute
)

// tidying is such a store while it is open.
type tidying struct {
	realm identity.Realm
	stop  context.CancelFunc
	done  chan struct{}
}

// tidy runs until ctx ends.
func (g *gatherings) tidy(ctx context.Context) {
	if g.dir == "" || g.network.Closed() {
		return
	}
	next := time.NewTicker(tidyFor)
	defer next.Stop()
	var left []identity.Realm
	var began time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		if g.deleted.Swap(false) || began.IsZero() || time.Since(began) >= tidyEvery {
			left, began = g.stores(), time.Now()
		}
		if len(left) > 0 {
			g.tidyOne(ctx, left[0])
			left = left[1:]
		}
	}
}

// stores are the realms that there are stores of.
func (g *gatherings) stores() (out []identity.Realm) {
	folders, err := os.ReadDir(g.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.log.Warn("cannot look for the stores of realms", "err", err)
	}
	for _, f := range folders {
		var r realmHex
		if hex, ok := strings.CutPrefix(f.Name(), "realm-"); ok && f.IsDir() && r.UnmarshalText([]byte(hex)) == nil {
			out = append(out, identity.Realm(r))
		}
	}
	return out
}

// tidyOne has a store open for a while, unless it is, and until it is needed.
func (g *gatherings) tidyOne(ctx context.Context, r identity.Realm) {
	ctx, stop := context.WithTimeout(ctx, tidyFor)
	defer stop()
	t := &tidying{r, stop, make(chan struct{})}
	defer close(t.done)
	g.entering.Lock()
	g.mu.Lock()
	shown := g.openLocked()
	open := slices.ContainsFunc(slices.Concat(shown, g.leaving), func(at *gathering) bool { return at.realm == r && !at.alone })
	if !open {
		g.tidied = t
	}
	g.mu.Unlock()
	g.entering.Unlock()
	if open {
		return
	}
	j, err := g.openJournal(g.store(r))
	if err == nil {
		err = errors.Join(g.deleteLeft(ctx, j, shown), j.Run(ctx))
	}
	if err != nil {
		g.log.Warn("cannot tidy up the store of a realm that was left", "err", err)
	}
}

// deleteLeft deletes in the store of a realm that was left what this person has deleted in gatherings that are shown: messages that were taken along from one to another. It takes no lock: who needs the
// realm holds it.
func (g *gatherings) deleteLeft(ctx context.Context, j *journal.Journal, shown []*gathering) error {
	author := j.NewAuthor(g.who, g.nick())
	for _, at := range shown {
		deleted, err := at.journal.Deleted(g.who.ID())
		if err != nil {
			return err
		}
		lines, err := j.FindAll(deleted)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.Author != g.who.ID() || l.Marks.Redacted {
				continue
			}
			if err := deleteIn(ctx, j, author, l, l.Ref()); err != nil {
				return err
			}
		}
	}
	return nil
}
