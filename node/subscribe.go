package node

import (
	"context"
	"iter"
	"slices"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/vault"
)

// Events go to their reader in lists of at most eventsAtOnce, so that a flood does not change goroutines for each; that many lists may wait for it.
const (
	eventsAtOnce = 16
	listsAhead   = 4
)

// Events returns what happens from now on, starting with Ready and the newest history lines of stored history (negative: all; 0: none). What is there at the same time comes
// together, and none of it waits for more; a list is its reader's. Each call is a subscription of its own; a slow reader lags and holds nothing up. The channel is closed when
// ctx ends or the node does.
func (n *Node) Events(ctx context.Context, history int) <-chan []Event {
	out := make(chan []Event, listsAhead)
	n.events(ctx, out, history, (*journal.Journal).Last, nil, false, func() { close(out) })
	return out
}

// Resume is Events for who shows each room by itself: after the newest history lines comes all that is Unread, however old, of one room the newest 2,000. What is told of a room last came last: Seen of that is of
// all of it.
func (n *Node) Resume(ctx context.Context, history int) <-chan []Event {
	out := make(chan []Event, listsAhead)
	n.events(ctx, out, history, (*journal.Journal).Last, nil, true, func() { close(out) })
	return out
}

// eventsSinceStart tells what happened since this process opened the history, and from now on.
func (n *Node) eventsSinceStart(ctx context.Context, out chan<- []Event, ration *ration, ended func()) {
	opened := map[*journal.Journal]int64{}
	for _, at := range n.gather.shown() {
		opened[at.journal] = at.began
	}
	n.events(ctx, out, 0, func(j *journal.Journal) int64 {
		if began, ok := opened[j]; ok {
			return began
		}
		return j.Last()
	}, ration, false, ended)
}

// events is Events for who reads out, until ended is called, or Console with a ration; what is history is what had arrived in a journal by the number that past returns.
func (n *Node) events(ctx context.Context, out chan<- []Event, history int, past func(*journal.Journal) int64, ration *ration, resume bool, ended func()) {
	s := &subscription{node: n, ctx: ctx, out: out, ration: ration, resume: resume, changed: n.watch.add(), end: n.watch.end, shown: map[[16]byte]int64{}, told: newTellings(), topics: map[message.RoomID]message.ID{}, called: map[message.RoomID]string{}}
	s.begin(past)
	s.states = newStates(n, s.send)
	ok := n.watch.subscribe(func() {
		defer ended()
		defer n.watch.remove(s.changed)
		s.run(history)
	})
	if !ok {
		ended()
	}
}

// newestOfJoined is how much is told of a room that is joined, where all history is asked for: older lines come with Page.
const newestOfJoined = 10_000

// A subscription is one reader of Events: it remembers what it told last, and looks for what is different.
type subscription struct {
	node    *Node
	ctx     context.Context
	out     chan<- []Event
	next    []Event // for out, as soon as there is nothing more at present
	changed chan struct{}
	end     <-chan struct{}
	ration  *ration // of messages; nil: all are told
	resume  bool    // what is unread is told, too

	at       *gathering
	first    []*gathering // whose history is told first
	version  uint64
	cursor   *journal.Cursor
	lined    []journal.Line     // has room for the lines of an entry
	held     []journal.Entry    // own, not yet known to be on this disk
	shown    map[[16]byte]int64 // how far the history in each store was told
	met      bool               // something of a gathering was told
	told     tellings
	states   *states
	topics   map[message.RoomID]message.ID // told
	called   map[message.RoomID]string     // of sealed rooms, as told
	rooms    map[message.RoomID]bool       // joined, whose history was told
	joins    uint64                        // number of the last change of that
	history  int                           // how much was asked for; negative: all
	newest   int                           // how much is told of a room that is joined
	entered  int64                         // the newest arrival when this gathering was entered, unless that was shown before
	since    uint64                        // version of the gathering of which RealmChanged told last
	caughtUp bool                          // with that
}

// send gives one event, with those that follow; false: nobody reads any more.
func (s *subscription) send(e Event) bool {
	if s.next == nil {
		s.next = make([]Event, 0, eventsAtOnce)
	}
	s.next = append(s.next, e)
	return len(s.next) < eventsAtOnce || s.flush()
}

