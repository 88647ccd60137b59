package storm

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func stores(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "networks", "*", "*", "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// aside are the stores that were set aside.
func aside(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "networks", "*", "*", "history.db.corrupt-*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") })
}

// readStore has f read what a query finds in one store; locked: it is just being made, or written to, and is to be looked at again.
func readStore(path, query string, f func(*sql.Rows) error) (locked bool, err error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return false, err
	}
	rows, err := db.Query(query)
	if err != nil {
		err = errors.Join(err, db.Close())
		return is(err, sqlite3.SQLITE_BUSY), err
	}
	for err == nil && rows.Next() {
		err = f(rows)
	}
	return false, errors.Join(err, rows.Err(), db.Close())
}

func is(err error, code int) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == code
}

// copyDir copies what is on a host's disk at a moment at which nothing is being written. Shared memory is not on it.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case strings.HasSuffix(path, "-shm"):
			return nil
		default:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, b, 0o600)
		}
	})
	if err != nil {
		t.Fatalf("copy a disk: %v", err)
	}
}
