package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
)

// roomFile is rooms/ID.json. States are the newest first; Keys stand beside them, empty where a key is not held.
type roomFile struct {
	Status  Status   `json:"status"`
	By      []byte   `json:"by,omitempty"`
	Invited uint64   `json:"invited,omitempty"`
	Last    uint64   `json:"last,omitempty"`
	Since   uint64   `json:"since,omitempty"`
	Untold  bool     `json:"untold,omitempty"`
	States  [][]byte `json:"states"`
	Keys    [][]byte `json:"keys"`
	Covered [][]byte `json:"covered,omitempty"`  // each a member's key, and the ids of those of its X-Wing keys that the present epoch's key was wrapped for
	Answers [][]byte `json:"answered,omitempty"` // each a member's key, and its seal.Answer
}

// talkFile is one entry of talks.json. Read and Told are places, as a message of kind Read has them.
type talkFile struct {
	With  []byte `json:"with"`
	Nick  string `json:"nick,omitempty"`
	Open  bool   `json:"open,omitempty"`
	Alone bool   `json:"alone,omitempty"` // the other's alone: this person has said nothing in it
	Shut  uint64 `json:"shut,omitempty"`
	Last  uint64 `json:"last,omitempty"`
	Read  []byte `json:"read,omitempty"`
	Told  []byte `json:"told,omitempty"`
}

func (v *Vault) roomPath(id message.RoomID) string {
	return filepath.Join(v.conf.Dir, "rooms", hex.EncodeToString(id[:])+".json")
}

func (v *Vault) talksPath() string { return filepath.Join(v.conf.Dir, "talks.json") }

// save writes the file of a room, or removes it where the room is known no more.
func (v *Vault) save(r *room) error {
	if v.conf.Dir == "" {
		return nil
	}
	v.saving.Lock()
	defer v.saving.Unlock()
	v.mu.Lock()
	if v.rooms[r.id] != r {
		v.mu.Unlock()
		if err := os.Remove(v.roomPath(r.id)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	f := roomFile{Status: r.status, By: r.by[:], Invited: r.invited, Last: r.last, Since: r.since, Untold: r.untold}
	for _, s := range r.States() {
		var b []byte
		if key, ok := r.Key(s.Hash()); ok {
			b = key.Bytes()
		}
		f.States, f.Keys = append(f.States, s.Bytes()), append(f.Keys, b)
	}
	for p, ids := range r.covered {
		b := slices.Clone(p[:])
		for _, id := range ids {
			b = append(b, id[:]...)
		}
		f.Covered = append(f.Covered, b)
	}
	for p, a := range r.answers {
		f.Answers = append(f.Answers, append(slices.Clone(p[:]), a.Bytes()...))
	}
	r.unsaved = false
	v.mu.Unlock()
	err := writeJSON(v.roomPath(r.id), &f)
	if err != nil {
		v.log.Error("a private room cannot be saved", "room", r.id, "err", err)
		v.mu.Lock()
		r.unsaved = true
		v.mu.Unlock()
	}
	return err
}

// Save writes what has changed of the conversations, and what was learned of rooms. What is told of them often, how far somebody has read, waits for this.
func (v *Vault) Save() error {
	v.mu.Lock()
	var rooms []*room
	for _, r := range v.rooms {
		if r.unsaved {
			rooms = append(rooms, r)
		}
	}
	v.mu.Unlock()
	err := v.saveTalks()
	for _, r := range rooms {
		err = errors.Join(err, v.save(r))
	}
	return err
}

func (v *Vault) saveTalks() error {
	v.saving.Lock()
	defer v.saving.Unlock()
	v.mu.Lock()
	if !v.unsaved || v.conf.Dir == "" {
		v.mu.Unlock()
		return nil
	}
	v.unsaved = false
	var list []talkFile
	for _, t := range v.talks {
		list = append(list, talkFile{With: t.with[:], Nick: t.nick, Open: t.open, Alone: !t.mine, Shut: t.shut, Last: t.last, Read: appendKey(t.read), Told: appendKey(t.told)})
	}
	v.mu.Unlock()
	err := writeJSON(v.talksPath(), list)
	if err != nil {
		v.mu.Lock()
		v.unsaved = true
		v.mu.Unlock()
	}
	return err
}

func writeJSON(path string, f any) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return identity.Replace(path, append(b, '\n'))
}

func readJSON(path string, f any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, f); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

func (v *Vault) loadTalks() error {
	var list []talkFile
	if err := readJSON(v.talksPath(), &list); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range list[:min(len(list), MaxTalks)] {
		if len(f.With) != len(identity.PeerID{}) {
			return fmt.Errorf("%s is damaged: not a key", v.talksPath())
		}
		t := &talk{with: identity.PeerID(f.With), nick: f.Nick, open: f.Open, mine: !f.Alone, shut: f.Shut, last: f.Last}
		t.read, _ = parseKey(f.Read)
		t.told, _ = parseKey(f.Told)
		v.talks[seal.Direct(v.conf.Network, v.me, t.with)] = t
	}
	return nil
}

func (v *Vault) loadRooms() error {
	files, err := os.ReadDir(filepath.Join(v.conf.Dir, "rooms"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".json") || len(v.rooms) == MaxRooms {
			continue
		}
		path := filepath.Join(v.conf.Dir, "rooms", file.Name())
		r, err := v.loadRoom(path)
		if err != nil {
			return fmt.Errorf("private room: %w", err)
		}
		v.rooms[r.id] = r
	}
	return nil
}

func (v *Vault) loadRoom(path string) (*room, error) {
	var f roomFile
	if err := readJSON(path, &f); err != nil {
		return nil, err
	}
	var states []*seal.State
	for _, b := range f.States {
		s, err := seal.ParseState(v.conf.Network, b)
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
		states = append(states, s)
	}
	if len(states) == 0 || len(f.Keys) != len(states) || len(f.By) != len(identity.PeerID{}) {
		return nil, fmt.Errorf("%s is damaged: not a room", path)
	}
	sr := seal.NewRoom(states[0], states[1:]...)
	for i, b := range f.Keys {
		if len(b) == 0 {
			continue
		}
		key, err := seal.ParseEpochKey(b)
		if err == nil {
			err = sr.AddKey(states[i].Hash(), key)
		}
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
	}
	r := newRoom(sr, f.Status)
	r.rename()
	r.by, r.invited, r.last, r.since, r.untold = identity.PeerID(f.By), f.Invited, f.Last, f.Since, f.Untold
	for _, b := range f.Covered {
		if len(b) < 32 || len(b)%8 != 0 {
			return nil, fmt.Errorf("%s is damaged: not a key", path)
		}
		for i := 32; i < len(b); i += 8 {
			r.covered[identity.PeerID(b[:32])] = append(r.covered[identity.PeerID(b[:32])], seal.KeyID(b[i:]))
		}
	}
	for _, b := range f.Answers {
		a, err := seal.ParseAnswer(b[min(len(b), 32):])
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
		r.answers[identity.PeerID(b[:32])] = a
	}
	return r, nil
}
