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

// Keys is the folder of stored network keys, one 0600 file a network name. The zero value is the current folder.
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

// Forget deletes the key of the network called name.
func (k Keys) Forget(name string) error {
	path, err := k.path(name)
	if err != nil {
		return err
	}
	if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %+q", ErrNoKey, name)
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
