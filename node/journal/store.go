package journal

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"earshot/node/identity"
	"earshot/node/journal/database"
)

const (
	dbFile = "history.db"
	// idFile holds the store's id beside it: a database missing here was lost, not never made.
	idFile = "store.id"
	// damageFile is left by Run where it met damage, for the Open that follows.
	damageFile = "damaged"
	// readers is how many may read at once.
	readers = 4
)

// A store is the database: all of the package's SQL is its methods.
type store struct {
	w, r *sql.DB // one writer; readers. The same single connection where the store is in memory.
	id   [16]byte
	// relaxed: the writer does not sync each transaction (see relax).
	relaxed bool
	// What follows is the writer's, like relaxed: since when the WAL may hold bodies that were deleted, when it was emptied last, and what the last commit took.
	dirty, scrubbed time.Time
	took            time.Duration

	insertLog, updateLog, insertRun, putDay, insertPlace, insertPlaces *sql.Stmt

	mu     sync.RWMutex // held for reading by whoever uses w or r, so that close waits for them
	closed bool

	prepared statements
}

// openStore opens the database in dir, or makes it. An error for which damaged is true means that it must be set aside.
func openStore(dir string, network identity.NetworkID, realm identity.Realm) (*store, error) {
	s := &store{}
	var err error
	path := ""
	if dir != "" {
		path = filepath.Join(dir, dbFile)
		if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 { // of a process that was killed
			s.dirty = time.Now()
		}
	}
	// Pages stay at SQLite's 4 KiB: with 8 a flood took 10 % more CPU, and a commit of one message 8 %, for pages are what is written.
	if s.w, s.r, err = database.Open(path, []string{"journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)", "cache_size(-4096)", "secure_delete(1)"}, readers); err != nil {
		return nil, err
	}
	fresh := path != "" && !exists(path+"-wal") && !exists(path+"-shm")
	if err := s.init(dir, network, realm); err != nil {
		err = errors.Join(err, s.close())
		if fresh && unwritable(err) { // SQLite made them as unwritable as the database, and they would stay so when that may be written again
			os.Remove(path + "-wal")
			os.Remove(path + "-shm")
		}
		return nil, err
	}
	return s, nil
}

// init checks that this is the store that was asked for, or makes it so where there is nothing yet.
func (s *store) init(dir string, network identity.NetworkID, realm identity.Realm) error {
	var tables int
	if err := s.w.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		if dir != "" && exists(filepath.Join(dir, idFile)) {
			return fmt.Errorf("%w: nothing in it", ErrDamaged)
		}
		rand.Read(s.id[:])
		if err := s.write(func(tx *sql.Tx) error {
			if _, err := tx.Exec(schema + schemaLater); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO meta VALUES (?,?), (?,?), (?,?), (?,?), (?,0), (?,0)", metaVersion, schemaVersion,
				metaStore, s.id[:], metaNetwork, network[:], metaRealm, realm[:], metaWatermark, metaLast)
			return err
		}); err != nil {
			return err
		}
		// The tables move from the WAL into the database, so that a lost WAL loses messages (peers have them) and never the store.
		if _, err := s.w.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return err
		}
	}
	// In one transaction, or each statement waits for the disk.
	if err := s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec(schemaLater)
		return err
	}); err != nil {
		return err
	}
	var version int
	var net identity.NetworkID
	var r identity.Realm
	for key, value := range map[string]any{metaVersion: &version, metaStore: fixed(s.id[:]), metaNetwork: fixed(net[:]), metaRealm: fixed(r[:])} {
		if err := s.w.QueryRow("SELECT value FROM meta WHERE key=?", key).Scan(value); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: %s is missing", ErrDamaged, key)
		} else if err != nil {
			return err
		}
	}
	if err := readable(version); err != nil {
		return err
	}
	switch {
	case net != network || r != realm:
		return errors.New("the history is of another network or realm")
	case version < schemaVersion:
		if _, err := s.w.Exec("UPDATE meta SET value=? WHERE key=?", schemaVersion, metaVersion); err != nil {
			return err
		}
	}
	// SQLite opens what may not be written all the same, to be read.
	if _, err := s.w.Exec("DELETE FROM meta WHERE key=''"); err != nil {
		return err
	}
	for stmt, q := range map[**sql.Stmt]string{
		&s.insertLog:    "INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		&s.updateLog:    "UPDATE log SET nick=?, seq=?, tip=?, hlc=?, fork=?, proof=coalesce(?, proof) WHERE id=?",
		&s.insertRun:    "INSERT INTO run VALUES (?,?,?,?)",
		&s.insertPlace:  insertPlace,
		&s.insertPlaces: insertPlace + strings.Repeat(",(?,?,?,?,?)", indexRows-1),
		&s.putDay:       "INSERT INTO day VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET sum=excluded.sum, logs=excluded.logs",
	} {
		var err error
		if *stmt, err = s.w.Prepare(q); err != nil {
			return err
		}
	}
	return nil
}

// own gives the store a new id where the machine is another than the one it was used on last: its profile was copied, and the copy is a store of its own. A disk that is full
// keeps that from being written, and the next start from nothing.
func (s *store) own(host identity.HostID) error {
	var was identity.HostID
	err := s.w.QueryRow("SELECT value FROM meta WHERE key=?", metaHost).Scan(fixed(was[:]))
	known := !errors.Is(err, sql.ErrNoRows)
	if err != nil && known {
		return err
	}
	if was == host {
		return nil
	}
	if known {
		rand.Read(s.id[:])
	}
	err = s.write(func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO meta VALUES (?,?), (?,?)", metaHost, host[:], metaStore, s.id[:])
		return err
	})
	if damaged(err) {
		return err
	}
	return nil
}

// write runs f in a transaction of the one writer.
func (s *store) write(f func(tx *sql.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	tx, err := s.w.Begin()
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback() // the error that matters is the first
		return err
	}
	return tx.Commit()
}

// read runs f on a reader. f must not wait for anything else: it may hold the only connection.
func (s *store) read(f func(db *sql.DB) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return f(s.r)
}

// close waits for those who are using the store. Who comes after them is turned away at once: to close the files waits for the disk.
func (s *store) close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	if s.r == s.w {
		return s.w.Close()
	}
	// The writer is the last, so that its closing empties the WAL.
	return errors.Join(s.r.Close(), s.w.Close())
}

// damaged reports whether err says that the database cannot be read as one, or not be trusted to stay what it is: SQLITE_CORRUPT, SQLITE_NOTADB, contents this package
// did not write; what the disk no longer reads; and a sync that failed, after which nobody knows what of all that was written before is there (the system may have
// dropped it, and says so once).
func damaged(err error) bool {
	var e *sqlite.Error
	if errors.Is(err, ErrDamaged) {
		return true
	}
	if !errors.As(err, &e) {
		return err != nil && strings.Contains(err.Error(), "sql: Scan error") // of database/sql, which has no other name for it: a value is not what it is always written as, or is gone
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS, sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC:
		return true
	}
	return e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB
}

// full reports whether err says that there is no room; for what readers and the writer share in memory SQLite has a word of its own.
func full(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
}

// unwritable reports whether err says that the files may not be written, or cannot be made.
func unwritable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return true
	}
	return false
}

// errEnough, from what is called for a row, ends a query early, which is no error.
var errEnough = errors.New("enough")

// fixed scans a BLOB of exactly its length.
type fixed []byte

func (f fixed) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("%w: a value has the wrong length", ErrDamaged)
	}
	copy(f, b)
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
