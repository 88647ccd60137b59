package node

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"earshot/node/identity"
	"earshot/node/message"
)

// profile is the folder of one identity on one machine, and what is remembered in it between starts.
//
//	identity.key   the secret key (package identity)
//	keyring        the X-Wing keys (package seal), renewed at a start
//	lock           held while a process uses the profile
//	settings.json  nick, rooms and what else a person chose, also on a screen; what a later version wrote stays
//	networks/ID/   realms.json and, for each realm, a folder with its store (package journal); "alone" is what was said before anyone was met, and
//	               alone.json when and where (stay.go); contacts.json is what is remembered of people (contacts.go)
type profile struct {
	dir  string
	lock *flock.Flock

	damaged string // where settings that could not be read were put; empty: they could

	mu       sync.Mutex // protects settings
	settings settings
}

type settings struct {
	Nick  string   `json:"nick,omitempty"`
	Rooms []string `json:"rooms,omitempty"` // joined besides the lobby
	Muted []string `json:"muted,omitempty"` // rooms that do not ask for attention
	// Silent: the others are not told when this person types.
	Silent bool `json:"silent,omitempty"`
	// Discreet: the other of a direct conversation is not told what this person has seen.
	Discreet bool `json:"discreet,omitempty"`
	// Version is that of what the others were told of this person last.
	Version uint64 `json:"version,omitempty"`
	// Screen is what a front end wants to find again (Prefer).
	Screen map[string]string `json:"screen,omitempty"`

	other map[string]json.RawMessage // what a later version has written
}

func (s *settings) UnmarshalJSON(b []byte) error {
	type known settings
	if err := json.Unmarshal(b, (*known)(s)); err != nil {
		return err
	}
	return json.Unmarshal(b, &s.other)
}

func (s settings) MarshalJSON() ([]byte, error) {
	type known settings
	out := maps.Clone(s.other)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[settings]()) { // what is empty by now must not come back
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(out, name)
	}
	b, err := json.Marshal(known(s))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// openProfile makes the folder where it is missing, and locks it.
func openProfile(dir string) (*profile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make profile folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock profile: %w", err)
	}
	if !held {
		return nil, &Error{Text: "earshot is already running with this profile", Hint: "to run a second one on this machine, give it a profile of its own: earshot --profile second", cause: ErrInUse}
	}
	identity.Sweep(dir)
	p := &profile{dir: dir, lock: lock}
	if err := p.read(); err != nil {
		lock.Unlock()
		return nil, err
	}
	return p, nil
}

// read reads the settings. A damaged file is set aside: it is no reason not to chat.
func (p *profile) read() error {
	path := filepath.Join(p.dir, "settings.json")
	err := readJSON(path, &p.settings)
	if damage := (*Error)(nil); !errors.As(err, &damage) {
		return err
	}
	p.settings = settings{}
	p.damaged, err = setAside(path)
	return err
}

// setAside renames a damaged file.
func setAside(path string) (to string, err error) {
	to = path + ".corrupt-" + time.Now().UTC().Format("20060102T150405Z")
	return to, os.Rename(path, to)
}

func (p *profile) close() error { return p.lock.Unlock() }

// nick returns the nick remembered, or "".
func (p *profile) nick() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.Nick
}

// get returns what is remembered. Its lists are not to be changed.
func (p *profile) get() settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// rooms returns the names of the rooms joined, the lobby first.
func (p *profile) rooms() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{message.Lobby}, p.settings.Rooms...)
}

// change edits the settings and writes them.
func (p *profile) change(edit func(*settings)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings
	s.Rooms, s.Muted, s.Screen = slices.Clone(s.Rooms), slices.Clone(s.Muted), maps.Clone(s.Screen)
	edit(&s)
	if err := writeJSON(filepath.Join(p.dir, "settings.json"), &s); err != nil {
		return err
	}
	p.settings = s
	return nil
}

// What is remembered for front ends is small, whatever they ask for.
const maxPreferences, maxPreference = 32, 64

func (p *profile) prefer(c Prefer) error {
	if len(c.Name) > maxPreference || len(c.Value) > maxPreference {
		return fmt.Errorf("a preference of more than %d bytes", maxPreference)
	}
	return p.change(func(s *settings) {
		if delete(s.Screen, c.Name); c.Value == "" || len(s.Screen) >= maxPreferences {
			return
		}
		if s.Screen == nil {
			s.Screen = map[string]string{}
		}
		s.Screen[c.Name] = c.Value
	})
}

func (p *profile) network(id identity.NetworkID) string {
	return filepath.Join(p.dir, "networks", fmt.Sprintf("%x", id[:]))
}

// contacts is the file of what is remembered of the people of a network.
func (p *profile) contacts(id identity.NetworkID) string {
	return filepath.Join(p.network(id), "contacts.json")
}

// knownRealm is an entry of realms.json, the most recent first.
type knownRealm struct {
	Realm realmHex  `json:"realm"`
	Last  time.Time `json:"last"`
}

// realmHex is a realm as realms.json has it.
type realmHex identity.Realm

func (r realmHex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, r[:]), nil }
func (r *realmHex) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(r)) {
		return errors.New("a realm has 32 hex digits")
	}
	_, err := hex.Decode(r[:], b)
	return err
}

// maxRealms bounds realms.json; stores that fall out of it stay on the disk.
const maxRealms = 64

// readJSON leaves v as it is where there is no file.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Error{Text: fmt.Sprintf("%s is damaged: %v", path, err), Hint: "delete the file; what it remembers is set anew"}
	}
	return nil
}

// writeJSON replaces the file whole or not at all.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return identity.Replace(path, append(b, '\n'))
}
