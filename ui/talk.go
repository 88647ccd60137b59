package ui

import (
	"strings"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// talk takes in what happened with private rooms and conversations.
func (a *app) talk(e node.Event) {
	a.refresh() // it may be of a room that was made just now, or is called something else
	switch e := e.(type) {
	case node.RoomRenamed:
		if r := a.withID(e.ID); r != nil && !strings.HasPrefix(e.New, "@") { // of a person Renamed tells
			r.list.Event(a.now(), cell.Line(e.Old)+" is called "+cell.Line(e.New)+" now")
		}
	case node.Invited:
		a.here().list.Event(a.now(), cell.Line(command.InvitedLine(e)))
		a.ring(cell.Line(e.By.Nick), "invites you to "+e.Room, true)
	case node.Members:
		a.happened(e.Room, command.MembersLine(e))
	case node.Answered:
		a.happened(e.Room, command.AnsweredLine(e))
	case node.Read:
		if i := a.called(e.Room); i >= 0 {
			a.rooms[i].list.ReadTo(e.Up)
		}
	}
}

// happened says in a room that is shown what happened there; in one that was closed it is nobody's business any more.
func (a *app) happened(room, words string) {
	if i := a.called(room); i >= 0 {
		a.rooms[i].list.Event(a.now(), cell.Line(words))
	}
}

// tellSeen tells the node what the user has before their eyes: all that was told of the room that is shown, while its newest line is in view, the terminal has the focus and somebody is there.
func (a *app) tellSeen() {
	r := a.here()
	if a.away || a.idled || a.overlay != nil || !r.list.Following() || r.last == r.told || r.last == (node.Key{}) {
		return
	}
	if n := len(a.aside); n > 0 {
		if s, ok := a.aside[n-1].command.(node.Seen); ok && s.Room == r.name { // the node is slower than what is said
			a.aside = a.aside[:n-1]
		}
	}
	r.told = r.last
	a.tellNode(node.Seen{Room: r.name, Up: r.last})
}

// other is the other of a conversation, where they are here.
func (a *app) other(info node.Room) (node.Person, bool) {
	for _, p := range a.snapshot.People {
		if info.Kind == node.DirectRoom && p.ID == info.With.ID {
			return p, true
		}
	}
	return node.Person{}, false
}

// openInvitation asks whether the user accepts an invitation.
func (a *app) openInvitation(r *room) {
	row := func(words, command string) pick {
		return pick{
			func(x, y, w int) { cell.Put(a.screen, x+1, y, w-1, cell.Fit(words, w-1, a.look.More), a.look.Text) },
			func() { a.submit(command + r.name) },
		}
	}
	a.open(&picker{app: a, title: cell.Fit(cell.Line(r.info.By.Nick+" invites you to "+r.name), 44, a.look.More), width: 50, picks: func(string) []pick {
		return []pick{row("accept: read and write there", "/accept "), row("decline", "/decline ")}
	}})
}

// openMembers lays over the screen who can read a private room.
func (a *app) openMembers(room string) {
	if _, err := a.node.Members(room); err != nil {
		a.fail(err)
		return
	}
	a.open(&picker{app: a, title: cell.Fit("who can read "+cell.Line(room), 44, a.look.More), width: 50, picks: func(string) []pick {
		list, _ := a.node.Members(room)
		var picks []pick
		for _, m := range list {
			picks = append(picks, pick{
				func(x, y, w int) { a.drawMember(x, y, w, m) },
				func() {
					if !m.Me {
						a.submit("/query " + m.Nick)
					}
				},
			})
		}
		return picks
	}})
}

// drawMember draws one row: whether they are here, their nick, and at the right what they are in the room.
func (a *app) drawMember(x, y, w int, m node.Member) {
	sign, style := a.look.Here, a.look.Good
	if !m.Here && !m.Me {
		sign, style = " ", a.look.Dim
	}
	note := command.AboutMember(m)
	nick := cell.Fit(cell.Line(m.Nick), w-3-cell.Width(note), a.look.More)
	a.put(x, y, w, piece{sign + " ", style}, piece{nick, a.look.Author(m.ID)})
	cell.Put(a.screen, x+w-cell.Width(note), y, w, note, a.look.Dim)
}
