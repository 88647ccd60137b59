// Package search is the full-text index of one journal: which messages hold given words, the newest first.
//
// It is made of the messages and nothing else, so that it may be dropped at any time and made again: it has a database of its own (search.db beside the journal's,
// or in memory), whose writing never locks out a commit, and whose damage costs the time to fill it. How far it has come is its watermark, an arrival of the journal.
// It says where a message is that may match; whether it does, its text must say (Query.Match), and a message that is gone since, or whose text is, is none.
//
// How it is made: FTS5 without contents and positions (detail=none), over the trigrams of the folded text, which are cut here and not by FTS5's own tokenizer. That makes
// folding the same in the index and in Match, lets two and one letters be found as the beginning of a trigram (the text is continued with two marks for that), and
// lets the room and the author's nick be terms like any other. It takes about as many bytes as the text again, times two or three (BenchmarkSearch tells); positions would double that.
//
// Order: a row's number is when it was said, in steps of 64 ms, and the next free one where that is taken. So FTS5 yields the newest first without sorting, whenever a message arrived,
// and a query ends when the page is full.
//
// What was removed is found no more, but its trigrams stay in the file until FTS5 merges the part of the index that has them: that of a message without contents is marked, and not rewritten. Purge has
// all of it merged, step by step.
//
// An Index may be used by several goroutines; Add, Remove, Removed and Purge by one.
package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode"

	"modernc.org/sqlite"

	"earshot/node/journal/database"
)

// file is the database in the journal's folder.
const file = "search.db"

const (
	readers     = 2                   // how many may search at once
	readerCache = "cache_size(-4096)" // each may take 4 MiB
)

// format changes with whatever would make an index that was filled before answer differently.
const format = "2 unicode " + unicode.Version

// With "usermerge" 2 a merge that Purge has begun goes on whatever was added meanwhile.
const schema = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE doc(id INTEGER PRIMARY KEY, arrival INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE VIRTUAL TABLE text USING fts5(terms, content='', contentless_delete=1, detail=none, tokenize='ascii');
INSERT INTO text(text, rank) VALUES ('usermerge', 2);
`

// ErrOther: the index is of another store, or of another version.
var ErrOther = errors.New("the search index is of another history")

// An Index is described in the package comment.
type Index struct {
	// Pause, if set, is called before each row and each page of the index (about 4 KB) that Add, Remove and Purge write, and may wait: keeping an index is long work that is never urgent. A message is two
	// rows, and its share of some pages. It is set before they are called, and does not use the Index.
	Pause func()

	w, r *sql.DB // the same single connection in memory; w is nil where it is only read

	removed bool // since everything was merged last; also in meta
	merging bool // Purge has begun to
	more    bool // was removed since then
}

// Open opens the index of a store in dir, or makes it; an empty dir keeps it in memory. Whatever its error, Drop and Open make a new one.
func Open(dir string, store [16]byte) (*Index, error) {
	path := ""
	if dir != "" {
		path = filepath.Join(dir, file)
	}
	x := &Index{}
	var err error
	// What a crash takes is filled again: nothing is worth a sync but the order of writes, and without that nobody would notice damage. Commits of the journal do not feel
	// these syncs (measured).
	if x.w, x.r, err = database.Open(path, []string{"journal_mode(WAL)", "synchronous(NORMAL)", "journal_size_limit(16777216)", "cache_size(-2048)", "secure_delete(1)"}, readers, readerCache); err != nil {
		return nil, err
	}
	if err := x.init(store); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	if err := x.watch(func(sqlite.SQLitePreUpdateData) {
		if x.Pause != nil {
			x.Pause()
		}
	}); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// watch has f called before each row that is written; nil ends that. FTS5 writes and merges its segments in the middle of statements that may take a second: only from in between the pages that are
// written then can it be interrupted.
func (x *Index) watch(f func(sqlite.SQLitePreUpdateData)) error {
	conn, err := x.w.Conn(context.Background()) // the only one
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		c.(sqlite.HookRegisterer).RegisterPreUpdateHook(f)
		return nil
	})
}

// OpenReader opens the index of a store in dir to read it, beside a process that fills it or without one. The error is fs.ErrNotExist where there is none.
func OpenReader(dir string, store [16]byte) (*Index, error) {
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		return nil, err
	}
	r, err := database.OpenReaders(filepath.Join(dir, file), readers, readerCache)
	if err != nil {
		return nil, err
	}
	x := &Index{r: r}
	if err := x.check(x.r, store); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *Index) init(store [16]byte) error {
	var tables int
	if err := x.w.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		err := x.write(func(tx *sql.Tx) error {
			if _, err := tx.Exec(schema); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO meta VALUES ('format', ?), ('store', ?), ('watermark', 0)", format, store[:])
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := x.check(x.w, store); err != nil {
		return err
	}
	// What is in a run is not found by when it was said: in a flood its slot may be any. An index that an earlier version made has none of these.
	if _, err := x.w.Exec("CREATE INDEX IF NOT EXISTS doc_arrival ON doc(arrival)"); err != nil {
		return err
	}
	return x.w.QueryRow("SELECT EXISTS (SELECT 1 FROM meta WHERE key='removed')").Scan(&x.removed)
}

// check says whether this is the index of that store.
func (x *Index) check(db *sql.DB, store [16]byte) error {
	var f string
	var of []byte
	err := db.QueryRow("SELECT (SELECT value FROM meta WHERE key='format'), (SELECT value FROM meta WHERE key='store')").Scan(&f, &of)
	if err == nil && (f != format || string(of) != string(store[:])) {
		err = ErrOther
	}
	return err
}

// Drop deletes the index in dir, whatever it is.
func Drop(dir string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, file+suffix)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close closes it. Nobody may be using it.
func (x *Index) Close() error {
	var errs []error
	if x.r != nil && x.r != x.w {
		errs = append(errs, x.r.Close())
	}
	if x.w != nil {
		errs = append(errs, x.watch(nil), x.w.Close()) // the driver would keep it
	}
	return errors.Join(errs...)
}

// Watermark is the arrival up to which everything is in it.
func (x *Index) Watermark(ctx context.Context) (arrival int64, err error) {
	err = x.r.QueryRowContext(ctx, "SELECT value FROM meta WHERE key='watermark'").Scan(&arrival)
	return arrival, err
}

func (x *Index) write(f func(tx *sql.Tx) error) error {
	tx, err := x.w.Begin()
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback() // the error that matters is the first
		return fmt.Errorf("search index: %w", err)
	}
	return tx.Commit()
}
