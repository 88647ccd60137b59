package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// shared is the folder in memory, and ours what the folders there begin with that tests make.
const (
	shared = "/dev/shm"
	ours   = "earshot-tests-"
)

// InMemory runs the tests of a package, whose TestMain hands them over, with their temporary folders in memory, unless TMPDIR says where they are to be. The databases there are written and synced as
// anywhere, but nothing waits for a disk that several packages share, some of them with deadlines in real time. Where the system keeps too little room for it, as containers do, everything stays as it is.
// Files that tests leave in os.TempDir on purpose stay there; folders are a test's own, and those of a run that was killed are removed by the next.
func InMemory(m *testing.M) int {
	const room = 1 << 30 // several times what the tests hold at once
	if given := os.Getenv("TMPDIR"); given != "" && given != "/tmp" {
		return m.Run()
	}
	sweep(shared)
	var fs syscall.Statfs_t
	if syscall.Statfs(shared, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return m.Run()
	}
	dir, held, err := own(shared)
	if err != nil {
		return m.Run()
	}
	defer held.Close()
	defer os.Remove(dir) // if it is empty
	os.Setenv("TMPDIR", dir)
	return m.Run()
}

// own makes a folder that is locked for as long as this process lives, or until held is closed.
func own(in string) (dir string, held *os.File, err error) {
	for range 10 { // between its making and its locking it looks like one whose owner is dead
		if dir, err = os.MkdirTemp(in, ours); err != nil {
			return "", nil, err
		}
		if held, err = lock(dir); err == nil {
			if _, err = os.Stat(dir); err == nil {
				return dir, held, nil
			}
			held.Close()
		}
	}
	return "", nil, err
}

// sweep removes what runs left that were killed, or stopped at the end of their time.
func sweep(in string) {
	left, err := filepath.Glob(filepath.Join(in, ours+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		held, err := lock(dir)
		if err != nil {
			continue
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				os.RemoveAll(filepath.Join(dir, e.Name()))
			}
		}
		os.Remove(dir)
		held.Close()
	}
}

// lock fails where a living process holds the folder.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
