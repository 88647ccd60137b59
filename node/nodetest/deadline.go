package nodetest

import (
	"sync"
	"time"
)

// A deadline wakes cond when it passes. It is guarded by cond.L.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) setLocked(at time.Time, cond *sync.Cond) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = at
	if left := time.Until(at); !at.IsZero() && left > 0 { // a timer that fires at once in a bubble can crash the race detector of Go 1.26
		d.timer = time.AfterFunc(left, func() {
			cond.L.Lock()
			defer cond.L.Unlock()
			cond.Broadcast()
		})
	}
	cond.Broadcast()
}

func (d *deadline) passedLocked() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }
