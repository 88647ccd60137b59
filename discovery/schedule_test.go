package discovery

import (
	"testing"
	"testing/synctest"
	"time"
)

// follow runs s as Run does, and returns when it asked and how often it announced meanwhile.
func follow(n int, s *schedule, peers int) (at []time.Duration, announced int) {
	begun := time.Now()
	for range n {
		time.Sleep(time.Until(s.next))
		if s.announces() {
			announced++
		}
		at = append(at, time.Since(begun))
		s.asked(time.Now(), peers)
	}
	return at, announced
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s schedule
		s.restart(time.Now())
		at, announced := follow(107, &s, 3)
		for i, want := range []time.Duration{0, 250, 1000, 2000, 4000, 8000, 16000} {
			if at[i] != want*time.Millisecond {
				t.Errorf("question %d at %v, not %v ms", i, at[i], int64(want))
			}
		}
		if announced != 4 {
			t.Errorf("%d announcements go with questions, not 4", announced)
		}
		different := false
		for i := 7; i < len(at); i++ {
			gap := at[i] - at[i-1]
			if gap < 22500*time.Millisecond || gap > 37500*time.Millisecond {
				t.Errorf("gap %d is %v, not 30 s ± 25 %%", i, gap)
			}
			different = different || gap != at[7]-at[6]
		}
		if !different {
			t.Error("all gaps are the same")
		}
	})
}

func TestScheduleAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s schedule
		s.restart(time.Now())
		at, _ := follow(30, &s, 0)
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > 6250*time.Millisecond {
				t.Errorf("alone, gap %d is %v", i, gap)
			}
		}
	})
}

func TestScheduleStretches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for peers, want := range map[int]time.Duration{10: 30 * time.Second, 40: 2 * time.Minute, 1024: 5 * time.Minute} {
			var s schedule
			s.restart(time.Now())
			at, _ := follow(9, &s, peers)
			if gap := at[7] - at[6]; gap < steadyGap*3/4 || gap > want*5/4 {
				t.Errorf("with %d peers it asks again after %v", peers, gap)
			}
			if gap := at[8] - at[7]; gap < want*3/4 || gap > want*5/4 {
				t.Errorf("with %d peers it asks every %v, not %v", peers, gap, want)
			}
		}
	})
}

func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s schedule
		s.restart(time.Now())
		follow(8, &s, 1)
		s.kick(time.Now())
		if !s.due(time.Now()) || !s.announces() {
			t.Error("a kick does not ask at once")
		}
		n := 0
		for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
			s.kick(time.Now())
			if s.due(time.Now()) {
				s.asked(time.Now(), 1)
				n++
			}
		}
		if n > 3*10 {
			t.Errorf("kicked all the time it asked %d times in 10 s", n)
		}
	})
}

// A thousand questions a second are answered once a second, the last one too.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		var at []time.Duration
		begun := time.Now()
		for time.Since(begun) < 8*time.Second {
			if time.Since(begun) < 4500*time.Millisecond {
				p.want(time.Now(), 50*time.Millisecond)
			}
			if p.ready(time.Now()) {
				p.said(time.Now())
				at = append(at, time.Since(begun))
			}
			time.Sleep(time.Millisecond)
		}
		if len(at) != 6 || at[0] != 50*time.Millisecond {
			t.Errorf("announced at %v; want after 50 ms, then each second while asked, then once for the last", at)
		}
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < time.Second {
				t.Errorf("announced at %v and %v", at[i-1], at[i])
			}
		}
	})
}
