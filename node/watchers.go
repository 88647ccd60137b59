package node

import (
	"context"
	"sync"
)

// watchers wakes whoever follows the node's state, and waits for the subscriptions to end.
type watchers struct {
	end  chan struct{} // closed by close
	subs sync.WaitGroup

	mu     sync.Mutex // protects what follows
	list   map[chan struct{}]struct{}
	closed bool
}

func newWatchers() *watchers {
	return &watchers{end: make(chan struct{}), list: map[chan struct{}]struct{}{}}
}

func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.list {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *watchers) add() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	w.list[c] = struct{}{}
	return c
}

func (w *watchers) remove(c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.list, c)
}

// subscribe runs f on a goroutine of its own; after close it does not, and returns false.
func (w *watchers) subscribe(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.subs.Go(f)
	}
	return !w.closed
}

// close ends all subscriptions and waits for that.
func (w *watchers) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.end)
	}
	w.mu.Unlock()
	w.subs.Wait()
}

// Changed returns a channel that gets a value (it has room for one) whenever Snapshot may differ.
func (n *Node) Changed(ctx context.Context) <-chan struct{} {
	c := n.watch.add()
	context.AfterFunc(ctx, func() { n.watch.remove(c) })
	return c
}
