package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Find returns the files below dir that parts are in, one for each part, named from there. Files may go meanwhile, as SQLite's do.
func Find(t testing.TB, dir string, parts ...string) (in []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		var b []byte
		if err == nil && !e.IsDir() {
			b, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		for _, part := range parts {
			if bytes.Contains(b, []byte(part)) {
				name, _ := filepath.Rel(dir, path)
				in = append(in, name)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return in
}
