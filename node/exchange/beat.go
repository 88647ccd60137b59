package exchange

import (
	"time"

	"earshot/node/message"
	"earshot/node/wire"
)

// rest is how long this end may say nothing. The hub speaks at the same moments on all links of a phase: at rest, what costs is to wake up.
func (p *peer) rest() time.Duration {
	if p.Ping == 0 {
		return beatPatience
	}
	return p.Ping - p.phased()%p.Ping
}

// phased is how long the moments of this link's phase have been counted. BEATs have moments of their own, too: what thousands answer at once keeps everything else from running.
func (p *peer) phased() time.Duration { return time.Since(p.exchange.born) + beatEvery - p.Phase }

// ring says something: the hub a BEAT once a second, and a PING in between. To whom something was written lately it does not: a PING is not needed, and a BEAT goes with what is written next, or is
// written when it rings again. What was said to a throng and not written yet (relay) is. The other end answers each BEAT with its own, and has come here because there was none; it sets its alarm anew.
func (p *peer) ring() {
	if p.stuck() {
		p.fail(ErrStuck)
		return
	}
	second, spoken := p.phased()/beatEvery, p.spoken()
	last, many := p.journal.Last(), len(p.exchange.relay.all()) >= throng
	p.mu.Lock()
	if p.gone {
		p.mu.Unlock()
		return
	}
	late := p.due || many && p.tailing && p.at < last
	switch {
	case p.Ping == 0 || second != p.second:
		p.second, p.due = second, true
	case !spoken:
		p.answers = wire.AppendFrame(p.answers, wire.TypePing, nil)
	}
	if p.alarm != nil {
		p.alarm.Reset(p.rest())
	}
	p.mu.Unlock()
	if spoken && !late {
		return
	}
	p.say(little)
}

// answerBeat lets the writer answer a BEAT, which costs neither end another wake-up; but not as often as the other end likes.
func (p *peer) answerBeat() {
	now := time.Now()
	if now.Sub(p.beaten) < beatEvery/2 {
		return
	}
	p.beaten = now
	p.mu.Lock()
	p.due = true
	p.mu.Unlock()
	p.say(little)
}

// appendBeat adds BEAT. The root goes with it only if this end is caught up: everything sent, nothing being brought by any link.
func (p *peer) appendBeat(b []byte, serving bool) ([]byte, error) {
	x := p.exchange
	p.mu.Lock()
	beat := wire.Beat{Clock: p.journal.Clock().Local().UnixMilli(), Received: p.received}
	quiet := !(p.handing && !p.witness) && !serving && !p.walking && len(p.answers) == 0 && len(p.serving) == 0
	covered := p.covered
	p.appendMarkLocked(&beat)
	p.mu.Unlock()
	if quiet && !x.busy() && p.cursor.Arrival() == p.journal.Last() {
		beat.From, beat.Covers = p.from(), covered.digest
		root, err := p.root(beat.From, covered)
		if err != nil {
			return nil, err
		}
		if p.cursor.Arrival() == p.journal.Last() { // nothing came in between
			beat.Root = &root
		}
	}
	if net, ok := x.vouched(p.Hub); ok {
		beat.Net, beat.Vouched = net.UnixMilli(), true
	}
	if p.Hub {
		beat.Waiting = x.acks.asks(p)
	} else if x.config.Waiting != nil {
		beat.Waiting = x.config.Waiting()
	}
	return wire.Append(b, wire.TypeBeat, &beat), nil
}

// appendMarkLocked adds what the way to the other end and back is measured by. It counts from the moment the BEAT is written, so what this end is slow at is no part of it.
func (p *peer) appendMarkLocked(b *wire.Beat) {
	switch {
	case p.Hub:
		b.Mark, b.Trip = p.exchange.mark(), uint32(p.trip.Microseconds())
	case p.mark != 0:
		b.Mark, b.Held = p.mark, uint32(time.Since(p.marked).Microseconds())
		p.mark = 0
	}
}

// mark is a clock in µs that is never 0.
func (x *Exchange) mark() uint32 { return max(uint32(time.Since(x.born).Microseconds()), 1) }

