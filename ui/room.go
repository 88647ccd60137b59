package ui

import (
	"slices"

	"earshot/ui/cell"
	"earshot/ui/command"
	"earshot/ui/transcript"
)

// room is what the screen knows of one room.
type room struct {
	name   string
	list   *transcript.List
	input  *input // what is being typed there
	news   int    // messages since the user looked
	named  bool   // one of them names the user
	muted  bool   // it asks for no attention
	joined bool   // the node said so: when it no longer does, the room goes
}

// here returns the room that is shown.
func (a *app) here() *room { return a.rooms[a.current] }

// room returns the room called name, made where there is none.
func (a *app) room(name string) *room {
	if i := slices.IndexFunc(a.rooms, func(r *room) bool { return r.name == name }); i >= 0 {
		return a.rooms[i]
	}
	r := &room{name: name, list: transcript.New(a.look), input: newInput(a.look)}
	a.rooms = append(a.rooms, r)
	return r
}

// syncRooms takes over which rooms are joined, in the node's order.
func (a *app) syncRooms() {
	shown := a.here()
	var order []*room
	for _, known := range a.snapshot.Rooms {
		if known.Joined {
			r := a.room(known.Name)
			r.joined, r.muted = true, known.Muted
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
	r := a.room(name)
	a.visit(slices.Index(a.rooms, r))
}

// visit goes to the room with that number.
func (a *app) visit(i int) {
	if i < 0 || i >= len(a.rooms) {
		return
	}
	if i != a.current {
		a.here().list.Read()
	}
	a.current = i
	a.input = a.here().input
	a.input.complete = completion{}
	a.here().news, a.here().named = 0, false
}

// step goes to the next room, or the one before, around the end.
func (a *app) step(by int) { a.visit((a.current + by + len(a.rooms)) % len(a.rooms)) }

// nextNews goes to the next room where something was said, one that names the user first.
func (a *app) nextNews() {
	for _, want := range []func(*room) bool{func(r *room) bool { return r.named }, func(r *room) bool { return r.news > 0 }} {
		for i := range a.rooms {
			if at := (a.current + i) % len(a.rooms); want(a.rooms[at]) {
				a.visit(at)
				return
			}
		}
	}
}

// others counts what was said where the user is not looking, and names one such room.
func (a *app) others() (news int, name string, named bool) {
	for _, r := range a.rooms {
		if r.news == 0 {
			continue
		}
		if news == 0 || r.named && !named {
			name = r.name
		}
		news += r.news
		named = named || r.named
	}
	return news, cell.Line(name), named
}
