package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// What a person does with direct conversations and private rooms. The vault says what follows from it, and speak writes it.

func (c NewRoom) do(ctx context.Context, n *Node) error {
	name, err := message.CleanRoom(c.Name)
	if err != nil {
		return err
	}
	if r, err := n.room("#" + name); err == nil && !r.past && (!r.public() || n.knownRoom(name)) {
		return &Error{Text: "there is a room called #" + name + " already", Hint: "choose another name"}
	}
	if err := n.full(); err != nil {
		return err
	}
	now, _ := n.gather.clock.Now()
	_, out, err := n.vault.Found(name, now)
	if err != nil {
		return err
	}
	defer n.watch.wake()
	return n.speak(ctx, out)
}

// knownRoom reports whether a public room is joined, or something was said in it.
func (n *Node) knownRoom(name string) bool {
	return slices.ContainsFunc(n.rooms(), func(r Room) bool { return r.Kind == PublicRoom && r.Name == "#"+name })
}

// change makes a change of a private room, of which this person must be the owner.
func (n *Node) change(ctx context.Context, r vault.Room, c seal.Change, history bool) error {
	if r.Owner != n.who.ID() {
		return &Error{Text: fmt.Sprintf("only %s, who owns %s, can do this", n.named(r.Owner).Nick, n.called(r.ID)), Hint: "/room copy NAME makes a room of yours with the same members"}
	}
	if err := n.full(); err != nil {
		return err
	}
	now, _ := n.gather.clock.Now()
	out, left, err := n.vault.Change(r.ID, c, history, now, n.keys)
	if err != nil {
		return err
	}
	defer n.watch.wake()
	if len(left) > 0 {
		n.notice(fmt.Sprintf("%s cannot read %s until they are here again", n.names(left), n.called(r.ID)), "")
	}
	return n.speak(ctx, out)
}

// full says that nothing can be said now because nothing can be kept, or nil.
func (n *Node) full() error {
	at, _ := n.gather.now()
	return at.full()
}

// names lists people in words.
func (n *Node) names(ids []identity.PeerID) string {
	var list []string
	for _, id := range ids {
		list = append(list, n.named(id).Nick)
	}
	return strings.Join(list, ", ")
}

// member returns a room and a person who is in it.
func (n *Node) member(name, person string) (r vault.Room, who identity.PeerID, err error) {
	if r, err = n.private(name); err != nil {
		return r, who, err
	}
	if who, err = n.person(person); err != nil { // it may be someone who is known as a member only
		for _, id := range r.Members {
			if strings.EqualFold(n.named(id).Nick, strings.TrimPrefix(person, "@")) {
				return r, id, nil
			}
		}
		return r, who, err
	}
	if slices.Contains(r.Members, who) {
		return r, who, nil
	}
	return r, who, &Error{Text: n.named(who).Nick + " is not in " + n.called(r.ID), Hint: "/room members lists who is"}
}

func (c Invite) do(ctx context.Context, n *Node) error {
	r, err := n.private(c.Room)
	if err != nil {
		return err
	}
	who, err := n.person(c.Person)
	if err != nil {
		return err
	}
	if slices.Contains(r.Members, who) {
		return &Error{Text: n.named(who).Nick + " is in " + n.called(r.ID) + " already, or was invited"}
	}
	if n.keys(who) == nil {
		return &Error{Text: fmt.Sprintf("%s was never here while you were: there is no key to seal an invitation with", n.named(who).Nick), Hint: "wait until you are both here once"}
	}
	return n.change(ctx, r, seal.Change{Add: []identity.PeerID{who}}, c.History)
}

func (c Remove) do(ctx context.Context, n *Node) error {
	r, who, err := n.member(c.Room, c.Person)
	if err != nil {
		return err
	}
	if who == n.who.ID() {
		return &Error{Text: "you cannot remove yourself", Hint: "/room leave"}
	}
	return n.change(ctx, r, seal.Change{Remove: []identity.PeerID{who}}, false)
}

func (c HandOver) do(ctx context.Context, n *Node) error {
	r, who, err := n.member(c.Room, c.Person)
	if err != nil {
		return err
	}
	err = n.change(ctx, r, seal.Change{Owner: &who}, false)
	if errors.Is(err, vault.ErrUnanswered) {
		nick := n.named(who).Nick
		return &Error{Text: fmt.Sprintf("%s has not accepted the invitation to %s yet", nick, n.called(r.ID)), Hint: "hand it over when " + nick + " has: if they decline, nobody could change the room any more", cause: err}
	}
	return err
}

func (c CopyRoom) do(ctx context.Context, n *Node) error {
	r, err := n.room(c.Room)
	if err != nil {
		return err
	}
	old, _, past := n.gather.pastRoom(r.id)
	if !past {
		if old, err = n.private(c.Room); err != nil {
			return err
		}
	}
	if err := (NewRoom{c.Name}).do(ctx, n); err != nil {
		return err
	}
	made, err := n.private("#" + strings.TrimPrefix(c.Name, "#"))
	if err != nil {
		return err
	}
	var change seal.Change
	var unknown []identity.PeerID
	for _, id := range old.Members {
		switch {
		case id == n.who.ID():
		case n.keys(id) == nil:
			unknown = append(unknown, id)
		default:
			change.Add = append(change.Add, id)
		}
	}
	if len(unknown) > 0 {
		n.notice(fmt.Sprintf("%s could not be invited: their keys are not known", n.names(unknown)), "/invite them when they are here")
	}
	if change.Empty() {
		return nil
	}
	return n.change(ctx, made, change, false)
}

// answer accepts an invitation, declines it, or leaves a room.
func (n *Node) answer(ctx context.Context, r vault.Room, yes bool) error {
	if !yes && r.Status == vault.Joined && r.Owner == n.who.ID() && len(r.Members) > 1 {
		return &Error{Text: "you own " + n.called(r.ID) + ": hand it over before you leave it", Hint: "/room hand-over PERSON"}
	}
	if err := n.full(); err != nil { // before it is done here, and cannot be said
		return err
	}
	now, _ := n.gather.clock.Now()
	out, err := n.vault.Answer(r.ID, yes, now)
	if err != nil {
		return err
	}
	n.joins.Add(1)
	defer n.watch.wake()
	return n.speak(ctx, out)
}

// Members returns who is in a private room, the owner first.
func (n *Node) Members(name string) ([]Member, error) {
	r, err := n.private(name)
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, id := range r.Members {
		_, here := n.people.nick(id)
		m := Member{Named: n.named(id), Owner: id == r.Owner, Moderator: slices.Contains(r.Moderators, id), Me: id == n.who.ID(), Here: here}
		if m.Owner {
			out = append([]Member{m}, out...)
			continue
		}
		out = append(out, m)
	}
	return out, nil
}
