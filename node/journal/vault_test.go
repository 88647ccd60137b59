package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"earshot/node/identity"
	"earshot/node/message"
)

// conversation is the group, and the room, that these tests seal for.
var conversation = message.GroupID{0xc0}

// A toyVault seals by adding a stream that hangs on the epoch's number and the message's place: what stands elsewhere does not open. It refuses what somebody banned says live.
type toyVault struct {
	mu      sync.Mutex
	own     bool
	epoch   byte // that it seals for
	keys    []byte
	logs    map[message.LogID]byte
	banned  identity.PeerID
	learned []string
	opens   int
	renew   bool // always
	learn   func()
}

func newVault(keys ...byte) *toyVault {
	return &toyVault{own: true, epoch: 1, keys: keys, logs: map[message.LogID]byte{}}
}

func (v *toyVault) Own(g message.GroupID, _ identity.PeerID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.own && g == conversation
}

func (v *toyVault) Learn(_ Place, body []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.learned = append(v.learned, string(body))
	if v.learn != nil {
		v.learn()
	}
}

func (v *toyVault) stream(at Place, epoch byte, b []byte) []byte {
	seed := binary.BigEndian.AppendUint64([]byte{epoch}, at.Seq)
	seed = slices.Concat(binary.BigEndian.AppendUint64(seed, at.HLC), at.Log[:], at.Prev[:], at.Room[:], at.Author[:])
	key := sha256.Sum256(seed)
	out := make([]byte, len(b))
	for i := range b {
		if i%32 == 0 {
			key = sha256.Sum256(key[:])
		}
		out[i] = b[i] ^ key[i%32]
	}
	return out
}

func (v *toyVault) Open(at Place, body []byte, live bool) (message.Kind, []byte, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opens++
	if len(body) < 6 || !slices.Contains(v.keys, body[0]) || live && at.Author == v.banned {
		return 0, nil, false
	}
	plain := v.stream(at, body[0], body[1:])
	if !bytes.HasPrefix(plain, []byte("said")) {
		return 0, nil, false
	}
	return message.Kind(plain[4]), plain[5:], true
}

func (v *toyVault) Seal(at Place, k message.Kind, plain []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.logs[at.Log]; ok && e != v.epoch || v.renew {
		return nil, ErrRenew
	}
	v.logs[at.Log] = v.epoch
	return append([]byte{v.epoch}, v.stream(at, v.epoch, slices.Concat([]byte("said"), []byte{byte(k)}, plain))...), nil
}

// next begins another epoch.
func (v *toyVault) next(epoch byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epoch = epoch
	v.keys = append(v.keys, epoch)
}

// with hands it another key.
func (v *toyVault) with(key byte) *toyVault {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = append(v.keys, key)
	return v
}

// whisper writes into the conversation.
func whisper(t testing.TB, a *Author, k message.Kind, body []byte) message.Ref {
	t.Helper()
	id, key, _, err := a.Write(context.Background(), conversation, message.RoomID(conversation), "", k, body)
	if err != nil {
		t.Fatal(err)
	}
	return ref(id, key)
}

func whisperText(t testing.TB, a *Author, text string) message.Ref {
	t.Helper()
	return whisper(t, a, message.Text, []byte(text))
}

func whisperAbout(t testing.TB, a *Author, k message.Kind, about message.About) message.Ref {
	t.Helper()
	return whisper(t, a, k, about.Body(k))
}

// feedSealed gives b what a serves of the conversation and b lacks.
func feedSealed(t testing.TB, a, b *Journal, via Via) {
	t.Helper()
	days, err := a.Days(conversation, 0, 1<<31)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		hs, _, err := a.Heads(conversation, d.Day, message.LogID{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hs {
			have, _ := b.Head(h.Log)
			for data, err := range a.Serve(h.Log, have.Seq+1) {
				if err != nil {
					t.Fatal(err)
				}
				run, err := message.ParseRun(data)
				if err == nil {
					_, err = b.Append(context.Background(), run, 7, via)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// whispered is the conversation as people see it: see shown; what is not open is "#".
func whispered(t testing.TB, j *Journal) []string {
	t.Helper()
	lines, err := j.Page(message.RoomID(conversation), Key{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return asShown(lines)
}

func asShown(lines []Line) (out []string) {
	for _, l := range lines {
		text := string(l.Body)
		switch {
		case l.Kind == message.Sealed:
			text = "#"
		case !markable(l.Kind):
			continue
		case l.Marks.Redacted:
			text = "-"
		case l.Body == nil:
			text = "?"
		case l.Marks.Edit != nil:
			a, _ := message.ParseAbout(message.Edit, l.Marks.Edit.Body)
			text = string(a.Text)
		}
		for _, r := range l.Marks.React {
			text += fmt.Sprintf(" %s%d", r.Emoji, len(r.By))
		}
		out = append(out, text)
	}
	return out
}

func checkWhispered(t testing.TB, j *Journal, want ...string) {
	t.Helper()
	if got := whispered(t, j); !slices.Equal(got, want) {
		t.Errorf("shown %q, want %q", got, want)
	}
}
