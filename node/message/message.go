// Package message defines what is said and how it is signed: logs, messages, and the runs in which they travel and are stored.
//
// A log is what one process of one author said in one room on one UTC day. Its messages are numbered from 1 and chained: each header
// holds the hash of the header before it (the first holds the hash of the log's opening), so one verified signature vouches for the
// whole contiguous run below it. A Run is a stretch of one log in its one encoding, the same on the wire, in the tail and on the disk.
//
// Everything here is a pure function or a value without locks; nothing blocks or starts goroutines. A Run that several goroutines
// read must not be changed any more. Decoders are strict: any byte string has at most one meaning, sizes are checked before memory
// is taken, and what they return does not alias their input unless said. What a decoder accepts never depends on Unicode tables, or
// two versions of this program could disagree for ever about one log: nicks and texts are cleaned where they are shown.
// Integers are big-endian, H is SHA-256, labels that end in NUL include it.
package message

import "crypto/sha256"

// Limits. A run is emitted with at most MaxRecords records and MaxRunBytes bytes (a single record may be larger), and
// accepted up to MaxRecords and MaxFrame.
const (
	MaxText     = 4 << 10 // bytes of one text
	MaxLines    = 40      // lines of one text
	MaxNick     = 24      // runes
	MaxRoomName = 32      // runes
	MaxRecords  = 256
	MaxRunBytes = 16 << 10
	MaxBody     = 48 << 10 // bytes of one body: it must fit a frame
)

// MaxSeq is above every number of a message.
const MaxSeq = 1 << 48

// The limits of names in bytes, for what is decoded.
const (
	MaxNickBytes     = 4 * MaxNick
	MaxRoomNameBytes = 4 * MaxRoomName
)

type (
	// LogID is H("earshot/v1 log\0" || netid || room || author || nonce 16 || u32 day)[:16].
	LogID [16]byte
	// RoomID names a room; for a public one H("earshot/v1 public room\0" || name)[:16].
	RoomID [16]byte
	// GroupID names what is replicated together: the zero group is all public rooms; any other room is a group of its own, of the same id.
	GroupID [16]byte
	// Nonce is minted anew by every process start, so that no number is ever used twice.
	Nonce [16]byte
	// Hash is a SHA-256.
	Hash [32]byte
	// ID names a message: H(header)[:16].
	ID [16]byte
	// Signature is Ed25519 over "earshot/v1 msg\0" || header.
	Signature [64]byte
)

// ID returns the id of the message whose header hashes to h.
func (h Hash) ID() ID { return ID(h[:16]) }

// Public is the group of all public rooms, and Mail stands for all other groups together, whosever they are: no log is in it. They are not to be changed.
var (
	Public GroupID
	Mail   = GroupID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// Lobby is the name of the room everyone is in.
const Lobby = "lobby"

// Room returns the id of the public room called name (without #, as CleanRoom returns it).
func Room(name string) RoomID {
	h := sha256.Sum256(append([]byte("earshot/v1 public room\x00"), name...))
	return RoomID(h[:16])
}

// Kind says what a message is. Numbers are only ever added; a kind not known is kept and passed on like any other.
type Kind uint8

const (
	Text     Kind = 1 // body: UTF-8 text
	Action   Kind = 2 // body: UTF-8 text, "/me …"
	NickName Kind = 3 // body: the author's new nick, from here on in this log
	Topic    Kind = 4 // body: UTF-8 text
	Reply    Kind = 5 // body: Ref, UTF-8 text. A Ref is lid 16, seq u64, id 16
	Edit     Kind = 6 // body: Ref, UTF-8 text; counts where the author is the target's
	Redact   Kind = 7 // body: 1 to MaxRefs Refs, ascending; likewise. The targets' bodies are deleted
	React    Kind = 8 // body: Ref, u8 (1: on, 0: taken back), UTF-8 emoji
	File     Kind = 9 // body: an offer
	// Void stands in no log: that it was signed as the first message of one proves that the log has none, by its author's wish. What it held was said again in another.
	Void Kind = 10
	// Read, Keys, Answer, Invite and Rotate go only inside direct messages (package vault): how far the other has read, a keyring for another instance of oneself, to another instance that
	// a private room was left, an invitation to one, and the network's next key.
	Read   Kind = 11
	Keys   Kind = 12
	Answer Kind = 13
	Invite Kind = 14
	Rotate Kind = 15
	Sealed Kind = 16
	State  Kind = 17 // of a private room
)
