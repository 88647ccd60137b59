package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asUser calls f as somebody whom permissions bind, also where that is root: on a thread of its own, which ends with it.
func asUser(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		err := unix.Capset(&header, &none[0])
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A store whose files, or whose folder, may not be written is refused in words, and is as it was when they may again.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	stop := run(t, j)
	say(t, j.NewAuthor(person(t, 1), "alice"), "hello")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string][2]os.FileMode{dbFile: {0o400, 0o600}, ".": {0o500, 0o700}, "./" + dbFile: {0, 0o600}} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, mode[0]); err != nil {
			t.Fatal(err)
		}
		asUser(t, func() {
			j, err := Open(Config{Dir: dir, Network: network})
			if !errors.Is(err, ErrUnwritable) {
				t.Errorf("%s %v: %v", name, mode[0], err)
			}
			if err == nil {
				j.store.close()
			}
		})
		if err := os.Chmod(path, mode[1]); err != nil {
			t.Fatal(err)
		}
		var j *Journal
		var err error
		asUser(t, func() { j, err = Open(Config{Dir: dir, Network: network}) })
		if err != nil {
			t.Fatalf("%s %v again: %v", name, mode[1], err)
		}
		stop := run(t, j)
		lines, err := j.Page(lobby, Key{}, 9)
		if got := texts(t, lines, err); len(got) != 1 || stop() != nil {
			t.Errorf("%q, %v", got, stop())
		}
	}
}
