package disk

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

// What SQLite has synced survives a power cut at any moment, and what it was told not to sync may not.
func TestLosePower(t *testing.T) {
	for _, synchronous := range []string{"FULL", "OFF"} {
		lost := 0
		for seed := range uint64(8) {
			dir := t.TempDir()
			d := Under(t, dir)
			path := filepath.Join(dir, "now", "x.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			db := openDB(t, path)
			for _, q := range []string{"PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=20", "CREATE TABLE t (n INTEGER)", "PRAGMA synchronous=" + synchronous} {
				exec(t, db, q)
			}
			for n := range 10 + int(seed) {
				exec(t, db, fmt.Sprintf("INSERT INTO t VALUES (%d)", n))
			}
			exec(t, db, "BEGIN; INSERT INTO t VALUES (99)") // under way
			after := filepath.Join(dir, "after")
			if err := os.CopyFS(after, os.DirFS(filepath.Dir(path))); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(after, "x.db-shm")); err != nil {
				t.Fatal(err)
			}
			d.LosePower(t, filepath.Dir(path), after, rand.New(rand.NewPCG(seed, 1)))
			var n int
			if err := openDB(t, filepath.Join(after, "x.db")).QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil || n != 10+int(seed) {
				if synchronous == "FULL" {
					t.Errorf("seed %d: %d rows of %d, %v", seed, n, 10+seed, err)
				}
				lost++
			}
		}
		if synchronous == "OFF" && lost == 0 {
			t.Error("nothing was lost that was not synced")
		}
	}
}

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, q string) {
	t.Helper()
	if _, err := db.Exec(q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}