// flush hands over what was sent; false: nobody reads any more.
func (s *subscription) flush() bool {
	if len(s.next) == 0 {
		return true
	}
	select {
	case s.out <- s.next: // also where it is the last
	default:
		select {
		case s.out <- s.next:
		case <-s.ctx.Done():
			return false
		case <-s.end:
			return false
		}
	}
	s.next = nil
	return true
}

// begin fixes what is history and what is new.
func (s *subscription) begin(past func(*journal.Journal) int64) {
	n := s.node
	s.at, s.version = n.gather.now()
	s.first = n.gather.shown()
	for _, at := range s.first {
		s.met = s.met || !at.alone && at.journal.Last() > 0
		s.shown[at.journal.StoreID()] = past(at.journal)
	}
	s.cursor = s.at.journal.Follow(s.shown[s.at.journal.StoreID()])
}

func (s *subscription) run(history int) {
	n := s.node
	if !s.send(Ready{Nick: n.Nick(), ID: n.who.ID(), Session: n.session, Port: n.port.Number(), Network: n.network.Name(), Closed: n.network.Closed()}) || !s.flush() {
		return
	}
	s.states.here[n.who.ID()] = Person{ID: n.who.ID(), Nick: n.Nick()}
	s.history, s.newest = history, history
	if history < 0 {
		s.newest = newestOfJoined
	}
	s.joins, s.rooms = n.joins.Load(), n.inRooms()
	if !s.past(s.first, history) {
		return
	}
	for _, r := range n.rooms() {
		if r.Joined && !s.topic(r.ID, r.Name) {
			return
		}
	}
	for {
		at, version := n.gather.now()
		if version != s.version && !s.enter(at, version) {
			return
		}
		news, stop := s.at.journal.Watch()
		ok := s.look(news)
		stop()
		if !ok {
			return
		}
	}
}

// look tells what is new until the gathering is another; false: nobody reads any more.
func (s *subscription) look(news <-chan struct{}) bool {
	for {
		if _, version := s.node.gather.now(); version != s.version {
			return true
		}
		if !s.passed() || !s.stands() || !s.lines() || !s.states.deliveries() || !s.flush() {
			return false
		}
		select {
		case <-s.ctx.Done():
			return false
		case <-s.end:
			return false
		case <-news:
		case <-s.changed:
		case <-s.ration.ended():
		}
		if s.ration != nil && !s.together(news) {
			return false
		}
	}
}

// toldAtOnce is how many lines of all history are read before they are told.
const toldAtOnce = 1024

// past tells the newest stored lines of gatherings, oldest first, or with max < 0 all: those that had arrived by what was shown of them.
func (s *subscription) past(of []*gathering, max int) bool {
	var lines []journal.Line
	var all []iter.Seq[journal.Line]
	for _, at := range of {
		if max < 0 {
			all = append(all, s.kept(at, max))
		} else if max > 0 {
			lines = slices.AppendSeq(lines, s.kept(at, max))
		}
	}
	if lines = merge(lines, nil); max > 0 && len(lines) > max {
		lines = lines[len(lines)-max:]
	}
	for l := range merged(all) {
		if lines = append(lines, l); len(lines) == toldAtOnce {
			if !s.tell(lines, true, false) {
				return false
			}
			lines = lines[:0]
		}
	}
	return s.tell(lines, true, false) && (!s.resume || s.missed(of))
}

// kept yields what is to be told of what stored does.
func (s *subscription) kept(at *gathering, max int) iter.Seq[journal.Line] {
	return func(yield func(journal.Line) bool) {
		for l, err := range s.stored(at, max) {
			if err != nil {
				if !ends(err) { // then there is another
					s.node.log.Warn("cannot read history", "err", err)
				}
				return
			}
			if l.Arrival <= s.shown[at.journal.StoreID()] && !(s.resume && s.node.unread(at, &l)) && !yield(l) {
				return
			}
		}
	}
}

