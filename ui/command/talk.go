package command

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// msg says something in a conversation without going there.
func msg(spec Spec, args string, _ At) (Action, error) {
	who, text := split(args)
	switch {
	case who == "":
		return Action{}, usage(spec, "say what, to whom?")
	case text == "":
		return Action{}, usage(spec, "say what to "+who+"?")
	}
	return Action{Do: node.Say{Room: direct(who), Text: text}}, fits(text)
}

// query opens a conversation, with the first words if there are any.
func query(spec Spec, args string, _ At) (Action, error) {
	who, text := split(args)
	if text != "" {
		return Action{Do: node.Say{Room: direct(who), Text: text}, Show: direct(who)}, fits(text)
	}
	who, err := person(spec, args)
	return Action{Do: node.Join{Room: direct(who)}, Show: direct(who)}, err
}

// direct is what a conversation with someone is called before the node has named it.
func direct(who string) string { return "@" + strings.TrimPrefix(who, "@") }

// person is an argument that is one person: a nick, with its tag where two have it, or a fingerprint.
func person(spec Spec, args string) (string, error) {
	switch who := strings.TrimPrefix(args, "@"); {
	case who == "":
		return "", usage(spec, "who?")
	case strings.ContainsAny(who, " \n"):
		return "", usage(spec, "one at a time: a nick has no spaces")
	default:
		return who, nil
	}
}

// Known returns the room that is called name now, which may be one that Show named: a conversation by a nick in any letter case or by the fingerprint of the other.
func Known(s node.Snapshot, name string) (node.Room, bool) {
	if i := slices.IndexFunc(s.Rooms, func(r node.Room) bool { return r.Name == name }); i >= 0 {
		return s.Rooms[i], true
	}
	who, ok := strings.CutPrefix(name, "@")
	for _, r := range s.Rooms {
		if ok && r.Kind == node.DirectRoom && (message.NickKey(r.With.Nick) == message.NickKey(who) || strings.EqualFold(r.With.ID.Fingerprint(), who)) {
			return r, true
		}
	}
	return node.Room{}, false
}

// asked is the room that the first word of args names if that begins with #, otherwise the current one, and what follows.
func (at At) asked(args string) (room, rest string, err error) {
	word, rest := split(args)
	if !strings.HasPrefix(word, "#") {
		return at.Room, args, nil
	}
	room, err = at.roomName(word)
	return room, rest, err
}

// private is asked for what only private rooms have.
func (at At) private(args string) (room, rest string, err error) {
	if room, rest, err = at.asked(args); err != nil {
		return "", "", err
	}
	if r, ok := Known(at.Snapshot, room); ok && r.Kind == node.PrivateRoom {
		return room, rest, nil
	}
	return "", "", &node.Error{Text: room + " is no private room", Hint: "/room new NAME makes one; elsewhere, name it: #ROOM before what else follows"}
}

func invite(spec Spec, args string, at At) (Action, error) {
	words := strings.Fields(args)
	history := slices.Contains(words, withHistory)
	args = strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == withHistory }), " ")
	room, rest, err := at.private(args)
	if err != nil {
		return Action{}, err
	}
	who, err := person(spec, rest)
	line := "you invited " + who + " to " + room
	if history {
		line += ", and shared what was said there"
	}
	return Action{Do: node.Invite{Room: room, Person: who, History: history}, Lines: []string{line}}, err
}

const withHistory = "--with-history"

func expel(spec Spec, args string, at At) (Action, error) {
	room, rest, err := at.private(args)
	if err != nil {
		return Action{}, err
	}
	who, err := person(spec, rest)
	return Action{Do: node.Remove{Room: room, Person: who}, Lines: []string{"you took " + who + " out of " + room}}, err
}

func handOver(spec Spec, args string, at At) (Action, error) {
	room, rest, err := at.private(args)
	if err != nil {
		return Action{}, err
	}
	who, err := person(spec, rest)
	return Action{Do: node.HandOver{Room: room, Person: who}, Lines: []string{who + " is the owner of " + room + " now"}}, err
}

