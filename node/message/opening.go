package message

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"

	"earshot/node/identity"
)

// Opening is what the first message of a log carries; its hash stands in that message's Prev.
type Opening struct {
	Network identity.NetworkID
	Group   GroupID
	Room    RoomID
	Author  identity.PeerID
	Nonce   Nonce
	Day     uint32 // days since 1970-01-01 UTC
	Nick    string // at most MaxNickBytes of UTF-8
	Name    string // of the room, where the group is Public (and only there); Room is Room(Name)
}

// openingFixed is the length of an opening's encoding without nick and name.
const openingFixed = 16 + 16 + 16 + 32 + 16 + 4 + 1 + 1

// Log returns the id of the log this opens.
func (o *Opening) Log() LogID {
	b := make([]byte, 0, 128)
	b = append(b, "earshot/v1 log\x00"...)
	b = append(b, o.Network[:]...)
	b = append(b, o.Room[:]...)
	b = append(b, o.Author[:]...)
	b = append(b, o.Nonce[:]...)
	b = binary.BigEndian.AppendUint32(b, o.Day)
	h := sha256.Sum256(b)
	return LogID(h[:16])
}

// Hash returns H("earshot/v1 opening\0" || encoding).
func (o *Opening) Hash() Hash {
	b := make([]byte, 0, 512)
	b = append(b, "earshot/v1 opening\x00"...)
	return sha256.Sum256(o.append(b))
}

func (o *Opening) append(b []byte) []byte {
	b = append(b, o.Network[:]...)
	b = append(b, o.Group[:]...)
	b = append(b, o.Room[:]...)
	b = append(b, o.Author[:]...)
	b = append(b, o.Nonce[:]...)
	b = binary.BigEndian.AppendUint32(b, o.Day)
	b = append(b, byte(len(o.Nick)))
	b = append(b, o.Nick...)
	b = append(b, byte(len(o.Name)))
	return append(b, o.Name...)
}

// parseOpening decodes the opening at the start of b and returns what follows it.
func parseOpening(b []byte) (*Opening, []byte, error) {
	if len(b) < openingFixed {
		return nil, nil, malformed("the opening is cut short")
	}
	o := &Opening{
		Network: identity.NetworkID(b[0:16]),
		Group:   GroupID(b[16:32]),
		Room:    RoomID(b[32:48]),
		Author:  identity.PeerID(b[48:80]),
		Nonce:   Nonce(b[80:96]),
		Day:     binary.BigEndian.Uint32(b[96:100]),
	}
	var ok bool
	if o.Nick, b, ok = parseName(b[100:], MaxNickBytes); !ok {
		return nil, nil, malformed("bad nick")
	}
	if o.Name, b, ok = parseName(b, MaxRoomNameBytes); !ok {
		return nil, nil, malformed("bad room name")
	}
	return o, b, o.check()
}

// parseName decodes a length byte and that much UTF-8, at most limit bytes.
func parseName(b []byte, limit int) (name string, rest []byte, ok bool) {
	if len(b) == 0 {
		return "", nil, false
	}
	n := int(b[0])
	if b = b[1:]; n > limit || n > len(b) || !utf8.Valid(b[:n]) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// check refuses an opening that says two things about its room: who shows a public room finds its name here.
func (o *Opening) check() error {
	if (o.Group == Public) != (o.Name != "") {
		return malformed("a room has a name exactly where it is public")
	}
	if o.Name != "" && o.Room != Room(o.Name) {
		return malformed("the room's name and its id differ")
	}
	if o.Group != Public && (o.Group == Mail || o.Group != GroupID(o.Room)) {
		return malformed("a room that is not public is a group of its own")
	}
	return nil
}
