// Package election decides who is the hub. It is a pure step function: (time, what is known) -> (what to do, when to look again). It has no goroutine,
// no clock, no network and no memberlist; the node calls Step whenever something it depends on changed, and at the time it asked for.
//
// The rules, each with the reason for it:
//
//  1. Claims are ordered by class, weight, term and lowest id, the same on every node, so that two hubs that see each other agree which one stays. The
//     other steps down and sends its clients there. One that does not for 4 s may hold the first dead, and sees that it is not by a new term.
//  2. The seat is sticky: nobody claims while a valid claim is visible or a link to a hub is up (the hub may be out of the roster's reach). The exception is
//     a higher class, which takes over once it has seen the same seat, and a roster that does not grow, for 2 s.
//  3. The hub names its successors: those linked to it first, then by class, then who has been there longest. When the seat falls vacant they claim in that order,
//     150 ms apart, the first at once; those who know no order come after the first. Everyone else dials the expected one already before its claim is visible.
//  4. At the start there is no order: 300 ms after the roster last grew the first by class and id claims, the others 150 ms apart, all by 2.5 s. Who sees nobody at
//     all waits 800 ms, because finding a hub that is there takes that long and a claim beside it might move it.
//  5. The hub is gone for this node when a redial is refused, when it said goodbye, when more than half of the others cannot reach it (they say Lost),
//     or when it leaves the roster. The first three hold for a while against the stale claim the roster still shows, and for longer while
//     that claim does not change and there is another hub that has followers; a refusal is believed once,
//     so that a firewall that refuses one node does not make it claim again and again; and whom a hub gives its seat to is dead for nobody. Votes against a new claim count after a second: all dial
//     it at once, and where packets are lost most may be late, who would vote down one hub after another. A vote alone is no majority where others were there: who is cut off
//     sees them go one by one, and waits for what the roster says of the hub. Nor does a vote count while all others who could be the hub were voted lost themselves in the last
//     five minutes: where nobody can be reached by most, the seat would go round for ever.
//  6. A hub that did not run for 700 ms may have been replaced: it drops its claim before it says anything and listens for a second. One that most others call
//     lost, though it runs, drops it too, if another may have it, and waits longer each time before it takes over from one: a box behind a firewall must not make the seat flap.
//
// A machine with two cards may be the one way between two networks. There all have one roster, whose gossip goes through it, but a hub on one side is out of reach for the other. So that machine's
// class rises above all others while it is needed, and by rule 2 it takes the seat over. It has two seconds of patience for it like any higher class; what it
// sees as a need, and for how long, package node says. Of two such machines that one keeps the seat that has it; where it takes two of them to get from one network to a third, that one is out of reach.
//
// A node of class Never takes no seat and waits for none to be free: it follows. Where only such nodes are, there is no hub. One whose disk is full says that it is of
// that class, and resigns in favour of whoever is not; where nobody is left it keeps the seat, or takes it a second later than another would.
//
// On an open network anyone may lie in a claim, a term or a vote; the worst that follows is a hub that moves or that the liar is. Terms saturate.
package election

import "time"

// ID is an instance: its session.
type ID [8]byte

// Class ranks candidates.
type Class uint8

const (
	Never     Class = 0 // --never-hub, link-only
	Ordinary  Class = 1
	Dedicated Class = 2 // --server-only
	Bridge    Class = 3 // any but Never, while it alone reaches two networks between which nothing passes: see Input.Bridge
)

