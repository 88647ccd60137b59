package node

import (
	"slices"

	"earshot/node/identity"
)

// states tell one reader of Events how things stand: of the hub, the people here, what the user made of them and own messages the newest that is different, not how it got there; and the notices, each. They remember what they told last.
type states struct {
	node    *Node
	send    func(Event) bool // false: nobody reads any more
	hub     HubChanged
	noticed uint64 // number of the last notice told
	here    map[identity.PeerID]Person
	listed  uint64 // number of the people told
	typing  []Typist
	marks   map[identity.PeerID]Mark
	marked  uint64 // number of the last change of marks
	news    uint64 // number of the last delivery told
}

// newStates begins with the notices that are kept, and with what changes from now on of deliveries and marks.
func newStates(n *Node, send func(Event) bool) *states {
	s := &states{node: n, send: send, here: map[identity.PeerID]Person{}}
	_, s.news = n.own.since(^uint64(0))
	s.marks, s.marked = n.people.known.marks(0)
	n.mu.Lock()
	defer n.mu.Unlock()
	s.noticed = n.noticed - uint64(len(n.notices))
	return s
}

// tell tells what is different of the hub, the notices and the people; false: nobody reads any more.
func (s *states) tell() bool {
	n := s.node
	n.mu.Lock()
	hub := n.status
	missed := min(n.noticed-s.noticed, uint64(len(n.notices)))
	notices := slices.Clone(n.notices[uint64(len(n.notices))-missed:])
	s.noticed = n.noticed
	n.mu.Unlock()
	if hub != s.hub {
		s.hub = hub
		if !s.send(n.asShown(hub)) {
			return false
		}
	}
	for _, notice := range notices {
		if !s.send(notice) {
			return false
		}
	}
	return s.marksOf() && s.people() && s.typists()
}

// marksOf tells what the user made of people. Who is ignored goes without a word from those who are here, and comes back so.
func (s *states) marksOf() bool {
	now, version := s.node.people.known.marks(s.marked)
	if version == s.marked {
		return true
	}
	was := s.marks
	s.marks, s.marked = now, version
	var changed []identity.PeerID
	for id := range was {
		if now[id] != was[id] {
			changed = append(changed, id)
		}
	}
	for id := range now {
		if _, known := was[id]; !known {
			changed = append(changed, id)
		}
	}
	slices.SortFunc(changed, func(a, b identity.PeerID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range changed {
		if p, here := s.node.people.person(id); now[id].Ignored {
			delete(s.here, id)
		} else if _, told := s.here[id]; here && !told {
			s.here[id] = p
		}
		if !s.send(Marked{ID: id, Nick: s.node.people.name(id, s.node.people.known.nickOf(id)), Mark: now[id]}) {
			return false
		}
	}
	return true
}

// people tells who came, went, or goes by another nick.
func (s *states) people() bool {
	list, number := s.node.people.all()
	if number == s.listed {
		return true
	}
	s.listed = number
	now := make(map[identity.PeerID]Person, len(list))
	for _, p := range list {
		now[p.ID] = p
	}
	count := len(s.here)
	gone := make([]Person, 0)
	for id, p := range s.here {
		if _, ok := now[id]; !ok {
			gone = append(gone, p)
		}
	}
	sortPeople(gone)
	for _, p := range gone {
		count--
		delete(s.here, p.ID)
		if s.node.people.known.ignores(p.ID) {
			continue // since a moment ago
		}
		if !s.send(PeerChanged{State: Left, Nick: p.Nick, ID: p.ID, Peers: count}) {
			return false
		}
	}
	for _, p := range list {
		old, known := s.here[p.ID]
		s.here[p.ID] = p
		if !known {
			count++
			if !s.send(PeerChanged{State: Joined, Nick: p.Nick, ID: p.ID, Peers: count}) {
				return false
			}
		} else if old.Nick != p.Nick && !s.send(Renamed{ID: p.ID, Old: old.Nick, New: p.Nick}) {
			return false
		}
		state := map[bool]PeerState{true: Away, false: Back}[p.Away]
		if (p.Away != old.Away || p.Why != old.Why) && !s.send(PeerChanged{State: state, Nick: p.Nick, ID: p.ID, Peers: count, Why: p.Why}) {
			return false
		}
	}
	return true
}

// typists tells who types, and who has stopped.
func (s *states) typists() bool {
	now := s.node.typists()
	for _, was := range s.typing {
		if !slices.Contains(now, was) && !s.send(TypingChanged{Typist: was}) {
			return false
		}
	}
	for _, is := range now {
		if !slices.Contains(s.typing, is) && !s.send(TypingChanged{Typist: is, On: true}) {
			return false
		}
	}
	s.typing = now
	return true
}

// deliveries tells on how many disks own messages are.
func (s *states) deliveries() bool {
	news, end := s.node.own.since(s.news)
	s.news = end
	for _, d := range news {
		if !s.send(d) {
			return false
		}
	}
	return true
}
