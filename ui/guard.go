package ui

import (
	"sync"

	"github.com/gdamore/tcell/v2"
)

// A Guard puts the terminal right before the process dies of a panic in a goroutine that is not the screen's. The zero Guard is ready; give the
// same one to Run and to the goroutines:
//
//	guard := &ui.Guard{}
//	go func() {
//		defer guard.Recover()
//		…
//	}()
//	ui.Run(ctx, ui.Config{Guard: guard, …})
type Guard struct {
	mu     sync.Mutex
	screen tcell.Screen // under mu; nil: the terminal is as it should be
}

// Recover is for a deferred call: where the goroutine panics, the terminal is put right and the panic goes on, its trace readable.
func (g *Guard) Recover() {
	if p := recover(); p != nil {
		g.restore()
		panic(p)
	}
}

func (g *Guard) take(s tcell.Screen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.screen = s
}

// restore leaves the full screen, once.
func (g *Guard) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.screen != nil {
		drained(g.screen, g.screen.Fini)
		g.screen = nil
	}
}

// drained calls f, which stops a screen's reading, while what is still being read is thrown away: tcell waits for its reader, and the reader
// for room in the queue of events, for ever where a paste is longer than the queue.
func drained(s tcell.Screen, f func()) {
	if queue, ok := s.(interface{ EventQ() chan tcell.Event }); ok {
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				select {
				case <-queue.EventQ():
				case <-done:
					return
				}
			}
		}()
	}
	f()
}
