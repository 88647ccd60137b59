package node

import (
	"time"

	"golang.org/x/sys/unix"
)

// slept is how long this machine has slept since it was started, which time.Now does not count (clock_gettime(2), CLOCK_BOOTTIME).
func slept(time.Time) time.Duration {
	for {
		from := clock(unix.CLOCK_MONOTONIC)
		boot := clock(unix.CLOCK_BOOTTIME)
		if clock(unix.CLOCK_MONOTONIC)-from < 10*time.Millisecond { // otherwise it was kept from running between the two
			return boot - from
		}
	}
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	unix.ClockGettime(id, &t) // which does not fail for clocks that Linux has
	return time.Duration(t.Nano())
}
