package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// drawPeers draws the column of who is here.
func (a *app) drawPeers(r rect) {
	x, w := r.x+1, r.w-2
	a.put(x, r.y, w, piece{"PEERS ", a.look.Title}, piece{fmt.Sprint(command.Here(a.snapshot)) + command.Hidden(a.snapshot), a.look.Dim})
	people := a.snapshot.People
	for i, p := range people {
		y := r.y + 1 + i
		if r.more(i, len(people)) {
			a.put(x, y, w, piece{fmt.Sprintf("%s and %d more (/who)", a.look.More, len(people)-i), a.look.Dim})
			return
		}
		a.drawPerson(x, y, w, p)
	}
}

// drawPerson draws one row: what they are, their nick, and at the right what is worth knowing.
func (a *app) drawPerson(x, y, w int, p node.Person) {
	sign, style := a.look.Here, a.look.Good
	switch {
	case p.Hub:
		sign, style = a.look.Hub, a.look.Crown
	case p.Server:
		sign, style = a.look.Server, a.look.Dim
	case p.Away:
		sign, style = a.look.Away, a.look.Dim
	}
	if p.Warning != "" { // another's nick
		sign, style = a.look.Alert, a.look.Bad
	}
	you := ""
	switch {
	case p.Me:
		you = " (you)"
	case p.Verified:
		you = " " + a.look.Verified
	}
	note := noteOn(p, w-2-cell.Width(cell.Line(p.Nick)+you)-1)
	nick := cell.Fit(cell.Line(p.Nick), w-2-cell.Width(you)-cell.Width(note)-1, a.look.More)
	used := a.put(x, y, w, piece{sign + " ", style}, piece{nick, a.nickStyle(p)}, piece{you, a.youStyle(p)})
	if room := w - used - 1; cell.Width(note) <= room {
		cell.Put(a.screen, x+w-cell.Width(note), y, room, note, a.look.Dim)
	}
}

// noteOn is what is worth knowing of someone: how far they are, and that they are away or no person. Of the hub it is both if there is room, or how far, for its sign says the rest.
func noteOn(p node.Person, room int) string {
	word, far := "", ""
	switch {
	case p.Server:
		word = "server"
	case p.Away:
		word = "away"
	}
	if p.Latency > 0 {
		far = command.Latency(p.Latency)
	}
	both := word + " " + far
	switch {
	case word == "":
		return far
	case far == "" || !p.Hub:
		return word
	case cell.Width(both) <= room:
		return both
	}
	return far
}

// youStyle is that of what stands behind a nick: "(you)", or the sign of who is verified.
func (a *app) youStyle(p node.Person) tcell.Style {
	if p.Verified {
		return a.look.Good
	}
	return a.look.Dim
}

func (a *app) nickStyle(p node.Person) tcell.Style {
	if p.Away || p.Server {
		return a.look.Dim
	}
	return a.look.Author(p.ID)
}

// roomRows says which room each row of the column is of: an invitation has two.
func (a *app) roomRows() (rows []int) {
	for i, r := range a.rooms {
		if rows = append(rows, i); r.invited() {
			rows = append(rows, i)
		}
	}
	return rows
}

// drawRooms draws the column of rooms.
func (a *app) drawRooms(r rect) {
	a.put(r.x+1, r.y, r.w-1, piece{"ROOMS", a.look.Title})
	rows := a.roomRows()
	for row, i := range rows {
		y := r.y + 1 + row
		switch {
		case r.more(row, len(rows)):
			more := piece{fmt.Sprintf("%s and %d more", a.look.More, len(a.rooms)-i), a.look.Dim}
			if slices.ContainsFunc(a.rooms[i:], func(r *room) bool { return r.news > 0 || r.invited() }) {
				more = piece{a.look.Alert + " " + more.text, a.look.Warn}
			}
			a.put(r.x+1, y, r.w-1, more)
			return
		case row > 0 && rows[row-1] == i:
			a.put(r.x+1, y, r.w-1, piece{a.answers(), a.look.Dim})
		case i == a.current:
			a.drawRoom(r.x, y, r.w-1, a.look.Current, a.rooms[i])
		default:
			a.drawRoom(r.x, y, r.w-1, " ", a.rooms[i])
		}
	}
}

// answers are what an invitation waits for.
func (a *app) answers() string { return "accept " + a.look.Dot + " decline" }

// drawRoom draws one row: a sign, what the room is called, and at the right that it is private, and how much news there is.
func (a *app) drawRoom(x, y, w int, sign string, r *room) {
	style := a.look.Text
	if r == a.here() {
		style = a.look.Strong
	}
	var notes []string
	note := a.look.Dim
	if r.info.Kind == node.PrivateRoom {
		notes = append(notes, a.look.Private)
	}
	switch {
	case r.invited():
		style, note = a.look.Warn, a.look.Warn
		if w > roomsWidth {
			notes = append(notes, a.answers())
		}
	case r.news == 0 && r.muted:
		notes = append(notes, "muted")
	case r.news > 0:
		style, note = a.look.Warn, a.look.Warn
		news := fmt.Sprint(r.news)
		if r.info.Kind == node.DirectRoom {
			news = a.look.Here + news
		} else if r.named {
			news = a.look.Mentioned + news
		}
		notes = append(notes, news)
	}
	right := strings.Join(notes, " ")
	name := cell.Fit(cell.Line(r.name), w-3-cell.Width(right), a.look.More)
	a.put(x+1, y, w-1, piece{sign, a.look.Strong}, piece{name, style})
	cell.Put(a.screen, x+w-cell.Width(right), y, w, right, note)
}