// The times of the rules.
const (
	aloneWait    = 800 * time.Millisecond  // start, nobody seen: two rounds of discovery's queries, and a hub within a second
	growthWait   = 300 * time.Millisecond  // start, after the roster last grew
	rankWait     = 150 * time.Millisecond  // between one candidate's turn and the next: a round of gossip, or a link's handshake
	startCap     = 2500 * time.Millisecond // by then somebody has claimed, whatever the roster does
	settleWait   = 2 * time.Second         // a higher class before it takes over
	weightWait   = time.Second             // before a claim's weight drops
	unfitWait    = time.Second             // for another to show that it is fit
	holdWait     = 500 * time.Millisecond  // how long one that is about to be the hub holds its callers
	outsideWait  = 5 * time.Second         // the same for a successor out of the roster's reach: it may be a slow dial away
	partedLatch  = time.Second             // a node that says it is not the hub
	deadLatch    = 5 * time.Second         // a hub that refused is held dead, in a roster of up to ten: memberlist takes up to 4 s to agree
	lostLatch    = 4 * time.Second         // one voted lost, which takes a second longer: as long as it may still count its followers; over within the 5 s that a healed network has for finding one hub
	staleLatch   = 12 * time.Second        // both, while it claims just what it claimed: more than memberlist takes until it is out of the roster, also when others do not answer
	gossipWait   = time.Second             // till a claim has come round
	pulse        = 250 * time.Millisecond  // a hub, and who is about to be it, looks at the clock this often, to notice that it did not
	overslept    = 700 * time.Millisecond  // pulse + overslept is less than it takes the others to replace a silent hub (1 s)
	hearWait     = time.Second             // listen after that before claiming
	setbackFirst = 5 * time.Second         // wait after having been voted lost, or unfit; doubles
	setbackMax   = 5 * time.Minute
	setbackReset = time.Minute     // a seat held this long was no flapping
	failedFor    = 5 * time.Minute // whom most had lost they would lose again
	maxOrder     = 256             // successors that are named
)

// Seat names one hub in one term.
type Seat struct {
	Hub  ID
	Term uint64
}

// A Member is another live instance as the roster has it.
type Member struct {
	ID    ID
	Class Class
	// Hub is set where it claims the seat, with Weight and Term. Term is the highest it has seen otherwise.
	Hub    bool
	Weight uint8
	Term   uint64
	Lost   Seat      // the hub it says it cannot reach, if any
	Linked bool      // to this node, as the hub
	Since  time.Time // when this node first saw it
}

// LinkState is how this node stands to the hub it follows.
type LinkState uint8

const (
	Idle    LinkState = iota
	Dialing           // no answer yet
	Linked            // admitted and heard from
	Refused           // it ended without BYE, and a redial was refused (or the first dial was): the process is gone
	Silent            // nothing heard for 700 ms, or more where packets are lost, and no admission within 300 ms of a redial; stays until admitted or told to follow another
	Parted            // it said BYE, or that it is not the hub
)

// Input is all that is known. Step keeps nothing of it.
type Input struct {
	// Members are the other live instances, this one left out.
	Members []Member
	// Link is the state of the link to Seat, since Since. Seat.Term is what the hub said in HELLO, before that what Follow said; Seat.Hub is zero
	// while an address given by hand is dialled for the first time. A hub without links of its own says Idle.
	Link  LinkState
	Seat  Seat
	Since time.Time
	// Successor is who the hub of Seat named when it said BYE or redirected, if anyone.
	Successor ID
	// Order is the succession as the last hub told it.
	Order []ID
	// Followers is how many are linked to this node as the hub and were heard from within 1 s.
	Followers int
	// Unfit: the disk is full; resign and do not claim where anybody else may.
	Unfit bool
	// Bridge: somebody is here who cannot reach the hub, because it is in another network, and this node has a card in both; or this node is the hub of such two.
	// It ranks above all who do not.
	Bridge bool
	// Leaving: the process is about to end; hand over and do not claim.
	Leaving bool
	// Slept is how long the machine slept in all, counted from any moment, where the clock that Step is told of stands still meanwhile.
	Slept time.Duration
}

