// Package seal keeps what is said in direct messages and private rooms from everyone it is not for, and says who a private room's members are.
//
// It owns the X-Wing keys of this person (Ring), what others are told of them (Profile), the bodies of sealed messages, and the signed states of private rooms (State), of which a Room
// keeps what one member knows. Everything is a function of its arguments: no network, no disk, no clock, no goroutine, no state of the package's own; only making keys and sealing draws
// on crypto/rand. A Ring, a Profile and a State never change once made and may be used from any goroutine; a Room and a Log belong to one.
//
// Standard library only: HPKE (RFC 9180) in base mode with MLKEM768-X25519 (X-Wing, draft-ietf-hpke-pq, 0x647a), HKDF-SHA256 and AES-256-GCM; HKDF-Expand; AES-256-GCM; Ed25519 by
// package identity. Integers are big-endian, H is SHA-256, || is concatenation, labels that end in NUL include it. Sizes are checked before memory is taken, every byte string has at most
// one meaning, and what is decoded never aliases its input unless said. Secrets sit behind functions, where no verb of fmt reaches them.
//
// # Layouts
//
// Profile, at most 1,441 bytes, signed over "earshot/v1 profile\0" || bytes before the signature:
//
//	0     netid 16
//	16    person 32        the Ed25519 key that signs
//	48    version u64      the highest wins
//	56    key id 8         H(X-Wing key)[:8]
//	64    X-Wing key 1216
//	1280  u8 length, nick  at most 96 bytes of UTF-8, as they come: cleaned where it is shown
//	end   signature 64
//
// Keyring, as stored, at most 2,596 bytes: "earshot/v1 keyring\0" 19 || u8 count || count × {made u64, ms since 1970; seed 32}, by made || H(all before)[:16].
//
// Direct message, the body of a message of kind Sealed in room and group H("earshot/v1 dm room\0" || netid || both keys, the lesser first)[:16]: two boxes of one length, the first
// for the recipient, the second for the author's own later reading.
//
//	0     key id 8
//	8     recipient 32     in the second box the author
//	40    enc 1120         HPKE, info "earshot/v1 dm\0" || netid || author || recipient || key id
//	1160  ciphertext       of the padded content, and 16
//
// Padded content: kind u8 || u16 length || body || zeros, to a multiple of 128 and at most 16 KiB.
//
// Private room, id and group H("earshot/v1 room\0" || founder || nonce 16)[:16]. The body of a message of kind State begins with its form; all four:
//
//	0     u8 1, a state, at most 10,199 bytes, signed over "earshot/v1 state\0" || netid || bytes before the signature; the state's hash is H of the same
//	1     founder 32
//	33    room nonce 16
//	49    epoch u32        from 1
//	53    hlc u64          when it was made, as in a message
//	61    prev 32          hash of the state before it; zero in epoch 1
//	93    commitment 32    H("earshot/v1 epoch\0" || epoch key)
//	125   name 157         nonce 12 || AES-256-GCM of {u8 length, name, zeros to 129}, key Expand(epoch key, "earshot/v1 room name\0" || room || epoch u32, 32)
//	282   u8 n ≤ 16        hand-overs: n × {epoch u32, owner 32, signature 64 of the owner before over "earshot/v1 hand-over\0" || netid || room || epoch || owner}, by epoch
//	..    u8 m, 1..250     members: m × 32, ascending; the owner is one
//	..    u8 k             moderators: k × u8, places in members, ascending
//	end   signature 64     of the owner before this epoch's hand-over, if it has one
//
//	0     u8 2, wrapped keys
//	1     state 32         its hash
//	33    u8 n, 1..40
//	34    n × {member 32, key id 8, enc 1120, ciphertext 48}: HPKE of the epoch key, info "earshot/v1 wrap\0" || room || epoch u32 || member
//
//	0     u8 3, an invitation (only inside a direct message)
//	1     epoch key 32
//	33    a state, from its form on
//
//	0     u8 4, an answer: of its author, in whose room it stands
//	1     epoch u32        of the newest state that its author knows
//	5     u8               1 accepts the invitation, 0 declines it or leaves
//
// The offer of a network's next key, the body of a message of kind Rotate, only inside a direct message:
//
//	0     u8 1
//	1     made u64         ms since 1970
//	9     by 32            who made the key
//	41    key 26           letters and digits, as package identity has them
//	67    u16 n, 1..480
//	69    people: n × 32, ascending; by is one
//
// Room message, the body of a message of kind Sealed in a private room's group, 33 bytes longer than what is said:
//
//	0     epoch u32
//	4     nonce 12         random
//	16    ciphertext       of {kind u8, body}, and 16; AES-256-GCM, key Expand(epoch key, "earshot/v1 room msg\0" || room || epoch u32 || lid, 32),
//	                       AAD the message's header without its body hash: lid 16, seq u64, prev 32, hlc u64, kind u8, body length u32
//
// # Who decides about a room
//
// Only a signature of the owner changes a room, so neither the hub nor a partition can. The founder is the first owner, each hand-over names the next, and every state carries all of
// them: one state proves itself, however much of the history is gone. Any change makes a new epoch with a new key, and so do seven days. Wrapped keys need no signature: they count
// where the key fits the commitment, so any member may wrap the key again for another whose X-Wing key has changed since, and the room goes on without its owner.
//
// A copied profile can make two states of one epoch. Of two states whose hand-overs are the same, or begin the same, every member takes the one with more hand-overs, then the higher
// (epoch, hlc, hash), in whatever order they come, and is told of the other: Accept returns the state that lost, Missing the changes in it that the winner lacks, where both changed the same the later, for one of the owner's
// instances to make again. Where one room was handed to two people, a member stays with the one that it knew first and is told: make a new room. Who was handed a room makes a state at once:
// until then the owner before could still make another of the same epoch.
//
// # How a node is to call this
//
// At start: ParseRing of the stored file (0600, as identity keeps keys), Ring.Renew, store it before it is used, NewProfile with a version above the highest seen of oneself. The profile's
// bytes go into HELLO and PRESENCE; each received is parsed, and replaces the one in the people table where Newer says so. Who finds there a profile of its own person with a key that is
// not in its ring has another instance: both send each other their rings, as a direct message to themselves (a Ring's bytes fit in one), and Merge.
//
// Direct messages: SealDM where the text is entered, with the recipient's and the own key; the body may be written again in another log as it is. OpenDM at receipt and when read.
//
// Private rooms: the body depends on the message's place, so Log.Seal is called where the journal has fixed lid, seq, prev and hlc; what is written again in another log is sealed again. A log
// belongs to one epoch: when Accept reports a new current state the author mints a new nonce, and Room.Writer gives the new log's Log. At receipt, of a State: ParseState, Accept, then
// Unwrap of the wraps that name it; of a Sealed: Room.Reader once for each log, Log.Open, Room.Admit. ErrNoState and ErrNoKey mean later: the message is stored and passed on like any other, and
// read when the state or the key has come. No refusal here is a reason not to store: two stores that differ compare for ever. Refused is what would be shown.
// Stored are Room.States, for NewRoom, and the epoch keys, for AddKey.
//
// At HELLO: the groups of one's direct messages and rooms are listed beside Public; hub and witnesses replicate them as ciphertext, and need nothing from here.
//
// To invite: Next with the member added, the state and everyone's wraps into the room, an Invitation in a direct message. Who is invited says an Answer in the room, and likewise who leaves; who declines
// or leaves is removed by whoever owns the room then. History is shared by wrapping old keys.
//
// # What this does not give
//
// Who talks to whom, when, how much, and who is in which room, was invited or left is open to the hub and whoever replicates; in rooms the length of each message too. Signatures are proof to third parties
// (no deniability) and not safe from quantum computers. Forward secrecy is that of deleted keys: direct messages of the last 14 days are open to who takes the ring, of rooms what the epoch keys
// kept open. Who was removed keeps what it could read, and can still put messages that look older than its removal into an epoch that it was in: refused when they come live, but not
// told apart in fetched history. A hub can withhold states from someone who comes anew, but not make one; the invitation pins where its view begins.
package seal

