package journal

import (
	"math"
	"sync"
	"time"

	"earshot/node/message"
)

// A Clock is the machine's clock, corrected by what others vouch for. All journals of a process share one. Its methods may be called concurrently.
//
// People set clocks, and machines start without one. What was vouched for runs on evenly while this process runs, whatever is done to the machine's clock: set
// back, or right, it changes nothing. A clock that leaps ahead may have been set, or the machine slept, when nothing runs evenly: it is followed, and nobody vouches
// for it until others do so again, a second after they are met.
type Clock struct {
	local func() time.Time

	mu      sync.Mutex    // protects what follows
	offset  time.Duration // to be added to the local clock
	vouched bool
	by      any       // whose word that is, if it is only one's
	at      time.Time // by the local clock, when it was vouched for
	since   time.Time // the same moment, to measure from
}

// leap is how far the local clock may run from what is measured before it was set, or the machine slept.
const leap = time.Minute

// NewClock returns a clock that nobody vouches for. local is the machine's, which may jump; nil: time.Now.
func NewClock(local func() time.Time) *Clock {
	if local == nil {
		local = time.Now
	}
	return &Clock{local: local}
}

// Local is the time by the machine's clock alone.
func (c *Clock) Local() time.Time { return c.local().Round(0) } // only what it shows

// Now is the corrected time, and whether at least three clocks vouch for it.
func (c *Clock) Now() (now time.Time, vouched bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = c.Local()
	if !c.vouched {
		return now.Add(c.offset), false
	}
	switch ahead := now.Sub(c.at) - time.Since(c.since); {
	case ahead > leap && (ahead-c.offset).Abs() <= leap: // it was set to what was vouched for: nothing sleeps as long as its clock is wrong
		c.at, c.since, c.offset = now, time.Now(), c.offset-ahead
	case ahead > leap:
		return now.Add(c.offset), false
	case ahead < -leap:
		return now.Add(c.offset - ahead), true
	}
	return now.Add(c.offset), true
}

// Sure is the corrected time, where it is not only one's word: what is passed on, and what anything is done by for good.
func (c *Clock) Sure() (now time.Time, ok bool) {
	now, ok = c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return now, ok && c.by == nil
}

// Vouch corrects the clock.
func (c *Clock) Vouch(now time.Time) { c.Believe(now, nil) }

// Believe corrects the clock by the word of one, until it is vouched for, or that one is doubted.
func (c *Clock) Believe(now time.Time, one any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since = c.Local(), time.Now()
	c.offset, c.vouched, c.by = now.Round(0).Sub(c.at), true, one
}

// Doubt goes back to the machine's clock, if the one whose word it goes by is this.
func (c *Clock) Doubt(one any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == one {
		c.offset, c.vouched, c.by = 0, false, nil
	}
}

// maxAhead is how far a stamp may be ahead of the corrected clock and still be merged: one wrong clock must not drag honest ones.
const maxAhead = time.Minute

// aheadLocked reports whether hlc is too far ahead of the corrected clock.
func (j *Journal) aheadLocked(hlc uint64) bool {
	now, _ := j.clock.Now()
	return int64(hlc>>16) > now.Add(maxAhead).UnixMilli()
}

// stampLocked returns the next stamp of the hybrid logical clock: milliseconds since 1970 << 16 | counter, never going back.
func (j *Journal) stampLocked() uint64 {
	now, _ := j.clock.Now()
	j.hlc = max(uint64(max(now.UnixMilli(), 0))<<16, j.hlc+1)
	return j.hlc
}

// mergeLocked lets the hybrid clock go on after hlc.
func (j *Journal) mergeLocked(hlc uint64) {
	if hlc > j.hlc && !j.aheadLocked(hlc) {
		j.hlc = hlc
	}
}

// dayOf returns the day, since 1970 in UTC, of a time in milliseconds.
func dayOf(ms int64) uint32 { return uint32(min(max(ms, 0)/86_400_000, math.MaxUint32)) }

// Clock returns the clock by which this journal stamps and keeps.
func (j *Journal) Clock() *Clock { return j.clock }

// Today is the current day by the corrected clock.
func (j *Journal) Today() uint32 {
	now, _ := j.clock.Now()
	return dayOf(now.UnixMilli())
}

// Tomorrow is the newest day of which a log is taken, served and counted: later ones are the work of a wrong clock. While nobody vouches for this clock,
// all are.
func (j *Journal) Tomorrow() uint32 {
	now, vouched := j.clock.Now()
	if !vouched {
		return math.MaxUint32
	}
	return dayOf(now.UnixMilli()) + 1
}

// Horizon is the oldest day kept of a group: 0, everything, until the clock was first vouched for. It moves on when something is said or someone asks. Of a group that is not this
// person's own, and of message.Mail, it is the oldest day to be compared, too: MailKeep days before today by whatever clock there is.
func (j *Journal) Horizon(id message.GroupID) uint32 {
	j.moveHorizon()
	today := j.Today()
	j.mu.RLock()
	defer j.mu.RUnlock()
	horizon := j.horizonLocked(id, false)
	if g := j.groups[id]; id == message.Public || g != nil && g.own {
		return horizon
	}
	return max(horizon, before(today, MailKeep))
}

// Keeps reports whether what is public and said at that time is kept.
func (j *Journal) Keeps(t time.Time) bool { return dayOf(t.UnixMilli()) >= j.Horizon(message.Public) }

// before is the day n days before day.
func before(day, n uint32) uint32 { return max(day, n) - n }

// moveHorizon moves the horizons with the clock. Whose the groups are is asked anew each day, before anything is forgotten.
func (j *Journal) moveHorizon() {
	if today := j.Today(); j.reckoned.Swap(today) != today {
		j.reckon()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.moveHorizonLocked()
}

// settleTime is how long the clock must have been vouched for before a log is forgotten that was opened when it was not: what was said by a wrong clock is said again first
// (Author.Restate), and those who hear that must know what it is about.
const settleTime = 10 * time.Second

// moveHorizonLocked: what is before them is gone from the sums at once, and soon from the disk.
func (j *Journal) moveHorizonLocked() {
	now, sure := j.clock.Sure()
	today := dayOf(min(now.UnixMilli(), j.clock.Local().UnixMilli())) // both clocks: others cannot make this one forget
	switch {
	case !sure:
		j.sure = time.Time{}
		return
	case j.sure.IsZero():
		j.sure = time.Now()
	case time.Since(j.sure) >= settleTime:
		j.unsure = math.MaxUint32
	}
	to := max(j.horizon, min(before(today, j.keep), j.unsure))
	mail := max(j.mailHorizon, to, min(before(today, MailKeep), j.unsure))
	if to == j.horizon && mail == j.mailHorizon {
		return
	}
	j.horizon, j.mailHorizon = to, mail
	j.moves++
	j.raiseLocked()
	j.wake()
}
