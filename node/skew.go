package node

import (
	"fmt"
	"sync"
	"time"
)

// A skew is how far this machine's clock is off, as far as the user has been told.
type skew struct {
	notice func(text, hint string)

	mu    sync.Mutex // protects what follows
	told  skewed
	when  time.Time // it was told
	now   skewed
	since time.Time // it is so
}

// skewed says which way.
type skewed int

const (
	right  skewed = iota
	ahead         // of the others
	behind        // the others
	apart         // from one other clock: one of the two is wrong
)

const (
	// skewFrom is how far off a clock is worth telling: stamps that far ahead are not merged. It is right again at half of that.
	skewFrom = time.Minute
	// skewHolds is how long it must be so: the first to be linked know one other clock, and the next tells which is wrong.
	skewHolds = 5 * time.Second
	// skewRest bounds how often the user is told, whatever others say about the time.
	skewRest = time.Minute
)

// measured is exchange.Config.Skew. It is called about once a second by each link.
func (s *skew) measured(off time.Duration, vouched bool) {
	text, hint := s.tell(off, vouched)
	if text != "" {
		s.notice(text, hint)
	}
}

func (s *skew) tell(off time.Duration, vouched bool) (text, hint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := right
	switch most := skewFrom; {
	case s.now != right && off.Abs() < most/2, s.now == right && off.Abs() < most:
	case !vouched:
		is = apart
	case off > 0:
		is = ahead
	default:
		is = behind
	}
	now := time.Now()
	if is != s.now {
		s.now, s.since = is, now
	}
	if is == s.told || now.Sub(s.since) < skewHolds || !s.when.IsZero() && now.Sub(s.when) < skewRest {
		return "", ""
	}
	s.told, s.when = is, now
	hint = "set this machine's clock; on Linux: timedatectl set-ntp true"
	switch is {
	case right:
		return "this machine's clock is right again, by those of the others here", ""
	case apart:
		return fmt.Sprintf("this machine's clock and the other one's here are %s apart: lines are dated by the clock of who wrote them", span(off)),
			"see which of the two is wrong and set it; on Linux: timedatectl set-ntp true"
	case ahead:
		return fmt.Sprintf("this machine's clock is %s ahead of the others' here: what you say is dated by theirs", span(off)), hint
	default:
		return fmt.Sprintf("this machine's clock is %s behind the others' here: what you say is dated by theirs", span(off)), hint
	}
}

// span says how long about d is.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "year"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := d.Abs().Round(unit.length) / unit.length; {
		case d.Abs() < unit.length*9/10:
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a minute"
}
