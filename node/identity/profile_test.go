package identity

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "profile")
	first, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(dir)
	if err != nil || again.ID() != first.ID() {
		t.Fatal("another identity at the second start", err)
	}
	other, err := Load(filepath.Join(t.TempDir(), "other"))
	if err != nil || other.ID() == first.ID() {
		t.Fatal("two profiles have one identity", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the profile holds %v, %v", entries, err)
	}
	checkMode(t, dir, 0o700)
	checkMode(t, filepath.Join(dir, "identity.key"), 0o600)
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

// Written by this code once; must be read for ever.
const goldenIdentity = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----
`

func TestIdentityGolden(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "identity.key"), goldenIdentity, 0o600)
	i, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if i.ID() != seeded(t, 0).ID() {
		t.Error("read another key")
	}
	if text, err := encodeKey(i.key()); err != nil || string(text) != goldenIdentity {
		t.Errorf("wrote %s, %v", text, err)
	}
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Attack 42.
func TestExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such mode bits")
	}
	for _, v := range []struct {
		dir, quoted string
		mode        os.FileMode
	}{
		{"p", "", 0o640},
		{"p", "", 0o604},
		{"p", "", 0o660},
		{"it's here", `it'\''s here`, 0o644},
	} {
		dir := filepath.Join(t.TempDir(), v.dir)
		if _, err := Load(dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "identity.key")
		if err := os.Chmod(path, v.mode); err != nil {
			t.Fatal(err)
		}
		hint := "chmod 600 " + path
		if v.quoted != "" {
			hint = "chmod 600 '" + strings.Replace(path, v.dir, v.quoted, 1) + "'"
		}
		if _, err := Load(dir); !errors.Is(err, ErrExposed) || !strings.HasSuffix(err.Error(), hint) {
			t.Errorf("mode %o: %v, want the hint %s", v.mode, err, hint)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err != nil {
			t.Errorf("after chmod: %v", err)
		}
	}
}

// A damaged key file is reported, told nothing of, and left as it is.
func TestDamagedIdentity(t *testing.T) {
	const rsaOID = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n" // X25519
	for _, text := range []string{"", "secret words", goldenIdentity[:60], strings.Replace(goldenIdentity, "MC4C", "MC5C", 1), rsaOID, strings.Repeat("x", maxSecretFile+1)} {
		dir := t.TempDir()
		path := filepath.Join(dir, "identity.key")
		write(t, path, text, 0o600)
		_, err := Load(dir)
		if err == nil {
			t.Fatalf("%q was read as a key", text)
		}
		if !strings.Contains(err.Error(), path) || text != "" && strings.Contains(err.Error(), text[:6]) {
			t.Errorf("%q: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%q became %q", text, now)
		}
	}
}

// Two first starts at once agree on one identity.
func TestLoadTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	ids := together(8, func() (PeerID, error) {
		i, err := Load(dir)
		if err != nil {
			return PeerID{}, err
		}
		return i.ID(), nil
	})
	for _, r := range ids {
		if r.err != nil || r.value != ids[0].value {
			t.Fatal("identities differ", r.err)
		}
	}
}

type outcome[T any] struct {
	value T
	err   error
}

// together calls f from n goroutines at once.
func together[T any](n int, f func() (T, error)) []outcome[T] {
	out := make([]outcome[T], n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i].value, out[i].err = f() })
	}
	wg.Wait()
	return out
}

// Where a file system has no links, publishing still never replaces a file.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	a, b, to := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "to")
	write(t, a, "a", 0o600)
	write(t, b, "b", 0o600)
	if err := publish(a, to); err != nil {
		t.Fatal(err)
	}
	if err := publish(b, to); !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, []byte("a")) {
		t.Errorf("%q, %v", got, err)
	}
}
