// Package wire is what passes between two participants on an admitted link: frames, their limits, the control bodies, and the version.
//
// A frame is u32 length || u8 type || body, where length counts type and body, is at least 1 and at most MaxFrame; it is checked before
// memory is taken, and memory is taken only for what has arrived. Numbers of types are only ever added; a type not known is skipped.
// Control bodies are CBOR in canonical form (RFC 8949 §4.2.1), decoded strictly: what is understood is written in exactly one way, with
// every field that is not optional, at most four levels deep, within the limits below; unknown keys are skipped so that fields can be added.
// RUN, PULLED and BULK bodies are message runs, byte for byte as their author's node first sent them wherever that is possible; PING has no body.
//
// Order on a link: ADMIT both ways (package identity), then HELLO both ways, dialer first; then from the listener either REDIRECT and the end, or
// STATE; the dialer answers with its STATE (it must know the realm before it shows what it holds). After that frames come in any order. A dialer whose HELLO says
// that it only looks gets HELLO, VIEW and the end instead.
//
// Nothing here blocks but Reader.Next, on the connection; a Reader belongs to one goroutine.
package wire

import "errors"

// Version is the protocol spoken. Two participants talk when the versions are equal. 2 has runs with short records (message.Run.Append).
const Version = 2

// Limits. Counts are of entries in one frame.
const (
	MaxFrame     = 64 << 10
	MaxGroups    = 480 // of which a STATE has 48 KiB
	MaxDays      = 1024
	MaxHeads     = 512
	MaxWants     = 512
	MaxPeople    = 256 // entries of one PRESENCE frame
	MaxOrder     = 256
	MaxWitnesses = 3
	MaxAddress   = 8
	MaxInstances = 256 // of one VIEW
	MaxReachable = 64  // bytes of an address in a VIEW

	Parts     = 128 // of a day, in ASKHEADS
	PartBytes = 8

	MaxTags         = 4
	MaxProfile      = 2 << 10 // bytes
	MaxKnown        = 512
	MaxAddressBytes = 255 // of one address
	MaxTextBytes    = 255 // of what else is for people: software, a reason, why someone is away
)

// Type is the type of a frame.
type Type uint8

const (
	TypeAdmit    Type = 1
	TypeHello    Type = 2
	TypeState    Type = 3
	TypeRun      Type = 4 // live, in order of arrival at the sender
	TypePulled   Type = 5 // the answer to a WANT; to be relayed like a live one
	TypeBulk     Type = 6 // the answer to a WANT in a long catch-up; not relayed: others ask for it themselves
	TypeProof    Type = 7 // two runs of one log that differ at one number: {u32 length, run, run}
	TypeAskDays  Type = 8
	TypeDays     Type = 9
	TypeAskHeads Type = 10
	TypeHeads    Type = 11
	TypeWant     Type = 12
	TypeDone     Type = 13
	TypeBeat     Type = 14
	TypeHave     Type = 15
	TypeStable   Type = 16
	TypePing     Type = 17
	TypePresence Type = 18
	TypeOrder    Type = 19
	TypeRedirect Type = 20
	TypeBye      Type = 21
	TypeNote     Type = 22
	TypeView     Type = 23
	TypeTyping   Type = 24
)

// HeaderLen is the length of a frame's header.
const HeaderLen = 5

// ErrFrame is wrapped by what is wrong with a frame; the link cannot go on after it.
var ErrFrame = errors.New("malformed frame")
