package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"earshot/node/election"
)

// beyondAfter is how long whoever depends on addresses given by hand, or on others to be the hub, does without one before the user is told: a failover takes less.
const beyondAfter = 5 * time.Second

// beyond is what the user is told where nobody can be found but at addresses given by hand, and no hub is reached there, or where all who are found are never the hub. The node goes on trying, and what is
// said waits in its journal; it may have made itself the hub meanwhile, alone, which does not look like trouble.
type beyond struct {
	from  string    // the nick of the hub that was linked last; empty: none was
	since time.Time // zero: linked
	told  bool
}

// tellBeyond looks whether there is something to tell.
func (s *seat) tellBeyond(in election.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.beyond
	never := s.node.config.NeverHub && len(in.Members) > 0 && !slices.ContainsFunc(in.Members, func(m election.Member) bool { return m.Class > election.Never })
	switch now := time.Now(); {
	case !never && (len(s.node.config.Join) == 0 || len(in.Members) > 0), in.Followers > 0:
		*p = beyond{}
	case s.way != nil && s.way.linkedLocked():
		*p = beyond{from: s.way.nick}
	case p.since.IsZero():
		p.since = now
		s.retryAt(now.Add(beyondAfter))
	case now.Before(p.since.Add(beyondAfter)):
		s.retryAt(p.since.Add(beyondAfter))
	case !p.told:
		p.told = true
		text, hint := "all who are here run with --never-hub: without a hub nobody hears anything", "start one of them without --never-hub; what you say is kept until then"
		if !never {
			text, hint = s.beyondLocked()
		}
		s.node.notice(text, hint)
	}
}

func (s *seat) beyondLocked() (text, hint string) {
	const most = 4
	tried := unique(append(s.node.config.Joins(), s.learned...))
	at := strings.Join(tried[:min(len(tried), most)], ", ")
	if more := len(tried) - most; more > 0 {
		at = fmt.Sprintf("%s and %d more", at, more)
	}
	if s.beyond.from == "" {
		return "nobody answers at " + at, "check the address, and that the firewall and the router there let this port in (TCP); earshot goes on trying"
	}
	return fmt.Sprintf("lost %s, and no other hub can be reached from here (tried %s)", s.beyond.from, at),
		"what you say is kept, and earshot goes on trying; each machine that may become the hub needs an address, or a forwarded port, that is reached from here: name it with --join"
}
