package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Keys is the folder of stored network keys: a 0600 file NAME.key a network name, and beside it NAME.before with the keys that it had before. The zero value is the current folder.
type Keys struct{ dir string }

// ErrKey is wrapped by ParseKey: the text is not a network key. The error says what is wrong with it, never the text.
var ErrKey = errors.New("not a network key")

// ErrNoKey is wrapped by Keys.Get and Keys.Forget when no key is stored under that name.
var ErrNoKey = errors.New("no key stored for this network")

// OpenKeys returns the keys stored in dir, which need not be there before the first Put.
func OpenKeys(dir string) Keys { return Keys{dir} }

// keyLen is the length of rand.Text: 26 characters of 5 bits.
const keyLen = 26

// NewKey returns a fresh network key: rand.Text, 26 base32 characters.
func NewKey() string { return rand.Text() }

// FormatKey writes a key in groups of four for people to copy.
func FormatKey(key string) string { return groups(key) }

// Put stores key for the network called name. It refuses to replace another key, wrapping fs.ErrExist: forget that one first.
func (k Keys) Put(name, key string) error {
	path, err := k.path(name)
	if err != nil {
		return err
	}
	if key, err = ParseKey(key); err != nil {
		return err
	}
	err = createSecret(path, []byte(FormatKey(key)+"\n"))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	old, err := k.Get(name)
	if err != nil {
		return err
	}
	if old != key {
		return fmt.Errorf("network %+q has another key: %w", name, fs.ErrExist)
	}
	return nil
}

// Get returns the stored key of the network called name. A file that others can read is refused with ErrExposed.
func (k Keys) Get(name string) (string, error) {
	path, err := k.path(name)
	if err != nil {
		return "", err
	}
	text, err := ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %+q", ErrNoKey, name)
	}
	if err != nil {
		return "", err
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// List returns the names that have a key, sorted.
func (k Keys) List() ([]string, error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, err := url.PathUnescape(strings.TrimSuffix(e.Name(), ".key"))
		if err == nil && checkName(name) == nil && keyFile(name) == e.Name() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// maxBefore is how many keys that a network had before are kept: the newest.
const maxBefore = 16

// Succeed stores key in place of old, which Before returns from then on: what was said under it can still be read. A third key that is stored under that name is kept so too. Done
// half-way, it can be done again.
func (k Keys) Succeed(name, old, key string) error {
	path, err := k.path(name)
	if err != nil {
		return err
	}
	if key, err = ParseKey(key); err != nil {
		return err
	}
	before, err := k.Before(name)
	if err != nil {
		return err
	}
	list := []string{old}
	if stored, err := k.Get(name); err == nil && stored != key {
		list = append(list, stored)
	} else if err != nil && !errors.Is(err, ErrNoKey) {
		return err
	}
	var text strings.Builder
	written := map[string]bool{key: true}
	for _, key := range append(list, before...) {
		if !written[key] && len(written) <= maxBefore {
			written[key] = true
			text.WriteString(FormatKey(key) + "\n")
		}
	}
	if err := ReplaceSecret(beforeFile(path), []byte(text.String())); err != nil {
		return err
	}
	return ReplaceSecret(path, []byte(FormatKey(key)+"\n"))
}

// Before returns the keys that the network called name had before, the newest first. The present one may be among them, where Succeed was done half-way.
func (k Keys) Before(name string) ([]string, error) {
	path, err := k.path(name)
	if err != nil {
		return nil, err
	}
	text, err := ReadSecret(beforeFile(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		key, err := ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", beforeFile(path), err)
		}
		list = append(list, key)
	}
	return list, nil
}

func beforeFile(path string) string { return strings.TrimSuffix(path, ".key") + ".before" }

// Forget deletes the key of the network called name, with those that it had before.
func (k Keys) Forget(name string) error {
	path, err := k.path(name)
	if err != nil {
		return err
	}
	if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %+q", ErrNoKey, name)
	}
	if gone := os.Remove(beforeFile(path)); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	syncDir(k.dir)
	return err
}

func (k Keys) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	file := keyFile(name)
	if !filepath.IsLocal(file) { // on Windows con.key is a device
		return "", fmt.Errorf("this system cannot keep a file for a network called %+q", name)
	}
	return filepath.Join(k.dir, file), nil
}

// keyFile returns the file name of a network name. Lower-case letters, digits, - and _ stand for themselves and every other
// byte is escaped, in lower case: so no name leads out of the folder, and none meet on a file system that folds case or
// normalises Unicode.
func keyFile(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String() + ".key"
}