// stored yields the newest lines of a gathering, or all; of rooms that are not shown none where that saves reading them.
func (s *subscription) stored(at *gathering, max int) iter.Seq2[journal.Line, error] {
	n := s.node
	if max < 0 {
		return at.journal.All(0)
	}
	if n.config.ServerOnly || at.past != nil { // of a time with other rooms
		return s.newestOf(at, max)
	}
	return func(yield func(journal.Line, error) bool) {
		for _, r := range n.shownRooms() {
			var k journal.Key
			for left, most := max, lookedAt(max); left > 0 && most > 0; most -= max { // of a room that this person cannot read not all is looked at
				page, err := at.journal.Page(at.roomIn(r, n.who.ID()), k, max)
				if err != nil {
					yield(journal.Line{}, err)
					return
				}
				if len(page) == 0 {
					break
				}
				k = page[0].Key
				for _, l := range page {
					if !s.tells(&l) {
						continue
					}
					if left--; !yield(l, nil) {
						return
					}
				}
			}
		}
	}
}

// lookedAt is how many lines of a room are looked at for the newest max that are told.
func lookedAt(max int) int { return 1000 + 20*max }

// tells reports whether a line says something by itself: others are about one.
func (s *subscription) tells(l *journal.Line) bool {
	_, _, ok := said(l, s.node.where(*l))
	return ok && !s.node.people.known.ignores(l.Author)
}

// newestOf yields the newest lines of all rooms of a gathering that are told.
func (s *subscription) newestOf(at *gathering, max int) iter.Seq2[journal.Line, error] {
	return func(yield func(journal.Line, error) bool) {
		for n := max; ; n *= 4 {
			var lines []journal.Line
			seen := 0
			for l, err := range at.journal.All(n) {
				if err != nil {
					yield(l, err)
					return
				}
				if seen++; s.tells(&l) {
					lines = append(lines, l)
				}
			}
			if len(lines) < max && seen == n && n < lookedAt(max) {
				continue
			}
			for _, l := range lines {
				if !yield(l, nil) {
					return
				}
			}
			return
		}
	}
}

// enter goes on with another gathering, after what was told of it before.
func (s *subscription) enter(at *gathering, version uint64) bool {
	for _, e := range s.held { // what was left is on disk, or on its way there
		if !s.entry(e) {
			return false
		}
	}
	s.held, s.shown[s.at.journal.StoreID()] = nil, s.cursor.Arrival()
	mended := at.realm == s.at.realm && at.alone == s.at.alone
	s.at, s.version, s.entered = at, version, 0
	if told, ok := s.shown[at.journal.StoreID()]; ok {
		s.cursor = at.journal.Follow(told)
		return true
	}
	s.shown[at.journal.StoreID()], s.entered = at.began, at.journal.Last() // what was taken along arrived since
	s.cursor = at.journal.Follow(at.began)
	if s.met && !mended { // what was said alone goes along: that is no change
		if s.since, s.caughtUp = version, false; !s.send(RealmChanged{}) || !s.flush() {
			return false
		}
	}
	return s.past([]*gathering{at}, s.history)
}

// became tells a message as it is now.
func (s *subscription) became(m Message) bool {
	if m.Redacted {
		return s.send(Redacted{m})
	}
	return s.send(Edited{m})
}

// sameVoice is after how many lines of one log it is looked again how its author is shown.
const sameVoice = 64

// tell gives lines as messages, each once. unread: others' are.
func (s *subscription) tell(lines []journal.Line, history, unread bool) bool {
	s.met = s.met || len(lines) > 0 && !s.at.alone
	var v voice
	var shown, heard bool // its room is; something of it was told
	for i := range lines {
		l := &lines[i]
		if i%sameVoice == 0 || l.Log != v.log {
			v, heard = s.node.voice(l), false
			shown = s.shows(v.room, v.called)
		}
		m, ok := s.node.messageOf(&v, l)
		if !ok || !shown { // a box is in no room: it logs them all
			continue
		}
		any := l.Marks.Any()
		if was, told := s.told.find(l.ID); told {
			if (was || any) && !s.became(m) { // in the gathering left something else became of it
				return false
			}
			continue
		}
		s.told.put(l.ID, any)
		if m.Sealed {
			s.called[m.RoomID] = m.Room
		}
		if !heard {
			heard = true
			s.node.typing.said(l.Author, l.Room)
		}
		before := s.node.joinedSince(l)
		if !s.restated(&m) || !s.send(Said{Message: m, History: history || before, Unread: unread && !m.Mine && !before}) {
			return false
		}
		if m.Here && s.node.own.isLost(l.ID) && !s.send(Delivered{ID: l.ID}) { // what was told of it before was of a line that nobody had seen
			return false
		}
	}
	return true
}

