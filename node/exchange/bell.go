package exchange

import (
	"slices"
	"sync"
	"time"

	"earshot/node/crew"
)

// A bell has the hub speak on the links of one phase, one after the other on one goroutine, without waiting for any. With a timer for each link thousands of goroutines would begin where this
// process did not run for a moment, each with a stack to grow, and whoever is to keep the seat would wait for all of them. For the same reason one bell rings at a time.
type bell struct {
	exchange *Exchange

	// mu protects what follows.
	mu    sync.Mutex
	links []*peer // replaced where one is taken out: who rings goes through it without the lock
	timer *time.Timer
}

// hang has p rung for from now on.
func (x *Exchange) hang(p *peer) {
	x.mu.Lock()
	b := x.bells[p.Phase]
	if b == nil {
		b = &bell{exchange: x}
		x.bells[p.Phase] = b
	}
	x.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, p)
	if b.timer == nil {
		b.timer = time.AfterFunc(p.rest(), b.ring)
	}
}

// unhang takes p out again, if it was there. Who rings just now finds that it is gone.
func (x *Exchange) unhang(p *peer) {
	x.mu.Lock()
	b := x.bells[p.Phase]
	x.mu.Unlock()
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = slices.DeleteFunc(slices.Clone(b.links), func(q *peer) bool { return q == p })
	if len(b.links) == 0 && b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

func (b *bell) ring() {
	b.exchange.ringing.Lock()
	crew.Roomy()
	b.mu.Lock()
	links := b.links
	b.mu.Unlock()
	for _, p := range links {
		p.ring()
	}
	b.exchange.ringing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil && len(b.links) > 0 {
		b.timer.Reset(b.links[0].rest())
	}
}
