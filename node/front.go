package node

import (
	"context"
	"sync"

	"earshot/node/journal"
)

// A Front is what front ends talk to: one node, and when that ends because its network has another key, the one that goes on. Its methods are those of Node, and may be called concurrently. While there is no node
// to ask, commands and readers wait.
type Front struct {
	readers sync.WaitGroup

	mu    sync.Mutex // protects what follows
	node  *Node
	ended bool          // there is none to come
	turn  chan struct{} // closed, and made anew, when one of these changes
}

// NewFront makes the first node.
func NewFront(c Config) (*Front, error) {
	n, err := New(c)
	return &Front{node: n, turn: make(chan struct{})}, err
}

// Node returns the present one, or the last.
func (f *Front) Node() *Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.node
}

// Run runs one node after another, each by live, which returns when its Run has. When Run returns nothing is left of any of them.
func (f *Front) Run(ctx context.Context, live func(context.Context, *Node) error) error {
	defer f.readers.Wait()
	defer f.set(func() { f.ended = true })
	for {
		n := f.Node()
		err := live(ctx, n)
		c, goes := n.Next()
		if !goes || err != nil || ctx.Err() != nil {
			return err
		}
		next, err := New(c)
		if err != nil {
			return err
		}
		next.Tell(next.network.Name()+" has a new key now, and you go on in it", "/net says for whom it is waited")
		f.set(func() { f.node = next })
	}
}

func (f *Front) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.turn)
	f.turn = make(chan struct{})
}

// now returns the node to ask, when there is one. Where there is none to come it is the last.
func (f *Front) now(ctx context.Context) *Node {
	for {
		f.mu.Lock()
		n, ended, turn := f.node, f.ended, f.turn
		f.mu.Unlock()
		if _, goes := n.Next(); ended || !goes {
			return n
		}
		select {
		case <-ctx.Done():
			return n
		case <-turn:
		}
	}
}

// after waits until another node than this one is there; nil: none comes.
func (f *Front) after(ctx context.Context, was *Node) *Node {
	for {
		f.mu.Lock()
		n, ended, turn := f.node, f.ended, f.turn
		f.mu.Unlock()
		switch {
		case n != was:
			return n
		case ended:
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-turn:
		}
	}
}

// Do is as Node.Do.
func (f *Front) Do(ctx context.Context, c Command) error { return f.now(ctx).Do(ctx, c) }

// Events is as Node.Events. When another node goes on its events follow, from Ready on, without the history that was stored when it began: that was told.
func (f *Front) Events(ctx context.Context, history int) <-chan []Event {
	return f.follow(ctx, history, nil, false)
}

// Resume is as Node.Resume, and goes on as Events does.
func (f *Front) Resume(ctx context.Context, history int) <-chan []Event {
	return f.follow(ctx, history, nil, true)
}

// Console is as Node.Console, and goes on as Events does.
func (f *Front) Console(ctx context.Context, history int) <-chan []Event {
	return f.follow(ctx, history, newRation(), false)
}

// follow tells the events of one node after the other.
func (f *Front) follow(ctx context.Context, history int, ration *ration, resume bool) <-chan []Event {
	out, ended := make(chan []Event, listsAhead), make(chan struct{}, 1)
	end := func() { ended <- struct{}{} }
	n := f.Node()
	n.events(ctx, out, history, (*journal.Journal).Last, ration, resume, end) // what is history is fixed now
	f.readers.Go(func() {
		defer close(out)
		for {
			<-ended
			if n = f.after(ctx, n); n == nil {
				return
			}
			n.eventsSinceStart(ctx, out, ration, end)
		}
	})
	return out
}

// Changed is as Node.Changed.
func (f *Front) Changed(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	n := f.Node()
	changed := n.Changed(ctx)
	f.readers.Go(func() {
		for {
			f.mu.Lock()
			now, ended, turn := f.node, f.ended, f.turn
			f.mu.Unlock()
			if now != n {
				n, changed = now, now.Changed(ctx)
			} else if ended {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-turn:
			case <-changed:
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	})
	return out
}

// Snapshot and UnderWay are as Node's; they do not wait.
func (f *Front) Snapshot() Snapshot { return f.Node().Snapshot() }
func (f *Front) UnderWay() int      { return f.Node().UnderWay() }

// Page, After, Search, Whois and Members are as Node's.
func (f *Front) Page(room string, k Key, max int) ([]Message, error) {
	return f.now(context.Background()).Page(room, k, max)
}
func (f *Front) After(room string, k Key, max int) ([]Message, error) {
	return f.now(context.Background()).After(room, k, max)
}
func (f *Front) Search(ctx context.Context, query string, older int64, max int) (Found, error) {
	return f.now(ctx).Search(ctx, query, older, max)
}
func (f *Front) Whois(person string) (Whois, error) { return f.now(context.Background()).Whois(person) }
func (f *Front) Members(room string) ([]Member, error) {
	return f.now(context.Background()).Members(room)
}