const (
	// longestTrip is the longest way that is believed: after that the link is not there any more.
	longestTrip = 5 * time.Second
	// tripNews is by how much more than a quarter a way must have changed to be news: on a LAN each is another, and all that is shown would be drawn anew for it.
	tripNews = 2 * time.Millisecond
)

// measure takes what the other end's BEAT says about the way.
func (p *peer) measure(b *wire.Beat) {
	if p.old() {
		return
	}
	p.mu.Lock()
	if p.Hub {
		if b.Mark == 0 {
			p.mu.Unlock()
			return
		}
		trip := time.Duration(p.exchange.mark()-b.Mark-b.Held) * time.Microsecond
		switch {
		case trip > longestTrip: // nothing is learnt from that
		case p.trip == 0:
			p.trip = trip
		default:
			p.trip += (trip - p.trip) / 8
		}
	} else {
		p.mark, p.marked, p.trip = b.Mark, time.Now(), min(time.Duration(b.Trip)*time.Microsecond, longestTrip)
	}
	trip := p.trip
	news := trip > 0 && (p.tripTold == 0 || (trip-p.tripTold).Abs() > p.tripTold/4+tripNews)
	if news {
		p.tripTold = trip
	}
	p.mu.Unlock()
	if p.Trip != nil && trip > 0 {
		p.Trip(trip, news)
	}
}

// beat takes the other end's BEAT.
func (p *peer) beat(b *wire.Beat) error {
	p.takeTime(b)
	p.measure(b)
	if p.Hub {
		p.exchange.acks.waiting(p, b.Waiting)
		p.tellCaughtUp()
	}
	if p.mine != nil && (!p.Hub || p.seen < p.journal.LastMailbox()) && p.news() {
		if _, err := p.offer(true); err != nil {
			return err
		}
		b.Root = nil // the STATE compares more than it does
	}
	if err := p.fill(); err != nil {
		return err
	}
	if err := p.askBodies(); err != nil {
		return err
	}
	if err := p.differs(b); err != nil { // before HAVE: an answer that waits is in flight, and the hub asks each time for what is lacking here
		return err
	}
	if p.Hub {
		return nil
	}
	if err := p.tellHave(b.Waiting); err != nil {
		return err
	}
	p.answerBeat()
	return nil
}

// maxApart is for how many BEATs both ends may cover other groups before they say again what they list.
const maxApart = 3

// differs compares the journals where nothing is in flight, and starts again from STATE where they are not equal. The end with the earlier horizon always can: the
// other's root is from a later one. The other cannot where its own has moved on since it was told.
func (p *peer) differs(b *wire.Beat) error {
	if b.Root == nil || p.walk != nil || p.exchange.busy() {
		return nil
	}
	p.mu.Lock()
	exact := b.Received == p.sent && p.state != nil && p.tailing && len(p.answers) == 0 && len(p.serving) == 0
	covered, at := p.covered, p.at
	p.mu.Unlock()
	if !exact || at != p.journal.Last() || b.From < p.journal.Horizon(message.Public) {
		return nil
	}
	if b.Covers == covered.digest {
		p.apart = 0
	} else if p.apart++; p.apart < maxApart { // STATE may be on its way
		return nil
	}
	if p.apart == 0 && p.hands() {
		p.handed()
		return nil
	}
	root, err := p.root(b.From, covered)
	if err != nil || p.apart == 0 && root == *b.Root {
		return err
	}
	now := time.Now()
	if now.Before(p.again) {
		return nil
	}
	p.pause = min(max(2*p.pause, beatEvery), maxPause) // what one end does not take it will not take a second later
	p.again = now.Add(p.pause)
	p.exchange.log.Debug("journals differ", "peer", p.Session)
	_, err = p.offer(true)
	return err
}

// tellHave answers what the hub asks for.
func (p *peer) tellHave(asked []wire.Head) error {
	if len(asked) == 0 || !p.journal.Persistent() {
		return nil
	}
	var have wire.Have
	for _, a := range asked {
		if h, ok := p.journal.DurableHead(a.Log); ok {
			have.Heads = append(have.Heads, head(h))
		}
	}
	return p.answer(wire.TypeHave, &have)
}
