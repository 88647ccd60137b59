package plain

import (
	"slices"
	"sort"
	"sync"

	"earshot/node"
	"earshot/node/message"
)

// told are the newest messages printed, for commands about them, and what the user has seen of a conversation. The printer adds, and who obeys looks.
type told struct {
	looked chan struct{} // has room for one: seen is another
	level  chan struct{} // the printer sends while all that this process said is among them
	full   chan struct{} // closed when those that the others had are among them

	mu       sync.Mutex   // protects what follows
	list     []node.Event // of type node.Said, as they came: shared, not copied
	seen     node.Seen    // not told yet, where its room is not empty
	caughtUp bool         // with the others
}

func newTold() *told {
	return &told{looked: make(chan struct{}, 1), level: make(chan struct{}), full: make(chan struct{})}
}

// toldKept is how many are kept, at least.
const toldKept = 1000

// see takes in what happened.
func (t *told) see(event node.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case node.Said:
		if t.list = append(t.list, event); len(t.list) > 2*toldKept {
			t.list = slices.Clone(t.list[len(t.list)-toldKept:])
		}
	case node.CaughtUp:
		if !t.caughtUp {
			t.caughtUp = true
			close(t.full)
		}
	case node.Withdrawn:
		t.list = slices.DeleteFunc(t.list, func(m node.Event) bool { return m.(node.Said).ID == e.ID })
	default:
		if m, ok := became(event); ok {
			if i := t.atLocked(m.ID); i >= 0 {
				if _, ok := event.(node.Reacted); ok {
					m.Reactions = append(slices.Clip(m.Reactions), node.Reaction{}) // and one that nobody has: what follows is news
				} else {
					m.Reactions = t.list[i].(node.Said).Reactions // as they were printed with it
				}
				t.list[i] = node.Said{Message: m}
			}
		}
	}
}

// became is the message of which an event tells what became of it.
func became(event node.Event) (m node.Message, ok bool) {
	switch e := event.(type) {
	case node.Edited:
		return e.Message, true
	case node.Redacted:
		return e.Message, true
	case node.Reacted:
		return e.Message, true
	}
	return m, false
}

// atLocked is where in the list a message is; -1: it is not there.
func (t *told) atLocked(id message.ID) int {
	return slices.IndexFunc(t.list, func(o node.Event) bool { return o.(node.Said).ID == id && id != message.ID{} })
}

// stale reports whether an event tells what became of a message that is printed as it is by then, or will be: until this node has caught up.
func (t *told) stale(event node.Event) bool {
	m, ok := became(event)
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.atLocked(m.ID)
	if i < 0 {
		return !t.caughtUp
	}
	was := t.list[i].(node.Said)
	if _, ok := event.(node.Reacted); ok { // who else reacted is news
		return !t.caughtUp && slices.EqualFunc(was.Reactions, m.Reactions, func(a, b node.Reaction) bool { return a.Emoji == b.Emoji && a.Count == b.Count })
	}
	return was.Text == m.Text && was.Edited == m.Edited && was.Redacted == m.Redacted
}

// look has the node told of what the user has seen.
func (t *told) look(s node.Seen) {
	t.mu.Lock()
	t.seen = s
	t.mu.Unlock()
	select {
	case t.looked <- struct{}{}:
	default:
	}
}

// sight is what the node is to be told of what the user has seen.
func (t *told) sight() node.Seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// recent returns them, in the order for people.
func (t *told) recent() []node.Message {
	t.mu.Lock()
	events := slices.Clone(t.list)
	t.mu.Unlock()
	list := make([]node.Message, len(events))
	for i, e := range events {
		list[i] = e.(node.Said).Message
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].At.Before(list[j].At) })
	return list
}
