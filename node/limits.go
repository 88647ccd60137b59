package node

import (
	"sync"

	"golang.org/x/time/rate"

	"earshot/node/identity"
	"earshot/node/message"
)

// limits are the limiters of live records, a person each.
type limits struct {
	rate float64
	mu   sync.Mutex // protects per
	per  map[identity.PeerID]*rate.Limiter
}

// maxLimited bounds the persons remembered; past it all start anew, with a full burst.
const maxLimited = 4096

func (l *limits) of(p identity.PeerID) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.per[p] == nil {
		if len(l.per) >= maxLimited {
			clear(l.per)
		}
		l.per[p] = rate.NewLimiter(rate.Limit(l.rate), max(message.MaxRecords, int(4*l.rate)))
	}
	return l.per[p]
}
