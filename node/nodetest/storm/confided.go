package storm

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
)

// What must hold in sealed rooms.
//
// The two of a conversation, on all their machines, show the same of it; whoever is a member of a private room is one of the same state as the others, holds its key, and shows what all show, but for
// what was said in an epoch whose key it lacks: it was no member then, or nobody who had the key was there when it was. A key that is wrapped for one on its own disk, for a key in its ring, it holds.
// What somebody said who was removed, for however long, may be shown by some alone: those whom it reached after that, live, do not take it.
//
// Nobody else is told of any of it, shows any, or has any on a disk.

// A member is a machine that is in a private room, as of its disk.
type member struct {
	h       *host
	id      identity.PeerID
	states  []*seal.State // the present one first
	keys    map[message.Hash]bool
	page    []node.Message
	wrapped map[message.Hash][]*seal.Wraps
}

// epochs says in which epoch of a private room a message was said.
type epochs map[message.ID]uint32

// readRooms reads what a host's disk says of private rooms. ok is false where the disk is being written.
func (w *world) readRooms(h *host) (rooms map[message.RoomID]*member, ok bool) {
	paths, err := filepath.Glob(filepath.Join(h.dir, "*", "networks", "*", "rooms", "*.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	rooms = map[message.RoomID]*member{}
	for _, path := range paths {
		var f struct {
			Status       string
			States, Keys [][]byte
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &f)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if f.Status != "joined" {
			continue
		}
		network, err := hex.DecodeString(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err != nil {
			w.t.Fatal(err)
		}
		m := &member{h: h, id: h.up().ID(), keys: map[message.Hash]bool{}, wrapped: map[message.Hash][]*seal.Wraps{}}
		for i, b := range f.States {
			s, err := seal.ParseState(identity.NetworkID(network), b)
			if err != nil {
				w.t.Fatalf("%s: %v", path, err)
			}
			m.states = append(m.states, s)
			m.keys[s.Hash()] = len(f.Keys[i]) > 0
		}
		rooms[m.states[0].Room()] = m
	}
	return rooms, true
}

// readSealed reads what a host's disk has of private rooms' messages: their epochs, and wrapped keys. ok is false where the disk is being written.
func (w *world) readSealed(h *host, rooms map[message.RoomID]*member, into epochs) (ok bool) {
	for _, path := range stores(w.t, h.dir) {
		locked, err := readStore(path, "SELECT log.room, run.data FROM run JOIN log ON run.log = log.id WHERE log.grp <> x'00000000000000000000000000000000'", func(rows *sql.Rows) error {
			var room, data []byte
			if err := rows.Scan(&room, &data); err != nil {
				return err
			}
			run, err := message.ParseRun(data)
			if err != nil {
				return err
			}
			m := rooms[message.RoomID(room)]
			for i, hash := range run.Hashes() {
				switch r := run.Records[i]; {
				case r.Redacted:
				case r.Kind == message.Sealed && len(r.Body) > 4:
					into[hash.ID()] = binary.BigEndian.Uint32(r.Body) // of a direct message: anything
				case r.Kind == message.State && m != nil:
					if wraps, err := seal.ParseWraps(bytes.Clone(r.Body)); err == nil {
						m.wrapped[wraps.State] = append(m.wrapped[wraps.State], wraps)
					}
				}
			}
			return nil
		})
		if locked {
			return false
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return true
}

// sealedEqual is how long after the same lines the same in sealed rooms may take: members who have got no key are
// looked for once a minute, and what a room's owner made and could not write.
const sealedEqual = 2*time.Minute + 10*time.Second

// sealedSettles waits until all is as it must be in sealed rooms.
func (w *world) sealedSettles() {
	began := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) { // to look takes a while
		why := w.sealedDiffers()
		if why == "" {
			w.logf("== after %v: the same in sealed rooms", time.Since(began))
			return
		}
		if time.Since(began) > sealedEqual {
			w.errorf("for %v, in sealed rooms: %s", sealedEqual, why)
			return
		}
		w.sleep(pause)
	}
}

// sealedDiffers says what is not as it must be in sealed rooms, or nothing.
func (w *world) sealedDiffers() string {
	if w.sealed == nil {
		return ""
	}
	for _, p := range w.sealed.pairs {
		if why := w.talkDiffers(p); why != "" {
			return why
		}
	}
	all := map[message.RoomID][]*member{}
	said := epochs{}
	for _, h := range w.hosts {
		if h.up() == nil || h.config.NoHistory {
			continue
		}
		rooms, ok := w.readRooms(h)
		if !ok || !w.readSealed(h, rooms, said) {
			return h.name + " writes"
		}
		for id, m := range rooms {
			for _, shown := range h.up().Snapshot().Rooms {
				if shown.ID == id {
					page, err := h.up().Page(shown.Name, node.Key{}, 1<<20)
					if err != nil {
						return fmt.Sprintf("%s shows nothing of %s: %v", h.name, shown.Name, err)
					}
					m.page = page
				}
			}
			all[id] = append(all[id], m)
		}
	}
	for _, members := range all {
		if why := w.roomDiffers(members, said); why != "" {
			return why
		}
	}
	return ""
}

// talkDiffers compares what two have said to each other.
func (w *world) talkDiffers(p [2]*host) string {
	a, b := w.sealed.person(p[0]), w.sealed.person(p[1])
	if a == b || w.torn[a] || w.torn[b] {
		return ""
	}
	var first []node.Message
	var by *host
	for _, h := range w.hosts {
		r := h.up()
		if r == nil || r.ID() != a && r.ID() != b {
			continue
		}
		other := a
		if r.ID() == a {
			other = b
		}
		page, err := r.Page("@"+other.Fingerprint(), node.Key{}, 1<<20)
		if err != nil {
			return fmt.Sprintf("%s shows nothing of what it said to %s: %v", h.name, other.Fingerprint(), err)
		}
		page = w.kept(page)
		if by == nil {
			first, by = page, h
			continue
		}
		if why := pagesDiffer(by, h, first, page); why != "" {
			return why
		}
	}
	return ""
}

// kept is what of a page all must show: not what was deleted, which nobody can tell the kind of who had not read it before; on the open network not what someone said alone in a process that
// ended before it met anyone.
func (w *world) kept(page []node.Message) []node.Message {
	page = slices.DeleteFunc(slices.Clone(page), func(m node.Message) bool { return m.Redacted })
	if !w.c.Open {
		return page
	}
	w.sealed.mu.Lock()
	defer w.sealed.mu.Unlock()
	return slices.DeleteFunc(page, func(m node.Message) bool {
		s := w.sealed.secrets[m.Text]
		return s != nil && s.by.ended && !(&line{by: s.by}).ticked(m.ID)
	})
}

func pagesDiffer(a, b *host, x, y []node.Message) string {
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x):
			return fmt.Sprintf("%s shows %q, and %s does not", b.name, y[i].Text, a.name)
		case i >= len(y):
			return fmt.Sprintf("%s shows %q, and %s does not", a.name, x[i].Text, b.name)
		case x[i].ID != y[i].ID || x[i].Key != y[i].Key:
			return fmt.Sprintf("%s shows %q where %s shows %q", a.name, x[i].Text, b.name, y[i].Text)
		case viewOf(x[i], false) != viewOf(y[i], false):
			return fmt.Sprintf("%s shows %+v, %s %+v", a.name, viewOf(x[i], false), b.name, viewOf(y[i], false))
		}
	}
	return ""
}

// roomDiffers compares what those show who are in one room.
func (w *world) roomDiffers(members []*member, said epochs) string {
	first := members[0].states[0]
	states := map[message.Hash]*seal.State{}
	removed := map[identity.PeerID]bool{}
	for _, m := range members {
		if s := m.states[0]; s.Hash() != first.Hash() {
			return fmt.Sprintf("of a room %s has epoch %d with %d members, %s epoch %d with %d", members[0].h.name, first.Epoch, len(first.Members), m.h.name, s.Epoch, len(s.Members))
		}
		for _, s := range m.states {
			states[s.Hash()] = s
		}
	}
	for _, s := range states { // also who is a member again
		for _, later := range states {
			for _, p := range s.Members {
				removed[p] = removed[p] || later.Epoch > s.Epoch && !later.Has(p)
			}
		}
	}
	shown := map[message.ID]node.Message{}
	by := map[message.ID]*member{}
	for _, m := range members {
		if !first.Has(m.id) {
			return fmt.Sprintf("%s is in a room that it is no member of", m.h.name)
		}
		if w.torn[m.id] {
			continue
		}
		if !m.keys[first.Hash()] {
			return fmt.Sprintf("%s lacks the key of a room's epoch %d", m.h.name, first.Epoch)
		}
		ring := w.ring(m.h)
		for h, list := range m.wrapped {
			for _, wraps := range list {
				s := states[h]
				if s == nil || m.keys[h] {
					continue
				}
				if _, err := s.Unwrap(wraps, m.id, ring); err == nil && slices.ContainsFunc(m.states, func(o *seal.State) bool { return o == s || o.Hash() == h }) {
					return fmt.Sprintf("%s lacks the key of a room's epoch %d, which is wrapped for it on its disk", m.h.name, s.Epoch)
				}
			}
		}
		for _, x := range w.kept(m.page) {
			shown[x.ID], by[x.ID] = x, m
		}
	}
	readsAll := map[*member]bool{}
	for _, m := range members {
		readsAll[m] = !slices.Contains(slices.Collect(maps.Values(removed)), true)
		for h := range states {
			readsAll[m] = readsAll[m] && m.keys[h]
		}
	}
	for _, m := range members {
		if w.torn[m.id] {
			continue
		}
		has := map[message.ID]bool{}
		last := node.Key{}
		for _, x := range w.kept(m.page) {
			if x.Key.HLC < last.HLC {
				return fmt.Sprintf("%s shows %q out of order", m.h.name, x.Text)
			}
			last, has[x.ID] = x.Key, true
			if o, ok := shown[x.ID]; ok && readsAll[m] && readsAll[by[x.ID]] && viewOf(o, false) != viewOf(x, false) { // an edit may be of an epoch that one cannot read
				return fmt.Sprintf("%s shows %+v, %s %+v", m.h.name, viewOf(x, true), by[x.ID].h.name, viewOf(o, true))
			}
		}
		for id, x := range shown {
			epoch, known := said[id]
			if has[id] || removed[x.Author] {
				continue
			}
			if !known {
				return fmt.Sprintf("%q is on no disk", x.Text)
			}
			lacks := false
			for _, s := range states {
				lacks = lacks || s.Epoch == epoch && !m.keys[s.Hash()]
			}
			if !lacks {
				return fmt.Sprintf("%s does not show %q of epoch %d, which %s shows", m.h.name, x.Text, epoch, by[id].h.name)
			}
		}
	}
	return ""
}

// ring reads the keyring of a host.
func (w *world) ring(h *host) *seal.Ring {
	b, err := os.ReadFile(filepath.Join(h.dir, h.profile, "keyring"))
	if err != nil {
		w.t.Fatal(err)
	}
	ring, err := seal.ParseRing(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return ring
}

// kept in confidence: nobody was told of what is not theirs, or has it on a disk, and nothing that was delivered is lost.
func (w *world) confided() {
	c := w.sealed
	if c == nil {
		return
	}
	said, states := epochs{}, map[uint32][]*seal.State{}
	for _, h := range w.hosts {
		if h.up() == nil {
			continue
		}
		rooms, _ := w.readRooms(h)
		w.readSealed(h, rooms, said)
		for _, m := range rooms {
			for _, s := range m.states {
				states[s.Epoch] = append(states[s.Epoch], s)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range w.hosts {
		for _, r := range h.runs {
			seen := map[string]bool{}
			for _, e := range r.events() {
				var m node.Message
				switch e := e.(type) {
				case node.Said:
					m = e.Message
					if s := c.secrets[m.Text]; s != nil && seen[m.Text] {
						w.errorf("%s%d told %q twice", h.name, r.n, m.Text)
					}
					seen[m.Text] = !m.Edited
				case node.Edited:
					m = e.Message
				default:
					continue
				}
				s := c.secrets[m.Text]
				if s == nil {
					if m.Sealed && !m.Redacted && m.Text != "" {
						w.errorf("%s%d told %q, which nobody said", h.name, r.n, m.Text)
					}
					continue
				}
				if why := w.mayNot(r, s, m, said, states); why != "" {
					w.errorf("%s%d told %q%s", h.name, r.n, m.Text, why)
				}
			}
		}
		w.nothingOn(h)
	}
	w.undelivered()
}

// mayNot says why a process must not have been told of a secret, or nothing.
func (w *world) mayNot(r *run, s *secret, m node.Message, said epochs, states map[uint32][]*seal.State) string {
	switch me := r.ID(); {
	case !m.Sealed:
		return " as if it were not sealed"
	case s.by.ID() == me || s.with == me || w.sealed.shared[me]:
		return ""
	case s.with != identity.PeerID{}:
		return ", of a conversation of others"
	default:
		epoch, known := said[m.ID]
		if known && !slices.ContainsFunc(states[epoch], func(s *seal.State) bool { return s.Has(me) }) {
			return fmt.Sprintf(" of epoch %d, in which it was no member", epoch)
		}
		return ""
	}
}

// nothingOn checks that on a host's disks, those from before too, is nothing in the clear that others have said to each other.
func (w *world) nothingOn(h *host) {
	c := w.sealed
	others := map[string]bool{}
	for _, p := range c.pairs {
		mine := false
		for _, o := range p {
			for _, x := range o.runs {
				mine = mine || slices.ContainsFunc(h.runs, func(r *run) bool { return r.ID() == x.ID() })
			}
		}
		if !mine {
			others[whose(p[0], p[1])] = true
		}
	}
	inDen := false
	for _, r := range h.runs {
		for _, e := range r.events() {
			switch e.(type) {
			case node.Invited, node.Members:
				inDen = true
			}
		}
		for _, room := range r.Snapshot().Rooms {
			inDen = inDen || room.Kind == node.PrivateRoom
		}
	}
	if !inDen && h.profile != c.founder.profile {
		others[den] = true
	}
	err := filepath.WalkDir(filepath.Join(w.dir, h.name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for words := range others {
			if bytes.Contains(b, []byte(words)) {
				w.errorf("%s has a %s in the clear", strings.TrimPrefix(path, w.dir), words)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// undelivered checks that what was on two disks and more, as its author was told, is shown to its author still and to the other of a conversation. That the members of a room show the same was looked at.
func (w *world) undelivered() {
	c := w.sealed
	shows, deleted := map[*host]map[message.ID]bool{}, map[message.ID]bool{}
	texts, in := map[*host]map[string]bool{}, map[*host]map[message.RoomID]bool{} // in: these private rooms, still
	for _, h := range w.hosts {
		r := h.up()
		if r == nil {
			continue
		}
		shows[h], texts[h], in[h] = map[message.ID]bool{}, map[string]bool{}, map[message.RoomID]bool{}
		for _, room := range r.Snapshot().Rooms {
			if room.Kind == node.PublicRoom {
				continue
			}
			in[h][room.ID] = room.Kind == node.PrivateRoom && room.Joined
			page, err := r.Page(room.Name, node.Key{}, 1<<20)
			if err != nil {
				w.errorf("%s shows nothing of %s: %v", h.name, room.Name, err)
			}
			for _, m := range page {
				if texts[h][m.Text] && m.Text != "" {
					w.errorf("%s shows %q twice", h.name, m.Text)
				}
				shows[h][m.ID], texts[h][m.Text] = true, true
				deleted[m.ID] = deleted[m.ID] || m.Redacted
			}
		}
	}
	withdrawn := map[message.ID]bool{} // what was said after its author's removal, which is told
	for _, h := range w.hosts {
		for _, r := range h.runs {
			for _, e := range r.events() {
				switch x := e.(type) {
				case node.Withdrawn:
					withdrawn[x.ID] = true
				case node.Redacted: // whose disk was lost since does not show even that it was there
					deleted[x.ID] = true
				}
			}
		}
	}
	for _, h := range w.hosts {
		for _, r := range h.runs {
			own, where := map[message.ID]*secret{}, map[message.ID]message.RoomID{}
			for _, e := range r.events() {
				if s, ok := e.(node.Said); ok && c.secrets[s.Text] != nil && c.secrets[s.Text].by == r {
					own[s.ID], where[s.ID] = c.secrets[s.Text], s.RoomID
				}
			}
			for _, e := range r.events() {
				d, ok := e.(node.Delivered)
				s := own[d.ID]
				if !ok || s == nil || d.Copies < 2 || (&line{text: s.text, by: r, at: s.at}).stranded() {
					continue
				}
				for o, shown := range shows {
					id := o.up().ID()
					mine := id == r.ID() || s.with == id
					if s.with == (identity.PeerID{}) {
						mine = id == r.ID() && o == h && in[h][where[d.ID]] && !withdrawn[d.ID]
					}
					if mine && !shown[d.ID] && !deleted[d.ID] && !w.torn[id] && !texts[o][s.text] {
						w.errorf("%s lost %q of %s%d, which was on %d disks", o.name, s.text, h.name, r.n, d.Copies)
					}
				}
			}
		}
	}
}
