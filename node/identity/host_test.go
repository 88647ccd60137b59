package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func host(t *testing.T, dir, machine string) HostID {
	t.Helper()
	id, err := loadHost(dir, []byte(machine))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "earshot")
	a := host(t, dir, "machine a")
	if a == (HostID{}) || host(t, dir, "machine a") != a {
		t.Error("one machine has two ids")
	}
	b := host(t, dir, "machine b")
	if b == a {
		t.Error("a copied disk kept its id")
	}
	if host(t, dir, "") == b {
		t.Error("a machine without an id of its own took another's")
	}
	if host(t, dir, "machine b") != b || host(t, dir, "machine a") != a {
		t.Error("an id was lost")
	}
	if host(t, t.TempDir(), "machine a") == a {
		t.Error("ids are not random")
	}
	checkMode(t, filepath.Join(dir, "host-id"), 0o600)
}

func TestLoadHost(t *testing.T) {
	dir := t.TempDir()
	a, err := LoadHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := LoadHost(dir); err != nil || b != a {
		t.Error(b, err)
	}
}

// Two profiles of one machine may start at the same moment.
func TestHostTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "earshot")
	host(t, dir, "the machine before")
	ids := together(8, func() (HostID, error) { return loadHost(dir, []byte("m")) })
	for _, r := range ids {
		if r.err != nil || r.value != ids[0].value {
			t.Fatal("ids differ", r.err)
		}
	}
}

func TestHostGolden(t *testing.T) {
	const line = "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a 000102030405060708090a0b0c0d0e0f\n" // H("m")
	dir := t.TempDir()
	path := filepath.Join(dir, "host-id")
	for _, torn := range []string{"", line[:70], line[:len(line)-1], "garbage\n" + line[:66] + "zz\n", "\x00\x00\x00\n"} {
		write(t, path, torn+"\n"+line, 0o600)
		if id := host(t, dir, "m"); id != (HostID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}) {
			t.Errorf("%q: %x", torn, id)
		}
		write(t, path, torn, 0o600)
		if id := host(t, dir, "m"); id == (HostID{}) || host(t, dir, "m") != id {
			t.Errorf("%q: %x does not stay", torn, id)
		}
	}
	write(t, path, "", 0o600)
	id := host(t, dir, "m")
	if b, err := os.ReadFile(path); err != nil || len(b) != len(line)+1 || !strings.HasPrefix(string(b), "\n"+line[:65]) || id == (HostID{}) {
		t.Errorf("wrote %q, %v", b, err)
	}
}