func newRoom(spec Spec, args string, at At) (Action, error) {
	name, err := named(spec, args, at)
	return Action{Do: node.NewRoom{Name: name}, Show: "#" + name, Lines: []string{"#" + name + " is private: only whom you invite can read it", "/invite PERSON invites someone"}}, err
}

// named is the name of a room that is to be made.
func named(spec Spec, args string, at At) (string, error) {
	if args == "" {
		return "", usage(spec, "what is it to be called?")
	}
	room, err := roomName(args)
	if r, ok := Known(at.Snapshot, room); err == nil && ok && (r.Kind == node.PrivateRoom || r.Joined) {
		return "", &node.Error{Text: room + " is there already", Hint: "call the new one something else"}
	}
	return strings.TrimPrefix(room, "#"), err
}

func copyRoom(spec Spec, args string, at At) (Action, error) {
	room, rest, err := at.private(args)
	if err != nil {
		return Action{}, err
	}
	name, err := named(spec, rest, at)
	return Action{Do: node.CopyRoom{Room: room, Name: name}, Show: "#" + name, Lines: []string{"#" + name + " is yours; the members of " + room + " are invited"}}, err
}

func members(_ Spec, args string, at At) (Action, error) {
	room, err := at.theRoom(args)
	if err != nil {
		return Action{}, err
	}
	switch r, ok := Known(at.Snapshot, room); {
	case !ok && args != "":
		return Action{}, noRoom(room)
	case r.Kind == node.PrivateRoom:
		return Action{Members: room}, nil
	}
	at.Room = room
	return Action{Lines: Names(at)}, nil
}

func noRoom(room string) error {
	return &node.Error{Text: "there is no room " + room + " here", Hint: "/rooms lists the rooms"}
}

// leave closes a room or a conversation.
func leave(_ Spec, args string, at At) (Action, error) {
	room, err := at.theRoom(args)
	if err != nil {
		return Action{}, err
	}
	if room == Lobby {
		return Action{}, &node.Error{Text: Lobby + " is the room everyone is in", Hint: "/quit leaves the chat"}
	}
	a := Action{Do: node.Leave{Room: room}}
	if room == at.Room {
		a.Show = Lobby
	}
	if r, ok := Known(at.Snapshot, room); ok && r.Kind == node.PrivateRoom {
		a.Lines = []string{"you left " + room + "; only an invitation leads back"}
	}
	return a, nil
}

// leaveRoom leaves a private room; /leave does too.
func leaveRoom(spec Spec, args string, at At) (Action, error) {
	room, _, err := at.private(args)
	if err != nil {
		return Action{}, err
	}
	return leave(spec, room, at)
}

// invitations are the rooms to which the user is invited.
func invitations(s node.Snapshot) (names []string) {
	for _, r := range s.Rooms {
		if Invitation(r) {
			names = append(names, r.Name)
		}
	}
	return names
}

// Invitation reports whether the user is invited to a room, and has not answered.
func Invitation(r node.Room) bool { return r.Kind == node.PrivateRoom && r.By != (node.Named{}) }

// answer accepts an invitation, or declines it: the one there is, or that to a room.
func answer(spec Spec, args string, at At) (Action, error) {
	open := invitations(at.Snapshot)
	room := ""
	switch {
	case args != "":
		var err error
		if room, err = at.roomName(args); err != nil {
			return Action{}, err
		}
		if !slices.Contains(open, room) {
			return Action{}, &node.Error{Text: "you are not invited to " + room, Hint: "/rooms lists the rooms"}
		}
	case len(open) == 0:
		return Action{}, &node.Error{Text: "nobody has invited you", Hint: "/rooms lists the rooms"}
	case len(open) > 1:
		return Action{}, &node.Error{Text: fmt.Sprintf("you are invited to %d rooms", len(open)), Hint: "name one: /" + spec.Name + " " + strings.Join(open, ", /"+spec.Name+" ")}
	default:
		room = open[0]
	}
	if spec.Name == "accept" {
		return Action{Do: node.Join{Room: room}, Show: room}, nil
	}
	return Action{Do: node.Leave{Room: room}, Lines: []string{"you declined the invitation to " + room}}, nil
}

