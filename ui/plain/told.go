package plain

import (
	"slices"
	"sync"

	"earshot/node"
	"earshot/node/message"
)

// told are the newest messages printed, for commands about them, and what the user has seen of a conversation. The printer adds, and who obeys looks.
type told struct {
	looked chan struct{} // has room for one: seen is another

	mu   sync.Mutex   // protects what follows
	list []node.Event // of type node.Said, as they came: shared, not copied
	seen node.Seen    // not told yet, where its room is not empty
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
	case node.Edited:
		t.setLocked(e.Message)
	case node.Redacted:
		t.setLocked(e.Message)
	case node.Reacted:
		t.setLocked(e.Message)
	case node.Withdrawn:
		t.list = slices.DeleteFunc(t.list, func(m node.Event) bool { return m.(node.Said).ID == e.ID })
	}
}

func (t *told) setLocked(m node.Message) {
	if i := t.atLocked(m.ID); i >= 0 {
		t.list[i] = node.Said{Message: m}
	}
}

// atLocked is where in the list a message is; -1: it is not there.
func (t *told) atLocked(id message.ID) int {
	return slices.IndexFunc(t.list, func(o node.Event) bool { return o.(node.Said).ID == id && id != message.ID{} })
}

// early reports whether an event tells what became of a message that is not printed yet.
func (t *told) early(event node.Event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case node.Edited:
		return t.atLocked(e.ID) < 0
	case node.Redacted:
		return t.atLocked(e.ID) < 0
	case node.Reacted:
		return t.atLocked(e.ID) < 0
	}
	return false
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
	slices.SortStableFunc(list, func(a, b node.Message) int { return a.At.Compare(b.At) })
	return list
}
