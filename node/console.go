package node

import (
	"context"
	"iter"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// What Console tells of messages: 5,000 at once, which is what 250 people can say in one moment, each the 20 that their rate lets them (Config.Rate), and 100 a second lasting, some 30 MB of text an hour. That is 8,000 in 30 s:
// of more than 10,000 in that time systemd-journald drops what comes last, whatever it is (RateLimitBurst= in journald.conf(5)).
const (
	consoleAtOnce  = 5000
	consoleASecond = 100
	// passedEvery is how often Passed is told, at most.
	passedEvery = time.Second
	// consoleWaits is for how long what happens waits for what follows, to be told together: two goroutines are woken for it, and something is written.
	consoleWaits = 100 * time.Millisecond
)

// Console is Events for what a box prints, which nobody watches and which stays on its disk: of messages in a flood it tells so many, and Passed how many more there were, which are not even decoded. Everything else,
// and all of the stored history that was asked for, is told as by Events. It may come 100 ms late, with what follows it.
func (n *Node) Console(ctx context.Context, history int) <-chan []Event {
	out := make(chan []Event, listsAhead)
	n.events(ctx, out, history, (*journal.Journal).Last, newRation(), false, func() { close(out) })
	return out
}

// A ration is what Console may tell of messages, and what it has passed over.
type ration struct {
	left   *rate.Limiter
	passed Passed
	topics map[message.RoomID]string // the rooms, and what they are called, whose topic may be another by what was passed over
	until  time.Time                 // nothing is told before that, and what was passed over then; zero: all is told
	end    <-chan time.Time          // fires then
}

func newRation() *ration {
	return &ration{left: rate.NewLimiter(consoleASecond, consoleAtOnce), topics: map[message.RoomID]string{}}
}

// ended fires when it is time to tell what was passed over.
func (r *ration) ended() <-chan time.Time {
	if r == nil {
		return nil
	}
	return r.end
}

// spent reports whether nothing more is told for the time being.
func (r *ration) spent() bool { return r != nil && !r.until.IsZero() }

// take returns how many of lines may be told.
func (r *ration) take(lines []journal.Line, now time.Time) int {
	for i := range lines {
		l := &lines[i]
		cost := 1
		if l.Kind == message.Redact { // each that it deletes is told
			about, _ := message.ParseAbout(l.Kind, l.Body)
			cost = max(1, len(about.Refs))
		}
		if isTold(l.Kind) && !r.left.AllowN(now, cost) {
			return i
		}
	}
	return len(lines)
}

// isTold reports whether messages of that kind are told, or what they are about.
func isTold(k message.Kind) bool {
	switch k {
	case message.Text, message.Action, message.Topic, message.Reply, message.Edit, message.Redact, message.React:
		return true
	}
	return false
}

// grant returns how many of the lines of one run are looked at, to be told.
func (s *subscription) grant(lines []journal.Line) int {
	if s.ration == nil || len(lines) == 0 {
		return len(lines)
	}
	if v := s.node.voice(&lines[0]); v.ignored || !s.shows(v.room, v.called) {
		return len(lines) // none is told
	}
	return s.ration.take(lines, time.Now())
}

// skim passes over one run without making lines of it; false: it has to be looked at.
func (s *subscription) skim(e journal.Entry) bool {
	l, held := s.at.journal.Whose(e)
	v := s.node.voice(&l)
	if !held || !s.shows(v.room, v.called) {
		return true
	}
	if v.ignored || e.Group != message.Public { // is not to be counted, or sealed
		return false
	}
	s.pass(&v, &l, message.Skim(e.Frame[wire.HeaderLen:]))
	return true
}

// passLines passes over lines of one run.
func (s *subscription) passLines(lines []journal.Line) {
	if len(lines) == 0 {
		return
	}
	v := s.node.voice(&lines[0])
	s.pass(&v, &lines[0], func(yield func(uint64, message.Kind) bool) {
		for i := range lines {
			if !yield(lines[i].HLC, lines[i].Kind) {
				return
			}
		}
	})
}

// pass counts messages of one log that are not told: when each was said, and its kind.
func (s *subscription) pass(v *voice, l *journal.Line, said iter.Seq2[uint64, message.Kind]) {
	r, count, last := s.ration, 0, uint64(0)
	for hlc, k := range said {
		if !isTold(k) {
			continue
		}
		count, last = count+1, hlc
		if k == message.Topic || k == message.Edit || k == message.Redact {
			r.topics[v.room] = v.called
		}
	}
	if count == 0 {
		return
	}
	s.met = s.met || !s.at.alone
	s.node.people.known.heard(l.Author, message.ShowNick(l.Nick), timeOf(last))
	s.node.typing.said(l.Author, l.Room)
	if !r.spent() {
		r.until, r.end, r.passed.Room = time.Now().Add(passedEvery), time.After(passedEvery), v.called
	}
	if r.passed.Count += count; r.passed.Room != v.called {
		r.passed.Room = ""
	}
}

// passed tells what was passed over, when it is time, and what the rooms are about by now.
func (s *subscription) passed() bool {
	r := s.ration
	if !r.spent() || time.Now().Before(r.until) {
		return true
	}
	if !s.send(r.passed) {
		return false
	}
	for id, called := range r.topics {
		if !s.topic(id, called) {
			return false
		}
	}
	clear(r.topics)
	r.passed, r.until, r.end = Passed{}, time.Time{}, nil
	return true
}

// together waits for what comes with what happened; false: nobody reads any more.
func (s *subscription) together(news <-chan struct{}) bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-s.end: // what there is by now is told still
	case <-time.After(consoleWaits):
	}
	for _, c := range [...]<-chan struct{}{news, s.changed} { // is looked for in any case
		select {
		case <-c:
		default:
		}
	}
	return true
}
