package node

import (
	"cmp"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// A room is what a name in a command means, and where a line was said.
type room struct {
	id   message.RoomID
	name string          // of a public room, without #; empty: it is sealed
	with identity.PeerID // of a direct conversation
	past bool            // a private room of the network by an earlier key
}

func (r *room) group() message.GroupID {
	if r.name != "" {
		return message.Public
	}
	return message.GroupID(r.id)
}

func (r *room) public() bool { return r.name != "" }
func (r *room) direct() bool { return r.with != identity.PeerID{} }

// public returns the public room called name, clean, without #.
func public(name string) room { return room{id: message.Room(name), name: name} }

// sealed returns the conversation or private room with that id.
func (n *Node) sealed(id message.RoomID) room {
	t, _ := n.vault.Talk(id)
	return room{id: id, with: t.With}
}

// room returns what a name means: that of a private room or of an open conversation is known here, any other is a public room or a person. It takes no part in what it finds.
func (n *Node) room(name string) (room, error) {
	if nick, direct := strings.CutPrefix(name, "@"); direct {
		for _, t := range n.vault.Talks() {
			if n.called(t.Room) == name {
				return room{id: t.Room, with: t.With}, nil
			}
		}
		who, err := n.person(nick)
		if err == nil && who == n.who.ID() {
			err = &Error{Text: "that is you", Hint: "name somebody else"}
		}
		return room{id: seal.Direct(n.network.ID(), n.who.ID(), who), with: who}, err
	}
	asked := "#" + strings.TrimPrefix(name, "#")
	for _, r := range n.vault.Rooms() {
		if strings.EqualFold(n.called(r.ID), asked) && !n.hides(&r) {
			return room{id: r.ID}, nil
		}
	}
	for _, r := range n.gather.pastRooms() {
		if strings.EqualFold(n.called(r.ID), asked) {
			return room{id: r.ID, past: true}, nil
		}
	}
	name, err := message.CleanRoom(name)
	return public(name), err
}

// hides reports whether a private room is not shown: somebody who is ignored invited to it.
func (n *Node) hides(r *vault.Room) bool {
	return r.Status == vault.Asked && n.people.known.ignores(r.By)
}

// private returns the private room that a name means.
func (n *Node) private(name string) (vault.Room, error) {
	r, err := n.room(name)
	if err != nil {
		return vault.Room{}, err
	}
	shown, ok := n.vault.Room(r.id)
	if r.past {
		return shown, n.overWith(name)
	}
	if !ok {
		err = &Error{Text: name + " is not a private room that you are in", Hint: "/room new NAME makes one"}
	}
	return shown, err
}

// overWith says why nothing can be done in a room of the network by an earlier key.
func (n *Node) overWith(name string) error {
	return &Error{Text: name + " is from before the network had this key: you can only read what was said", Hint: "/room copy makes it again, with the same members: they are asked"}
}

// called returns what a sealed room is called; empty: this person has no part in it.
func (n *Node) called(id message.RoomID) string {
	v, taken := n.vault, n.profile.rooms()
	if _, was, past := n.gather.pastRoom(id); past {
		v, taken = was, slices.Clone(taken)
		for _, r := range n.vault.Rooms() {
			if name, err := message.CleanRoom(r.Name); err == nil {
				taken = append(taken, name)
			}
		}
	}
	return called(v, n.gather.roomNow(id), taken, func(who identity.PeerID, says string) string {
		if nick, here := n.people.nick(who); here {
			return nick
		}
		return n.people.name(who, cmp.Or(n.people.known.nickOf(who), says))
	})
}

// called is the same for whoever has a vault: joined are public rooms, and name returns how a person is shown who calls itself so.
func called(v *vault.Vault, id message.RoomID, joined []string, name func(identity.PeerID, string) string) string {
	if t, ok := v.Talk(id); ok {
		return "@" + name(t.With, t.Nick)
	}
	raw, first, ok := v.Name(id)
	if !ok {
		return ""
	}
	clean, err := message.CleanRoom(raw)
	if err != nil {
		clean = "room"
	}
	if !first || slices.Contains(joined, clean) {
		clean += "~" + base32.StdEncoding.EncodeToString(id[:])[:4]
	}
	return "#" + clean
}

// named returns a person as shown.
func (n *Node) named(id identity.PeerID) Named {
	if nick, here := n.people.nick(id); here {
		return Named{nick, id}
	}
	nick := n.people.known.nickOf(id)
	if t, ok := n.vault.Talk(seal.Direct(n.network.ID(), n.who.ID(), id)); ok {
		nick = cmp.Or(nick, t.Nick)
	}
	if nick == "" { // only then: it is read from the disk, and its signature checked
		if p, err := n.Profile(id); err == nil && p != nil {
			nick = p.Nick
		}
	}
	return Named{n.people.name(id, nick), id}
}

// ready prepares a room for what is about to be said in it, or says why that cannot be.
func (n *Node) ready(r room) error {
	if r.public() {
		return nil
	}
	if r.direct() {
		p, err := n.Profile(r.with)
		if err != nil {
			return err
		}
		if p == nil {
			return &Error{Text: fmt.Sprintf("%s was never here while you were: there is no key to seal a message with", n.named(r.with).Nick), Hint: "wait until you are both here once"}
		}
		if _, err = n.vault.Begin(r.with, nil, true); err == nil {
			n.vault.Meet(p)
		}
		return err
	}
	if r.past {
		return n.overWith(n.called(r.id))
	}
	shown, ok := n.vault.Room(r.id)
	switch {
	case !ok:
		return vault.ErrNobody
	case shown.Status == vault.Asked:
		return &Error{Text: "you have not accepted the invitation to " + n.called(r.id), Hint: "/accept " + n.called(r.id)}
	case shown.Status == vault.Out:
		return &Error{Text: "you are not in " + n.called(r.id) + " any more: you can only read what was said"}
	case shown.Waits:
		return &Error{Text: "the key to " + n.called(r.id) + " has not come yet: nothing can be said there", Hint: "it comes when a member is here who has it"}
	}
	return nil
}

// keys is vault.Keys.
func (n *Node) keys(id identity.PeerID) *seal.PublicKey {
	p, err := n.Profile(id)
	if err != nil || p == nil {
		return nil
	}
	return &p.Key
}

// joinedSince reports whether a line was said in a private room before this person joined it.
func (n *Node) joinedSince(l *journal.Line) bool {
	if !l.Sealed {
		return false
	}
	_, since, ok := n.vault.Standing(l.Room)
	return ok && l.HLC < since
}
