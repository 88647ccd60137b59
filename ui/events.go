package ui

import (
	"errors"
	"slices"
	"strings"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/command"
	"earshot/ui/transcript"
)

// apply takes in what happened. It reports whether the user is waiting for it.
func (a *app) apply(e node.Event) bool {
	switch e.(type) {
	case node.Ready, node.Said:
	default:
		_, another := e.(node.RealmChanged)
		a.stored = !another
	}
	switch e := e.(type) {
	case node.Ready:
		a.stale = true
	case node.Said:
		return a.said(e)
	case node.Delivered:
		for _, r := range a.rooms {
			if r.list.Deliver(e) {
				break
			}
		}
	case node.Edited:
		a.roomOf(e.RoomID, e.Room).list.Change(e.Message, a.snapshot.Me.Nick, true)
	case node.Redacted:
		a.roomOf(e.RoomID, e.Room).list.Change(e.Message, a.snapshot.Me.Nick, true)
	case node.Reacted:
		a.roomOf(e.RoomID, e.Room).list.Change(e.Message, a.snapshot.Me.Nick, false)
		return e.ByID == a.snapshot.Me.ID
	case node.TopicChanged, node.TypingChanged:
		a.stale = true
	case node.Withdrawn:
		a.roomOf(e.RoomID, e.Room).list.Withdraw(e.ID)
	case node.RoomRenamed, node.Invited, node.Members, node.Answered, node.Read:
		a.talk(e)
	case node.HubChanged:
		a.hub(e)
	case node.PeerChanged:
		a.peer(e)
	case node.Renamed:
		a.stale = true
		if e.ID == a.snapshot.Me.ID {
			a.here().list.Event(a.now(), "you are now "+cell.Line(e.New))
			return true
		}
		a.room(command.Lobby).list.Event(a.now(), cell.Line(e.Old)+" is now "+cell.Line(e.New))
	case node.CaughtUp:
		a.caughtUp = true
		a.arrive()
	case node.RealmChanged:
		for _, r := range a.rooms {
			r.list.Move()
			r.news, r.named, r.last = 0, false, node.Key{}
		}
		a.caughtUp = false
		if a.welcomed {
			a.here().list.Event(a.now(), "you joined another gathering; what is shown now is its history (/realms lists them)")
		}
	case node.Marked:
		a.marked(e)
	case node.Notice:
		a.here().list.Problem(a.now(), e.Text, e.Hint)
	}
	return false
}

// marked takes what is said by who is ignored off the screen, and reads again what is there of who no longer is.
func (a *app) marked(e node.Marked) {
	was := slices.ContainsFunc(a.snapshot.Ignored, func(p node.Person) bool { return p.ID == e.ID })
	for _, r := range a.rooms {
		switch {
		case e.Ignored:
			r.list.Hide(e.ID)
		case was:
			r.list.Reload()
		}
	}
	a.stale = true
}

// refresh asks how things stand. It is for when the answer is needed; what only changes the picture sets stale, so that a flood of events asks once a frame.
func (a *app) refresh() {
	a.stale = false
	a.snapshot = a.node.Snapshot()
	a.syncRooms()
}

func (a *app) said(e node.Said) bool {
	r := a.roomOf(e.RoomID, e.Room)
	shown := r == a.here()
	direct := strings.HasPrefix(r.name, "@")
	absent := e.History && !a.caughtUp // the user was, when it was said
	unseen := e.Unread && (absent || !shown || a.away || !r.list.Following())
	if !e.Mine {
		r.last = e.Key
	}
	if !r.list.Add(e, a.snapshot.Me.Nick, unseen) || e.Mine {
		return e.Mine
	}
	if e.Unread && !r.muted {
		mentioned := transcript.Mentions(e.Text, a.snapshot.Me.Nick)
		if !shown {
			r.news++
			r.named = r.named || mentioned || direct
		}
		if a.stored || !e.History { // else it came before this start
			a.notify(r, e.Message, mentioned)
		}
	}
	if e.History && a.caughtUp && !r.list.Last(e.ID) {
		r.list.Late(a.now())
	}
	return false
}

func (a *app) hub(e node.HubChanged) {
	before := a.seen
	a.seen = e
	a.stale = true
	defer func() {
		if e.State == node.Linked || e.State == node.Serving {
			a.lastHub = e.HubID
		}
	}()
	if !a.welcomed {
		a.arrive()
		return
	}
	text := ""
	switch {
	case e.State == node.Serving:
		text = "you are now the hub"
	case e.State == node.Linked && e.HubID == a.lastHub:
		text = "connected to " + cell.Line(e.Hub) + " again"
	case e.State == node.Linked && e.Hub != "":
		text = cell.Line(e.Hub) + " is now the hub"
	case e.State == node.Lost && before.State != node.Lost:
		text = cell.Line(command.Standing(node.Snapshot{Hub: e, Me: a.snapshot.Me}))
	}
	if text == "" {
		return
	}
	a.here().list.Event(a.now(), text)
	if e.State != node.Lost {
		a.tell(a.look.Hub+" "+text, hubFlash)
	}
}

