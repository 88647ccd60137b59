package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReplaceSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "keyring")
	if _, err := ReadSecret(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, text := range []string{"one", strings.Repeat("x", maxSecretFile), ""} {
		if err := ReplaceSecret(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := ReadSecret(path); err != nil || string(b) != text {
			t.Errorf("read %d bytes, %v", len(b), err)
		}
		checkMode(t, path, 0o600)
		checkMode(t, filepath.Dir(path), 0o700)
	}
	if err := ReplaceSecret(path, make([]byte, maxSecretFile+1)); err == nil {
		t.Error("wrote what cannot be read")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind %v, %v", entries, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(path); !errors.Is(err, ErrExposed) {
		t.Errorf("others can read it: %v", err)
	}
	// What others could read is replaced by what they cannot.
	if err := ReplaceSecret(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	checkMode(t, path, 0o600)
}

// What a process left that was killed before the file had its name goes, and what is in its place stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "networks", "keyring")
	if err := writeSecret(path, []byte("old"), func(from, to string) error {
		return errors.Join(os.Link(from, filepath.Join(dir, filepath.Base(from))), os.Link(from, from+"0"), os.Rename(from, to))
	}); err != nil {
		t.Fatal(err)
	}
	Sweep(dir)
	for folder, want := range map[string]string{dir: "networks", filepath.Dir(path): "keyring"} {
		if in, err := os.ReadDir(folder); err != nil || len(in) != 1 || in[0].Name() != want {
			t.Errorf("%v, %v", in, err)
		}
	}
}