// Action is what the node shall publish and do. It is complete: it does not depend on earlier ones.
type Action struct {
	// Hub: this node holds the seat, with this claim. Otherwise Claim.Weight is 0 and Claim.Term the highest seen, to be published with the next
	// change but not worth one of its own.
	// Claim.Class is to be published too: it is Never while this node is unfit.
	Hub   bool
	Claim Claim
	// Follow is the seat to be linked to; zero where nobody is known or this node is the hub. Whatever became of the last connection, it is to be dialled for as
	// long as it is named, at once where it differs from the link's Seat. It may name a successor that has not claimed yet, with the term expected: that one
	// holds its callers for up to 500 ms. It may name a node that is not in Members.
	Follow Seat
	// Lost is to be published; zero: nothing.
	Lost Seat
	// HandOver is set in the step in which the node stopped being the hub in favour of someone: its clients are redirected there.
	HandOver ID
	// Order is the succession this node as the hub announces, at most 256.
	Order []ID
}

// An Election is one node's view. It belongs to one goroutine.
type Election struct {
	self  ID
	class Class
	born  time.Time

	now, wake time.Time     // of the step under way
	due       time.Time     // what the last step asked for,
	slept     time.Duration // and was told

	hub      bool
	claim    Claim
	lowSince time.Time // weight has been too high since then, zero: it is not; the most it should have been is low
	low      uint8
	order    []ID // announced while the hub, until a link to another hub is up

	term    uint64    // the highest seen
	started bool      // a hub has been seen
	vacant  time.Time // no valid claim is visible since; zero: one is
	seat    Seat      // the best valid claim of another, and since when it has been that
	seatAt  time.Time
	quiet   time.Time     // no claim before
	setback time.Duration // the last wait after having been voted lost or unfit, and its end: till then nobody's seat is taken over, but a vacant one is
	humble  time.Time
	heldAt  time.Time // when the seat was claimed

	dead     map[ID]mark
	failed   map[ID]time.Time // when most had lost a hub last; this node is one of them
	partedAt time.Time        // the last goodbye that was taken in
	lost     Seat             // until lostTill, when there was no new evidence of it
	lostTill time.Time
	jury     int // the most members there were since the hub is silent; 0: it is not
	heir     ID  // named by a hub that left
	heirTill time.Time
	expect   ID // the successor followed before its claim is visible, since expectAt
	expectAt time.Time
	met      ID // the hub followed last that was a member
	outside  ID // the hub linked to that never was one
}

// New returns the election of a node that started now.
func New(self ID, class Class, now time.Time) *Election {
	return &Election{self: self, class: class, born: now, claim: Claim{ID: self, Class: class}, dead: map[ID]mark{}, failed: map[ID]time.Time{}}
}

// Step decides. wake is when to step again at the latest; zero: only when something changes. While this node is the hub or waits for its turn, wake is never further
// than 250 ms away: Step notices by its being late that the process did not run.
func (e *Election) Step(now time.Time, in Input) (a Action, wake time.Time) {
	e.now, e.wake = now, time.Time{}
	able := e.class > Never && !in.Leaving && !(in.Unfit && e.relieved(in))
	e.awake(in.Slept)
	e.learn(in)
	e.at(e.quiet)
	e.rate(in)
	if e.hub {
		e.weigh(in.Followers) // what it is compared with comes later
	}
	best, found := e.visible(in)
	e.watch(best, found)
	switch {
	case e.hub:
		a.HandOver = e.hold(in, able, best, found)
	case able && !now.Before(e.turn(in, best, found)):
		e.claim.Term, e.claim.Weight = next(e.term), 0
		e.term = e.claim.Term
		e.hub, e.heldAt, e.lowSince = true, now, time.Time{}
		e.rate(in)
		e.weigh(in.Followers)
	}
	if e.hub {
		e.started, e.heir, e.expect = true, ID{}, ID{}
		e.order = announce(in.Members)
		a.Hub, a.Order = true, e.order
		e.at(now.Add(pulse))
	} else {
		e.claim.Term, e.claim.Weight = e.term, 0
		e.rate(in)
		a.Follow = e.follow(in, able, best, found)
	}
	a.Claim, a.Lost = e.claim, e.lost
	e.due = e.wake
	return a, e.wake
}

