package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"earshot/node/identity"
	"earshot/node/journal/database"
	"earshot/node/journal/search"
	"earshot/node/message"
)

// A Reader searches a store that another process may be writing, or nobody. It writes nothing of its own.
type Reader struct {
	journal *Journal      // never run
	index   *search.Index // nil: there is none that can be used
}

// OpenReader opens the store of a network in dir to read it. The error is os.ErrNotExist where there is none.
func OpenReader(dir string, network identity.NetworkID) (*Reader, error) {
	// Looked at before SQLite does: it would delete a WAL that has no database.
	if info, err := os.Stat(filepath.Join(dir, dbFile)); err != nil {
		return nil, err
	} else if info.Size() == 0 {
		return nil, fmt.Errorf("%w: nothing in it", ErrDamaged)
	}
	r, err := database.OpenReaders(filepath.Join(dir, dbFile), readers)
	if err != nil {
		return nil, err
	}
	s := &store{w: r, r: r}
	var version int
	var net identity.NetworkID
	err = s.r.QueryRow("SELECT (SELECT value FROM meta WHERE key=?), (SELECT value FROM meta WHERE key=?), (SELECT value FROM meta WHERE key=?)", metaVersion, metaStore, metaNetwork).
		Scan(&version, fixed(s.id[:]), fixed(net[:]))
	if err == nil {
		err = readable(version)
	}
	if err == nil && net != network {
		err = errors.New("the history is of another network")
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	reader := &Reader{journal: newJournal(Config{Dir: dir, Network: network})}
	reader.journal.store, reader.journal.unmarked.logs = s, nil // nobody tells when another process stores marks
	if index, err := search.OpenReader(dir, s.id); err == nil {
		reader.index = index
	}
	return reader, nil
}

// Search is as Journal.Search, but what the index does not have is looked at however much that is.
func (r *Reader) Search(ctx context.Context, q search.Query, older int64, n int) (Found, error) {
	var from, last int64
	var again []int64
	index := r.index
	if index != nil {
		var err error
		if from, err = index.Watermark(ctx); err == nil {
			again, err = r.journal.store.again() // not there in a store that an older program wrote
		}
		if err != nil {
			index, from = nil, 0
		}
	}
	if err := r.journal.store.read(func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT coalesce(max(arrival), 0) FROM run").Scan(&last)
	}); err != nil {
		return Found{}, err
	}
	found, err := r.journal.find(ctx, index, q, older, n, again, from, last)
	if err != nil && index != nil && ctx.Err() == nil {
		found, err = r.journal.find(ctx, nil, q, older, n, nil, 0, last) // whatever is wrong with the index, the messages are there
	}
	return found, err
}

// Find is as Journal.Find.
func (r *Reader) Find(ref message.Ref) (Line, bool, error) { return r.journal.Find(ref) }

// Person is as Journal.Person.
func (r *Reader) Person(p identity.PeerID) ([]byte, error) { return r.journal.Person(p) }

// Close closes it. Nobody may be searching.
func (r *Reader) Close() error {
	var err error
	if r.index != nil {
		err = r.index.Close()
	}
	return errors.Join(err, r.journal.store.close())
}
