package ui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/ui/command"
	"earshot/ui/look"
)

const (
	// frame is the time between two drawings that nobody is waiting for.
	frame = 33 * time.Millisecond
	// maxOutbox is how many typed lines wait for the node before the screen refuses more.
	maxOutbox = 200
	// welcomeAfter is how long the welcome waits for the hub, and for what the others had.
	welcomeAfter = 3 * time.Second
)

// errGone: somebody else put the terminal right, a Guard for one.
var errGone = errors.New("the terminal is gone")

// job is a command on its way to the node, and what follows from its outcome.
type job struct {
	command node.Command
	after   func(error)
}

// loop runs until the user quits or ctx ends.
func (a *app) loop(ctx context.Context, background <-chan look.Colours) error {
	input := a.readTerminal(ctx)
	events := a.node.Resume(ctx, firstHistory)
	changed := a.node.Changed(ctx)
	jobs := make(chan job)
	a.start(func() { a.work(ctx, jobs) })
	welcome := time.NewTimer(welcomeAfter)
	defer welcome.Stop()

	pending, tick := true, time.NewTimer(0)
	defer tick.Stop()
	draw := func() {
		a.idle()
		a.fetchPages(ctx)
		a.lookFor(ctx)
		for _, do := range a.errands {
			a.start(func() { do(ctx) })
		}
		a.errands = nil
		a.draw()
		pending = false
		tick.Reset(a.nextChange())
	}
	for !a.quit {
		var out chan job
		var next job
		if len(a.outbox) > 0 {
			out, next = jobs, a.outbox[0]
		} else if len(a.aside) > 0 {
			out, next = jobs, a.aside[0]
		}
		now := false // somebody is waiting for this to be seen
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-input:
			if !ok && ctx.Err() != nil {
				return nil
			}
			if !ok {
				return errGone
			}
			if err, ok := ev.(*tcell.EventError); ok {
				return fmt.Errorf("read the terminal: %w", err)
			}
			now = a.handle(ev)
		case list, ok := <-events:
			events = cond(ok, events)
			for _, e := range list {
				now = a.apply(e) || now
			}
		case <-changed:
			a.stale = true
		case out <- next:
			if len(a.outbox) > 0 {
				a.outbox = a.outbox[1:]
			} else {
				a.aside = a.aside[1:]
			}
			continue
		case f := <-a.done:
			f()
		case c := <-background:
			a.suit(c)
		case s := <-a.control:
			a.suspend(s)
		case <-welcome.C:
			a.welcome()
		case <-tick.C:
			draw()
			continue
		}
		switch {
		case now && len(input) == 0: // else more was typed, and the next frame shows it all
			draw()
		case !pending:
			pending = true
			tick.Reset(frame)
		}
	}
	return nil
}

// cond returns c, or nil, of which a select takes no notice, where c was closed.
func cond[T any](open bool, c <-chan T) <-chan T {
	if open {
		return c
	}
	return nil
}

// nextChange is how long the screen stays true by itself.
func (a *app) nextChange() time.Duration {
	now, next := a.now(), time.Hour
	times := []time.Time{a.flashUntil, a.quitUntil, a.touched.Add(command.IdleAfter)}
	if a.found != nil && a.overlay == overlay(a.found) {
		times = append(times, a.found.due)
	}
	for _, t := range times {
		if d := t.Sub(now); d > 0 {
			next = min(next, d+time.Millisecond)
		}
	}
	return next
}

// start runs f in a goroutine that Run waits for.
func (a *app) start(f func()) {
	a.goroutines.Go(func() {
		defer a.guard.Recover()
		f()
	})
}

// readTerminal passes the terminal's events on until it is closed or ctx ends.
func (a *app) readTerminal(ctx context.Context) <-chan tcell.Event {
	events := make(chan tcell.Event, 64)
	a.start(func() { a.screen.ChannelEvents(events, ctx.Done()) })
	return events
}

// work carries commands out, one after the other.
func (a *app) work(ctx context.Context, jobs <-chan job) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-jobs:
			err := a.node.Do(ctx, j.command)
			a.report(ctx, func() { j.after(err) })
		}
	}
}

// report hands what the background found to the loop.
func (a *app) report(ctx context.Context, f func()) {
	select {
	case a.done <- f:
	case <-ctx.Done():
	}
}
