package node

import (
	"context"

	"earshot/node/message"
)

// Command is something a user wants done. It is one of the types below. A Room is called what Room.Name says: "#name", or "@nick" for a direct conversation; that of anyone begins by being named. A
// Person is a nick, with its tag (nick~7Q2K) where two people have it, or a whole fingerprint.
type Command interface {
	do(context.Context, *Node) error
}

// Say says Text in Room; Action is "/me".
type Say struct {
	Room   string
	Text   string
	Action bool
}

// Reply says Text as an answer to a message, Edit changes what an own message says, and Redact deletes one, with all its versions, from everyone's disk. React shows an emoji beside a
// message, or takes it back where this person shows it already. Targets are those of Message.Ref.
type Reply struct {
	To   message.Ref
	Text string
}
type Edit struct {
	Target message.Ref
	Text   string
}
type Redact struct{ Target message.Ref }
type React struct {
	Target message.Ref
	Emoji  string
}

// SetTopic says what a room is about.
type SetTopic struct{ Room, Text string }

// Resend says again, as new lines, what is known not to have been delivered (Delivered without copies).
type Resend struct{}

// Rename changes the nick, for ever.
type Rename struct{ Nick string }

// Join adds a public room to those this node shows, or accepts the invitation to a private one, or shows a direct conversation. Leave takes a public room away (the lobby stays), leaves a private one or declines
// the invitation to it, or does not show a conversation until something is said in it.
type Join struct{ Room string }
type Leave struct{ Room string }

// NewRoom makes a private room that this person owns and is alone in.
type NewRoom struct{ Name string }

// Invite, Remove and HandOver change the members, or the owner, of a private room: only its owner can. An invitation is an offer, which the other accepts or not; a room is handed to who has. With History those invited
// can read what was said before. CopyRoom makes a new room of one's own with the members of another.
type Invite struct {
	Room, Person string
	History      bool
}
type Remove struct{ Room, Person string }
type HandOver struct{ Room, Person string }
type CopyRoom struct{ Room, Name string }

// Seen says that the user has seen what had come to a room when a message came, that one included: it is not Unread any more, then or after a restart. Of a direct conversation the other is told so, where the user does not mind. It
// may be said as often as something is looked at.
type Seen struct {
	Room string
	Up   Key
}

// SetReceipts says whether the others are told at all, from now on and after a restart.
type SetReceipts struct{ On bool }

// SetAway tells the others that this person is away, and why, or back.
type SetAway struct {
	Away bool
	Why  string // at most MaxWhy bytes
}

// MaxWhy is how many bytes say why someone is away, at most.
const MaxWhy = 120

// Typing tells the others that this person is typing in Room. It may be said as often as something is typed: no more of it travels than others need.
type Typing struct{ Room string }

// Prefer has the profile remember what this person chose of a front end, for Preferred at a later start. An empty Value is forgotten.
type Prefer struct{ Name, Value string } // at most 64 bytes each

// SetTyping says whether the others are told at all, from now on and after a restart.
type SetTyping struct{ On bool }

// Mute keeps a room from asking for attention, or no longer.
type Mute struct {
	Room string
	On   bool
}

// Verify notes that the user has compared someone's fingerprint: Fingerprint is what that person read aloud, or what their QR code holds (Whois.Code). Unverify takes it back. Ignore hides what
// someone says and does, on this machine alone and whatever they call themselves; Unignore shows it again. A Person is a nick, with or without @ and a tag, a whole fingerprint, or the text
// of a QR code.
type (
	Verify   struct{ Person, Fingerprint string }
	Unverify struct{ Person string }
	Ignore   struct{ Person string }
	Unignore struct{ Person string }
)

// Rotate changes the key of a closed network: it goes to all who are known, to some, or to all but some, and nobody else gets in from then on. Without Sure it only says who that is. AcceptKey takes the key
// that somebody offers, DeclineKey does not. With a new key this node ends, and another goes on (Next).
type (
	Rotate struct {
		All          bool
		Only, Except []string // nicks, with a tag where two have it, or fingerprints
		Sure         bool
	}
	AcceptKey  struct{ From string } // a Person, where several offer one
	DeclineKey struct{}
)

// An Error is a command's failure in one plain sentence, with what can be tried.
type Error struct {
	Text, Hint string
	cause      error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.cause }
