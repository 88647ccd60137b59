package node

import (
	"time"
	"unsafe"

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
	// It does not fail for clocks that Linux has, and takes too little time to tell the scheduler of it: an idle hub asks four times a second, and the runtime's monitor would wake up each time.
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}
