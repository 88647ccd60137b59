package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/message"
)

// live is a screen with its loop running, in a bubble of fake time.
type live struct {
	t    *testing.T
	fake *fake
	sim  tcell.SimulationScreen
	end  chan error
	stop context.CancelFunc
}

// run starts a screen of 80x24. Where the test has not ended it, it is ended and must leave nothing behind.
func run(t *testing.T, f *fake, c Config) *live {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &live{t: t, fake: f, sim: tcell.NewSimulationScreen("UTF-8"), end: make(chan error, 1), stop: cancel}
	c.Node, c.Screen = f, sized{l.sim, 80, 24}
	go func() { l.end <- Run(ctx, c) }()
	synctest.Wait()
	return l
}

// wait lets a frame pass and everything settle.
func (l *live) wait() []string {
	time.Sleep(2 * frame)
	synctest.Wait()
	return text(l.sim)
}

func (l *live) see(words string) {
	l.t.Helper()
	if rows := l.wait(); !strings.Contains(strings.Join(rows, "\n"), words) {
		l.t.Errorf("no %q in\n%s", words, strings.Join(rows, "\n"))
	}
}

func (l *live) press(keys ...string) {
	for _, k := range keys {
		if ev, ok := named[k]; ok {
			l.sim.InjectKey(ev.Key(), ev.Rune(), ev.Modifiers())
			continue
		}
		for _, r := range k {
			l.sim.InjectKey(tcell.KeyRune, r, tcell.ModNone)
		}
	}
	synctest.Wait()
}

func (l *live) ended(want error) {
	l.t.Helper()
	synctest.Wait()
	select {
	case err := <-l.end:
		if !errors.Is(err, want) {
			l.t.Errorf("ended with %v, want %v", err, want)
		}
	default:
		l.t.Fatal("it goes on")
	}
	if w, _ := l.sim.Size(); w != 0 {
		l.t.Error("the terminal is not as it was")
	}
}

func (l *live) said(n int, who, text string, mine bool) message.ID {
	m := node.Message{Room: "#lobby", Kind: message.Text, Nick: who, Author: id(who), Text: text, Mine: mine, Here: mine, At: time.Now(), Key: node.Key{HLC: uint64(n)}}
	copy(m.ID[:], fmt.Sprintf("live %d", n))
	l.fake.tell(node.Said{Message: m, Unread: !mine})
	return m.ID
}

func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		l := run(t, f, Config{})
		f.tell(node.Ready{Nick: "alice"})
		f.tell(f.snapshot.Hub)
		f.tell(node.PeerChanged{State: node.Joined, Nick: "bob", ID: id("bob")})
		f.tell(node.CaughtUp{})
		l.see("this is the open network lobby")
		if strings.Contains(strings.Join(l.wait(), "\n"), "joined") {
			t.Error("who was here first did not join")
		}
		l.said(1, "bob", "hello", false)
		l.see("hello")

		l.press("hi bob", "Enter")
		l.see("⧗ hi bob")
		if !slices.Equal(f.done, []node.Command{node.Say{Room: "#lobby", Text: "hi bob"}}) {
			t.Errorf("the node was told %v", f.done)
		}
		mine := l.said(2, "alice", "hi bob", true)
		f.tell(node.Delivered{ID: mine, Copies: 3})
		l.see("✓✓ hi bob")
		if n := strings.Count(strings.Join(l.wait(), "\n"), "hi bob"); n != 1 {
			t.Errorf("the line is there %d times", n)
		}

		f.mu.Lock()
		f.snapshot.Hub = node.HubChanged{State: node.Serving, Hub: "alice", HubID: id("alice"), Term: 4}
		f.mu.Unlock()
		f.changed <- struct{}{}
		f.tell(node.HubChanged{State: node.Lost, Hub: "bob", HubID: id("bob")})
		f.tell(f.snapshot.Hub)
		l.see("♛ you are now the hub")
		time.Sleep(hubFlash)
		l.see("♛ you are the hub")

		l.press("/quit", "Enter")
		l.ended(nil)
	})
}

// Without anybody there is a welcome too. Another gathering takes the place of what others said, but not of what the user said.
func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		l := run(t, f, Config{})
		l.said(1, "bob", "in the office", false)
		l.said(2, "alice", "me too", true)
		time.Sleep(welcomeAfter)
		l.see("this is the open network lobby")
		f.tell(node.RealmChanged{})
		l.said(3, "zoe", "in the café", false)
		l.see("you joined another gathering")
		l.see("me too")
		l.see("in the café")
		if strings.Contains(strings.Join(l.wait(), "\n"), "office") {
			t.Error("the office is still shown")
		}
		l.stop()
		l.ended(nil)
	})
}

