package exchange

import "sync"

// A turn says who writes to a link: one at a time, and nobody while there is nothing to say, so that a link at rest has no goroutine for it. Whoever has something for the other end, or
// knows that there is something in the journal, pokes; that writes, or has who writes look once more.
type turn struct {
	mu   sync.Mutex
	busy bool
	news bool          // since who writes began to look
	open bool          // otherwise nobody takes it, yet or any more
	left chan struct{} // if not nil: closed when who writes is done
}

// take makes the caller the one who writes, if nobody does; otherwise who does will look once more.
func (t *turn) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.news = t.busy
	if t.busy || !t.open {
		return false
	}
	t.busy = true
	return true
}

// done gives the turn back, unless there is something new to look at.
func (t *turn) done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.news && t.open {
		t.news = false
		return false
	}
	t.busy = false
	if t.left != nil {
		close(t.left)
	}
	return true
}

// set opens or closes it.
func (t *turn) set(open bool) {
	t.mu.Lock()
	t.open = open
	t.mu.Unlock()
}

// end waits until nobody writes, and will not.
func (t *turn) end() {
	t.mu.Lock()
	t.open = false
	var left chan struct{}
	if t.busy {
		left = make(chan struct{})
		t.left = left
	}
	t.mu.Unlock()
	if left != nil {
		<-left
	}
}

// say writes what there is, up to so many entries, as far as that needs no waiting, and lets the rest be written.
func (p *peer) say(most int64) {
	if p.turn.take() && !p.speak(most) {
		p.exchange.crew.Do(p.write)
	}
}

// poke lets what there is be written. It does not block.
func (p *peer) poke() {
	if p.turn.take() {
		p.exchange.crew.Do(p.write)
	}
}
