package discovery

import (
	"math/rand/v2"
	"time"
)

const (
	aloneGap   = 5 * time.Second
	steadyGap  = 30 * time.Second
	peerGap    = 3 * time.Second // per known peer: whoever asks makes every other send four packets, so a host sends about one a second however many there are
	longestGap = 5 * time.Minute
)

// A schedule says when to ask: at 0, 0.25, 1, 2, 4, 8, 16 s, then for ever about every 30 s, later where many are known, every 5 s while alone. The first four
// times it announces too (RFC 6762 §8.3 wants at least two).
type schedule struct {
	next  time.Time
	begun time.Time
	step  int
}

func (s *schedule) restart(now time.Time) { *s = schedule{next: now, begun: now} }

// kick restarts, unless the first second of a schedule runs: it is as dense as can be, and a caller may kick as often as it likes.
func (s *schedule) kick(now time.Time) {
	if now.Sub(s.begun) >= time.Second {
		s.restart(now)
	}
}

func (s *schedule) due(now time.Time) bool { return !now.Before(s.next) }

// announces reports whether the question that is due goes with an announcement.
func (s *schedule) announces() bool { return s.step < 4 }

// steady reports whether the question that is due comes after the first, dense ones.
func (s *schedule) steady() bool { return s.step > 6 }

func (s *schedule) asked(now time.Time, peers int) {
	s.step++
	s.next = now.Add(s.gap(peers))
}

func (s *schedule) gap(peers int) time.Duration {
	alone := peers == 0
	first := [...]time.Duration{250 * time.Millisecond, 750 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	switch {
	case s.step <= len(first) && alone:
		return min(first[s.step-1], aloneGap)
	case s.step <= len(first):
		return first[s.step-1]
	case alone:
		return jitter(aloneGap)
	}
	gap := min(max(steadyGap, time.Duration(peers)*peerGap), longestGap)
	if s.step == len(first)+1 { // from here on hosts that started together ask one after another: somebody always does soon
		return steadyGap*3/4 + rand.N(gap*5/4-steadyGap*3/4)
	}
	return jitter(gap)
}

// jitter is d ± 25 %: hosts that started together must not ask together for ever.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2) }

// A pace holds announcements apart on one link: those beyond the schedule are at least a second after any other (RFC 6762 §6). What is wanted earlier is put off,
// not dropped. The zero pace wants nothing.
type pace struct {
	due  time.Time // zero: nothing is wanted
	last time.Time
}

func (p *pace) wanted() bool { return !p.due.IsZero() }

func (p *pace) want(now time.Time, delay time.Duration) {
	at := now.Add(delay)
	if after := p.last.Add(time.Second); at.Before(after) {
		at = after
	}
	if !p.wanted() || at.Before(p.due) {
		p.due = at
	}
}

func (p *pace) ready(now time.Time) bool { return p.wanted() && !now.Before(p.due) }

// said notes an announcement, which is what anybody wanted.
func (p *pace) said(now time.Time) { *p = pace{last: now} }