// at asks for a step at t, if that is still to come.
func (e *Election) at(t time.Time) {
	if t.After(e.now) && (e.wake.IsZero() || t.Before(e.wake)) {
		e.wake = t
	}
}

// awake drops the claim of a process that did not run when it should have. The clock may stand still while a machine sleeps. The wall clock is not asked: whoever sets that does not keep anybody from running.
func (e *Election) awake(slept time.Duration) {
	asleep := max(0, slept-e.slept)
	e.slept = slept
	late := e.now.Sub(e.due) + asleep
	if e.due.IsZero() || late <= overslept {
		return
	}
	e.hub = false
	e.quiet = later(e.quiet, e.now.Add(hearWait))
	e.vacant = time.Time{}
	for id, m := range e.dead { // nor did the roster run meanwhile
		m.until, m.aside, m.stale = m.until.Add(late), m.aside.Add(late), m.stale.Add(late)
		e.dead[id] = m
	}
}

// rate keeps the class to be published.
func (e *Election) rate(in Input) {
	switch {
	case !in.Unfit && in.Bridge && e.class > Never:
		e.claim.Class = Bridge
	case !in.Unfit:
		e.claim.Class = e.class
	case e.hub:
		e.claim.Class = Ordinary
	default:
		e.claim.Class = Never
	}
}

// learn takes in terms and evidence.
func (e *Election) learn(in Input) {
	for _, m := range in.Members {
		e.term = max(e.term, m.Term)
	}
	switch _, member := in.member(in.Seat.Hub); {
	case in.Seat.Hub == ID{}:
	case member:
		e.met = in.Seat.Hub
		if e.outside == e.met {
			e.outside = ID{}
		}
	case in.Link == Linked && in.Seat.Hub != e.met:
		e.outside = in.Seat.Hub
	}
	if in.Link == Linked {
		e.term = max(e.term, in.Seat.Term)
		if !e.hub {
			e.order = nil
		}
	}
	e.evidence(in)
	e.vote(in)
}

// watch keeps how long the seat has been as it is.
func (e *Election) watch(best Claim, found bool) {
	if !found {
		e.seat = Seat{}
		return
	}
	e.started = true
	if s := best.seat(); s != e.seat {
		e.seat, e.seatAt = s, e.now
	}
}

// hold keeps the seat, or gives it up: then it returns in whose favour, if anyone's.
func (e *Election) hold(in Input, able bool, best Claim, found bool) (to ID) {
	deposed := e.deposed(in) && (e.another(in, e.self) || found && e.failed[best.ID].IsZero()) // where nobody else can be the hub, it is worth more than none
	switch {
	case found && (best.Better(e.claim) || !able || deposed):
		to = best.ID
	case !able:
		if line := e.line(in, false); len(line) > 0 {
			to = line[0]
			e.heir, e.heirTill = to, e.now.Add(partedLatch)
		}
	case deposed:
	default:
		if found {
			e.insist()
		}
		return ID{}
	}
	if deposed || in.Unfit {
		if e.now.Sub(e.heldAt) > setbackReset {
			e.setback = 0
		}
		e.setback = min(max(2*e.setback, setbackFirst), setbackMax)
		e.humble = e.now.Add(e.setback)
	}
	if deposed {
		e.failed[e.self] = e.now
		e.quiet = later(e.quiet, e.now.Add(hearWait))
	}
	e.hub, e.vacant = false, time.Time{}
	return to
}

// insist takes a new term where another has gone on to claim beside this hub, though its claim is worse: it may hold this one dead. That is over with a claim that
// it has not seen, which nobody makes who is dead.
func (e *Election) insist() {
	if till := e.seatAt.Add(lostLatch); e.now.Before(till) {
		e.at(till)
		return
	}
	e.term = next(e.term)
	e.claim.Term, e.seatAt = e.term, e.now
}

