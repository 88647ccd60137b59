package node

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The clocks are the system's, asked without its scheduler.
func TestClock(t *testing.T) {
	for _, id := range []int32{unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME} {
		var before, after unix.Timespec
		unix.ClockGettime(id, &before)
		now := clock(id)
		unix.ClockGettime(id, &after)
		if now < time.Duration(before.Nano()) || now > time.Duration(after.Nano()) {
			t.Errorf("clock %d is %v, between %v and %v", id, now, before.Nano(), after.Nano())
		}
	}
}