// A command that waits for the node holds nothing up, and one that fails gives its line back.
func TestSlowNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		release := make(chan error)
		f.do = func(node.Command) error { return <-release }
		l := run(t, f, Config{})
		l.press("one", "Enter", "two", "Enter", "/me waves", "Enter", "half a li")
		l.see("⧗ two")
		l.see("⧗ alice waves")
		l.said(1, "bob", "meanwhile", false)
		l.see("meanwhile")
		l.see("half a li")
		release <- nil
		release <- &node.Error{Text: "the disk is full", Hint: "make room"}
		l.see("! the disk is full")
		l.see("make room")
		if strings.Contains(strings.Join(l.wait(), "\n"), "⧗ two") {
			t.Error("the line that failed still waits")
		}
		l.press("Ctrl-C")
		release <- errors.New("no")
		l.see("> /me waves")
		l.stop()
		l.ended(nil)
	})
}

func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		l := run(t, f, Config{})
		for n := range 100 {
			l.said(n+1, "bob", fmt.Sprintf("line %d", n), false)
		}
		l.see("line 99")
		l.press("PgUp")
		before := l.wait()
		for n := range 1000 {
			l.said(n+200, "carol", "burst", false)
		}
		after := l.wait()
		if !slices.Equal(before[2:20], after[2:20]) {
			t.Errorf("the screen moved from\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
		l.see("↓ 1000 new (End)")
		l.press("Ctrl-Q")
		l.ended(nil)
	})
}

func TestOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		f.page = func(room string, k node.Key, max int) ([]node.Message, error) {
			if k.HLC != 1000 {
				return nil, nil
			}
			return []node.Message{{ID: message.ID{1}, Room: room, Kind: message.Text, Nick: "dave", Text: "from long ago", At: time.Now(), Key: node.Key{HLC: 5}}}, nil
		}
		l := run(t, f, Config{})
		l.said(1000, "bob", "now", false)
		l.wait()
		l.press("PgUp")
		l.see("from long ago")
		l.press("PgUp")
		l.wait()
		l.press("PgUp")
		l.wait()
		if want := []node.Key{{HLC: 1000}, {HLC: 5}}; !slices.Equal(f.pages, want) {
			t.Errorf("asked for %v, want %v", f.pages, want)
		}
		l.stop()
		l.ended(nil)
	})
}

func TestEnds(t *testing.T) {
	for name, end := range map[string]func(*live){
		"cancelled":     func(l *live) { l.stop() },
		"Ctrl-C twice":  func(l *live) { l.press("Ctrl-C"); l.see("press Ctrl-C again to quit"); l.press("Ctrl-C") },
		"in an overlay": func(l *live) { l.press("F1", "Ctrl-Q") },
		"node is gone":  func(l *live) { close(l.fake.events); l.wait(); l.press("/exit", "Enter") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := run(t, lobby(), Config{})
				end(l)
				l.ended(nil)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // Ctrl-C twice, but slowly
		l := run(t, lobby(), Config{})
		l.press("Ctrl-C")
		time.Sleep(quitWithin + time.Millisecond)
		l.press("Ctrl-C")
		l.see("press Ctrl-C again to quit")
		time.Sleep(quitWithin)
		l.see("● connected")
		l.stop()
		l.ended(nil)
	})
}

// A panic, in the loop or anywhere a Guard is, leaves the terminal as it was before it goes on.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		f.page = func(string, node.Key, int) ([]node.Message, error) { return nil, nil }
		guard := &Guard{}
		l := run(t, f, Config{Guard: guard})
		got := make(chan any, 1)
		go func() {
			defer func() { got <- recover() }()
			func() {
				defer guard.Recover()
				panic("elsewhere")
			}()
		}()
		if p := <-got; p != "elsewhere" {
			t.Errorf("the panic became %v", p)
		}
		l.ended(errGone)

		sim := tcell.NewSimulationScreen("UTF-8")
		p := func() (p any) {
			defer func() { p = recover() }()
			_ = Run(t.Context(), Config{Node: broken{f}, Screen: sized{sim, 80, 24}})
			return nil
		}()
		if w, _ := sim.Size(); p != "broken" || w != 0 {
			t.Errorf("panic %v, a screen %d wide", p, w)
		}
	})
}

// broken panics in the loop.
type broken struct{ *fake }

func (broken) Changed(context.Context) <-chan struct{} { panic("broken") }

func TestNoTerminal(t *testing.T) {
	t.Setenv("TERM", "no-such-terminal")
	if err := Run(t.Context(), Config{Node: lobby()}); err == nil {
		t.Error("there is no such terminal")
	}
}
