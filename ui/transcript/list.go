// Package transcript is the message list: what was said in one room, drawn on as much of the screen as it is given.
//
// Only what is visible is wrapped and drawn, so that a long history costs nothing; wrapped lines are kept with their entry until the width or the
// neighbours change. Messages stand in the order of their keys, the same on every machine. What is the program's own (notes, answers, who came
// and went) stands where it happened: behind the messages that were there, and before what is said next. History that comes later slips in before it.
//
// While the user has scrolled up the line at the top stays the same, whatever arrives and whatever width the screen takes. Memory is bounded:
// beyond Limit entries the far end is let go, and comes back page by page, before the user is there. The first line of a room, or any other, is shown with a page of what is
// around it, and the way from there to the newest is read in the same manner.
//
// A List is used from one goroutine. It never blocks; who owns it calls Ask, reads the page elsewhere, and hands it in with Take.
package transcript

import (
	"slices"
	"sort"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/ui/cell"
	"earshot/ui/look"
)

// Limit is how many entries a list keeps, and clearedKept how many messages that were cleared away: as many as line mode knows of those it printed.
const (
	Limit       = 20_000
	clearedKept = 1000
)

// A List is described in the package comment.
type List struct {
	look    *look.Look
	limit   int
	entries []*entry
	byID    map[message.ID]*entry
	answers map[message.ID][]*entry // to what has not come, by what that is
	open    int                     // how many they are, and those that are not kept any more
	pending int                     // how many entries at the end are pending

	width, height int
	// follow: the end is in view. Otherwise the row of anchor that holds byte offset anchorAt of its text, or its row number anchorRow
	// counted from there, is at the top.
	follow    bool
	anchor    *entry
	anchorAt  int
	anchorRow int
	below     int // messages that arrived while not following

	unread   *entry // "new messages" stands above it
	selected *entry // the user has chosen it

	wanted    bool     // the user is looking for what is older than the oldest entry
	exhausted bool     // there is nothing older anywhere
	cutOff    bool     // there are newer messages than those kept
	goal      *Want    // where the user wants to be, what is there is not kept
	asking    bool     // a page is asked for, and has not come
	turn      int      // counts pages asked for
	meanwhile []func() // does once more what was done since one was asked for: it may be of before
	overflow  bool     // that was more than is kept
	cleared   bool     // messages were taken off the screen, and are still there
	offScreen []*entry // the newest of those, oldest first: commands mean them still
}

// New returns an empty list.
func New(l *look.Look) *List {
	return &List{look: l, limit: Limit, byID: map[message.ID]*entry{}, follow: true}
}

// SetLook draws everything in another look from now on.
func (l *List) SetLook(k *look.Look) {
	l.look = k
	for _, e := range l.entries {
		e.drawn = drawn{}
	}
}

// Add puts a message in its place; one that is there already is only brought up to date. me is the user's nick; unseen says that the user is
// not looking. It reports whether the message is new here.
func (l *List) Add(said node.Said, me string, unseen bool) bool {
	m := said.Message
	if m.Here && !said.History && m.Again == (message.ID{}) {
		l.confirm(m)
	}
	return l.add(said, me, unseen)
}

func (l *List) add(said node.Said, me string, unseen bool) bool {
	m := said.Message
	if old := l.byID[m.ID]; old != nil || !displayed(m.Kind) {
		return false
	}
	l.again(func() { l.add(said, me, false) })
	if l.cutOff && (!said.History || less(l.newest(), m.Key)) {
		l.below++
		return true // it comes with the newest page
	}
	e := fromMessage(m, me)
	e.live = !said.History && m.Here
	at := l.insert(e, said.History)
	l.introduce(e, &m)
	if !l.follow && !m.Mine && at > l.index(l.anchor) {
		l.below++
	}
	if unseen && !m.Mine && (l.unread == nil || said.History && less(e.key, l.unread.key)) { // what the others had comes the newest day first
		l.unread = e
	}
	if at == 0 && said.History {
		l.exhausted = false
	}
	l.trim()
	return true
}

// place returns where a key belongs: behind everything that is not greater.
func (l *List) place(k node.Key) int {
	return sort.Search(len(l.entries)-l.pending, func(i int) bool { return less(k, l.entries[i].key) })
}

func (l *List) insert(e *entry, before bool) int {
	at := l.place(e.key)
	for before && at > 0 && l.entries[at-1].id == (message.ID{}) {
		at--
		l.entries[at].key = e.key
	}
	l.entries = slices.Insert(l.entries, at, e)
	l.byID[e.id] = e
	return at
}