func (a *app) peer(e node.PeerChanged) {
	a.stale = true
	if e.ID == a.snapshot.Me.ID || !a.welcomed { // the welcome counts who is here
		return
	}
	lobby := a.room(command.Lobby).list
	switch e.State {
	case node.Away:
		text := cell.Line(e.Nick) + " is away"
		if e.Why != "" {
			text += ": " + cell.Line(e.Why)
		}
		lobby.Event(a.now(), text)
	case node.Back:
		lobby.Event(a.now(), cell.Line(e.Nick)+" is back")
	default:
		lobby.Presence(a.now(), e)
	}
}

// arrive welcomes the user once the hub is known and what the others had has come.
func (a *app) arrive() {
	if a.caughtUp && (a.seen.State == node.Linked || a.seen.State == node.Serving) {
		a.welcome()
	}
}

// welcome says where this is, once.
func (a *app) welcome() {
	if a.welcomed {
		return
	}
	a.welcomed = true
	a.refresh()
	lines := command.Welcome(a.snapshot)
	lines[len(lines)-1] += "; F1 shows help"
	a.room(command.Lobby).list.Answer(a.now(), strings.Join(lines, "\n"))
}

// submit does what was typed.
func (a *app) submit(text string) bool {
	a.refresh()
	r := a.here()
	text = tidy(text)
	at := command.At{Room: r.name, Snapshot: a.snapshot, Version: a.version, Behind: r.list.Behind(), Whois: a.node.Whois}
	if command.IsCommand(strings.TrimLeft(text, "\n")) { // any message may be meant that one can choose
		at.Recent = r.list.Recent(r.name, transcript.Limit)
	}
	action, err := command.Parse(text, at)
	if err == nil && action.Do != nil && len(a.outbox) >= maxOutbox {
		err = &node.Error{Text: "too many lines are waiting to be sent", Hint: "wait a moment and press Enter again"}
	}
	if say, ok := action.Do.(node.Say); ok && err == nil && a.going > 0 && say.Room == r.name {
		err = &node.Error{Text: "this was not said in " + cell.Line(r.name) + ", for you are on your way elsewhere", Hint: "press Enter again when you are there"}
	}
	if err != nil {
		a.fail(err)
		return false
	}
	r.list.End()
	switch {
	case action.Quit:
		a.quit = true
	case action.Clear:
		r.list.Clear()
	case action.Help:
		a.openHelp()
	case action.Members != "":
		a.openMembers(action.Members)
	case action.Find != nil:
		a.openSearch(*action.Find)
	case action.Export != nil:
		a.export(r, *action.Export)
	case action.Set != nil:
		if answer := a.set(*action.Set); answer != "" {
			r.list.Answer(a.now(), answer)
		}
	case action.Do != nil:
		a.send(r, action, text)
	case action.History > 0:
		r.list.Page(-1)
	case len(action.Lines) > 0:
		r.list.Answer(a.now(), strings.Join(action.Lines, "\n"))
		if action.QR != "" {
			a.openQR(action.QR)
		}
	}
	return true
}

// tidy cleans what was typed as the node will, so that its line is known again when it comes back.
func tidy(text string) string {
	clean, cut := message.CleanText(text)
	if cut {
		return text // Parse refuses it in words
	}
	return clean
}

// send hands a command to the node. A line is shown at once, where the room that it is for is known. typed is given back if it could not be said.
func (a *app) send(r *room, action command.Action, typed string) {
	say, saying := action.Do.(node.Say)
	to := r
	if saying && say.Room != r.name {
		known, _ := command.Known(a.snapshot, say.Room)
		to = a.withID(known.ID)
	}
	if saying && to != nil {
		to.list.Read()
		to.list.Pend(a.now(), a.snapshot.Me, say)
	}
	draft := tidy(r.input.GetText())
	goes := action.Show != ""
	if goes {
		a.going++
	}
	a.outbox = append(a.outbox, job{action.Do, func(err error) {
		if goes {
			a.going--
		}
		if err != nil {
			if saying && to != nil {
				to.list.Forget(say)
			}
			if saying {
				r.input.restore(typed)
			}
			a.fail(err)
			return
		}
		a.refresh()
		if saying && to != r {
			a.tell("said to "+cell.Line(say.Room), hubFlash)
		}
		if goes {
			a.show(action.Show)
			if draft == typed { // what is there now was typed since, for where the user went
				r.input.moveTo(a.input)
			}
		}
		if len(action.Lines) > 0 {
			a.here().list.Answer(a.now(), strings.Join(action.Lines, "\n"))
		}
	}})
}

// fail says what went wrong.
func (a *app) fail(err error) {
	text, hint := err.Error(), ""
	var e *node.Error
	if errors.As(err, &e) {
		text, hint = e.Text, e.Hint
	}
	a.here().list.End()
	a.here().list.Problem(a.now(), text, hint)
}
