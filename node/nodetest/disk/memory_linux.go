package disk

import (
	"os"
	"syscall"
	"testing"
)

// InMemory runs the tests of a package, whose TestMain hands them over, with their temporary folders in memory, unless TMPDIR says where they are to be. The databases there are written and synced as
// anywhere, but nothing waits for a disk that several packages share, some of them with deadlines in real time. Where the system keeps too little room for it, as containers do, everything stays as it is.
// What tests leave in os.TempDir on purpose stays there.
func InMemory(m *testing.M) int {
	const (
		shared = "/dev/shm"
		room   = 1 << 30 // several times what the tests hold at once
	)
	var fs syscall.Statfs_t
	if given := os.Getenv("TMPDIR"); given != "" && given != "/tmp" || syscall.Statfs(shared, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return m.Run()
	}
	dir, err := os.MkdirTemp(shared, "earshot-test-")
	if err != nil {
		return m.Run()
	}
	defer os.Remove(dir) // if it is empty
	os.Setenv("TMPDIR", dir)
	return m.Run()
}
