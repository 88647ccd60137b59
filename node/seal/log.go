package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Place is where a message of kind Sealed stands: its header without what follows from its body.
type Place struct {
	Log  message.LogID
	Seq  uint64
	Prev message.Hash
	HLC  uint64
}

// header returns the header without the body hash, for a body of n bytes.
func (p *Place) header(n int) []byte {
	b := make([]byte, 0, 16+8+32+8+1+4)
	b = append(b, p.Log[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Seq)
	b = append(b, p.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, p.HLC)
	b = append(b, byte(message.Sealed))
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// ErrEpoch means a body of another epoch than its log's.
var ErrEpoch = errors.New("a log belongs to one epoch")

// A Log seals, or opens, the messages of one log of one epoch. It belongs to one goroutine. It does not hear of later changes of its Room: one that does not open is asked for again after
// a state or a key has come.
type Log struct {
	id     message.LogID
	author identity.PeerID
	epoch  uint32
	keys   []logKey // more than one where the owner made two states of the epoch, until one has opened a message
	lacks  bool     // a key of another state of this epoch
}

type logKey struct {
	state *State
	gcm   cipher.AEAD
}

// Epoch returns the log's epoch.
func (l *Log) Epoch() uint32 { return l.epoch }

// Writer returns what seals in log id, which must be new since the room's current state. It wraps ErrNotMember where author is none, ErrNoKey where the epoch key has not come yet.
func (r *Room) Writer(author identity.PeerID, id message.LogID) (*Log, error) {
	return r.log(author, id, r.current.Epoch, func(s *State) bool { return s == r.current })
}

// Reader returns what opens log id, which author signs, of the epoch that body, of a message in it, names. It wraps ErrNoState or ErrNoKey where that may still come, ErrNotMember where author was no
// member in that epoch.
func (r *Room) Reader(author identity.PeerID, id message.LogID, body []byte) (*Log, error) {
	if len(body) < roomFixed {
		return nil, fmt.Errorf("%w room message: %d bytes", ErrMalformed, len(body))
	}
	epoch := binary.BigEndian.Uint32(body)
	return r.log(author, id, epoch, func(s *State) bool { return s.Epoch == epoch })
}

func (r *Room) log(author identity.PeerID, id message.LogID, epoch uint32, is func(*State) bool) (*Log, error) {
	l, why := &Log{id: id, author: author, epoch: epoch}, ErrNoState
	for _, s := range r.kept {
		if !is(s) {
			continue
		}
		if !s.Has(author) {
			if why == ErrNoState {
				why = ErrNotMember
			}
			continue
		}
		key, ok := r.keys[s.hash]
		if !ok {
			why, l.lacks = ErrNoKey, true
			continue
		}
		gcm, err := key.expand("earshot/v1 room msg\x00", r.id, epoch, id[:]...)
		if err != nil {
			return nil, err
		}
		l.keys = append(l.keys, logKey{s, gcm})
	}
	if len(l.keys) == 0 {
		return nil, fmt.Errorf("room message of epoch %d by %s: %w", epoch, author.Fingerprint(), why)
	}
	return l, nil
}

// Seal returns the body of the message at that place.
func (l *Log) Seal(at Place, c Content) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(c.Body) > MaxSaid {
		return nil, fmt.Errorf("%w content: %d bytes", ErrMalformed, len(c.Body))
	}
	if at.Log != l.id {
		return nil, ErrEpoch
	}
	n := roomFixed + len(c.Body)
	b := make([]byte, n-tagLen, n)
	binary.BigEndian.PutUint32(b, l.epoch)
	const said = 4 + nonceLen
	nonce := b[4:said]
	rand.Read(nonce)
	b[said] = byte(c.Kind)
	copy(b[said+1:], c.Body)
	return l.keys[0].gcm.Seal(b[:said], nonce, b[said:], at.header(n)), nil
}

// Open returns what the message at that place says. Errors wrap ErrMalformed, ErrEpoch, ErrNoKey where a key that has not come might open it, and ErrOpen.
func (l *Log) Open(at Place, body []byte) (c Content, err error) {
	switch {
	case len(body) < roomFixed || len(body) > message.MaxBody:
		return c, fmt.Errorf("%w room message: %d bytes", ErrMalformed, len(body))
	case binary.BigEndian.Uint32(body) != l.epoch || at.Log != l.id:
		return c, ErrEpoch
	}
	header := at.header(len(body))
	for _, k := range l.keys {
		plain, err := k.gcm.Open(nil, body[4:4+nonceLen], body[4+nonceLen:], header)
		if err != nil {
			continue
		}
		l.keys, l.lacks = []logKey{k}, false
		c = Content{message.Kind(plain[0]), plain[1:]}
		return c, c.check()
	}
	if l.lacks {
		return c, fmt.Errorf("room message: %w", ErrNoKey)
	}
	return c, fmt.Errorf("room message: %w", ErrOpen)
}

// Removed returns when author, who is no member now, was removed, as a stamp; ok is false for members. Of who was never a member as far as is known it is when that begins to be known.
func (r *Room) Removed(author identity.PeerID) (hlc uint64, ok bool) {
	for k := r.current; k != nil && !k.Has(author); k = r.kept[k.Prev] {
		hlc, ok = k.HLC, true
	}
	return hlc, ok
}

// Since returns the state from which on a member has been one, as far back as is known; nil: it is none.
func (r *Room) Since(member identity.PeerID) (s *State) {
	for k := r.current; k != nil && k.Has(member); k = r.kept[k.Prev] {
		s = k
	}
	return s
}

// Admit refuses, with ErrNotMember, a message in l of somebody who is no member now: when it comes live, and where its stamp is not older than the first state without its author. What members
// wrote in an epoch that is over is late, and fine. It is asked after a message of l has opened.
func (r *Room) Admit(l *Log, hlc uint64, live bool) error {
	if r.current.Has(l.author) {
		return nil
	}
	refused := live
	for k := r.current; k != nil && k.Epoch >= l.epoch; k = r.kept[k.Prev] {
		if !k.Has(l.author) && hlc >= k.HLC {
			refused = true
		}
	}
	if refused {
		return fmt.Errorf("room message by %s, who was removed: %w", l.author.Fingerprint(), ErrNotMember)
	}
	return nil
}
