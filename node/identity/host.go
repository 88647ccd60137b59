package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A HostID is a machine: two profiles on one machine share it, and count as one disk.
type HostID [16]byte

// LoadHost returns this machine's id from dir/host-id (beside the profiles, not in one). The file has a line
// "hex(H(machine-id)) hex(host id)" for each machine the folder has lived on; a machine that finds no line of its own (a new
// folder, a copied disk) adds one with a random id. Several processes may do that at once: lines are only appended, and the
// first one of a machine counts, so all of them agree.
func LoadHost(dir string) (HostID, error) {
	machine, err := os.ReadFile("/etc/machine-id") // systemd's machine-id(5); other systems have none and share the empty one
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return HostID{}, fmt.Errorf("host id: %w", err)
	}
	id, err := loadHost(dir, bytes.TrimSpace(machine))
	if err != nil {
		return HostID{}, fmt.Errorf("host id: %w", err)
	}
	return id, nil
}

func loadHost(dir string, machineID []byte) (HostID, error) {
	machine := sha256.Sum256(machineID)
	path := filepath.Join(dir, "host-id")
	id, err := findHost(path, machine)
	if !errors.Is(err, errNoHost) {
		return id, err
	}
	rand.Read(id[:])
	if err := appendHost(path, machine, id); err != nil {
		return HostID{}, err
	}
	return findHost(path, machine) // not the one just made: another process may have been first
}

var errNoHost = errors.New("no line for this machine")

// findHost returns the id in the first whole line of this machine; lines that are torn or unknown are passed over.
func findHost(path string, machine [sha256.Size]byte) (HostID, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return HostID{}, err
	}
	for line := range strings.Lines(string(b)) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), hex.EncodeToString(machine[:])+" ")
		if !ok || !strings.HasSuffix(line, "\n") {
			continue
		}
		if id, err := hex.DecodeString(text); err == nil && len(id) == len(HostID{}) {
			return HostID(id), nil
		}
	}
	return HostID{}, errNoHost
}

func appendHost(path string, machine [sha256.Size]byte, id HostID) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// The first newline ends a line that a power cut tore. One write: appends of two processes do not mix.
	_, err = fmt.Fprintf(f, "\n%x %x\n", machine, id)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}