// introduce shows a message in what answers it and came before it, as the newest day of what others had does. What answers one that has not come waits for that.
func (l *List) introduce(e *entry, m *node.Message) {
	for _, answer := range l.answers[m.ID] {
		answer.quoting(m.Nick, m.Text)
	}
	delete(l.answers, m.ID)
	if m.Quote.ID == (message.ID{}) || m.Quote.Nick != "" {
		return
	}
	if l.open++; l.answers == nil || l.open > l.limit {
		l.answers, l.open = map[message.ID][]*entry{}, 1
	}
	l.answers[m.Quote.ID] = append(l.answers[m.Quote.ID], e)
}

func less(a, b node.Key) bool {
	if a.HLC != b.HLC {
		return a.HLC < b.HLC
	}
	if c := slices.Compare(a.Log[:], b.Log[:]); c != 0 {
		return c < 0
	}
	return a.Seq < b.Seq
}

// Late counts a message that arrived too late to be seen, in a line at the end.
func (l *List) Late(at time.Time) {
	if e := l.last(); e != nil && e.kind == late {
		e.count++
		e.text = lateText(e.count)
		e.drawn = drawn{}
		return
	}
	l.own(&entry{kind: late, at: at, count: 1, text: lateText(1)})
}

// Last reports whether a message is the newest.
func (l *List) Last(id message.ID) bool {
	for _, e := range slices.Backward(l.entries) {
		if e.id != (message.ID{}) {
			return e.id == id
		}
	}
	return false
}

// Event shows a line of the program's own.
func (l *List) Event(at time.Time, text string) {
	l.own(&entry{kind: event, at: at, text: cell.Clean(text)})
}

// Answer shows what the user asked for.
func (l *List) Answer(at time.Time, text string) {
	l.own(&entry{kind: answer, at: at, text: cell.Clean(text)})
}

// Problem shows what went wrong and what can be done about it, or nothing.
func (l *List) Problem(at time.Time, text, hint string) {
	l.own(&entry{kind: problem, at: at, text: cell.Clean(text), hint: cell.Clean(hint)})
}

// mostMoves is how many people a run tells of: what one more takes grows with them.
const mostMoves = 500

// Presence shows who joined or left; a run of them is one line.
func (l *List) Presence(at time.Time, p node.PeerChanged) {
	e := l.last()
	if e == nil || e.kind != presence || at.Sub(e.at) > 10*time.Minute || len(e.moves) == mostMoves {
		e = &entry{kind: presence, at: at}
		l.own(e)
	}
	e.add(p)
	e.drawn = drawn{}
}

// own puts an entry that is not a message at the end, before what is pending.
func (l *List) own(e *entry) {
	end := len(l.entries) - l.pending
	if end > 0 {
		e.key = l.entries[end-1].key
	}
	l.entries = slices.Insert(l.entries, end, e)
	l.trim()
}

// last returns the last entry that is not pending.
func (l *List) last() *entry {
	if end := len(l.entries) - l.pending; end > 0 {
		return l.entries[end-1]
	}
	return nil
}

// Pend shows a line at once that the node has not told back yet; Forget takes it away again.
func (l *List) Pend(at time.Time, me node.Person, say node.Say) {
	e := &entry{at: at, nick: cell.Line(me.Nick), author: me.ID, text: cell.Clean(say.Text), mine: true, pending: true, live: true}
	if say.Action {
		e.kind = action
	}
	l.entries = append(l.entries, e)
	l.pending++
}

// Forget takes the oldest pending line with that text away.
func (l *List) Forget(say node.Say) { l.drop(cell.Clean(say.Text), say.Action) }

func (l *List) confirm(m node.Message) { l.drop(cell.Clean(m.Text), m.Kind == message.Action) }

func (l *List) drop(text string, isAction bool) {
	for i := len(l.entries) - l.pending; i < len(l.entries); i++ {
		if e := l.entries[i]; e.text == text && (e.kind == action) == isAction {
			l.release(e, i)
			l.entries = slices.Delete(l.entries, i, i+1)
			l.pending--
			return
		}
	}
}

// release keeps the anchor off an entry that goes.
func (l *List) release(e *entry, i int) {
	if l.anchor != e {
		return
	}
	l.follow = true
	if i > 0 {
		l.follow, l.anchor, l.anchorAt, l.anchorRow = false, l.entries[i-1], 0, 0
	}
}

// Change takes over what became of a message; words says that its text is another, which matters to what quotes it. me is the user's nick.
func (l *List) Change(m node.Message, me string, words bool) {
	l.again(func() { l.Change(m, me, words) })
	if e := l.byID[m.ID]; e != nil {
		e.set(m, me)
	}
	for _, e := range l.offScreen {
		if e.id == m.ID {
			e.set(m, me)
		}
	}
	for _, e := range l.entries {
		if words && e.quotes == m.ID {
			e.quoting(m.Nick, m.Text)
		}
	}
}

// Recent returns the newest n messages as commands know them, oldest first.
func (l *List) Recent(room string, n int) (out []node.Message) {
	for _, e := range slices.Backward(l.messages()) {
		if len(out) == n {
			break
		}
		out = append(out, node.Message{ID: e.id, Room: room, Key: e.key, Kind: e.of, Nick: e.nick, Author: e.author, Text: e.text, At: e.at, Mine: e.mine, Redacted: e.redacted})
	}
	slices.Reverse(out)
	return out
}

