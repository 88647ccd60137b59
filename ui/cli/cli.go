// Package cli is the command line: what the flags, the environment and the config file say, the key commands, and how the program ends.
//
// Main reads them all, answers what can be answered without a network (--help, --version, earshot key …, earshot search …), and hands everything else to the start
// function as a Setup. It owns the signals: the first one ends the context that start was given, so that it can say goodbye; another one,
// half a second later or more, ends the process at once, with the terminal put back as it was. It owns the exit status too: whatever goes wrong is said once, on stderr, in one
// sentence, with a hint: line where something can be tried.
//
// A network key is never an argument: whoever types one there is refused before anything else happens, and the key is not repeated. Nothing is
// kept between calls, and nothing here sends a packet.
package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"earshot/node"
	"earshot/ui/look"
)

// Mode is how the chat is shown.
type Mode int

const (
	FullScreen Mode = iota
	Lines           // ui/plain, also for --server-only
)

// Task is what is to be done.
type Task int

const (
	Chat   Task = iota
	Doctor      // say why nobody is found, or that all is well
	Who         // list who is here
)

// A Setup is what the command line asked for, ready to be started.
type Setup struct {
	Task    Task
	Node    node.Config
	Mode    Mode
	JSON    bool
	History int // lines of stored history to show first in line mode; negative: all
	Log     *slog.Logger
	Version string
	// In is read in line mode; nil: it only listens. Linger is how long to wait at its end for what was said to be delivered.
	In     io.Reader
	Linger time.Duration
	Typed  bool // a person types In
	// Theme of the full screen: what was asked for, or what the terminal can show.
	Theme look.Theme
	// Notify is what rings its bell: "all", "mentions" or "off", empty where it was not said. NoMouse leaves the mouse to the terminal.
	Notify  string
	NoMouse bool
	// Fixed names those of theme, notify and mouse that flag, environment or config file decide. Prefer takes what the user chose of the others at an earlier start, as
	// package ui names it, and returns an error for what is no such choice, without which it goes on.
	Fixed  []string
	Prefer func(map[string]string) error
	// Timeout is how long Who looks around.
	Timeout time.Duration
	// Peers is where addresses of peers are kept for the next start; nil: nowhere.
	Peers *Peers
	// Restore puts the terminal back as it was when the program began. It may be called more than once, and from any goroutine.
	Restore func()
}

// Main runs the program with its arguments (without its name) and returns its exit status.
func Main(args []string, start func(context.Context, *Setup) error) int {
	o, words, err := parse(args)
	switch {
	case errors.Is(err, errHelp):
		return report(os.Stderr, Print(help))
	case err != nil:
		return report(os.Stderr, err)
	case o.version:
		return report(os.Stderr, Print(printVersion))
	case len(words) > 0 && words[0] == "key":
		return report(os.Stderr, key(o, words[1:]))
	case len(words) > 0 && words[0] == "search":
		return report(os.Stderr, search(o, words[1:]))
	case len(words) > 0 && (words[0] == "doctor" || words[0] == "peers"):
		o.task = map[string]Task{"doctor": Doctor, "peers": Who}[words[0]]
		if len(words) > 1 {
			return report(os.Stderr, usage("earshot "+words[0]+" takes flags only", "earshot "+words[0]+" --json"))
		}
	case len(words) > 0:
		return report(os.Stderr, unknownWord(words[0]))
	}
	return report(os.Stderr, begin(o, start))
}

// begin makes the Setup and runs start under the signals' context.
func begin(o *options, start func(context.Context, *Setup) error) error {
	s, end, err := o.setup()
	if err != nil {
		return err
	}
	defer end()
	ctx, stop := signals(s.Restore)
	defer stop()
	err = start(ctx, s)
	var asked *signalled
	if errors.As(context.Cause(ctx), &asked) && (err == nil || errors.Is(err, context.Canceled)) {
		return asked
	}
	return err
}

// signalled is why a context ended: the signal that asked for it.
type signalled struct{ signal os.Signal }

func (s *signalled) Error() string { return s.signal.String() }

// patience is how long after the first signal others are still taken for the same wish: timeout(1), for one, sends each twice.
const patience = 500 * time.Millisecond

// signals returns a context that the first SIGINT, SIGTERM or SIGHUP ends. One that comes later ends the process. Call stop when the context is
// no longer needed; then signals do again what they do by default.
func signals(restore func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signal.Notify(caught, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // writing fails then, and there is time for a goodbye
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var first time.Time
		for {
			select {
			case <-done:
				return
			case s := <-caught:
				switch now := time.Now(); {
				case first.IsZero():
					first = now
					cancel(&signalled{s})
				case now.Sub(first) > patience:
					restore()
					os.Exit(ExitInterrupt)
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		close(done)
		<-ended
		cancel(nil)
	}
}