// lines tells what arrived in the journal. Own lines are told once they are on this disk; others' do not wait for them.
func (s *subscription) lines() bool {
	if !s.settled() {
		return false
	}
	for {
		entries, err := s.cursor.Next(64 << 10)
		if err != nil || len(entries) == 0 {
			return true // an error: it was closed, and there is another
		}
		for _, e := range entries {
			if e.Fork != 0 {
				if !s.withdraw(e) {
					return false
				}
				continue
			}
			if e.From == 0 && s.at.journal.Persistent() {
				s.held = append(s.held, e)
			} else if !s.entry(e) {
				return false
			}
		}
		if !s.settled() {
			return false
		}
	}
}

// settled tells the own lines that are on this disk by now, or cannot be for the time being.
func (s *subscription) settled() bool {
	j := s.at.journal
	for len(s.held) > 0 && (j.Durable() >= s.held[0].Arrival || j.Err() != nil) {
		e := s.held[0]
		s.held = s.held[1:]
		if !s.entry(e) {
			return false
		}
	}
	return true
}

// withdraw tells what was told and is past a fork. Of what was said in this process Delivered tells.
func (s *subscription) withdraw(e journal.Entry) bool {
	lines, err := s.at.journal.Beyond(e.Log, e.Fork, e.Was)
	if err != nil {
		s.node.log.Warn("cannot read what is withdrawn", "err", err)
	}
	for _, l := range lines {
		m, ok := s.node.message(l)
		if _, told := s.told.find(l.ID); !ok || !told || m.Here {
			continue
		}
		s.told.forget(l.ID)
		if !s.send(Withdrawn{Message: m, Restated: s.at.journal.Void(e.Log)}) {
			return false
		}
	}
	for _, l := range lines { // what they said about others does not count any more
		if !s.about(l) {
			return false
		}
	}
	return true
}

// restated tells that the message which m says again is not shown any more.
func (s *subscription) restated(m *Message) bool {
	if m.Again == (message.ID{}) {
		return true
	}
	if _, told := s.told.find(m.Again); !told {
		return true
	}
	s.told.forget(m.Again)
	was := *m
	was.ID, was.Key, was.Again = m.Again, Key{}, message.ID{}
	return s.send(Withdrawn{Message: was, Restated: true})
}

// entry tells the lines of one run.
func (s *subscription) entry(e journal.Entry) bool {
	if s.ration.spent() && s.skim(e) {
		return true
	}
	lines, err := s.at.journal.LinesIn(s.lined, e)
	if err != nil {
		s.node.log.Warn("cannot read what arrived", "err", err)
		return true
	}
	defer func() {
		clear(lines) // or it would keep the bodies
		s.lined = lines[:0]
	}()
	grant := s.grant(lines)
	told, over := lines[:grant], lines[grant:]
	unread := len(told) > 0 && s.at.journal.Unread(told[0].Room, e.Arrival)
	if e.Arrival <= s.entered {
		for i := range told {
			_, now := s.node.own.mine(told[i].ID) // said here a moment ago
			if !s.tell(told[i:i+1], !now, unread) {
				return false
			}
		}
	} else if !s.tell(told, e.Bulk || e.From != 0 && !(s.caughtUp && s.at.journal.Present(e.Arrival)), unread) {
		return false
	}
	for i := range told {
		if k := told[i].Kind; (k == message.Topic || k.About()) && !s.about(told[i]) {
			return false
		}
	}
	s.passLines(over)
	return true
}

// about tells what became of the messages that a line is about, if it counts, and of its room's topic.
func (s *subscription) about(l journal.Line) bool {
	if l.Kind == message.Topic {
		return s.topic(l.Room, s.node.where(l))
	}
	if l.Kind == message.Reply {
		return true
	}
	a, _ := message.ParseAbout(l.Kind, l.Body)
	if s.node.people.known.ignores(l.Author) {
		return true
	}
	lines, err := s.at.journal.FindAll(a.Refs)
	if err != nil {
		s.node.log.Debug("cannot read what something is about", "err", err)
		return true // it was closed, and there is another
	}
	for _, t := range lines {
		m, ok := s.node.message(t)
		if !s.shows(m.RoomID, m.Room) || s.node.people.known.ignores(t.Author) {
			continue
		}
		_, told := s.told.find(t.ID)
		if !ok { // its body is missing, and comes
			if told && !s.takeBack(&t) {
				return false
			}
			continue
		}
		e := s.change(&l, &t, a.Emoji, m)
		if e == nil {
			continue
		}
		if told {
			s.told.put(t.ID, true)
		}
		if !s.send(e) || m.Kind == message.Topic && !s.topic(t.Room, m.Room) {
			return false
		}
	}
	return true
}

