package journal

import (
	"slices"
	"sync"
	"sync/atomic"
)

// watchers is who is told of changes. Telling takes no lock: the list is copied when it changes, and telling one who was told before and has not
// looked yet costs a comparison.
type watchers struct {
	list atomic.Pointer[[]chan struct{}]
	mu   sync.Mutex // held by who changes list
}

func (w *watchers) add() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.change(func(l []chan struct{}) []chan struct{} { return append(l, c) })
	return c, func() {
		w.change(func(l []chan struct{}) []chan struct{} {
			return slices.DeleteFunc(l, func(o chan struct{}) bool { return o == c })
		})
	}
}

func (w *watchers) change(f func([]chan struct{}) []chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var l []chan struct{}
	if p := w.list.Load(); p != nil {
		l = slices.Clone(*p)
	}
	l = f(l)
	w.list.Store(&l)
}

func (w *watchers) tell() {
	l := w.list.Load()
	if l == nil {
		return
	}
	for _, c := range *l {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
