package discovery

import (
	"math/rand/v2"
	"testing"
	"time"
)

// In a year nobody is ever silent: with few peers the next question is less than 40 s away, with many that of some of them is, and who is alone asks every 6 s and calls
// every 40 s. However many restarts there are.
func TestYear(t *testing.T) {
	const month, year = 30 * 24 * time.Hour, 365 * 24 * time.Hour
	for _, c := range []struct {
		peers   int
		during  time.Duration
		longest time.Duration
	}{{0, month, 6250 * time.Millisecond}, {10, year, 37500 * time.Millisecond}, {1 << 30, year, longestGap * 5 / 4}} {
		begun := time.Unix(0, 0)
		s := schedule{}
		s.restart(begun)
		asked := 0
		for now := begun; now.Sub(begun) < c.during; now = s.next {
			if !s.due(now) {
				t.Fatalf("with %d peers nothing is due after %v, when it should be", c.peers, now.Sub(begun))
			}
			if s.asked(now, c.peers); s.next.Sub(now) > c.longest || !s.next.After(now) {
				t.Fatalf("with %d peers it asks after %v and then after %v", c.peers, now.Sub(begun), s.next.Sub(begun))
			}
			if asked++; asked%1000 == 0 {
				s.kick(now)
			}
		}
		if asked < int(c.during/c.longest) {
			t.Errorf("with %d peers it asked %d times", c.peers, asked)
		}
	}
	begun := time.Unix(0, 0)
	var k calls
	k.alone(true, begun)
	for now := k.next; now.Sub(begun) < year; now = k.next {
		k.alone(true, now)
		if !k.due(now) {
			t.Fatalf("no call is due after %v", now.Sub(begun))
		}
		if k.called(now); k.next.Sub(now) > calmGap*5/4 || !k.next.After(now) {
			t.Fatalf("it calls after %v and then after %v", now.Sub(begun), k.next.Sub(begun))
		}
	}
}

// The packets that a host sends, in each family, settle to less than two a second, however many there are: questions, answers to those of others by
// unicast, and announcements because of them. Somebody asks at least every 40 s, so that a partition that heals is noticed by then.
func TestTraffic(t *testing.T) {
	for _, hosts := range []int{2, 20, 250} {
		const step, settled, end = 50 * time.Millisecond, time.Minute, 21 * time.Minute
		type host struct {
			schedule schedule
			pace     pace
			heard    []time.Time // of each other
		}
		all := make([]host, hosts)
		begun := time.Unix(0, 0)
		for i := range all {
			all[i].schedule.restart(begun)
			all[i].heard = make([]time.Time, hosts)
		}
		sent, answered, silent := 0, 0, time.Duration(0)
		second, last := begun, begun
		for now := begun; now.Sub(begun) < end; now = now.Add(step) {
			if now.Sub(second) >= time.Second {
				second, answered = now, 0
			}
			for i := range all {
				h := &all[i]
				asking, packets := h.schedule.due(now), 0
				if asking && h.schedule.announces() || h.pace.ready(now) {
					h.pace.said(now)
					packets++
					for j := range all {
						all[j].heard[i] = now
					}
				}
				if asking {
					steady, named := h.schedule.steady(), 0
					silent = max(silent, now.Sub(last))
					last = now
					h.schedule.asked(now, hosts-1)
					packets++
					answered++
					for j := range all {
						known := j != i && steady && named < maxKnown && now.Sub(h.heard[j]) < lifetime/2
						if known {
							named++
						}
						if answered <= answerRate {
							h.heard[j] = now
						}
						if j != i && !known {
							all[j].pace.want(now, 20*time.Millisecond+rand.N(100*time.Millisecond))
						}
					}
					if answered <= answerRate {
						packets += hosts - 1
					}
				}
				if now.Sub(begun) >= settled {
					sent += packets
				}
			}
		}
		each := float64(sent) / float64(hosts) / (end - settled).Seconds()
		t.Logf("%3d hosts: %.2f packets a second and host; at most %v without a question", hosts, each, silent)
		if each > 2 || silent > 40*time.Second {
			t.Error("that is too much")
		}
	}
}