// takeBack withdraws a message that was told of and will be again.
func (s *subscription) takeBack(l *journal.Line) bool {
	s.told.forget(l.ID)
	return s.send(Withdrawn{Message: Message{ID: l.ID, Room: s.node.where(*l), RoomID: l.Room, Author: l.Author, Nick: s.node.people.name(l.Author, l.Nick)}, Restated: true})
}

// change is what to tell of a message, which is m by now, because of l, which is about it: nil where it counts for nothing.
func (s *subscription) change(l, of *journal.Line, emoji string, m Message) Event {
	switch {
	case l.Kind == message.Redact && m.Redacted:
		return Redacted{m}
	case l.Kind == message.React && !m.Redacted:
		on := slices.ContainsFunc(of.Marks.React, func(r journal.Reaction) bool {
			return r.Emoji == emoji && slices.ContainsFunc(r.By, func(v journal.Voice) bool { return v.Author == l.Author })
		})
		shown, _ := cleanEmoji(emoji)
		return Reacted{Message: m, Emoji: shown, By: s.node.people.name(l.Author, l.Nick), ByID: l.Author, On: on}
	case l.Author == of.Author && (l.Kind == message.Redact || l.Kind == message.Edit && !m.Redacted):
		return Edited{m}
	}
	return nil
}

// shows reports whether a room is told of.
func (s *subscription) shows(id message.RoomID, called string) bool {
	if called == "" || s.node.config.ServerOnly {
		return called != ""
	}
	if standing, _, ok := s.node.vault.Standing(id); ok {
		return standing != vault.Asked
	}
	if _, _, ok := s.node.gather.pastRoom(id); ok {
		return true
	}
	return called[0] == '@' || slices.Contains(s.node.profile.rooms(), called[1:])
}

// topic tells what a room is about where that is another than was told.
func (s *subscription) topic(id message.RoomID, called string) bool {
	if !s.shows(id, called) {
		return true
	}
	topic, err := s.node.topic(s.at, id)
	if err != nil {
		s.node.log.Debug("cannot read a topic", "err", err)
		return true
	}
	if topic.ID == s.topics[id] {
		return true
	}
	s.topics[id] = topic.ID
	return s.send(TopicChanged{Room: called, Topic: topic})
}

// stands tells how things stand, and what follows for the rooms.
func (s *subscription) stands() bool {
	n := s.node
	n.mu.Lock()
	caughtUp := n.caughtUp > s.since
	n.mu.Unlock()
	if !s.states.tell() || !s.renamed() || !s.joined() {
		return false
	}
	if caughtUp && !s.caughtUp {
		if !s.lines() {
			return false
		}
		s.caughtUp = true
		return s.send(CaughtUp{})
	}
	return true
}

// joined tells what was said in rooms that were joined since.
func (s *subscription) joined() bool {
	n := s.node
	joins := n.joins.Load()
	if joins == s.joins || n.config.ServerOnly {
		return true
	}
	s.joins = joins
	for id := range n.inRooms() {
		if s.rooms[id] {
			continue
		}
		s.rooms[id] = true
		lines, err := n.gather.page(room{id: id}, journal.Key{}, s.newest)
		if err != nil {
			n.log.Warn("cannot read history", "err", err)
			continue
		}
		if !s.tell(lines, true, false) || len(lines) > 0 && !s.topic(id, n.where(lines[0])) {
			return false
		}
	}
	return true
}

// renamed tells which rooms are called something else.
func (s *subscription) renamed() bool {
	for id, was := range s.called {
		now := s.node.called(id)
		if now == was || now == "" {
			continue
		}
		s.called[id] = now
		if !s.send(RoomRenamed{ID: id, Old: was, New: now}) {
			return false
		}
	}
	return true
}
