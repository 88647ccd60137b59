package discovery

import (
	"fmt"
	"testing"
	"time"
)

// Twenty hosts start at once, and all find all. What each multicasts meanwhile is bounded by the schedule, whatever the others do.
func TestCrowd(t *testing.T) {
	onLAN(t, func(t *testing.T, l *lan) {
		const crowd = 20
		var hosts []*host
		for i := range crowd {
			h := l.host(t)
			h.plug(t, "eth0", "br0", fmt.Sprintf("10.77.0.%d/24", i+1))
			hosts = append(hosts, h)
		}
		seen := browse(t, hosts[0])
		var all []*participant
		begun := time.Now()
		for i, h := range hosts {
			all = append(all, h.run(t, byte(i+1), 0))
		}
		started := time.Since(begun)
		var longest time.Duration
		for _, p := range all {
			for _, q := range all {
				if p != q {
					longest = max(longest, p.took(t, q))
				}
			}
		}
		within(t, fmt.Sprintf("all started in %v, and found all", started.Round(time.Millisecond)), longest, 3*time.Second)
		for _, p := range all {
			p.stop()
		}
		took := time.Since(begun)
		questions, announcements := 0, 0
		for len(seen.heard) > 0 {
			if m := <-seen.heard; m.Response {
				announcements++
			} else {
				questions++
			}
		}
		// Of the schedule: as many questions as began, and announcements as many as that, one a second more, and the goodbye.
		seconds := int(took/time.Second) + 1
		if questions == 0 || questions > crowd*(3+seconds) || announcements > crowd*(4+2*seconds) {
			t.Errorf("%d questions and %d announcements in %v", questions, announcements, took)
		}
		t.Logf("%d questions and %d announcements in %v", questions, announcements, took.Round(time.Millisecond))
	})
}
