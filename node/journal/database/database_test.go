package database

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Whatever the folder is called, the database is in it; readers see what was written and write nothing.
func TestOpen(t *testing.T) {
	for _, name := range []string{"", "a b", "100%25", "who?_pragma=x", "#1", "漢字&x"} {
		path := ""
		if name != "" {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Log(err) // Windows has no such names
				continue
			}
			path = filepath.Join(dir, "x.db")
		}
		w, r, err := Open(path, []string{"journal_mode(WAL)"}, 2, "cache_size(-77)")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		defer r.Close()
		if _, err := w.Exec("CREATE TABLE x(a); INSERT INTO x VALUES (7)"); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		var a, cache int
		if err := r.QueryRow("SELECT a FROM x").Scan(&a); err != nil || a != 7 {
			t.Errorf("%q: %d, %v", name, a, err)
		}
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		if err := r.QueryRow("PRAGMA cache_size").Scan(&cache); err != nil || cache != -77 {
			t.Errorf("%q: cache %d, %v", name, cache, err)
		}
		if _, err := r.Exec("DELETE FROM x"); err == nil {
			t.Errorf("%q: a reader wrote", name)
		}
		others, err := OpenReaders(path, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer others.Close()
		if err := others.QueryRow("SELECT a FROM x").Scan(&a); err != nil || a != 7 {
			t.Errorf("%q: %d, %v", name, a, err)
		}
	}
}

// A database that nobody writes is read also where the files that belong to a WAL cannot be made.
func TestOpenReadersWithoutWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	w, r, err := Open(path, []string{"journal_mode(WAL)"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Exec("CREATE TABLE x(a); INSERT INTO x VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} { // so that they cannot be made, not by root either
		if err := os.Symlink(filepath.Join("nowhere", "x"), path+suffix); err != nil {
			t.Skip(err) // Windows
		}
	}
	others, err := OpenReaders(path, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	var a int
	if err := others.QueryRow("SELECT a FROM x").Scan(&a); err != nil || a != 7 {
		t.Errorf("%d, %v", a, err)
	}
	if _, err := others.Exec("DELETE FROM x"); err == nil {
		t.Error("a reader wrote")
	}
}
