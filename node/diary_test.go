package node

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
)

// Which lines were dated by a wrong clock, once it is known what time it is.
func TestMisdated(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		then, now time.Duration // how far the clock was off when it was said, and is
		slept     time.Duration // in between
		wrong     bool
	}{
		"right":                           {},
		"an hour ahead":                   {then: time.Hour, now: time.Hour},
		"23 hours behind":                 {then: -23 * time.Hour, now: -23 * time.Hour},
		"two days ahead":                  {then: 2 * day, now: 2 * day, wrong: true},
		"three days ahead":                {then: 3 * day, now: 3 * day, wrong: true},
		"two days behind":                 {then: -2 * day, now: -2 * day, wrong: true},
		"a year ahead":                    {then: 365 * day, now: 365 * day, wrong: true},
		"a year ahead, and put right":     {then: 365 * day, wrong: true},
		"a year behind, and put right":    {then: -365 * day, wrong: true},
		"right, and set a year ahead":     {now: 365 * day},
		"right, and set a year behind":    {now: -365 * day},
		"right, over a weekend of sleep":  {slept: 3 * day},
		"wrong, over a weekend of sleep":  {then: -60 * day, now: -60 * day, slept: 3 * day, wrong: true},
		"40 days behind, then ahead":      {then: -40 * day, now: 40 * day, wrong: true},
		"a week behind, then put right":   {then: -7 * day}, // or it slept for a week
		"ahead by a week, then put right": {then: 7 * day, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				off := c.then
				clock := journal.NewClock(func() time.Time { return time.Now().Add(off) })
				d := newDiary(clock)
				key := journal.Key{HLC: uint64(clock.Local().UnixMilli()) << 16, Log: message.LogID{1}, Seq: 1}
				d.wrote(key)
				time.Sleep(time.Minute)
				off = c.now + c.slept // nothing is measured in sleep
				if logs := d.misdated(nil); logs != nil {
					t.Error("judged although nobody knows the time")
				}
				clock.Vouch(time.Now().Add(c.slept))
				at := new(gathering)
				if logs := d.misdated(at); len(logs) != 0 != c.wrong {
					t.Errorf("misdated: %v, want %v", logs, c.wrong)
				}
				if logs := d.misdated(at); len(logs) != 0 {
					t.Errorf("misdated again: %v", logs)
				}
				d.restated(key.Log)
				if logs := d.misdated(new(gathering)); len(logs) != 0 {
					t.Errorf("misdated elsewhere, although it was said again: %v", logs)
				}
			})
		})
	}
}

// However often others change their mind about what day it is, what was said is said again so often and no oftener.
func TestRestatingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := journal.NewClock(nil)
		d := newDiary(clock)
		rounds := 0
		at := new(gathering)
		for n := range byte(200) {
			clock.Vouch(time.Now().Add(time.Duration(n%2) * 365 * 24 * time.Hour))
			now, _ := clock.Now()
			logs := d.misdated(at)
			for _, l := range logs {
				d.restated(l)
			}
			if rounds += min(len(logs), 1); n == 0 || len(logs) > 0 {
				d.wrote(journal.Key{HLC: uint64(now.UnixMilli()) << 16, Log: message.LogID{n + 1}, Seq: 1})
			}
			time.Sleep(3 * time.Second)
		}
		if rounds < 8 || rounds > 9 {
			t.Errorf("said again %d times in ten minutes", rounds)
		}
		if got := d.since(d.count() - 1); !slices.Equal(got, []message.LogID{d.logs[len(d.logs)-1].log}) {
			t.Errorf("the last is %v", got)
		}
	})
}
