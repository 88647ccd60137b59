package ui

import (
	"fmt"
	"strings"
	"time"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// drawHeader names the room, how many are here, and where else something was said. compact is for a narrow screen, which has no status line:
// it says here how things stand.
func (a *app) drawHeader(r rect, roomsShown, compact bool) {
	name := cell.Fit(cell.Line(a.here().name), r.w/2, a.look.More)
	info, here := a.here().info, fmt.Sprintf(" %s %d here", a.look.Dot, command.Here(a.snapshot))
	if about := command.AboutRoom(info); about != nil {
		if p, ok := a.other(info); ok && p.Verified {
			about = append(about, "verified")
		}
		here = cell.Line(strings.Join(append([]string{""}, about...), " "+a.look.Dot+" "))
	}
	news, where, named := a.others()
	alert := piece{style: a.look.Warn}
	if news > 0 && !roomsShown {
		sign := a.look.Alert
		if named {
			sign = a.look.Mentioned
		}
		alert.text = fmt.Sprintf("%s %d unread in %s", sign, news, where)
	}
	invitation, invited := a.invitation()
	if invited > 0 && news == 0 && !roomsShown {
		alert.text = a.look.Alert + " " + cell.Line(invitation.info.By.Nick) + " invites you to " + cell.Line(invitation.name)
	}
	if compact {
		switch info.Kind {
		case node.PublicRoom:
			here = fmt.Sprintf(" %d", command.Here(a.snapshot))
		case node.PrivateRoom:
			here = fmt.Sprintf(" %s%d", a.look.Private, info.Members)
		case node.DirectRoom:
			here = " " + a.look.Private
		}
		if news += invited; news > 0 {
			here += fmt.Sprintf(" %s%d", a.look.Alert, news)
		}
		alert = a.standing(true)
	}
	x := r.x
	if !compact {
		x++
	}
	x += a.put(x, r.y, r.w, piece{name, a.look.Title}, piece{here, a.look.Dim})
	alert.text = cell.Fit(alert.text, r.x+r.w-x-2, a.look.More)
	if topic := a.topic(); topic != "" && !compact {
		room := r.x + r.w - x - cell.Width(alert.text) - 5
		a.put(x, r.y, max(room+3, 0), piece{cell.Fit(" "+a.look.Dot+" "+topic, max(room+3, 0), a.look.More), a.look.Dim})
	}
	cell.Put(a.screen, r.x+r.w-cell.Width(alert.text)-1, r.y, r.w, alert.text, alert.style)
}

// topic is what the room is about.
func (a *app) topic() string {
	for _, r := range a.snapshot.Rooms {
		if r.Name == a.here().name {
			return cell.Line(r.Topic.Text)
		}
	}
	return ""
}

// drawStatus says how things stand.
func (a *app) drawStatus(r rect) {
	if r.w == 0 {
		return
	}
	const help, most = "F1 help ", 24
	s := a.snapshot
	bar := piece{" " + a.look.Bar + " ", a.look.Border}
	open := piece{"open", a.look.Dim}
	if s.Closed {
		open = piece{"closed", a.look.Good}
	}
	head, standing := piece{" earshot " + a.look.Dot + " ", a.look.Dim}, a.standing(false)
	room := r.w - cell.Width(help)
	fixed := cell.Width(head.text+open.text+standing.text+a.look.Hub) + 1 + 3*cell.Width(bar.text) + 1
	name := func(n string) piece { // how things stand is never cut off for the length of a name
		return piece{cell.Fit(cell.Line(n), min(most, max((room-fixed)/2, 4)), a.look.More), a.look.Text}
	}
	line := []piece{head, name(s.Network), bar}
	if s.Hub.State == node.Linked && s.Hub.Hub != "" {
		line = append(line, piece{a.look.Hub + " ", a.look.Crown}, name(s.Hub.Hub), bar)
	}
	line = append(line, open, bar, standing)
	a.put(r.x, r.y, room-1, line...)
	cell.Put(a.screen, r.x+room, r.y, len(help), help, a.look.Dim)
}

// standing says in a few words where this node stands, or what the user should see for a moment.
func (a *app) standing(compact bool) piece {
	s, now := a.snapshot, a.now()
	switch {
	case now.Before(a.quitUntil):
		return piece{"press Ctrl-C again to quit", a.look.Warn}
	case now.Before(a.flashUntil):
		return piece{a.flash, a.look.Crown}
	case s.Hub.State == node.Serving && compact:
		return piece{a.look.Hub + "you", a.look.Crown}
	case s.Hub.State == node.Serving:
		return piece{a.look.Hub + " you are the hub", a.look.Crown}
	case s.Hub.State == node.Linked && compact:
		return piece{a.look.Connected + " " + a.look.Hub + cell.Line(s.Hub.Hub), a.look.Good}
	case s.Hub.State == node.Linked:
		return piece{a.look.Connected + " connected", a.look.Good}
	case s.Hub.State == node.Lost && compact:
		return piece{a.look.Alert + " hub lost", a.look.Warn}
	case s.Hub.State == node.Lost:
		return piece{a.look.Alert + " " + cell.Line(command.Standing(s)), a.look.Warn}
	case !s.Address.IsValid():
		return piece{a.look.Alert + " no network: waiting for one", a.look.Warn}
	default:
		return piece{a.look.Searching + " looking for people" + a.look.More, a.look.Warn}
	}
}

// tell shows text in the status line for a while.
func (a *app) tell(text string, d time.Duration) { a.flash, a.flashUntil = text, a.now().Add(d) }
