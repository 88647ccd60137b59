package disk

import (
	"os"
	"path/filepath"
	"testing"
)

// The folders of dead runs go, but for what was left there on purpose, and those of living ones stay.
func TestSweep(t *testing.T) {
	in := t.TempDir()
	make := func(path string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(in, path), 0o700); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(in, path)
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	dead, kept, others := make(ours+"dead/TestX1/001"), make(ours+"kept/TestX2"), make("earshot-bench1/TestX3")
	trace := filepath.Join(filepath.Dir(kept), "storm-1.trace")
	if err := os.WriteFile(trace, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	living, held, err := own(in)
	if err != nil {
		t.Fatal(err)
	}
	used := make(filepath.Base(living) + "/TestX4")
	sweep(in)
	for path, want := range map[string]bool{filepath.Join(in, ours+"dead"): false, dead: false, kept: false, trace: true, others: true, used: true} {
		if exists(path) != want {
			t.Errorf("%s is there: %v", path, !want)
		}
	}
	held.Close()
	sweep(in)
	if exists(living) {
		t.Error("its owner has gone, and it stays")
	}
}
