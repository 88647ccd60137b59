// Package database opens SQLite databases as a journal uses them: one connection writes, others read beside it. It is pure Go (modernc.org/sqlite).
package database

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite" // also the database/sql driver
	sqlite3 "modernc.org/sqlite/lib"
)

// patience is how long a statement waits for another process, in ms.
const patience = "10000"

// Open opens the database at path, or makes it, with pragmas for the one who writes and for at most n who read; the driver runs them in the order of their names. With an empty path it is in memory, w and r are the same
// single connection, and pragmas do not count.
func Open(path string, writing []string, n int, reading ...string) (w, r *sql.DB, err error) {
	if path == "" {
		if w, err = sql.Open("sqlite", "file::memory:"); err != nil {
			return nil, nil, err
		}
		r = w
	} else {
		// A transaction that began by reading could not go on to write beside another process.
		if w, err = open(path, "_txlock=immediate", writing); err != nil {
			return nil, nil, err
		}
		if r, err = open(path, queryOnly, reading); err != nil {
			return nil, nil, errors.Join(err, w.Close())
		}
		atMost(r, n)
	}
	w.SetMaxOpenConns(1)
	return w, r, nil
}

// OpenReaders opens a database that is there for at most n who read, also on a disk that nobody can write to.
func OpenReaders(path string, n int, pragmas ...string) (*sql.DB, error) {
	r, err := open(path, queryOnly, pragmas)
	if err != nil {
		return nil, err
	}
	// To read a WAL takes a file beside it that may have to be made. Where that cannot be, and there is no WAL, nobody is writing.
	if _, err := r.Exec("PRAGMA schema_version"); cannotOpen(err) && !exists(path+"-wal") && exists(path) {
		if err := r.Close(); err != nil {
			return nil, err
		}
		if r, err = open(path, "immutable=1", pragmas); err != nil {
			return nil, err
		}
	}
	atMost(r, n)
	return r, nil
}

// EmptyWAL moves what is in the WAL of the one who writes into the database, and cuts it to nothing. It waits for no reader: where one reads what was there before, done is false.
func EmptyWAL(w *sql.DB) (done bool, err error) {
	if _, err := w.Exec("PRAGMA busy_timeout=0"); err != nil {
		return false, err
	}
	var busy, frames, moved int
	err = w.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	_, again := w.Exec("PRAGMA busy_timeout=" + patience)
	return err == nil && busy == 0, errors.Join(err, again)
}

const queryOnly = "_pragma=query_only(1)"

func atMost(r *sql.DB, n int) {
	r.SetMaxOpenConns(n)
	r.SetMaxIdleConns(n)
}

func cannotOpen(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CANTOPEN
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func open(path, option string, pragmas []string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // C:/…
	}
	// A URL: the driver would take what follows a "?" in a path for options.
	dsn := (&url.URL{Scheme: "file", Path: abs}).String() + "?_busy_timeout=" + patience + "&" + option
	for _, p := range pragmas {
		dsn += "&_pragma=" + p
	}
	return sql.Open("sqlite", dsn)
}