// receipts chooses whether others are told what the user has read, or says whether they are.
func receipts(spec Spec, args string, at At) (Action, error) {
	const on, off = "in a conversation the other is told what you have read", "in a conversation the other is not told what you have read"
	return onOff(spec, args, at.Snapshot.Receipts, on, off, node.SetReceipts{On: true}, node.SetReceipts{})
}

// read says that the user has read what was said in a room or a conversation, for front ends that do not see whether.
func read(_ Spec, args string, at At) (Action, error) {
	room, err := at.theRoom(args)
	if err != nil {
		return Action{}, err
	}
	for _, m := range slices.Backward(at.Recent) {
		if m.Room == room && !m.Mine {
			return Action{Do: node.Seen{Room: room, Up: m.Key}}, nil
		}
	}
	return Action{}, &node.Error{Text: "nobody else has said anything in " + room + " that was shown", Hint: "/read #room or /read @nick names another"}
}

// MemberLines says who is in a private room.
func MemberLines(room string, list []node.Member) []string {
	rows := [][2]string{}
	for _, m := range list {
		rows = append(rows, [2]string{m.Nick, AboutMember(m)})
	}
	return append([]string{fmt.Sprintf("%s can read %s:", count(len(list), "member", "members"), room)}, columns(rows)...)
}

// AboutMember says in a few words what is special about a member.
func AboutMember(m node.Member) string {
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{{m.Me, "you"}, {m.Owner, "the owner"}, {m.Moderator && !m.Owner, "a moderator"}, {!m.Here && !m.Me, "not here"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

// AboutRoom says in a few words who can read a room: nothing of a public one.
func AboutRoom(r node.Room) []string {
	switch {
	case Invitation(r):
		return []string{"private", r.By.Nick + " invites you"}
	case r.Kind == node.PrivateRoom && r.Out:
		return []string{"private", "you are no longer a member"}
	case r.Kind == node.PrivateRoom:
		return []string{"private", count(r.Members, "member", "members")}
	case r.Kind == node.DirectRoom:
		return []string{"direct", "end-to-end encrypted"}
	}
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// InvitedLine, AnsweredLine, MembersLine and ReadLine say what happened.
func InvitedLine(e node.Invited) string {
	return fmt.Sprintf("%s invites you to the private room %s: /accept %s or /decline %s", e.By.Nick, e.Room, e.Room, e.Room)
}

func AnsweredLine(e node.Answered) string {
	switch {
	case e.Yes:
		return e.By.Nick + " accepted the invitation"
	case e.Left:
		return e.By.Nick + " left the room"
	case e.Declined:
		return e.By.Nick + " declined the invitation"
	}
	return e.By.Nick + " declined, or left"
}

func MembersLine(e node.Members) string {
	var parts []string
	add := func(who []node.Named, one, many string) {
		switch len(who) {
		case 0:
		case 1:
			parts = append(parts, who[0].Nick+" "+one)
		default:
			parts = append(parts, people(who)+" "+many)
		}
	}
	add(e.Added, "was invited", "were invited")
	add(e.Taken, "is no longer a member", "are no longer members")
	if e.Owner.Nick != "" {
		parts = append(parts, e.Owner.Nick+" is the owner now")
	}
	if e.Out {
		parts = append(parts, "you are no longer a member: what was said until now stays with you")
	}
	return strings.Join(parts, ", ")
}

// people names the first few.
func people(who []node.Named) string {
	const most = 5
	var names []string
	for _, p := range who[:min(len(who), most)] {
		names = append(names, p.Nick)
	}
	if more := len(who) - most; more > 0 {
		return strings.Join(names, ", ") + fmt.Sprintf(" and %d others", more)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func ReadLine(e node.Read) string {
	return fmt.Sprintf("%s has read what you said until %s", e.By.Nick, time.UnixMilli(int64(e.Up.HLC>>16)).Local().Format("15:04"))
}
