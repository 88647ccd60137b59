package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// ErrExposed is wrapped when someone else could have read a key file.
var ErrExposed = errors.New("others can read the key")

// maxSecretFile bounds a key file, in bytes: ours have about 120, a keyring (package seal) 2,610 at most.
const maxSecretFile = 4096

var plainPath = regexp.MustCompile(`^[a-zA-Z0-9/._+,:@%-]+$`)

// ReadSecret reads a file of at most 4 KiB that only its owner may open; another is refused with ErrExposed. What it asks about is
// the open file, so nothing can be swapped between the question and the reading.
func ReadSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := exposed(path, info.Mode()); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecretFile {
		return nil, fmt.Errorf("%s: too long for a key", path)
	}
	return b, nil
}

// exposed refuses a regular file that group or others have any access to. Windows has no such bits: there the profile's
// folder inherits an access list that admits its owner alone. Pipes and the like have no reader but us.
func exposed(path string, mode fs.FileMode) error {
	if runtime.GOOS == "windows" || !mode.IsRegular() || mode.Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%w in %s: run chmod 600 %s", ErrExposed, path, shellQuote(path))
}

// shellQuote writes path so that it can be pasted into a shell.
func shellQuote(path string) string {
	if plainPath.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// createSecret writes a new file that only its owner may open, durable and whole or not at all: a process that is killed
// half-way leaves no half key behind. The folder is made 0700. It wraps fs.ErrExist where path is there already.
func createSecret(path string, b []byte) error { return writeSecret(path, b, publish) }

// ReplaceSecret writes a file that only its owner may open over what is there, if anything: durable and whole or not at all. It is for
// one process at a time.
func ReplaceSecret(path string, b []byte) error { return writeSecret(path, b, os.Rename) }

func writeSecret(path string, b []byte, name func(from, to string) error) error {
	if len(b) > maxSecretFile {
		return fmt.Errorf("%s: too long for a key", path)
	}
	return replaceFile(path, b, name)
}

// Replace writes a file that only its owner can read, whole or not at all, of any length.
func Replace(path string, b []byte) error { return replaceFile(path, b, os.Rename) }

func replaceFile(path string, b []byte, name func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, unfinished+"*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := name(f.Name(), path); err != nil {
		return err
	}
	syncDir(dir)
	return nil
}

// unfinished is what the name of a file begins with that is written and not in its place yet.
const unfinished = ".new-"

// Sweep removes what processes that were killed while they replaced a file left below dir, where none does now: it may hold a key that was to be deleted. What cannot be removed stays.
func Sweep(dir string) {
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasPrefix(e.Name(), unfinished) {
			os.Remove(path)
		}
		return nil
	})
}

// publish gives the finished file its name unless that is taken. A link does both in one step; file systems that have none
// (exFAT, some network mounts) get a rename, which can lose a race between two first starts and nothing else.
func publish(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// syncDir makes a new name durable where the system can: Windows and some file systems refuse, and do without.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