import (
	"crypto/hpke"
	"errors"
	"time"

	"earshot/node/message"
)

// Limits.
const (
	KeyAge      = 24 * time.Hour      // from which a key is renewed, at a start
	KeyLife     = 14 * 24 * time.Hour // for which a key is kept after it was renewed
	EpochAge    = 7 * 24 * time.Hour  // from which a room gets a new epoch without any change
	MaxKeys     = 64                  // of a ring
	MaxMembers  = 250
	MaxHandOver = 16
	MaxWraps    = 40       // of one body
	MaxPadded   = 16 << 10 // bytes of a direct message's padded content

	// MaxSaid is the longest body of what is said in a private room, in bytes.
	MaxSaid = message.MaxBody - roomFixed
)

// The reasons why something is refused. They are wrapped.
var (
	ErrMalformed = errors.New("malformed")
	ErrSignature = errors.New("signature does not verify")
	ErrKey       = errors.New("unusable public key")
	ErrNoKey     = errors.New("the key is not held") // or not any more, or not yet
	ErrOpen      = errors.New("does not open")
)

// The one suite. Functions, because the package has no state.
func kem() hpke.KEM   { return hpke.MLKEM768X25519() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }

// Sizes of X-Wing (draft-connolly-cfrg-xwing-kem) and of an AES-GCM tag and nonce.
const (
	tLen      = 1152
	mlkemLen  = tLen + 32
	publicLen = mlkemLen + 32
	encLen    = 1088 + 32
	seedLen   = 32
	tagLen    = 16
	nonceLen  = 12
	roomFixed = 4 + nonceLen + 1 + tagLen // of a room message
)
