package journal

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wrongClock returns a clock and what sets it that far off.
func wrongClock() (c *Clock, set func(time.Duration)) {
	var off atomic.Int64
	return NewClock(func() time.Time { return time.Now().Add(time.Duration(off.Load())) }), func(d time.Duration) { off.Store(int64(d)) }
}

const year = 365 * 24 * time.Hour

// What is done to the machine's clock after others vouched for it.
func TestVouchedClock(t *testing.T) {
	for name, c := range map[string]struct {
		at, set time.Duration // how far it is off when vouched for, and then
		off     time.Duration // of the corrected one
		vouched bool
	}{
		"nothing":          {at: year, set: year, vouched: true},
		"slewed":           {at: -year, set: -year + 30*time.Second, off: 30 * time.Second, vouched: true},
		"put right":        {at: year, set: 0, vouched: true},
		"put right, ahead": {at: -year, set: 0, vouched: true},
		"nearly right":     {at: -year, set: -30 * time.Second, vouched: true},
		"an hour back":     {set: -time.Hour, vouched: true},
		"a year back":      {set: -year, vouched: true},
		"ahead, or asleep": {set: time.Hour, off: time.Hour},
		"40 days ahead":    {set: 40 * 24 * time.Hour, off: 40 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock, set := wrongClock()
				check := func(when string, off time.Duration, vouched bool) {
					t.Helper()
					if now, ok := clock.Now(); time.Until(now) != off || ok != vouched {
						t.Errorf("%s: %v off, vouched %v; want %v, %v", when, time.Until(now), ok, off, vouched)
					}
				}
				set(c.at)
				check("at first", c.at, false)
				clock.Vouch(time.Now())
				time.Sleep(time.Second)
				check("vouched for", 0, true)
				set(c.set)
				check("set", c.off, c.vouched)
				time.Sleep(time.Hour)
				check("an hour later", c.off, c.vouched)
				set(c.at)
				check("set back again", 0, true)
			})
		})
	}
}
