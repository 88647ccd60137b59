package journal

import (
	"errors"

	"earshot/node/identity"
	"earshot/node/message"
)

// A Place is where a message stands, before its body is known.
type Place struct {
	Key
	Prev   message.Hash
	Room   message.RoomID
	Author identity.PeerID
}

// A Vault knows which groups besides Public are this person's, and seals and opens what is said in them. Any goroutine calls it, with no lock of a journal's held but, in Seal, that of an Author;
// it must not use a journal before it returns, but may call Reopen. It takes up to some 200 µs a message.
type Vault interface {
	// Own reports whether this person takes part in g, in which author has a log.
	Own(g message.GroupID, author identity.PeerID) bool
	// Learn is told of each message of kind State in a group of one's own when it arrives, before anybody can see it, perhaps more than once, and not of what this process wrote. What could not be
	// opened before is opened with it only if Reopen is called, once for what is news. It must not change body, nor keep it.
	Learn(at Place, body []byte)
	// Open returns what a message of kind Sealed in a group of one's own says; live: it came by itself, and not as history. ok is false where it is not to be shown: it cannot be read, for
	// now (see Reopen) or for ever, or its author was not to say it. What is tried again is live if it came so first.
	Open(at Place, body []byte, live bool) (k message.Kind, plain []byte, ok bool)
	// Seal returns the body of a message of kind Sealed that says this, at that place in a log of this person's. It returns ErrRenew where it must stand in a log of its own.
	Seal(at Place, k message.Kind, plain []byte) (body []byte, err error)
}

// ErrRenew is returned by Vault.Seal: the log belongs to an epoch that is over.
var ErrRenew = errors.New("the log cannot go on")