// messages returns the messages, and those that were cleared away, oldest first.
func (l *List) messages() []*entry {
	list := slices.DeleteFunc(slices.Clone(l.entries), func(e *entry) bool { return e.id == (message.ID{}) })
	if len(l.offScreen) == 0 {
		return list
	}
	for _, e := range l.offScreen {
		if l.byID[e.id] == nil { // else it came back
			list = append(list, e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return less(list[i].key, list[j].key) })
	return list
}

// Behind reports whether there are newer messages than those kept, or of the user's own on their way.
func (l *List) Behind() bool { return l.cutOff || l.pending > 0 }

// LastOwn is the user's own newest message of those that can be changed; without an ID: there is none.
func (l *List) LastOwn() (s Selected) {
	s, _ = l.NewestWhere(func(s Selected) bool { return s.Mine && !s.Topic && !s.Deleted })
	return s
}

// Deliver tells how many machines have an own message.
func (l *List) Deliver(d node.Delivered) bool {
	l.again(func() { l.Deliver(d) })
	e := l.byID[d.ID]
	if e == nil {
		return false
	}
	e.copies, e.all, e.live, e.lost = max(e.copies, d.Copies), d.All, true, d.Copies == 0
	e.drawn = drawn{}
	return true
}

// ReadTo tells that the other of a conversation has read what the user said, up to a place.
func (l *List) ReadTo(up node.Key) {
	l.again(func() { l.ReadTo(up) })
	for _, e := range l.entries {
		if e.mine && !e.pending && !e.read && !less(up, e.key) {
			e.read, e.drawn = true, drawn{}
		}
	}
}

// Withdraw takes a message away.
func (l *List) Withdraw(id message.ID) {
	l.again(func() { l.Withdraw(id) })
	l.offScreen = slices.DeleteFunc(l.offScreen, func(e *entry) bool { return e.id == id })
	e := l.byID[id]
	if e == nil {
		return
	}
	i := l.index(e)
	if !l.follow && !e.mine && i > l.index(l.anchor) {
		l.below = max(0, l.below-1)
	}
	l.release(e, i)
	l.entries = slices.Delete(l.entries, i, i+1)
	delete(l.byID, id)
	if l.unread == e {
		l.unread = nil
		if i < len(l.entries) {
			l.unread = l.entries[i]
		}
	}
}

// Hide takes away all that someone said.
func (l *List) Hide(author identity.PeerID) {
	l.again(func() { l.Hide(author) })
	var gone []message.ID
	for _, e := range l.messages() {
		if e.author == author {
			gone = append(gone, e.id)
		}
	}
	for _, id := range gone {
		l.Withdraw(id)
	}
}

// Reload reads the newest page again, which may have more than is here.
func (l *List) Reload() { l.goal = &Want{Kind: Newest} }

// Clear empties the list; what was there comes back by scrolling up, and is meant by commands as before.
func (l *List) Clear() {
	var gone []*entry
	if !l.cutOff { // else the newest are not among them
		gone = l.messages()
		gone = slices.Clone(gone[max(0, len(gone)-clearedKept):])
	}
	for _, e := range gone {
		e.drawn = drawn{}
	}
	kept := l.entries[len(l.entries)-l.pending:]
	*l = List{look: l.look, limit: l.limit, byID: map[message.ID]*entry{}, follow: true, width: l.width, height: l.height, pending: l.pending, turn: l.turn, cleared: l.cleared || len(l.byID) > 0, offScreen: gone}
	l.entries = slices.Clone(kept)
}

// Move forgets what others said, because the conversation is now another. What the user said in this run stays: it is said there as well.
func (l *List) Move() {
	keep := func(e *entry) bool { return e.id == (message.ID{}) || e.mine && e.live }
	kept := slices.DeleteFunc(l.entries, func(e *entry) bool { return !keep(e) })
	*l = List{look: l.look, limit: l.limit, byID: map[message.ID]*entry{}, follow: true, width: l.width, height: l.height, pending: l.pending, entries: kept, turn: l.turn}
	for _, e := range kept {
		if e.id != (message.ID{}) {
			l.byID[e.id] = e
		}
	}
}

// Read takes the line "new messages" away.
func (l *List) Read() { l.unread = nil }

// Cleared reports whether messages were here that Clear took away.
func (l *List) Cleared() bool { return l.cleared }

// Empty reports whether there is nothing to be shown.
func (l *List) Empty() bool { return len(l.entries) == 0 }

// Below returns how many messages arrived while the end was not in view.
func (l *List) Below() int { return l.below }

// Following reports whether the end is in view.
func (l *List) Following() bool { return l.follow }
