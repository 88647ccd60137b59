// Package plain is the line mode: a line of input is a message or a /command, and what happens is printed, for people as a line of text and for
// programs as one JSON object (see json.go, whose form is a promise). It also prints what a server-only box logs of the chat: the same without
// anybody's words, and where messages come in a flood how many there are instead of each (node.Console), but for programs.
//
// What the full screen left unread stays so (node.Said.Unread): line mode prints the newest lines, which may be others, and whether somebody reads them nobody knows. The conversation that the user is in counts as seen, since the
// other is told so; of a room, or for a program, /read says it.
//
// Goroutines: Run prints, and is the only one that does; one writes that out; one reads lines; one obeys them, one after the other, in their order, and between them tells
// the node what was seen of a conversation; both begin when the stored history has been printed. Node.Do waits
// while the author's rate is used up, and then nothing more is read: whoever writes to the input is held up, and no line is dropped. A slow
// reader of the output lags behind the events and holds nothing else up. Run returns when ctx ends, the node ends, the user quits, or the input
// ends (for both see Config.Linger); printing and obeying have stopped then. The reader may be left waiting inside In.Read, and what writes inside Out.Write, which nothing can interrupt;
// they touch nothing but In and Out, and end at the next line, and when it is taken.
package plain

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
)

// A Node is what is shown and obeys: *node.Node.
type Node interface {
	Do(context.Context, node.Command) error
	Events(ctx context.Context, history int) <-chan []node.Event
	Console(ctx context.Context, history int) <-chan []node.Event
	Snapshot() node.Snapshot
	Page(room string, k node.Key, max int) ([]node.Message, error)
	Search(ctx context.Context, query string, older int64, max int) (node.Found, error)
	Whois(person string) (node.Whois, error)
	Members(room string) ([]node.Member, error)
	UnderWay() int
	Source
}

// Config of Run.
type Config struct {
	Node Node
	// In is read line by line; nil: only listen.
	In  io.Reader
	Out io.Writer
	// Typed: a person types In, who is away when no line came for command.IdleAfter, and back with the next. A program that is silent is not away.
	Typed bool
	// Colour: Out is a terminal, where a QR code is black on white. Nothing else has colours.
	Colour bool
	// JSON prints objects for programs instead of lines for people.
	JSON bool
	// ServerOnly prints no words of messages, for people not each of a flood of them, and takes commands but no messages from In, whose end means nothing then.
	ServerOnly bool
	// NoHistory: what is said is on no disk.
	NoHistory bool
	// History is how many lines of stored history come first; negative: all.
	History int
	// Linger is how long Run waits, when In has ended or /quit was read, for what was said to be on two machines; zero: not at all.
	Linger  time.Duration
	Version string
}

// How Run ends with the input of a script, which nobody reads along with.
var (
	// ErrNobody: something was said, and nobody was there to take it within Config.Linger.
	ErrNobody = errors.New("nobody was there")
	// ErrUndone: a line could not be said or obeyed; what is printed says why. A program that reads objects has been told.
	ErrUndone = errors.New("not all was done")
)

// Run shows what happens and does as it is told.
func Run(ctx context.Context, c Config) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var obeying sync.WaitGroup
	defer obeying.Wait()
	defer cancel()
	outlet := newOutlet(ctx, c.Out)
	defer outlet.Close()
	out := bufio.NewWriter(outlet)
	c.Out = out
	defer func() {
		if e := out.Flush(); err == nil && !errors.Is(e, context.Canceled) { // then nobody took it in time
			err = e
		}
	}()
	follow := c.Node.Events
	if c.ServerOnly && !c.JSON {
		follow = c.Node.Console
	}
	events := follow(ctx, c.History)
	answers := make(chan answer)
	obeys := c.In == nil // or what is said now might pass for stored history
	p := &printer{Config: c, room: command.Lobby, day: today()}
	var d delivery
	t := newTold()
	var late <-chan time.Time // fires when Linger is over
	for {
		if len(events) == 0 { // otherwise more comes with it
			if err := out.Flush(); err != nil {
				return err
			}
		}
		level := t.level
		if !d.level() {
			level = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case level <- struct{}{}:
		case <-late:
			return d.outcome(true)
		case list, ok := <-events:
			if !ok {
				return nil
			}
			for _, e := range list {
				if !obeys && !stored(e) {
					obeys = true
					lines := make(chan line)
					go read(ctx, c.In, lines)
					obeying.Go(func() { obey(ctx, c, t, lines, answers) })
				}
				d.see(e)
				if err := p.tell(e, t); err != nil {
					return err
				}
			}
		case a := <-answers:
			if err := p.answer(a); err != nil {
				return err
			}
			d.take(a)
			d.undone = d.undone || a.err != nil && c.Linger > 0 && !c.JSON
			switch {
			case !a.quit && !a.end:
			case c.Linger > 0:
				late = time.After(c.Linger)
			default:
				return d.outcome(false)
			}
		}
		if late != nil && d.level() && c.Node.UnderWay() == 0 {
			return d.outcome(false)
		}
	}
}

// stored reports whether e may belong to what comes first: Ready and the stored history.
func stored(e node.Event) bool {
	switch e.(type) {
	case node.Ready, node.Said:
		return true
	}
	return false
}

// delivery follows what this process says.
type delivery struct {
	said, seen int  // lines: said to the node; come back as durable
	spoke      bool // something was said, or changed
	met        bool // somebody was there
	undone     bool // a line of a script
}

// take takes in what came of a line.
func (d *delivery) take(a answer) {
	if a.said {
		d.said++
	}
	d.spoke = d.spoke || a.spoke
}

// level reports whether all that was said came back.
func (d *delivery) level() bool { return d.seen >= d.said }

func (d *delivery) see(e node.Event) {
	switch e := e.(type) {
	case node.Said:
		if e.Here && !e.History && e.Again == (message.ID{}) {
			d.seen++
		}
	case node.Delivered:
		d.met = d.met || e.Copies > 1
	case node.HubChanged:
		d.met = d.met || e.State == node.Linked
	case node.PeerChanged:
		d.met = d.met || e.Peers > 1
	}
}

// outcome is how Run ends; late: Linger is over. Where somebody was there then, the message is on their screen or on its way.
func (d *delivery) outcome(late bool) error {
	switch {
	case d.undone:
		return ErrUndone
	case late && d.spoke && !d.met:
		return ErrNobody
	}
	return nil
}
