package ui

import (
	"fmt"
	"time"

	"earshot/node"
	"earshot/ui/cell"
	"earshot/ui/command"
)

// typedEvery is how often the node is told that the user types.
const typedEvery = 3 * time.Second

// active notes that the user is there: who was away because nothing was pressed is back.
func (a *app) active() {
	a.touched = a.now()
	if a.idled {
		a.idled = false
		a.tellNode(node.SetAway{})
	}
}

// idle looks whether the user is still there. Who is away by their own word stays so.
func (a *app) idle() {
	if !a.idled && !a.snapshot.Me.Away && a.now().Sub(a.touched) >= command.IdleAfter {
		a.idled = true
		a.tellNode(node.SetAway{Away: true})
	}
}

// typing tells the others that something is being typed. Commands are nobody's business.
func (a *app) typing(before string) {
	text := a.input.GetText()
	if a.here().info.Kind != node.PublicRoom { // nobody could be told but the hub
		return
	}
	if text == before || text == "" || command.IsCommand(text) || a.snapshot.Silent || len(a.outbox)+len(a.aside) > 0 {
		return
	}
	if now := a.now(); now.Sub(a.typedAt) >= typedEvery {
		a.typedAt = now
		a.tellNode(node.Typing{Room: a.here().name})
	}
}

// tellNode hands the node what the user need not hear of, when nothing that the user waits for is on its way.
func (a *app) tellNode(c node.Command) {
	a.aside = append(a.aside, job{c, func(err error) {
		if err != nil {
			a.log.Debug("tell the node", "command", fmt.Sprintf("%T", c), "err", err)
		}
	}})
}

// typists says who is typing in the room that is shown.
func (a *app) typists() string {
	var who []string
	for _, t := range a.snapshot.Typing {
		if t.Room == a.here().name {
			who = append(who, cell.Line(t.Nick))
		}
	}
	switch len(who) {
	case 0:
		return ""
	case 1:
		return who[0] + " is typing"
	case 2:
		return who[0] + " and " + who[1] + " are typing"
	}
	return fmt.Sprintf("%d people are typing", len(who))
}
