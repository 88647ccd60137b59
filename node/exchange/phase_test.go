package exchange

import (
	"testing"
	"testing/synctest"
	"time"
)

// The hub speaks to the links of a phase at one moment, and has those of another phase answer at another.
func TestPhases(t *testing.T) {
	const ping = time.Second / 3
	for _, phase := range []time.Duration{0, 10 * time.Millisecond, 330 * time.Millisecond, 340 * time.Millisecond, 990 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			x := &Exchange{born: time.Now()}
			time.Sleep(123 * time.Millisecond)
			p := &peer{exchange: x, Link: &Link{Hub: true, Ping: ping, Phase: phase}}
			beats, second := 0, p.phased()/beatEvery
			for rings := 1; rings <= 30; rings++ {
				time.Sleep(p.rest())
				now := time.Since(x.born)
				if off := (now - phase + time.Second) % ping; min(off, ping-off) > time.Microsecond {
					t.Fatalf("phase %v: a PING at %v", phase, now)
				}
				if s := p.phased() / beatEvery; s != second {
					second = s
					if beats++; (now-phase+2*time.Second)%time.Second > ping+time.Microsecond { // a PING may come a nanosecond before the second is over
						t.Fatalf("phase %v: a BEAT at %v", phase, now)
					}
				}
			}
			if beats < 9 || beats > 11 {
				t.Errorf("phase %v: %d BEATs", phase, beats)
			}
		})
	}
}
