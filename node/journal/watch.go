package journal

import (
	"slices"
	"sync"
	"sync/atomic"
)

// watchers is who is told of changes. Telling takes no lock: the list is copied when it changes.
type watchers struct {
	list atomic.Pointer[[]*watcher]
	mu   sync.Mutex // held by who changes list
}

type watcher struct{ tell func(by Origin) }

func (w *watchers) add(tell func(by Origin)) (stop func()) {
	one := &watcher{tell}
	w.change(func(l []*watcher) []*watcher { return append(l, one) })
	return func() {
		w.change(func(l []*watcher) []*watcher { return slices.DeleteFunc(l, func(o *watcher) bool { return o == one }) })
	}
}

func (w *watchers) change(f func([]*watcher) []*watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var l []*watcher
	if p := w.list.Load(); p != nil {
		l = slices.Clone(*p)
	}
	l = f(l)
	w.list.Store(&l)
}

func (w *watchers) tell(by Origin) {
	l := w.list.Load()
	if l == nil {
		return
	}
	for _, o := range *l {
		o.tell(by)
	}
}

// Watch returns a channel that gets a value (it has room for one) after every append and every commit, and stop, which ends that.
func (j *Journal) Watch() (changed <-chan struct{}, stop func()) {
	return j.watch(func(Origin) bool { return true })
}

// WatchCommits is Watch without what links append: that is told when it is committed.
func (j *Journal) WatchCommits() (changed <-chan struct{}, stop func()) {
	return j.watch(func(by Origin) bool { return by == 0 })
}

func (j *Journal) watch(of func(by Origin) bool) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	return c, j.watchers.add(func(by Origin) {
		if !of(by) {
			return
		}
		select {
		case c <- struct{}{}:
		default:
		}
	})
}

// Hear has f called after every append, with who brought that (0: an author of this process), and after every commit, with 0, until stop. f must not block: it is called by who appends, and by
// who commits.
func (j *Journal) Hear(f func(by Origin)) (stop func()) { return j.watchers.add(f) }
