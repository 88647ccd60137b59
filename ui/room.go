package ui

import (
	"slices"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/command"
	"earshot/ui/transcript"
)

// room is what the screen knows of one room.
type room struct {
	name    string
	id      message.RoomID // zero: not known yet
	info    node.Room      // as the node has it
	list    *transcript.List
	input   *input // what is being typed there
	news    int    // messages since the user looked
	named   bool   // one of them names the user
	muted   bool   // it asks for no attention
	joined  bool   // the node said so, or that the user is invited: when it no longer does, the room goes
	visited bool
	last    node.Key // of what others said there, what was told last
	told    node.Key // the last that the node knows the user has seen
}

// here returns the room that is shown.
func (a *app) here() *room { return a.rooms[a.current] }

// room returns the room called name, made where there is none.
func (a *app) room(name string) *room {
	if i := a.called(name); i >= 0 {
		return a.rooms[i]
	}
	r := &room{name: name, list: transcript.New(a.look), input: newInput(a.look)}
	a.rooms = append(a.rooms, r)
	return r
}

// called returns the number of the room called name, or -1.
func (a *app) called(name string) int {
	return slices.IndexFunc(a.rooms, func(r *room) bool { return r.name == name })
}

// roomOf returns the room with that id, whatever it is called by now, or the one called name, made where there is none.
func (a *app) roomOf(id message.RoomID, name string) *room {
	if r := a.withID(id); r != nil {
		return r
	}
	if id == (message.RoomID{}) {
		return a.room(name)
	}
	i := slices.IndexFunc(a.rooms, func(r *room) bool { return r.name == name && r.id == message.RoomID{} })
	if i < 0 {
		i = len(a.rooms)
		a.rooms = append(a.rooms, &room{name: name, list: transcript.New(a.look), input: newInput(a.look)})
	}
	a.rooms[i].id = id
	return a.rooms[i]
}

func (a *app) withID(id message.RoomID) *room {
	if i := slices.IndexFunc(a.rooms, func(r *room) bool { return r.id == id && id != message.RoomID{} }); i >= 0 {
		return a.rooms[i]
	}
	return nil
}

// invited reports whether a room is an invitation that the user has not answered.
func (r *room) invited() bool { return command.Invitation(r.info) }

// syncRooms takes over which rooms are joined, what they are called, and which invitations there are, in the node's order.
func (a *app) syncRooms() {
	shown := a.here()
	var order []*room
	for _, known := range a.snapshot.Rooms {
		if known.Joined || command.Invitation(known) {
			r := a.roomOf(known.ID, known.Name)
			r.name, r.joined, r.muted, r.info = known.Name, true, known.Muted, known
			order = append(order, r)
		}
	}
	for _, r := range a.rooms {
		if !slices.Contains(order, r) && (!r.joined || r.name == command.Lobby) {
			order = append(order, r)
		}
	}
	a.rooms = order
	a.current = max(slices.Index(order, shown), 0)
	if a.here() != shown {
		a.visit(a.current)
	}
}

// show goes to a room by its name.
func (a *app) show(name string) {
	if known, ok := command.Known(a.snapshot, name); ok {
		name = known.Name
	}
	r := a.room(name)
	a.visit(slices.Index(a.rooms, r))
}

// visit goes to the room with that number; to an invitation by asking whether the user accepts it.
func (a *app) visit(i int) {
	if i < 0 || i >= len(a.rooms) {
		return
	}
	if a.rooms[i].invited() {
		a.openInvitation(a.rooms[i])
		return
	}
	if i != a.current {
		a.here().leave()
	}
	a.current = i
	if r := a.here(); !r.visited {
		r.visited = true
		r.list.Fill() // it may be one whose history was not told, since it was not shown
	}
	a.input = a.here().input
	a.input.complete = completion{}
	a.here().news, a.here().named = 0, false
}

// leave is what becomes of a room that is gone from: what was said there below what the user looked at is still unread.
func (r *room) leave() {
	if r.list.Following() {
		r.list.Read()
		return
	}
	if !r.muted {
		r.news = r.list.Below()
	}
}

// step goes to the next room, or the one before, around the end.
func (a *app) step(by int) {
	for i := a.current; ; {
		if i = (i + by + len(a.rooms)) % len(a.rooms); !a.rooms[i].invited() {
			a.visit(i)
			return
		}
	}
}

// nextNews goes to the next room where something was said, one that names the user first, or to an invitation.
func (a *app) nextNews() {
	for _, want := range []func(*room) bool{func(r *room) bool { return r.named }, func(r *room) bool { return r.news > 0 }, (*room).invited} {
		for i := range a.rooms {
			if at := (a.current + i) % len(a.rooms); want(a.rooms[at]) {
				a.visit(at)
				return
			}
		}
	}
}

// invitation returns the first invitation, and how many there are.
func (a *app) invitation() (first *room, n int) {
	for _, r := range a.rooms {
		if r.invited() {
			if n++; n == 1 {
				first = r
			}
		}
	}
	return first, n
}

// others counts what was said where the user is not looking, and says where: it names one such room.
func (a *app) others() (news int, where string, named bool) {
	rooms := 0
	for _, r := range a.rooms {
		if r.news == 0 {
			continue
		}
		if rooms++; rooms == 1 || r.named && !named {
			where = r.name
		}
		news += r.news
		named = named || r.named
	}
	if where = cell.Line(where); rooms > 1 {
		where += " and elsewhere"
	}
	return news, where, named
}
