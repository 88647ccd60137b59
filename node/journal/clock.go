package journal

import (
	"math"
	"time"
)

// maxAhead is how far a stamp may be ahead of the corrected clock and still be merged: one wrong clock must not drag honest ones.
const maxAhead = time.Minute

// A clock is the hybrid logical clock: milliseconds since 1970 << 16 | counter, never going back.
type clock struct {
	local   func() time.Time
	offset  time.Duration
	vouched bool
	hlc     uint64 // the newest stamp given or merged
}

func (c *clock) now() time.Time { return c.local().Add(c.offset) }

// ahead reports whether hlc is too far ahead of the corrected clock.
func (c *clock) ahead(hlc uint64) bool {
	return int64(hlc>>16) > c.now().Add(maxAhead).UnixMilli()
}

// stamp returns the next stamp.
func (c *clock) stamp() uint64 {
	c.hlc = max(uint64(max(c.now().UnixMilli(), 0))<<16, c.hlc+1)
	return c.hlc
}

// dayOf returns the day, since 1970 in UTC, of a time in milliseconds.
func dayOf(ms int64) uint32 { return uint32(min(max(ms, 0)/86_400_000, math.MaxUint32)) }

// mergeLocked lets the clock go on after hlc.
func (j *Journal) mergeLocked(hlc uint64) {
	if hlc > j.clock.hlc && !j.clock.ahead(hlc) {
		j.clock.hlc = hlc
	}
}

// Offset sets what is added to the local clock, and whether at least three clocks vouch for it.
func (j *Journal) Offset(d time.Duration, vouched bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clock.offset, j.clock.vouched = d, vouched
	j.moveHorizonLocked()
}

// Local is the time by this machine's clock.
func (j *Journal) Local() time.Time { return j.conf.Clock() }

// Now is the corrected time.
func (j *Journal) Now() time.Time {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.clock.now()
}

// Today is the current day by the corrected clock.
func (j *Journal) Today() uint32 { return dayOf(j.Now().UnixMilli()) }

// Horizon is the oldest day kept: 0, everything, until the clock was first vouched for. It moves on when the clock is set, something is said, or
// someone asks, and never goes back while the process runs.
func (j *Journal) Horizon() uint32 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.moveHorizonLocked()
	return j.horizon
}

// moveHorizonLocked moves the horizon with the clock. What is before it is gone from the sums at once, and soon from the disk.
func (j *Journal) moveHorizonLocked() {
	today := dayOf(min(j.clock.now().UnixMilli(), j.clock.local().UnixMilli())) // both clocks: others cannot make this one forget
	if !j.clock.vouched || today < j.keep || today-j.keep <= j.horizon {
		return
	}
	j.horizon = today - j.keep
	for _, days := range j.sums {
		for day := range days {
			if day < j.horizon {
				delete(days, day)
			}
		}
	}
	j.wake()
}
