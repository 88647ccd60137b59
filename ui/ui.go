// Package ui is the full screen: what is said, who is here, how things stand, and a line to type in.
//
// One goroutine, the one that called Run, owns everything that is shown. It selects over the terminal's events, the node's events, changes of the
// snapshot, and results of what it asked others to do; it applies what came, and draws at most once in 33 ms, at once for a key that no other waits behind. There is no lock
// and no queue of closures into a running application: that is why it draws tview's primitives itself instead of running tview's Application, whose
// queue blocks for ever once it has stopped and deadlocks when nested.
//
// Beside it run, until Run returns: a goroutine that reads the terminal, one that carries out commands in the order they were typed (a command
// waits while the author's rate is used up), and one for each page of older history that is being read, for a search that is going on, for a history that is
// being written to a file, and for text on its way to tmux's clipboard. A slow node delays what it is asked for and
// nothing else; a flood of events costs one drawing per 33 ms.
//
// What is unread is the node's to say (node.Said.Unread), also of what came before the last start; the screen counts it, and tells the node what the user has before their eyes.
//
// What other people wrote is drawn by this package's own primitives alone, cluster by cluster through ui/cell. tview's TextArea holds what the user types;
// nothing of a peer goes near a tview tag parser.
//
// What lies over the screen (help, palette, lists, search, going among the messages) is an overlay: a type in a file of its own that has the keys while it is
// there. Keys, help, palette and the README's table come from bindings, commands from ui/command.
//
// The terminal is put right again when Run returns or panics; a Guard does the same for panics in other goroutines of the process.
package ui

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/identity"
	"earshot/ui/command"
	"earshot/ui/look"
)

// A Node is what the screen shows and what it asks to act; *node.Node is one.
type Node interface {
	Do(ctx context.Context, c node.Command) error
	Resume(ctx context.Context, history int) <-chan []node.Event
	Changed(ctx context.Context) <-chan struct{}
	Snapshot() node.Snapshot
	Page(room string, k node.Key, max int) ([]node.Message, error)
	After(room string, k node.Key, max int) ([]node.Message, error)
	Search(ctx context.Context, query string, older int64, max int) (node.Found, error)
	Whois(person string) (node.Whois, error)
	Members(room string) ([]node.Member, error)
}

// Config of a full screen. Only Node is needed.
type Config struct {
	Node Node
	// Screen to draw on; nil: the terminal.
	Screen tcell.Screen
	// Theme to begin with (the environment's NO_COLOR is for the caller to look at); /theme chooses another.
	Theme look.Theme
	// Attention is what rings the bell, AttendAll where it is empty; NoMouse leaves the mouse to the terminal. /notify and /mouse change them.
	Attention Attention
	NoMouse   bool
	// Fixed names the settings that are chosen anew at each start (theme, notify, mouse), so that what is chosen here holds until then.
	Fixed []string
	// Getenv tells which terminal this is; nil: os.Getenv.
	Getenv func(string) string
	// Guard is told of the screen, so that a panic elsewhere can put the terminal right; nil: nobody else.
	Guard   *Guard
	Log     *slog.Logger
	Version string // for /version
}

// firstHistory is how many lines of stored history are asked for at the start, besides those that are unread; older ones come by scrolling.
const firstHistory = 500

// Run shows the screen until the user quits, which is no error, or ctx ends. It fails where the terminal cannot be used.
func Run(ctx context.Context, c Config) (err error) {
	screen, background := c.Screen, (<-chan look.Colours)(nil)
	if screen == nil {
		if screen, background, err = newTerminal(); err != nil {
			return err
		}
	}
	if err := screen.Init(); err != nil {
		return err
	}
	a := newApp(c, screen)
	if c.Screen == nil {
		jobControl(a.control)
		defer signal.Stop(a.control)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer a.goroutines.Wait()
	defer cancel()
	a.guard.take(screen)
	defer a.guard.restore() // first of all, also while a panic passes through
	screen.EnablePaste()
	screen.EnableFocus()
	a.useMouse(!c.NoMouse)
	if tty, ok := screen.Tty(); ok && background != nil {
		defer tty.Write([]byte(giveArrows))
		_, _ = tty.Write([]byte(keepArrows + askBackground)) // who does not answer is taken for dark
	}
	return a.loop(ctx, background)
}

func newApp(c Config, screen tcell.Screen) *app {
	a := &app{
		node: c.Node, screen: &canvas{Screen: screen}, guard: c.Guard, version: c.Version, log: c.Log,
		theme: c.Theme, look: look.New(screen.Colors(), c.Theme),
		attention: c.Attention, fixed: c.Fixed, getenv: c.Getenv, launch: launch, pipe: pipe,
		now: time.Now, touched: time.Now(),
		done: make(chan func()), control: make(chan os.Signal, 1),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.attention == "" {
		a.attention = AttendAll
	}
	if a.getenv == nil {
		a.getenv = os.Getenv
	}
	if a.guard == nil {
		a.guard = &Guard{}
	}
	a.snapshot = a.node.Snapshot()
	a.input = a.room(command.Lobby).input
	a.syncRooms()
	return a
}

// app is the state of the screen; it belongs to the loop's goroutine.
type app struct {
	node    Node
	screen  tcell.Screen
	guard   *Guard
	theme   look.Theme
	look    *look.Look
	log     *slog.Logger
	version string
	now     func() time.Time

	snapshot node.Snapshot
	stale    bool // it may differ from how things stand
	rooms    []*room
	current  int

	input    *input  // of the current room
	overlay  overlay // nil: none
	found    *search // the last, to be opened again; nil: none yet
	noPeers  bool    // the peers column is hidden
	noRooms  bool
	away     bool // the terminal lost the focus
	welcomed bool
	stored   bool // what was on the disk has been told
	caughtUp bool // what the others had has come

	seen    node.HubChanged // the last told of
	lastHub identity.PeerID // the last that there was

	attention Attention
	fixed     []string  // settings that are chosen anew at each start
	notified  time.Time // when attention was asked for last
	title     string    // of the window
	mouse     bool      // it is taken from the terminal
	pressed   bool      // its button is
	pressedAt [2]int    // where it was pressed
	getenv    func(string) string
	launch    func(name string, args ...string) error
	pipe      func(text, name string, args ...string) error

	touched    time.Time // when the user pressed something last
	idled      bool      // away because that is long ago
	aside      []job     // for the node, of no concern to the user
	typedAt    time.Time // when the node was told that the user types
	flash      string    // shown in the status line until flashUntil
	flashUntil time.Time
	quitUntil  time.Time // another Ctrl-C before then quits
	quit       bool

	pasting bool
	paste   []rune

	errands    []func(context.Context) // to be begun in goroutines of their own
	outbox     []job                   // commands not yet handed to the worker
	going      int                     // commands not yet done that lead to another room
	done       chan func()             // what the background found, to be applied here
	goroutines sync.WaitGroup
	control    chan os.Signal // that somebody stops the process, or that it goes on

	background look.Colours // what suits the terminal's; empty: it has not said
}
