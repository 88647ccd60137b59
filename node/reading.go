package node

import (
	"slices"
	"sort"

	"earshot/node/journal"
)

// How far this person has read is kept with the history, in each store for what is in that (package journal, reading.go). What was said in a room before they came to it, or before they first came to a
// gathering, is nothing that they missed; all else that others say is unread until Seen, and told so by Resume after a restart.

// maxUnread is how much of one room Resume tells because it is unread: who was away for longer finds older lines with Page.
const maxUnread = 2000

// unreadPage is how many lines are read at once to find that.
const unreadPage = 200

// meet notes that what the others had has come: what this person was not here for.
func (at *gathering) meet() { at.journal.Meet(at.journal.Last()) }

// unread reports whether a line in at is unread.
func (n *Node) unread(at *gathering, l *journal.Line) bool {
	return l.Author != n.who.ID() && at.journal.Unread(l.Room, l.Arrival) && !n.joinedSince(l)
}

// read notes that this person has read what had come to a room when a message came. Where nothing comes any more, in what is shown beside the current gathering, that is all.
func (g *gatherings) read(r room, up journal.Key) error {
	for i, at := range g.shown() {
		if id := at.roomIn(r, g.who.ID()); i > 0 {
			at.journal.Read(id, at.journal.Last())
		} else if err := at.journal.ReadTo(id, up); err != nil && !ends(err) {
			return err
		}
	}
	return nil
}

// readAll notes that what is said in a room so far is no news to this person, who comes to it only now.
func (g *gatherings) readAll(r room) {
	for _, at := range g.shown() {
		at.journal.Read(at.roomIn(r, g.who.ID()), at.journal.Last())
	}
}

// missed tells what is unread of gatherings, in each in the order in which it came, and what is said now the last: so that Seen of the last message that was told of a room is of all that was.
func (s *subscription) missed(of []*gathering) bool {
	for _, at := range slices.Backward(of) {
		lines, err := s.unread(at)
		if err != nil && !ends(err) { // then there is another
			s.node.log.Warn("cannot read what is unread", "err", err)
		}
		sort.SliceStable(lines, func(i, j int) bool { return lines[i].Arrival < lines[j].Arrival })
		if !s.tell(lines, true, true) {
			return false
		}
	}
	return true
}

// unread reads what is unread of a gathering, page by page from the newest on.
func (s *subscription) unread(at *gathering) (out []journal.Line, err error) {
	rooms := s.node.shownRooms()
	if at.past != nil {
		for _, r := range at.past.vault.Rooms() {
			rooms = append(rooms, room{id: r.ID, past: true})
		}
	}
	for _, r := range rooms {
		id, before := at.roomIn(r, s.node.who.ID()), journal.Key{}
		for found := 0; found < maxUnread; {
			page, err := at.journal.Missed(id, before, unreadPage)
			if err != nil {
				return out, err
			}
			for i := range page {
				if l := &page[i]; s.node.unread(at, l) && l.Arrival <= s.shown[at.journal.StoreID()] {
					out, found = append(out, *l), found+1
				}
			}
			if len(page) < unreadPage {
				break
			}
			before = page[0].Key
		}
	}
	return out, nil
}