// turn is when this node may claim; the far future: not as things stand.
func (e *Election) turn(in Input, best Claim, found bool) time.Time {
	at := e.now.Add(time.Hour)
	switch {
	case found && e.claim.Class > best.Class:
		e.vacant = time.Time{}
		// Growth puts it off once, not for as long as people keep coming.
		grown := earlier(newest(in.Members, e.seatAt), e.seatAt.Add(settleWait))
		at = later(grown.Add(settleWait+time.Duration(e.rank(in))*rankWait), e.humble)
	case found:
		e.vacant = time.Time{}
		return at
	case e.redialling(in):
		return at
	case !e.started:
		at = e.first(in)
	default:
		at = e.succession(in)
	}
	at = later(at, e.quiet)
	if in.Unfit {
		at = at.Add(unfitWait)
	}
	e.at(earlier(at, e.now.Add(pulse)))
	return at
}

// first is this node's turn where no hub has been seen yet.
func (e *Election) first(in Input) time.Time {
	last := e.born.Add(startCap)
	switch {
	case in.Link == Dialing: // an address given by hand: hear what it says
		return last
	case len(in.Members) == 0:
		return e.born.Add(aloneWait)
	}
	return earlier(newest(in.Members, e.born).Add(growthWait+time.Duration(e.rank(in))*rankWait), last)
}

// succession is this node's turn where the hub has gone.
func (e *Election) succession(in Input) time.Time {
	if e.vacant.IsZero() {
		e.vacant = e.now
	}
	rank := e.rank(in)
	if len(in.Members) == 0 && rank > 0 { // ask those a hub out of reach named first, but not for ever
		return e.vacant.Add(outsideWait)
	}
	if rank == 0 && e.heir != e.self && len(e.known(in)) == 0 && len(in.Members) > 0 {
		rank = 1 // another may know that it is the standby
	}
	return e.vacant.Add(time.Duration(rank) * rankWait)
}

// follow is the seat to be linked to.
func (e *Election) follow(in Input, able bool, best Claim, found bool) Seat {
	if found {
		e.expect = ID{}
		return best.seat()
	}
	if e.redialling(in) {
		return in.Seat
	}
	if !e.started {
		return Seat{}
	}
	for _, id := range e.line(in, able) {
		if id == e.self {
			break
		}
		wait := outsideWait
		if _, member := in.member(id); member {
			wait = holdWait
		}
		if id != e.expect {
			e.expect, e.expectAt = id, e.now
		}
		if till := e.expectAt.Add(wait); e.now.Before(till) {
			e.at(till)
			return Seat{id, next(e.term)}
		}
		e.mark(id, mark{aside: e.now.Add(deadLatch), since: e.now})
	}
	for _, m := range in.Members { // nobody else can be: try the one the others lost
		if d := e.dead[m.ID]; m.Hub && d.refused.IsZero() {
			return Seat{m.ID, m.Term}
		}
	}
	return Seat{}
}

// redialling: the hub that is silent was never a member: no roster will say that it died, and nobody else here follows it. Keep trying.
func (e *Election) redialling(in Input) bool {
	return (in.Link == Dialing || in.Link == Silent) && in.Seat.Hub == e.outside && e.outside != ID{}
}

// weigh lets the weight of the claim follow the number of followers: up at once, down when it was lower for a second.
func (e *Election) weigh(followers int) {
	w := weight(followers)
	switch {
	case w >= e.claim.Weight:
		e.claim.Weight, e.lowSince = w, time.Time{}
		return
	case e.lowSince.IsZero():
		e.lowSince, e.low = e.now, w
	}
	e.low = max(e.low, w)
	if till := e.lowSince.Add(weightWait); e.now.Before(till) {
		e.at(till)
		return
	}
	e.claim.Weight, e.lowSince = e.low, time.Time{}
	e.weigh(followers)
}
